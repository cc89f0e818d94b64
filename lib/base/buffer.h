/* A growing buffer. After a failed allocation it stays failed and appends do nothing: check once, at the end.
 */
#ifndef FR_BUFFER_H
#define FR_BUFFER_H

#include <freshet/span.h>
#include <stdbool.h>
#include <stddef.h>

struct fr_buffer {
    char *data;
    size_t len, capacity;
    bool failed;
};

/* A zeroed struct is an empty buffer. */
void fr_buffer_deinit(struct fr_buffer *buffer);
/* Room for `len` more bytes at the end, not yet counted in len. NULL: failed. */
char *fr_buffer_reserve(struct fr_buffer *buffer, size_t len);
void fr_buffer_append(struct fr_buffer *buffer, struct freshet_span span);
void fr_buffer_print(struct fr_buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
