/* Reads an event stream, cut anywhere, without keeping it: of an event only its name, its size and the number
 * that a rule finds; all of it for who asks for that. Lines end with LF, CR or CRLF. */
#ifndef BENCH_SSE_H
#define BENCH_SSE_H

#include "options/rule.h"
#include "wire/text.h"

enum { SSE_NAME = 24 };

/* The data of the event that is read, and the newest id. */
struct sse_kept {
    struct text data, id;
};

struct sse_parser {
    uint8_t state; /* private to sse.c */
    bool after_cr, has_data;
    uint8_t field_len, name_len;
    char field[6]; /* the longest field with a meaning is `event` */
    char name[SSE_NAME];
    uint32_t data_len;
    struct rule_match match;
    struct sse_kept *kept; /* NULL: nothing is kept */
};

struct sse_event {
    const char *name;               /* empty: the default, message; cut after 23 bytes */
    bool has_number, is_difference; /* is_difference: see decoder.h */
    uint64_t number;
    uint32_t data_len;
};

typedef void sse_event_fn(const struct sse_event *event, void *user);

/* A zeroed parser begins. Events without data are none. */
void sse_feed(struct sse_parser *parser, const struct rule *rule, const char *data, size_t len,
              sse_event_fn *on_event, void *user);

#endif
