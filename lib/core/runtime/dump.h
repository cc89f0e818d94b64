/* What a freshet knows, as text for people: rows of a bounded number, and how many more there are. */
#ifndef FR_DUMP_H
#define FR_DUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct fr_topics;

struct fr_dump {
    FILE *file;    /* memory: writing never blocks */
    uint32_t most; /* rows of each kind */
    uint32_t rows; /* of this kind so far */
    size_t left_out;
};

/* Counts one more of its kind. True: print a row for it. */
bool fr_dump_row(struct fr_dump *dump);
/* The last of its kind: says how many there were no rows for. `kind` is in the plural. */
void fr_dump_end_rows(struct fr_dump *dump, const char *kind);

/* Takes their lock. */
void fr_dump_topics(struct fr_dump *dump, struct fr_topics *topics);

#endif
