/* What a fanout's views are sent in place of a snapshot's frame: the same said for a name, or the difference
 * to what one holds. */
#include "base/clock.h"
#include "core/hub/fanout.h"
#include "core/runtime/context.h"
#include <stdlib.h>
#include <string.h>

/* How soon views that wait for a difference ask again; twice as long each time. */
#define ASK_AGAIN_US (2 * FR_US_PER_MS)
/* After that the whole snapshot goes: all threads of the pool are busy with what the application does there.
 */
#define MOST_WAIT_US (250 * FR_US_PER_MS)

/* ---- names ---- */

static void forget(struct fr_named_frame *named)
{
    fr_bytes_release(named->plain);
    fr_bytes_release(named->named);
    free(named->name);
    *named = (struct fr_named_frame){0};
}

static bool is_shown(const struct fr_fanout *fanout, const struct fr_bytes *frame)
{
    const struct fr_update *update = &fanout->update;
    return frame != NULL &&
           (frame == update->error || (update->snapshot != NULL && frame == update->snapshot->frame));
}

void fr_fanout_forget_named(struct fr_fanout *fanout)
{
    for (size_t i = 0; i < FR_NAMED_FRAMES; i++)
        if (!is_shown(fanout, fanout->named[i].plain))
            forget(&fanout->named[i]);
}

static void keep(struct fr_fanout *fanout, struct fr_bytes *plain, struct fr_bytes *named, char *name)
{
    struct fr_named_frame *kept = &fanout->named[fanout->named_next++ % FR_NAMED_FRAMES];
    forget(kept);
    /* What it was made of is held, so that no other can be at its address. */
    *kept = (struct fr_named_frame){fr_bytes_acquire(plain), fr_bytes_acquire(named), name};
}

struct fr_bytes *fr_fanout_name(struct fr_fanout *fanout, struct fr_bytes *frame, const char *name)
{
    for (size_t i = 0; i < FR_NAMED_FRAMES; i++)
        if (fanout->named[i].plain == frame && strcmp(fanout->named[i].name, name) == 0)
            return fr_bytes_acquire(fanout->named[i].named);
    bool unchanged = frame == fanout->worker->freshet->unchanged;
    struct fr_bytes *named =
        unchanged ? fr_frame_current(freshet_span_text(name), &fanout->update.snapshot->version)
                  : fr_frame_named(frame, freshet_span_text(name));
    char *copy = named == NULL ? NULL : strdup(name);
    if (copy != NULL)
        keep(fanout, frame, named, copy);
    return named;
}

/* ---- differences ---- */

static void ask_again(struct fr_timer *timer)
{
    fr_fanout_wake(FR_CONTAINER(timer, struct fr_fanout, again));
}

/* False: no memory, or it has taken too long. */
static bool wait(struct fr_fanout *fanout)
{
    struct fr_timers *timers = &fanout->worker->timers;
    int64_t now_us = fr_worker_now_us(fanout->worker);
    if (!fanout->has_timer)
        fanout->has_timer = fr_timers_reserve(timers);
    if (fanout->awaited != fanout->update.snapshot_number) {
        fanout->awaited = fanout->update.snapshot_number;
        fanout->awaited_since_us = now_us;
    }
    int64_t waited_us = now_us - fanout->awaited_since_us;
    if (!fanout->has_timer || waited_us >= MOST_WAIT_US)
        return false;
    fanout->again.expire = ask_again;
    if (fanout->again.place == 0)
        fr_timers_set(timers, &fanout->again, now_us + (waited_us > ASK_AGAIN_US ? waited_us : ASK_AGAIN_US));
    return true;
}

void fr_fanout_stop_waiting(struct fr_fanout *fanout)
{
    if (!fanout->has_timer)
        return;
    fr_timers_cancel(&fanout->worker->timers, &fanout->again);
    fr_timers_unreserve(&fanout->worker->timers);
    fanout->has_timer = false;
}

enum fr_difference_state fr_fanout_differ(struct fr_fanout *fanout, struct fr_snapshot *held,
                                          struct fr_bytes **frame)
{
    bool begun;
    enum fr_difference_state state =
        fr_snapshot_differ(fanout->update.snapshot, held, fanout->worker->freshet->pool, &begun, frame);
    if (begun)
        fr_count(&fanout->worker->counters.differences_made, 1);
    return state == FR_DIFFERENCE_MAKING && !wait(fanout) ? FR_DIFFERENCE_NONE : state;
}
