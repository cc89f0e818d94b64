/* Payloads for the tests of typed channels, written as text: `{x: 1.5, name: 'a', blob: <00ff>, list: [1,
 * nil]}`. A name in front of ':' is a key; a number with a '.' is a double, one without in 64 bits. */
#ifndef TEST_TYPED_RIG_H
#define TEST_TYPED_RIG_H

#include <criterion/criterion.h>

#include <ctype.h>
#include <freshet/span.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct payload {
    char bytes[4096];
    size_t len;
};

static inline struct freshet_span payload_span(const struct payload *payload)
{
    return freshet_span(payload->bytes, payload->len);
}

static inline void put(struct payload *payload, const void *bytes, size_t len)
{
    cr_assert_leq(len, sizeof(payload->bytes) - payload->len);
    memcpy(payload->bytes + payload->len, bytes, len);
    payload->len += len;
}

/* A type byte and a number behind it, big-endian. */
static inline void put_head(struct payload *payload, unsigned char type, uint64_t number, unsigned width)
{
    put(payload, &type, 1);
    for (unsigned i = width; i-- > 0;) {
        unsigned char byte = (unsigned char)(number >> 8 * i);
        put(payload, &byte, 1);
    }
}

static inline const char *skip_space(const char *at)
{
    while (isspace((unsigned char)*at) || *at == ',')
        at++;
    return at;
}

static inline const char *put_number(struct payload *payload, const char *at)
{
    char *end;
    double real = strtod(at, &end);
    uint64_t bits;
    memcpy(&bits, &real, sizeof(bits));
    if (memchr(at, '.', (size_t)(end - at)) != NULL)
        put_head(payload, 0xcb, bits, 8);
    else if (*at == '-')
        put_head(payload, 0xd3, (uint64_t)strtoll(at, NULL, 10), 8);
    else
        put_head(payload, 0xcf, strtoull(at, NULL, 10), 8);
    return end;
}

static inline const char *put_bytes(struct payload *payload, const char *at)
{
    size_t len = strcspn(at + 1, ">") / 2;
    put_head(payload, 0xc4, len, 1);
    for (size_t i = 0; i < len; i++) {
        char digits[3] = {at[1 + 2 * i], at[2 + 2 * i], '\0'};
        unsigned char byte = (unsigned char)strtoul(digits, NULL, 16);
        put(payload, &byte, 1);
    }
    return at + 2 * len + 2;
}

static inline const char *put_text(struct payload *payload, const char *at, size_t len)
{
    put_head(payload, 0xd9, len, 1);
    put(payload, at, len);
    return at + len;
}

static inline const char *put_value(struct payload *payload, const char *at);

static inline const char *put_list(struct payload *payload, const char *at)
{
    char close = *at == '[' ? ']' : '}';
    size_t count_at = payload->len + 1;
    uint32_t count = 0;
    put_head(payload, *at == '[' ? 0xdd : 0xdf, 0, 4);
    for (at = skip_space(at + 1); *at != close; at = skip_space(at), count++) {
        if (close == '}')
            at = skip_space(put_text(payload, at, strcspn(at, ":")) + 1);
        at = put_value(payload, at);
    }
    for (unsigned i = 0; i < 4; i++)
        payload->bytes[count_at + i] = (char)(count >> 8 * (3 - i));
    return at + 1;
}

static inline const char *put_value(struct payload *payload, const char *at)
{
    if (*at == '{' || *at == '[')
        return put_list(payload, at);
    if (*at == '\'')
        return put_text(payload, at + 1, strcspn(at + 1, "'")) + 1;
    if (*at == '<')
        return put_bytes(payload, at);
    if (*at == 't' || *at == 'f' || *at == 'n') {
        put_head(payload, *at == 't' ? 0xc3 : *at == 'f' ? 0xc2 : 0xc0, 0, 0);
        return at + strspn(at, "truefalsnil");
    }
    cr_assert(isdigit((unsigned char)*at) || *at == '-', "not a value: %s", at);
    return put_number(payload, at);
}

static inline struct payload payload_of(const char *text)
{
    struct payload payload = {.len = 0};
    const char *end = put_value(&payload, text);
    cr_assert_eq(*end, '\0', "left over: %s", end);
    return payload;
}

#endif
