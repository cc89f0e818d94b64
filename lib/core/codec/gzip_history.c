#include "core/codec/gzip_history.h"

#include "base/list.h"
#include "core/codec/frame.h"
#include "core/codec/gzip.h"
#include <stdlib.h>
#include <string.h>

/* Of messages only a few: streams that joined at different times soon share a history. */
#define MOST_MESSAGES 4

struct fr_gzip_history *fr_gzip_history_acquire(struct fr_gzip_history *history)
{
    if (history != NULL)
        atomic_fetch_add_explicit(&history->holders, 1, memory_order_relaxed);
    return history;
}

bool fr_gzip_history_release_early(struct fr_gzip_history *history)
{
    if (history == NULL)
        return true;
    unsigned holders = atomic_load_explicit(&history->holders, memory_order_relaxed);
    while (holders > 1)
        if (atomic_compare_exchange_weak_explicit(&history->holders, &holders, holders - 1,
                                                  memory_order_release, memory_order_relaxed))
            return true;
    return false;
}

void fr_gzip_history_release(struct fr_gzip_histories *histories, struct fr_gzip_history *history)
{
    if (history == NULL || atomic_fetch_sub_explicit(&history->holders, 1, memory_order_acq_rel) != 1)
        return;
    fr_map_remove(&histories->by_sent, &history->node);
    for (size_t i = 0; i < history->count; i++)
        fr_bytes_release(history->sent[i].frame);
    free(history);
}

static struct fr_gzip_history *new_history(struct fr_gzip_histories *histories,
                                           const struct fr_gzip_sent *sent, size_t count)
{
    struct fr_gzip_history *history = malloc(sizeof(*history) + count * sizeof(*sent));
    if (history == NULL)
        return NULL;
    *history = (struct fr_gzip_history){.count = count};
    atomic_init(&history->holders, 1);
    memcpy(history->sent, sent, count * sizeof(*sent));
    for (size_t i = 0; i < count; i++)
        fr_bytes_acquire(sent[i].frame);
    struct freshet_span key = freshet_span((const char *)history->sent, count * sizeof(*sent));
    fr_map_put(&histories->by_sent, key, &history->node);
    return history;
}

static struct fr_gzip_history *find_history(struct fr_gzip_histories *histories,
                                            const struct fr_gzip_sent *sent, size_t count)
{
    if (count == 0)
        return NULL;
    struct fr_map_node *node =
        fr_map_get(&histories->by_sent, freshet_span((const char *)sent, count * sizeof(*sent)));
    if (node == NULL)
        return new_history(histories, sent, count);
    return fr_gzip_history_acquire(FR_CONTAINER(node, struct fr_gzip_history, node));
}

static bool is_referred_to(const struct fr_gzip_sent *sent)
{
    return sent->kind != FR_GZIP_OTHER && sent->kind != FR_GZIP_RARE;
}

static struct freshet_span first_line(const struct fr_bytes *frame)
{
    struct freshet_span body = fr_frame_body(frame->span);
    const char *end = body.len == 0 ? NULL : memchr(body.data, '\n', body.len);
    return freshet_span(body.data, end == NULL ? body.len : (size_t)(end - body.data));
}

/* The first line of an event on a stream of several views is the name of its view. */
static bool are_of_one_view(const struct fr_bytes *a, const struct fr_bytes *b)
{
    return freshet_span_equal(first_line(a), first_line(b));
}

/* The index of the oldest that is still in the reader's window, as a whole if it is not the newest. */
static size_t find_in_window(const struct fr_gzip_sent *sent, size_t count)
{
    size_t bytes = 0, first = count;
    while (first > 0 && count - first < FR_GZIP_MOST_SENT) {
        bytes += fr_frame_body(sent[first - 1].frame->span).len;
        if (bytes > FR_GZIP_WINDOW_BYTES && first < count)
            break;
        first--;
    }
    return first;
}

/* Whether nothing that comes would refer to the first of these. */
static bool is_outdated(const struct fr_gzip_sent *sent, size_t count)
{
    size_t messages = 0;
    if (!is_referred_to(&sent[0]))
        return true;
    for (size_t i = 1; i < count; i++) {
        messages += sent[i].kind == FR_GZIP_MESSAGE;
        if (is_referred_to(&sent[i]) && are_of_one_view(sent[0].frame, sent[i].frame) &&
            sent[i].kind != FR_GZIP_MESSAGE)
            return true;
    }
    return messages >= MOST_MESSAGES;
}

/* What is kept of it when it was not worth deflating: nothing will refer to it. */
static enum fr_gzip_kind kind_of_stored(enum fr_gzip_kind kind)
{
    return kind == FR_GZIP_OTHER ? FR_GZIP_OTHER : FR_GZIP_RARE;
}

struct fr_gzip_history *fr_gzip_history_after(struct fr_gzip_histories *histories,
                                              const struct fr_gzip_history *before, struct fr_bytes *frame,
                                              enum fr_gzip_kind kind, bool deflated)
{
    struct fr_gzip_sent sent[FR_GZIP_MOST_SENT + 1];
    size_t count = 0;
    if (before != NULL && kind != FR_GZIP_STATE) {
        memcpy(sent, before->sent, before->count * sizeof(*sent));
        count = before->count;
    }
    sent[count++] = (struct fr_gzip_sent){frame, deflated ? kind : kind_of_stored(kind)};
    size_t first = find_in_window(sent, count);
    while (first < count && is_outdated(sent + first, count - first))
        first++;
    return find_history(histories, sent + first, count - first);
}

/* The index of the last one of the frame's view, or the end: refer to nothing. Where something stands in
 * between that few streams have, these few would need an encoding of their own. */
static size_t find_last_of_view(const struct fr_gzip_history *before, const struct fr_bytes *frame,
                                bool alone)
{
    for (size_t i = before->count; i > 0; i--) {
        const struct fr_gzip_sent *sent = &before->sent[i - 1];
        if (is_referred_to(sent) && are_of_one_view(sent->frame, frame))
            return i - 1;
        if (sent->kind == FR_GZIP_RARE && !alone)
            return before->count;
    }
    return before->count;
}

struct fr_gzip_history *fr_gzip_history_useful(struct fr_gzip_histories *histories,
                                               struct fr_gzip_history *before, const struct fr_bytes *frame,
                                               enum fr_gzip_kind kind, bool alone)
{
    if (before == NULL)
        return NULL;
    size_t first = kind == FR_GZIP_NAMED ? find_last_of_view(before, frame, alone) : 0;
    if (first == 0)
        return fr_gzip_history_acquire(before);
    return find_history(histories, before->sent + first, before->count - first);
}
