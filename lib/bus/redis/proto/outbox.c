#include "bus/redis/proto/outbox.h"

#include "bus/redis/proto/wire.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void count(atomic_uint_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

struct fr_redis_publish *fr_redis_publish_new(const char *verb, struct freshet_span prefix,
                                              struct freshet_span topic, struct freshet_span body,
                                              bool signal, void *token)
{
    /* Prefix and topic are put together behind the command, which then copies them. */
    struct freshet_span channel = freshet_span(NULL, prefix.len + topic.len);
    struct freshet_span arguments[] = {freshet_span_text(verb), channel, body};
    size_t room = fr_redis_wire_room(arguments, 3);
    struct fr_redis_publish *publish = malloc(sizeof(*publish) + room + channel.len);
    if (publish == NULL)
        return NULL;
    char *name = publish->wire + room;
    memcpy(name, prefix.data, prefix.len);
    if (topic.len > 0)
        memcpy(name + prefix.len, topic.data, topic.len);
    arguments[1].data = name;
    *publish = (struct fr_redis_publish){.token = token, .signal = signal};
    fr_list_init(&publish->link);
    publish->wire_len = (size_t)(fr_redis_wire_write(publish->wire, arguments, 3) - publish->wire);
    publish->channel = freshet_span(name, channel.len);
    publish->bytes = sizeof(*publish) + room + channel.len;
    return publish;
}

bool fr_redis_outbox_init(struct fr_redis_outbox *outbox, const struct fr_redis_outbox_options *options)
{
    *outbox = (struct fr_redis_outbox){.options = *options};
    fr_list_init(&outbox->waiting);
    fr_list_init(&outbox->sent);
    outbox->mark = fr_redis_publish_new(options->verb, options->everything_channel, freshet_span(NULL, 0),
                                        freshet_span(NULL, 0), false, NULL);
    if (outbox->mark != NULL && fr_map_init(&outbox->mergeable))
        return true;
    fr_redis_outbox_deinit(outbox);
    return false;
}

void fr_redis_outbox_deinit(struct fr_redis_outbox *outbox)
{
    assert(outbox->mark == NULL || fr_redis_outbox_is_empty(outbox));
    free(outbox->mark);
    fr_map_deinit(&outbox->mergeable);
    outbox->mark = NULL;
}

void fr_redis_outbox_dismiss(struct fr_redis_outbox_room *room, const struct fr_redis_publish *publish)
{
    atomic_fetch_sub_explicit(&room->count, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&room->bytes, publish->bytes, memory_order_relaxed);
}

bool fr_redis_outbox_admit(struct fr_redis_outbox_room *room, const struct fr_redis_publish *publish)
{
    uint64_t now = atomic_fetch_add_explicit(&room->count, 1, memory_order_relaxed);
    uint64_t bytes = atomic_fetch_add_explicit(&room->bytes, publish->bytes, memory_order_relaxed);
    if (now < room->max_count && bytes + publish->bytes <= room->max_bytes)
        return true;
    fr_redis_outbox_dismiss(room, publish);
    return false;
}

static struct fr_redis_publish *publish_of(struct fr_list *link)
{
    return FR_CONTAINER(link, struct fr_redis_publish, link);
}

/* Ends an unlinked publish and all it stands for. */
static void end(struct fr_redis_outbox *outbox, struct fr_redis_publish *publish, enum freshet_status status,
                int64_t receivers)
{
    while (publish != NULL) {
        struct fr_redis_publish *follower = publish->follower;
        fr_redis_outbox_dismiss(outbox->options.room, publish);
        outbox->options.answer(outbox->options.user, publish->token, status, receivers);
        free(publish);
        publish = follower;
    }
}

static void stop_merging(struct fr_redis_outbox *outbox, struct fr_redis_publish *publish)
{
    if (publish->mergeable)
        fr_map_remove(&outbox->mergeable, &publish->node);
    publish->mergeable = false;
}

static void unlist(struct fr_redis_outbox *outbox, struct fr_redis_publish *publish)
{
    fr_list_remove(&publish->link);
    stop_merging(outbox, publish);
}

/* `later` takes the place of `first` and stands for both: the newest body, at the oldest place. */
static void replace(struct fr_redis_outbox *outbox, struct fr_redis_publish *first,
                    struct fr_redis_publish *later)
{
    later->since_us = first->since_us;
    fr_list_append(&first->link, &later->link);
    unlist(outbox, first);
    atomic_fetch_sub_explicit(&outbox->options.room->bytes, first->bytes - sizeof(*first),
                              memory_order_relaxed);
    first->bytes = sizeof(*first);
    struct fr_redis_publish *smaller = realloc(first, sizeof(*first));
    later->follower = smaller == NULL ? first : smaller;
}

