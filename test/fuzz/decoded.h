/* Percent-encoded text, decoded the plain way, to compare with. */
#ifndef FUZZ_DECODED_H
#define FUZZ_DECODED_H

#include "check.h"
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

struct decoded {
    unsigned char *bytes; /* to be freed; a NUL behind them */
    size_t len;
    bool bad;     /* an escape, or no UTF-8 */
    bool control; /* a C0 or C1 character, or DEL */
};

/* The code point at `at`; -1: not well-formed. Each is encoded in one way only, so it is encoded again. */
static inline long decoded_character(const unsigned char *at, size_t left, size_t *len)
{
    static const unsigned char marks[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
    static const long first[] = {0, 0, 0x80, 0x800, 0x10000, 0x110000};
    *len = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (*len > left || (*len > 1 && at[0] < 0xc0))
        return -1;
    long code = at[0] ^ marks[*len];
    for (size_t i = 1; i < *len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return -1;
        code = code << 6 | (at[i] & 0x3f);
    }
    bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code >= first[*len] && code < first[*len + 1] && code <= 0x10ffff && !surrogate ? code : -1;
}

static inline void decoded_judge(struct decoded *text)
{
    for (size_t at = 0, len; at < text->len; at += len) {
        long code = decoded_character(text->bytes + at, text->len - at, &len);
        text->bad |= code < 0;
        text->control |= (code >= 0 && code < 0x20) || (code >= 0x7f && code < 0xa0);
        if (code < 0)
            return;
    }
}

/* The byte that the three of an escape stand for. */
static inline unsigned char decoded_escape(const char *raw, size_t left, bool *bad)
{
    char digits[3] = "";
    strncpy(digits, raw + 1, left < 3 ? left - 1 : 2);
    *bad = !isxdigit((unsigned char)digits[0]) || !isxdigit((unsigned char)digits[1]);
    return (unsigned char)strtoul(digits, NULL, 16);
}

static inline struct decoded decoded_new(const char *raw, size_t raw_len, bool plus_is_space)
{
    struct decoded text = {.bytes = calloc(1, raw_len + 1)};
    CHECK(text.bytes != NULL);
    for (size_t i = 0; i < raw_len && !text.bad; i++) {
        unsigned char byte = (unsigned char)raw[i];
        if (byte == '+' && plus_is_space)
            byte = ' ';
        if (byte == '%') {
            byte = decoded_escape(raw + i, raw_len - i, &text.bad);
            i += 2;
        }
        text.bytes[text.len++] = byte;
    }
    if (!text.bad)
        decoded_judge(&text);
    return text;
}

#endif
