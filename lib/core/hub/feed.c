#include "core/hub/feed_internal.h"

#include "base/log.h"
#include "core/guard/admission.h"
#include "core/hub/fanout.h"
#include "core/hub/feed_plan.h"
#include <assert.h>
#include <stdlib.h>

#define OVERDUE_US (30 * FR_US_PER_S)

static void decide(struct fr_feed *feed);
static void on_load_granted(void *owner);
static void on_load_answered(void *owner, struct fr_load *load);
static void on_abandoned_load_ended(void *owner);

static const struct fr_load_events load_events = {
    .granted = on_load_granted, .answered = on_load_answered, .abandoned_ended = on_abandoned_load_ended};

static const char *const state_texts[] = {
    [FR_FEED_IDLE] = "idle",     [FR_FEED_PAUSED] = "paused",   [FR_FEED_CHECKING] = "checking",
    [FR_FEED_QUEUED] = "queued", [FR_FEED_LOADING] = "loading", [FR_FEED_LINGERING] = "lingering"};

/* The one place that changes the state. Feeds do so with each load: nothing is escaped for a line that nobody
 * takes. */
static void enter(struct fr_feed *feed, enum fr_feed_state state)
{
    const struct freshet_log *log = fr_freshet_log(feed->worker->freshet);
    if (state != feed->state && fr_log_takes(log, FRESHET_LOG_DEBUG))
        fr_log(log, FRESHET_LOG_DEBUG, "feed of %s for topic %s: %s -> %s", feed->key->loader->name,
               fr_escape(feed->key->topic).text, state_texts[feed->state], state_texts[state]);
    feed->state = state;
}

static struct fr_feed_plan make_plan(const struct fr_feed *feed, int64_t now_us)
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

static void clear_marks(struct fr_feed *feed)
{
    feed->marks = 0;
    feed->publishes = 0;
    feed->published_us = 0;
    feed->held_back = false;
    fr_bytes_release(feed->body);
    feed->body = NULL;
}

static void on_load_answered(void *owner, struct fr_load *load)
{
    struct fr_feed *feed = owner;
    assert(load == feed->load && feed->state == FR_FEED_LOADING);
    feed->load = NULL;
    enter(feed, FR_FEED_IDLE);
    fr_timers_cancel(&feed->worker->timers, &feed->timer);
    fr_feed_take_result(feed, load);
    feed->timed_out = false;
    fr_load_done(load);
    decide(feed);
}

/* ---- loading ---- */

/* Since when the loader has been at it; a load that waits for a thread of the pool has not begun. */
static int64_t called_us(const struct fr_feed *feed)
{
    int64_t at_us = atomic_load_explicit(&feed->load->called_us, memory_order_relaxed);
    return at_us == 0 ? fr_feed_now_us(feed) : at_us;
}

/* When the running load has to be looked at: its time is up, or it is out for long. */
static void set_load_timer(struct fr_feed *feed)
{
    int64_t at = feed->overdue ? INT64_MAX : feed->began_us + OVERDUE_US;
    int64_t deadline = called_us(feed) + (int64_t)fr_feed_options(feed)->timeout_ms * FR_US_PER_MS;
    if (fr_feed_options(feed)->timeout_ms != 0 && !feed->timed_out && deadline < at)
        at = deadline;
    if (at != INT64_MAX)
        fr_timers_set(&feed->worker->timers, &feed->timer, at);
}

static void fail_to_start(struct fr_feed *feed)
{
    enter(feed, FR_FEED_IDLE);
    feed->marks &= ~(1u << FRESHET_CAUSE_GAP); /* the retry stands for it, with its delay */
    fr_feed_fail(feed, "no-memory", "the data could not be loaded");
    decide(feed);
}

static bool is_single(const struct fr_feed *feed)
{
    return !fr_loader_shares(feed->key->loader);
}

/* Of a single feed with an audience; NULL: it has left, and the word of it is on its way. */
static struct fr_view *only_view(const struct fr_feed *feed)
{
    return fr_fanout_only_view(FR_CONTAINER(feed->fanouts.next, struct fr_fanout, in_feed));
}

/* Then nothing is loaded any more: what its guards found has gone with it. */
static bool has_left(const struct fr_feed *feed)
{
    return is_single(feed) && only_view(feed) == NULL;
}

/* The admission of the one connection; NULL: no guards, or several. */
static struct fr_admission *admission_of(const struct fr_feed *feed)
{
    return is_single(feed) ? only_view(feed)->admission : NULL;
}

