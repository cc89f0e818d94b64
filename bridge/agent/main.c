/* freshet-agent: the library in a background process, without h2o and without streams of its own.
 *
 * A job, again and again: add a task to a board in the store, then publish what happened. Every instance of
 * freshet-bridge on the same Redis loads that board anew for those who look at it. */
#include "agent/options.h"
#include "common/log.h"
#include "example/board_channel.h"
#include "example/board_store.h"
#include "store/redis_link.h"
#include "store/store.h"
#include <freshet/freshet.h>
#include <freshet/redis.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { JOB_DEADLINE_MS = 5000, DESTROY_DEADLINE_MS = 1000, MAX_TITLE_BYTES = 200 };

struct agent {
    struct agent_options options;
    struct freshet_log log;
    struct redis_link redis;
    struct freshet *freshet;
    struct store *store;
    struct board_topic topic;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned pending, failed; /* jobs; under the lock */
};

/* One job on its way: to the store, then to the bus; a second time if the store's answer came too late. */
struct job {
    struct agent *agent;
    int64_t task_id;
    unsigned awaited; /* publishes, and the word of the store that it is settled */
    bool failed;
};

/* ---- one job: callbacks run on the freshet's own thread ---- */

/* One of those that it waits for has come. */
static void pass_job(struct job *job)
{
    struct agent *agent = job->agent;
    if (--job->awaited > 0)
        return;
    pthread_mutex_lock(&agent->lock);
    agent->pending--;
    agent->failed += job->failed;
    pthread_cond_signal(&agent->changed);
    pthread_mutex_unlock(&agent->lock);
    free(job);
}

static void on_published(enum freshet_status status, int64_t receivers, void *user)
{
    struct job *job = user;
    if (status == FRESHET_OK) {
        printf("task %lld: published, instances that heard it: %lld\n", (long long)job->task_id,
               (long long)receivers);
    } else {
        fprintf(stderr, "freshet-agent: task %lld is not published: %s\n", (long long)job->task_id,
                freshet_status_text(status));
        job->failed = true;
    }
    pass_job(job);
}

static const char *outcome_text(enum board_outcome outcome)
{
    if (outcome == BOARD_FULL)
        return "the board is full";
    if (outcome == BOARD_NO_MEMORY)
        return "out of memory";
    return outcome == BOARD_UNSURE ? "the store did not answer; the task may be there all the same"
                                   : "the store did not answer or refused";
}

static void publish_task(struct job *job, const struct board_task *task)
{
    struct agent *agent = job->agent;
    job->awaited++;
    job->task_id = task->id;
    struct board_message message = {
        .taskId = task->id, .to = task->column, .has_title = true, .title = task->title};
    if (board_publish(agent->freshet, &agent->topic, &message, on_published, job) == FRESHET_NO_MEMORY)
        on_published(FRESHET_NO_MEMORY, 0, job); /* the only answer after which it does not run */
}

/* The state has changed, or may have: publish. Otherwise there is nothing to tell. */
static void on_added(enum board_outcome outcome, const struct board_task *task, void *user)
{
    struct job *job = user;
    if (outcome != BOARD_CHANGED && outcome != BOARD_SETTLED) {
        fprintf(stderr, "freshet-agent: %s\n", outcome_text(outcome));
        job->failed = true;
    }
    if (task != NULL)
        publish_task(job, task);
    if (outcome != BOARD_UNSURE)
        pass_job(job);
}

static void begin_job(struct agent *agent, unsigned number)
{
    char title[MAX_TITLE_BYTES];
    struct job *job = malloc(sizeof(*job));
    pthread_mutex_lock(&agent->lock);
    agent->pending += job != NULL;
    agent->failed += job == NULL;
    pthread_mutex_unlock(&agent->lock);
    if (job == NULL) {
        fprintf(stderr, "freshet-agent: %s\n", outcome_text(BOARD_NO_MEMORY));
        return;
    }
    *job = (struct job){.agent = agent, .awaited = 1};
    snprintf(title, sizeof(title), "%s %u", agent->options.title, number);
    board_store_add(agent->store, &agent->topic.topic, title, on_added, job);
}

/* Until nothing is on its way, or the deadline: a publish waits longer than that for a Redis that is away. */
static void wait_for_jobs(struct agent *agent)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += JOB_DEADLINE_MS / 1000;
    pthread_mutex_lock(&agent->lock);
    while (agent->pending > 0 && pthread_cond_timedwait(&agent->changed, &agent->lock, &end) == 0)
        ;
    pthread_mutex_unlock(&agent->lock);
}

/* ---- the life of the process ---- */

/* Before any thread starts, so that all of them leave these signals to main(). */
static sigset_t catch_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    /* A shell's background jobs are born with SIGINT ignored, and what is ignored never arrives. */
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    return set;
}

static void run_jobs(struct agent *agent, const sigset_t *signals)
{
    const struct agent_options *options = &agent->options;
    const struct timespec pause = {.tv_sec = options->every_ms / 1000,
                                   .tv_nsec = options->every_ms % 1000 * 1000000L};
    for (unsigned number = 1; options->count == 0 || number <= options->count; number++) {
        begin_job(agent, number);
        wait_for_jobs(agent);
        if (number != options->count && sigtimedwait(signals, NULL, &pause) > 0)
            return;
    }
}

static enum freshet_status start(struct agent *agent, struct freshet_error *error)
{
    const struct options *shared = &agent->options.shared;
    struct freshet_options options = {.size = sizeof(options), .log = agent->log};
    pthread_condattr_t monotonic;
    pthread_mutex_init(&agent->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&agent->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    enum freshet_status status = redis_link_init(&agent->redis, shared, &agent->log, error);
    struct freshet_redis_options redis = redis_link_options(&agent->redis, shared);
    if (status == FRESHET_OK)
        status = board_key(&agent->topic, agent->options.board, error);
    if (status == FRESHET_OK)
        status = freshet_redis_bus_new(&options.bus, &redis, error);
    if (status == FRESHET_OK)
        status = freshet_new(&agent->freshet, &options, error);
    if (status == FRESHET_OK)
        status = store_new(&agent->store, shared, &agent->redis, agent->freshet, error);
    return status;
}

/* What is still on its way gets its answer here. */
static void stop(struct agent *agent)
{
    store_destroy(agent->store);
    freshet_destroy(agent->freshet, DESTROY_DEADLINE_MS);
    redis_link_deinit(&agent->redis);
}

static bool all_done(struct agent *agent)
{
    pthread_mutex_lock(&agent->lock);
    bool done = agent->pending == 0 && agent->failed == 0;
    pthread_mutex_unlock(&agent->lock);
    return done;
}

static const char *environment(const char *name)
{
    return getenv(name);
}

int main(int argc, char **argv)
{
    static struct agent agent; /* a callback that is late may come when main() has returned */
    struct freshet_error error = {""};
    enum options_result read = agent_options_read(&agent.options, argc, argv, environment, stdout, stderr);
    if (read != OPTIONS_RUN)
        return read == OPTIONS_SHOWN ? 0 : 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    agent.log = log_to_stderr(agent.options.shared.log_level);
    sigset_t signals = catch_signals();
    enum freshet_status status = start(&agent, &error);
    if (status == FRESHET_OK)
        run_jobs(&agent, &signals);
    else
        fprintf(stderr, "freshet-agent: %s\n",
                error.text[0] == '\0' ? freshet_status_text(status) : error.text);
    stop(&agent);
    if (status == FRESHET_OK)
        return all_done(&agent) ? 0 : 1;
    return status == FRESHET_INVALID ? 2 : 1;
}
