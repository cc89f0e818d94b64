#include "client/client.h"
#include "measure/clock.h"
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS = 512 };

/* The last of all streams are stalled, those before them slow. */
static enum stream_pace pace_of(const struct options *options, uint64_t index)
{
    if (index >= options->streams - options->stalled)
        return PACE_STALLED;
    return index >= options->streams - options->stalled - options->slow ? PACE_SLOW : PACE_ORDINARY;
}

static void init_stream(const struct options *options, struct stream *stream, uint64_t index)
{
    stream->fd = -1;
    stream->index = (uint32_t)index;
    stream->url = (uint16_t)(index % options->urls.count);
    stream->topic = (uint32_t)(index / options->urls.count % options->topics);
    stream->pace = (uint8_t)pace_of(options, index);
    stream->tracker.is_slow = stream->pace != PACE_ORDINARY;
}

static bool init(struct client *client, const struct options *options, struct shared *shared,
                 unsigned process)
{
    client->options = options;
    client->shared = shared;
    client->stats = &shared->streams[process];
    client->measure = (struct measure){.shared = shared,
                                       .stats = client->stats,
                                       .kind = options->rule.where == RULE_NONE ? NUMBER_NONE
                                               : options->is_time               ? NUMBER_TIME
                                                                                : NUMBER_SEQ,
                                       .time_unit_ns = options->time_unit_ns,
                                       .skips_are_lost = options->skips_are_lost};
    client->histories = histories_new(&options->rule, options->differences);
    client->connect_rate = options->connect_rate / (double)options->processes;
    client->count = (uint32_t)((options->streams + options->processes - 1 - process) / options->processes);
    client->streams = calloc(client->count, sizeof(struct stream));
    client->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (client->streams == NULL || client->poll_fd < 0 || !queue_init(&client->soon, client->count) ||
        !queue_init(&client->later, client->count))
        return false;
    for (uint32_t i = 0; i < client->count; i++)
        init_stream(options, &client->streams[i], process + (uint64_t)i * options->processes);
    return true;
}

static void handle(struct client *client, const struct epoll_event *event)
{
    struct stream *stream = event->data.ptr;
    if (stream->state == STREAM_CONNECTING)
        client_writable(client, stream);
    else if (stream->fd >= 0)
        client_readable(client, stream);
}

/* Who still lacks something that was accepted. */
static void count_behind(struct client *client)
{
    uint64_t behind = 0, slow_behind = 0, unrecovered = 0;
    for (uint32_t i = 0; i < client->count; i++) {
        const struct stream *stream = &client->streams[i];
        bool is_behind = stream->state != STREAM_LIVE ||
                         measure_is_behind(&client->measure, &stream->tracker, stream->topic);
        if (stream->pace == PACE_ORDINARY)
            behind += is_behind;
        else
            slow_behind += is_behind;
        unrecovered += stream->tracker.is_recovering;
    }
    client->stats->behind = behind;
    client->stats->slow_behind = slow_behind;
    client->stats->unrecovered = unrecovered;
    PUBLISH(client->stats->checks, client->stats->checks + 1);
}

static int patience_ms(const struct client *client, int phase)
{
    if (client->soon.count > 0 || (phase == PHASE_CONNECT && client->opened < client->count))
        return 1;
    return 10;
}

static void run(struct client *client)
{
    struct epoll_event events[EVENTS];
    int64_t counted_ns = 0;
    int phase;
    while ((phase = PUBLISHED(client->shared->control.phase)) != PHASE_STOP) {
        client->now_ns = now_ns();
        client_connect_due(client);
        int count = epoll_wait(client->poll_fd, events, EVENTS, patience_ms(client, phase));
        for (int i = 0; i < count; i++)
            handle(client, &events[i]);
        client->now_ns = now_ns();
        client_play_scenarios(client);
        if (phase == PHASE_SETTLE && client->now_ns - counted_ns > 20 * MS_NS) {
            counted_ns = client->now_ns;
            count_behind(client);
        }
        client->stats->cpu_ns = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    }
}

void client_main(const struct options *options, struct shared *shared, unsigned process)
{
    struct client client;
    memset(&client, 0, sizeof(client));
    if (!init(&client, options, shared, process)) {
        fprintf(stderr, "freshet-bench: no memory for %llu streams\n", (unsigned long long)options->streams);
        _exit(1);
    }
    run(&client);
    _exit(0);
}
