/* Publishing with HTTP requests, over connections that are kept as long as the server keeps them. */
#include "wire/http.h"
#include "measure/clock.h"
#include "publish/publisher.h"
#include "wire/socket.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum lane_state { LANE_CLOSED, LANE_CONNECTING, LANE_OPEN };

/* One connection, over and over. */
struct lane {
    enum lane_state state;
    int fd;
    unsigned url;
    uint64_t *waiting; /* publishes without an answer, a ring of --pipeline */
    uint64_t head, count;
    int64_t down_until_ns; /* what is published before this fails */
    struct http_parser http;
    struct outgoing out;
};

struct lanes {
    struct lane *items;
    uint64_t per_url;
};

static bool open_lanes(struct publisher *publisher)
{
    const struct options *options = publisher->options;
    struct lanes *lanes = calloc(1, sizeof(*lanes));
    if (lanes == NULL)
        return false;
    lanes->per_url = options->publish_connections;
    lanes->items = calloc(lanes->per_url * options->publish.count, sizeof(struct lane));
    publisher->way = lanes;
    if (lanes->items == NULL)
        return false;
    for (uint64_t i = 0; i < lanes->per_url * options->publish.count; i++) {
        struct lane *lane = &lanes->items[i];
        lane->fd = -1;
        lane->url = (unsigned)(i / lanes->per_url);
        lane->waiting = calloc(options->pipeline, sizeof(uint64_t));
        if (lane->waiting == NULL)
            return false;
    }
    return true;
}

static void close_lane(struct publisher *publisher, struct lane *lane, const char *problem)
{
    if (lane->fd >= 0)
        close(lane->fd);
    lane->fd = -1;
    lane->state = LANE_CLOSED;
    lane->out.len = lane->out.sent = 0;
    for (; lane->count > 0; lane->count--) {
        publisher_answered(publisher, lane->waiting[lane->head], problem);
        lane->head = (lane->head + 1) % publisher->options->pipeline;
    }
}

static void break_lane(struct publisher *publisher, struct lane *lane, const char *problem)
{
    close_lane(publisher, lane, problem);
    lane->down_until_ns = publisher->now_ns + RETRY_MS * MS_NS;
}

static void poll_lane(const struct publisher *publisher, struct lane *lane, int operation)
{
    bool wants_out = lane->state == LANE_CONNECTING || lane->out.sent < lane->out.len;
    struct epoll_event event = {.events = wants_out ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = lane};
    epoll_ctl(publisher->poll_fd, operation, lane->fd, &event);
}

