/* Tells which messages of a topic have come before: a publish whose answer was lost with the link is sent
 * again (contract 3.4), byte for byte. So the whole body is compared, by its hash: a body with the name and
 * the sequence of another publisher, which anybody can write, is no repeat of what that one says later, and
 * takes nothing away from it. */
#ifndef FR_DEDUP_H
#define FR_DEDUP_H

#include <freshet/span.h>
#include <stdbool.h>
#include <stdint.h>

/* Messages that are remembered; the oldest make room. What comes again after so many others counts as new: a
 * message shown twice is better than one that is lost. */
#define FR_DEDUP_MOST 1024

/* A zeroed struct is ready. */
struct fr_dedup {
    uint64_t seed[2];
    uint64_t *hashes; /* a ring of `capacity`; NULL: none yet */
    uint32_t capacity, count, next;
};
void fr_dedup_deinit(struct fr_dedup *dedup);

/* Remembers the message. True: it has come before. Without memory fewer are remembered. */
bool fr_dedup_note(struct fr_dedup *dedup, struct freshet_span body);

#endif
