#include "core/codec/typed.h"

#include "base/utf8.h"
#include "core/codec/msgpack_check.h"
#include <assert.h>
#include <stdio.h>

static const char *name_kind(enum freshet_kind kind)
{
    static const char *const names[] = {
        [FRESHET_KIND_BOOLEAN] = "boolean", [FRESHET_KIND_INT64] = "int64", [FRESHET_KIND_UINT64] = "uint64",
        [FRESHET_KIND_FLOAT64] = "float64", [FRESHET_KIND_TEXT] = "text",   [FRESHET_KIND_BYTES] = "bytes",
        [FRESHET_KIND_MESSAGE] = "map",
    };
    return names[kind];
}

static const char *name_found(enum fr_msgpack_type type)
{
    static const char *const names[] = {
        [FR_MSGPACK_NIL] = "nil",          [FR_MSGPACK_BOOL] = "boolean",  [FR_MSGPACK_UNSIGNED] = "integer",
        [FR_MSGPACK_NEGATIVE] = "integer", [FR_MSGPACK_FLOAT] = "float",   [FR_MSGPACK_STR] = "text",
        [FR_MSGPACK_BIN] = "bytes",        [FR_MSGPACK_EXT] = "extension", [FR_MSGPACK_ARRAY] = "array",
        [FR_MSGPACK_MAP] = "map",
    };
    return names[type];
}

static enum freshet_status fail(const struct fr_typed_reader *reader, const struct fr_place *place,
                                const char *reason)
{
    return fr_typed_fail(reader->error, FRESHET_INVALID, reader->owner, place, reason);
}

static enum freshet_status fail_kind(const struct fr_typed_reader *reader, const struct fr_place *place,
                                     const char *expected, enum fr_msgpack_type found)
{
    char reason[64];
    snprintf(reason, sizeof(reason), "%s expected, %s found", expected, name_found(found));
    return fail(reader, place, reason);
}

static struct freshet_span take(struct fr_typed_reader *reader, size_t len)
{
    struct freshet_span taken = freshet_span(reader->bytes.data, len);
    reader->bytes.data += len;
    reader->bytes.len -= len;
    return taken;
}

/* The bytes were checked, so that there is a head. */
static struct fr_msgpack_head peek(const struct fr_typed_reader *reader)
{
    struct fr_msgpack_head head = {0};
    bool whole = fr_msgpack_read(reader->bytes, &head);
    assert(whole);
    (void)whole;
    return head;
}

static void skip(struct fr_typed_reader *reader)
{
    take(reader, fr_msgpack_check(reader->bytes, FR_MSGPACK_MAX_DEPTH));
}

/* Big-endian, as msgpack has it. */
static uint64_t read_bits(struct freshet_span bytes)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < bytes.len; i++)
        bits = bits << 8 | (unsigned char)bytes.data[i];
    return bits;
}

/* One that is below zero: the type byte itself, or two's complement behind it. */
static int64_t read_negative(struct freshet_span head)
{
    struct freshet_span number = head.len == 1 ? head : freshet_span(head.data + 1, head.len - 1);
    uint64_t bits = read_bits(number);
    return (int64_t)(number.len == 8 ? bits : bits | UINT64_MAX << 8 * number.len);
}

static double read_float(struct freshet_span body)
{
    uint64_t bits = read_bits(body);
    double wide;
    if (body.len == sizeof(float)) {
        uint32_t short_bits = (uint32_t)bits;
        float narrow;
        memcpy(&narrow, &short_bits, sizeof(narrow));
        return narrow;
    }
    memcpy(&wide, &bits, sizeof(wide));
    return wide;
}

/* What one value of msgpack is as a value of C. */
enum fit { FITS, WRONG_KIND, OUT_OF_RANGE, NOT_UTF8 };

static enum fit fit_int64(const struct fr_msgpack_head *head, struct freshet_span bytes, int64_t *number)
{
    if (head->type == FR_MSGPACK_NEGATIVE)
        *number = read_negative(bytes);
    else if (head->type != FR_MSGPACK_UNSIGNED)
        return WRONG_KIND;
    else if (head->number > INT64_MAX)
        return OUT_OF_RANGE;
    else
        *number = (int64_t)head->number;
    return FITS;
}

static enum fit fit_uint64(const struct fr_msgpack_head *head, uint64_t *number)
{
    if (head->type == FR_MSGPACK_NEGATIVE)
        return OUT_OF_RANGE;
    if (head->type != FR_MSGPACK_UNSIGNED)
        return WRONG_KIND;
    *number = head->number;
    return FITS;
}

