/* A thread with a libevent loop, and the mail that other threads send it.
 *
 * Mail with a command may go past it: while nothing is unanswered on the connection, the direct way is open,
 * and who sends a command writes it to the socket at once. The loop hears of it with the answer, which saves
 * waking a thread in the way of each lone command. It is open for one command only; what comes before the
 * answer is mail, and goes out in batches. */
#ifndef FR_REDIS_LOOP_H
#define FR_REDIS_LOOP_H

#include "base/mailbox.h"
#include <freshet/span.h>
#include <freshet/status.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

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
    bool woken;       /* it was woken, and has not begun to take its mail */
    int direct_fd;    /* of the direct way; -1: it is shut */
    bool went_direct; /* the first mail went that way, and is not taken */
    int64_t wakes_us; /* on the monotonic clock: it takes its mail by then in any case */
};

/* FRESHET_SYSTEM, FRESHET_NO_MEMORY; nothing is kept then. */
enum freshet_status fr_redis_loop_init(struct fr_redis_loop *loop, void (*settle)(void *user), void *user);
/* Runs the loop on a thread called `name`. FRESHET_SYSTEM. */
enum freshet_status fr_redis_loop_start(struct fr_redis_loop *loop, const char *name);

/* Any thread. False: the loop is closed, the mail is still the caller's. */
bool fr_redis_loop_post(struct fr_redis_loop *loop, struct fr_mail *mail);
/* Any thread: the same for mail with a command, of which `*written` bytes went the direct way. Is woken
 * for it if it would not take it by `by_us`; INT64_MAX: it is enough to take it when something comes of the
 * connection, an answer or the end. */
bool fr_redis_loop_send(struct fr_redis_loop *loop, struct fr_mail *mail, struct freshet_span command,
                        int64_t by_us, size_t *written);
/* Any thread: from here on every post fails; then posts `last`, which ends what is to be ended. */
void fr_redis_loop_close(struct fr_redis_loop *loop, struct fr_mail *last);
/* Any thread: has `settle` called. */
void fr_redis_loop_wake(struct fr_redis_loop *loop);
/* On the loop: the thread ends after this turn. */
void fr_redis_loop_break(struct fr_redis_loop *loop);
/* On the loop: says by when it will take its mail without being woken, since a timer of it is due. */
void fr_redis_loop_wakes_at(struct fr_redis_loop *loop, int64_t wakes_us);
/* On the loop: nothing is unanswered on this connection, and no mail with a command is on its way to it. */
void fr_redis_loop_open_direct(struct fr_redis_loop *loop, int fd);
/* On the loop, before it reads from or writes to that connection or gives it up: shuts the direct way, and
 * delivers what went there. */
void fr_redis_loop_shut_direct(struct fr_redis_loop *loop);
/* Waits for the thread; then delivers the mail that is left, on this one. */
void fr_redis_loop_join(struct fr_redis_loop *loop);
/* After join, or without a start. A zeroed one is fine. */
void fr_redis_loop_deinit(struct fr_redis_loop *loop);

/* Any thread: runs `act` here, under the lock that closing takes; false: the loop is closed, nothing ran. */
bool fr_redis_loop_while_open(struct fr_redis_loop *loop, void (*act)(void *user), void *user);

#endif
