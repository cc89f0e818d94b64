/* Messages: JSON as msgpack, and any bytes as JSON for people. */
#include "../../bridge/publish/msgpack.c"
#include "../../bridge/publish/msgpack_read.c"
#include <criterion/criterion.h>

static json_t *through(const char *text)
{
    struct msgpack message = {.bytes = NULL};
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
    cr_assert_not_null(json, "%s", text);
    cr_assert(msgpack_append(&message, json, 1), "%s", text);
    json_decref(json);
    json_t *back = msgpack_read(freshet_span(message.bytes, message.len));
    free(message.bytes);
    return back;
}

/* contract 10.6: what was written is what arrives */
Test(msgpack, json_comes_back_as_it_was)
{
    static const char *const texts[] = {"null",
                                        "true",
                                        "false",
                                        "0",
                                        "127",
                                        "128",
                                        "-1",
                                        "-128",
                                        "9223372036854775807",
                                        "-9223372036854775808",
                                        "1.5",
                                        "-1e300",
                                        "\"\"",
                                        "\"h\\u00e9\\u2603\"",
                                        "[]",
                                        "{}",
                                        "[1,[2,{\"a\":[null]}]]",
                                        "{\"a\":{\"b\":\"c\"},\"d\":[]}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_t *wanted = json_loads(texts[i], JSON_DECODE_ANY, NULL), *got = through(texts[i]);
        cr_assert(json_equal(wanted, got), "%s", texts[i]);
        json_decref(wanted);
        json_decref(got);
    }
}

static void assert_shown(const char *bytes, size_t len, const char *text)
{
    json_t *json = msgpack_read(freshet_span(bytes, len));
    char *shown = json == NULL ? NULL : json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);
    cr_assert_str_eq(shown == NULL ? "nothing" : shown, text);
    free(shown);
    json_decref(json);
}
#define SHOWN(bytes, text) assert_shown(bytes, sizeof(bytes) - 1, text)

/* contract 10.7: whatever format another program chose */
Test(msgpack, each_format_is_shown)
{
    SHOWN("\x7f", "127");
    SHOWN("\xe0", "-32");
    SHOWN("\xcc\xff", "255");
    SHOWN("\xcd\xff\xff", "65535");
    SHOWN("\xce\xff\xff\xff\xff", "4294967295");
    SHOWN("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "\"18446744073709551615\"");
    SHOWN("\xd0\x80", "-128");
    SHOWN("\xd1\x80\x00", "-32768");
    SHOWN("\xd2\x80\x00\x00\x00", "-2147483648");
    SHOWN("\xca\x3f\xc0\x00\x00", "1.5");
    SHOWN("\xca\x7f\x80\x00\x00", "null");
    SHOWN("\xa2hi", "\"hi\"");
    SHOWN("\xa1\xff", "\"(not UTF-8)\"");
    SHOWN("\xd9\x02hi", "\"hi\"");
    SHOWN("\xda\x00\x02hi", "\"hi\"");
    SHOWN("\xc4\x02hi", "\"(2 bytes)\"");
    SHOWN("\xc7\x02\x05hi", "\"(3 bytes)\"");
    SHOWN("\xd4\x05h", "\"(2 bytes)\"");
    SHOWN("\xd8\x05hhhhhhhhhhhhhhhh", "\"(17 bytes)\"");
    SHOWN("\x92\x01\x02", "[1,2]");
    SHOWN("\xdc\x00\x01\x01", "[1]");
    SHOWN("\x82\xa1k\x01\x07\x02", "{\"k\":1,\"7\":2}");
    SHOWN("\xde\x00\x01\xa1k\xc0", "{\"k\":null}");
}

/* No length in it is believed. */
Test(msgpack, what_is_none_is_not_shown)
{
    SHOWN("", "nothing");
    SHOWN("\xc1", "nothing");
    SHOWN("\x01\x01", "nothing");
    SHOWN("\xa2h", "nothing");
    SHOWN("\xdb\xff\xff\xff\xff", "nothing");
    SHOWN("\xdd\xff\xff\xff\xff", "nothing");
    SHOWN("\xdf\xff\xff\xff\xff\xa1k", "nothing");
    SHOWN("\xc6\xff\xff\xff\xff", "nothing");
    SHOWN("\xc9\xff\xff\xff\xff", "nothing");
    SHOWN("\xcf\x01", "nothing");
    SHOWN("\x92\x01", "nothing");
    SHOWN("\x81\xa1k", "nothing");
}

Test(msgpack, depth_is_bounded)
{
    char bytes[100];
    struct msgpack message = {.bytes = NULL};
    memset(bytes, '[', 50);
    memset(bytes + 50, ']', 50);
    json_t *json = json_loadb(bytes, 100, 0, NULL);
    cr_assert_not(msgpack_append(&message, json, 1));
    json_decref(json);
    free(message.bytes);
    memset(bytes, '\x91', 100);
    assert_shown(bytes, 100, "nothing");
    bytes[30] = '\x01';
    json = msgpack_read(freshet_span(bytes, 31));
    cr_assert_not_null(json);
    json_decref(json);
}
