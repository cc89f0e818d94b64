#include "redis_peer.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static void give_up(const char *what)
{
    fprintf(stderr, "redis_peer: %s\n", what);
    abort();
}

void redis_peer_say(const struct redis_peer_call *call, const char *bytes)
{
    for (size_t left = strlen(bytes); left > 0;) {
        ssize_t sent = send(call->fd, bytes, left, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes += sent;
        left -= (size_t)sent;
    }
}

static void acknowledge(const struct redis_peer_call *call)
{
    char text[1024];
    for (size_t i = 1; i < call->command->elements; i++) {
        const redisReply *channel = call->command->element[i];
        snprintf(text, sizeof(text), "*3\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n:%zu\r\n", strlen(call->verb),
                 call->verb[0] == 'S' ? "subscribe" : "unsubscribe", (size_t)channel->len, channel->str, i);
        redis_peer_say(call, text);
    }
}

void redis_peer_default(const struct redis_peer_call *call)
{
    if (strcmp(call->verb, "SUBSCRIBE") == 0 || strcmp(call->verb, "UNSUBSCRIBE") == 0)
        acknowledge(call);
    else if (strcmp(call->verb, "ROLE") == 0)
        redis_peer_say(call, "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
    else if (strcmp(call->verb, "PUBLISH") == 0)
        redis_peer_say(call, ":0\r\n");
    else
        redis_peer_say(call, strcmp(call->verb, "PING") == 0 ? "+PONG\r\n" : "+OK\r\n");
}

static void forget(struct redis_peer *peer, int i)
{
    close(peer->connections[i].fd);
    redisReaderFree(peer->connections[i].reader);
    peer->connections[i].fd = -1;
}

static void take_connection(struct redis_peer *peer)
{
    int fd = accept(peer->listener, NULL, NULL);
    for (int i = 0; i < REDIS_PEER_CONNECTIONS; i++) {
        if (peer->connections[i].fd >= 0)
            continue;
        peer->connections[i].fd = fd;
        peer->connections[i].number = peer->accepted++;
        peer->connections[i].reader = redisReaderCreate();
        return;
    }
    give_up("too many connections");
}

static void take_bytes(struct redis_peer *peer, int i)
{
    char bytes[4096];
    ssize_t len = recv(peer->connections[i].fd, bytes, sizeof(bytes), 0);
    if (len <= 0) {
        forget(peer, i);
        return;
    }
    redisReaderFeed(peer->connections[i].reader, bytes, (size_t)len);
    void *command;
    while (redisReaderGetReply(peer->connections[i].reader, &command) == REDIS_OK && command != NULL) {
        struct redis_peer_call call = {.connection = peer->connections[i].number,
                                       .command = command,
                                       .verb = ((redisReply *)command)->element[0]->str,
                                       .fd = peer->connections[i].fd};
        if (peer->script == NULL || !peer->script(peer->user, &call))
            redis_peer_default(&call);
        freeReplyObject(command);
    }
}

static void *run(void *user)
{
    struct redis_peer *peer = user;
    for (;;) {
        struct pollfd watched[REDIS_PEER_CONNECTIONS + 2] = {{.fd = peer->stop[0], .events = POLLIN},
                                                             {.fd = peer->listener, .events = POLLIN}};
        for (int i = 0; i < REDIS_PEER_CONNECTIONS; i++)
            watched[i + 2] = (struct pollfd){.fd = peer->connections[i].fd, .events = POLLIN};
        poll(watched, REDIS_PEER_CONNECTIONS + 2, -1);
        if (watched[0].revents != 0)
            return NULL;
        if (watched[1].revents != 0)
            take_connection(peer);
        for (int i = 0; i < REDIS_PEER_CONNECTIONS; i++)
            if (watched[i + 2].revents != 0)
                take_bytes(peer, i);
    }
}

void redis_peer_start(struct redis_peer *peer, redis_peer_script script, void *user)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    *peer = (struct redis_peer){.script = script, .user = user};
    for (int i = 0; i < REDIS_PEER_CONNECTIONS; i++)
        peer->connections[i].fd = -1;
    peer->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (peer->listener < 0 || bind(peer->listener, (struct sockaddr *)&address, len) != 0 ||
        getsockname(peer->listener, (struct sockaddr *)&address, &len) != 0 ||
        listen(peer->listener, 64) != 0 || pipe(peer->stop) != 0)
        give_up("cannot listen");
    snprintf(peer->url, sizeof(peer->url), "redis://127.0.0.1:%d", ntohs(address.sin_port));
    if (pthread_create(&peer->thread, NULL, run, peer) != 0)
        give_up("cannot start a thread");
}

void redis_peer_stop(struct redis_peer *peer)
{
    close(peer->stop[1]);
    pthread_join(peer->thread, NULL);
    close(peer->stop[0]);
    close(peer->listener);
    for (int i = 0; i < REDIS_PEER_CONNECTIONS; i++)
        if (peer->connections[i].fd >= 0)
            forget(peer, i);
}
