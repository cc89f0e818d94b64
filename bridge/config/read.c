#include "config/read.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- complaints ---- */

void reading_complain(struct reading *reading, const struct node *node, const char *format, ...)
{
    va_list words;
    fprintf(reading->err, "%s:", reading->file);
    if (node != NULL)
        fprintf(reading->err, "%d:", node->line);
    if (reading->way[0] != '\0')
        fprintf(reading->err, " %s:", reading->way);
    fputc(' ', reading->err);
    va_start(words, format);
    vfprintf(reading->err, format, words);
    va_end(words);
    fputc('\n', reading->err);
    reading->problems++;
}

size_t reading_enter(struct reading *reading, const char *key, size_t index)
{
    size_t mark = strlen(reading->way), room = sizeof(reading->way) - mark;
    if (key != NULL)
        snprintf(reading->way + mark, room, "%s%.100s", mark == 0 ? "" : ".", key);
    else
        snprintf(reading->way + mark, room, "[%zu]", index);
    return mark;
}

void reading_leave(struct reading *reading, size_t mark)
{
    reading->way[mark] = '\0';
}

/* ---- maps ---- */

/* How many letters have to be changed, added or left out; of short words. */
static size_t distance(const char *a, const char *b)
{
    enum { MOST = 32 };
    size_t row[MOST + 1], a_len = strlen(a), b_len = strlen(b);
    if (a_len > MOST || b_len > MOST)
        return MOST;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            size_t least = row[j] < row[j - 1] ? row[j] : row[j - 1];
            row[j] = least + 1 < change ? least + 1 : change;
        }
    }
    return row[b_len];
}

static void complain_unknown(struct reading *reading, const struct node *node, const struct key *keys,
                             size_t count)
{
    const struct key *nearest = NULL;
    size_t least = 3;
    char all[1024] = "";
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(all), far = distance(node->key, keys[i].name);
        snprintf(all + len, sizeof(all) - len, "%s%s", i == 0 ? "" : ", ", keys[i].name);
        if (far < least) {
            least = far;
            nearest = &keys[i];
        }
    }
    if (nearest != NULL)
        reading_complain(reading, node, "there is no such key; right would be %s", nearest->name);
    else
        reading_complain(reading, node, "there is no such key; right would be one of %s", all);
}

static const struct key *find_key(const struct key *keys, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    }
    return NULL;
}

static void read_one(struct reading *reading, const struct node *node, const struct key *key, void *into)
{
    unsigned before = reading->problems;
    if (!key->read(reading, node, (char *)into + key->offset, key) && reading->problems == before)
        reading_complain(reading, node, "wrong value; right is %s", key->right);
}

bool reading_map(struct reading *reading, const struct node *node, const struct key *keys, size_t count,
                 void *into)
{
    if (node->kind != NODE_MAP)
        return false;
    for (const struct node *at = node->first; at != NULL; at = at->next) {
        const struct key *key = find_key(keys, count, at->key);
        size_t mark = reading_enter(reading, at->key, 0);
        if (key == NULL)
            complain_unknown(reading, at, keys, count);
        else
            read_one(reading, at, key, into);
        reading_leave(reading, mark);
    }
    for (size_t i = 0; i < count; i++) {
        if (keys[i].needed && node_find(node, keys[i].name) == NULL)
            reading_complain(reading, node, "%s is missing; right is %s", keys[i].name, keys[i].right);
    }
    return true;
}

/* ---- values ---- */

static bool read_variable(struct reading *reading, const struct node *node, const char **place)
{
    *place = node->kind == NODE_TEXT ? reading->env(node->text) : NULL;
    if (*place == NULL || **place == '\0')
        reading_complain(reading, node, "the variable %.100s is not set",
                         node->kind == NODE_TEXT ? node->text : "");
    return true;
}

static bool read_secret_file(struct reading *reading, const struct node *node, const char **place)
{
    char bytes[65536];
    FILE *file = node->kind == NODE_TEXT ? fopen(node->text, "re") : NULL;
    size_t len = file == NULL ? 0 : fread(bytes, 1, sizeof(bytes), file);
    if (file != NULL)
        fclose(file);
    while (len > 0 && (bytes[len - 1] == '\n' || bytes[len - 1] == '\r'))
        len--;
    if (len == 0 || len == sizeof(bytes) || memchr(bytes, '\0', len) != NULL)
        reading_complain(reading, node, "the file can't be read, is empty, over 64 KiB or has a zero byte");
    else
        *place = arena_text(reading->arena, bytes, len);
    return true;
}