static struct fr_attribute *attributes_of(const struct fr_feed *feed)
{
    struct fr_admission *admission = admission_of(feed);
    return admission == NULL ? NULL : fr_attribute_acquire(admission->attributes);
}

/* From here on the marks are for the load after this one. Returns the body of the newest message. */
static struct fr_bytes *take_marks(struct fr_feed *feed)
{
    struct fr_bytes *body = feed->body;
    feed->running_publishes = feed->publishes;
    feed->running_published_us = feed->published_us;
    if (feed->publishes > 1)
        fr_count(&feed->worker->counters.loads_collapsed, feed->publishes - 1);
    feed->body = NULL;
    clear_marks(feed);
    feed->settles |= feed->running_publishes > 0 && fr_feed_options(feed)->settle_ms != 0;
    /* One that runs earlier for another cause does not stand for it. */
    if (feed->settles || feed->settle_us <= fr_feed_now_us(feed))
        feed->settle_us = INT64_MAX;
    return body;
}

static void start(struct fr_feed *feed)
{
    int64_t now_us = fr_feed_now_us(feed);
    enum freshet_load_cause cause = make_plan(feed, now_us).cause;
    struct fr_bytes *body = take_marks(feed);
    feed->began_us = now_us;
    feed->overdue = false;
    feed->admitted = false;
    enter(feed, FR_FEED_LOADING);
    feed->load->attributes = attributes_of(feed);
    set_load_timer(feed);
    if (fr_load_start(feed->load, cause, feed->running_publishes, body))
        return;
    struct fr_load *load = feed->load;
    feed->load = NULL;
    fr_timers_cancel(&feed->worker->timers, &feed->timer);
    fr_load_withdraw(load);
    fail_to_start(feed);
}

/* Instead of a load. */
static void use_cached(struct fr_feed *feed, struct fr_bytes *bytes)
{
    enter(feed, FR_FEED_IDLE);
    fr_bytes_release(take_marks(feed));
    fr_feed_succeed(feed, bytes);
    fr_bytes_release(bytes);
    decide(feed);
}

static void begin(struct fr_feed *feed)
{
    struct fr_admission *admission = admission_of(feed);
    fr_timers_cancel(&feed->worker->timers, &feed->timer);
    if (admission != NULL && !(feed->admitted && fr_admission_is_fresh(admission))) {
        enter(feed, FR_FEED_CHECKING);
        fr_admission_run(admission);
        return;
    }
    struct fr_bytes *cached = fr_feed_find_cached(feed);
    if (cached != NULL) {
        use_cached(feed, cached);
        return;
    }
    feed->load = fr_load_new(feed->worker, feed->key, &load_events, feed);
    if (feed->load == NULL)
        fail_to_start(feed);
    else if (fr_load_enter(feed->load))
        start(feed);
    else
        enter(feed, FR_FEED_QUEUED);
}

void fr_feed_admitted(struct fr_feed *feed)
{
    if (feed->state != FR_FEED_CHECKING)
        return;
    enter(feed, FR_FEED_IDLE);
    feed->admitted = true;
    decide(feed);
}

static void on_load_granted(void *owner)
{
    struct fr_feed *feed = owner;
    assert(feed->state == FR_FEED_QUEUED);
    if (has_left(feed)) {
        fr_load_withdraw(feed->load);
        feed->load = NULL;
        enter(feed, FR_FEED_IDLE);
        return;
    }
    /* Another loader may have answered meanwhile. */
    struct fr_bytes *cached = fr_feed_find_cached(feed);
    if (cached == NULL) {
        start(feed);
        return;
    }
    fr_load_withdraw(feed->load);
    feed->load = NULL;
    use_cached(feed, cached);
}

static void rest(struct fr_feed *feed)
{
    if (feed->state == FR_FEED_LOADING) {
        atomic_store_explicit(&feed->load->cancelled, true, memory_order_relaxed);
        return;
    }
    clear_marks(feed);
    if (feed->state == FR_FEED_LINGERING)
        return;
    if (feed->state == FR_FEED_QUEUED) {
        fr_load_drop(feed->load);
        feed->load = NULL;
    }
    enter(feed, FR_FEED_LINGERING);
    fr_timers_set(&feed->worker->timers, &feed->timer, fr_subscription_linger_end_us(feed->subscription));
}

