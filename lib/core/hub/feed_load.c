/* One load of a feed: from the decision that it is wanted to what comes of it. */
#include "base/log.h"
#include "core/guard/admission.h"
#include "core/hub/fanout.h"
#include "core/hub/feed_internal.h"
#include <assert.h>

#define OVERDUE_US (30 * FR_US_PER_S)

static void on_load_granted(void *owner);
static void on_load_answered(void *owner, struct fr_load *load);
static void on_abandoned_load_ended(void *owner);

static const struct fr_load_events load_events = {
    .granted = on_load_granted, .answered = on_load_answered, .abandoned_ended = on_abandoned_load_ended};

/* ---- of one connection ---- */

static bool is_single(const struct fr_feed *feed)
{
    return !fr_loader_shares(feed->key->loader);
}

/* Of a single feed with an audience; NULL: it has left, and the word of it is on its way. */
static struct fr_view *only_view(const struct fr_feed *feed)
{
    return fr_fanout_only_view(FR_CONTAINER(feed->fanouts.next, struct fr_fanout, in_feed));
}

bool fr_feed_has_left(const struct fr_feed *feed)
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

/* ---- the beginning ---- */

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
    fr_feed_enter(feed, FR_FEED_IDLE);
    feed->marks &= ~(1u << FRESHET_CAUSE_GAP); /* the retry stands for it, with its delay */
    fr_feed_fail(feed, "no-memory", "the data could not be loaded");
    fr_feed_decide(feed);
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
    fr_feed_clear_marks(feed);
    feed->settles |= feed->running_publishes > 0 && fr_feed_options(feed)->settle_ms != 0;
    /* One that runs earlier for another cause does not stand for it. */
    if (feed->settles || feed->settle_us <= fr_feed_now_us(feed))
        feed->settle_us = INT64_MAX;
    return body;
}

static void start(struct fr_feed *feed)
{
    int64_t now_us = fr_feed_now_us(feed);
    enum freshet_load_cause cause = fr_feed_make_plan(feed, now_us).cause;
    struct fr_bytes *body = take_marks(feed);
    feed->began_us = now_us;
    feed->overdue = false;
    feed->admitted = false;
    fr_feed_enter(feed, FR_FEED_LOADING);
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
    fr_feed_enter(feed, FR_FEED_IDLE);
    fr_bytes_release(take_marks(feed));
    fr_feed_succeed(feed, bytes);
    fr_bytes_release(bytes);
    fr_feed_decide(feed);
}

void fr_feed_begin_load(struct fr_feed *feed)
{
    struct fr_admission *admission = admission_of(feed);
    fr_timers_cancel(&feed->worker->timers, &feed->timer);
    if (admission != NULL && !(feed->admitted && fr_admission_is_fresh(admission))) {
        fr_feed_enter(feed, FR_FEED_CHECKING);
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
        fr_feed_enter(feed, FR_FEED_QUEUED);
}

void fr_feed_admitted(struct fr_feed *feed)
{
    if (feed->state != FR_FEED_CHECKING)
        return;
    fr_feed_enter(feed, FR_FEED_IDLE);
    feed->admitted = true;
    fr_feed_decide(feed);
}

static void on_load_granted(void *owner)
{
    struct fr_feed *feed = owner;
    assert(feed->state == FR_FEED_QUEUED);
    if (fr_feed_has_left(feed)) {
        fr_load_withdraw(feed->load);
        feed->load = NULL;
        fr_feed_enter(feed, FR_FEED_IDLE);
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

/* ---- the end ---- */

static void on_load_answered(void *owner, struct fr_load *load)
{
    struct fr_feed *feed = owner;
    assert(load == feed->load && feed->state == FR_FEED_LOADING);
    feed->load = NULL;
    fr_feed_enter(feed, FR_FEED_IDLE);
    fr_timers_cancel(&feed->worker->timers, &feed->timer);
    fr_feed_take_result(feed, load);
    feed->timed_out = false;
    fr_load_done(load);
    fr_feed_decide(feed);
}

/* Goes on without the running load. */
static void give_up(struct fr_feed *feed)
{
    feed->abandoned = feed->load;
    feed->load = NULL;
    feed->timed_out = false;
    fr_feed_enter(feed, FR_FEED_IDLE);
    fr_load_abandon(feed->abandoned);
    fr_feed_fail(feed, "timeout", "the data took too long to load");
    fr_feed_decide(feed);
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

void fr_feed_check_load_time(struct fr_feed *feed)
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
