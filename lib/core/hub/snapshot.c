#include "core/hub/snapshot.h"

#include "base/list.h"
#include "base/utf8.h"
#include "core/codec/difference.h"
#include "core/runtime/pool.h"
#include <stdlib.h>

struct fr_difference {
    struct fr_difference *next;
    struct fr_version from;
    enum fr_difference_state state;
    struct fr_bytes *frame;
};

/* One that is made off the loop. It holds nothing of a freshet, and may end after it. */
struct making {
    struct fr_job job;
    struct fr_snapshot *before, *after;
    struct fr_difference *difference;
};

static struct fr_snapshot *new_snapshot(const struct fr_version *version, struct fr_bytes *frame)
{
    struct fr_snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (snapshot == NULL) {
        fr_bytes_release(frame);
        return NULL;
    }
    fr_refcount_init(&snapshot->references);
    pthread_mutex_init(&snapshot->lock, NULL);
    snapshot->version = *version;
    snapshot->frame = frame;
    return snapshot;
}

struct fr_snapshot *fr_snapshot_new(const struct fr_version *version, struct freshet_span bytes)
{
    struct fr_bytes *frame = fr_frame_snapshot(version, bytes);
    return frame == NULL ? NULL : new_snapshot(version, frame);
}

struct fr_snapshot *fr_snapshot_of_version(const struct fr_version *version)
{
    return new_snapshot(version, NULL);
}

struct fr_snapshot *fr_snapshot_acquire(struct fr_snapshot *snapshot)
{
    fr_refcount_acquire(&snapshot->references);
    return snapshot;
}

void fr_snapshot_release(struct fr_snapshot *snapshot)
{
    if (snapshot == NULL || !fr_refcount_release(&snapshot->references))
        return;
    for (struct fr_difference *each; (each = snapshot->differences) != NULL;) {
        snapshot->differences = each->next;
        fr_bytes_release(each->frame);
        free(each);
    }
    fr_bytes_release(snapshot->frame);
    pthread_mutex_destroy(&snapshot->lock);
    free(snapshot);
}

/* The difference as JSON, of texts as clients have them. Empty: none that pays, or no memory. */
static struct fr_buffer describe(struct freshet_span before, struct freshet_span after)
{
    struct fr_pieces pieces;
    struct fr_buffer json = {0};
    if (!fr_utf8_valid(before) || !fr_utf8_valid(after) ||
        !fr_difference_find(&pieces, before, after, after.len / 2))
        return json;
    fr_pieces_print(&json, &pieces, before, after);
    fr_pieces_deinit(&pieces);
    return json;
}

/* NULL: the whole snapshot goes. A difference that isn't clearly smaller would cost the page work for
 * nothing. */
static struct fr_bytes *make(const struct fr_snapshot *before, const struct fr_snapshot *after)
{
    struct fr_buffer old_lines = {0}, new_lines = {0}, json = {0};
    struct fr_bytes *frame = NULL;
    struct freshet_span old_text = fr_frame_text(before->frame, &old_lines),
                        new_text = fr_frame_text(after->frame, &new_lines);
    if (!old_lines.failed && !new_lines.failed)
        json = describe(old_text, new_text);
    if (json.len > 0 && !json.failed)
        frame = fr_frame_difference(&after->version, &before->version, freshet_span(json.data, json.len));
    fr_buffer_deinit(&old_lines);
    fr_buffer_deinit(&new_lines);
    fr_buffer_deinit(&json);
    if (frame != NULL && frame->span.len <= after->frame->span.len / 2)
        return frame;
    fr_bytes_release(frame);
    return NULL;
}

/* Under the lock, or while nobody else knows it. */
static void finish(struct fr_difference *difference, struct fr_bytes *frame)
{
    difference->frame = frame;
    difference->state = frame == NULL ? FR_DIFFERENCE_NONE : FR_DIFFERENCE_MADE;
}

static void make_in_pool(struct fr_job *job, bool abandoned)
{
    struct making *making = FR_CONTAINER(job, struct making, job);
    struct fr_bytes *frame = abandoned ? NULL : make(making->before, making->after);
    pthread_mutex_lock(&making->after->lock);
    finish(making->difference, frame);
    pthread_mutex_unlock(&making->after->lock);
    fr_snapshot_release(making->before);
    fr_snapshot_release(making->after);
    free(making);
}

static struct fr_difference *find(const struct fr_snapshot *snapshot, const struct fr_version *from,
                                  size_t *count)
{
    struct fr_difference *each = snapshot->differences;
    for (*count = 0; each != NULL && !fr_version_equal(&each->from, from); each = each->next)
        ++*count;
    return each;
}

static bool is_large(const struct fr_snapshot *before, const struct fr_snapshot *after)
{
    return before->frame->span.len + after->frame->span.len > 2 * FR_DIFFERENCE_LOOP_BYTES;
}

/* NULL: no memory. */
static struct making *new_making(struct fr_snapshot *before, struct fr_snapshot *after,
                                 struct fr_difference *difference)
{
    struct making *making = calloc(1, sizeof(*making));
    if (making == NULL)
        return NULL;
    making->before = fr_snapshot_acquire(before);
    making->after = fr_snapshot_acquire(after);
    making->difference = difference;
    making->job.urgent = true;
    making->job.run = make_in_pool;
    return making;
}

/* Makes it, or gives what will: to be run when the lock is let go of. */
static struct making *begin(struct fr_snapshot *before, struct fr_snapshot *after,
                            struct fr_difference *difference)
{
    if (!is_large(before, after)) {
        finish(difference, make(before, after));
        return NULL;
    }
    struct making *making = new_making(before, after, difference);
    difference->state = making == NULL ? FR_DIFFERENCE_NONE : FR_DIFFERENCE_MAKING;
    return making;
}

/* NULL: no memory. */
static struct fr_difference *add(struct fr_snapshot *snapshot, const struct fr_version *from)
{
    struct fr_difference *difference = calloc(1, sizeof(*difference));
    if (difference == NULL)
        return NULL;
    difference->from = *from;
    difference->next = snapshot->differences;
    snapshot->differences = difference;
    return difference;
}

enum fr_difference_state fr_snapshot_differ(struct fr_snapshot *snapshot, struct fr_snapshot *held,
                                            struct fr_pool *pool, bool *begun, struct fr_bytes **frame)
{
    size_t count;
    struct making *making = NULL;
    enum fr_difference_state state = FR_DIFFERENCE_NONE;
    *begun = false;
    *frame = NULL;
    if (snapshot->frame->span.len < FR_DIFFERENCE_LEAST_BYTES)
        return state;
    pthread_mutex_lock(&snapshot->lock);
    struct fr_difference *difference = find(snapshot, &held->version, &count);
    if (difference == NULL && held->frame != NULL && count < FR_DIFFERENCES_MOST) {
        difference = add(snapshot, &held->version);
        *begun = difference != NULL;
    }
    if (*begun)
        making = begin(held, snapshot, difference);
    if (difference != NULL) {
        state = difference->state;
        *frame = difference->frame == NULL ? NULL : fr_bytes_acquire(difference->frame);
    }
    pthread_mutex_unlock(&snapshot->lock);
    if (making != NULL)
        fr_pool_run(pool, &making->job);
    return state;
}
