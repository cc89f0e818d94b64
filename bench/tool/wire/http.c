#include "wire/http.h"
#include <string.h>
#include <strings.h>

void http_reset(struct http_parser *parser)
{
    memset(parser, 0, sizeof(*parser));
}

/* The value, or NULL if the line is of another header. */
static const char *header_value(const struct http_parser *parser, const char *name)
{
    size_t len = strlen(name);
    const char *at = parser->line;
    if (parser->line_len <= len || strncasecmp(at, name, len) != 0 || at[len] != ':')
        return NULL;
    for (at += len + 1; *at == ' ' || *at == '\t'; at++)
        ;
    return at;
}

/* `HTTP/1.1 200 OK` */
static bool read_status(struct http_parser *parser)
{
    const char *line = parser->line;
    if (parser->line_len < 12 || memcmp(line, "HTTP/1.", 7) != 0 || line[8] != ' ')
        return false;
    for (int i = 9; i < 12; i++) {
        if (line[i] < '0' || line[i] > '9')
            return false;
        parser->status = (uint16_t)(parser->status * 10 + (line[i] - '0'));
    }
    parser->closes = line[7] == '0';
    return true;
}

static bool read_length(struct http_parser *parser, const char *at)
{
    parser->has_length = true;
    parser->left = 0;
    if (*at < '0' || *at > '9')
        return false;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (parser->left > UINT64_MAX / 16)
            return false;
        parser->left = parser->left * 10 + (uint64_t)(*at - '0');
    }
    return true;
}

static enum http_coding coding_of(const char *value)
{
    if (strcasecmp(value, "gzip") == 0)
        return HTTP_GZIP;
    return strcasecmp(value, "identity") == 0 ? HTTP_PLAIN : HTTP_OTHER;
}

static bool read_header(struct http_parser *parser)
{
    const char *value;
    if ((value = header_value(parser, "content-length")) != NULL)
        return read_length(parser, value);
    if ((value = header_value(parser, "transfer-encoding")) != NULL)
        parser->chunked = strcasestr(value, "chunked") != NULL;
    else if ((value = header_value(parser, "connection")) != NULL)
        parser->closes =
            strcasestr(value, "keep-alive") == NULL && (parser->closes || strcasestr(value, "close") != NULL);
    else if ((value = header_value(parser, "content-encoding")) != NULL)
        parser->coding = coding_of(value);
    else if ((value = header_value(parser, "content-type")) != NULL)
        parser->is_event_stream = strncasecmp(value, "text/event-stream", 17) == 0;
    return true;
}

static void begin_body(struct http_parser *parser)
{
    if (parser->status < 200) {
        http_reset(parser); /* 100 Continue and the like */
    } else if (parser->status == 204 || parser->status == 304) {
        parser->state = HTTP_DONE;
    } else if (parser->chunked) {
        parser->state = HTTP_CHUNK_SIZE;
        parser->left = 0;
    } else if (parser->has_length) {
        parser->state = parser->left == 0 ? HTTP_DONE : HTTP_SIZED;
    } else {
        parser->state = HTTP_UNTIL_CLOSE;
        parser->closes = true;
    }
}

static void end_head_line(struct http_parser *parser)
{
    bool fine = true;
    if (parser->line_len > 0 && parser->line[parser->line_len - 1] == '\r')
        parser->line_len--;
    parser->line[parser->line_len] = '\0';
    if (parser->status == 0)
        fine = read_status(parser);
    else if (parser->line_len > 0)
        fine = read_header(parser);
    else
        begin_body(parser);
    parser->line_len = 0;
    if (!fine)
        parser->state = HTTP_BROKEN;
}

static void read_head_byte(struct http_parser *parser, char byte)
{
    if (byte == '\n')
        end_head_line(parser);
    else if (parser->line_len < HTTP_LINE - 1)
        parser->line[parser->line_len++] = byte;
    else
        parser->line[HTTP_LINE - 2] = ' '; /* so that a CR which was cut off is not taken for the end */
}

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static void end_chunk_size(struct http_parser *parser)
{
    if (!parser->has_digits)
        parser->state = HTTP_BROKEN;
    else
        parser->state = parser->left == 0 ? HTTP_TRAILER : HTTP_CHUNK_DATA;
    parser->has_digits = false;
}

static void read_chunk_size_byte(struct http_parser *parser, char byte)
{
    int digit = hex_digit(byte);
    if (digit >= 0 && parser->left <= UINT64_MAX >> 8) {
        parser->left = parser->left * 16 + (uint64_t)digit;
        parser->has_digits = true;
    } else if (byte == '\n') {
        end_chunk_size(parser);
    } else if (byte == ';' || byte == ' ' || byte == '\r') {
        parser->state = HTTP_CHUNK_EXTENSION;
    } else {
        parser->state = HTTP_BROKEN;
    }
}

/* Lines behind the last chunk; the empty one ends the answer. */
static void read_trailer_byte(struct http_parser *parser, char byte)
{
    if (byte == '\n') {
        if (parser->line_len == 0)
            parser->state = HTTP_DONE;
        parser->line_len = 0;
    } else if (byte != '\r') {
        parser->line_len = 1;
    }
}

static void read_framing_byte(struct http_parser *parser, char byte)
{
    switch (parser->state) {
    case HTTP_HEAD:
        read_head_byte(parser, byte);
        break;
    case HTTP_CHUNK_SIZE:
        read_chunk_size_byte(parser, byte);
        break;
    case HTTP_CHUNK_EXTENSION:
        if (byte == '\n')
            end_chunk_size(parser);
        break;
    case HTTP_CHUNK_END:
        if (byte == '\n')
            parser->state = HTTP_CHUNK_SIZE;
        else if (byte != '\r')
            parser->state = HTTP_BROKEN;
        break;
    default:
        read_trailer_byte(parser, byte);
        break;
    }
}

static bool is_in_body(const struct http_parser *parser)
{
    return parser->state == HTTP_SIZED || parser->state == HTTP_CHUNK_DATA ||
           parser->state == HTTP_UNTIL_CLOSE;
}

static size_t take_body(struct http_parser *parser, size_t len)
{
    if (parser->state == HTTP_UNTIL_CLOSE)
        return len;
    if (len > parser->left)
        len = (size_t)parser->left;
    parser->left -= len;
    if (parser->left == 0)
        parser->state = parser->state == HTTP_SIZED ? HTTP_DONE : HTTP_CHUNK_END;
    return len;
}

size_t http_read(struct http_parser *parser, const char *data, size_t len, const char **body,
                 size_t *body_len)
{
    size_t at = 0;
    *body_len = 0;
    while (at < len && parser->state != HTTP_DONE && parser->state != HTTP_BROKEN) {
        if (is_in_body(parser)) {
            *body = data + at;
            *body_len = take_body(parser, len - at);
            return at + *body_len;
        }
        read_framing_byte(parser, data[at++]);
    }
    return at;
}
