#include "bus/redis/cluster/key.h"

#include <string.h>
#include <strings.h>

#define NOWHERE        (-1)
#define BEHIND_STREAMS (-2) /* behind that word */

static const struct {
    const char *verb;
    int place;     /* where the first key is among the arguments */
    bool is_count; /* the number of keys is there, which may be 0, and the first key behind it */
} exceptions[] = {
    {"PING", NOWHERE, false},
    {"ECHO", NOWHERE, false},
    {"TIME", NOWHERE, false},
    {"INFO", NOWHERE, false},
    {"ROLE", NOWHERE, false},
    {"DBSIZE", NOWHERE, false},
    {"KEYS", NOWHERE, false},
    {"SCAN", NOWHERE, false},
    {"RANDOMKEY", NOWHERE, false},
    {"CLIENT", NOWHERE, false},
    {"CONFIG", NOWHERE, false},
    {"CLUSTER", NOWHERE, false},
    {"COMMAND", NOWHERE, false},
    {"SCRIPT", NOWHERE, false},
    {"FUNCTION", NOWHERE, false},
    {"ACL", NOWHERE, false},
    {"PUBLISH", NOWHERE, false},
    {"PUBSUB", NOWHERE, false},
    {"WAIT", NOWHERE, false},
    {"FLUSHALL", NOWHERE, false},
    {"FLUSHDB", NOWHERE, false},
    {"SAVE", NOWHERE, false},
    {"BGSAVE", NOWHERE, false},
    {"LASTSAVE", NOWHERE, false},
    {"SLOWLOG", NOWHERE, false},
    {"LATENCY", NOWHERE, false},
    {"DEBUG", NOWHERE, false},
    {"OBJECT", 2, false},
    {"XINFO", 2, false},
    {"XGROUP", 2, false},
    {"BITOP", 2, false},
    {"MEMORY", 2, false},
    {"EVAL", 2, true},
    {"EVAL_RO", 2, true},
    {"EVALSHA", 2, true},
    {"EVALSHA_RO", 2, true},
    {"FCALL", 2, true},
    {"FCALL_RO", 2, true},
    {"ZUNION", 1, true},
    {"ZINTER", 1, true},
    {"ZDIFF", 1, true},
    {"ZINTERCARD", 1, true},
    {"SINTERCARD", 1, true},
    {"LMPOP", 1, true},
    {"ZMPOP", 1, true},
    {"BLMPOP", 2, true},
    {"BZMPOP", 2, true},
    {"XREAD", BEHIND_STREAMS, false},
    {"XREADGROUP", BEHIND_STREAMS, false},
};

static bool is_word(struct freshet_span text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.data, word, text.len) == 0;
}

static size_t find_word(const struct freshet_span *arguments, size_t count, const char *word)
{
    size_t at = 1;
    while (at < count && !is_word(arguments[at], word))
        at++;
    return at;
}

bool fr_redis_key_of(const struct freshet_span *arguments, size_t count, struct freshet_span *key)
{
    size_t at = 1;
    for (size_t i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++) {
        if (!is_word(arguments[0], exceptions[i].verb))
            continue;
        if (exceptions[i].place == NOWHERE)
            return false;
        at = exceptions[i].place == BEHIND_STREAMS ? find_word(arguments, count, "STREAMS") + 1
                                                   : (size_t)exceptions[i].place;
        if (exceptions[i].is_count && (at >= count || is_word(arguments[at], "0")))
            return false;
        at += exceptions[i].is_count;
        break;
    }
    if (at >= count)
        return false;
    *key = arguments[at];
    return true;
}
