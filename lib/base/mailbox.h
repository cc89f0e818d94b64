/* The one way between threads: a queue of owned mail. Any thread posts, the owner delivers. */
#ifndef FR_MAILBOX_H
#define FR_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct fr_mail {
    struct fr_mail *next;
    /* On the owner's thread, no lock held. The mail belongs to it: it may free or post it again. */
    void (*deliver)(struct fr_mail *mail);
};

struct fr_mailbox {
    pthread_mutex_t lock;
    struct fr_mail *first, **last; /* posted; under the lock */
    struct fr_mail *taken;         /* being delivered; the owner's */
    bool closed;                   /* under the lock */
    void (*wake)(void *user);      /* when it was empty; any thread, under the lock: must not block */
    void *user;
};

void fr_mailbox_init(struct fr_mailbox *mailbox, void (*wake)(void *user), void *user);
void fr_mailbox_deinit(struct fr_mailbox *mailbox);
/* Mail must not be posted again before it is delivered. False: closed, the mail stays the caller's. */
bool fr_mailbox_post(struct fr_mailbox *mailbox, struct fr_mail *mail);
/* From here on posts are refused, and `wake` is not called any more. What was posted can still be delivered.
 */
void fr_mailbox_close(struct fr_mailbox *mailbox);
/* Delivers at most `limit`, in order; true: more is waiting. The owner's thread, not from within a delivery.
 */
bool fr_mailbox_deliver(struct fr_mailbox *mailbox, size_t limit);

#endif
