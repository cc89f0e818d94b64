/* A sink that records what a bus says, and waits for it with a deadline. For Criterion and plain programs. */
#ifndef TEST_BUS_RECORDER_H
#define TEST_BUS_RECORDER_H

#include <freshet/bus.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum record_kind {
    RECORD_MESSAGE,
    RECORD_SUBSCRIBED,
    RECORD_LOST,
    RECORD_REFUSED,
    RECORD_EVERYTHING,
    RECORD_STATE,
    RECORD_PUBLISHED
};

struct record {
    enum record_kind kind;
    int64_t at_us;  /* on the monotonic clock */
    char topic[64]; /* cut */
    char body[64];  /* cut; the reason of a state or refusal */
    size_t topic_len, body_len;
    bool oversized;
    uint64_t subscription;
    enum freshet_bus_state state;
    void *token;
    enum freshet_status status;
    int64_t receivers;
};

struct recorder {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct record *records; /* in order */
    size_t count, capacity;
    char *log; /* all lines */
    size_t log_len;
    bool stopped; /* set by the test: records after it are counted */
    size_t after_stop;
};

void recorder_init(struct recorder *recorder);
void recorder_deinit(struct recorder *recorder);
struct freshet_bus_sink recorder_sink(struct recorder *recorder);
struct freshet_log recorder_log(struct recorder *recorder);

/* NULL text: any. Counts records of a kind with this topic (or, for states, this state). */
size_t recorder_count(struct recorder *recorder, enum record_kind kind, const char *topic);
size_t recorder_count_state(struct recorder *recorder, enum freshet_bus_state state);
/* Waits until there are at least `count`; false: not within `ms`. */
bool recorder_wait(struct recorder *recorder, enum record_kind kind, const char *topic, size_t count, int ms);
bool recorder_wait_state(struct recorder *recorder, enum freshet_bus_state state, size_t count, int ms);
/* The `index`-th of its kind (and topic) copied; false: there is none. */
bool recorder_get(struct recorder *recorder, enum record_kind kind, const char *topic, size_t index,
                  struct record *record);
/* The newest of its kind and topic; false: there is none. */
bool recorder_get_newest(struct recorder *recorder, enum record_kind kind, const char *topic,
                         struct record *record);
/* Where the first such record stands among all; SIZE_MAX: nowhere. */
size_t recorder_place(struct recorder *recorder, enum record_kind kind, const char *topic);
/* Whether one came at this time or later. */
bool recorder_has_since(struct recorder *recorder, enum record_kind kind, const char *topic,
                        int64_t since_us);
int64_t recorder_now_us(void);
bool recorder_log_has(struct recorder *recorder, const char *text);
bool recorder_wait_log(struct recorder *recorder, const char *text, int ms);

#endif
