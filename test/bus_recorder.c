#include "bus_recorder.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t recorder_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static struct record *add(struct recorder *recorder, enum record_kind kind)
{
    if (recorder->count == recorder->capacity) {
        recorder->capacity = recorder->capacity == 0 ? 1024 : recorder->capacity * 2;
        recorder->records = realloc(recorder->records, recorder->capacity * sizeof(struct record));
        if (recorder->records == NULL)
            abort();
    }
    struct record *record = &recorder->records[recorder->count++];
    memset(record, 0, sizeof(*record));
    record->kind = kind;
    record->at_us = recorder_now_us();
    recorder->after_stop += recorder->stopped;
    pthread_cond_broadcast(&recorder->changed);
    return record;
}

static void cut(char *to, size_t size, struct freshet_span span)
{
    size_t len = span.len < size - 1 ? span.len : size - 1;
    if (len > 0)
        memcpy(to, span.data, len);
    to[len] = '\0';
}

static void put_texts(struct record *record, struct freshet_span topic, struct freshet_span body)
{
    cut(record->topic, sizeof(record->topic), topic);
    cut(record->body, sizeof(record->body), body);
    record->topic_len = topic.len;
    record->body_len = body.len;
}

static void on_message(void *context, struct freshet_span topic, struct freshet_span body, bool oversized)
{
    struct recorder *recorder = context;
    pthread_mutex_lock(&recorder->lock);
    struct record *record = add(recorder, RECORD_MESSAGE);
    put_texts(record, topic, body);
    record->oversized = oversized;
    pthread_mutex_unlock(&recorder->lock);
}

static void record_subscription(struct recorder *recorder, enum record_kind kind, struct freshet_span topic,
                                uint64_t subscription)
{
    pthread_mutex_lock(&recorder->lock);
    struct record *record = add(recorder, kind);
    put_texts(record, topic, freshet_span(NULL, 0));
    record->subscription = subscription;
    pthread_mutex_unlock(&recorder->lock);
}

static void on_subscribed(void *context, struct freshet_span topic, uint64_t subscription)
{
    record_subscription(context, RECORD_SUBSCRIBED, topic, subscription);
}

static void on_lost(void *context, struct freshet_span topic, uint64_t subscription)
{
    record_subscription(context, RECORD_LOST, topic, subscription);
}

static void on_refused(void *context, struct freshet_span topic, uint64_t subscription,
                       struct freshet_span reason)
{
    struct recorder *recorder = context;
    pthread_mutex_lock(&recorder->lock);
    struct record *record = add(recorder, RECORD_REFUSED);
    put_texts(record, topic, reason);
    record->subscription = subscription;
    pthread_mutex_unlock(&recorder->lock);
}

static void on_everything(void *context)
{
    struct recorder *recorder = context;
    pthread_mutex_lock(&recorder->lock);
    add(recorder, RECORD_EVERYTHING);
    pthread_mutex_unlock(&recorder->lock);
}

static void on_state(void *context, enum freshet_bus_state state, struct freshet_span reason)
{
    struct recorder *recorder = context;
    pthread_mutex_lock(&recorder->lock);
    struct record *record = add(recorder, RECORD_STATE);
    put_texts(record, freshet_span(NULL, 0), reason);
    record->state = state;
    pthread_mutex_unlock(&recorder->lock);
}

static void on_published(void *context, void *token, enum freshet_status status, int64_t receivers)
{
    struct recorder *recorder = context;
    pthread_mutex_lock(&recorder->lock);
    struct record *record = add(recorder, RECORD_PUBLISHED);
    record->token = token;
    record->status = status;
    record->receivers = receivers;
    pthread_mutex_unlock(&recorder->lock);
}

static void on_log(enum freshet_log_level level, const char *text, void *user)
{
    struct recorder *recorder = user;
    (void)level;
    pthread_mutex_lock(&recorder->lock);
    size_t len = strlen(text);
    char *log = realloc(recorder->log, recorder->log_len + len + 2);
    if (log == NULL)
        abort();
    memcpy(log + recorder->log_len, text, len);
    memcpy(log + recorder->log_len + len, "\n", 2);
    recorder->log = log;
    recorder->log_len += len + 1;
    pthread_cond_broadcast(&recorder->changed);
    pthread_mutex_unlock(&recorder->lock);
}

