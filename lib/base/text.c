#include "base/text.h"

#include <string.h>

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t';
}

struct freshet_span fr_text_trim(struct freshet_span text)
{
    while (text.len > 0 && is_space(text.data[0]))
        text = freshet_span(text.data + 1, text.len - 1);
    while (text.len > 0 && is_space(text.data[text.len - 1]))
        text.len--;
    return text;
}

struct freshet_span fr_text_cut(struct freshet_span *rest, char separator)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->data, separator, rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->data);
    size_t skip = end == NULL ? len : len + 1;
    struct freshet_span part = freshet_span(rest->data, len);
    *rest = freshet_span(rest->data + skip, rest->len - skip);
    return part;
}

bool fr_text_begins(struct freshet_span text, const char *words)
{
    size_t len = strlen(words);
    return text.len >= len && memcmp(text.data, words, len) == 0;
}

bool fr_text_read_number(struct freshet_span digits, uint64_t max, uint64_t *number)
{
    uint64_t value = 0;
    for (size_t i = 0; i < digits.len; i++) {
        unsigned digit = (unsigned char)digits.data[i] - (unsigned)'0';
        if (digit > 9 || digit > max || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *number = value;
    return digits.len > 0;
}

int fr_text_hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

bool fr_text_is_header_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
    return name != NULL && name[0] != '\0' && strspn(name, allowed) == strlen(name);
}

char *fr_text_put_hex(char *to, const void *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    for (const unsigned char *at = bytes; count > 0; count--, at++) {
        *to++ = digits[*at >> 4];
        *to++ = digits[*at & 15];
    }
    return to;
}
