/* A thread with a libevent loop, and the mail that other threads send it. */
#ifndef FR_REDIS_LOOP_H
#define FR_REDIS_LOOP_H

#include "base/mailbox.h"
#include <freshet/status.h>
#include <pthread.h>
#include <stdbool.h>

struct event;
struct event_base;

struct fr_redis_loop {
    struct event_base *base;
    struct event *wake;
    int wake_fd;
    void (*settle)(void *user); /* after each batch of mail; on the loop */
    void *user;
    struct fr_mail *taken; /* the loop's */
    pthread_t thread;      /* start's and join's */
    bool running;
    pthread_mutex_t lock;
    struct fr_mail *first, **last; /* under the lock, as all that follows */
    bool closed;
};

/* FRESHET_SYSTEM, FRESHET_NO_MEMORY; nothing is kept then. */
enum freshet_status fr_redis_loop_init(struct fr_redis_loop *loop, void (*settle)(void *user), void *user);
/* Runs the loop on a thread called `name`. FRESHET_SYSTEM. */
enum freshet_status fr_redis_loop_start(struct fr_redis_loop *loop, const char *name);

/* Any thread. False: the loop is closed, the mail is still the caller's. */
bool fr_redis_loop_post(struct fr_redis_loop *loop, struct fr_mail *mail);
/* Any thread: from here on every post fails; then posts `last`, which ends what is to be ended. */
void fr_redis_loop_close(struct fr_redis_loop *loop, struct fr_mail *last);
/* Any thread: has `settle` called. */
void fr_redis_loop_wake(struct fr_redis_loop *loop);
/* On the loop: the thread ends after this turn. */
void fr_redis_loop_break(struct fr_redis_loop *loop);
/* Waits for the thread; then delivers the mail that is left, on this one. */
void fr_redis_loop_join(struct fr_redis_loop *loop);
/* After join, or without a start. A zeroed one is fine. */
void fr_redis_loop_deinit(struct fr_redis_loop *loop);

/* Any thread: runs `act` here, under the lock that closing takes; false: the loop is closed, nothing ran. */
bool fr_redis_loop_while_open(struct fr_redis_loop *loop, void (*act)(void *user), void *user);

#endif
