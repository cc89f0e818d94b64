#include "base/json.h"

#include "base/text.h"
#include "base/utf8.h"

/* How many bytes at the start need no escape and can be told to be UTF-8 without looking at a second one. */
static size_t count_plain(struct freshet_span text)
{
    size_t len = 0;
    for (; len < text.len; len++) {
        unsigned char byte = (unsigned char)text.data[len];
        if (byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\')
            break;
    }
    return len;
}

static void append_escape(struct fr_buffer *buffer, unsigned char byte)
{
    char text[6] = "\\u00";
    fr_text_put_hex(text + 4, &byte, 1);
    if (byte < 0x20) {
        fr_buffer_append(buffer, freshet_span(text, sizeof(text)));
    } else {
        text[1] = (char)byte;
        fr_buffer_append(buffer, freshet_span(text, 2));
    }
}

/* Appends the character at the start; gives the bytes it took. */
static size_t append_one(struct fr_buffer *buffer, struct freshet_span text)
{
    bool valid;
    size_t len = fr_utf8_next(text, &valid);
    unsigned char first = (unsigned char)text.data[0];
    if (!valid)
        fr_buffer_append(buffer, freshet_span_text("\xef\xbf\xbd")); /* U+FFFD */
    else if (first < 0x20 || first == '"' || first == '\\')
        append_escape(buffer, first);
    else
        fr_buffer_append(buffer, freshet_span(text.data, len));
    return len;
}

void fr_json_string(struct fr_buffer *buffer, struct freshet_span text)
{
    fr_buffer_append(buffer, freshet_span_text("\""));
    for (size_t at = 0; at < text.len;) {
        struct freshet_span rest = freshet_span(text.data + at, text.len - at);
        size_t plain = count_plain(rest);
        fr_buffer_append(buffer, freshet_span(rest.data, plain));
        at += plain == 0 ? append_one(buffer, rest) : plain;
    }
    fr_buffer_append(buffer, freshet_span_text("\""));
}
