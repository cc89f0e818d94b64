/* The C end of typed_test.py: reads a payload on its standard input.
 *
 *     typed_peer kinds | maybe | lists    decodes it and writes the fields as JSON (bytes in hex)
 *     typed_peer again-kinds | ...        decodes it and writes it encoded again
 *
 * Leaves with 1 and the error on its standard error when it cannot be decoded. */
#include "typed_kinds.h"
#include <inttypes.h>
#include <stdio.h>

static char payload[1 << 20], encoded[1 << 20];

static void print_text(struct freshet_span text)
{
    putchar('"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte < 0x20 || byte == '"' || byte == '\\')
            printf("\\u%04x", (unsigned)byte);
        else
            putchar(byte);
    }
    putchar('"');
}

static void print_bytes(struct freshet_span bytes)
{
    putchar('"');
    for (size_t i = 0; i < bytes.len; i++)
        printf("%02x", (unsigned)(unsigned char)bytes.data[i]);
    putchar('"');
}

static void print_boolean(bool boolean)
{
    printf(boolean ? "true" : "false");
}

static void print_point(struct point point)
{
    printf("{\"x\": %.17g, \"y\": %.17g", point.x, point.y);
    if (point.has_name) {
        printf(", \"name\": ");
        print_text(point.name);
    }
    putchar('}');
}

/* A member of an object, after the first. */
static void key(const char *name)
{
    printf(", \"%s\": ", name);
}

static void print_kinds(const struct kinds_message *message)
{
    printf("{\"number\": %" PRId64 ", \"size\": %" PRIu64 ", \"ratio\": %.17g", message->number,
           message->size, message->ratio);
    key("yes");
    print_boolean(message->yes);
    key("title");
    print_text(message->title);
    key("blob");
    print_bytes(message->blob);
    key("at");
    print_point(message->at);
    printf("}\n");
}

static void print_maybe(const struct maybe_message *message)
{
    struct freshet_int64_array numbers = message->numbers;
    int64_t number;
    printf("{\"present\": %d", message->has_yes + message->has_number + message->has_size +
                                   message->has_ratio + message->has_title + message->has_blob +
                                   message->has_at + message->has_numbers);
    if (message->has_number)
        printf(", \"number\": %" PRId64, message->number);
    if (message->has_title) {
        key("title");
        print_text(message->title);
    }
    if (message->has_numbers) {
        key("numbers");
        for (char before = '['; freshet_int64_next(&numbers, &number); before = ',')
            printf("%c%" PRId64, before, number);
        printf(message->numbers.count == 0 ? "[]" : "]");
    }
    printf("}\n");
}

static void print_lines(struct line_array lines)
{
    struct line line;
    struct point point;
    putchar('[');
    for (const char *before = ""; line_next(&lines, &line); before = ", ") {
        printf("%s{\"colour\": ", before);
        print_text(line.colour);
        printf(", \"points\": [");
        for (const char *between = ""; point_next(&line.points, &point); between = ", ") {
            printf("%s", between);
            print_point(point);
        }
        printf("]}");
    }
    putchar(']');
}

static void print_lists(const struct lists_message *message)
{
    struct freshet_text_array titles = message->titles;
    struct freshet_float64_array ratios = message->ratios;
    struct freshet_span title;
    double ratio;
    printf("{\"titles\": [");
    for (const char *before = ""; freshet_text_next(&titles, &title); before = ", ") {
        printf("%s", before);
        print_text(title);
    }
    printf("], \"ratios\": [");
    for (const char *before = ""; freshet_float64_next(&ratios, &ratio); before = ", ")
        printf("%s%.17g", before, ratio);
    printf("], \"lines\": ");
    print_lines(message->lines);
    printf("}\n");
}

static union {
    struct kinds_message kinds;
    struct maybe_message maybe;
    struct lists_message lists;
} message;

static enum freshet_status decode(char kind, struct freshet_span bytes, struct freshet_error *error)
{
    return kind == 'k'   ? kinds_decode(bytes, &message.kinds, error)
           : kind == 'm' ? maybe_decode(bytes, &message.maybe, error)
                         : lists_decode(bytes, &message.lists, error);
}

static enum freshet_status encode(char kind, size_t *len, struct freshet_error *error)
{
    return kind == 'k'   ? kinds_encode(&message.kinds, encoded, sizeof(encoded), len, error)
           : kind == 'm' ? maybe_encode(&message.maybe, encoded, sizeof(encoded), len, error)
                         : lists_encode(&message.lists, encoded, sizeof(encoded), len, error);
}

static void print(char kind)
{
    if (kind == 'k')
        print_kinds(&message.kinds);
    else if (kind == 'm')
        print_maybe(&message.maybe);
    else
        print_lists(&message.lists);
}

int main(int argc, char **argv)
{
    struct freshet_error error = {""};
    const char *job = argc > 1 ? argv[1] : "kinds";
    bool again = strncmp(job, "again-", 6) == 0;
    char kind = again ? job[6] : job[0];
    size_t len = fread(payload, 1, sizeof(payload), stdin);
    enum freshet_status status = decode(kind, freshet_span(payload, len), &error);
    if (status == FRESHET_OK && again)
        status = encode(kind, &len, &error);
    if (status != FRESHET_OK) {
        fprintf(stderr, "%s: %s\n", freshet_status_text(status), error.text);
        return 1;
    }
    if (again)
        fwrite(encoded, 1, len, stdout);
    else
        print(kind);
    return 0;
}