static enum fit fit_float64(const struct fr_msgpack_head *head, struct freshet_span bytes, double *number)
{
    if (head->type == FR_MSGPACK_FLOAT)
        *number = read_float(freshet_span(bytes.data + head->len, head->body_len));
    else if (head->type == FR_MSGPACK_UNSIGNED)
        *number = (double)head->number;
    else if (head->type == FR_MSGPACK_NEGATIVE)
        *number = (double)read_negative(bytes);
    else
        return WRONG_KIND;
    return FITS;
}

static enum fit fit(enum freshet_kind kind, struct freshet_span bytes, const struct fr_msgpack_head *head,
                    union fr_value *value)
{
    struct freshet_span body = freshet_span(bytes.data + head->len, head->body_len);
    switch (kind) {
    case FRESHET_KIND_BOOLEAN:
        value->boolean = (unsigned char)bytes.data[0] == 0xc3;
        return head->type == FR_MSGPACK_BOOL ? FITS : WRONG_KIND;
    case FRESHET_KIND_INT64:
        return fit_int64(head, bytes, &value->int64);
    case FRESHET_KIND_UINT64:
        return fit_uint64(head, &value->uint64);
    case FRESHET_KIND_FLOAT64:
        return fit_float64(head, bytes, &value->float64);
    case FRESHET_KIND_TEXT:
        value->span = body;
        return head->type != FR_MSGPACK_STR ? WRONG_KIND : fr_utf8_valid(body) ? FITS : NOT_UTF8;
    default:
        value->span = body;
        return head->type == FR_MSGPACK_BIN ? FITS : WRONG_KIND;
    }
}

static enum freshet_status read_plain(struct fr_typed_reader *reader, enum freshet_kind kind,
                                      const struct fr_place *place, void *out)
{
    struct fr_msgpack_head head = peek(reader);
    union fr_value value;
    char reason[48];
    switch (fit(kind, freshet_span(reader->bytes.data, head.len), &head, &value)) {
    case WRONG_KIND:
        return fail_kind(reader, place, name_kind(kind), head.type);
    case OUT_OF_RANGE:
        snprintf(reason, sizeof(reason), "an integer outside of %s", name_kind(kind));
        return fail(reader, place, reason);
    case NOT_UTF8:
        return fail(reader, place, "text that is not UTF-8");
    case FITS:
        break;
    }
    take(reader, head.len + head.body_len);
    if (out != NULL)
        memcpy(out, &value, fr_kind_size(kind, NULL));
    return FRESHET_OK;
}

/* Looks at every item, keeps where they are. */
static enum freshet_status read_array(struct fr_typed_reader *reader, const struct freshet_field *field,
                                      const struct fr_place *place, void *out)
{
    struct fr_msgpack_head head = peek(reader);
    if (head.type != FR_MSGPACK_ARRAY)
        return fail_kind(reader, place, "array", head.type);
    take(reader, head.len);
    struct fr_array array = {.count = (size_t)head.items, .encoded = reader->bytes};
    for (size_t i = 0; i < array.count; i++) {
        struct fr_place item = {.outer = place, .index = i};
        enum freshet_status status = fr_typed_read_item(reader, field->kind, field->fields, &item, NULL);
        if (status != FRESHET_OK)
            return status;
    }
    array.encoded.len -= reader->bytes.len;
    if (out != NULL)
        memcpy(out, &array, sizeof(array));
    return FRESHET_OK;
}

static enum freshet_status read_field(struct fr_typed_reader *reader, const struct freshet_field *field,
                                      const struct fr_place *place, char *message)
{
    void *out = message == NULL ? NULL : message + field->offset;
    if (field->optional) {
        bool has = peek(reader).type != FR_MSGPACK_NIL;
        if (message != NULL)
            memcpy(message + field->has_offset, &has, sizeof(has));
        if (!has) {
            skip(reader);
            return FRESHET_OK;
        }
    }
    return field->array ? read_array(reader, field, place, out)
                        : fr_typed_read_item(reader, field->kind, field->fields, place, out);
}

