/* How streams begin and end. */
#include "client/client.h"
#include "measure/clock.h"
#include "wire/socket.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

/* What a slow stream's kernel holds for it: the smallest, so that the server feels it. */
enum { SLOW_BUFFER = 2048, MAX_REQUEST = 16384 };

bool queue_init(struct queue *queue, uint32_t capacity)
{
    queue->items = calloc(capacity + 1, sizeof(*queue->items));
    queue->capacity = capacity + 1;
    return queue->items != NULL;
}

static void push(struct queue *queue, uint32_t item)
{
    queue->items[(queue->head + queue->count++) % queue->capacity] = item;
}

static uint32_t pop(struct queue *queue)
{
    uint32_t item = queue->items[queue->head];
    queue->head = (queue->head + 1) % queue->capacity;
    queue->count--;
    return item;
}

static struct stream *front(const struct client *client, const struct queue *queue)
{
    return queue->count == 0 ? NULL : &client->streams[queue->items[queue->head]];
}

void client_enqueue(struct client *client, struct stream *stream, int64_t delay_ns)
{
    stream->state = STREAM_WAITING;
    stream->due_ns = client->now_ns + delay_ns;
    push(delay_ns == 0 ? &client->soon : &client->later, (uint32_t)(stream - client->streams));
}

static void poll_for(struct client *client, struct stream *stream, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = stream};
    epoll_ctl(client->poll_fd, operation, stream->fd, &event);
}

void client_close(struct client *client, struct stream *stream)
{
    if (stream->state == STREAM_CONNECTING || stream->state == STREAM_ASKED)
        client->unanswered--;
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
    history_leave(client->histories, stream->history);
    stream->history = NULL;
    client->stats->open -= stream->is_open;
    client->stats->live -= stream->state == STREAM_LIVE;
    client->stats->slow_live -= stream->state == STREAM_LIVE && stream->pace != PACE_ORDINARY;
    stream->is_open = false;
    stream->state = STREAM_GONE;
}

void client_lost(struct client *client, struct stream *stream, uint64_t *counter)
{
    bool was_live = stream->state == STREAM_LIVE;
    ++*counter;
    if (was_live)
        stream->lost_ns = client->now_ns;
    client_close(client, stream);
    /* How long the server bears a slow one is what is to be seen. */
    if (stream->pace != PACE_ORDINARY && was_live)
        return;
    if (client->options->reconnect_ns >= 0)
        client_enqueue(client, stream, client->options->reconnect_ns);
}

static void ask(struct client *client, struct stream *stream)
{
    const struct options *options = client->options;
    const struct url *url = &options->stream_urls[stream->url];
    char request[MAX_REQUEST], path[1100];
    if (!range_fill(&options->ranges[stream->url], url->path, stream->topic, path, sizeof(path)))
        path[0] = '\0';
    int len =
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nhost: %s\r\naccept: text/event-stream%s\r\n%s",
                 path, url->host, options->differences ? ";differences=1" : "",
                 options->compressed ? "accept-encoding: gzip\r\n" : "");
    for (unsigned i = 0; i < options->stream_headers.count && len < MAX_REQUEST; i++)
        len += snprintf(request + len, sizeof(request) - (size_t)len, "%s\r\n",
                        options->stream_headers.items[i]);
    if (len < MAX_REQUEST)
        len += snprintf(request + len, sizeof(request) - (size_t)len, "\r\n");
    if (len >= MAX_REQUEST || send(stream->fd, request, (size_t)len, MSG_NOSIGNAL) != len) {
        client_lost(client, stream, &client->stats->failed);
        return;
    }
    stream->state = STREAM_ASKED;
    poll_for(client, stream, EPOLL_CTL_MOD, EPOLLIN);
}

void client_writable(struct client *client, struct stream *stream)
{
    if (socket_connected(stream->fd) != 0) {
        client_lost(client, stream, &client->stats->failed);
        return;
    }
    histogram_record(&client->stats->connect, now_ns() - stream->since_ns);
    client->stats->open++;
    stream->is_open = true;
    ask(client, stream);
}

static bool bind_source(const struct client *client, const struct stream *stream)
{
    const struct options *options = client->options;
    int on = 1;
    if (options->source_count == 0)
        return true;
    struct sockaddr_in source = {
        .sin_family = AF_INET,
        .sin_addr = options->sources[stream->index / options->urls.count % options->source_count]};
    setsockopt(stream->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    return bind(stream->fd, (struct sockaddr *)&source, sizeof(source)) == 0;
}

static void open_stream(struct client *client, struct stream *stream)
{
    const struct url *url = &client->options->stream_urls[stream->url];
    int small = SLOW_BUFFER;
    memset(&stream->http, 0, sizeof(stream->http));
    memset(&stream->sse, 0, sizeof(stream->sse));
    stream->tracker.is_first = true;
    stream->state = STREAM_CONNECTING;
    stream->since_ns = now_ns();
    client->unanswered++;
    stream->fd = socket(url->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (stream->fd >= 0 && stream->pace != PACE_ORDINARY)
        setsockopt(stream->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    if (stream->fd < 0 || !bind_source(client, stream) ||
        (connect(stream->fd, (const struct sockaddr *)&url->address, url->address_len) != 0 &&
         errno != EINPROGRESS)) {
        client_lost(client, stream, &client->stats->failed);
        return;
    }
    poll_for(client, stream, EPOLL_CTL_ADD, EPOLLOUT);
}

/* The next one that is due: those that come back before new ones. */
static struct stream *next_due(struct client *client)
{
    uint64_t wanted = PUBLISHED(client->shared->control.wanted);
    struct queue *queues[] = {&client->soon, &client->later};
    for (int i = 0; i < 2; i++) {
        struct stream *stream = front(client, queues[i]);
        if (stream != NULL && stream->due_ns <= client->now_ns) {
            pop(queues[i]);
            return stream;
        }
    }
    if (client->opened < client->count && client->streams[client->opened].index < wanted)
        return &client->streams[client->opened++];
    return NULL;
}

void client_connect_due(struct client *client)
{
    struct stream *stream;
    while (client->unanswered < client->options->connecting &&
           (client->connect_rate <= 0 || client->next_connect_ns <= client->now_ns) &&
           (stream = next_due(client)) != NULL) {
        open_stream(client, stream);
        /* Not more than 10 ms are made up for: a rate, not a burst. */
        if (client->next_connect_ns < client->now_ns - 10 * MS_NS)
            client->next_connect_ns = client->now_ns - 10 * MS_NS;
        if (client->connect_rate > 0)
            client->next_connect_ns += (int64_t)((double)SECOND_NS / client->connect_rate);
    }
}

void client_look_after_unanswered(struct client *client)
{
    int64_t before = client->now_ns - client->options->connect_timeout_ns;
    for (uint32_t i = 0; i < client->opened && client->unanswered > 0; i++) {
        struct stream *stream = &client->streams[i];
        if ((stream->state == STREAM_CONNECTING || stream->state == STREAM_ASKED) &&
            stream->since_ns < before)
            client_lost(client, stream, &client->stats->failed);
    }
}
