#include "core/repeats.h"

#include <stdlib.h>
#include <string.h>

#define WORD_BITS 64
#define WORDS     (FR_REPEATS_WINDOW / WORD_BITS + 1)

/* The sliding window of RFC 4303, appendix A2, as blocks that are reused in a ring (RFC 6479): bit `sequence`
 * modulo all bits says whether it has come, for FR_REPEATS_WINDOW sequences up to `highest` and those of the
 * block that is being reused. Other than there, what falls behind the window is let through. */
struct fr_heard {
    uint64_t highest;
    uint64_t words[WORDS];
    size_t name_len;
    char name[];
};

static struct fr_heard *new_heard(struct freshet_span publisher, uint64_t sequence)
{
    struct fr_heard *heard = calloc(1, sizeof(*heard) + publisher.len);
    if (heard == NULL)
        return NULL;
    heard->highest = sequence;
    heard->name_len = publisher.len;
    memcpy(heard->name, publisher.data, publisher.len);
    return heard;
}

void fr_repeats_deinit(struct fr_repeats *repeats)
{
    for (unsigned i = 0; i < FR_REPEATS_PUBLISHERS; i++)
        free(repeats->heard[i]);
    *repeats = (struct fr_repeats){{NULL}};
}

/* The publisher's, moved to the front; NULL: no memory. */
static struct fr_heard *find(struct fr_repeats *repeats, struct freshet_span publisher, uint64_t sequence)
{
    struct fr_heard *found = NULL;
    unsigned at = 0;
    for (; at < FR_REPEATS_PUBLISHERS && repeats->heard[at] != NULL; at++) {
        struct fr_heard *heard = repeats->heard[at];
        if (freshet_span_equal(freshet_span(heard->name, heard->name_len), publisher)) {
            found = heard;
            break;
        }
    }
    if (found == NULL)
        found = new_heard(publisher, sequence);
    if (found == NULL)
        return NULL;
    if (at == FR_REPEATS_PUBLISHERS)
        free(repeats->heard[--at]);
    memmove(&repeats->heard[1], &repeats->heard[0], at * sizeof(repeats->heard[0]));
    return repeats->heard[0] = found;
}

static uint64_t *word_of(struct fr_heard *heard, uint64_t sequence)
{
    return &heard->words[sequence / WORD_BITS % WORDS];
}

/* Blocks between the old and the new highest hold what was a whole window ago. */
static void move_window(struct fr_heard *heard, uint64_t sequence)
{
    uint64_t blocks = sequence / WORD_BITS - heard->highest / WORD_BITS;
    for (uint64_t i = 1; i <= blocks && i <= WORDS; i++)
        *word_of(heard, (heard->highest / WORD_BITS + i) * WORD_BITS) = 0;
    heard->highest = sequence;
}

bool fr_repeats_note(struct fr_repeats *repeats, struct freshet_span publisher, uint64_t sequence)
{
    struct fr_heard *heard = find(repeats, publisher, sequence);
    if (heard == NULL)
        return false;
    if (sequence > heard->highest)
        move_window(heard, sequence);
    if (heard->highest - sequence >= FR_REPEATS_WINDOW)
        return false;
    uint64_t bit = UINT64_C(1) << sequence % WORD_BITS;
    bool before = (*word_of(heard, sequence) & bit) != 0;
    *word_of(heard, sequence) |= bit;
    return before;
}
