/* Publishing straight to Redis: one connection, commands sent without waiting for answers. */
#include "measure/clock.h"
#include "publish/publisher.h"
#include "wire/message.h"
#include "wire/socket.h"
#include <errno.h>
#include <hiredis/hiredis.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { WINDOW = 65536, MAX_WORDS = 64 };

struct link {
    int fd; /* -1: none */
    bool is_open;
    int64_t down_until_ns;
    redisReader *reader;
    struct outgoing out;
    unsigned greetings;   /* answers still to come to AUTH and SELECT */
    unsigned per_publish; /* commands for each */
    unsigned answers;     /* that have come for the oldest publish */
    char problem[96];     /* of the oldest publish; empty: none */
    uint64_t *waiting;    /* publishes without all their answers, a ring */
    uint64_t head, count;
    char id[MESSAGE_ID];
};

static bool open_link(struct publisher *publisher)
{
    const struct options *options = publisher->options;
    struct link *link = calloc(1, sizeof(*link));
    if (link == NULL)
        return false;
    link->fd = -1;
    link->per_publish = options->redis_commands.count + (options->channel != NULL);
    link->waiting = calloc(WINDOW, sizeof(uint64_t));
    snprintf(link->id, sizeof(link->id), "bench-%d-%llx", (int)getpid(), (unsigned long long)wall_ns());
    publisher->way = link;
    return link->waiting != NULL;
}

static void break_link(struct publisher *publisher, struct link *link, const char *problem)
{
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
    link->is_open = false;
    link->answers = 0;
    link->problem[0] = '\0';
    link->out.len = link->out.sent = 0;
    link->down_until_ns = publisher->now_ns + RETRY_MS * MS_NS;
    if (link->reader != NULL)
        redisReaderFree(link->reader);
    link->reader = NULL;
    for (; link->count > 0; link->count--) {
        publisher_answered(publisher, link->waiting[link->head], problem);
        link->head = (link->head + 1) % WINDOW;
    }
}

static void poll_link(const struct publisher *publisher, struct link *link, int operation)
{
    bool wants_out = !link->is_open || link->out.sent < link->out.len;
    struct epoll_event event = {.events = wants_out ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = link};
    epoll_ctl(publisher->poll_fd, operation, link->fd, &event);
}

static bool add_command(struct link *link, int count, const char **words, const size_t *lens)
{
    char *command = NULL;
    int len = redisFormatCommandArgv(&command, count, words, lens);
    bool fine = len > 0 && outgoing_add(&link->out, command, (size_t)len);
    redisFreeCommand(command);
    return fine;
}

static bool greet(struct link *link, const struct url *url)
{
    char database[16];
    snprintf(database, sizeof(database), "%u", url->database);
    const char *password[] = {"AUTH", url->password}, *user[] = {"AUTH", url->user, url->password};
    const char *select[] = {"SELECT", database};
    bool fine = true;
    link->greetings = 0;
    if (url->password[0] != '\0') {
        fine = url->user[0] == '\0' ? add_command(link, 2, password, NULL) : add_command(link, 3, user, NULL);
        link->greetings++;
    }
    if (fine && url->database != 0) {
        fine = add_command(link, 2, select, NULL);
        link->greetings++;
    }
    return fine;
}

