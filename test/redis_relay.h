/* A TCP relay before a Redis, for tests: what an address that moves and a bad network do to links. It knows
 * connections by the name that they give themselves (CLIENT SETNAME). One thread; all calls from another. */
#ifndef TEST_REDIS_RELAY_H
#define TEST_REDIS_RELAY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define REDIS_RELAY_CONNECTIONS 256 /* in all */

struct redis_relay_piece;

struct redis_relay_connection {
    int client, server; /* -1: closed */
    char name[32];      /* empty: it has not said */
    bool held;
    struct redis_relay_piece *first, **last; /* answers on their way */
};

struct redis_relay {
    pthread_t thread;
    pthread_mutex_t lock; /* of all that follows */
    int listener, target;
    char url[64]; /* redis://127.0.0.1:<port> */
    bool stopping, delays;
    uint32_t seed;
    struct redis_relay_connection connections[REDIS_RELAY_CONNECTIONS];
    unsigned count;
};

void redis_relay_start(struct redis_relay *relay, int target_port);
void redis_relay_stop(struct redis_relay *relay);
/* New connections go there from now on; those that stand, stay. */
void redis_relay_move(struct redis_relay *relay, int target_port);
/* The connections of this name that stand are half-open from now on: their bytes go nowhere. NULL: all. */
void redis_relay_hold(struct redis_relay *relay, const char *name);
/* Closes the connections of this name. */
void redis_relay_cut(struct redis_relay *relay, const char *name);
/* Each piece of an answer takes two to three seconds from now on, or no longer. */
void redis_relay_delay(struct redis_relay *relay, bool delays);
/* Connections of this name so far. */
unsigned redis_relay_count(struct redis_relay *relay, const char *name);

#endif
