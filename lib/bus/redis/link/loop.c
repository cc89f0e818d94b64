#include "bus/redis/link/loop.h"

#include "base/thread.h"
#include <event2/event.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAIL_SLICE 4096 /* delivered in one turn, so that the sockets get theirs */

static bool deliver(struct fr_redis_loop *loop)
{
    if (loop->taken == NULL) {
        pthread_mutex_lock(&loop->lock);
        loop->taken = loop->first;
        loop->first = NULL;
        loop->last = &loop->first;
        loop->went_direct = false;
        pthread_mutex_unlock(&loop->lock);
    }
    for (int i = 0; i < MAIL_SLICE && loop->taken != NULL; i++) {
        struct fr_mail *mail = loop->taken;
        loop->taken = mail->next;
        mail->deliver(mail);
    }
    if (loop->taken != NULL)
        return true;
    pthread_mutex_lock(&loop->lock);
    bool more = loop->first != NULL;
    pthread_mutex_unlock(&loop->lock);
    return more;
}

static void on_wake(evutil_socket_t fd, short what, void *user)
{
    struct fr_redis_loop *loop = user;
    eventfd_t count;
    (void)what;
    eventfd_read(fd, &count);
    pthread_mutex_lock(&loop->lock);
    loop->woken = false;
    pthread_mutex_unlock(&loop->lock);
    if (deliver(loop))
        fr_redis_loop_wake(loop);
    loop->settle(loop->user);
}

enum freshet_status fr_redis_loop_init(struct fr_redis_loop *loop, void (*settle)(void *user), void *user)
{
    *loop = (struct fr_redis_loop){0};
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return FRESHET_SYSTEM;
    *loop = (struct fr_redis_loop){.settle = settle,
                                   .user = user,
                                   .wake_fd = fd,
                                   .last = &loop->first,
                                   .direct_fd = -1,
                                   .wakes_us = INT64_MAX};
    struct event_config *config = event_config_new();
    /* One thread only: others reach it through the eventfd. */
    if (config != NULL && event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0)
        loop->base = event_base_new_with_config(config);
    if (config != NULL)
        event_config_free(config);
    if (loop->base != NULL)
        loop->wake = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
    pthread_mutex_init(&loop->lock, NULL);
    if (loop->wake != NULL && event_add(loop->wake, NULL) == 0)
        return FRESHET_OK;
    fr_redis_loop_deinit(loop);
    return FRESHET_NO_MEMORY;
}

static void *run(void *user)
{
    struct fr_redis_loop *loop = user;
    event_base_dispatch(loop->base);
    return NULL;
}

enum freshet_status fr_redis_loop_start(struct fr_redis_loop *loop, const char *name)
{
    loop->running = fr_thread_start(&loop->thread, run, loop);
    if (!loop->running)
        return FRESHET_SYSTEM;
    pthread_setname_np(loop->thread, name);
    return FRESHET_OK;
}

/* Under the lock. */
static void append(struct fr_redis_loop *loop, struct fr_mail *mail)
{
    mail->next = NULL;
    *loop->last = mail;
    loop->last = &mail->next;
}

/* Under the lock. No command is on its way when one goes direct, so this overtakes none. */
static void prepend(struct fr_redis_loop *loop, struct fr_mail *mail)
{
    mail->next = loop->first;
    loop->first = mail;
    if (mail->next == NULL)
        loop->last = &mail->next;
}

/* Under the lock. True: the caller has to wake it, without the lock. */
static bool needs_wake(struct fr_redis_loop *loop)
{
    bool needed = !loop->woken;
    loop->woken = true;
    return needed;
}

static void wake(struct fr_redis_loop *loop)
{
    eventfd_write(loop->wake_fd, 1);
}

bool fr_redis_loop_post(struct fr_redis_loop *loop, struct fr_mail *mail)
{
    pthread_mutex_lock(&loop->lock);
    bool open = !loop->closed;
    if (open)
        append(loop, mail);
    bool wakes = open && needs_wake(loop);
    pthread_mutex_unlock(&loop->lock);
    if (wakes)
        wake(loop);
    return open;
}

/* Under the lock: how much of it the kernel took. An error is for the loop to find. */
static size_t write_direct(struct fr_redis_loop *loop, struct freshet_span command)
{
    int fd = loop->direct_fd;
    if (fd < 0)
        return 0;
    loop->direct_fd = -1;
    ssize_t len = send(fd, command.data, command.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    loop->went_direct = len > 0;
    return len > 0 ? (size_t)len : 0;
}

bool fr_redis_loop_send(struct fr_redis_loop *loop, struct fr_mail *mail, struct freshet_span command,
                        int64_t by_us, size_t *written)
{
    bool wakes = false;
    pthread_mutex_lock(&loop->lock);
    bool open = !loop->closed;
    if (open) {
        *written = write_direct(loop, command);
        if (*written > 0)
            prepend(loop, mail);
        else
            append(loop, mail);
        bool waits_for_answer = *written == command.len && by_us >= loop->wakes_us;
        wakes = !waits_for_answer && needs_wake(loop);
    }
    pthread_mutex_unlock(&loop->lock);
    if (wakes)
        wake(loop);
    return open;
}

void fr_redis_loop_wakes_at(struct fr_redis_loop *loop, int64_t wakes_us)
{
    pthread_mutex_lock(&loop->lock);
    loop->wakes_us = wakes_us;
    pthread_mutex_unlock(&loop->lock);
}

void fr_redis_loop_open_direct(struct fr_redis_loop *loop, int fd)
{
    pthread_mutex_lock(&loop->lock);
    if (!loop->closed && loop->first == NULL && loop->taken == NULL)
        loop->direct_fd = fd;
    pthread_mutex_unlock(&loop->lock);
}

/* True: a mail that went there is not taken yet. */
static bool shut(struct fr_redis_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->direct_fd = -1;
    bool owes = loop->went_direct;
    pthread_mutex_unlock(&loop->lock);
    return owes;
}

void fr_redis_loop_shut_direct(struct fr_redis_loop *loop)
{
    while (shut(loop))
        deliver(loop);
}

void fr_redis_loop_close(struct fr_redis_loop *loop, struct fr_mail *last)
{
    pthread_mutex_lock(&loop->lock);
    loop->closed = true;
    loop->direct_fd = -1;
    append(loop, last);
    pthread_mutex_unlock(&loop->lock);
    wake(loop);
}

void fr_redis_loop_wake(struct fr_redis_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    bool wakes = needs_wake(loop);
    pthread_mutex_unlock(&loop->lock);
    if (wakes)
        wake(loop);
}

void fr_redis_loop_break(struct fr_redis_loop *loop)
{
    event_base_loopbreak(loop->base);
}

void fr_redis_loop_join(struct fr_redis_loop *loop)
{
    if (loop->running)
        pthread_join(loop->thread, NULL);
    loop->running = false;
    while (deliver(loop))
        ;
}

void fr_redis_loop_deinit(struct fr_redis_loop *loop)
{
    if (loop->wake != NULL)
        event_free(loop->wake);
    if (loop->base != NULL)
        event_base_free(loop->base);
    if (loop->last != NULL) {
        close(loop->wake_fd);
        pthread_mutex_destroy(&loop->lock);
    }
    *loop = (struct fr_redis_loop){0};
}

bool fr_redis_loop_while_open(struct fr_redis_loop *loop, void (*act)(void *user), void *user)
{
    pthread_mutex_lock(&loop->lock);
    bool open = !loop->closed;
    if (open)
        act(user);
    pthread_mutex_unlock(&loop->lock);
    return open;
}
