#include "core/publish.h"

#include "base/clock.h"
#include "core/codec/msgpack_check.h"
#include "core/runtime/context.h"
#include "core/runtime/worker_internal.h"
#include <assert.h>
#include <freshet/message.h>
#include <stdlib.h>

#define SMALL_BODY 512

/* Somebody waits for the result. */
struct result {
    struct fr_mail mail;
    struct fr_worker *worker; /* whose loop it is told on, with a reference; NULL: the callback thread */
    freshet_published_cb published;
    void *user;
    enum freshet_status status;
    int64_t receivers;
};

static void deliver_result(struct fr_mail *mail)
{
    struct result *result = FR_CONTAINER(mail, struct result, mail);
    if (result->worker != NULL)
        fr_worker_release(result->worker);
    result->published(result->status, result->receivers, result->user);
    free(result);
}

static struct result *new_result(const struct freshet *freshet, freshet_published_cb published, void *user)
{
    struct result *result = calloc(1, sizeof(*result));
    if (result == NULL)
        return NULL;
    struct fr_worker *worker = fr_worker_here(freshet);
    result->mail.deliver = deliver_result;
    result->worker = worker == NULL ? NULL : fr_worker_acquire(worker);
    result->published = published;
    result->user = user;
    return result;
}

static void drop_result(struct result *result)
{
    if (result != NULL && result->worker != NULL)
        fr_worker_release(result->worker);
    free(result);
}

void fr_publish_ended(void *context, void *token, enum freshet_status status, int64_t receivers)
{
    struct freshet *freshet = context;
    struct result *result = token;
    struct fr_counters *counters = fr_freshet_counters(freshet);
    fr_count(status == FRESHET_OK ? &counters->publishes_accepted : &counters->publishes_refused, 1);
    if (result == NULL)
        return;
    result->status = status;
    result->receivers = receivers;
    if (result->worker != NULL && fr_mailbox_post(&result->worker->mailbox, &result->mail))
        return;
    /* Its worker has left. The callback thread stops after the bus and the loads do; past the deadline of the
     * destroy nobody is told any more. */
    if (!fr_pool_call_back(freshet->pool, &result->mail))
        drop_result(result);
}

static bool is_topic(const struct freshet_topic *topic)
{
    return topic != NULL && topic->len > 0 && topic->len <= FRESHET_MAX_TOPIC_BYTES && topic->text[0] != '/';
}

static enum freshet_status check(const struct freshet *freshet, const struct freshet_topic *topic,
                                 struct freshet_span payload)
{
    if (!is_topic(topic))
        return FRESHET_INVALID;
    if (payload.len > freshet->options.max_message_bytes)
        return FRESHET_TOO_LARGE;
    if (payload.len != 0 &&
        (payload.data == NULL || fr_msgpack_check(payload, FR_MSGPACK_MAX_DEPTH) != payload.len))
        return FRESHET_INVALID;
    return FRESHET_OK;
}

/* What cannot be sent has changed all the same. */
static void mark_only(struct freshet *freshet, struct freshet_span topic)
{
    fr_topics_mark(&freshet->topics, topic, freshet_span(NULL, 0), fr_clock_wall_us());
}

static enum freshet_status hand_on(struct freshet *freshet, struct freshet_span topic,
                                   struct freshet_span payload, struct freshet_span body, int64_t now_us,
                                   struct result *result)
{
    /* The feeds here are marked first, and whatever the bus says: they need no bus. */
    fr_topics_mark(&freshet->topics, topic, body, now_us);
    if (body.len > freshet->options.max_message_bytes)
        return FRESHET_TOO_LARGE;
    if (atomic_load(&freshet->closing))
        return FRESHET_CLOSED;
    return freshet->bus->ops->publish(freshet->bus, topic, body, payload.len == 0, result);
}

static enum freshet_status encode_and_hand_on(struct freshet *freshet, struct freshet_span topic,
                                              struct freshet_span payload, struct result *result)
{
    char small[SMALL_BODY], *room = small;
    size_t capacity = sizeof(small), len = 0;
    struct freshet_message message = {.publisher = freshet_span_text(freshet->publisher),
                                      .sequence = atomic_fetch_add(&freshet->sequence, 1) + 1,
                                      .time_us = (uint64_t)fr_clock_wall_us(),
                                      .payload = payload};
    enum freshet_status status = freshet_message_encode(&message, small, capacity, &len);
    if (status == FRESHET_TOO_LARGE) {
        capacity = len;
        room = malloc(capacity);
        if (room == NULL) {
            mark_only(freshet, topic);
            return FRESHET_NO_MEMORY;
        }
        status = freshet_message_encode(&message, room, capacity, &len);
    }
    if (status == FRESHET_OK)
        status = hand_on(freshet, topic, payload, freshet_span(room, len), (int64_t)message.time_us, result);
    if (room != small)
        free(room);
    return status;
}

/* `status` is that of the payload. */
static enum freshet_status publish(struct freshet *freshet, const struct freshet_topic *topic,
                                   struct freshet_span payload, enum freshet_status status,
                                   freshet_published_cb published, void *user)
{
    static const struct freshet_topic none; /* is none, and refused as such */
    enum freshet_status usable = fr_freshet_check(freshet);
    if (usable != FRESHET_OK)
        return usable;
    if (topic == NULL)
        topic = &none;
    struct freshet_span name = freshet_span(topic->text, topic->len);
    if (status == FRESHET_OK || !is_topic(topic))
        status = check(freshet, topic, payload);
    bool valid = status != FRESHET_INVALID;
    struct result *result = published == NULL ? NULL : new_result(freshet, published, user);
    fr_count(&fr_freshet_counters(freshet)->publishes, 1);
    if (published != NULL && result == NULL)
        status = FRESHET_NO_MEMORY;
    if (status == FRESHET_OK)
        status = encode_and_hand_on(freshet, name, payload, result);
    else if (valid)
        mark_only(freshet, name);
    if (status == FRESHET_NO_MEMORY) { /* without memory for the result nobody can be told: so none is */
        drop_result(result);
        result = NULL;
    }
    if (status != FRESHET_OK)
        fr_publish_ended(freshet, result, status, -1);
    return status;
}

enum freshet_status freshet_publish(struct freshet *freshet, const struct freshet_topic *topic,
                                    struct freshet_span payload, freshet_published_cb published, void *user)
{
    return publish(freshet, topic, payload, FRESHET_OK, published, user);
}

enum freshet_status fr_publish_refuse(struct freshet *freshet, const struct freshet_topic *topic,
                                      enum freshet_status status, freshet_published_cb published, void *user)
{
    assert(status != FRESHET_OK);
    return publish(freshet, topic, freshet_span(NULL, 0), status, published, user);
}
