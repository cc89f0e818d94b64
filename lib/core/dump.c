/* freshet_dump(): the caller asks each worker for its part and puts the parts together. */
#include "base/clock.h"
#include "base/mailbox.h"
#include "base/refcount.h"
#include "core/hub/dump_hub.h"
#include "core/runtime/context.h"
#include "core/runtime/worker_internal.h"
#include <freshet/stats.h>
#include <stdlib.h>
#include <time.h>

#define DEFAULT_ROWS 100
#define WAIT_US      FR_US_PER_S

/* What one worker has to say. Counted: a worker that is too late for its caller still has it in the mail. */
struct part {
    struct fr_refcount references; /* the caller's, and the mail's */
    struct fr_mail mail;
    struct fr_worker *worker; /* a reference */
    struct part *next;
    uint32_t most;
    pthread_mutex_t lock;
    pthread_cond_t written;
    bool is_written; /* under the lock, as the next two */
    char *text;      /* NULL: no memory */
    size_t len;
};

static void release(struct part *part)
{
    if (!fr_refcount_release(&part->references))
        return;
    fr_worker_release(part->worker);
    pthread_cond_destroy(&part->written);
    pthread_mutex_destroy(&part->lock);
    free(part->text);
    free(part);
}

/* On the worker's thread. */
static void write_part(struct part *part)
{
    char *text = NULL;
    size_t len = 0;
    struct fr_dump dump = {.file = open_memstream(&text, &len), .most = part->most};
    if (dump.file != NULL) {
        fr_dump_hub(&dump, part->worker);
        if (part->worker->host.dump != NULL)
            part->worker->host.dump(part->worker->host.user, &dump);
        fclose(dump.file);
    }
    pthread_mutex_lock(&part->lock);
    part->text = text;
    part->len = len;
    part->is_written = true;
    pthread_cond_signal(&part->written);
    pthread_mutex_unlock(&part->lock);
}

static void deliver(struct fr_mail *mail)
{
    struct part *part = FR_CONTAINER(mail, struct part, mail);
    write_part(part);
    release(part);
}

static struct part *new_part(struct fr_worker *worker, uint32_t most)
{
    struct part *part = calloc(1, sizeof(*part));
    pthread_condattr_t attributes;
    if (part == NULL)
        return NULL;
    fr_refcount_init(&part->references);
    part->worker = fr_worker_acquire(worker);
    part->most = most;
    part->mail.deliver = deliver;
    pthread_mutex_init(&part->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&part->written, &attributes);
    pthread_condattr_destroy(&attributes);
    return part;
}

/* One part for each worker, in their order. False: no memory. */
static bool make_parts(struct freshet *freshet, uint32_t most, struct part **first)
{
    bool made = true;
    struct part **end = first;
    const struct fr_list *workers = &freshet->homes.workers;
    *first = NULL;
    pthread_mutex_lock(&freshet->homes.lock);
    for (struct fr_list *link = workers->next; link != workers && made; link = link->next) {
        *end = new_part(FR_CONTAINER(link, struct fr_worker, link), most);
        made = *end != NULL;
        if (made)
            end = &(*end)->next;
    }
    pthread_mutex_unlock(&freshet->homes.lock);
    return made;
}

/* A worker of this thread would never get its mail as long as this thread waits for it. */
static void ask(struct part *part)
{
    if (fr_worker_is_here(part->worker)) {
        write_part(part);
        return;
    }
    fr_refcount_acquire(&part->references);
    if (!fr_mailbox_post(&part->worker->mailbox, &part->mail))
        fr_refcount_release(&part->references); /* it has left */
}

static void wait_until(struct part *part, int64_t deadline_us)
{
    struct timespec until = {.tv_sec = deadline_us / FR_US_PER_S,
                             .tv_nsec = deadline_us % FR_US_PER_S * 1000};
    while (!part->is_written && pthread_cond_timedwait(&part->written, &part->lock, &until) == 0)
        ;
}

static void print_part(FILE *file, struct part *part, int64_t deadline_us)
{
    pthread_mutex_lock(&part->lock);
    wait_until(part, deadline_us);
    if (!part->is_written)
        fprintf(file, "  has left, or has not answered for %d s\n", (int)(WAIT_US / FR_US_PER_S));
    else if (part->text == NULL)
        fprintf(file, "  had no memory to answer\n");
    else
        fwrite(part->text, 1, part->len, file);
    pthread_mutex_unlock(&part->lock);
}

static void print_shared(FILE *file, struct freshet *freshet, uint32_t most)
{
    static const char *const bus_states[] = {
        [FRESHET_BUS_DOWN] = "down", [FRESHET_BUS_UP] = "up", [FRESHET_BUS_PROVED] = "proved"};
    struct fr_dump dump = {.file = file, .most = most};
    fprintf(file, "freshet %s: bus %s, views %zu\n", freshet->publisher,
            bus_states[atomic_load(&freshet->bus_state)], atomic_load(&freshet->views));
    fr_dump_topics(&dump, &freshet->topics);
}

static enum freshet_status collect(FILE *file, struct freshet *freshet, uint32_t most)
{
    struct part *first;
    bool made = make_parts(freshet, most, &first);
    int64_t deadline_us = fr_clock_monotonic_us() + WAIT_US;
    unsigned number = 0;
    for (struct part *part = first; made && part != NULL; part = part->next)
        ask(part);
    print_shared(file, freshet, most);
    while (first != NULL) {
        struct part *next = first->next;
        if (made) {
            fprintf(file, "worker %u\n", number++);
            print_part(file, first, deadline_us);
        }
        release(first);
        first = next;
    }
    return made ? FRESHET_OK : FRESHET_NO_MEMORY;
}

enum freshet_status freshet_dump(struct freshet *freshet, FILE *file, uint32_t max_rows)
{
    char *text = NULL;
    size_t len = 0;
    enum freshet_status status = fr_freshet_check(freshet);
    if (status != FRESHET_OK || file == NULL)
        return status != FRESHET_OK ? status : FRESHET_INVALID;
    FILE *memory = open_memstream(&text, &len);
    if (memory == NULL)
        return FRESHET_NO_MEMORY;
    status = collect(memory, freshet, max_rows == 0 ? DEFAULT_ROWS : max_rows);
    if (fclose(memory) != 0 && status == FRESHET_OK)
        status = FRESHET_NO_MEMORY;
    if (status == FRESHET_OK && (fwrite(text, 1, len, file) != len || fflush(file) != 0))
        status = FRESHET_SYSTEM;
    free(text);
    return status;
}
