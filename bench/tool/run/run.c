#include "run/run.h"
#include "client/client.h"
#include "measure/clock.h"
#include "publish/publisher.h"
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static void fail(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fail(struct run *run, const char *format, ...)
{
    va_list arguments;
    if (run->result->problem[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(run->result->problem, sizeof(run->result->problem), format, arguments);
    va_end(arguments);
}

/* Ctrl-C goes to all; only the first process acts on it, so that there is a report of what was. */
static void begin_child(pid_t parent)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
}

static bool start_children(struct run *run)
{
    const struct options *options = run->options;
    pid_t self = getpid();
    run->child_count = (unsigned)options->processes + (options->publish.count > 0);
    for (unsigned i = 0; i < run->child_count; i++) {
        pid_t child = fork();
        if (child < 0) {
            fail(run, "a process can't be started: %s", strerror(errno));
            run->child_count = i;
            return false;
        }
        if (child == 0) {
            begin_child(self);
            if (i < options->processes)
                client_main(options, run->shared, i);
            publisher_main(options, run->shared);
        }
        run->children[i] = child;
    }
    return true;
}

static void stop_children(struct run *run)
{
    PUBLISH(run->shared->control.phase, PHASE_STOP);
    for (unsigned i = 0; i < run->child_count; i++) {
        if (run->children[i] > 0)
            waitpid(run->children[i], NULL, 0);
    }
}

/* One step of waiting; false: the run is over. */
static bool go_on(struct run *run, const char *what)
{
    static const struct timespec step = {.tv_nsec = 5 * MS_NS};
    nanosleep(&step, NULL);
    run_look(run, what);
    run_commands(run);
    for (unsigned i = 0; i < run->child_count; i++) {
        if (run->children[i] > 0 && waitpid(run->children[i], NULL, WNOHANG) == run->children[i]) {
            run->children[i] = 0;
            fail(run, "one of this tool's own processes ended");
        }
    }
    if (interrupted)
        fail(run, "interrupted");
    return run->result->problem[0] == '\0';
}

static void wait_for(struct run *run, int64_t time_ns, const char *what)
{
    for (int64_t end_ns = now_ns() + time_ns; now_ns() < end_ns && go_on(run, what);)
        ;
}

static uint64_t count_live(const struct run *run)
{
    uint64_t live = 0;
    for (unsigned i = 0; i < run->shared->processes; i++)
        live += run->shared->streams[i].live;
    return live;
}

static bool open_streams(struct run *run, uint64_t wanted)
{
    const struct options *options = run->options;
    double pace_s = options->connect_rate > 0 ? (double)wanted / options->connect_rate : 0;
    int64_t deadline_ns = now_ns() + options->ready_ns + (int64_t)(pace_s * (double)SECOND_NS);
    PUBLISH(run->shared->control.wanted, wanted);
    while (count_live(run) < wanted && now_ns() < deadline_ns && go_on(run, "connect"))
        ;
    uint64_t live = count_live(run);
    if (live == 0)
        fail(run, "no stream has shown a first event%s",
             options->no_snapshot ? "" : " (--no-snapshot if the server sends none before a publish)");
    return run->result->problem[0] == '\0';
}

/* Numbers continue above what the first snapshots show. */
static void begin_publishing(struct run *run)
{
    const struct options *options = run->options;
    struct shared *shared = run->shared;
    for (uint64_t i = 0; i < options->topics; i++) {
        uint64_t shown = PUBLISHED(shared->shown[i]);
        shared->first[i] = shown >= options->first_seq && !options->is_time ? shown + 1 : options->first_seq;
    }
    double seconds = (double)options->duration_ns / (double)SECOND_NS;
    run->begun_ns = now_ns() + 100 * MS_NS;
    shared->plan.rate = options->publish.count > 0 ? options->rate : 1;
    shared->plan.count = options->publish.count > 0 ? (uint64_t)(seconds * options->rate + 1e-6) : 0;
    shared->plan.measure_ns = run->begun_ns + options->warm_ns;
    PUBLISH(shared->plan.begin_ns, run->begun_ns);
    PUBLISH(shared->control.phase, PHASE_PUBLISH);
}

static void note_client_cpu(struct run *run, bool is_end)
{
    for (unsigned i = 0; i < run->child_count; i++) {
        bool is_client = i < run->options->processes;
        int64_t cpu_ns = is_client ? run->shared->streams[i].cpu_ns : run->shared->publish->cpu_ns;
        if (!is_end) {
            run->cpu_begin_ns[i] = cpu_ns;
            continue;
        }
        double percent = (double)(cpu_ns - run->cpu_begin_ns[i]) / run->result->seconds / 1e7;
        if (percent > run->result->client_percent)
            run->result->client_percent = percent;
    }
}

/* The begin (or end) of what is measured. */
static void note(struct run *run, bool is_end)
{
    struct result *result = run->result;
    stats_gather(run->shared, run->now);
    uint64_t deliveries = run->now->deliveries + run->now->slow_deliveries;
    if (is_end) {
        result->seconds = (double)(now_ns() - run->begun_ns - run->options->warm_ns) / (double)SECOND_NS;
        result->deliveries = deliveries - result->delivered_at_begin;
        result->bytes = run->now->bytes - result->bytes_at_begin;
        result->content = run->now->content - result->content_at_begin;
        result->accepted = run->shared->publish->accepted;
    } else {
        result->delivered_at_begin = deliveries;
        result->bytes_at_begin = run->now->bytes;
        result->content_at_begin = run->now->content;
    }
    note_client_cpu(run, is_end);
    run_sample(run, is_end ? SAMPLE_END : SAMPLE_BEGIN);
}

static bool all_is_there(const struct run *run, const uint64_t *checks)
{
    if (run->options->publish.count > 0 && !PUBLISHED(run->shared->publish->done))
        return false;
    for (unsigned i = 0; i < run->shared->processes; i++) {
        const struct stream_stats *stats = &run->shared->streams[i];
        if (PUBLISHED(stats->checks) < checks[i] + 2 || stats->behind + stats->unrecovered > 0)
            return false;
    }
    return true;
}

/* Until the last publishes have come to all. The looks that count are those after all was accepted. */
static void settle(struct run *run)
{
    uint64_t checks[256] = {0};
    bool is_done = run->options->publish.count == 0;
    int64_t end_ns = now_ns() + run->options->settle_ns;
    PUBLISH(run->shared->control.phase, PHASE_SETTLE);
    while (now_ns() < end_ns && !all_is_there(run, checks) && go_on(run, "settle")) {
        if (is_done || !PUBLISHED(run->shared->publish->done))
            continue;
        is_done = true;
        for (unsigned i = 0; i < run->shared->processes; i++)
            checks[i] = PUBLISHED(run->shared->streams[i].checks);
    }
}

static void publish_phase(struct run *run)
{
    const struct options *options = run->options;
    begin_publishing(run);
    run->looked_ns = run->begun_ns;
    /* A moment before, so that the first delivery is in. */
    wait_for(run, run->begun_ns + options->warm_ns - now_ns() - 10 * MS_NS, "warm");
    note(run, false);
    wait_for(run, run->begun_ns + options->duration_ns - now_ns(),
             options->publish.count > 0 ? "publish" : "watch");
    /* A hurried server has the time that was given; what comes while settling is not throughput. */
    note(run, true);
    settle(run);
    run_stop_commands(run);
}

static void all_phases(struct run *run)
{
    const struct options *options = run->options;
    int64_t begin_ns = now_ns();
    if (options->warm_up > 0 && !open_streams(run, options->warm_up))
        return;
    run_sample(run, SAMPLE_EMPTY);
    begin_ns = now_ns();
    if (!open_streams(run, options->streams))
        return;
    run->result->ready_ns = now_ns() - begin_ns;
    run->result->opened = count_live(run);
    run_sample(run, SAMPLE_OPEN);
    wait_for(run, options->idle_ns, "idle");
    run_sample(run, SAMPLE_IDLE);
    publish_phase(run);
}

static bool prepare(struct run *run)
{
    const struct options *options = run->options;
    struct result *result = run->result;
    run->shared = shared_new(options->topics, (unsigned)options->processes);
    run->children = calloc(options->processes + 1, sizeof(*run->children));
    run->now = calloc(1, sizeof(*run->now));
    run->before = calloc(1, sizeof(*run->before));
    run->between = calloc(1, sizeof(*run->between));
    result->streams = calloc(1, sizeof(*result->streams));
    for (unsigned i = 0; i < options->watched_count; i++) {
        result->servers[i].name = options->watched[i].name;
        result->servers[i].pid = options->watched[i].pid;
    }
    run->period_ns = options->duration_ns / 200;
    if (run->period_ns < 50 * MS_NS)
        run->period_ns = 50 * MS_NS;
    run->started_ns = now_ns();
    run->is_tty = isatty(STDERR_FILENO);
    return run->shared != NULL && run->children != NULL && run->now != NULL && run->before != NULL &&
           run->between != NULL && result->streams != NULL;
}

bool run_all(const struct options *options, struct result *result)
{
    struct run run = {.options = options, .result = result};
    memset(result, 0, sizeof(*result));
    bool is_prepared = prepare(&run);
    if (is_prepared) {
        signal(SIGINT, interrupt);
        signal(SIGTERM, interrupt);
        if (start_children(&run))
            all_phases(&run);
        stop_children(&run);
        stats_gather(run.shared, result->streams);
        result->publish = run.shared->publish;
        result_finish(result, options);
    }
    free(run.children);
    free(run.now);
    free(run.before);
    free(run.between);
    return is_prepared;
}
