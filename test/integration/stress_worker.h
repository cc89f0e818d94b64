/* What stress programs of the core share: how a worker's thread sleeps and is woken, and a stream that shows
 * a number. */
#ifndef STRESS_WORKER_H
#define STRESS_WORKER_H

#include "base/clock.h"
#include "core/hub/visit.h"
#include "core/load/loader.h"
#include "core/runtime/worker.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---- sleep ---- */

/* Of one thread, on which the others ring. */
struct bell {
    pthread_mutex_t lock;
    pthread_cond_t rung;
    bool rings;
};

static inline void bell_init(struct bell *bell)
{
    pthread_condattr_t monotonic;
    pthread_mutex_init(&bell->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&bell->rung, &monotonic);
    pthread_condattr_destroy(&monotonic);
    bell->rings = false;
}

static inline void bell_deinit(struct bell *bell)
{
    pthread_cond_destroy(&bell->rung);
    pthread_mutex_destroy(&bell->lock);
}

/* As a worker's `wake`. */
static inline void bell_ring(void *user)
{
    struct bell *bell = user;
    pthread_mutex_lock(&bell->lock);
    bell->rings = true;
    pthread_cond_signal(&bell->rung);
    pthread_mutex_unlock(&bell->lock);
}

/* Until it rings, or that time of the monotonic clock; never for more than 5 ms, so that the thread looks
 * whether all is over. */
static inline void bell_wait(struct bell *bell, int64_t until_us)
{
    int64_t most_us = fr_clock_monotonic_us() + 5 * FR_US_PER_MS;
    if (until_us > most_us)
        until_us = most_us;
    struct timespec until = {until_us / FR_US_PER_S, until_us % FR_US_PER_S * 1000};
    pthread_mutex_lock(&bell->lock);
    if (!bell->rings && until_us > 0)
        pthread_cond_timedwait(&bell->rung, &bell->lock, &until);
    bell->rings = false;
    pthread_mutex_unlock(&bell->lock);
}

/* ---- a stream of a number ---- */

struct shown {
    struct fr_view view;
    long last; /* -1: nothing has come */
    bool open;
};

/* As a worker's `view_ready`. */
static inline void shown_ready(struct fr_view *view)
{
    struct shown *shown = FR_CONTAINER(view, struct shown, view);
    struct fr_bytes *frame;
    while (fr_view_take(view, &frame) != FR_NEWS_NONE) {
        const char *data = strstr(frame->span.data, "data: ");
        if (data != NULL)
            shown->last = strtol(data + 6, NULL, 10);
        fr_bytes_release(frame);
    }
}

/* As a worker's `view_lost`. */
static inline void shown_lost(struct fr_view *view, enum freshet_close_reason reason)
{
    (void)reason;
    FR_CONTAINER(view, struct shown, view)->open = false;
}

static inline void shown_open(struct shown *shown, struct freshet *freshet, struct fr_worker *worker,
                              const char *path)
{
    struct freshet_refusal refusal;
    struct fr_visit visit = {.worker = worker};
    *shown = (struct shown){.last = -1};
    shown->open =
        fr_route_find(freshet, freshet_span_text(path), &visit.loader, &visit.params) == FRESHET_OK &&
        fr_visit_open(&visit, &shown->view, &refusal) == FR_VISIT_YES;
}

static inline void shown_close(struct shown *shown)
{
    fr_view_close(&shown->view);
    *shown = (struct shown){.last = -1};
}

#endif
