/* What the application has answered, for a time, and who waits for its answer: whoever asks the same gets the
 * same. Keys are hashes, so nobody's cookies are kept. Without clock and network; of its owner's lock. */
#ifndef BRIDGE_GUARD_ANSWERS_H
#define BRIDGE_GUARD_ANSWERS_H

#include <freshet/guard.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ANSWERS_KEY_BYTES = 32, ANSWERS_MAX = 10000, ANSWERS_BUCKETS = 4096 };

struct answers_wait {
    struct answers_wait *next;
    struct freshet_check check;
};

/* One question. */
struct answer {
    struct answer *next; /* in its bucket */
    unsigned char key[ANSWERS_KEY_BYTES];
    bool out;                     /* the application is being asked */
    struct answers_wait *waiting; /* then */
    int64_t until_ms;             /* else: it allows until then */
    char **values;                /* of the attributes, in the order of the guard's; NULL: not set */
    size_t value_count;
};

struct answers {
    struct answer *buckets[ANSWERS_BUCKETS];
    size_t count;
};

/* The answer to that question, maybe out of date. NULL: nobody has asked. */
struct answer *answers_find(struct answers *answers, const unsigned char *key);

/* A new one, which is out. Those whose time is over make room. NULL: ANSWERS_MAX are there, or no memory. */
struct answer *answers_add(struct answers *answers, const unsigned char *key, int64_t now_ms);

void answers_remove(struct answers *answers, struct answer *answer);
/* None may be out. */
void answers_deinit(struct answers *answers);

/* Frees the values. */
void answer_clear(struct answer *answer);

#endif
