/* Payloads of messages as JSON, read back by jansson. */
#include "check.h"
#include "core/codec/msgpack_check.h"
#include "core/codec/msgpack_json.h"
#include <jansson.h>
#include <string.h>

#define MOST_BYTES 100000

/* What is read from the front, as the JSON is looked at beside it. */
struct cursor {
    const unsigned char *at;
    size_t left;
};

static void check_value(struct cursor *cursor, const json_t *json);

static struct fr_msgpack_head take_head(struct cursor *cursor)
{
    struct fr_msgpack_head head;
    CHECK(fr_msgpack_read(freshet_span((const char *)cursor->at, cursor->left), &head));
    cursor->at += head.len;
    cursor->left -= head.len;
    return head;
}

static void check_scalar(const struct fr_msgpack_head *head, const json_t *json, unsigned char type)
{
    switch (head->type) {
    case FR_MSGPACK_BOOL:
        CHECK(json_is_boolean(json) && json_is_true(json) == (type == 0xc3));
        break;
    case FR_MSGPACK_UNSIGNED:
        /* Integers are read as doubles, since jansson's have no more than 63 bits. */
        CHECK(json_is_real(json) && json_real_value(json) == (double)head->number);
        break;
    case FR_MSGPACK_NEGATIVE:
        CHECK(json_is_real(json) && json_real_value(json) < 0);
        break;
    case FR_MSGPACK_FLOAT:
        CHECK(json_is_real(json) || json_is_null(json));
        break;
    case FR_MSGPACK_STR:
        CHECK(json_is_string(json) && json_string_length(json) <= 3 * head->body_len);
        break;
    case FR_MSGPACK_BIN:
        CHECK(json_is_string(json) && json_string_length(json) == (head->body_len + 2) / 3 * 4);
        break;
    default:
        CHECK(json_is_null(json));
    }
}

/* Arrays item by item; maps by what they are only, since a key may occur twice. */
static void check_array(struct cursor *cursor, const json_t *json, uint64_t items)
{
    CHECK(json_is_array(json) && json_array_size(json) == items);
    for (size_t i = 0; i < items; i++)
        check_value(cursor, json_array_get(json, i));
}

static void check_value(struct cursor *cursor, const json_t *json)
{
    unsigned char type = cursor->at[0];
    size_t len = fr_msgpack_check(freshet_span((const char *)cursor->at, cursor->left), FR_MSGPACK_MAX_DEPTH);
    struct cursor after = {cursor->at + len, cursor->left - len};
    struct fr_msgpack_head head = take_head(cursor);
    if (head.type == FR_MSGPACK_ARRAY)
        check_array(cursor, json, head.items);
    else if (head.type == FR_MSGPACK_MAP)
        CHECK(json_is_object(json) && json_object_size(json) <= head.items / 2);
    else
        check_scalar(&head, json, type);
    *cursor = after;
}

static void check_json(struct freshet_span value, const struct fr_buffer *out)
{
    json_error_t error;
    CHECK(out->len <= MOST_BYTES);
    CHECK(memchr(out->data, '\n', out->len) == NULL && memchr(out->data, '\r', out->len) == NULL);
    json_t *json =
        json_loadb(out->data, out->len, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &error);
    if (json == NULL) { /* a NUL in a key is JSON all the same */
        CHECK(json_error_code(&error) == json_error_null_byte_in_key);
        return;
    }
    struct cursor cursor = {(const unsigned char *)value.data, value.len};
    check_value(&cursor, json);
    CHECK(cursor.left == 0);
    json_decref(json);
}

/* A lower limit gives the same or nothing. */
static void check_limit(struct freshet_span value, const struct fr_buffer *whole)
{
    struct fr_buffer out = {0};
    CHECK(fr_msgpack_json(&out, value, whole->len) == FRESHET_OK);
    CHECK(out.len == whole->len && memcmp(out.data, whole->data, out.len) == 0);
    fr_buffer_deinit(&out);
    CHECK(fr_msgpack_json(&out, value, whole->len - 1) == FRESHET_TOO_LARGE);
    fr_buffer_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct freshet_span value = freshet_span((const char *)data, size);
    struct fr_buffer out = {0};
    bool is_value = size != 0 && fr_msgpack_check(value, FR_MSGPACK_MAX_DEPTH) == size;
    enum freshet_status status = fr_msgpack_json(&out, value, MOST_BYTES);
    CHECK((status == FRESHET_INVALID) == !is_value);
    if (status == FRESHET_OK) {
        check_json(value, &out);
        check_limit(value, &out);
    } else if (is_value) {
        CHECK(status == FRESHET_TOO_LARGE);
    }
    fr_buffer_deinit(&out);
    return 0;
}