bool read_text(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    const char **text = place;
    (void)key;
    if (node->kind == NODE_TEXT) {
        *text = node->text;
        return node->text[0] != '\0';
    }
    if (node->kind != NODE_MAP || node->count != 1)
        return false;
    if (strcmp(node->first->key, "env") == 0)
        return read_variable(reading, node->first, text);
    return strcmp(node->first->key, "file") == 0 && read_secret_file(reading, node->first, text);
}

bool read_flag(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    bool *flag = place;
    (void)reading, (void)key;
    if (node->kind != NODE_TEXT || node->quoted)
        return false;
    *flag = strcmp(node->text, "true") == 0;
    return *flag || strcmp(node->text, "false") == 0;
}

bool read_number(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    unsigned number;
    (void)reading, (void)key;
    if (node->kind != NODE_TEXT || !arguments_number(node->text, 100000000, &number) || number == 0)
        return false;
    *(uint32_t *)place = number;
    return true;
}

/* A number and one of these units. */
struct unit {
    const char *name;
    uint32_t factor;
};

static bool read_with_unit(const struct node *node, const struct unit *units, size_t count, uint64_t *value)
{
    if (node->kind != NODE_TEXT)
        return false;
    size_t digits = strspn(node->text, "0123456789");
    if (digits == 0 || digits > 9)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(node->text + digits, units[i].name) == 0) {
            *value = strtoull(node->text, NULL, 10) * units[i].factor;
            return *value > 0 && *value < INT32_MAX;
        }
    }
    return false;
}

bool read_time(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    static const struct unit units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    uint64_t value;
    (void)reading, (void)key;
    if (!read_with_unit(node, units, sizeof(units) / sizeof(units[0]), &value))
        return false;
    *(uint32_t *)place = (uint32_t)value;
    return true;
}

bool read_bytes(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    static const struct unit units[] = {{"", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}};
    uint64_t value;
    (void)reading, (void)key;
    if (!read_with_unit(node, units, sizeof(units) / sizeof(units[0]), &value))
        return false;
    *(size_t *)place = (size_t)value;
    return true;
}

bool read_texts(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    bool alone = node->kind != NODE_LIST;
    size_t count = alone ? 1 : node->count, i = 0;
    const char **texts = arena_alloc(reading->arena, (count + 1) * sizeof(*texts));
    *(const char ***)place = texts;
    if (count == 0)
        return false;
    for (const struct node *at = alone ? node : node->first; i < count; at = at->next, i++) {
        if (!read_text(reading, at, &texts[i], key))
            return false;
    }
    return true;
}

static bool is_own_header(const char *name)
{
    static const char *const own[] = {
        "host",  "connection", "content-length", "transfer-encoding", "keep-alive",    "proxy-connection",
        "te",    "trailer",    "upgrade",        "accept-encoding",   "if-none-match", "range",
        "expect"};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strcmp(name, own[i]) == 0)
            return true;
    }
    return strncmp(name, "x-freshet-", 10) == 0; /* what the bridge says of a request, nobody else does */
}

static bool read_header_name(struct arena *arena, const char **name)
{
    char *lower = arena_text(arena, *name, strlen(*name));
    *name = lower;
    for (; *lower != '\0'; lower++) {
        *lower = (char)tolower((unsigned char)*lower);
        if (strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", *lower) == NULL)
            return false;
    }
    return !is_own_header(*name);
}

bool read_header_names(struct reading *reading, const struct node *node, void *place, const struct key *key)
{
    const char ***names = place;
    unsigned before = reading->problems;
    if (!read_texts(reading, node, place, key) || reading->problems != before)
        return false;
    for (size_t i = 0; (*names)[i] != NULL; i++) {
        if (i == READ_MAX_HEADERS || !read_header_name(reading->arena, &(*names)[i]))
            return false;
    }
    return true;
}
