#include "bus/redis/proto/sentinels.h"

#include "base/text.h"
#include <string.h>

void fr_redis_sentinels_init(struct fr_redis_sentinels *sentinels, unsigned count, int64_t every_us,
                             int64_t patience_us)
{
    *sentinels = (struct fr_redis_sentinels){
        .count = count, .next_us = INT64_MAX, .every_us = every_us, .patience_us = patience_us};
    for (unsigned i = 0; i < count; i++)
        sentinels->order[i] = i;
}

/* Moves one that stands at `from` in the order to `to`. */
static void move(struct fr_redis_sentinels *sentinels, unsigned from, unsigned to)
{
    unsigned place = sentinels->order[from];
    for (; from > to; from--)
        sentinels->order[from] = sentinels->order[from - 1];
    for (; from < to; from++)
        sentinels->order[from] = sentinels->order[from + 1];
    sentinels->order[to] = place;
}

static unsigned find(const struct fr_redis_sentinels *sentinels, unsigned place)
{
    unsigned at = 0;
    while (sentinels->order[at] != place)
        at++;
    return at;
}

static void move_to_front(struct fr_redis_sentinels *sentinels, unsigned place)
{
    move(sentinels, find(sentinels, place), 0);
}

static void move_to_back(struct fr_redis_sentinels *sentinels, unsigned place)
{
    move(sentinels, find(sentinels, place), sentinels->count - 1);
}

void fr_redis_sentinels_came(struct fr_redis_sentinels *sentinels, unsigned place, int64_t now_us)
{
    sentinels->all[place] = (struct fr_redis_sentinel){.state = FR_REDIS_SENTINEL_ASKED, .asked_us = now_us};
}

void fr_redis_sentinels_went(struct fr_redis_sentinels *sentinels, unsigned place)
{
    sentinels->all[place] = (struct fr_redis_sentinel){.state = FR_REDIS_SENTINEL_AWAY};
}

static bool has(const struct fr_redis_sentinels *sentinels, enum fr_redis_sentinel_state state)
{
    for (unsigned i = 0; i < sentinels->count; i++)
        if (sentinels->all[i].state == state)
            return true;
    return false;
}

static void begin(struct fr_redis_sentinels *sentinels)
{
    sentinels->is_round = true;
    for (unsigned i = 0; i < sentinels->count; i++) {
        struct fr_redis_sentinel *sentinel = &sentinels->all[i];
        sentinel->names_left = false;
        if (sentinel->state == FR_REDIS_SENTINEL_DONE)
            sentinel->state = FR_REDIS_SENTINEL_RESTING;
    }
}

void fr_redis_sentinels_want(struct fr_redis_sentinels *sentinels)
{
    bool is_stuck = !has(sentinels, FR_REDIS_SENTINEL_ASKED) && !has(sentinels, FR_REDIS_SENTINEL_RESTING);
    if (!sentinels->is_round || is_stuck)
        begin(sentinels);
}

/* One that was asked, and may still answer in time. */
static bool awaits_answer(const struct fr_redis_sentinels *sentinels, int64_t now_us)
{
    for (unsigned i = 0; i < sentinels->count; i++)
        if (sentinels->all[i].state == FR_REDIS_SENTINEL_ASKED &&
            now_us - sentinels->all[i].asked_us < sentinels->patience_us)
            return true;
    return false;
}

int fr_redis_sentinels_next(struct fr_redis_sentinels *sentinels, int64_t now_us)
{
    if (!sentinels->is_round && now_us >= sentinels->next_us)
        begin(sentinels);
    if (!sentinels->is_round || awaits_answer(sentinels, now_us))
        return -1;
    for (unsigned i = 0; i < sentinels->count; i++) {
        struct fr_redis_sentinel *sentinel = &sentinels->all[sentinels->order[i]];
        if (sentinel->state != FR_REDIS_SENTINEL_RESTING)
            continue;
        sentinel->state = FR_REDIS_SENTINEL_ASKED;
        sentinel->asked_us = now_us;
        return (int)sentinels->order[i];
    }
    return -1;
}

int64_t fr_redis_sentinels_wake_us(const struct fr_redis_sentinels *sentinels)
{
    int64_t wake_us = INT64_MAX;
    if (!sentinels->is_round)
        return sentinels->next_us;
    if (!has(sentinels, FR_REDIS_SENTINEL_RESTING))
        return wake_us;
    for (unsigned i = 0; i < sentinels->count; i++) {
        const struct fr_redis_sentinel *sentinel = &sentinels->all[i];
        if (sentinel->state == FR_REDIS_SENTINEL_ASKED &&
            sentinel->asked_us + sentinels->patience_us < wake_us)
            wake_us = sentinel->asked_us + sentinels->patience_us;
    }
    return wake_us;
}

static void believe(struct fr_redis_sentinels *sentinels, unsigned place,
                    const struct fr_redis_address *master, int64_t now_us)
{
    move_to_front(sentinels, place);
    sentinels->is_round = false;
    sentinels->next_us = sentinels->every_us == INT64_MAX ? INT64_MAX : now_us + sentinels->every_us;
    sentinels->master = *master;
    sentinels->informant = place;
}

/* Whether more than half of all say so. */
static bool most_name_left(const struct fr_redis_sentinels *sentinels)
{
    unsigned found = 0;
    for (unsigned i = 0; i < sentinels->count; i++)
        found += sentinels->all[i].names_left ? 1 : 0;
    return found * 2 > sentinels->count;
}

