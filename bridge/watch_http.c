#include "watch.h"
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int watch_connect(const struct watch_address *address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(address->host, address->port, &hints, &found) != 0)
        return -1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static bool send_head(int fd, const struct watch_address *address, const char *method, const char *path)
{
    char head[512];
    int len = snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nhost: %s:%s\r\n\r\n", method, path,
                       address->host, address->port);
    return len > 0 && (size_t)len < sizeof(head) && send(fd, head, (size_t)len, MSG_NOSIGNAL) == len;
}

/* ---- one request ---- */

bool watch_request_send(struct watch_request *request, const struct watch_address *address,
                        const char *method, const char *path)
{
    request->len = 0;
    request->fd = watch_connect(address);
    if (request->fd < 0)
        return false;
    if (send_head(request->fd, address, method, path))
        return true;
    close(request->fd);
    request->fd = -1;
    return false;
}

/* The status once head and body are there. */
static int complete(struct watch_request *request)
{
    request->answer[request->len] = '\0';
    const char *end = strstr(request->answer, "\r\n\r\n"),
               *length = strcasestr(request->answer, "\r\ncontent-length:");
    if (end == NULL)
        return 0;
    size_t body = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
    if (request->len < (size_t)(end - request->answer) + 4 + body)
        return 0;
    return atoi(request->answer + strlen("HTTP/1.1 "));
}

int watch_request_read(struct watch_request *request)
{
    size_t room = sizeof(request->answer) - 1 - request->len;
    ssize_t got = room == 0 ? 0 : recv(request->fd, request->answer + request->len, room, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    request->len += got > 0 ? (size_t)got : 0;
    int status = got > 0 ? complete(request) : -1;
    if (status != 0) {
        close(request->fd);
        request->fd = -1;
    }
    return status;
}

bool watch_request_field(const struct watch_request *request, const char *name, char *value, size_t size)
{
    char key[40];
    snprintf(key, sizeof(key), "\"%s\":", name);
    const char *at = strstr(request->answer, key);
    if (at == NULL)
        return false;
    at += strlen(key);
    at += *at == '"';
    snprintf(value, size, "%.*s", (int)strcspn(at, "\",}"), at);
    return true;
}

int watch_request_run(struct watch_request *request, const struct watch_address *address, const char *method,
                      const char *path, int timeout_ms)
{
    int64_t until_us = watch_now_us() + (int64_t)timeout_ms * 1000;
    if (!watch_request_send(request, address, method, path))
        return -1;
    int status = 0;
    while (status == 0 && watch_now_us() < until_us) {
        struct pollfd fd = {.fd = request->fd, .events = POLLIN};
        poll(&fd, 1, 10);
        status = watch_request_read(request);
    }
    if (request->fd >= 0)
        close(request->fd);
    request->fd = -1;
    return status == 0 ? -1 : status;
}

/* ---- a stream ---- */

bool watch_stream_open(struct watch_stream *stream, const struct watch_address *address)
{
    stream->part = WATCH_HEAD;
    stream->line_len = stream->data_len = 0;
    stream->event[0] = '\0';
    stream->fd = watch_connect(address);
    if (stream->fd >= 0 && !send_head(stream->fd, address, "GET", stream->path))
        watch_stream_close(stream);
    return stream->fd >= 0;
}

void watch_stream_close(struct watch_stream *stream)
{
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
}

static void end_event(struct watch_stream *stream)
{
    if (stream->data_len > 0) {
        stream->data[stream->data_len - 1] = '\0'; /* the last line end */
        stream->on_event(stream, stream->event[0] == '\0' ? "message" : stream->event, stream->data,
                         stream->user);
    }
    stream->data_len = 0;
    stream->event[0] = '\0';
}

static void take_data(struct watch_stream *stream, const char *text)
{
    size_t len = strlen(text);
    if (stream->data_len + len + 2 > sizeof(stream->data))
        return; /* only shown in part */
    memcpy(stream->data + stream->data_len, text, len);
    stream->data_len += len;
    stream->data[stream->data_len++] = '\n';
}

/* A line of the event stream. */
static void take_event_line(struct watch_stream *stream)
{
    if (stream->line[0] == '\0')
        end_event(stream);
    else if (strncmp(stream->line, "data: ", 6) == 0)
        take_data(stream, stream->line + 6);
    else if (strncmp(stream->line, "event: ", 7) == 0)
        snprintf(stream->event, sizeof(stream->event), "%.30s", stream->line + 7);
}

/* A line of the answer: of its head, a chunk's size, or the end behind a chunk. False: not a stream. */
static bool take_frame_line(struct watch_stream *stream)
{
    size_t len = strlen(stream->line);
    if (len > 0 && stream->line[len - 1] == '\r')
        stream->line[--len] = '\0';
    if (stream->part == WATCH_HEAD) {
        if (strncmp(stream->line, "HTTP/1.", 7) == 0)
            return strncmp(stream->line + 8, " 200", 4) == 0;
        if (len == 0)
            stream->part = WATCH_SIZE;
        return true;
    }
    if (stream->part == WATCH_AFTER) {
        stream->part = WATCH_SIZE;
        return true;
    }
    stream->chunk_left = strtoul(stream->line, NULL, 16);
    stream->part = WATCH_BODY;
    return stream->chunk_left > 0;
}

/* Adds to the line; true when it is whole. Long lines are cut. */
static bool grow_line(struct watch_stream *stream, char c)
{
    if (c == '\n') {
        stream->line[stream->line_len] = '\0';
        stream->line_len = 0;
        return true;
    }
    if (stream->line_len + 1 < sizeof(stream->line))
        stream->line[stream->line_len++] = c;
    return false;
}

static bool take_byte(struct watch_stream *stream, char c)
{
    if (stream->part != WATCH_BODY)
        return !grow_line(stream, c) || take_frame_line(stream);
    if (grow_line(stream, c))
        take_event_line(stream);
    if (--stream->chunk_left == 0)
        stream->part = WATCH_AFTER;
    return true;
}

bool watch_stream_read(struct watch_stream *stream)
{
    char bytes[16384];
    ssize_t got = recv(stream->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    for (ssize_t i = 0; i < got; i++) {
        if (!take_byte(stream, bytes[i]))
            got = 0;
    }
    if (got > 0)
        return true;
    watch_stream_close(stream);
    return false;
}