static bool connect_link(struct publisher *publisher, struct link *link)
{
    const struct url *url = &publisher->options->publish_urls[0];
    int on = 1;
    link->fd = socket(url->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (link->fd < 0)
        return false;
    if (url->kind == URL_REDIS)
        setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    link->reader = redisReaderCreate();
    if (link->reader == NULL || !greet(link, url) ||
        (connect(link->fd, (const struct sockaddr *)&url->address, url->address_len) != 0 &&
         errno != EINPROGRESS))
        return false;
    publisher->stats->connections++;
    poll_link(publisher, link, EPOLL_CTL_ADD);
    return true;
}

/* The words of a command are divided by blanks before anything is filled in, so that none comes to be in
 * between. */
static bool add_state_command(struct publisher *publisher, struct link *link, const char *text,
                              uint64_t publish)
{
    const char *words[MAX_WORDS];
    size_t lens[MAX_WORDS];
    int count = 0;
    char *copy = strdup(text), *rest = copy, *word, *at = publisher->scratch;
    bool fine = copy != NULL;
    while (fine && (word = strsep(&rest, " ")) != NULL) {
        if (*word == '\0')
            continue;
        size_t room = (size_t)(publisher->scratch + PUBLISHER_SCRATCH - at);
        size_t len = publisher_fill(publisher, word, publish, at, room);
        fine = count < MAX_WORDS && len != SIZE_MAX;
        if (fine) {
            words[count] = at;
            lens[count++] = len;
            at += len;
        }
    }
    free(copy);
    return fine && count > 0 && add_command(link, count, words, lens);
}

static bool add_publish(struct publisher *publisher, struct link *link, uint64_t publish)
{
    const struct options *options = publisher->options;
    const struct plan *plan = &publisher->shared->plan;
    size_t half = PUBLISHER_SCRATCH / 2;
    char channel[1024], *body = publisher->scratch, *message = publisher->scratch + half;
    size_t channel_len = publisher_fill(publisher, options->channel, publish, channel, sizeof(channel));
    size_t len =
        publisher_fill(publisher, options->body, publish, body, half - MESSAGE_ID - MESSAGE_OVERHEAD);
    if (channel_len == SIZE_MAX || len == SIZE_MAX)
        return false;
    if (!options->is_raw) {
        int64_t since_planned_ns = now_ns() - plan_time(plan, publish);
        len = message_write(message, link->id, publish + 1, (uint64_t)((wall_ns() - since_planned_ns) / 1000),
                            body, (uint32_t)len);
        body = message;
    }
    const char *words[] = {"PUBLISH", channel, body};
    const size_t lens[] = {7, channel_len, len};
    return add_command(link, 3, words, lens);
}

static bool flush(struct publisher *publisher, struct link *link)
{
    if (!link->is_open)
        return true;
    if (!outgoing_flush(&link->out, link->fd))
        return false;
    if (link->out.sent < link->out.len)
        poll_link(publisher, link, EPOLL_CTL_MOD);
    return true;
}

static enum sent send_publish(struct publisher *publisher, uint64_t publish)
{
    const struct options *options = publisher->options;
    struct link *link = publisher->way;
    if (link->count == WINDOW)
        return SENT_LATER;
    if (link->down_until_ns > publisher->now_ns || (link->fd < 0 && !connect_link(publisher, link))) {
        if (link->down_until_ns <= publisher->now_ns)
            break_link(publisher, link, "no connection to Redis");
        publisher_failed(publisher, "no connection to Redis");
        return SENT_FAILED;
    }
    bool fine = true;
    for (unsigned i = 0; fine && i < options->redis_commands.count; i++)
        fine = add_state_command(publisher, link, options->redis_commands.items[i], publish);
    if (fine && options->channel != NULL)
        fine = add_publish(publisher, link, publish);
    link->waiting[(link->head + link->count++) % WINDOW] = publish;
    publisher->unanswered++;
    if (!fine)
        break_link(publisher, link, "the command is too large");
    return SENT_YES;
}

static void flush_link(struct publisher *publisher)
{
    struct link *link = publisher->way;
    if (link->is_open && link->out.sent < link->out.len && !flush(publisher, link))
        break_link(publisher, link, "the connection to Redis broke");
}

/* False: the link is not used any more. */
static bool take_reply(struct publisher *publisher, struct link *link, const redisReply *reply)
{
    bool is_error = reply->type == REDIS_REPLY_ERROR;
    if (link->greetings > 0) {
        link->greetings--;
        if (is_error)
            break_link(publisher, link, "Redis refuses user, password or database");
        return !is_error;
    }
    if (link->count == 0) {
        break_link(publisher, link, "Redis answers what was not asked");
        return false;
    }
    if (is_error && link->problem[0] == '\0')
        snprintf(link->problem, sizeof(link->problem), "Redis: %s", reply->str);
    if (++link->answers < link->per_publish)
        return true;
    link->answers = 0;
    link->count--;
    publisher_answered(publisher, link->waiting[link->head], link->problem[0] == '\0' ? NULL : link->problem);
    link->head = (link->head + 1) % WINDOW;
    link->problem[0] = '\0';
    return true;
}

static void read_link(struct publisher *publisher, struct link *link)
{
    static char buffer[65536];
    void *reply = NULL;
    ssize_t len = recv(link->fd, buffer, sizeof(buffer), 0);
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len <= 0 || redisReaderFeed(link->reader, buffer, (size_t)len) != REDIS_OK) {
        break_link(publisher, link, "the connection to Redis broke");
        return;
    }
    for (bool goes_on = true; goes_on;) {
        if (redisReaderGetReply(link->reader, &reply) != REDIS_OK) {
            break_link(publisher, link, "the answer is not that of a Redis");
            return;
        }
        if (reply == NULL)
            return;
        goes_on = take_reply(publisher, link, reply);
        freeReplyObject(reply);
    }
}

static void handle_link(struct publisher *publisher, void *what, uint32_t events)
{
    struct link *link = what;
    if (link->fd < 0)
        return;
    if (events & EPOLLOUT) {
        int error = socket_connected(link->fd);
        link->is_open = true;
        if (error != 0 || !flush(publisher, link)) {
            break_link(publisher, link, error == 0 ? "the connection to Redis broke" : strerror(error));
            return;
        }
        if (link->out.sent == link->out.len)
            poll_link(publisher, link, EPOLL_CTL_MOD);
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        read_link(publisher, link);
}

const struct way way_redis = {
    .open = open_link, .send = send_publish, .flush = flush_link, .handle = handle_link};
