#include "wire/sse.h"
#include <string.h>

enum state {
    FIELD,        /* reads the name of a field */
    BEFORE_VALUE, /* behind its colon: one blank may follow */
    DATA,
    ID,
    NAME,   /* in the value */
    IGNORED /* in a comment, or the value of another field */
};

static bool is_field(const struct sse_parser *parser, const char *name)
{
    return parser->field_len == strlen(name) && memcmp(parser->field, name, parser->field_len) == 0;
}

static void data_piece(struct sse_parser *parser, const struct rule *rule, const char *data, size_t len)
{
    parser->data_len += (uint32_t)len;
    if (rule->where == RULE_DATA)
        rule_feed(rule, &parser->match, data, len);
    if (parser->kept != NULL)
        text_add(&parser->kept->data, data, len);
}

static void begin_data(struct sse_parser *parser, const struct rule *rule)
{
    if (parser->has_data)
        data_piece(parser, rule, "\n", 1);
    else if (parser->kept != NULL)
        parser->kept->data.len = 0;
    parser->has_data = true;
}

/* The name of the field is complete. */
static enum state begin_value(struct sse_parser *parser, const struct rule *rule)
{
    if (is_field(parser, "data")) {
        begin_data(parser, rule);
        return DATA;
    }
    if (is_field(parser, "event")) {
        parser->name_len = 0;
        return NAME;
    }
    if (is_field(parser, "id")) {
        if (rule->where == RULE_ID)
            memset(&parser->match, 0, sizeof(parser->match));
        if (parser->kept != NULL)
            parser->kept->id.len = 0;
        return ID;
    }
    return IGNORED;
}

static void finish_event(struct sse_parser *parser, sse_event_fn *on_event, void *user)
{
    if (parser->has_data) {
        parser->name[parser->name_len] = '\0';
        struct sse_event event = {.name = parser->name,
                                  .has_number = rule_finish(&parser->match),
                                  .number = parser->match.value,
                                  .data_len = parser->data_len};
        on_event(&event, user);
    }
    parser->has_data = false;
    parser->name_len = 0;
    parser->data_len = 0;
    memset(&parser->match, 0, sizeof(parser->match));
}

static void end_line(struct sse_parser *parser, const struct rule *rule, sse_event_fn *on_event, void *user)
{
    if (parser->state == FIELD && parser->field_len == 0)
        finish_event(parser, on_event, user);
    else if (parser->state == FIELD || parser->state == BEFORE_VALUE)
        begin_value(parser, rule); /* the value is empty */
    parser->state = FIELD;
    parser->field_len = 0;
}

static void field_byte(struct sse_parser *parser, char byte)
{
    if (byte == ':')
        parser->state = parser->field_len == 0 ? IGNORED : BEFORE_VALUE;
    else if (parser->field_len < sizeof(parser->field))
        parser->field[parser->field_len++] = byte;
}

static void value_piece(struct sse_parser *parser, const struct rule *rule, const char *data, size_t len)
{
    if (parser->state == DATA) {
        data_piece(parser, rule, data, len);
    } else if (parser->state == ID) {
        if (rule->where == RULE_ID)
            rule_feed(rule, &parser->match, data, len);
        if (parser->kept != NULL)
            text_add(&parser->kept->id, data, len);
    } else if (parser->state == NAME) {
        size_t room = SSE_NAME - 1u - parser->name_len;
        len = len < room ? len : room;
        memcpy(parser->name + parser->name_len, data, len);
        parser->name_len = (uint8_t)(parser->name_len + len);
    }
}

static const char *line_end(const char *data, const char *end)
{
    const char *newline = memchr(data, '\n', (size_t)(end - data));
    if (newline != NULL)
        end = newline;
    const char *carriage_return = memchr(data, '\r', (size_t)(end - data));
    return carriage_return != NULL ? carriage_return : end;
}

void sse_feed(struct sse_parser *parser, const struct rule *rule, const char *data, size_t len,
              sse_event_fn *on_event, void *user)
{
    for (const char *end = data + len; data < end;) {
        char byte = *data;
        if (byte == '\n' || byte == '\r') {
            if (!(byte == '\n' && parser->after_cr))
                end_line(parser, rule, on_event, user);
            parser->after_cr = byte == '\r';
            data++;
            continue;
        }
        parser->after_cr = false;
        if (parser->state == FIELD) {
            field_byte(parser, byte);
            data++;
        } else if (parser->state == BEFORE_VALUE) {
            parser->state = (uint8_t)begin_value(parser, rule);
            data += byte == ' ';
        } else {
            const char *stop = line_end(data, end);
            value_piece(parser, rule, data, (size_t)(stop - data));
            data = stop;
        }
    }
}
