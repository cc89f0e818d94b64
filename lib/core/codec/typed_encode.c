#include "core/codec/typed.h"

#include "base/utf8.h"
#include "core/codec/msgpack_check.h"
#include "core/codec/msgpack_output.h"

struct writer {
    struct fr_msgpack_output output;
    msgpack_packer packer;
    const struct freshet_fields *owner;
    struct freshet_error *error;
};

static enum freshet_status fail(const struct writer *writer, const struct fr_place *place, const char *reason)
{
    return fr_typed_fail(writer->error, FRESHET_INVALID, writer->owner, place, reason);
}

/* msgpack counts in 32 bits. */
static enum freshet_status fail_long(struct writer *writer, const struct fr_place *place)
{
    writer->output.len = SIZE_MAX;
    return fr_typed_fail(writer->error, FRESHET_TOO_LARGE, writer->owner, place,
                         "longer than msgpack allows");
}

static enum freshet_status write_text(struct writer *writer, struct freshet_span text,
                                      const struct fr_place *place)
{
    if (text.len > UINT32_MAX)
        return fail_long(writer, place);
    if (text.data == NULL && text.len > 0)
        return fail(writer, place, "text with a length, but its data is NULL");
    if (!fr_utf8_valid(text))
        return fail(writer, place, "text that is not UTF-8");
    msgpack_pack_str(&writer->packer, text.len);
    msgpack_pack_str_body(&writer->packer, text.data, text.len);
    return FRESHET_OK;
}

static enum freshet_status write_bytes(struct writer *writer, struct freshet_span bytes,
                                       const struct fr_place *place)
{
    if (bytes.len > UINT32_MAX)
        return fail_long(writer, place);
    if (bytes.data == NULL && bytes.len > 0)
        return fail(writer, place, "bytes with a length, but their data is NULL");
    msgpack_pack_bin(&writer->packer, bytes.len);
    msgpack_pack_bin_body(&writer->packer, bytes.data, bytes.len);
    return FRESHET_OK;
}

static enum freshet_status write_plain(struct writer *writer, enum freshet_kind kind,
                                       const struct fr_place *place, const void *item)
{
    union fr_value value;
    memcpy(&value, item, fr_kind_size(kind, NULL));
    switch (kind) {
    case FRESHET_KIND_BOOLEAN:
        if (value.boolean)
            msgpack_pack_true(&writer->packer);
        else
            msgpack_pack_false(&writer->packer);
        return FRESHET_OK;
    case FRESHET_KIND_INT64:
        msgpack_pack_int64(&writer->packer, value.int64);
        return FRESHET_OK;
    case FRESHET_KIND_UINT64:
        msgpack_pack_uint64(&writer->packer, value.uint64);
        return FRESHET_OK;
    case FRESHET_KIND_FLOAT64:
        msgpack_pack_double(&writer->packer, value.float64);
        return FRESHET_OK;
    case FRESHET_KIND_TEXT:
        return write_text(writer, value.span, place);
    default:
        return write_bytes(writer, value.span, place);
    }
}

static enum freshet_status write_message(struct writer *writer, const struct freshet_fields *fields,
                                         const struct fr_place *place, const char *message);

static enum freshet_status write_item(struct writer *writer, const struct freshet_field *field,
                                      const struct fr_place *place, const void *item)
{
    return field->kind == FRESHET_KIND_MESSAGE ? write_message(writer, field->fields, place, item)
                                               : write_plain(writer, field->kind, place, item);
}

static enum freshet_status write_items(struct writer *writer, const struct freshet_field *field,
                                       const struct fr_place *place, const struct fr_array *array)
{
    size_t size = fr_kind_size(field->kind, field->fields);
    for (size_t i = 0; i < array->count; i++) {
        struct fr_place item = {.outer = place, .index = i};
        enum freshet_status status = write_item(writer, field, &item, (const char *)array->items + i * size);
        if (status != FRESHET_OK)
            return status;
    }
    return FRESHET_OK;
}

/* An array that was decoded goes out as it came, once it is seen to be one. */
static enum freshet_status write_encoded(struct writer *writer, const struct freshet_field *field,
                                         const struct fr_place *place, const struct fr_array *array)
{
    struct fr_typed_reader reader = {array->encoded, writer->owner, writer->error};
    for (size_t i = 0; i < array->count; i++) {
        struct fr_place item = {.outer = place, .index = i};
        if (fr_msgpack_check(reader.bytes, FR_MSGPACK_MAX_DEPTH) == 0)
            return fail(writer, &item, "neither in memory nor encoded");
        enum freshet_status status = fr_typed_read_item(&reader, field->kind, field->fields, &item, NULL);
        if (status != FRESHET_OK)
            return status;
    }
    fr_msgpack_output_write(&writer->output, array->encoded.data, array->encoded.len - reader.bytes.len);
    return FRESHET_OK;
}

static enum freshet_status write_array(struct writer *writer, const struct freshet_field *field,
                                       const struct fr_place *place, const void *value)
{
    struct fr_array array;
    memcpy(&array, value, sizeof(array));
    if (array.count > UINT32_MAX)
        return fail_long(writer, place);
    msgpack_pack_array(&writer->packer, array.count);
    return array.items != NULL ? write_items(writer, field, place, &array)
                               : write_encoded(writer, field, place, &array);
}

static bool is_present(const struct freshet_field *field, const char *message)
{
    bool has = true;
    if (field->optional)
        memcpy(&has, message + field->has_offset, sizeof(has));
    return has;
}

static size_t count_present(const struct freshet_fields *fields, const char *message)
{
    size_t count = 0;
    for (size_t i = 0; i < fields->count; i++)
        count += is_present(&fields->items[i], message);
    return count;
}

static enum freshet_status write_message(struct writer *writer, const struct freshet_fields *fields,
                                         const struct fr_place *place, const char *message)
{
    enum freshet_status status = FRESHET_OK;
    msgpack_pack_map(&writer->packer, count_present(fields, message));
    for (size_t i = 0; i < fields->count && status == FRESHET_OK; i++) {
        const struct freshet_field *field = &fields->items[i];
        struct fr_place here = {.outer = place, .field = field->name};
        if (!is_present(field, message))
            continue;
        msgpack_pack_str(&writer->packer, strlen(field->name));
        msgpack_pack_str_body(&writer->packer, field->name, strlen(field->name));
        status = field->array ? write_array(writer, field, &here, message + field->offset)
                              : write_item(writer, field, &here, message + field->offset);
    }
    return status;
}

enum freshet_status freshet_fields_encode(const struct freshet_fields *fields, const void *message,
                                          char *buffer, size_t capacity, size_t *len,
                                          struct freshet_error *error)
{
    if (message == NULL || len == NULL || (buffer == NULL && capacity > 0))
        return fr_typed_fail(error, FRESHET_INVALID, fields, NULL,
                             message == NULL ? "message is NULL"
                             : len == NULL   ? "len is NULL"
                                             : "buffer is NULL");
    struct writer writer = {
        .output = {.data = buffer, .capacity = capacity}, .owner = fields, .error = error};
    msgpack_packer_init(&writer.packer, &writer.output, fr_msgpack_output_write);
    enum freshet_status status = write_message(&writer, fields, NULL, message);
    *len = status == FRESHET_INVALID ? 0 : writer.output.len;
    if (status == FRESHET_OK && *len > capacity)
        return fr_typed_fail(error, FRESHET_TOO_LARGE, fields, NULL, "it does not fit");
    return status;
}
