/* Texts with places for values, such as http://127.0.0.1:3000/orders/{orderId}. `{{` and `}}` stand for
 * braces.
 *
 * No value can leave its place. In a URL and in a path of a file it is percent-encoded as encodeURIComponent
 * does it, and refused where it would be empty or make a segment `.` or `..`; only the values of a rest
 * parameter are parted by slashes, in a path. In the query of a URL it may be empty. A word of a command
 * holds it as it is, and stays one word whatever is in it. */
#ifndef BRIDGE_LOAD_TEMPLATE_H
#define BRIDGE_LOAD_TEMPLATE_H

#include "config/arena.h"
#include <freshet/span.h>
#include <stdbool.h>
#include <stddef.h>

enum { TEMPLATE_MAX_BYTES = 8192 };

enum template_kind { TEMPLATE_URL = 1, TEMPLATE_FILE, TEMPLATE_WORD };

struct template_piece {
    const char *text; /* as it is; or the name of a value */
    size_t len;
    bool is_name;
    bool in_query; /* of a URL */
};

struct template
{
    enum template_kind kind;
    struct template_piece *pieces;
    size_t count;
};

/* In `arena`. NULL: `*why` says what would be right. */
const struct template *template_new(struct arena *arena, enum template_kind kind, const char *text,
                                    const char **why);

/* The `index`-th value of a name; only rest parameters have more than one. False: there is none. */
typedef bool (*template_value)(void *user, const char *name, size_t index, struct freshet_span *value);

enum template_result {
    TEMPLATE_FILLED = 0,
    TEMPLATE_MISSING, /* a value that is needed is not there */
    TEMPLATE_BAD,     /* a value would leave its place, or the whole would be too long */
    TEMPLATE_NO_MEMORY
};

/* *out is of malloc(), with a NUL behind its *len bytes. */
enum template_result template_fill(const struct template *template, template_value value, void *user,
                                   char **out, size_t *len);

#endif
