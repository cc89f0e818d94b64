#include "core/hub/feed_internal.h"

#include "base/log.h"
#include "base/text.h"
#include "core/hub/fanout.h"
#include <inttypes.h>
#include <stdlib.h>

static const char *const state_texts[] = {
    [FR_FEED_IDLE] = "idle",     [FR_FEED_PAUSED] = "paused",   [FR_FEED_CHECKING] = "checking",
    [FR_FEED_QUEUED] = "queued", [FR_FEED_LOADING] = "loading", [FR_FEED_LINGERING] = "lingering"};

/* The one place that changes the state. Feeds do so with each load: nothing is escaped for a line that nobody
 * takes. */
void fr_feed_enter(struct fr_feed *feed, enum fr_feed_state state)
{
    const struct freshet_log *log = fr_freshet_log(feed->worker->freshet);
    if (state != feed->state && fr_log_takes(log, FRESHET_LOG_DEBUG))
        fr_log(log, FRESHET_LOG_DEBUG, "feed of %s for topic %s: %s -> %s", feed->key->loader->name,
               fr_escape(feed->key->topic).text, state_texts[feed->state], state_texts[state]);
    feed->state = state;
}

struct fr_feed_plan fr_feed_make_plan(const struct fr_feed *feed, int64_t now_us)
{
    const struct fr_subscription *subscription = feed->subscription;
    struct fr_feed_facts facts = {
        .now_us = now_us,
        .marks = feed->marks,
        .publishes = feed->publishes,
        .held_back = feed->held_back,
        .has_snapshot = feed->snapshot != NULL,
        .topic = subscription->state,
        .grace_end_us = fr_subscription_grace_end_us(subscription),
        .bus_error = feed->bus_error,
        .poll_us = feed->poll_us,
        .settle_us = feed->settle_us,
        .failures = feed->failures,
        .failed_us = feed->failed_us,
        .retry_us = feed->retry_us,
        .began_us = feed->began_us,
        .min_interval_us = (int64_t)fr_feed_options(feed)->min_interval_ms * FR_US_PER_MS,
    };
    return fr_feed_plan_of(&facts);
}

void fr_feed_clear_marks(struct fr_feed *feed)
{
    feed->marks = 0;
    feed->publishes = 0;
    feed->published_us = 0;
    feed->held_back = false;
    fr_bytes_release(feed->body);
    feed->body = NULL;
}

static void rest(struct fr_feed *feed)
{
    if (feed->state == FR_FEED_LOADING) {
        atomic_store_explicit(&feed->load->cancelled, true, memory_order_relaxed);
        return;
    }
    fr_feed_clear_marks(feed);
    if (feed->state == FR_FEED_LINGERING)
        return;
    if (feed->state == FR_FEED_QUEUED) {
        fr_load_drop(feed->load);
        feed->load = NULL;
    }
    fr_feed_enter(feed, FR_FEED_LINGERING);
    fr_timers_set(&feed->worker->timers, &feed->timer, fr_subscription_linger_end_us(feed->subscription));
}

/* The one place that chooses what a feed does next. */
void fr_feed_decide(struct fr_feed *feed)
{
    if (!fr_feed_has_audience(feed)) {
        rest(feed);
        return;
    }
    if (feed->state == FR_FEED_CHECKING || feed->state == FR_FEED_QUEUED || feed->state == FR_FEED_LOADING)
        return;
    if (fr_feed_has_left(feed))
        return;
    int64_t now_us = fr_feed_now_us(feed);
    struct fr_feed_plan plan = fr_feed_make_plan(feed, now_us);
    if (plan.due_us == INT64_MAX) {
        fr_timers_cancel(&feed->worker->timers, &feed->timer);
        fr_feed_enter(feed, FR_FEED_IDLE);
    } else if (plan.due_us <= now_us) {
        if (feed->marks == 0)
            fr_feed_mark(feed, plan.cause);
        fr_feed_begin_load(feed);
    } else {
        feed->held_back = plan.held_back;
        fr_feed_enter(feed, FR_FEED_PAUSED);
        fr_timers_set(&feed->worker->timers, &feed->timer, plan.due_us);
    }
}

