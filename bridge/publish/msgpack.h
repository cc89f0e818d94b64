/* JSON as msgpack, which is what messages are on the bus, and back. */
#ifndef BRIDGE_PUBLISH_MSGPACK_H
#define BRIDGE_PUBLISH_MSGPACK_H

#include <freshet/span.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* As deep as a message may be nested. */
enum { MSGPACK_MAX_DEPTH = 31 };

struct msgpack {
    char *bytes; /* of malloc() */
    size_t len, room;
};

/* Appends the value; zero is empty. False: nested too deeply, or no memory. What is there is to be freed. */
bool msgpack_append(struct msgpack *to, const json_t *json, unsigned depth);

/* One value; for people: bytes and extensions are shown by their length. NULL: it is none, or no memory. */
json_t *msgpack_read(struct freshet_span bytes);

#endif
