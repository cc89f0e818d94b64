/* Bytes that grow. */
#ifndef BENCH_TEXT_H
#define BENCH_TEXT_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Zeroed: empty. */
struct text {
    char *data;
    size_t len, room;
};

static inline void text_add(struct text *text, const char *data, size_t len)
{
    if (len == 0)
        return;
    if (text->room - text->len < len) {
        text->room = text->room * 2 + len;
        text->data = realloc(text->data, text->room);
        if (text->data == NULL) {
            fprintf(stderr, "freshet-bench: no memory for a text of %zu bytes\n", text->room);
            _Exit(1); /* a measurement with holes is none */
        }
    }
    memcpy(text->data + text->len, data, len);
    text->len += len;
}

static inline void text_set(struct text *text, const struct text *from)
{
    text->len = 0;
    text_add(text, from->data, from->len);
}

static inline bool text_is(const struct text *text, const char *data, size_t len)
{
    return text->len == len && (len == 0 || memcmp(text->data, data, len) == 0);
}

static inline void text_release(struct text *text)
{
    free(text->data);
    memset(text, 0, sizeof(*text));
}

#endif