/* A signal may take the place of a waiting one of its channel, unless a payload came in between. */
void fr_redis_outbox_add(struct fr_redis_outbox *outbox, struct fr_redis_publish *publish, int64_t now_us)
{
    struct fr_map_node *node = NULL;
    publish->since_us = now_us;
    if (publish->written > 0) {
        assert(fr_list_is_empty(&outbox->waiting) && "it would overtake what waits");
        fr_list_append(&outbox->sent, &publish->link);
        return;
    }
    if (outbox->mergeable.count > 0)
        node = fr_map_get(&outbox->mergeable, publish->channel);
    struct fr_redis_publish *first = node == NULL ? NULL : FR_CONTAINER(node, struct fr_redis_publish, node);
    if (first != NULL && publish->signal) {
        replace(outbox, first, publish);
    } else {
        if (first != NULL)
            stop_merging(outbox, first);
        fr_list_append(&outbox->waiting, &publish->link);
    }
    publish->mergeable = publish->signal;
    if (publish->mergeable)
        fr_map_put(&outbox->mergeable, publish->channel, &publish->node);
}

const struct fr_redis_publish *fr_redis_outbox_next(struct fr_redis_outbox *outbox)
{
    if (fr_list_is_empty(&outbox->waiting))
        return NULL;
    struct fr_redis_publish *publish = publish_of(outbox->waiting.next);
    unlist(outbox, publish);
    fr_list_append(&outbox->sent, &publish->link);
    return publish;
}

static void end_mark(struct fr_redis_outbox *outbox)
{
    if (outbox->mark_again)
        fr_list_append(&outbox->waiting, &outbox->mark->link);
    outbox->mark_again = false;
}

bool fr_redis_outbox_answer(struct fr_redis_outbox *outbox, enum freshet_status status, int64_t receivers)
{
    struct fr_list *link = fr_list_shift(&outbox->sent);
    if (link == NULL)
        return false;
    if (publish_of(link) == outbox->mark)
        end_mark(outbox);
    else
        end(outbox, publish_of(link), status, receivers);
    return true;
}

void fr_redis_outbox_lost(struct fr_redis_outbox *outbox)
{
    while (!fr_list_is_empty(&outbox->sent)) {
        struct fr_list *link = outbox->sent.prev;
        fr_list_remove(link);
        count(&outbox->options.room->resent);
        fr_list_append(outbox->waiting.next, link);
    }
    outbox->mark_again = false;
}

static bool mark_is_sent(const struct fr_redis_outbox *outbox)
{
    for (const struct fr_list *at = outbox->sent.next; at != &outbox->sent; at = at->next)
        if (at == &outbox->mark->link)
            return true;
    return false;
}

void fr_redis_outbox_owe_mark(struct fr_redis_outbox *outbox)
{
    if (fr_list_is_empty(&outbox->mark->link))
        fr_list_append(outbox->waiting.next, &outbox->mark->link);
    else
        outbox->mark_again = mark_is_sent(outbox);
}

void fr_redis_outbox_collapse(struct fr_redis_outbox *outbox)
{
    struct fr_list *at = outbox->waiting.next;
    while (at != &outbox->waiting) {
        struct fr_redis_publish *publish = publish_of(at);
        at = at->next;
        if (!publish->signal)
            continue;
        unlist(outbox, publish);
        end(outbox, publish, FRESHET_OK, -1);
    }
    count(&outbox->options.room->collapsed);
    if (fr_list_is_empty(&outbox->mark->link))
        fr_list_append(&outbox->waiting, &outbox->mark->link);
    else
        outbox->mark_again = mark_is_sent(outbox);
}

void fr_redis_outbox_age(struct fr_redis_outbox *outbox, int64_t now_us)
{
    bool signals = false;
    struct fr_list *at = outbox->waiting.next;
    while (at != &outbox->waiting) {
        struct fr_redis_publish *publish = publish_of(at);
        at = at->next;
        if (publish == outbox->mark)
            continue;
        if (now_us - publish->since_us < outbox->options.max_age_us)
            break;
        signals = signals || publish->signal;
        if (publish->signal)
            continue;
        unlist(outbox, publish);
        end(outbox, publish, FRESHET_FULL, -1);
    }
    if (signals)
        fr_redis_outbox_collapse(outbox);
}

bool fr_redis_outbox_is_empty(const struct fr_redis_outbox *outbox)
{
    return fr_list_is_empty(&outbox->waiting) && fr_list_is_empty(&outbox->sent);
}

bool fr_redis_outbox_owes_mark(const struct fr_redis_outbox *outbox)
{
    return !fr_list_is_empty(&outbox->mark->link);
}

void fr_redis_outbox_close(struct fr_redis_outbox *outbox)
{
    fr_redis_outbox_lost(outbox);
    for (struct fr_list *link; !fr_list_is_empty(&outbox->waiting);) {
        link = outbox->waiting.next;
        if (link == &outbox->mark->link) {
            fr_list_remove(link);
            continue;
        }
        unlist(outbox, publish_of(link));
        end(outbox, publish_of(link), FRESHET_CLOSED, -1);
    }
}