static void destroy(struct fr_feed *feed)
{
    struct fr_worker *worker = feed->worker;
    while (!fr_list_is_empty(&feed->fanouts)) {
        struct fr_fanout *fanout = FR_CONTAINER(feed->fanouts.next, struct fr_fanout, in_feed);
        fr_list_remove(&fanout->in_feed);
        fanout->feed = NULL;
        fr_fanout_lose(fanout);
    }
    fr_timers_cancel(&worker->timers, &feed->timer);
    fr_timers_unreserve(&worker->timers);
    if (feed->load != NULL)
        fr_load_drop(feed->load);
    if (feed->abandoned != NULL)
        fr_load_drop(feed->abandoned);
    if (fr_loader_shares(feed->key->loader))
        fr_map_remove(&worker->feeds, &feed->node);
    fr_subscription_unlisten(&feed->listener);
    fr_feed_clear_marks(feed);
    fr_snapshot_release(feed->snapshot);
    fr_bytes_release(feed->error);
    fr_feed_key_release(feed->key);
    fr_count_down(&worker->counters.feeds);
    free(feed);
}

static void expire(struct fr_timer *timer)
{
    struct fr_feed *feed = FR_CONTAINER(timer, struct fr_feed, timer);
    if (feed->state == FR_FEED_LOADING)
        fr_feed_check_load_time(feed);
    else if (feed->state == FR_FEED_LINGERING)
        destroy(feed);
    else
        fr_feed_decide(feed);
}

/* ---- from outside ---- */

/* What failed may go well now: no long waits from before. */
static void hurry(struct fr_feed *feed)
{
    if (feed->failures == 0)
        return;
    feed->failures = 1;
    feed->retry_us = feed->failed_us + FR_FEED_RETRY_FIRST_US;
}

static void on_event(struct fr_listener *listener, const struct fr_event *event)
{
    struct fr_feed *feed = FR_CONTAINER(listener, struct fr_feed, listener);
    if (event->publishes > 0) {
        feed->publishes += event->publishes;
        if (feed->published_us == 0)
            feed->published_us = event->published_us;
        fr_bytes_release(feed->body);
        feed->body = event->body == NULL ? NULL : fr_bytes_acquire(event->body);
        fr_feed_mark(feed, FRESHET_CAUSE_PUBLISH);
    }
    if (event->gap) {
        /* What is told late, for the pace of it, may find that a load has begun since. */
        if (!fr_feed_has_looked(feed))
            fr_feed_mark(feed, FRESHET_CAUSE_GAP);
        hurry(feed); /* what came back may be the store, too */
    }
    if (event->retry && (event->retry_loader == NULL || event->retry_loader == feed->key->loader))
        hurry(feed);
    fr_feed_decide(feed);
}

/* The load that runs does not serve one who comes now: it was told that nobody waits, or its cache would not
 * take its answer. */
static bool is_too_early(struct fr_feed *feed)
{
    return feed->state == FR_FEED_LOADING &&
           (atomic_load_explicit(&feed->load->cancelled, memory_order_relaxed) || fr_feed_is_outdated(feed));
}

void fr_feed_ask(struct fr_feed *feed, struct fr_fanout *fanout)
{
    if (fanout->feed == NULL) {
        if (!fr_feed_has_audience(feed))
            fr_subscription_gain(feed->subscription);
        fanout->feed = feed;
        fr_list_append(&feed->fanouts, &fanout->in_feed);
    }
    if (feed->state == FR_FEED_LINGERING) {
        fr_timers_cancel(&feed->worker->timers, &feed->timer);
        fr_feed_enter(feed, FR_FEED_IDLE);
    }
    fanout->waits = true;
    bool known = fr_feed_is_known(feed);
    if (known || (feed->failures > 0 && feed->error != NULL))
        fr_feed_update_fanouts(feed);
    if (known)
        return;
    if (feed->state == FR_FEED_IDLE || feed->state == FR_FEED_PAUSED || is_too_early(feed))
        fr_feed_mark(feed, FRESHET_CAUSE_CONNECT);
    fr_feed_decide(feed);
}

