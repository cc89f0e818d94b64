#include "publish/publisher.h"
#include "measure/clock.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void keep_problem(struct publisher *publisher, const char *problem)
{
    struct publish_stats *stats = publisher->stats;
    if (stats->problem[0] != '\0')
        return;
    size_t len = strnlen(problem, sizeof(stats->problem) - 1);
    for (size_t i = 0; i < len; i++) /* it may come from the server */
        stats->problem[i] = problem[i] >= ' ' && problem[i] <= '~' ? problem[i] : '?';
}

void publisher_failed(struct publisher *publisher, const char *problem)
{
    publisher->stats->failed++;
    keep_problem(publisher, problem);
}

static void accept_number(struct publisher *publisher, uint64_t publish)
{
    const struct plan *plan = &publisher->shared->plan;
    uint64_t *accepted = &publisher->shared->accepted[plan_topic(plan, publish)];
    if (publisher->options->server_numbers)
        PUBLISH(*accepted, (*accepted == 0 ? plan->first[plan_topic(plan, publish)] - 1 : *accepted) + 1);
    else
        raise_to(accepted, plan_number(plan, publish));
}

void publisher_answered(struct publisher *publisher, uint64_t publish, const char *problem)
{
    int64_t planned_ns = plan_time(&publisher->shared->plan, publish);
    publisher->unanswered--;
    if (problem != NULL) {
        publisher_failed(publisher, problem);
        return;
    }
    publisher->stats->accepted++;
    accept_number(publisher, publish);
    if (planned_ns >= publisher->shared->plan.measure_ns)
        histogram_record(&publisher->stats->answer, publisher->now_ns - planned_ns);
}

size_t publisher_fill(const struct publisher *publisher, const char *text, uint64_t publish, char *out,
                      size_t size)
{
    const struct plan *plan = &publisher->shared->plan;
    char topic[24];
    range_topic(&publisher->options->ranges[0], plan_topic(plan, publish), topic, sizeof(topic));
    int64_t since_planned_ns = now_ns() - plan_time(plan, publish);
    struct template_values values = {
        .topic = topic, .seq = plan_number(plan, publish), .time_us = (wall_ns() - since_planned_ns) / 1000};
    return template_fill(text, &values, out, size);
}

bool outgoing_add(struct outgoing *outgoing, const char *data, size_t len)
{
    if (outgoing->sent == outgoing->len)
        outgoing->sent = outgoing->len = 0;
    if (outgoing->size - outgoing->len < len) {
        size_t size = (outgoing->len + len) * 2;
        char *grown = realloc(outgoing->data, size);
        if (grown == NULL)
            return false;
        outgoing->data = grown;
        outgoing->size = size;
    }
    memcpy(outgoing->data + outgoing->len, data, len);
    outgoing->len += len;
    return true;
}

bool outgoing_flush(struct outgoing *outgoing, int fd)
{
    while (outgoing->sent < outgoing->len) {
        ssize_t len = send(fd, outgoing->data + outgoing->sent, outgoing->len - outgoing->sent, MSG_NOSIGNAL);
        if (len < 0)
            return errno == EAGAIN || errno == EINTR;
        outgoing->sent += (size_t)len;
    }
    return true;
}

/* Everything that is due, as far as there is room. */
static void send_due(struct publisher *publisher, const struct way *way)
{
    const struct plan *plan = &publisher->shared->plan;
    uint64_t due = plan_due(plan, publisher->now_ns);
    publisher->is_full = false;
    for (unsigned burst = 0; publisher->next < due && burst < 256; burst++) {
        int64_t planned_ns = plan_time(plan, publisher->next);
        enum sent sent = way->send(publisher, publisher->next);
        publisher->is_full = sent == SENT_LATER;
        if (publisher->is_full)
            return;
        publisher->next++;
        if (sent == SENT_FAILED)
            continue;
        publisher->stats->sent++;
        if (planned_ns >= plan->measure_ns)
            histogram_record(&publisher->stats->late, now_ns() - planned_ns);
    }
}

/* A processor that idles takes up to a third of a millisecond to come back: the last of a long wait is spent
 * awake, so that it is not in the latencies. At most a thirtieth of the time. */
static int64_t awake_ns(const struct plan *plan)
{
    return plan->rate <= 100 ? 300 * 1000 : 0;
}

/* Until the next one is due, but not longer than it takes to notice the end. */
static struct timespec patience(const struct publisher *publisher)
{
    const struct plan *plan = &publisher->shared->plan;
    int64_t wait_ns = 5 * MS_NS;
    if (publisher->next < plan->count && plan->begin_ns != 0 && !publisher->is_full) {
        int64_t left_ns = plan_time(plan, publisher->next) - now_ns() - awake_ns(plan);
        if (left_ns < wait_ns)
            wait_ns = left_ns < 0 ? 0 : left_ns;
    }
    return (struct timespec){.tv_nsec = wait_ns};
}

static void notice_end(struct publisher *publisher)
{
    const struct plan *plan = &publisher->shared->plan;
    if (plan->begin_ns == 0)
        return;
    /* What was due and found no way is sent for a while behind the end; the rest of the time is for its
     * arrival. */
    if (publisher->next < plan->count &&
        publisher->now_ns > plan_time(plan, plan->count) + publisher->options->settle_ns / 2) {
        publisher->stats->unsent += plan->count - publisher->next;
        publisher->next = plan->count;
    }
    if (publisher->next == plan->count && publisher->unanswered == 0)
        PUBLISH(publisher->stats->done, 1);
}

/* By the system call epoll_pwait2, for which musl has no function: sends are due within less than a
 * millisecond. */
static int wait_for_events(struct publisher *publisher, struct epoll_event *events, int max)
{
    struct timespec wait = patience(publisher);
    return (int)syscall(SYS_epoll_pwait2, publisher->poll_fd, events, max, &wait, NULL, 0);
}

static void run(struct publisher *publisher, const struct way *way)
{
    struct epoll_event events[256];
    while (PUBLISHED(publisher->shared->control.phase) != PHASE_STOP) {
        publisher->now_ns = now_ns();
        if (PUBLISHED(publisher->shared->control.phase) != PHASE_CONNECT)
            send_due(publisher, way);
        if (way->flush != NULL)
            way->flush(publisher);
        int count = wait_for_events(publisher, events, 256);
        publisher->now_ns = now_ns();
        for (int i = 0; i < count; i++)
            way->handle(publisher, events[i].data.ptr, events[i].events);
        notice_end(publisher);
        publisher->stats->unanswered = publisher->unanswered;
        publisher->stats->cpu_ns = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    }
}

void publisher_main(const struct options *options, struct shared *shared)
{
    struct publisher publisher = {.options = options, .shared = shared, .stats = shared->publish};
    const struct way *way = options->publish_urls[0].kind == URL_HTTP ? &way_http : &way_redis;
    prctl(PR_SET_TIMERSLACK, 1);
    publisher.poll_fd = epoll_create1(EPOLL_CLOEXEC);
    publisher.scratch = malloc(PUBLISHER_SCRATCH);
    if (publisher.poll_fd < 0 || publisher.scratch == NULL || !way->open(&publisher)) {
        fprintf(stderr, "freshet-bench: no memory to publish\n");
        _exit(1);
    }
    run(&publisher, way);
    _exit(0);
}