/* The one place that chooses what a feed does next. */
static void decide(struct fr_feed *feed)
{
    if (!fr_feed_has_audience(feed)) {
        rest(feed);
        return;
    }
    if (feed->state == FR_FEED_CHECKING || feed->state == FR_FEED_QUEUED || feed->state == FR_FEED_LOADING)
        return;
    if (has_left(feed))
        return;
    int64_t now_us = fr_feed_now_us(feed);
    struct fr_feed_plan plan = make_plan(feed, now_us);
    if (plan.due_us == INT64_MAX) {
        fr_timers_cancel(&feed->worker->timers, &feed->timer);
        enter(feed, FR_FEED_IDLE);
    } else if (plan.due_us <= now_us) {
        if (feed->marks == 0)
            fr_feed_mark(feed, plan.cause);
        begin(feed);
    } else {
        feed->held_back = plan.held_back;
        enter(feed, FR_FEED_PAUSED);
        fr_timers_set(&feed->worker->timers, &feed->timer, plan.due_us);
    }
}

/* Goes on without the running load. */
static void give_up(struct fr_feed *feed)
{
    feed->abandoned = feed->load;
    feed->load = NULL;
    feed->timed_out = false;
    enter(feed, FR_FEED_IDLE);
    fr_load_abandon(feed->abandoned);
    fr_feed_fail(feed, "timeout", "the data took too long to load");
    decide(feed);
}

static void on_abandoned_load_ended(void *owner)
{
    struct fr_feed *feed = owner;
    feed->abandoned = NULL;
    if (feed->timed_out)
        give_up(feed);
}

static void time_out(struct fr_feed *feed)
{
    fr_count(&feed->worker->counters.loads_timed_out, 1);
    atomic_store_explicit(&feed->load->cancelled, true, memory_order_relaxed);
    if (feed->abandoned != NULL) {
        /* A second call is not given up: the feed goes on when one of the two comes back. */
        feed->timed_out = true;
        fr_feed_raise_error(feed, "timeout", "the data took too long to load", false);
        fr_feed_update_fanouts(feed);
        set_load_timer(feed);
        return;
    }
    give_up(feed);
}

static void check_load_time(struct fr_feed *feed)
{
    const struct freshet_loader_options *options = fr_feed_options(feed);
    int64_t out_us = fr_feed_now_us(feed) - feed->began_us;
    if (!feed->overdue && out_us >= OVERDUE_US) {
        feed->overdue = true;
        fr_count(&feed->worker->counters.loads_overdue, 1);
        fr_log(fr_freshet_log(feed->worker->freshet), FRESHET_LOG_WARN,
               "a load of %s for topic %s is out for %lld s", feed->key->loader->name,
               fr_escape(feed->key->topic).text, (long long)(out_us / FR_US_PER_S));
    }
    int64_t called_for_us = fr_feed_now_us(feed) - called_us(feed);
    if (options->timeout_ms != 0 && !feed->timed_out &&
        called_for_us >= (int64_t)options->timeout_ms * FR_US_PER_MS)
        time_out(feed);
    else
        set_load_timer(feed);
}

static void expire(struct fr_timer *timer)
{
    struct fr_feed *feed = FR_CONTAINER(timer, struct fr_feed, timer);
    if (feed->state == FR_FEED_LOADING)
        check_load_time(feed);
    else if (feed->state == FR_FEED_LINGERING)
        fr_feed_destroy(feed);
    else
        decide(feed);
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
    decide(feed);
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
        enter(feed, FR_FEED_IDLE);
    }
    fanout->waits = true;
    bool known = fr_feed_is_known(feed);
    if (known || (feed->failures > 0 && feed->error != NULL))
        fr_feed_update_fanouts(feed);
    if (known)
        return;
    if (feed->state == FR_FEED_IDLE || feed->state == FR_FEED_PAUSED || is_too_early(feed))
        fr_feed_mark(feed, FRESHET_CAUSE_CONNECT);
    decide(feed);
}

void fr_feed_detach(struct fr_feed *feed, struct fr_fanout *fanout)
{
    fr_list_remove(&fanout->in_feed);
    fanout->feed = NULL;
    if (fr_feed_has_audience(feed))
        return;
    decide(feed);
    fr_subscription_lose(feed->subscription);
    if (!fr_loader_shares(feed->key->loader))
        fr_feed_destroy(feed);
}

static void on_subscription_ended(struct fr_listener *listener)
{
    fr_feed_destroy(FR_CONTAINER(listener, struct fr_feed, listener));
}

static const struct fr_listener_type listener_type = {.event = on_event, .ended = on_subscription_ended};

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

void fr_feed_destroy(struct fr_feed *feed)
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
    clear_marks(feed);
    fr_bytes_release(feed->snapshot);
    fr_bytes_release(feed->error);
    fr_feed_key_release(feed->key);
    fr_count_down(&worker->counters.feeds);
    free(feed);
}