bool fr_redis_sentinels_answer(struct fr_redis_sentinels *sentinels, unsigned place,
                               const struct fr_redis_address *master, int64_t now_us)
{
    bool is_left = sentinels->left.port != 0 && fr_redis_address_equal(&sentinels->left, master);
    sentinels->all[place].state = FR_REDIS_SENTINEL_DONE;
    sentinels->all[place].names_left = is_left;
    /* Nobody had asked, but it came, or was silent for long. If it has something new to say, the one at the
     * front shall say it. */
    if (!sentinels->is_round) {
        if (!fr_redis_address_equal(&sentinels->master, master))
            begin(sentinels);
        return false;
    }
    if (is_left && !most_name_left(sentinels))
        return false;
    if (is_left)
        sentinels->left = (struct fr_redis_address){.port = 0};
    believe(sentinels, place, master, now_us);
    return true;
}

void fr_redis_sentinels_refuse(struct fr_redis_sentinels *sentinels, unsigned place)
{
    sentinels->all[place].state = FR_REDIS_SENTINEL_DONE;
    move_to_back(sentinels, place);
}

void fr_redis_sentinels_switch(struct fr_redis_sentinels *sentinels, unsigned place,
                               const struct fr_redis_address *from, const struct fr_redis_address *to,
                               int64_t now_us)
{
    sentinels->left = *from;
    believe(sentinels, place, to, now_us);
}

static bool is_among(const struct fr_redis_address *address, const struct fr_redis_address *replicas,
                     unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (fr_redis_address_equal(&replicas[i], address))
            return true;
    return false;
}

static const struct fr_redis_address *choose(const struct fr_redis_sentinels *sentinels,
                                             const struct fr_redis_address *replicas, unsigned count,
                                             unsigned pick)
{
    for (unsigned i = 0; i < count; i++) {
        const struct fr_redis_address *replica = &replicas[(pick % count + i) % count];
        if (!fr_redis_address_equal(replica, &sentinels->avoided))
            return replica;
    }
    return &sentinels->master;
}

bool fr_redis_sentinels_aim(struct fr_redis_sentinels *sentinels, const struct fr_redis_address *replicas,
                            unsigned count, unsigned pick)
{
    if (is_among(&sentinels->target, replicas, count))
        return false;
    if (!is_among(&sentinels->avoided, replicas, count))
        sentinels->avoided = (struct fr_redis_address){.port = 0};
    const struct fr_redis_address *chosen = choose(sentinels, replicas, count, pick);
    bool is_new = !fr_redis_address_equal(&sentinels->target, chosen);
    sentinels->target = *chosen;
    return is_new;
}

void fr_redis_sentinels_blame(struct fr_redis_sentinels *sentinels, const struct fr_redis_address *address)
{
    if (fr_redis_address_equal(&sentinels->master, address) && sentinels->order[0] == sentinels->informant)
        move_to_back(sentinels, sentinels->informant);
    if (!fr_redis_address_equal(&sentinels->target, address) ||
        fr_redis_address_equal(&sentinels->master, address))
        return;
    sentinels->avoided = *address;
    sentinels->target = (struct fr_redis_address){.port = 0};
}

static bool is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING;
}

bool fr_redis_sentinel_read(const redisReply *reply, struct fr_redis_address *master)
{
    uint16_t port;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || !is_text(reply->element[0]) ||
        !is_text(reply->element[1]))
        return false;
    const redisReply *name = reply->element[0], *digits = reply->element[1];
    return fr_redis_address_read_port(freshet_span(digits->str, digits->len), &port) &&
           fr_redis_address_set(master, freshet_span(name->str, name->len), port);
}

/* The value behind a name, in an array that has these in turn; NULL: there is none. */
static const redisReply *value_of(const redisReply *fields, const char *name)
{
    for (size_t i = 0; fields->type == REDIS_REPLY_ARRAY && i + 1 < fields->elements; i += 2)
        if (is_text(fields->element[i]) && is_text(fields->element[i + 1]) &&
            strcmp(fields->element[i]->str, name) == 0)
            return fields->element[i + 1];
    return NULL;
}

/* One that is down, or not yet there, has more flags than this. */
static bool is_in_step(const redisReply *fields)
{
    const redisReply *flags = value_of(fields, "flags"), *status = value_of(fields, "master-link-status");
    return flags != NULL && status != NULL && strcmp(flags->str, "slave") == 0 &&
           strcmp(status->str, "ok") == 0;
}

unsigned fr_redis_sentinel_read_replicas(const redisReply *reply, struct fr_redis_address *replicas,
                                         unsigned max)
{
    unsigned count = 0;
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements && count < max; i++) {
        const redisReply *fields = reply->element[i];
        const redisReply *name = value_of(fields, "ip"), *digits = value_of(fields, "port");
        uint16_t port;
        if (is_in_step(fields) && name != NULL && digits != NULL &&
            fr_redis_address_read_port(freshet_span(digits->str, digits->len), &port) &&
            fr_redis_address_set(&replicas[count], freshet_span(name->str, name->len), port))
            count++;
    }
    return count;
}

static bool read_pair(struct freshet_span *rest, struct fr_redis_address *address)
{
    uint16_t port;
    struct freshet_span name = fr_text_cut(rest, ' '), digits = fr_text_cut(rest, ' ');
    return fr_redis_address_read_port(digits, &port) && fr_redis_address_set(address, name, port);
}

bool fr_redis_sentinel_read_switch(struct freshet_span body, struct freshet_span name,
                                   struct fr_redis_address *from, struct fr_redis_address *to)
{
    struct freshet_span rest = body;
    return freshet_span_equal(fr_text_cut(&rest, ' '), name) && read_pair(&rest, from) &&
           read_pair(&rest, to) && rest.len == 0;
}
