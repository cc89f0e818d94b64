/* What streams do by plan: leave, come back all at once, read slowly or not at all. */
#include "client/client.h"
#include "measure/clock.h"
#include <string.h>
#include <time.h>

static const int64_t slow_period_ns = 100 * MS_NS, look_period_ns = 500 * MS_NS;

/* A new client takes the place of a stream. */
static void replace(struct client *client, struct stream *stream)
{
    bool is_slow = stream->tracker.is_slow;
    client_close(client, stream);
    memset(&stream->tracker, 0, sizeof(stream->tracker));
    stream->tracker.is_slow = is_slow;
    stream->lost_ns = 0;
    client->stats->churned++;
    client_enqueue(client, stream, 0);
}

static void churn(struct client *client, int64_t passed_ns)
{
    double rate = client->options->churn / (double)client->options->processes;
    uint64_t due = (uint64_t)(rate * (double)passed_ns / (double)SECOND_NS);
    for (uint32_t tried = 0; client->churned < due && tried < client->count; tried++) {
        struct stream *stream = &client->streams[client->churn_next];
        client->churn_next = (client->churn_next + 1) % client->count;
        if (stream->state != STREAM_LIVE || stream->pace != PACE_ORDINARY)
            continue;
        replace(client, stream);
        client->churned++;
    }
}

static void storm(struct client *client, double percent)
{
    uint32_t last = (uint32_t)((double)client->count * percent / 100 + 0.5);
    for (uint32_t i = 0; i < last; i++) {
        struct stream *stream = &client->streams[i];
        if (stream->state != STREAM_LIVE || stream->pace != PACE_ORDINARY)
            continue;
        stream->lost_ns = client->now_ns;
        client_close(client, stream);
        client->stats->stormed++;
        client_enqueue(client, stream, 0);
    }
}

static void stall(int64_t until_ns)
{
    struct timespec end = {.tv_sec = until_ns / SECOND_NS, .tv_nsec = until_ns % SECOND_NS};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) != 0)
        ;
}

/* All streams stand by number in front; slow ones are at the end, where count - slow of them begin. */
static void read_slow_ones(struct client *client)
{
    const struct options *options = client->options;
    double seconds = (double)(client->now_ns - client->slow_ns) / (double)SECOND_NS;
    size_t most = (size_t)((double)options->slow_rate * seconds);
    if (options->slow == 0 || client->now_ns - client->slow_ns < slow_period_ns || most == 0)
        return;
    client->slow_ns = client->now_ns;
    for (uint32_t i = 0; i < client->opened; i++) {
        struct stream *stream = &client->streams[i];
        if (stream->pace == PACE_SLOW && stream->state == STREAM_LIVE)
            client_read_some(client, stream, most);
    }
}

static void take_mark(struct client *client)
{
    uint64_t marks = PUBLISHED(client->shared->control.marks);
    if (marks == client->marks_seen)
        return;
    client->marks_seen = marks;
    for (uint32_t i = 0; i < client->count; i++) {
        struct stream *stream = &client->streams[i];
        if (stream->pace == PACE_ORDINARY)
            measure_mark(&client->measure, &stream->tracker, stream->topic, stream->state == STREAM_LIVE);
    }
}

void client_play_scenarios(struct client *client)
{
    const struct options *options = client->options;
    int64_t begin_ns = PUBLISHED(client->shared->plan.begin_ns);
    int phase = PUBLISHED(client->shared->control.phase);
    read_slow_ones(client);
    if (client->now_ns - client->look_ns >= look_period_ns) {
        client->look_ns = client->now_ns;
        client_look_after_unanswered(client);
    }
    if (begin_ns == 0 || client->now_ns < begin_ns)
        return;
    int64_t passed_ns = client->now_ns - begin_ns;
    take_mark(client);
    if (options->churn > 0 && phase == PHASE_PUBLISH)
        churn(client, passed_ns);
    while (client->storms_done < options->storm_count &&
           options->storms[client->storms_done].at_ns <= passed_ns)
        storm(client, options->storms[client->storms_done++].percent);
    while (client->stalls_done < options->stall_count &&
           options->stalls[client->stalls_done].at_ns <= passed_ns) {
        const struct stall *due = &options->stalls[client->stalls_done++];
        stall(begin_ns + due->at_ns + due->for_ns);
    }
}
