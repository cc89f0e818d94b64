/* What Redis answered, as what a page is shown: a text as it is, a hash as a JSON object, other lists as JSON
 * arrays, a number as its digits, and null where there is nothing. */
#ifndef BRIDGE_LOAD_REPLY_H
#define BRIDGE_LOAD_REPLY_H

#include <freshet/redis.h>

enum reply_shape {
    REPLY_PLAIN = 0, /* as said above */
    REPLY_HASH,      /* names and values in turn: HGETALL */
    REPLY_FIELDS     /* the values of the command's words behind the key: HMGET */
};

/* Of which shape the command's answer is. False: it is no command that only reads. */
bool reply_shape_of(const char *command, enum reply_shape *shape);

/* To be freed. NULL: no memory, or a text within a list is not UTF-8. `fields` are the command's words behind
 * the key. */
char *reply_text(const struct freshet_redis_reply *reply, enum reply_shape shape,
                 const struct freshet_span *fields, size_t field_count, size_t *len);

#endif
