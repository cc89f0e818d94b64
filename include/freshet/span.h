/* A view of bytes that somebody else owns.
 *
 * SPDX-License-Identifier: MIT */
#ifndef FRESHET_SPAN_H
#define FRESHET_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* `data` is not NUL-terminated and may be NULL when `len` is 0. Who hands out a span says how long it lives.
 */
struct freshet_span {
    const char *data; /* the first byte */
    size_t len;       /* how many there are */
};

/* A span of `len` bytes at `data`, which must outlive it. */
static inline struct freshet_span freshet_span(const char *data, size_t len)
{
    struct freshet_span span = {data, len};
    return span;
}

/* NULL gives the empty span. The text must outlive the span. */
static inline struct freshet_span freshet_span_text(const char *text)
{
    return freshet_span(text, text == NULL ? 0 : strlen(text));
}

/* Whether both have the same bytes. */
static inline bool freshet_span_equal(struct freshet_span a, struct freshet_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

#ifdef __cplusplus
}
#endif
#endif
