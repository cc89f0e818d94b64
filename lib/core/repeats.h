/* Tells which messages of a topic have come before, by publisher and sequence: a publish whose answer was
 * lost with the link is sent again (contract 3.4). */
#ifndef FR_REPEATS_H
#define FR_REPEATS_H

#include <freshet/span.h>
#include <stdbool.h>
#include <stdint.h>

/* Publishers that are remembered; the one heard of least lately makes room. */
#define FR_REPEATS_PUBLISHERS 16
/* How far behind the highest sequence of its publisher a message is still looked up. Behind that it counts as
 * new: a message shown twice is better than one that is lost. */
#define FR_REPEATS_WINDOW 960

struct fr_heard;

/* A zeroed struct is ready. */
struct fr_repeats {
    struct fr_heard *heard[FR_REPEATS_PUBLISHERS]; /* newest first; NULL: none from here on */
};
void fr_repeats_deinit(struct fr_repeats *repeats);

/* Remembers the message. True: it has come before. Without memory for a new publisher everything of it counts
 * as new. */
bool fr_repeats_note(struct fr_repeats *repeats, struct freshet_span publisher, uint64_t sequence);

#endif
