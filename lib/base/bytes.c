#include "bytes.h"

#include <stdlib.h>
#include <string.h>

struct fr_bytes *fr_bytes_new(size_t len)
{
    struct fr_bytes *bytes = malloc(sizeof(*bytes) + len);
    if (bytes == NULL)
        return NULL;
    fr_refcount_init(&bytes->references);
    bytes->span = freshet_span((const char *)(bytes + 1), len);
    bytes->release = NULL;
    bytes->user = NULL;
    return bytes;
}

char *fr_bytes_room(struct fr_bytes *bytes)
{
    return (char *)(bytes + 1);
}

struct fr_bytes *fr_bytes_copy(struct freshet_span span)
{
    struct fr_bytes *bytes = fr_bytes_new(span.len);
    if (bytes != NULL && span.len != 0)
        memcpy(fr_bytes_room(bytes), span.data, span.len);
    return bytes;
}

struct fr_bytes *fr_bytes_give(struct freshet_span span, void (*release)(void *user), void *user)
{
    struct fr_bytes *bytes = fr_bytes_new(0);
    if (bytes == NULL) {
        if (release != NULL)
            release(user);
        return NULL;
    }
    bytes->span = span;
    bytes->release = release;
    bytes->user = user;
    return bytes;
}

struct fr_bytes *fr_bytes_acquire(struct fr_bytes *bytes)
{
    fr_refcount_acquire(&bytes->references);
    return bytes;
}

void fr_bytes_release(struct fr_bytes *bytes)
{
    if (bytes == NULL || !fr_refcount_release(&bytes->references))
        return;
    if (bytes->release != NULL)
        bytes->release(bytes->user);
    free(bytes);
}
