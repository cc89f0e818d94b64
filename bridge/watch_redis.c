#include "watch.h"
#include <errno.h>
#include <freshet/message.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_PARTS = 4, MAX_TOPIC_BYTES = 512 };

bool watch_publishes_open(struct watch_publishes *publishes, const struct watch_address *redis)
{
    char command[256];
    publishes->len = 0;
    publishes->subscribed = false;
    publishes->fd = watch_connect(redis);
    if (publishes->fd < 0)
        return false;
    int len = snprintf(command, sizeof(command), "PSUBSCRIBE %s*\r\n", publishes->prefix);
    if (send(publishes->fd, command, (size_t)len, MSG_NOSIGNAL) != len)
        watch_publishes_close(publishes);
    return publishes->fd >= 0;
}

void watch_publishes_close(struct watch_publishes *publishes)
{
    if (publishes->fd >= 0)
        close(publishes->fd);
    publishes->fd = -1;
    publishes->subscribed = false;
}

/* Reads `<mark><number>\r\n` at *at. False: not all there yet. */
static bool read_number(const struct watch_publishes *publishes, size_t *at, long *number)
{
    const char *start = publishes->buffer + *at;
    const char *end = memchr(start, '\n', publishes->len - *at);
    if (end == NULL)
        return false;
    *number = strtol(start + 1, NULL, 10);
    *at += (size_t)(end - start) + 1;
    return true;
}

/* Reads an array of texts and numbers. How many bytes it took; 0: not all there yet. */
static size_t read_array(const struct watch_publishes *publishes, struct freshet_span parts[MAX_PARTS])
{
    size_t at = 0;
    long count, len;
    if (!read_number(publishes, &at, &count))
        return 0;
    for (long i = 0; i < count && i < MAX_PARTS; i++) {
        bool text = at < publishes->len && publishes->buffer[at] == '$';
        if (!read_number(publishes, &at, &len))
            return 0;
        parts[i] = freshet_span(publishes->buffer + at, 0);
        if (!text || len < 0)
            continue;
        if (publishes->len - at < (size_t)len + 2)
            return 0;
        parts[i].len = (size_t)len;
        at += (size_t)len + 2;
    }
    return at;
}

static void take_array(struct watch_publishes *publishes, const struct freshet_span parts[MAX_PARTS])
{
    char topic[MAX_TOPIC_BYTES + 1];
    struct freshet_message message;
    size_t prefix_len = strlen(publishes->prefix);
    if (freshet_span_equal(parts[0], freshet_span_text("psubscribe")))
        publishes->subscribed = true;
    if (!freshet_span_equal(parts[0], freshet_span_text("pmessage")) || parts[2].len < prefix_len ||
        parts[2].len - prefix_len > MAX_TOPIC_BYTES)
        return;
    struct freshet_span name = freshet_span(parts[2].data + prefix_len, parts[2].len - prefix_len);
    if (name.len == 0 || name.data[0] == '/') /* the instances' own control channels */
        return;
    memcpy(topic, name.data, name.len);
    topic[name.len] = '\0';
    bool ours = freshet_message_decode(parts[3], &message) == FRESHET_OK;
    publishes->on_publish(topic, ours ? (int64_t)message.time_us : watch_now_us(), publishes->user);
}

bool watch_publishes_read(struct watch_publishes *publishes)
{
    ssize_t got = recv(publishes->fd, publishes->buffer + publishes->len,
                       sizeof(publishes->buffer) - publishes->len, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (got <= 0) {
        watch_publishes_close(publishes);
        return false;
    }
    publishes->len += (size_t)got;
    for (;;) {
        struct freshet_span parts[MAX_PARTS] = {{0}};
        size_t used = publishes->len == 0 ? 0 : read_array(publishes, parts);
        if (used == 0)
            return true;
        take_array(publishes, parts);
        publishes->len -= used;
        memmove(publishes->buffer, publishes->buffer + used, publishes->len);
    }
}

/* Reads one line, `:<number>`, `+OK` or an error; the texts asked for here are numbers, too. */
static int64_t read_answer(int fd)
{
    char text[256];
    ssize_t len = recv(fd, text, sizeof(text) - 1, 0);
    text[len < 0 ? 0 : len] = '\0';
    if (text[0] == ':')
        return strtoll(text + 1, NULL, 10);
    if (text[0] == '+')
        return 0;
    const char *second = text[0] == '$' ? strchr(text, '\n') : NULL;
    return second == NULL || text[1] == '-' ? -1 : strtoll(second + 1, NULL, 10);
}

int64_t watch_redis_ask(const char *socket_path, const char *command)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char line[256];
    int64_t answer = -1;
    int len = snprintf(line, sizeof(line), "%s\r\n", command);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
        send(fd, line, (size_t)len, MSG_NOSIGNAL) == len)
        answer = read_answer(fd);
    close(fd);
    return answer;
}
