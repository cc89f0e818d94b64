#include "utf8.h"

#include <stdint.h>
#include <string.h>

/* How many bytes follow `first`, and the range of the second one (Unicode 15, table 3-7). */
static size_t follow(unsigned char first, unsigned char *low, unsigned char *high)
{
    *low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    *high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (first >= 0xc2 && first <= 0xdf)
        return 1;
    if (first >= 0xe0 && first <= 0xef)
        return 2;
    return first >= 0xf0 && first <= 0xf4 ? 3 : 0;
}

size_t fr_utf8_next(struct freshet_span text, bool *valid)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    unsigned char low, high;
    size_t more = follow(bytes[0], &low, &high), at = 1;
    for (; at <= more && at < text.len && bytes[at] >= low && bytes[at] <= high; at++) {
        low = 0x80;
        high = 0xbf;
    }
    *valid = more == 0 ? bytes[0] < 0x80 : at == more + 1;
    return at;
}

/* Most text is ASCII: eight bytes at once. Where the next other character begins. */
static size_t skip_ascii(struct freshet_span text, size_t at)
{
    uint64_t bytes;
    for (; text.len - at >= sizeof(bytes); at += sizeof(bytes)) {
        memcpy(&bytes, text.data + at, sizeof(bytes));
        if ((bytes & UINT64_C(0x8080808080808080)) != 0)
            break;
    }
    while (at < text.len && (unsigned char)text.data[at] < 0x80)
        at++;
    return at;
}

bool fr_utf8_valid(struct freshet_span text)
{
    bool valid = true;
    for (size_t at = skip_ascii(text, 0); valid && at < text.len; at = skip_ascii(text, at))
        at += fr_utf8_next(freshet_span(text.data + at, text.len - at), &valid);
    return valid;
}