void fr_feed_detach(struct fr_feed *feed, struct fr_fanout *fanout)
{
    fr_list_remove(&fanout->in_feed);
    fanout->feed = NULL;
    if (fr_feed_has_audience(feed))
        return;
    fr_feed_decide(feed);
    fr_subscription_lose(feed->subscription);
    if (!fr_loader_shares(feed->key->loader))
        destroy(feed);
}

static void on_subscription_ended(struct fr_listener *listener)
{
    destroy(FR_CONTAINER(listener, struct fr_feed, listener));
}

static void describe(const struct fr_listener *listener, FILE *file)
{
    const struct fr_feed *feed = FR_CONTAINER(listener, struct fr_feed, listener);
    int64_t began_ms = (fr_feed_now_us(feed) - feed->began_us) / FR_US_PER_MS;
    fprintf(file, "  feed %s of %s: %s, %s, marks %#x, publishes %" PRIu64, feed->key->loader->name,
            fr_escape(feed->key->topic).text, state_texts[feed->state],
            fr_loader_shares(feed->key->loader) ? "shared" : "of one connection", feed->marks,
            feed->publishes);
    if (feed->began_us != 0)
        fprintf(file, ", loaded %lld ms ago", (long long)began_ms);
    if (feed->abandoned != NULL)
        fprintf(file, ", a load is out after its time");
    if (feed->failures > 0)
        fprintf(file, ", failures %u", feed->failures);
    fprintf(file, ", snapshot %" PRIu32, feed->snapshot_number);
    if (feed->snapshot != NULL) {
        char version[FR_VERSION_HEX + 1] = "";
        fr_text_put_hex(version, feed->snapshot->version.bytes, sizeof(feed->snapshot->version.bytes));
        fprintf(file, " version %s", version);
    }
    fprintf(file, ", error %" PRIu32 "%s%s\n", feed->error_number, feed->error == NULL ? "" : " ",
            feed->error_code);
}

static const struct fr_listener_type listener_type = {
    .event = on_event, .ended = on_subscription_ended, .describe = describe};

static enum freshet_status new_feed(struct fr_worker *worker, struct fr_feed_key *key,
                                    struct fr_subscription *subscription, struct fr_feed **out)
{
    struct fr_feed *feed = calloc(1, sizeof(*feed));
    if (feed == NULL || !fr_timers_reserve(&worker->timers)) {
        free(feed);
        if (subscription->audience == 0)
            fr_subscription_linger(subscription);
        return FRESHET_NO_MEMORY;
    }
    feed->worker = worker;
    feed->subscription = subscription;
    feed->key = fr_feed_key_acquire(key);
    feed->timer.expire = expire;
    feed->settle_us = INT64_MAX;
    feed->admitted = true; /* the guards that let the stream in count for its first load */
    fr_list_init(&feed->fanouts);
    feed->listener.type = &listener_type;
    fr_subscription_listen(subscription, &feed->listener);
    if (fr_loader_shares(feed->key->loader))
        fr_map_put(&worker->feeds, key->id, &feed->node);
    fr_count(&worker->counters.feeds, 1);
    *out = feed;
    return FRESHET_OK;
}

enum freshet_status fr_feed_get(struct fr_worker *worker, struct fr_feed_key *key, struct fr_topic *topic,
                                struct fr_feed **out)
{
    struct fr_subscription *subscription;
    struct fr_map_node *node = fr_loader_shares(key->loader) ? fr_map_get(&worker->feeds, key->id) : NULL;
    if (node != NULL) {
        *out = FR_CONTAINER(node, struct fr_feed, node);
        return FRESHET_OK;
    }
    enum freshet_status status = fr_subscription_get(worker, topic, &subscription);
    return status != FRESHET_OK ? status : new_feed(worker, key, subscription, out);
}
