/* Commands as bytes: an array of bulk strings. */
#ifndef FR_REDIS_WIRE_H
#define FR_REDIS_WIRE_H

#include <freshet/span.h>
#include <stdbool.h>
#include <stddef.h>

struct evbuffer;

/* How many bytes fr_redis_wire_write() writes at most. */
size_t fr_redis_wire_room(const struct freshet_span *arguments, size_t count);
/* Writes the command and returns the end of it. */
char *fr_redis_wire_write(char *to, const struct freshet_span *arguments, size_t count);
/* False: no memory, and the buffer is as it was. */
bool fr_redis_wire_add(struct evbuffer *output, const struct freshet_span *arguments, size_t count);

#endif
