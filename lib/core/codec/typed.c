#include "core/codec/typed.h"

#include "base/log.h"
#include <stdio.h>

size_t fr_kind_size(enum freshet_kind kind, const struct freshet_fields *fields)
{
    switch (kind) {
    case FRESHET_KIND_BOOLEAN:
        return sizeof(bool);
    case FRESHET_KIND_INT64:
    case FRESHET_KIND_UINT64:
    case FRESHET_KIND_FLOAT64:
        return sizeof(int64_t);
    case FRESHET_KIND_TEXT:
    case FRESHET_KIND_BYTES:
        return sizeof(struct freshet_span);
    case FRESHET_KIND_MESSAGE:
        break;
    }
    return fields->size;
}

struct text {
    char bytes[160];
    size_t len;
};

/* `at.path[2].x`; what does not fit is cut. */
static void write_path(struct text *path, const struct fr_place *place)
{
    if (place == NULL)
        return;
    write_path(path, place->outer);
    size_t room = sizeof(path->bytes) - path->len;
    const char *dot = path->len == 0 ? "" : ".";
    int len = place->field != NULL ? snprintf(path->bytes + path->len, room, "%s%s", dot, place->field)
                                   : snprintf(path->bytes + path->len, room, "[%zu]", place->index);
    path->len += (size_t)len < room ? (size_t)len : room - 1;
}

enum freshet_status fr_typed_fail(struct freshet_error *error, enum freshet_status status,
                                  const struct freshet_fields *fields, const struct fr_place *place,
                                  const char *reason)
{
    struct text path = {.len = 0};
    if (error == NULL)
        return status;
    write_path(&path, place);
    if (place == NULL)
        return fr_fail(error, status, "%s: %s", fields->name, reason);
    return fr_fail(error, status, "%s: field \"%s\": %s", fields->name, path.bytes, reason);
}

/* FNV-1a. */
static uint64_t add_bytes(uint64_t hash, const void *data, size_t len)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t fingerprint_field(const struct freshet_field *field)
{
    unsigned char traits[] = {'\0', (unsigned char)field->kind, field->optional, field->array};
    uint64_t hash = add_bytes(UINT64_C(0xcbf29ce484222325), field->name, strlen(field->name));
    hash = add_bytes(hash, traits, sizeof(traits));
    if (field->kind == FRESHET_KIND_MESSAGE) {
        uint64_t inner = fr_typed_fingerprint(field->fields);
        hash = add_bytes(hash, &inner, sizeof(inner));
    }
    return hash ^ hash >> 29;
}

/* A sum, since the order of fields means nothing on the bus. */
uint64_t fr_typed_fingerprint(const struct freshet_fields *fields)
{
    uint64_t sum = 1;
    for (size_t i = 0; fields != NULL && i < fields->count; i++)
        sum += fingerprint_field(&fields->items[i]);
    return sum == 0 ? 1 : sum;
}
