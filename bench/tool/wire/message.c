#include "wire/message.h"
#include <string.h>

static char *put_big_endian(char *out, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        *out++ = (char)(value >> (8 * (bytes - 1 - i)));
    return out;
}

static char *put_number(char *out, uint64_t value)
{
    if (value < 128)
        return put_big_endian(out, value, 1);
    *out++ = (char)0xcf;
    return put_big_endian(out, value, 8);
}

size_t message_write(char *out, const char *id, uint64_t seq, uint64_t time_us, const char *payload,
                     uint32_t len)
{
    char *at = out;
    size_t id_len = strlen(id);
    *at++ = (char)0x95;
    at = put_number(at, 1);
    *at++ = (char)(0xa0 | id_len);
    memcpy(at, id, id_len);
    at = put_number(at + id_len, seq);
    at = put_number(at, time_us);
    if (len == 0) {
        *at++ = (char)0xc0;
    } else {
        *at++ = (char)0xdb;
        at = put_big_endian(at, len, 4);
        memcpy(at, payload, len);
        at += len;
    }
    return (size_t)(at - out);
}
