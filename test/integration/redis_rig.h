/* A started Redis bus with its recorder. */
#ifndef TEST_REDIS_RIG_H
#define TEST_REDIS_RIG_H

#include "bus_recorder.h"
#include "redis_server.h"
#include <criterion/criterion.h>
#include <freshet/redis.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define WAIT_MS 20000

struct rig {
    struct freshet_bus *bus;
    struct recorder heard;
    int64_t started_ms;
};

static inline int64_t rig_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Between two looks at what no record tells of. */
static inline void rig_nap(int64_t end_ms, const char *log)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    cr_assert_lt(rig_now_ms(), end_ms, "%s", log == NULL ? "" : log);
}

static inline void rig_start(struct rig *rig, const struct freshet_redis_options *options)
{
    struct freshet_error error = {0};
    cr_assert_eq(freshet_redis_bus_new(&rig->bus, options, &error), FRESHET_OK, "%s", error.text);
    recorder_init(&rig->heard);
    rig->started_ms = rig_now_ms();
    struct freshet_bus_sink sink = recorder_sink(&rig->heard);
    cr_assert_eq(rig->bus->ops->start(rig->bus, &sink, NULL), FRESHET_OK);
}

static inline struct freshet_redis_options rig_options(const char *url)
{
    return (struct freshet_redis_options){.size = sizeof(struct freshet_redis_options), .url = url};
}

static inline void rig_start_url(struct rig *rig, const char *url)
{
    struct freshet_redis_options options = rig_options(url);
    rig_start(rig, &options);
}

static inline void rig_stop(struct rig *rig)
{
    rig->bus->ops->stop(rig->bus, 0);
    rig->heard.stopped = true;
    freshet_bus_destroy(rig->bus);
    cr_assert_eq(rig->heard.after_stop, 0);
    recorder_deinit(&rig->heard);
}

static inline void rig_subscribe(struct rig *rig, const char *topic, uint64_t subscription)
{
    cr_assert_eq(rig->bus->ops->subscribe(rig->bus, freshet_span_text(topic), subscription), FRESHET_OK);
}

static inline enum freshet_status rig_publish(struct rig *rig, const char *topic, const char *body,
                                              bool signal, void *token)
{
    return rig->bus->ops->publish(rig->bus, freshet_span_text(topic), freshet_span_text(body), signal, token);
}

static inline struct freshet_bus_stats rig_stats(struct rig *rig)
{
    struct freshet_bus_stats stats;
    rig->bus->ops->stats(rig->bus, &stats);
    return stats;
}

static inline void rig_wait_proved(struct rig *rig, size_t count)
{
    cr_assert(recorder_wait_state(&rig->heard, FRESHET_BUS_PROVED, count, WAIT_MS), "%s",
              rig->heard.log == NULL ? "" : rig->heard.log);
}

static inline void rig_wait_down(struct rig *rig, size_t count)
{
    cr_assert(recorder_wait_state(&rig->heard, FRESHET_BUS_DOWN, count, 50000), "%s",
              rig->heard.log == NULL ? "" : rig->heard.log);
}

static inline void rig_expect_subscribed(struct rig *rig, const char *topic, size_t count)
{
    cr_assert(recorder_wait(&rig->heard, RECORD_SUBSCRIBED, topic, count, WAIT_MS), "%s",
              rig->heard.log == NULL ? "" : rig->heard.log);
}

#endif
