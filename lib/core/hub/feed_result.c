/* What a feed's clients are shown: results, errors, and whether they are news. */
#include "base/backoff.h"
#include "base/random.h"
#include "core/hub/fanout.h"
#include "core/hub/feed_internal.h"
#include "core/hub/feed_plan.h"
#include <stdio.h>
#include <string.h>

#define RETRY_MOST_US (30 * FR_US_PER_S)

void fr_feed_update_fanouts(struct fr_feed *feed)
{
    struct fr_update now = {.snapshot = feed->snapshot,
                            .error = feed->error,
                            .snapshot_number = feed->snapshot_number,
                            .error_number = feed->error_number};
    for (struct fr_list *link = feed->fanouts.next; link != &feed->fanouts; link = link->next) {
        struct fr_fanout *fanout = FR_CONTAINER(link, struct fr_fanout, in_feed);
        fr_fanout_update(fanout, &now, fanout->waits);
        fanout->waits = false;
    }
}

static void clear_error(struct fr_feed *feed)
{
    fr_bytes_release(feed->error);
    feed->error = NULL;
    feed->bus_error = false;
    feed->error_code[0] = '\0';
}

void fr_feed_raise_error(struct fr_feed *feed, const char *code, const char *text, bool again)
{
    if (feed->error == NULL || strcmp(feed->error_code, code) != 0) {
        struct fr_bytes *frame = fr_frame_load_error(freshet_span_text(code), freshet_span_text(text));
        if (frame == NULL)
            return;
        clear_error(feed);
        feed->error = frame;
        snprintf(feed->error_code, sizeof(feed->error_code), "%s", code);
        again = true;
    }
    if (again)
        feed->error_number++;
}

static bool is_in_grace(const struct fr_feed *feed)
{
    return feed->subscription->state == FR_TOPIC_WAITING &&
           fr_feed_now_us(feed) < fr_subscription_grace_end_us(feed->subscription);
}

static int64_t next_poll_us(const struct fr_feed *feed)
{
    uint32_t poll_ms = feed->worker->freshet->options.poll_while_down_ms;
    return poll_ms == FRESHET_NEVER
               ? INT64_MAX
               : fr_feed_now_us(feed) + (int64_t)fr_random_jitter((uint64_t)poll_ms * FR_US_PER_MS);
}

static void raise_bus_error(struct fr_feed *feed, bool again)
{
    if (feed->subscription->state == FR_TOPIC_REFUSED)
        fr_feed_raise_error(feed, "forbidden-topic", "changes of this topic cannot be followed", again);
    else
        fr_feed_raise_error(feed, "bus-down", "changes may arrive late", again);
    feed->bus_error = true;
    feed->poll_us = next_poll_us(feed);
}

void fr_feed_fail(struct fr_feed *feed, const char *code, const char *text)
{
    feed->failed_us = fr_feed_now_us(feed);
    feed->retry_us =
        feed->failed_us + (int64_t)fr_backoff(FR_FEED_RETRY_FIRST_US, RETRY_MOST_US, feed->failures++);
    fr_count(&feed->worker->counters.loads_failed, 1);
    fr_feed_mark(feed, FRESHET_CAUSE_RETRY);
    fr_feed_raise_error(feed, code, text, false);
    feed->bus_error = false;
    fr_feed_update_fanouts(feed);
}

static void note_push(struct fr_feed *feed)
{
    feed->snapshot_number++;
    fr_histogram_add_since(&feed->worker->counters.publish_to_push, (uint64_t)feed->running_published_us);
}

/* NULL: the one that is shown says the same; `snapshot` what to show, a reference. False: no memory. */
static bool find_snapshot(const struct fr_feed *feed, struct fr_bytes *bytes, struct fr_snapshot **snapshot)
{
    *snapshot = NULL;
    if (bytes == NULL)
        return true;
    struct fr_version version = fr_version_of(feed->key->name, feed->key->topic, bytes->span);
    if (feed->snapshot != NULL && fr_version_equal(&version, &feed->snapshot->version))
        return true;
    *snapshot = fr_snapshot_new(&version, bytes->span);
    return *snapshot != NULL;
}

void fr_feed_succeed(struct fr_feed *feed, struct fr_bytes *bytes)
{
    struct fr_snapshot *snapshot;
    if (!find_snapshot(feed, bytes, &snapshot)) {
        fr_feed_fail(feed, "no-memory", "the data could not be sent");
        return;
    }
    bool changed = snapshot != NULL;
    if (changed) {
        fr_snapshot_release(feed->snapshot);
        feed->snapshot = snapshot;
    }
    bool healed = feed->error != NULL && !(feed->bus_error && !fr_feed_is_confirmed(feed));
    bool published = feed->running_publishes > 0 && bytes != NULL && !fr_feed_options(feed)->skip_unchanged;
    bool push = changed || healed || published;
    if (push)
        note_push(feed);
    if (feed->settles)
        feed->settle_us = fr_feed_now_us(feed) + (int64_t)fr_feed_options(feed)->settle_ms * FR_US_PER_MS;
    feed->settles = false;
    feed->failures = 0;
    if (fr_feed_is_confirmed(feed) || (!feed->bus_error && is_in_grace(feed)))
        clear_error(feed);
    else
        raise_bus_error(feed, push);
    feed->shown = feed->running;
    fr_feed_update_fanouts(feed);
}

static void fail_for(struct fr_feed *feed, const struct fr_load *load)
{
    const char *text = "the data could not be loaded";
    switch (load->outcome) {
    case FR_OUTCOME_TOO_LARGE:
        fr_feed_fail(feed, "too-large", "the data is larger than allowed");
        return;
    case FR_OUTCOME_NO_MEMORY:
        fr_feed_fail(feed, "no-memory", text);
        return;
    case FR_OUTCOME_FAILED:
        fr_feed_fail(feed, load->code, load->text[0] == '\0' ? text : load->text);
        return;
    default: /* unchanged, but there was nothing before */
        fr_feed_fail(feed, "load-failed", text);
    }
}

void fr_feed_take_result(struct fr_feed *feed, const struct fr_load *load)
{
    bool cancelled = atomic_load_explicit(&load->cancelled, memory_order_relaxed);
    bool has_bytes = load->outcome == FR_OUTCOME_BYTES, unchanged = load->outcome == FR_OUTCOME_UNCHANGED;
    if (has_bytes || unchanged)
        fr_feed_keep_cached(feed, load->bytes);
    if (has_bytes || (unchanged && feed->snapshot != NULL))
        fr_feed_succeed(feed, load->bytes);
    else if (cancelled && !feed->timed_out)
        fr_feed_mark(feed, FRESHET_CAUSE_CONNECT); /* it was told that nobody waits; somebody may by now */
    else
        fail_for(feed, load);
}
