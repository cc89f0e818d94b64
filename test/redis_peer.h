/* A scripted Redis for tests: says what the real one cannot be brought to say at will. One thread. */
#ifndef TEST_REDIS_PEER_H
#define TEST_REDIS_PEER_H

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define REDIS_PEER_CONNECTIONS 32

struct redis_peer_call {
    unsigned connection;       /* they count from 0 on */
    const redisReply *command; /* an array of strings */
    const char *verb;
    int fd; /* to answer on, through redis_peer_say() */
};

/* False: it has not answered, redis_peer_default() shall. On the peer's thread. */
typedef bool (*redis_peer_script)(void *user, const struct redis_peer_call *call);

struct redis_peer {
    redis_peer_script script;
    void *user;
    char url[64]; /* redis://127.0.0.1:<port> */
    int listener, stop[2];
    pthread_t thread;
    unsigned accepted;
    struct {
        int fd;
        unsigned number;
        redisReader *reader;
    } connections[REDIS_PEER_CONNECTIONS];
};

void redis_peer_start(struct redis_peer *peer, redis_peer_script script, void *user);
void redis_peer_stop(struct redis_peer *peer);

/* As a master without data would: OK, PONG, an acknowledgement for each channel, 0 receivers. */
void redis_peer_default(const struct redis_peer_call *call);
void redis_peer_say(const struct redis_peer_call *call, const char *bytes);

#endif
