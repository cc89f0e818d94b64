/* A buffer that msgpack-c packs into. What does not fit any more is counted and not written. */
#ifndef FR_MSGPACK_OUTPUT_H
#define FR_MSGPACK_OUTPUT_H

#include <msgpack.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct fr_msgpack_output {
    char *data;
    size_t len, capacity;
};

/* For msgpack_packer_init(). */
static inline int fr_msgpack_output_write(void *user, const char *bytes, size_t len)
{
    struct fr_msgpack_output *output = (struct fr_msgpack_output *)user;
    if (len != 0 && output->len <= output->capacity && len <= output->capacity - output->len)
        memcpy(output->data + output->len, bytes, len);
    output->len = len > SIZE_MAX - output->len ? SIZE_MAX : output->len + len;
    return 0;
}

#endif
