/* Applies a difference as a page does, apart from the code under test: the JSON is read byte by byte, and
 * UTF-16 code units are counted one by one. */
#ifndef TEST_DIFFERENCE_APPLY_H
#define TEST_DIFFERENCE_APPLY_H

#include <freshet/span.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct applying {
    struct freshet_span json, before;
    size_t at; /* in json */
    char *out;
    size_t len;
    bool failed;
};

static inline bool applying_skip(struct applying *applying, char byte)
{
    if (applying->at >= applying->json.len || applying->json.data[applying->at] != byte)
        return false;
    applying->at++;
    return true;
}

static inline size_t applying_number(struct applying *applying)
{
    size_t value = 0, digits = 0;
    for (; applying->at < applying->json.len; applying->at++, digits++) {
        char byte = applying->json.data[applying->at];
        if (byte < '0' || byte > '9')
            break;
        value = value * 10 + (size_t)(byte - '0');
    }
    applying->failed |= digits == 0;
    return value;
}

/* Where the unit begins; the text's length behind its last one; failed: within a character, or outside. */
static inline size_t applying_find(struct applying *applying, size_t unit)
{
    size_t at = 0, units = 0;
    while (at < applying->before.len && units < unit) {
        unsigned char first = (unsigned char)applying->before.data[at];
        units += first >= 0xf0 ? 2 : 1;
        at += first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    }
    applying->failed |= units != unit;
    return at;
}

static inline void applying_keep(struct applying *applying)
{
    size_t begin = applying_find(applying, applying_number(applying));
    applying->failed |= !applying_skip(applying, ',');
    size_t end = applying_find(applying, applying_number(applying));
    applying->failed |= !applying_skip(applying, ']') || end <= begin;
    if (applying->failed)
        return;
    memcpy(applying->out + applying->len, applying->before.data + begin, end - begin);
    applying->len += end - begin;
}

static inline void applying_add(struct applying *applying)
{
    while (applying->at < applying->json.len && applying->json.data[applying->at] != '"') {
        char byte = applying->json.data[applying->at++];
        if (byte == '\\') {
            byte = applying->json.data[applying->at++];
            if (byte == 'u') { /* nothing else than \u00XX is written */
                char digits[5] = {0};
                memcpy(digits, applying->json.data + applying->at, 4);
                byte = (char)strtol(digits, NULL, 16);
                applying->at += 4;
            }
        }
        applying->out[applying->len++] = byte;
    }
    applying->failed |= !applying_skip(applying, '"');
}

/* `out` has room for what comes out, which is given; false: it is no difference to `before`. */
static inline bool apply_difference(struct freshet_span json, struct freshet_span before, char *out,
                                    size_t *len)
{
    struct applying applying = {.json = json, .before = before, .out = out};
    applying.failed = !applying_skip(&applying, '[');
    do {
        if (applying_skip(&applying, '['))
            applying_keep(&applying);
        else if (applying_skip(&applying, '"'))
            applying_add(&applying);
        else
            applying.failed = true;
    } while (!applying.failed && applying_skip(&applying, ','));
    applying.failed |= !applying_skip(&applying, ']') || applying.at != json.len;
    *len = applying.len;
    return !applying.failed;
}

#endif