static bool connect_lane(struct publisher *publisher, struct lane *lane)
{
    const struct url *url = &publisher->options->publish_urls[lane->url];
    int on = 1;
    lane->fd = socket(url->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (lane->fd < 0)
        return false;
    setsockopt(lane->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(lane->fd, (const struct sockaddr *)&url->address, url->address_len) != 0 &&
        errno != EINPROGRESS)
        return false;
    lane->state = LANE_CONNECTING;
    http_reset(&lane->http);
    publisher->stats->connections++;
    poll_lane(publisher, lane, EPOLL_CTL_ADD);
    return true;
}

/* The request in the scratch; 0: it does not fit. */
static size_t write_request(const struct publisher *publisher, const struct lane *lane, uint64_t publish)
{
    const struct options *options = publisher->options;
    const struct url *url = &options->publish_urls[lane->url];
    char *at = publisher->scratch, *end = at + PUBLISHER_SCRATCH / 2;
    size_t body_len = publisher_fill(publisher, options->body, publish, end, PUBLISHER_SCRATCH / 2);
    char path[2048];
    size_t path_len = publisher_fill(publisher, url->path, publish, path, sizeof(path));
    if (body_len == SIZE_MAX || path_len == SIZE_MAX)
        return 0;
    at += snprintf(at, 8192, "%s %.*s HTTP/1.1\r\nhost: %s\r\n", options->method, (int)path_len, path,
                   url->host);
    for (unsigned i = 0; i < options->headers.count; i++) {
        size_t len =
            publisher_fill(publisher, options->headers.items[i], publish, at, (size_t)(end - at) - 64);
        if (len == SIZE_MAX)
            return 0;
        at += len;
        at = mempcpy(at, "\r\n", 2);
    }
    if (body_len > 0 || strcmp(options->method, "GET") != 0)
        at += sprintf(at, "content-length: %zu\r\n", body_len);
    at = mempcpy(at, "\r\n", 2);
    memmove(at, end, body_len);
    return (size_t)(at - publisher->scratch) + body_len;
}

static struct lane *choose_lane(const struct publisher *publisher, uint64_t publish)
{
    const struct options *options = publisher->options;
    struct lanes *lanes = publisher->way;
    uint64_t topic = plan_topic(&publisher->shared->plan, publish);
    struct lane *of_url = &lanes->items[publish % options->publish.count * lanes->per_url];
    if (!options->any_order)
        return &of_url[topic % lanes->per_url];
    for (uint64_t i = 0; i < lanes->per_url; i++) {
        if (of_url[i].count < options->pipeline)
            return &of_url[i];
    }
    return of_url;
}

static enum sent send_request(struct publisher *publisher, uint64_t publish)
{
    struct lane *lane = choose_lane(publisher, publish);
    if (lane->count == publisher->options->pipeline)
        return SENT_LATER;
    if (lane->down_until_ns > publisher->now_ns) {
        publisher_failed(publisher, "no connection");
        return SENT_FAILED;
    }
    size_t len = write_request(publisher, lane, publish);
    if (len == 0 || !outgoing_add(&lane->out, publisher->scratch, len)) {
        publisher_failed(publisher, "the request is too large");
        return SENT_FAILED;
    }
    lane->waiting[(lane->head + lane->count++) % publisher->options->pipeline] = publish;
    publisher->unanswered++;
    bool fine = lane->state != LANE_CLOSED || connect_lane(publisher, lane);
    if (fine && lane->state == LANE_OPEN) {
        fine = outgoing_flush(&lane->out, lane->fd);
        if (fine && lane->out.sent < lane->out.len)
            poll_lane(publisher, lane, EPOLL_CTL_MOD);
    }
    if (!fine)
        break_lane(publisher, lane, "no connection");
    return SENT_YES;
}

/* The server has said that it closes behind this answer, so it has not touched what was sent behind: that is
 * sent again. */
static void reopen_lane(struct publisher *publisher, struct lane *lane)
{
    uint64_t waiting = lane->count;
    bool fine = true;
    lane->count = 0;
    close_lane(publisher, lane, NULL);
    lane->count = waiting;
    for (uint64_t i = 0; fine && i < waiting; i++) {
        uint64_t publish = lane->waiting[(lane->head + i) % publisher->options->pipeline];
        size_t len = write_request(publisher, lane, publish);
        fine = len > 0 && outgoing_add(&lane->out, publisher->scratch, len);
    }
    if (waiting > 0 && (!fine || !connect_lane(publisher, lane)))
        break_lane(publisher, lane, "no connection");
}

/* False: the connection is not used any more. */
static bool take_answer(struct publisher *publisher, struct lane *lane)
{
    char problem[32];
    unsigned status = lane->http.status;
    bool closes = lane->http.closes;
    if (lane->count == 0) {
        break_lane(publisher, lane, "an answer to nothing");
        return false;
    }
    sprintf(problem, "status %u", status);
    lane->count--;
    publisher_answered(publisher, lane->waiting[lane->head], status / 100 == 2 ? NULL : problem);
    lane->head = (lane->head + 1) % publisher->options->pipeline;
    http_reset(&lane->http);
    if (closes)
        reopen_lane(publisher, lane);
    return !closes;
}

static void read_lane(struct publisher *publisher, struct lane *lane)
{
    static char buffer[65536];
    ssize_t len = recv(lane->fd, buffer, sizeof(buffer), 0);
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len <= 0) {
        if (lane->http.state == HTTP_UNTIL_CLOSE)
            take_answer(publisher, lane);
        else if (lane->count == 0)
            close_lane(publisher, lane, NULL);
        else
            break_lane(publisher, lane, "the connection broke");
        return;
    }
    for (const char *at = buffer, *end = buffer + len; at < end;) {
        const char *body;
        size_t body_len;
        at += http_read(&lane->http, at, (size_t)(end - at), &body, &body_len);
        if (lane->http.state == HTTP_BROKEN) {
            break_lane(publisher, lane, "the answer is not HTTP");
            return;
        }
        if (lane->http.state == HTTP_DONE && !take_answer(publisher, lane))
            return;
    }
}

static void handle_lane(struct publisher *publisher, void *what, uint32_t events)
{
    struct lane *lane = what;
    if (lane->fd < 0)
        return;
    if (events & EPOLLOUT) {
        int error = socket_connected(lane->fd);
        lane->state = LANE_OPEN;
        if (error != 0 || !outgoing_flush(&lane->out, lane->fd)) {
            break_lane(publisher, lane, error == 0 ? "the connection broke" : strerror(error));
            return;
        }
        if (lane->out.sent == lane->out.len)
            poll_lane(publisher, lane, EPOLL_CTL_MOD);
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        read_lane(publisher, lane);
}

const struct way way_http = {.open = open_lanes, .send = send_request, .handle = handle_lane};
