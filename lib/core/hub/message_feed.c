#include "core/hub/message_feed.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/codec/frame.h"
#include "core/codec/msgpack_json.h"
#include "core/hub/fanout.h"
#include "core/hub/subscription.h"
#include "core/load/loader.h"
#include "core/runtime/context.h"
#include <freshet/message.h>
#include <inttypes.h>
#include <stdlib.h>

static struct fr_worker *worker_of(const struct fr_message_feed *feed)
{
    return feed->fanout->worker;
}

static struct fr_counters *counters_of(const struct fr_message_feed *feed)
{
    return &worker_of(feed)->counters;
}

/* ---- what streams take ---- */

/* A view keeps the low bits only: nobody is four thousand million messages behind. */
static uint64_t seen_by(const struct fr_message_feed *feed, const struct fr_view *view)
{
    return feed->ring.last - (uint32_t)((uint32_t)feed->ring.last - view->message_seen);
}

bool fr_message_feed_has_news(const struct fr_message_feed *feed, const struct fr_view *view)
{
    return view->message_gap || seen_by(feed, view) != feed->ring.last;
}

/* All views have all. */
static void forget_taken(struct fr_message_feed *feed)
{
    fr_message_ring_clear(&feed->ring);
    feed->swept = feed->ring.last;
    feed->unswept_bytes = 0;
}

static void catch_up(struct fr_message_feed *feed, struct fr_view *view, uint64_t number)
{
    view->message_seen = (uint32_t)number;
    if (number == feed->ring.last && ++feed->caught_up == feed->fanout->views)
        forget_taken(feed);
}

/* Says how many messages up to `number` this view has missed. */
static struct fr_bytes *take_gap(struct fr_message_feed *feed, struct fr_view *view, uint64_t number)
{
    uint64_t seen = seen_by(feed, view), lost = number - seen;
    struct fr_bytes *frame = NULL;
    fr_count(&counters_of(feed)->messages_lost, lost);
    if (feed->ring.lost_gap <= seen && lost <= INT64_MAX)
        frame = fr_frame_gap((int64_t)lost);
    /* Without memory for the number it is told that there was one. */
    if (frame == NULL)
        frame = fr_bytes_acquire(feed->gap);
    catch_up(feed, view, number);
    return frame;
}

enum fr_view_news fr_message_feed_take(struct fr_message_feed *feed, struct fr_view *view,
                                       struct fr_bytes **frame)
{
    if (view->message_gap) {
        view->message_gap = false;
        *frame = fr_bytes_acquire(feed->gap);
        return FR_NEWS_GAP;
    }
    uint64_t seen = seen_by(feed, view);
    const struct fr_message_item *next = fr_message_ring_after(&feed->ring, seen);
    uint64_t kept = next == NULL ? feed->ring.last + 1 : next->number;
    if (kept != seen + 1) {
        *frame = take_gap(feed, view, kept - 1);
        return FR_NEWS_GAP;
    }
    bool is_gap = next->is_gap;
    *frame = fr_bytes_acquire(next->bytes);
    if (!is_gap)
        fr_count(&counters_of(feed)->messages_pushed, 1);
    catch_up(feed, view, next->number);
    return is_gap ? FR_NEWS_GAP : FR_NEWS_MESSAGE;
}

void fr_message_feed_join(struct fr_message_feed *feed, struct fr_view *view)
{
    view->message_seen = (uint32_t)feed->ring.last;
    view->error_seen = 0;
    view->joining = false;
    feed->caught_up++;
}

void fr_message_feed_part(struct fr_message_feed *feed, struct fr_view *view)
{
    bool has_all = seen_by(feed, view) == feed->ring.last;
    view->message_gap |= !has_all;
    if (has_all)
        feed->caught_up--;
    else if (feed->caught_up == feed->fanout->views - 1)
        forget_taken(feed);
}

/* ---- what comes from the bus ---- */

/* There are numbers after `before`. */
static void show(struct fr_message_feed *feed, uint64_t before)
{
    if (feed->ring.last == before)
        return;
    feed->caught_up = 0;
    fr_fanout_wake(feed->fanout);
}

