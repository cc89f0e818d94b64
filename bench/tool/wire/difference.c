#include "wire/difference.h"
#include <stdint.h>

/* What is left to read. */
struct reader {
    const char *at, *end;
};

/* The same place in a text in UTF-16 code units and in bytes. */
struct place {
    uint64_t units;
    size_t bytes;
};

static bool skip(struct reader *reader, char byte)
{
    bool is_there = reader->at < reader->end && *reader->at == byte;
    reader->at += is_there;
    return is_there;
}

/* ---- new texts ---- */

static void add_character(struct text *out, uint32_t code)
{
    char bytes[4];
    if (code < 0x80) {
        bytes[0] = (char)code;
        text_add(out, bytes, 1);
        return;
    }
    unsigned more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    bytes[0] = (char)(0xff00u >> (more + 1) | code >> (6 * more));
    for (unsigned i = 1; i <= more; i++)
        bytes[i] = (char)(0x80 | (code >> (6 * (more - i)) & 0x3f));
    text_add(out, bytes, more + 1);
}

static bool read_hex(struct reader *reader, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++, reader->at++) {
        char byte = reader->at < reader->end ? *reader->at : '\0', low = (char)(byte | 0x20);
        if (byte >= '0' && byte <= '9')
            *out = *out * 16 + (uint32_t)(byte - '0');
        else if (low >= 'a' && low <= 'f')
            *out = *out * 16 + (uint32_t)(low - 'a' + 10);
        else
            return false;
    }
    return true;
}

/* Behind `\u`. What is beyond 16 bits comes as two of them. */
static bool read_code(struct reader *reader, struct text *out)
{
    uint32_t code, low;
    if (!read_hex(reader, &code) || (code >= 0xdc00 && code < 0xe000))
        return false;
    if (code >= 0xd800 && code < 0xdc00) {
        if (!skip(reader, '\\') || !skip(reader, 'u') || !read_hex(reader, &low) || low < 0xdc00 ||
            low >= 0xe000)
            return false;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    add_character(out, code);
    return true;
}

static bool read_escape(struct reader *reader, struct text *out)
{
    static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    if (skip(reader, 'u'))
        return read_code(reader, out);
    const char *name = reader->at < reader->end ? memchr(names, *reader->at, sizeof(names) - 1) : NULL;
    if (name == NULL)
        return false;
    reader->at++;
    text_add(out, &bytes[name - names], 1);
    return true;
}

/* Behind the first quote. */
static bool read_text(struct reader *reader, struct text *out)
{
    while (reader->at < reader->end) {
        const char *begin = reader->at;
        while (reader->at < reader->end && *reader->at != '"' && *reader->at != '\\')
            reader->at++;
        text_add(out, begin, (size_t)(reader->at - begin));
        if (skip(reader, '"'))
            return true;
        if (!skip(reader, '\\') || !read_escape(reader, out))
            return false;
    }
    return false;
}

/* ---- places in the text held ---- */

static bool read_number(struct reader *reader, uint64_t *out)
{
    const char *begin = reader->at;
    for (*out = 0; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; reader->at++) {
        if (*out > UINT32_MAX)
            return false;
        *out = *out * 10 + (uint64_t)(*reader->at - '0');
    }
    return reader->at > begin;
}

/* From where the place is, or from the beginning: pieces that were not moved follow each other. */
static bool seek(const struct text *held, struct place *place, uint64_t units)
{
    if (units < place->units)
        *place = (struct place){0};
    while (place->units < units && place->bytes < held->len) {
        unsigned char byte = (unsigned char)held->data[place->bytes];
        place->units += byte < 0xf0 ? 1 : 2;
        place->bytes += byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    }
    return place->units == units && place->bytes <= held->len;
}

/* Behind the bracket. */
static bool read_copy(struct reader *reader, const struct text *held, struct place *place, struct text *out)
{
    uint64_t begin, end;
    if (!read_number(reader, &begin) || !skip(reader, ',') || !read_number(reader, &end) ||
        !skip(reader, ']') || begin > end || !seek(held, place, begin))
        return false;
    size_t from = place->bytes;
    if (!seek(held, place, end))
        return false;
    text_add(out, held->data + from, place->bytes - from);
    return true;
}

bool difference_apply(const struct text *held, const char *pieces, size_t len, struct text *out)
{
    struct reader reader = {pieces, pieces + len};
    struct place place = {0};
    if (!skip(&reader, '['))
        return false;
    if (skip(&reader, ']'))
        return reader.at == reader.end;
    do {
        if (skip(&reader, '"') ? !read_text(&reader, out)
                               : !skip(&reader, '[') || !read_copy(&reader, held, &place, out))
            return false;
    } while (skip(&reader, ','));
    return skip(&reader, ']') && reader.at == reader.end;
}
