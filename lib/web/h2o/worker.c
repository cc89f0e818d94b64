/* A loop as a worker: an eventfd wakes it from other threads, a timerfd on the monotonic clock when a turn is
 * due (h2o's own timeouts follow the wall clock). */
#include "base/clock.h"
#include "web/h2o/web.h"
#include "web/stream/stream_dump.h"
#include "web/stream/views.h"
#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Streams looked at before the loop sees to its sockets. */
#define TURN_STREAMS 256

/* Any thread. */
static void post_event(struct freshet_h2o_worker *worker)
{
    uint64_t one = 1;
    if (!atomic_exchange(&worker->woken, true))
        while (write(worker->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
            ;
}

/* From the worker's own thread: no system call. */
static void wake_self(struct freshet_h2o_worker *worker)
{
    if (worker->in_turn)
        worker->again = true;
    else if (!h2o_timeout_is_linked(&worker->soon))
        h2o_timeout_link(worker->context->loop, &worker->context->zero_timeout, &worker->soon);
}

static void wake(void *user)
{
    struct freshet_h2o_worker *worker = user;
    if (pthread_equal(worker->thread, pthread_self()))
        wake_self(worker);
    else
        post_event(worker);
}

static void view_ready(struct fr_view *view)
{
    if (view->name != NULL)
        fr_views_ready(view);
    else
        fr_stream_ready(FR_CONTAINER(view, struct fr_stream, view));
}

static void view_lost(struct fr_view *view, enum freshet_close_reason reason)
{
    if (view->name != NULL)
        fr_views_lost(view, reason);
    else
        fr_stream_lost(FR_CONTAINER(view, struct fr_stream, view), reason);
}

static void dump_streams(void *user, struct fr_dump *dump)
{
    const struct freshet_h2o_worker *worker = user;
    fr_stream_group_dump(&worker->group, dump);
}

const struct fr_worker_host fr_h2o_worker_host = {
    .wake = wake, .view_ready = view_ready, .view_lost = view_lost, .dump = dump_streams};

void fr_h2o_worker_tick(struct freshet_h2o_worker *worker)
{
    worker->now_us = fr_worker_now_us(worker->core);
    worker->group.now_ms = (uint32_t)(worker->now_us / FR_US_PER_MS);
}

static bool is_empty(const struct freshet_h2o_worker *worker)
{
    return worker->group.count == 0 && worker->upgrading == 0 && fr_list_is_empty(&worker->visits);
}

/* When the next turn is due. */
static int64_t next_turn(struct freshet_h2o_worker *worker)
{
    int64_t next_us = fr_worker_next(worker->core);
    int32_t wait_ms = fr_wheel_wait(&worker->group.wheel, worker->group.now_ms);
    int64_t streams_us = wait_ms == INT32_MAX ? INT64_MAX : worker->now_us + (int64_t)wait_ms * FR_US_PER_MS;
    if (streams_us < next_us)
        next_us = streams_us;
    if (worker->state != FR_H2O_DRAINING)
        return next_us;
    if (is_empty(worker))
        return INT64_MIN;
    /* What is left then waits for h2o to give a socket up. */
    bool cuts = worker->group.count > 0 && worker->deadline_us < next_us;
    return cuts ? worker->deadline_us : next_us;
}

static void set_timer(struct freshet_h2o_worker *worker, int64_t at_us)
{
    if (at_us >= worker->armed_us)
        return;
    int64_t wait_us = at_us - worker->now_us;
    struct itimerspec spec = {
        .it_value = {.tv_sec = wait_us / FR_US_PER_S, .tv_nsec = wait_us % FR_US_PER_S * 1000}};
    if (timerfd_settime(h2o_socket_get_fd(worker->timer), 0, &spec, NULL) == 0)
        worker->armed_us = at_us;
}

void fr_h2o_worker_rearm(struct freshet_h2o_worker *worker)
{
    int64_t next_us = next_turn(worker);
    if (next_us <= worker->now_us)
        wake_self(worker);
    else
        set_timer(worker, next_us);
}

/* Looks at streams that are due. True: there may be more. */
static bool check_streams(struct freshet_h2o_worker *worker)
{
    struct fr_stream_group *group = &worker->group;
    for (int i = 0; i < TURN_STREAMS; i++) {
        struct fr_list *link = fr_wheel_shift(&group->wheel, group->now_ms);
        if (link == NULL)
            return false;
        fr_stream_check(FR_CONTAINER(link, struct fr_stream, link));
    }
    return true;
}

/* Past the drain's deadline. True: there may be more. */
static bool cut_streams(struct freshet_h2o_worker *worker)
{
    struct fr_stream_group *group = &worker->group;
    if (worker->state != FR_H2O_DRAINING || worker->now_us < worker->deadline_us)
        return false;
    return fr_stream_group_cut(group, TURN_STREAMS);
}

static void end_drain(struct freshet_h2o_worker *worker)
{
    worker->state = FR_H2O_DRAINED;
    if (worker->drained != NULL)
        worker->drained(worker, worker->user);
}

/* May end in freshet_h2o_worker_leave(): the worker must not be touched afterwards. */
static void turn(struct freshet_h2o_worker *worker)
{
    fr_h2o_worker_tick(worker);
    worker->in_turn = true;
    worker->again = false;
    int64_t next_us = fr_worker_turn(worker->core);
    fr_h2o_worker_tick(worker);
    if (worker->state == FR_H2O_DRAINING)
        fr_h2o_visits_end(worker); /* not in the drain's call, which may come from a guard */
    bool more = check_streams(worker);
    more |= cut_streams(worker);
    worker->in_turn = false;
    if (worker->state == FR_H2O_DRAINING && is_empty(worker)) {
        end_drain(worker);
        return;
    }
    int64_t other_us = next_turn(worker);
    if (other_us < next_us)
        next_us = other_us;
    /* At once is after a round of the loop: a zero timeout would come before any socket. */
    if (more || worker->again || next_us <= worker->now_us)
        post_event(worker);
    else
        set_timer(worker, next_us);
}

void fr_h2o_worker_on_event(h2o_socket_t *sock, const char *error)
{
    struct freshet_h2o_worker *worker = sock->data;
    uint64_t count;
    (void)error;
    (void)!read(worker->event_fd, &count, sizeof(count));
    atomic_store(&worker->woken, false);
    turn(worker);
}

void fr_h2o_worker_on_timer(h2o_socket_t *sock, const char *error)
{
    struct freshet_h2o_worker *worker = sock->data;
    uint64_t count;
    (void)error;
    (void)!read(h2o_socket_get_fd(sock), &count, sizeof(count));
    worker->armed_us = INT64_MAX;
    turn(worker);
}

void fr_h2o_worker_on_soon(h2o_timeout_entry_t *entry)
{
    turn(FR_CONTAINER(entry, struct freshet_h2o_worker, soon));
}

static void begin_drain(struct freshet_h2o_worker *worker, uint32_t spread_ms, freshet_h2o_drained_cb drained,
                        void *user)
{
    worker->state = FR_H2O_DRAINING;
    worker->drained = drained;
    worker->user = user;
    fr_stream_group_drain(&worker->group, spread_ms);
}

void freshet_h2o_worker_drain(struct freshet_h2o_worker *worker, uint32_t deadline_ms, uint32_t spread_ms,
                              freshet_h2o_drained_cb drained, void *user)
{
    if (worker == NULL)
        return;
    fr_h2o_worker_tick(worker);
    if (worker->state == FR_H2O_SERVING)
        begin_drain(worker, spread_ms, drained, user);
    int64_t deadline_us =
        deadline_ms == FRESHET_NEVER ? INT64_MAX : worker->now_us + (int64_t)deadline_ms * FR_US_PER_MS;
    if (deadline_us < worker->deadline_us)
        worker->deadline_us = deadline_us;
    wake_self(worker);
}

size_t freshet_h2o_worker_streams(const struct freshet_h2o_worker *worker)
{
    return worker == NULL ? 0 : worker->group.count;
}