static const struct fr_message_feed *const_feed_of(const struct fr_listener *listener)
{
    return FR_CONTAINER(listener, const struct fr_message_feed, listener);
}

static struct fr_message_feed *feed_of(struct fr_listener *listener)
{
    return FR_CONTAINER(listener, struct fr_message_feed, listener);
}

/* Whether it has streams, and one more message costs none that can write another one. */
static bool has_room(const struct fr_listener *listener)
{
    const struct fr_message_feed *feed = const_feed_of(listener);
    const struct fr_message_ring *ring = &feed->ring;
    /* Until its first stream has joined messages wait: nobody else would hear of them. */
    if (feed->fanout->views == 0)
        return false;
    return ring->last - feed->swept < ring->max_count && feed->unswept_bytes <= ring->max_bytes / 2;
}

void fr_message_feed_swept(struct fr_message_feed *feed)
{
    feed->swept = feed->ring.last;
    feed->unswept_bytes = 0;
    fr_subscription_pull(feed->subscription);
}

/* NULL: no memory, or larger than a snapshot may be. */
static struct fr_bytes *make_frame(const struct fr_message_feed *feed, struct freshet_span payload)
{
    if (payload.len == 0)
        return fr_frame_message(freshet_span_text("null"));
    struct fr_buffer json = {0};
    struct fr_bytes *frame = NULL;
    size_t most = worker_of(feed)->freshet->options.max_snapshot_bytes;
    if (fr_msgpack_json(&json, payload, most) == FRESHET_OK)
        frame = fr_frame_message(freshet_span(json.data, json.len));
    fr_buffer_deinit(&json);
    return frame;
}

/* In the subscriber a message waits as it came, here as a frame; it counts the same in both, so that what
 * fits here fits there. */
static void push(struct fr_message_feed *feed, const struct freshet_message *message, size_t cost)
{
    struct fr_bytes *frame = make_frame(feed, message->payload);
    fr_message_ring_push_for(&feed->ring, frame, cost, false);
    if (frame == NULL)
        return;
    feed->unswept_bytes += cost;
    fr_bytes_release(frame);
    fr_histogram_add_since(&counters_of(feed)->publish_to_push, message->time_us);
}

static void on_message(struct fr_listener *listener, const struct fr_bytes *body, uint64_t lost)
{
    struct fr_message_feed *feed = feed_of(listener);
    uint64_t before = feed->ring.last;
    struct freshet_message message = {.time_us = 0};
    fr_message_ring_skip(&feed->ring, lost);
    /* A foreign body names no publisher: whether it is a repeat cannot be told. */
    bool is_ours = body != NULL && freshet_message_decode(body->span, &message) == FRESHET_OK;
    if (is_ours && fr_dedup_note(&feed->dedup, body->span))
        fr_count(&counters_of(feed)->messages_repeated, 1);
    else if (body != NULL)
        push(feed, &message, body->span.len);
    show(feed, before);
}

/* ---- what the bus says of itself ---- */

static void clear_error(struct fr_message_feed *feed)
{
    struct fr_update *shown = &feed->fanout->update;
    fr_bytes_release(shown->error);
    shown->error = NULL;
}

/* Without memory for the frame the streams are told nothing; the gap that follows is told in any case. */
static void raise_error(struct fr_message_feed *feed, const char *code, const char *text)
{
    struct fr_update *shown = &feed->fanout->update;
    clear_error(feed);
    shown->error = fr_frame_load_error(freshet_span_text(code), freshet_span_text(text));
    shown->error_number++;
    fr_fanout_wake(feed->fanout);
}

static void grace_over(struct fr_timer *timer)
{
    raise_error(FR_CONTAINER(timer, struct fr_message_feed, grace), "bus-down",
                "messages cannot be received at present");
}

