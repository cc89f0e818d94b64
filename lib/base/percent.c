#include "base/percent.h"

#include "base/text.h"
#include "base/utf8.h"

void fr_percent_init(struct fr_percent *reader, struct freshet_span text, bool plus_is_space)
{
    *reader = (struct fr_percent){.rest = text, .plus_is_space = plus_is_space};
}

/* Decodes one byte of the rest, which is not empty; false: a bad '%'. */
static bool decode_byte(struct fr_percent *reader, char *byte)
{
    struct freshet_span rest = reader->rest;
    size_t len = 1;
    *byte = rest.data[0];
    if (*byte == '%') {
        int high = rest.len > 2 ? fr_text_hex_value(rest.data[1]) : -1;
        int low = rest.len > 2 ? fr_text_hex_value(rest.data[2]) : -1;
        if (high < 0 || low < 0)
            return false;
        *byte = (char)(high << 4 | low);
        len = 3;
    } else if (*byte == '+' && reader->plus_is_space) {
        *byte = ' ';
    }
    reader->rest = freshet_span(rest.data + len, rest.len - len);
    return true;
}

enum freshet_status fr_percent_next(struct fr_percent *reader, struct freshet_span *character)
{
    reader->len -= reader->taken;
    memmove(reader->ahead, reader->ahead + reader->taken, reader->len);
    reader->taken = 0;
    while (reader->len < sizeof(reader->ahead) && reader->rest.len > 0)
        if (!decode_byte(reader, &reader->ahead[reader->len++]))
            return FRESHET_INVALID;
    if (reader->len == 0)
        return FRESHET_NOT_FOUND;
    bool valid;
    reader->taken = fr_utf8_next(freshet_span(reader->ahead, reader->len), &valid);
    *character = freshet_span(reader->ahead, reader->taken);
    return valid ? FRESHET_OK : FRESHET_INVALID;
}
