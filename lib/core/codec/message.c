#include <freshet/message.h>

#include "core/codec/msgpack_check.h"
#include "core/codec/msgpack_output.h"
#include <string.h>

#define FIELDS 5
/* msgpack-c unpacks no deeper; the payload is to be unpacked by itself, so the envelope around it adds one.
 */
#define PAYLOAD_DEPTH  31
#define ENVELOPE_DEPTH (PAYLOAD_DEPTH + 1)

/* Reads `bytes` from the front, which were checked. */
struct cursor {
    struct freshet_span bytes;
};

static struct freshet_span take(struct cursor *cursor, size_t len)
{
    struct freshet_span taken = freshet_span(cursor->bytes.data, len);
    cursor->bytes.data += len;
    cursor->bytes.len -= len;
    return taken;
}

static bool take_head(struct cursor *cursor, enum fr_msgpack_type type, struct fr_msgpack_head *head)
{
    if (!fr_msgpack_read(cursor->bytes, head) || head->type != type)
        return false;
    take(cursor, head->len);
    return true;
}

static bool take_number(struct cursor *cursor, uint64_t *number)
{
    struct fr_msgpack_head head;
    if (!take_head(cursor, FR_MSGPACK_UNSIGNED, &head))
        return false;
    *number = head.number;
    return true;
}

static bool take_publisher(struct cursor *cursor, struct freshet_span *publisher)
{
    struct fr_msgpack_head head;
    if (!take_head(cursor, FR_MSGPACK_STR, &head) || head.body_len == 0 ||
        head.body_len > FRESHET_MAX_PUBLISHER_BYTES)
        return false;
    *publisher = take(cursor, head.body_len);
    return true;
}

static bool is_nil(struct freshet_span value)
{
    return value.len == 1 && (unsigned char)value.data[0] == 0xc0;
}

static bool take_payload(struct cursor *cursor, struct freshet_span *payload)
{
    size_t len = fr_msgpack_check(cursor->bytes, PAYLOAD_DEPTH);
    *payload = take(cursor, len);
    if (is_nil(*payload))
        *payload = freshet_span(NULL, 0);
    return len != 0;
}

enum freshet_status freshet_message_decode(struct freshet_span body, struct freshet_message *message)
{
    if (message == NULL || body.data == NULL || body.len == 0 ||
        fr_msgpack_check(body, ENVELOPE_DEPTH) != body.len)
        return FRESHET_INVALID;
    struct cursor cursor = {body};
    struct fr_msgpack_head head;
    if (!take_head(&cursor, FR_MSGPACK_ARRAY, &head) || head.items < FIELDS)
        return FRESHET_INVALID;
    uint64_t version;
    struct freshet_message read;
    if (!take_number(&cursor, &version) || version != FRESHET_MESSAGE_VERSION ||
        !take_publisher(&cursor, &read.publisher) || !take_number(&cursor, &read.sequence) ||
        !take_number(&cursor, &read.time_us) || !take_payload(&cursor, &read.payload))
        return FRESHET_INVALID;
    *message = read;
    return FRESHET_OK;
}

enum freshet_status freshet_message_encode(const struct freshet_message *message, char *buffer,
                                           size_t capacity, size_t *len)
{
    if (message == NULL || len == NULL || (buffer == NULL && capacity > 0))
        return FRESHET_INVALID;
    struct freshet_span publisher = message->publisher, payload = message->payload;
    if (publisher.data == NULL || publisher.len == 0 || publisher.len > FRESHET_MAX_PUBLISHER_BYTES)
        return FRESHET_INVALID;
    if (payload.len != 0 && (payload.data == NULL || fr_msgpack_check(payload, PAYLOAD_DEPTH) != payload.len))
        return FRESHET_INVALID;
    struct fr_msgpack_output output = {.data = buffer, .capacity = capacity};
    msgpack_packer packer;
    msgpack_packer_init(&packer, &output, fr_msgpack_output_write);
    msgpack_pack_array(&packer, FIELDS);
    msgpack_pack_uint8(&packer, FRESHET_MESSAGE_VERSION);
    msgpack_pack_str(&packer, publisher.len);
    msgpack_pack_str_body(&packer, publisher.data, publisher.len);
    msgpack_pack_uint64(&packer, message->sequence);
    msgpack_pack_uint64(&packer, message->time_us);
    if (payload.len == 0)
        msgpack_pack_nil(&packer);
    else
        fr_msgpack_output_write(&output, payload.data, payload.len);
    *len = output.len;
    return output.len > capacity ? FRESHET_TOO_LARGE : FRESHET_OK;
}
