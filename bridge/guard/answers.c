#include "guard/answers.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The key is a hash already. */
static struct answer **bucket(struct answers *answers, const unsigned char *key)
{
    return &answers->buckets[(key[0] | key[1] << 8) % ANSWERS_BUCKETS];
}

struct answer *answers_find(struct answers *answers, const unsigned char *key)
{
    struct answer *answer = *bucket(answers, key);
    while (answer != NULL && memcmp(answer->key, key, ANSWERS_KEY_BYTES) != 0)
        answer = answer->next;
    return answer;
}

void answer_clear(struct answer *answer)
{
    for (size_t i = 0; i < answer->value_count; i++)
        free(answer->values[i]);
    free(answer->values);
    answer->values = NULL;
    answer->value_count = 0;
}

void answers_remove(struct answers *answers, struct answer *answer)
{
    struct answer **at = bucket(answers, answer->key);
    while (*at != answer)
        at = &(*at)->next;
    *at = answer->next;
    assert(answer->waiting == NULL);
    answer_clear(answer);
    free(answer);
    answers->count--;
}

static void drop_old(struct answers *answers, int64_t now_ms)
{
    for (size_t i = 0; i < ANSWERS_BUCKETS; i++) {
        for (struct answer *next, *answer = answers->buckets[i]; answer != NULL; answer = next) {
            next = answer->next;
            if (!answer->out && answer->until_ms <= now_ms)
                answers_remove(answers, answer);
        }
    }
}

struct answer *answers_add(struct answers *answers, const unsigned char *key, int64_t now_ms)
{
    if (answers->count == ANSWERS_MAX)
        drop_old(answers, now_ms);
    struct answer *answer = answers->count == ANSWERS_MAX ? NULL : calloc(1, sizeof(*answer));
    if (answer == NULL)
        return NULL;
    struct answer **at = bucket(answers, key);
    memcpy(answer->key, key, ANSWERS_KEY_BYTES);
    answer->out = true;
    answer->next = *at;
    *at = answer;
    answers->count++;
    return answer;
}

void answers_deinit(struct answers *answers)
{
    for (size_t i = 0; i < ANSWERS_BUCKETS; i++) {
        while (answers->buckets[i] != NULL)
            answers_remove(answers, answers->buckets[i]);
    }
}
