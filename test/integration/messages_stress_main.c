/* Message loaders with real threads: two freshets on one memory bus, workers, publishers, and streams that
 * are slow in turn. At the end each stream has got or been told of every message, in the one order of the
 * bus. */
#include "checks.h"
#include "stress_worker.h"
#include <freshet/freshet.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    WORKERS = 4,
    STREAMS = 8,
    PUBLISHERS = 3,
    PUBLISHES = 4000,
    TOTAL = PUBLISHERS * PUBLISHES,
    DEADLINE_S = 60
};

static struct freshet *freshets[2];
static atomic_uint ready, settled;
static atomic_bool stopping;

struct stream {
    struct fr_view view;
    unsigned readied;
    uint64_t got, lost;
    bool settled;
    uint32_t heard[TOTAL]; /* what each message said */
};

/* ---- a loop for a worker ---- */

struct loop {
    pthread_t thread;
    struct bell bell;
    struct freshet *freshet;
    struct fr_worker *worker;
    struct stream *streams;
};

static void note(struct stream *stream, const char *event)
{
    uint64_t number;
    if (sscanf(event, "event: gap\ndata: {\"lost\":%" SCNu64 "}", &number) == 1)
        stream->lost += number;
    else if (sscanf(event, "data: %" SCNu64 "\n", &number) == 1 && stream->got < TOTAL)
        stream->heard[stream->got++] = (uint32_t)number;
    else
        check(false, event);
}

static void take_all(struct stream *stream)
{
    struct fr_bytes *frame;
    while (fr_view_take(&stream->view, &frame) != FR_NEWS_NONE) {
        char event[128];
        struct freshet_span body = fr_frame_body(frame->span);
        snprintf(event, sizeof(event), "%.*s", (int)body.len, body.data);
        note(stream, event);
        fr_bytes_release(frame);
    }
    if (stream->got + stream->lost == TOTAL && !stream->settled) {
        stream->settled = true;
        atomic_fetch_add(&settled, 1);
    }
}

/* Every third time it cannot write. */
static void view_ready(struct fr_view *view)
{
    struct stream *stream = (struct stream *)view;
    if (++stream->readied % 3 != 0)
        take_all(stream);
}

static void view_lost(struct fr_view *view, enum freshet_close_reason reason)
{
    (void)view;
    (void)reason;
    check(false, "no stream is lost");
}

static void open_streams(struct loop *loop)
{
    for (unsigned i = 0; i < STREAMS; i++) {
        struct freshet_refusal refusal;
        struct fr_visit visit = {.worker = loop->worker};
        bool open = fr_route_find(loop->freshet, freshet_span_text("log/1"), &visit.loader, &visit.params) ==
                        FRESHET_OK &&
                    fr_visit_open(&visit, &loop->streams[i].view, &refusal) == FR_VISIT_YES;
        check(open, "a stream opens");
    }
}

static void *run_loop(void *user)
{
    struct loop *loop = user;
    const struct fr_worker_host host = {
        .user = &loop->bell, .wake = bell_ring, .view_ready = view_ready, .view_lost = view_lost};
    check(fr_worker_new(&loop->worker, loop->freshet, &host) == FRESHET_OK, "a worker joins");
    open_streams(loop);
    atomic_fetch_add(&ready, 1);
    while (!atomic_load(&stopping)) {
        bool idle = fr_worker_turn(loop->worker) == INT64_MAX;
        for (unsigned i = 0; i < STREAMS && idle; i++)
            take_all(&loop->streams[i]);
        if (idle)
            bell_wait(&loop->bell, INT64_MAX);
    }
    for (unsigned i = 0; i < STREAMS; i++)
        fr_view_close(&loop->streams[i].view);
    fr_worker_leave(loop->worker);
    return NULL;
}

/* ---- publishers ---- */