static void enter_state(struct fr_message_feed *feed, enum fr_topic_state state)
{
    struct fr_timers *timers = &worker_of(feed)->timers;
    int64_t grace_end_us = fr_subscription_grace_end_us(feed->subscription);
    fr_timers_cancel(timers, &feed->grace);
    feed->state = state;
    if (state == FR_TOPIC_CONFIRMED)
        clear_error(feed);
    else if (state == FR_TOPIC_REFUSED)
        raise_error(feed, "forbidden-topic", "messages of this topic cannot be received");
    else if (grace_end_us != INT64_MAX)
        fr_timers_set(timers, &feed->grace, grace_end_us);
}

static void note_state(struct fr_message_feed *feed)
{
    if (feed->subscription->state != feed->state)
        enter_state(feed, feed->subscription->state);
}

static void on_event(struct fr_listener *listener, const struct fr_event *event)
{
    struct fr_message_feed *feed = feed_of(listener);
    uint64_t before = feed->ring.last;
    note_state(feed);
    if (event->gap)
        fr_message_ring_push(&feed->ring, feed->gap, true);
    show(feed, before);
}

/* ---- life ---- */

static void describe(const struct fr_listener *listener, FILE *file)
{
    const struct fr_message_feed *feed = FR_CONTAINER(listener, struct fr_message_feed, listener);
    fprintf(file,
            "  messages %s of %s: last %" PRIu64 ", kept %u in %zu bytes, views %zu, %zu of them have all\n",
            feed->fanout->key->loader->name, fr_escape(feed->fanout->key->topic).text, feed->ring.last,
            feed->ring.count, feed->ring.bytes, feed->fanout->views, feed->caught_up);
}

static const struct fr_listener_type listener_type = {
    .event = on_event, .describe = describe, .has_room = has_room, .message = on_message};

static bool reserve(struct fr_message_feed *feed)
{
    feed->gap = fr_frame_gap(-1);
    return feed->gap != NULL && fr_timers_reserve(&worker_of(feed)->timers);
}

static struct fr_message_feed *new_feed(struct fr_fanout *fanout)
{
    const struct freshet_loader_options *options = &fanout->key->loader->options;
    struct fr_message_feed *feed = calloc(1, sizeof(*feed));
    if (feed == NULL)
        return NULL;
    feed->fanout = fanout;
    feed->state = FR_TOPIC_CONFIRMED; /* nobody has been told otherwise */
    feed->grace.expire = grace_over;
    feed->listener.type = &listener_type;
    fr_list_init(&feed->listener.link);
    fr_message_ring_init(&feed->ring, options->max_queued_messages, options->max_queued_bytes);
    if (reserve(feed))
        return feed;
    fr_bytes_release(feed->gap);
    free(feed);
    return NULL;
}

enum freshet_status fr_message_feed_new(struct fr_fanout *fanout, struct fr_message_feed **out)
{
    struct fr_subscription *subscription;
    *out = NULL;
    enum freshet_status status = fr_subscription_get(fanout->worker, fanout->topic, &subscription);
    if (status != FRESHET_OK)
        return status;
    struct fr_message_feed *feed = new_feed(fanout);
    if (feed == NULL) {
        if (subscription->audience == 0)
            fr_subscription_linger(subscription);
        return FRESHET_NO_MEMORY;
    }
    feed->subscription = subscription;
    fr_subscription_collect(subscription, &feed->listener, &feed->ring);
    fr_count(&counters_of(feed)->feeds, 1);
    note_state(feed);
    *out = feed;
    return FRESHET_OK;
}

void fr_message_feed_destroy(struct fr_message_feed *feed)
{
    if (feed == NULL)
        return;
    struct fr_timers *timers = &worker_of(feed)->timers;
    fr_timers_cancel(timers, &feed->grace);
    fr_timers_unreserve(timers);
    fr_subscription_uncollect(feed->subscription, &feed->listener);
    fr_message_ring_clear(&feed->ring);
    fr_dedup_deinit(&feed->dedup);
    fr_bytes_release(feed->gap);
    fr_count_down(&counters_of(feed)->feeds);
    free(feed);
}