/* The field that the next key names; `count`: none. Moves behind the key. */
static size_t take_key(struct fr_typed_reader *reader, const struct freshet_fields *fields)
{
    struct fr_msgpack_head head = peek(reader);
    struct freshet_span key = freshet_span(reader->bytes.data + head.len, head.body_len);
    skip(reader);
    size_t i = head.type == FR_MSGPACK_STR ? 0 : fields->count;
    while (i < fields->count && !freshet_span_equal(freshet_span_text(fields->items[i].name), key))
        i++;
    return i;
}

static enum freshet_status check_missing(const struct fr_typed_reader *reader,
                                         const struct freshet_fields *fields, const struct fr_place *place,
                                         uint64_t seen)
{
    for (size_t i = 0; i < fields->count; i++) {
        struct fr_place missing = {.outer = place, .field = fields->items[i].name};
        if (!fields->items[i].optional && (seen >> i & 1) == 0)
            return fail(reader, &missing, "it is required and missing");
    }
    return FRESHET_OK;
}

static enum freshet_status read_message(struct fr_typed_reader *reader, const struct freshet_fields *fields,
                                        const struct fr_place *place, char *message)
{
    assert(fields->count <= 64);
    struct fr_msgpack_head head = peek(reader);
    uint64_t seen = 0;
    if (head.type != FR_MSGPACK_MAP)
        return fail_kind(reader, place, "map", head.type);
    take(reader, head.len);
    for (uint64_t pairs = head.items / 2; pairs > 0; pairs--) {
        size_t i = take_key(reader, fields);
        if (i == fields->count) {
            skip(reader);
            continue;
        }
        struct fr_place field = {.outer = place, .field = fields->items[i].name};
        if ((seen >> i & 1) != 0)
            return fail(reader, &field, "it is there twice");
        seen |= UINT64_C(1) << i;
        enum freshet_status status = read_field(reader, &fields->items[i], &field, message);
        if (status != FRESHET_OK)
            return status;
    }
    return check_missing(reader, fields, place, seen);
}

enum freshet_status fr_typed_read_item(struct fr_typed_reader *reader, enum freshet_kind kind,
                                       const struct freshet_fields *fields, const struct fr_place *place,
                                       void *out)
{
    if (kind == FRESHET_KIND_MESSAGE)
        return read_message(reader, fields, place, out);
    return read_plain(reader, kind, place, out);
}

enum freshet_status freshet_fields_decode(const struct freshet_fields *fields, struct freshet_span payload,
                                          void *message, struct freshet_error *error)
{
    struct fr_typed_reader reader = {payload, fields, error};
    if (message == NULL)
        return fr_typed_fail(error, FRESHET_INVALID, fields, NULL, "message is NULL");
    memset(message, 0, fields->size);
    if (payload.len == 0)
        return fr_typed_fail(error, FRESHET_NOT_FOUND, fields, NULL, "there is no message");
    if (payload.data == NULL || fr_msgpack_check(payload, FR_MSGPACK_MAX_DEPTH) != payload.len)
        return fr_typed_fail(error, FRESHET_INVALID, fields, NULL, "not one whole msgpack value");
    enum freshet_status status = read_message(&reader, fields, NULL, message);
    if (status != FRESHET_OK)
        memset(message, 0, fields->size);
    return status;
}

static bool next_in_memory(struct fr_array *array, size_t size, void *item)
{
    memcpy(item, array->items, size);
    array->items = (const char *)array->items + size;
    return true;
}

/* Also for an array that no decoding made. */
static bool next_encoded(struct fr_array *array, enum freshet_kind kind, const struct freshet_fields *fields,
                         void *item)
{
    struct fr_typed_reader reader = {.bytes = array->encoded, .owner = fields};
    if (fr_msgpack_check(array->encoded, FR_MSGPACK_MAX_DEPTH) == 0 ||
        fr_typed_read_item(&reader, kind, fields, NULL, item) != FRESHET_OK)
        return false;
    array->encoded = reader.bytes;
    return true;
}

bool freshet_array_next(void *user_array, enum freshet_kind kind, const struct freshet_fields *fields,
                        void *item)
{
    struct fr_array array;
    size_t size = fr_kind_size(kind, fields);
    if (user_array == NULL || item == NULL)
        return false;
    memcpy(&array, user_array, sizeof(array));
    memset(item, 0, size);
    if (array.count == 0)
        return false;
    array.count--;
    bool found =
        array.items != NULL ? next_in_memory(&array, size, item) : next_encoded(&array, kind, fields, item);
    if (!found) {
        memset(item, 0, size);
        array = (struct fr_array){0};
    }
    memcpy(user_array, &array, sizeof(array));
    return found;
}
