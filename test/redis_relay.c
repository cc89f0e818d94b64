#include "redis_relay.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TURN_MS 5

struct redis_relay_piece {
    struct redis_relay_piece *next;
    int64_t due_ms;
    size_t len;
    char bytes[];
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void give_up(const char *what)
{
    fprintf(stderr, "redis_relay: %s\n", what);
    abort();
}

static struct sockaddr_in address_of(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
}

static void close_both(struct redis_relay_connection *connection)
{
    if (connection->client >= 0)
        close(connection->client);
    if (connection->server >= 0)
        close(connection->server);
    connection->client = connection->server = -1;
    while (connection->first != NULL) {
        struct redis_relay_piece *piece = connection->first;
        connection->first = piece->next;
        free(piece);
    }
    connection->last = &connection->first;
}

static void take_connection(struct redis_relay *relay)
{
    struct sockaddr_in address = address_of(relay->target);
    if (relay->count == REDIS_RELAY_CONNECTIONS)
        give_up("too many connections");
    struct redis_relay_connection *connection = &relay->connections[relay->count++];
    *connection =
        (struct redis_relay_connection){.client = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC),
                                        .server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    connection->last = &connection->first;
    if (connect(connection->server, (struct sockaddr *)&address, sizeof(address)) != 0)
        close_both(connection);
}

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        len -= (size_t)sent;
    }
    return true;
}

/* $7\r\nSETNAME\r\n$<len>\r\n<name>\r\n */
static void learn_name(struct redis_relay_connection *connection, const char *bytes, size_t len)
{
    static const char verb[] = "SETNAME\r\n";
    const char *at = memmem(bytes, len, verb, sizeof(verb) - 1);
    if (connection->name[0] != '\0' || at == NULL)
        return;
    at = memchr(at + sizeof(verb) - 1, '\n', (size_t)(bytes + len - at) - (sizeof(verb) - 1));
    if (at != NULL)
        sscanf(at + 1, "%31[a-z-]", connection->name);
}

static void queue_answer(struct redis_relay *relay, struct redis_relay_connection *connection,
                         const char *bytes, size_t len)
{
    struct redis_relay_piece *piece = malloc(sizeof(*piece) + len);
    if (piece == NULL)
        give_up("no memory");
    relay->seed = relay->seed * 1103515245 + 12345;
    int64_t delay_ms = relay->delays ? 2000 + relay->seed / 65536 % 1000 : 0;
    *piece = (struct redis_relay_piece){.due_ms = now_ms() + delay_ms, .len = len};
    memcpy(piece->bytes, bytes, len);
    *connection->last = piece;
    connection->last = &piece->next;
}

static void pass_answers(struct redis_relay_connection *connection)
{
    while (connection->first != NULL && connection->first->due_ms <= now_ms() && connection->client >= 0) {
        struct redis_relay_piece *piece = connection->first;
        if (!connection->held && !send_all(connection->client, piece->bytes, piece->len)) {
            close_both(connection);
            return;
        }
        connection->first = piece->next;
        if (connection->first == NULL)
            connection->last = &connection->first;
        free(piece);
    }
}

static void take_bytes(struct redis_relay *relay, struct redis_relay_connection *connection, int from)
{
    char bytes[16385];
    ssize_t len = recv(from, bytes, sizeof(bytes) - 1, 0);
    if (len <= 0) {
        bool hides = connection->held && from == connection->server;
        if (!hides) {
            close_both(connection);
        } else {
            close(connection->server);
            connection->server = -1;
        }
        return;
    }
    bytes[len] = '\0';
    if (connection->held)
        return;
    if (from == connection->server) {
        queue_answer(relay, connection, bytes, (size_t)len);
        return;
    }
    learn_name(connection, bytes, (size_t)len);
    if (!send_all(connection->server, bytes, (size_t)len))
        close_both(connection);
}

