#include "bus/redis/shard/hearing.h"

#include "base/text.h"
#include "bus/redis/proto/fault.h"

bool fr_redis_is_astray(struct freshet_span error, const struct fr_redis_address *from,
                        struct fr_redis_redirect *redirect)
{
    *redirect = fr_redis_redirect_read(error, from);
    return redirect->kind != FR_REDIS_REDIRECT_NONE || fr_text_begins(error, "CLUSTERDOWN");
}

static bool take(struct fr_redis_lane *lane, const struct fr_redis_push *push, int64_t now_us)
{
    return fr_redis_subscriptions_take(&lane->subscriptions, push, now_us);
}

static bool has_left(const struct fr_redis_awaited *awaited)
{
    return awaited->epoch != ((const struct fr_redis_lane *)awaited->owner)->epoch;
}

static enum fr_redis_heard take_answer(struct fr_redis_hearing *hearing, enum fr_redis_verb verb,
                                       const struct fr_redis_push *push, int64_t now_us)
{
    const struct fr_redis_awaited *next = fr_redis_answers_next(hearing->answers);
    if (next == NULL || next->kind != (int)verb)
        return FR_REDIS_HEARD_NONSENSE;
    struct fr_redis_lane *lane = next->owner;
    bool is_nobodys = has_left(next);
    fr_redis_answers_take(hearing->answers);
    return is_nobodys || take(lane, push, now_us) ? FR_REDIS_HEARD_WELL : FR_REDIS_HEARD_NONSENSE;
}

static bool is_asked_farewell(struct fr_redis_hearing *hearing, const struct fr_redis_push *push,
                              const struct fr_redis_lane *named, int64_t now_us)
{
    const struct fr_redis_awaited *next = fr_redis_answers_next(hearing->answers);
    if (next == NULL || next->kind != FR_REDIS_UNSUBSCRIBE)
        return false;
    bool fits = has_left(next) ? next->owner == named : take(next->owner, push, now_us);
    if (fits)
        fr_redis_answers_take(hearing->answers);
    return fits;
}

/* Unasked, and of a channel that nobody wants: the lane has left, or the topic has. */
static enum fr_redis_heard take_farewell(struct fr_redis_hearing *hearing, const struct fr_redis_push *push,
                                         struct fr_redis_lane *named, int64_t now_us)
{
    if (is_asked_farewell(hearing, push, named, now_us))
        return FR_REDIS_HEARD_WELL;
    if (!hearing->is_sharded)
        return FR_REDIS_HEARD_NONSENSE;
    if (named == NULL || named->shard != hearing->shard ||
        !fr_redis_subscriptions_is_wanted(&named->subscriptions, push->channel))
        return FR_REDIS_HEARD_WELL;
    hearing->astray = named;
    hearing->redirect = (struct fr_redis_redirect){.kind = FR_REDIS_REDIRECT_NONE};
    return FR_REDIS_HEARD_ASTRAY;
}

/* An error that names a slot is for a command of that slot. When the next to be answered is none of it, an
 * unasked farewell to the same channel has come before and has passed for the answer: nothing is left to be
 * answered. */
static bool is_surplus(const struct fr_redis_awaited *next, const struct fr_redis_redirect *redirect)
{
    if (redirect->kind != FR_REDIS_REDIRECT_MOVED)
        return false;
    return next == NULL || next->kind == FR_REDIS_PING ||
           ((const struct fr_redis_lane *)next->owner)->slot != redirect->slot;
}

static bool is_about_the_link(struct freshet_span error)
{
    enum fr_redis_fault fault = fr_redis_fault_of(error);
    return fr_redis_fault_ends_link(fault) && fault != FR_REDIS_FAULT_BUSY;
}

static enum fr_redis_heard take_error(struct fr_redis_hearing *hearing, const struct fr_redis_push *push,
                                      int64_t now_us)
{
    const struct fr_redis_awaited *next = fr_redis_answers_next(hearing->answers);
    bool is_astray =
        hearing->is_sharded && fr_redis_is_astray(push->body, &hearing->from, &hearing->redirect);
    if (is_astray && is_surplus(next, &hearing->redirect))
        return FR_REDIS_HEARD_WELL;
    if (next == NULL)
        return FR_REDIS_HEARD_NONSENSE;
    struct fr_redis_lane *lane = next->owner;
    bool is_nobodys = has_left(next);
    fr_redis_answers_finish(hearing->answers);
    hearing->astray = lane;
    if (is_nobodys)
        return is_about_the_link(push->body) ? FR_REDIS_HEARD_NONSENSE : FR_REDIS_HEARD_WELL;
    if (is_astray)
        return FR_REDIS_HEARD_ASTRAY;
    return take(lane, push, now_us) ? FR_REDIS_HEARD_WELL : FR_REDIS_HEARD_NONSENSE;
}

enum fr_redis_heard fr_redis_hearing_take(struct fr_redis_hearing *hearing, const struct fr_redis_push *push,
                                          struct fr_redis_lane *named, int64_t now_us)
{
    switch (push->kind) {
    case FR_REDIS_PUSH_SUBSCRIBED:
        return take_answer(hearing, FR_REDIS_SUBSCRIBE, push, now_us);
    case FR_REDIS_PUSH_UNSUBSCRIBED:
        return take_farewell(hearing, push, named, now_us);
    case FR_REDIS_PUSH_PONG:
        return take_answer(hearing, FR_REDIS_PING, push, now_us);
    case FR_REDIS_PUSH_ERROR:
        return take_error(hearing, push, now_us);
    case FR_REDIS_PUSH_MESSAGE:
    case FR_REDIS_PUSH_OTHER:
        break;
    }
    return FR_REDIS_HEARD_NONSENSE;
}
