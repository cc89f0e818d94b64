/* Cookie headers. Input: a name, a line feed, and the header as a client sends it. */
#include "check.h"
#include "core/request/cookie.h"
#include <stdbool.h>

/* Without spaces and tabs at both ends: where it begins, and its length. */
static const char *strip(const char *text, size_t *len)
{
    const char *begin = text, *end = text + *len;
    while (begin < end && (*begin == ' ' || *begin == '\t'))
        begin++;
    while (begin < end && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *len = (size_t)(end - begin);
    return begin;
}

/* From the end to the front, so that what is found last is the first. */
static bool search(struct freshet_span header, struct freshet_span name, struct freshet_span *value)
{
    bool found = false;
    for (size_t end = header.len, start; end != (size_t)-1; end = start - 1) {
        for (start = end; start > 0 && header.data[start - 1] != ';'; start--)
            ;
        size_t equals = start;
        while (equals < end && header.data[equals] != '=')
            equals++;
        if (equals == end)
            continue;
        size_t name_len = equals - start, value_len = end - equals - 1;
        const char *its_name = strip(header.data + start, &name_len);
        const char *its_value = strip(header.data + equals + 1, &value_len);
        if (name_len != name.len || (name.len > 0 && memcmp(its_name, name.data, name.len) != 0))
            continue;
        bool quoted = value_len > 1 && its_value[0] == '"' && its_value[value_len - 1] == '"';
        *value = quoted ? freshet_span(its_value + 1, value_len - 2) : freshet_span(its_value, value_len);
        found = true;
    }
    return found;
}

static bool is_clean(struct freshet_span text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] <= 0x1f || text.data[i] == 0x7f)
            return false;
    return true;
}

static void check(struct freshet_span header, struct freshet_span name)
{
    struct freshet_span value, expected;
    enum freshet_status status = fr_cookie_find(header, name, &value);
    if (!search(header, name, &expected)) {
        CHECK(status == FRESHET_NOT_FOUND);
        return;
    }
    CHECK(status == (is_clean(expected) ? FRESHET_OK : FRESHET_INVALID));
    if (status != FRESHET_OK)
        return;
    CHECK(value.len == expected.len && (value.len == 0 || value.data == expected.data));
    CHECK(value.data >= header.data && value.data + value.len <= header.data + header.len);
    CHECK(value.len == 0 || memchr(value.data, ';', value.len) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size == 0 ? NULL : memchr(data, '\n', size);
    if (end == NULL)
        return 0;
    struct freshet_span name = freshet_span((const char *)data, (size_t)(end - data));
    size_t len = size - name.len - 1;
    char *copy = malloc(len == 0 ? 1 : len);
    CHECK(copy != NULL);
    memcpy(copy, end + 1, len);
    struct freshet_span header = freshet_span(copy, len);
    check(header, name);
    /* Its beginnings, too. */
    for (size_t shorter = 0; shorter < len && shorter < 8; shorter++)
        check(freshet_span(copy, shorter), name);
    free(copy);
    return 0;
}
