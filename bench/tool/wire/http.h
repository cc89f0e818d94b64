/* Reads HTTP/1.x answers, cut anywhere, without keeping any of it. */
#ifndef BENCH_HTTP_H
#define BENCH_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_state {
    HTTP_HEAD,
    HTTP_SIZED,      /* a body of content-length */
    HTTP_CHUNK_SIZE, /* from here to HTTP_TRAILER: a chunked one */
    HTTP_CHUNK_EXTENSION,
    HTTP_CHUNK_DATA,
    HTTP_CHUNK_END,
    HTTP_TRAILER,
    HTTP_UNTIL_CLOSE,
    HTTP_DONE,  /* the answer is whole; http_reset() before the next */
    HTTP_BROKEN /* not HTTP: nothing more is read */
};

/* How the body is packed. */
enum http_coding { HTTP_PLAIN, HTTP_GZIP, HTTP_OTHER };

/* Longest part of a header line that is looked at; the rest of the line is skipped. */
enum { HTTP_LINE = 64 };

struct http_parser {
    uint8_t state; /* enum http_state */
    bool chunked, has_length, closes, is_event_stream, has_digits;
    uint8_t line_len, coding; /* enum http_coding */
    uint16_t status;          /* 0 until the status line is read; those of 1xx answers are passed over */
    uint64_t left;
    char line[HTTP_LINE];
};

void http_reset(struct http_parser *parser);

/* Reads up to and including the next piece of body, and answers how much of `data` that took. *body_len is 0
 * if there is no piece; *body points into `data`. Takes nothing in the states DONE and BROKEN. */
size_t http_read(struct http_parser *parser, const char *data, size_t len, const char **body,
                 size_t *body_len);

static inline bool http_head_is_read(const struct http_parser *parser)
{
    return parser->state != HTTP_HEAD && parser->state != HTTP_BROKEN;
}

#endif
