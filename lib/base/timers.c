#include "timers.h"

#include <stdlib.h>

static void put(struct fr_timers *timers, size_t place, struct fr_timer *timer)
{
    timers->heap[place] = timer;
    timer->place = place;
}

static void sift_up(struct fr_timers *timers, struct fr_timer *timer)
{
    size_t place = timer->place;
    for (; place > 1 && timers->heap[place / 2]->at_us > timer->at_us; place /= 2)
        put(timers, place, timers->heap[place / 2]);
    put(timers, place, timer);
}

static void sift_down(struct fr_timers *timers, struct fr_timer *timer)
{
    size_t place = timer->place;
    for (size_t child; (child = place * 2) <= timers->count; place = child) {
        if (child < timers->count && timers->heap[child + 1]->at_us < timers->heap[child]->at_us)
            child++;
        if (timers->heap[child]->at_us >= timer->at_us)
            break;
        put(timers, place, timers->heap[child]);
    }
    put(timers, place, timer);
}

void fr_timers_deinit(struct fr_timers *timers)
{
    free(timers->heap);
    *timers = (struct fr_timers){0};
}

static bool make_room(struct fr_timers *timers, size_t count)
{
    if (count < timers->capacity)
        return true;
    size_t capacity = timers->capacity == 0 ? 16 : timers->capacity * 2;
    struct fr_timer **heap = realloc(timers->heap, capacity * sizeof(struct fr_timer *));
    if (heap == NULL)
        return false;
    timers->heap = heap;
    timers->capacity = capacity;
    return true;
}

bool fr_timers_reserve(struct fr_timers *timers)
{
    if (!make_room(timers, timers->reserved + 1))
        return false;
    timers->reserved++;
    return true;
}

void fr_timers_unreserve(struct fr_timers *timers)
{
    timers->reserved--;
}

bool fr_timers_set(struct fr_timers *timers, struct fr_timer *timer, int64_t at_us)
{
    if (timer->place == 0) {
        if (!make_room(timers, timers->count + 1))
            return false;
        put(timers, ++timers->count, timer);
    }
    timer->at_us = at_us;
    sift_up(timers, timer);
    sift_down(timers, timer);
    return true;
}

void fr_timers_cancel(struct fr_timers *timers, struct fr_timer *timer)
{
    if (timer->place == 0)
        return;
    struct fr_timer *last = timers->heap[timers->count--];
    if (last != timer) {
        put(timers, timer->place, last);
        sift_up(timers, last);
        sift_down(timers, last);
    }
    timer->place = 0;
}

int64_t fr_timers_next(const struct fr_timers *timers)
{
    return timers->count == 0 ? INT64_MAX : timers->heap[1]->at_us;
}

void fr_timers_run(struct fr_timers *timers, int64_t now_us, size_t limit)
{
    for (; limit > 0 && fr_timers_next(timers) <= now_us; limit--) {
        struct fr_timer *timer = timers->heap[1];
        fr_timers_cancel(timers, timer);
        timer->expire(timer);
    }
}
