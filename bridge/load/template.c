#include "load/template.h"
#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* What stands behind `beginning`; NULL: the text begins with something else. */
static const char *skip(const char *text, const char *beginning)
{
    for (; *beginning != '\0'; text++, beginning++)
        if (*text != *beginning)
            return NULL;
    return text;
}

/* What a URL has before its path, which no value may stand in: where a request goes is the file's alone to
 * say. */
static size_t origin_len(const char *text)
{
    const char *host = skip(text, "http://");
    if (host == NULL)
        host = skip(text, "https://");
    return host == NULL ? 0 : (size_t)(host - text) + strcspn(host, "/?");
}

static bool is_url(const char *text, const char **why)
{
    size_t origin = origin_len(text);
    *why = "a URL begins with http:// or https:// and a host";
    if (origin == 0 || text[origin - 1] == '/')
        return false;
    *why =
        "scheme, host and port are written out, without values, user and password; put a secret into headers";
    if (memchr(text, '{', origin) != NULL || memchr(text, '@', origin) != NULL)
        return false;
    *why = "a URL has no spaces, control characters, letters beyond ASCII or #; such are percent-encoded";
    for (const char *at = text; *at != '\0'; at++) {
        if (*at <= ' ' || *at >= 0x7f || *at == '#' || *at == '\\')
            return false;
    }
    return true;
}

static void add(struct template *template, const char *text, size_t len, bool is_name, bool in_query)
{
    if (len > 0)
        template->pieces[template->count++] = (struct template_piece){text, len, is_name, in_query};
}

/* The text of a place; NULL: it has none that is right. */
static const char *end_of_name(const char *name)
{
    const char *end = name;
    while (is_name_byte(*end))
        end++;
    return end > name && *end == '}' ? end : NULL;
}

/* Cuts the text at its places. */
static bool cut(struct template *template, struct arena *arena, const char *text, const char **why)
{
    bool in_query = false;
    const char *from = text, *at = text;
    for (; *at != '\0'; at++) {
        in_query |= template->kind == TEMPLATE_URL && *at == '?';
        if (*at != '{' && *at != '}')
            continue;
        if (at[1] == *at) { /* the first of the two stands for both */
            add(template, from, (size_t)(at + 1 - from), false, in_query);
            from = ++at + 1;
            continue;
        }
        const char *end = *at == '{' ? end_of_name(at + 1) : NULL;
        *why = "braces hold the name of a value, as in {orderId}; one that is meant is written twice: {{";
        if (end == NULL)
            return false;
        add(template, from, (size_t)(at - from), false, in_query);
        add(template, arena_text(arena, at + 1, (size_t)(end - at - 1)), (size_t)(end - at - 1), true,
            in_query);
        at = end;
        from = end + 1;
    }
    add(template, from, (size_t)(at - from), false, in_query);
    return true;
}

const struct template *template_new(struct arena *arena, enum template_kind kind, const char *text,
                                    const char **why)
{
    struct template *template = arena_alloc(arena, sizeof(*template));
    template->kind = kind;
    template->pieces = arena_alloc(arena, (strlen(text) + 1) * sizeof(*template->pieces));
    if (kind == TEMPLATE_URL && !is_url(text, why))
        return NULL;
    *why = "the path of a file begins with a slash";
    if (kind == TEMPLATE_FILE && text[0] != '/')
        return NULL;
    return cut(template, arena, text, why) ? template : NULL;
}

/* ---- filling in ---- */

struct filling {
    char *bytes; /* TEMPLATE_MAX_BYTES and a NUL */
    size_t len;
    bool overflow;
};

static void put(struct filling *filling, const char *bytes, size_t len)
{
    if (len > TEMPLATE_MAX_BYTES - filling->len) {
        filling->overflow = true;
        return;
    }
    if (len > 0)
        memcpy(filling->bytes + filling->len, bytes, len);
    filling->len += len;
}

static void put_encoded(struct filling *filling, struct freshet_span value)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()";
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        char escaped[3] = {'%', hex[c >> 4], hex[c & 15]};
        if (c != '\0' && strchr(plain, c) != NULL)
            put(filling, value.data + i, 1);
        else
            put(filling, escaped, 3);
    }
}

static enum template_result put_value(struct filling *filling, const struct template *template,
                                      const struct template_piece *piece, template_value look_up, void *user)
{
    struct freshet_span value;
    bool plain = template->kind == TEMPLATE_WORD, in_path = !plain && !piece->in_query;
    for (size_t i = 0; look_up(user, piece->text, i, &value); i++) {
        if (in_path && value.len == 0)
            return TEMPLATE_MISSING;
        if (i > 0)
            put(filling, in_path || plain ? "/" : "%2F", in_path || plain ? 1 : 3);
        if (plain)
            put(filling, value.data, value.len);
        else
            put_encoded(filling, value);
        if (i + 1 > TEMPLATE_MAX_BYTES)
            return TEMPLATE_BAD;
    }
    return look_up(user, piece->text, 0, &value) ? TEMPLATE_FILLED : TEMPLATE_MISSING;
}

/* Servers and file systems take `.` and `..` for other places, encoded, too. */
static bool has_dots(const char *path)
{
    while (*path != '\0' && *path != '?') {
        size_t len = strcspn(path, "/?");
        if ((len == 1 && path[0] == '.') || (len == 2 && path[0] == '.' && path[1] == '.'))
            return true;
        path += len;
        path += *path == '/';
    }
    return false;
}

enum template_result template_fill(const struct template *template, template_value look_up, void *user,
                                   char **out, size_t *len)
{
    struct filling filling = {.bytes = malloc(TEMPLATE_MAX_BYTES + 1)};
    enum template_result result = filling.bytes == NULL ? TEMPLATE_NO_MEMORY : TEMPLATE_FILLED;
    for (size_t i = 0; i < template->count && result == TEMPLATE_FILLED; i++) {
        const struct template_piece *piece = &template->pieces[i];
        if (piece->is_name)
            result = put_value(&filling, template, piece, look_up, user);
        else
            put(&filling, piece->text, piece->len);
    }
    if (result == TEMPLATE_FILLED) {
        filling.bytes[filling.len] = '\0';
        const char *path = filling.bytes + (template->kind == TEMPLATE_URL ? origin_len(filling.bytes) : 0);
        if (filling.overflow || (template->kind != TEMPLATE_WORD && has_dots(path)))
            result = TEMPLATE_BAD;
    }
    if (result != TEMPLATE_FILLED) {
        free(filling.bytes);
        filling.bytes = NULL;
    }
    *out = filling.bytes;
    *len = filling.len;
    return result;
}
