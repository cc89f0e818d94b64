#include "guard/base64.h"
#include <stdlib.h>

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-')
        return 62;
    return c == '_' ? 63 : -1;
}

bool base64_decode(struct freshet_span text, unsigned char *out, size_t *len)
{
    unsigned bits = 0, held = 0;
    size_t at = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = digit(text.data[i]);
        if (value < 0)
            return false;
        held = held << 6 | (unsigned)value;
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        out[at++] = (unsigned char)(held >> bits);
        held &= (1u << bits) - 1;
    }
    *len = at;
    return bits < 6 && held == 0;
}

unsigned char *base64_decode_new(struct freshet_span text, size_t *len)
{
    unsigned char *out = malloc(text.len / 4 * 3 + 3);
    if (out != NULL && base64_decode(text, out, len))
        return out;
    free(out);
    return NULL;
}
