#include "core/hub/feed_plan.h"

static bool is_marked(const struct fr_feed_facts *facts, enum freshet_load_cause cause)
{
    return (facts->marks & 1u << cause) != 0;
}

/* Several marks are served by one load, which tells the cause that says most. */
static enum freshet_load_cause choose_cause(const struct fr_feed_facts *facts, bool held_back)
{
    if (facts->marks == 0)
        return facts->topic == FR_TOPIC_CONFIRMED ? FRESHET_CAUSE_SETTLE : FRESHET_CAUSE_GAP;
    if (is_marked(facts, FRESHET_CAUSE_CONNECT) && !facts->has_snapshot)
        return FRESHET_CAUSE_CONNECT;
    if (facts->publishes > 0)
        return held_back ? FRESHET_CAUSE_INTERVAL : FRESHET_CAUSE_PUBLISH;
    if (is_marked(facts, FRESHET_CAUSE_GAP))
        return FRESHET_CAUSE_GAP;
    if (is_marked(facts, FRESHET_CAUSE_RETRY))
        return FRESHET_CAUSE_RETRY;
    return is_marked(facts, FRESHET_CAUSE_SETTLE) ? FRESHET_CAUSE_SETTLE : FRESHET_CAUSE_CONNECT;
}

/* When a load is wanted, whatever the pace; INT64_MIN: at once. */
static int64_t wanted_us(const struct fr_feed_facts *facts)
{
    if (facts->marks == 0 && facts->topic == FR_TOPIC_CONFIRMED)
        return facts->settle_us;
    if (facts->marks == 0 && facts->bus_error)
        return facts->poll_us;
    /* After a refusal there is nothing to wait for. */
    int64_t at = facts->topic == FR_TOPIC_WAITING ? facts->grace_end_us : INT64_MIN;
    if (facts->marks == 0 || facts->failures == 0)
        return at;
    bool has_news = facts->publishes > 0 || is_marked(facts, FRESHET_CAUSE_GAP);
    int64_t next = has_news ? facts->failed_us + FR_FEED_RETRY_FIRST_US : facts->retry_us;
    return next > at ? next : at;
}

struct fr_feed_plan fr_feed_plan_of(const struct fr_feed_facts *facts)
{
    struct fr_feed_plan plan = {.due_us = wanted_us(facts), .held_back = facts->held_back};
    int64_t paced_us = facts->began_us + facts->min_interval_us;
    if (facts->min_interval_us != 0 && facts->began_us != 0 && paced_us > plan.due_us) {
        plan.held_back |= facts->publishes > 0 && paced_us > facts->now_us;
        plan.due_us = paced_us;
    }
    plan.cause = choose_cause(facts, plan.held_back);
    return plan;
}
