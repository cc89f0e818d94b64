/* An application of the library, as small as can be: what the library itself takes, with no store beside it.
 *
 *   freshet-app serve REDIS-URL PORT [FILE]
 *     live loaders on 127.0.0.1. The state of GET /live/tick is the time in the newest message; that of
 *     GET /live/board the text of FILE, with the number that was published last in the place of its {seq}
 *
 *   freshet-app tick REDIS-URL RATE SECONDS
 *     publishes the time, at a rate
 *
 *   freshet-app flood REDIS-URL WINDOW SECONDS
 *     publishes 100 bytes as fast as they are accepted, WINDOW at once and then none until all are answered,
 *     as redis-benchmark -P WINDOW does; prints publishes a second
 */
#include <freshet/freshet.h>
#include <freshet/h2o.h>
#include <freshet/redis.h>
#include <h2o.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

FRESHET_CHANNEL(tick, "tick", (), int64(time_us), text(padding));

#define NS_PER_S 1000000000LL

static void insist(bool holds, const char *what, const char *why)
{
    if (holds)
        return;
    fprintf(stderr, "freshet-app: %s%s%s\n", what, *why == '\0' ? "" : ": ", why);
    exit(1);
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static struct freshet *begin(const char *redis_url)
{
    struct freshet *freshet;
    struct freshet_error error = {0};
    struct freshet_options options = {.size = sizeof(options)};
    struct freshet_redis_options redis = {.size = sizeof(redis), .url = redis_url};
    insist(freshet_redis_bus_new(&options.bus, &redis, &error) == FRESHET_OK, "Redis", error.text);
    insist(freshet_new(&freshet, &options, &error) == FRESHET_OK, "freshet", error.text);
    return freshet;
}

static void wait_ready(struct freshet *freshet)
{
    static const struct timespec step = {.tv_nsec = 1000000};
    for (int i = 0; !freshet_ready(freshet); i++) {
        insist(i < 10000, "Redis does not deliver", "");
        nanosleep(&step, NULL);
    }
}

/* ---- serve ---- */

static void load_tick(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    struct tick_message message;
    char text[32] = "0";
    int len = 1;
    (void)user;
    if (tick_decode(context->message.payload, &message, NULL) == FRESHET_OK)
        len = snprintf(text, sizeof(text), "%" PRId64, message.time_us);
    freshet_load_answer(load, freshet_span(text, (size_t)len));
}

static struct {
    char *head, *tail;
    _Atomic int64_t seq; /* loads may run beside each other */
} board;

/* Of an outside file: the two parts around its {seq}. */
static void read_board(const char *path)
{
    size_t room = 1 << 20;
    FILE *file = fopen(path, "re");
    insist(file != NULL, "can't read", path);
    board.head = calloc(1, room);
    insist(board.head != NULL && fread(board.head, 1, room - 1, file) < room - 1, "too large", path);
    fclose(file);
    board.tail = strstr(board.head, "{seq}");
    insist(board.tail != NULL, "there is no {seq} in", path);
    *board.tail = '\0';
    board.tail += strlen("{seq}");
}

/* The payload is a text in msgpack: what stands before its digits are its type and its length, which is under
 * 48 and so no digit. 0: it is none, as that of the load for a first stream. */
static int64_t read_digits(struct freshet_span payload)
{
    size_t i = 0;
    int64_t value = 0;
    while (i < payload.len && (payload.data[i] < '0' || payload.data[i] > '9'))
        i++;
    for (; i < payload.len && payload.data[i] >= '0' && payload.data[i] <= '9' && value < INT64_MAX / 100;
         i++)
        value = value * 10 + (payload.data[i] - '0');
    return value;
}

static void load_board(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    int64_t seq = read_digits(context->message.payload);
    char *text = NULL;
    (void)user;
    if (seq > atomic_load(&board.seq))
        atomic_store(&board.seq, seq);
    /* So many digits always, so that a board has its size. */
    int len = asprintf(&text, "%s%010" PRId64 "%s", board.head, atomic_load(&board.seq), board.tail);
    if (len < 0)
        freshet_load_fail(load, "memory", "no memory for the board");
    else
        freshet_load_give(load, freshet_span(text, (size_t)len), free, text);
}

/* The topic has the loader's name. */
static void add_loader(struct freshet *freshet, const char *name, const struct freshet_channel *channel,
                       freshet_load_cb load)
{
    struct freshet_error error = {0};
    struct freshet_loader_options options = {.size = sizeof(options),
                                             .name = name,
                                             .route = name,
                                             .channel = channel,
                                             .load = load,
                                             .shared = true,
                                             .on_loop = true};
    insist(freshet_loader_new(freshet, &options, NULL, &error) == FRESHET_OK, "loader", error.text);
}

static void add_board(struct freshet *freshet, const char *path)
{
    struct freshet_error error = {0};
    struct freshet_channel *channel = NULL;
    read_board(path);
    insist(freshet_channel_new(&channel, "board", &error) == FRESHET_OK, "channel", error.text);
    add_loader(freshet, "board", channel, load_board);
    freshet_channel_destroy(channel);
}

static int serve(struct freshet *freshet, const char *port, const char *board_path)
{
    struct freshet_error error = {0};
    /* The same for all, against what it is for: so all streams get the same bytes, and freshet-bench has to
     * unpack them only once. */
    struct freshet_h2o_mount_options mount = {
        .size = sizeof(mount), .retry_min_ms = 1000, .retry_max_ms = 1000};
    h2o_globalconf_t config;
    h2o_hostconf_t *host = freshet_h2o_config_init(&config);
    add_loader(freshet, "tick", tick_channel(&error), load_tick);
    if (board_path != NULL)
        add_board(freshet, board_path);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/live", 0);
    insist(freshet_h2o_mount(freshet, path, &mount, &error) == FRESHET_OK, "mount", error.text);
    insist(freshet_h2o_serve(freshet, &config, "127.0.0.1", port, NULL, &error) == FRESHET_OK, "serve",
           error.text);
    freshet_destroy(freshet, 1000);
    return 0;
}

/* ---- tick, flood ---- */

static struct {
    atomic_int unanswered, refused;
    sem_t all_answered;
} window;

static void note_answer(enum freshet_status status, int64_t receivers, void *user)
{
    (void)receivers;
    (void)user;
    if (status != FRESHET_OK)
        atomic_fetch_add(&window.refused, 1);
    if (atomic_fetch_sub(&window.unanswered, 1) == 1)
        sem_post(&window.all_answered);
}

static void publish(struct freshet *freshet, const struct tick_topic *topic, struct freshet_span padding)
{
    struct tick_message message = {.time_us = clock_ns(CLOCK_REALTIME) / 1000, .padding = padding};
    enum freshet_status status = tick_publish(freshet, topic, &message, note_answer, NULL);
    insist(status == FRESHET_OK, "publish", freshet_status_text(status));
}

/* `count` at once, until all are answered. */
static void publish_window(struct freshet *freshet, const struct tick_topic *topic, int count,
                           struct freshet_span padding)
{
    atomic_store(&window.unanswered, count);
    for (int i = 0; i < count; i++)
        publish(freshet, topic, padding);
    while (sem_wait(&window.all_answered) != 0)
        ;
}

static void end(struct freshet *freshet)
{
    freshet_destroy(freshet, 1000);
    insist(atomic_load(&window.refused) == 0, "a publish was refused", "");
}

static int tick(struct freshet *freshet, double rate, double seconds)
{
    struct tick_topic topic;
    tick_key(&topic, NULL);
    int64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
    for (int64_t i = 0; (double)i < rate * seconds; i++) {
        int64_t due_ns = begin_ns + (int64_t)((double)i / rate * NS_PER_S);
        struct timespec due = {.tv_sec = due_ns / NS_PER_S, .tv_nsec = due_ns % NS_PER_S};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        publish_window(freshet, &topic, 1, freshet_span(NULL, 0));
    }
    end(freshet);
    return 0;
}

static int flood(struct freshet *freshet, int at_once, double seconds)
{
    static const char padding[] = "0123456789012345678901234567890";
    struct tick_topic topic;
    tick_key(&topic, NULL);
    int64_t begin_ns = clock_ns(CLOCK_MONOTONIC), now_ns = begin_ns, published = 0;
    while ((double)(now_ns - begin_ns) < seconds * NS_PER_S) {
        publish_window(freshet, &topic, at_once, freshet_span_text(padding));
        published += at_once;
        now_ns = clock_ns(CLOCK_MONOTONIC);
    }
    printf("%.0f\n", (double)published / ((double)(now_ns - begin_ns) / NS_PER_S));
    end(freshet);
    return 0;
}

static double number(const char *text)
{
    char *rest;
    double value = strtod(text, &rest);
    insist(*text != '\0' && *rest == '\0' && value > 0 && value < 1e9, "not a number above 0", text);
    return value;
}

int main(int argc, char **argv)
{
    const char *role = argc > 2 ? argv[1] : "";
    bool serves = strcmp(role, "serve") == 0, ticks = strcmp(role, "tick") == 0,
         floods = strcmp(role, "flood") == 0;
    if (!(serves && (argc == 4 || argc == 5)) && !((ticks || floods) && argc == 5)) {
        fprintf(stderr, "usage: freshet-app serve REDIS-URL PORT [FILE] | tick REDIS-URL RATE SECONDS |\n"
                        "       flood REDIS-URL WINDOW SECONDS\n");
        return 2;
    }
    struct freshet *freshet = begin(argv[2]);
    sem_init(&window.all_answered, 0, 0);
    if (serves)
        return serve(freshet, argv[3], argc == 5 ? argv[4] : NULL);
    double how_many = number(argv[3]), seconds = number(argv[4]);
    wait_ready(freshet);
    return ticks ? tick(freshet, how_many, seconds) : flood(freshet, (int)how_many, seconds);
}
