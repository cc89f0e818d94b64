/* Reads an event stream, cut anywhere, without keeping it: of an event only its name, its size and the number
 * that a rule finds. Lines end with LF, CR or CRLF. */
#ifndef BENCH_SSE_H
#define BENCH_SSE_H

#include "options/rule.h"

enum { SSE_NAME = 24 };

struct sse_parser {
    uint8_t state; /* private to sse.c */
    bool after_cr, has_data;
    uint8_t field_len, name_len;
    char field[6]; /* the longest field with a meaning is `event` */
    char name[SSE_NAME];
    uint32_t data_len;
    struct rule_match match;
};

struct sse_event {
    const char *name; /* empty: the default, message; cut after 23 bytes */
    bool has_number;
    uint64_t number;
    uint32_t data_len;
};

typedef void sse_event_fn(const struct sse_event *event, void *user);

/* A zeroed parser begins. Events without data are none. */
void sse_feed(struct sse_parser *parser, const struct rule *rule, const char *data, size_t len,
              sse_event_fn *on_event, void *user);

#endif
