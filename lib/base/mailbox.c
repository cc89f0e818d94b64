#include "mailbox.h"

void fr_mailbox_init(struct fr_mailbox *mailbox, void (*wake)(void *user), void *user)
{
    *mailbox = (struct fr_mailbox){.wake = wake, .user = user};
    mailbox->last = &mailbox->first;
    pthread_mutex_init(&mailbox->lock, NULL);
}

void fr_mailbox_deinit(struct fr_mailbox *mailbox)
{
    pthread_mutex_destroy(&mailbox->lock);
}

bool fr_mailbox_post(struct fr_mailbox *mailbox, struct fr_mail *mail)
{
    mail->next = NULL;
    pthread_mutex_lock(&mailbox->lock);
    bool open = !mailbox->closed;
    if (open) {
        bool was_empty = mailbox->first == NULL;
        *mailbox->last = mail;
        mailbox->last = &mail->next;
        if (was_empty)
            mailbox->wake(mailbox->user);
    }
    pthread_mutex_unlock(&mailbox->lock);
    return open;
}

void fr_mailbox_close(struct fr_mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->closed = true;
    pthread_mutex_unlock(&mailbox->lock);
}

static void take(struct fr_mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->taken = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    pthread_mutex_unlock(&mailbox->lock);
}

bool fr_mailbox_deliver(struct fr_mailbox *mailbox, size_t limit)
{
    if (mailbox->taken == NULL)
        take(mailbox);
    for (; limit > 0 && mailbox->taken != NULL; limit--) {
        struct fr_mail *mail = mailbox->taken;
        mailbox->taken = mail->next;
        mail->deliver(mail);
    }
    if (mailbox->taken != NULL)
        return true;
    pthread_mutex_lock(&mailbox->lock);
    bool more = mailbox->first != NULL;
    pthread_mutex_unlock(&mailbox->lock);
    return more;
}
