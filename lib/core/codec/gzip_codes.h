/* What frames were encoded to, for streams of one history each: a table that forgets what was not asked for
 * longest. Everything happens under the lock of the coder that has it. */
#ifndef FR_GZIP_CODES_H
#define FR_GZIP_CODES_H

#include "base/bytes.h"
#include "base/list.h"
#include "base/map.h"
#include "base/refcount.h"
#include "core/codec/gzip.h"
#include "core/codec/gzip_history.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a code is found by; compared as bytes. */
struct fr_gzip_code_key {
    const struct fr_gzip_history *from;
    const struct fr_bytes *frame;
    uint32_t kind, deflated;
};

/* What a stream with the history `from` is sent for a frame, and what its history is then. */
struct fr_gzip_code {
    struct fr_refcount references;
    struct fr_map_node node; /* in the table, while it is kept */
    struct fr_list used;     /* the same, in the order of use */
    size_t cost;             /* of what is kept */
    struct fr_gzip_code_key key;
    struct fr_gzip_history *from, *next; /* references; NULL: nothing */
    struct fr_bytes *frame, *coded;      /* coded NULL: being made, or `failed` */
    struct fr_gzip_part_sum sum;
    bool failed; /* no memory */
};

/* Zeroed before fr_gzip_codes_init(). */
struct fr_gzip_codes {
    struct fr_gzip_histories histories;
    struct fr_map by_key;
    struct fr_list used; /* the one that was not used for longest first */
    size_t bytes;        /* of all */
};

/* False: no memory. */
bool fr_gzip_codes_init(struct fr_gzip_codes *codes);
/* Gives the table's references back. A half-made one is fine. */
void fr_gzip_codes_deinit(struct fr_gzip_codes *codes);

/* One reference, or NULL. It may still be being made. */
struct fr_gzip_code *fr_gzip_code_find(struct fr_gzip_codes *codes, const struct fr_gzip_code_key *key);
/* One that is still to be made, with one reference; `shared`: it is found from now on, and was not before.
 * NULL: no memory. */
struct fr_gzip_code *fr_gzip_code_new(struct fr_gzip_codes *codes, const struct fr_gzip_code_key *key,
                                      struct fr_gzip_history *from, struct fr_bytes *frame, bool shared);
/* The code is made: takes `coded` over. NULL: that failed, and the next one who asks tries again. */
void fr_gzip_code_finish(struct fr_gzip_codes *codes, struct fr_gzip_code *code, struct fr_bytes *coded,
                         const struct fr_gzip_part_sum *sum);
void fr_gzip_code_release(struct fr_gzip_codes *codes, struct fr_gzip_code *code);

#endif
