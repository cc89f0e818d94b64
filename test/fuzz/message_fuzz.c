/* Bodies from the bus. */
#include "check.h"
#include "core/codec/msgpack_check.h"
#include <freshet/message.h>
#include <msgpack.h>
#include <string.h>

/* What the check lets through, msgpack-c takes, with the same length. */
static void check_against_msgpack(struct freshet_span bytes, unsigned depth)
{
    size_t len = fr_msgpack_check(bytes, depth), off = 0;
    CHECK(len <= bytes.len);
    if (len == 0)
        return;
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    CHECK(msgpack_unpack_next(&unpacked, bytes.data, len, &off) == MSGPACK_UNPACK_SUCCESS);
    CHECK(off == len);
    msgpack_unpacked_destroy(&unpacked);
    CHECK(fr_msgpack_check(freshet_span(bytes.data, len), depth) == len);
    CHECK(fr_msgpack_check(freshet_span(bytes.data, len - 1), depth) == 0);
}

static bool is_inside(struct freshet_span part, struct freshet_span whole)
{
    return part.len == 0 || (part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

static void check_way_back(const struct freshet_message *message, size_t body_len)
{
    struct freshet_message again;
    size_t len = 0, same_len = 0;
    CHECK(freshet_message_encode(message, NULL, 0, &len) == FRESHET_TOO_LARGE);
    CHECK(len > 0 && len <= body_len);
    char *body = malloc(len);
    if (body == NULL)
        return;
    CHECK(freshet_message_encode(message, body, len, &same_len) == FRESHET_OK && same_len == len);
    CHECK(freshet_message_decode(freshet_span(body, len), &again) == FRESHET_OK);
    CHECK(freshet_span_equal(again.publisher, message->publisher));
    CHECK(freshet_span_equal(again.payload, message->payload));
    CHECK(again.sequence == message->sequence && again.time_us == message->time_us);
    free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct freshet_span body = freshet_span((const char *)data, size);
    struct freshet_message message, untouched;
    memset(&message, 0x5a, sizeof(message));
    untouched = message;
    check_against_msgpack(body, 31);
    if (freshet_message_decode(body, &message) != FRESHET_OK) {
        CHECK(memcmp(&message, &untouched, sizeof(message)) == 0);
        return 0;
    }
    CHECK(is_inside(message.publisher, body) && is_inside(message.payload, body));
    if (message.payload.len != 0)
        check_against_msgpack(message.payload, 31);
    check_way_back(&message, size);
    return 0;
}