/* Messages say who published them and which of its own they are. */
static void *publish_all(void *user)
{
    uint32_t who = *(uint32_t *)user;
    struct freshet_topic topic = {.len = 5, .text = "log/1"};
    bool taken = true;
    for (uint32_t i = 0; i < PUBLISHES; i++) {
        uint32_t number = who << 16 | i;
        char bytes[] = {'\xce', (char)(number >> 24), (char)(number >> 16), (char)(number >> 8),
                        (char)number};
        struct freshet_span payload = freshet_span(bytes, sizeof(bytes));
        taken &= freshet_publish(freshets[who % 2], &topic, payload, NULL, NULL) == FRESHET_OK;
        if (i % 64 == 0) /* not always faster than the workers */
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    check(taken, "every publish is taken");
    return NULL;
}

/* ---- what must be true at the end ---- */

static bool is_in_order(const struct stream *stream)
{
    int64_t last[PUBLISHERS] = {-1, -1, -1};
    for (uint64_t i = 0; i < stream->got; i++) {
        uint32_t who = stream->heard[i] >> 16, number = stream->heard[i] & 0xffff;
        if (who >= PUBLISHERS || (int64_t)number <= last[who])
            return false;
        last[who] = number;
    }
    return true;
}

/* Where each message stands in what one stream got; what it has not got is not compared. */
static bool is_same_order(const struct stream *a, const struct stream *b)
{
    static uint32_t places[PUBLISHERS << 16];
    memset(places, 0, sizeof(places));
    for (uint64_t i = 0; i < a->got; i++)
        places[a->heard[i]] = (uint32_t)i + 1;
    uint32_t last = 0;
    for (uint64_t i = 0; i < b->got; i++) {
        uint32_t place = places[b->heard[i]];
        if (place != 0 && place < last)
            return false;
        last = place != 0 ? place : last;
    }
    return true;
}

static void check_streams(const struct loop *loops)
{
    uint64_t got = 0;
    for (unsigned i = 0; i < WORKERS * STREAMS; i++) {
        const struct stream *stream = &loops[i / STREAMS].streams[i % STREAMS];
        check(stream->got + stream->lost == TOTAL, "every message came or was counted as lost");
        check(is_in_order(stream), "of one publisher in order");
        check(is_same_order(&loops[0].streams[0], stream), "one order everywhere");
        got += stream->got;
    }
    fprintf(stderr, "%" PRIu64 " of %d messages came\n", got, WORKERS * STREAMS * TOTAL);
    check(got > 0, "something came");
}

/* ---- up and down ---- */

static void start_freshets(struct freshet_memory_broker *broker)
{
    struct freshet_channel *channel;
    check(freshet_channel_new(&channel, "log/:id", NULL) == FRESHET_OK, "a channel");
    for (unsigned i = 0; i < 2; i++) {
        struct freshet_options options = {.size = sizeof(options)};
        struct freshet_loader_options loader = {
            .size = sizeof(loader), .name = "log", .route = "log/:id", .channel = channel, .messages = true};
        check(freshet_memory_bus_new(&options.bus, broker) == FRESHET_OK, "a bus");
        check(freshet_new(&freshets[i], &options, NULL) == FRESHET_OK, "a freshet");
        check(freshet_loader_new(freshets[i], &loader, NULL, NULL) == FRESHET_OK, "a loader");
    }
    freshet_channel_destroy(channel);
}

static void start_loops(struct loop *loops)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        loops[i].freshet = freshets[i % 2];
        loops[i].streams = calloc(STREAMS, sizeof(*loops[i].streams));
        bell_init(&loops[i].bell);
        pthread_create(&loops[i].thread, NULL, run_loop, &loops[i]);
    }
}

static void stop_loops(struct loop *loops)
{
    atomic_store(&stopping, true);
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(loops[i].thread, NULL);
    check_streams(loops);
    for (unsigned i = 0; i < WORKERS; i++) {
        free(loops[i].streams);
        bell_deinit(&loops[i].bell);
    }
}

static bool wait_until(atomic_uint *count, unsigned enough)
{
    for (time_t until = time(NULL) + DEADLINE_S; atomic_load(count) < enough && time(NULL) < until;)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return atomic_load(count) >= enough;
}

int main(void)
{
    static struct loop loops[WORKERS];
    pthread_t publishers[PUBLISHERS];
    uint32_t numbers[PUBLISHERS];
    struct freshet_memory_broker *broker = freshet_memory_broker_new();
    start_freshets(broker);
    start_loops(loops);
    check(wait_until(&ready, WORKERS), "the workers are ready");
    for (uint32_t i = 0; i < PUBLISHERS; i++) {
        numbers[i] = i;
        pthread_create(&publishers[i], NULL, publish_all, &numbers[i]);
    }
    for (unsigned i = 0; i < PUBLISHERS; i++)
        pthread_join(publishers[i], NULL);
    check(wait_until(&settled, WORKERS * STREAMS), "all streams have all");
    stop_loops(loops);
    for (unsigned i = 0; i < 2; i++)
        freshet_destroy(freshets[i], 1000);
    freshet_memory_broker_release(broker);
    return checks_end();
}