static void turn(struct redis_relay *relay, const struct pollfd *watched, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct redis_relay_connection *connection = &relay->connections[i];
        for (int side = 0; side < 2; side++) {
            const struct pollfd *seen = &watched[1 + 2 * i + (unsigned)side];
            bool open = seen->fd >= 0 && seen->fd == (side == 0 ? connection->client : connection->server);
            if (open && seen->revents != 0)
                take_bytes(relay, connection, seen->fd);
        }
        pass_answers(connection);
    }
    if (watched[0].revents != 0)
        take_connection(relay);
}

static void *run(void *user)
{
    struct redis_relay *relay = user;
    struct pollfd watched[1 + 2 * REDIS_RELAY_CONNECTIONS];
    for (;;) {
        pthread_mutex_lock(&relay->lock);
        bool stopping = relay->stopping;
        unsigned count = relay->count;
        watched[0] = (struct pollfd){.fd = relay->listener, .events = POLLIN};
        for (unsigned i = 0; i < count; i++) {
            const struct redis_relay_connection *connection = &relay->connections[i];
            watched[1 + 2 * i] = (struct pollfd){.fd = connection->client, .events = POLLIN};
            watched[2 + 2 * i] = (struct pollfd){.fd = connection->server, .events = POLLIN};
        }
        pthread_mutex_unlock(&relay->lock);
        if (stopping)
            return NULL;
        poll(watched, 1 + 2 * count, TURN_MS);
        pthread_mutex_lock(&relay->lock);
        turn(relay, watched, count);
        pthread_mutex_unlock(&relay->lock);
    }
}

void redis_relay_start(struct redis_relay *relay, int target_port)
{
    struct sockaddr_in address = address_of(0);
    socklen_t len = sizeof(address);
    *relay = (struct redis_relay){.target = target_port, .seed = 1};
    pthread_mutex_init(&relay->lock, NULL);
    relay->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (relay->listener < 0 || bind(relay->listener, (struct sockaddr *)&address, len) != 0 ||
        getsockname(relay->listener, (struct sockaddr *)&address, &len) != 0 ||
        listen(relay->listener, 64) != 0)
        give_up("cannot listen");
    snprintf(relay->url, sizeof(relay->url), "redis://127.0.0.1:%d", ntohs(address.sin_port));
    if (pthread_create(&relay->thread, NULL, run, relay) != 0)
        give_up("cannot start a thread");
}

void redis_relay_stop(struct redis_relay *relay)
{
    pthread_mutex_lock(&relay->lock);
    relay->stopping = true;
    pthread_mutex_unlock(&relay->lock);
    pthread_join(relay->thread, NULL);
    close(relay->listener);
    for (unsigned i = 0; i < relay->count; i++)
        close_both(&relay->connections[i]);
    pthread_mutex_destroy(&relay->lock);
}

void redis_relay_move(struct redis_relay *relay, int target_port)
{
    pthread_mutex_lock(&relay->lock);
    relay->target = target_port;
    pthread_mutex_unlock(&relay->lock);
}

static bool is_named(const struct redis_relay_connection *connection, const char *name)
{
    return name == NULL || strcmp(connection->name, name) == 0;
}

void redis_relay_hold(struct redis_relay *relay, const char *name)
{
    pthread_mutex_lock(&relay->lock);
    for (unsigned i = 0; i < relay->count; i++)
        relay->connections[i].held |= is_named(&relay->connections[i], name);
    pthread_mutex_unlock(&relay->lock);
}

void redis_relay_cut(struct redis_relay *relay, const char *name)
{
    pthread_mutex_lock(&relay->lock);
    for (unsigned i = 0; i < relay->count; i++)
        if (is_named(&relay->connections[i], name))
            close_both(&relay->connections[i]);
    pthread_mutex_unlock(&relay->lock);
}

void redis_relay_delay(struct redis_relay *relay, bool delays)
{
    pthread_mutex_lock(&relay->lock);
    relay->delays = delays;
    pthread_mutex_unlock(&relay->lock);
}

unsigned redis_relay_count(struct redis_relay *relay, const char *name)
{
    unsigned count = 0;
    pthread_mutex_lock(&relay->lock);
    for (unsigned i = 0; i < relay->count; i++)
        count += is_named(&relay->connections[i], name);
    pthread_mutex_unlock(&relay->lock);
    return count;
}
