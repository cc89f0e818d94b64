/* What arrives on streams. */
#include "client/client.h"
#include "measure/clock.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

static char buffer[65536];

static void become_live(struct client *client, struct stream *stream)
{
    stream->state = STREAM_LIVE;
    client->unanswered--;
    client->stats->live++;
    histogram_record(&client->stats->first, client->now_ns - stream->since_ns);
    if (stream->lost_ns != 0)
        histogram_record(&client->stats->reconnect, client->now_ns - stream->lost_ns);
    stream->lost_ns = 0;
    if (stream->pace == PACE_ORDINARY)
        return;
    /* From here on it is not read when there is something, only when it is its time; an end is still noticed.
     */
    struct epoll_event event = {.events = EPOLLRDHUP, .data.ptr = stream};
    epoll_ctl(client->poll_fd, EPOLL_CTL_MOD, stream->fd, &event);
    client->stats->slow_live++;
}

static bool counts(const struct client *client, const char *name)
{
    if (*client->options->event != '\0')
        return strcmp(name, client->options->event) == 0;
    return *name == '\0' || strcmp(name, "message") == 0;
}

static void on_event(const struct sse_event *event, void *user)
{
    struct client *client = user;
    struct stream *stream = client->reading;
    if (!counts(client, event->name)) {
        client->stats->other_events++;
        return;
    }
    client->stats->content += event->data_len;
    client->stats->differences += event->is_difference;
    measure_event(&client->measure, &stream->tracker, stream->topic, event->has_number, event->number,
                  client->now_ns);
    if (stream->state == STREAM_ASKED)
        become_live(client, stream);
}

/* False: the stream is over. */
static bool take_head(struct client *client, struct stream *stream)
{
    if (stream->http.status != 200 || !stream->http.is_event_stream || stream->http.coding == HTTP_OTHER) {
        client_lost(client, stream, &client->stats->refused);
        return false;
    }
    client->stats->compressed += stream->http.coding == HTTP_GZIP;
    if (client->options->no_snapshot && stream->state == STREAM_ASKED) {
        measure_joined(&client->measure, &stream->tracker, stream->topic, client->now_ns);
        become_live(client, stream);
    }
    return true;
}

/* False: the stream is over. */
static bool take_body(struct client *client, struct stream *stream, const char *data, size_t len)
{
    const struct options *options = client->options;
    bool is_gzip = stream->http.coding == HTTP_GZIP;
    if (!is_gzip && !options->differences) {
        sse_feed(&stream->sse, &options->rule, data, len, on_event, client);
        return true;
    }
    if (stream->history == NULL)
        stream->history = history_begin(client->histories, is_gzip);
    if (history_take(client->histories, &stream->history, data, len, on_event, client))
        return true;
    client_lost(client, stream, &client->stats->corrupt);
    return false;
}

/* What the end of an answer that came to its last byte is counted as. */
static uint64_t *end_of(const struct client *client, const struct stream *stream)
{
    if (stream->http.state == HTTP_BROKEN)
        return &client->stats->bad;
    bool is_whole = stream->history == NULL || history_is_whole(stream->history);
    return is_whole ? &client->stats->ended : &client->stats->corrupt;
}

static bool take_bytes(struct client *client, struct stream *stream, const char *data, size_t len)
{
    bool had_head = http_head_is_read(&stream->http);
    while (len > 0) {
        const char *body;
        size_t body_len, took = http_read(&stream->http, data, len, &body, &body_len);
        if (!had_head && http_head_is_read(&stream->http)) {
            had_head = true;
            if (!take_head(client, stream))
                return false;
        }
        if (body_len > 0 && !take_body(client, stream, body, body_len))
            return false;
        if (stream->http.state == HTTP_DONE || stream->http.state == HTTP_BROKEN) {
            client_lost(client, stream, end_of(client, stream));
            return false;
        }
        data += took;
        len -= took;
    }
    return true;
}

static void take_end(struct client *client, struct stream *stream)
{
    if (stream->pace != PACE_ORDINARY && stream->state == STREAM_LIVE)
        client_lost(client, stream, &client->stats->slow_ended);
    else if (stream->state == STREAM_LIVE)
        client_lost(client, stream, &client->stats->ended);
    else
        client_lost(client, stream, &client->stats->failed);
}

void client_read_some(struct client *client, struct stream *stream, size_t most)
{
    ssize_t len = recv(stream->fd, buffer, most < sizeof(buffer) ? most : sizeof(buffer), MSG_DONTWAIT);
    client->now_ns = now_ns();
    if (len > 0) {
        client->stats->bytes += (uint64_t)len;
        client->reading = stream;
        take_bytes(client, stream, buffer, (size_t)len);
    } else if (len == 0 || (errno != EAGAIN && errno != EINTR)) {
        take_end(client, stream);
    }
}

void client_readable(struct client *client, struct stream *stream)
{
    if (stream->pace != PACE_ORDINARY && stream->state == STREAM_LIVE)
        take_end(client, stream); /* only its end is asked for */
    else
        client_read_some(client, stream, sizeof(buffer));
}