void recorder_init(struct recorder *recorder)
{
    memset(recorder, 0, sizeof(*recorder));
    pthread_mutex_init(&recorder->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&recorder->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

void recorder_deinit(struct recorder *recorder)
{
    free(recorder->records);
    free(recorder->log);
    pthread_cond_destroy(&recorder->changed);
    pthread_mutex_destroy(&recorder->lock);
}

struct freshet_log recorder_log(struct recorder *recorder)
{
    return (struct freshet_log){.write = on_log, .user = recorder, .level = FRESHET_LOG_DEBUG};
}

struct freshet_bus_sink recorder_sink(struct recorder *recorder)
{
    return (struct freshet_bus_sink){
        .context = recorder,
        .log = recorder_log(recorder),
        .message = on_message,
        .subscribed = on_subscribed,
        .lost = on_lost,
        .refused = on_refused,
        .everything = on_everything,
        .state = on_state,
        .published = on_published,
    };
}

struct question {
    enum record_kind kind;
    const char *topic; /* NULL: any */
    int state;         /* -1: any */
};

static bool fits(const struct record *record, const struct question *question)
{
    return record->kind == question->kind &&
           (question->topic == NULL || strcmp(record->topic, question->topic) == 0) &&
           (question->state < 0 || (int)record->state == question->state);
}

static size_t count_from(const struct recorder *recorder, const struct question *question, size_t from)
{
    size_t count = 0;
    for (size_t i = from; i < recorder->count; i++)
        count += fits(&recorder->records[i], question);
    return count;
}

static size_t count_all(struct recorder *recorder, const struct question *question)
{
    pthread_mutex_lock(&recorder->lock);
    size_t count = count_from(recorder, question, 0);
    pthread_mutex_unlock(&recorder->lock);
    return count;
}

size_t recorder_count(struct recorder *recorder, enum record_kind kind, const char *topic)
{
    return count_all(recorder, &(struct question){kind, topic, -1});
}

size_t recorder_count_state(struct recorder *recorder, enum freshet_bus_state state)
{
    return count_all(recorder, &(struct question){RECORD_STATE, NULL, (int)state});
}

static struct timespec deadline_in(int ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000L;
    at.tv_sec += at.tv_nsec / 1000000000L;
    at.tv_nsec %= 1000000000L;
    return at;
}

static bool wait_for(struct recorder *recorder, const struct question *question, size_t wanted, int ms)
{
    struct timespec at = deadline_in(ms);
    size_t seen = 0, count = 0;
    bool late = false;
    pthread_mutex_lock(&recorder->lock);
    for (;;) {
        count += count_from(recorder, question, seen);
        seen = recorder->count;
        if (count >= wanted || late)
            break;
        late = pthread_cond_timedwait(&recorder->changed, &recorder->lock, &at) != 0;
    }
    pthread_mutex_unlock(&recorder->lock);
    return count >= wanted;
}

bool recorder_wait(struct recorder *recorder, enum record_kind kind, const char *topic, size_t count, int ms)
{
    return wait_for(recorder, &(struct question){kind, topic, -1}, count, ms);
}

bool recorder_wait_state(struct recorder *recorder, enum freshet_bus_state state, size_t count, int ms)
{
    return wait_for(recorder, &(struct question){RECORD_STATE, NULL, (int)state}, count, ms);
}

static size_t find(const struct recorder *recorder, const struct question *question, size_t index)
{
    for (size_t i = 0; i < recorder->count; i++)
        if (fits(&recorder->records[i], question) && index-- == 0)
            return i;
    return SIZE_MAX;
}

bool recorder_get_newest(struct recorder *recorder, enum record_kind kind, const char *topic,
                         struct record *record)
{
    struct question question = {kind, topic, -1};
    bool found = false;
    pthread_mutex_lock(&recorder->lock);
    for (size_t i = recorder->count; i > 0 && !found; i--) {
        found = fits(&recorder->records[i - 1], &question);
        if (found)
            *record = recorder->records[i - 1];
    }
    pthread_mutex_unlock(&recorder->lock);
    return found;
}

bool recorder_has_since(struct recorder *recorder, enum record_kind kind, const char *topic, int64_t since_us)
{
    struct record record;
    return recorder_get_newest(recorder, kind, topic, &record) && record.at_us >= since_us;
}

bool recorder_get(struct recorder *recorder, enum record_kind kind, const char *topic, size_t index,
                  struct record *record)
{
    pthread_mutex_lock(&recorder->lock);
    size_t at = find(recorder, &(struct question){kind, topic, -1}, index);
    if (at != SIZE_MAX)
        *record = recorder->records[at];
    pthread_mutex_unlock(&recorder->lock);
    return at != SIZE_MAX;
}

size_t recorder_place(struct recorder *recorder, enum record_kind kind, const char *topic)
{
    pthread_mutex_lock(&recorder->lock);
    size_t at = find(recorder, &(struct question){kind, topic, -1}, 0);
    pthread_mutex_unlock(&recorder->lock);
    return at;
}

static bool log_has(const struct recorder *recorder, const char *text)
{
    return recorder->log != NULL && strstr(recorder->log, text) != NULL;
}

bool recorder_log_has(struct recorder *recorder, const char *text)
{
    pthread_mutex_lock(&recorder->lock);
    bool has = log_has(recorder, text);
    pthread_mutex_unlock(&recorder->lock);
    return has;
}

bool recorder_wait_log(struct recorder *recorder, const char *text, int ms)
{
    struct timespec at = deadline_in(ms);
    pthread_mutex_lock(&recorder->lock);
    while (!log_has(recorder, text) && pthread_cond_timedwait(&recorder->changed, &recorder->lock, &at) == 0)
        ;
    bool has = log_has(recorder, text);
    pthread_mutex_unlock(&recorder->lock);
    return has;
}
