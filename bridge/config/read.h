/* Reading a tree by tables of keys: each key says what a right value looks like, and that is what a complaint
 * says, behind file, line and the way to the value, such as
 *
 *     live.yaml:7: loaders[0].timeout: wrong value; right is a time such as 500ms, 2s or 1m
 *
 * Values are not repeated: they may be secrets. Every problem of a file is told, not only the first. */
#ifndef BRIDGE_CONFIG_READ_H
#define BRIDGE_CONFIG_READ_H

#include "common/arguments.h"
#include "config/node.h"
#include <stdint.h>

struct reading {
    const char *file;
    FILE *err;
    struct arena *arena;
    options_env env; /* for { env: NAME } */
    unsigned problems;
    char way[512]; /* to the value that is read */
};

/* One line. `node` NULL: of the file as a whole. */
void reading_complain(struct reading *reading, const struct node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Steps into a child: .key or [index]; returns what reading_leave() takes to step back. */
size_t reading_enter(struct reading *reading, const char *key, size_t index);
void reading_leave(struct reading *reading, size_t mark);

struct key;

/* Reads a value into `place`. False: it is wrong, which is told with the key's `right` unless the function
 * has told something itself. */
typedef bool (*key_read)(struct reading *reading, const struct node *node, void *place,
                         const struct key *key);

struct key {
    const char *name;
    key_read read;
    size_t offset;     /* of the place in the struct that is filled */
    const char *right; /* what a right value looks like */
    const void *more;  /* for `read` */
    bool needed;
};

/* Reads a map into a struct. A key that no table has is a problem, with the one that was meant if it looks
 * like one. False: `node` is no map. Problems in it are counted. */
bool reading_map(struct reading *reading, const struct node *node, const struct key *keys, size_t count,
                 void *into);

/* ---- values ---- */

/* const char *: a text, or where it is: { env: NAME }, { file: PATH } (without the line end behind it). */
bool read_text(struct reading *reading, const struct node *node, void *place, const struct key *key);
/* bool: true or false. */
bool read_flag(struct reading *reading, const struct node *node, void *place, const struct key *key);
/* uint32_t: from 1 on. */
bool read_number(struct reading *reading, const struct node *node, void *place, const struct key *key);
/* uint32_t of milliseconds: 500ms, 2s, 1m, 1h. */
bool read_time(struct reading *reading, const struct node *node, void *place, const struct key *key);
/* size_t: 4096, 64KiB, 16MiB. */
bool read_bytes(struct reading *reading, const struct node *node, void *place, const struct key *key);
/* const char **, the last NULL: texts, or one alone. */
bool read_texts(struct reading *reading, const struct node *node, void *place, const struct key *key);

/* const char **, the last NULL: up to READ_MAX_HEADERS names of headers of a client's request that are handed
 * on, made lower case; none that belongs to a connection or its body, or that the bridge writes itself. */
bool read_header_names(struct reading *reading, const struct node *node, void *place, const struct key *key);

enum { READ_MAX_HEADERS = 16 };

#define RIGHT_HEADERS "up to 16 names of headers, such as [cookie, authorization]"
#define RIGHT_TIME    "a time such as 500ms, 2s or 1m"
#define RIGHT_FLAG    "true or false"
#define RIGHT_NUMBER  "a number from 1 to 100000000"
#define RIGHT_BYTES   "a size such as 4096, 64KiB or 16MiB"
#define RIGHT_TEXT    "a text, or { env: NAME } or { file: PATH } for where it is"

#endif
