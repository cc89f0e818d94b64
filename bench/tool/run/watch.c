/* What the first process does while the others work. */
#include "measure/clock.h"
#include "run/run.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void run_sample(struct run *run, enum sample sample)
{
    for (unsigned i = 0; i < run->options->watched_count; i++) {
        struct server *server = &run->result->servers[i];
        server->is_known[sample] = usage_read(server->pid, sample < SAMPLE_BEGIN, &server->samples[sample]);
        if (server->is_known[sample] && sample >= SAMPLE_OPEN && server->samples[sample].rss > server->peak)
            server->peak = server->samples[sample].rss;
    }
}

static void look_at_servers(struct run *run)
{
    struct usage usage;
    for (unsigned i = 0; i < run->options->watched_count; i++) {
        struct server *server = &run->result->servers[i];
        if (usage_read(server->pid, false, &usage) && usage.rss > server->peak)
            server->peak = usage.rss;
    }
}

static void keep(struct result *result, const struct moment *moment)
{
    if (result->moment_count == result->moment_room) {
        size_t room = result->moment_room == 0 ? 256 : result->moment_room * 2;
        struct moment *grown = realloc(result->history, room * sizeof(*grown));
        if (grown == NULL)
            return;
        result->history = grown;
        result->moment_room = room;
    }
    result->history[result->moment_count++] = *moment;
}

static void tell(struct run *run, const struct moment *moment, const char *what)
{
    char p50[32], p99[32], max[32];
    quantity_print(UNIT_TIME, (double)moment->p50, p50, sizeof(p50));
    quantity_print(UNIT_TIME, (double)moment->p99, p99, sizeof(p99));
    quantity_print(UNIT_TIME, (double)moment->max, max, sizeof(max));
    fprintf(stderr, "%s%7.1f s  %-8s %8llu streams %9.0f deliveries/s", run->is_tty ? "\r\033[K" : "",
            (double)(now_ns() - run->started_ns) / (double)SECOND_NS, what, (unsigned long long)moment->live,
            moment->delivery_rate);
    if (moment->answered > 0)
        fprintf(stderr, "  p50 %s  p99 %s  max %s", p50, p99, max);
    if (run->now->ended + run->now->failed + run->now->refused > 0)
        fprintf(stderr, "  lost %llu",
                (unsigned long long)(run->now->ended + run->now->failed + run->now->refused));
    fputs(run->is_tty ? "" : "\n", stderr);
}

void run_look(struct run *run, const char *what)
{
    int64_t at_ns = now_ns(), passed_ns = at_ns - run->looked_ns;
    if (passed_ns < run->period_ns)
        return;
    stats_gather(run->shared, run->now);
    histogram_since(run->between, &run->now->latency, &run->before->latency);
    uint64_t deliveries = run->now->deliveries - run->before->deliveries;
    struct moment moment = {.at_s =
                                run->begun_ns == 0 ? 0 : (double)(at_ns - run->begun_ns) / (double)SECOND_NS,
                            .answered = run->between->count,
                            .deliveries = deliveries,
                            .p50 = histogram_percentile(run->between, 50),
                            .p99 = histogram_percentile(run->between, 99),
                            .max = run->between->max,
                            .delivery_rate = (double)deliveries * (double)SECOND_NS / (double)passed_ns,
                            .live = run->now->live};
    struct stream_stats *spare = run->before;
    if (run->begun_ns != 0)
        keep(run->result, &moment);
    if (!run->options->quiet && at_ns - run->told_ns >= SECOND_NS) {
        run->told_ns = at_ns;
        tell(run, &moment, what);
    }
    look_at_servers(run);
    run->before = run->now;
    run->now = spare;
    run->looked_ns = at_ns;
}

static double since_begin(const struct run *run)
{
    return (double)(now_ns() - run->begun_ns) / (double)SECOND_NS;
}

static void start_command(struct run *run, unsigned number)
{
    struct played *played = &run->result->played[number];
    played->begin_s = since_begin(run);
    played->end_s = -1;
    played->pid = fork();
    if (played->pid != 0)
        return;
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    dup2(STDERR_FILENO, STDOUT_FILENO); /* stdout is for the result */
    execl("/bin/sh", "sh", "-c", run->options->commands[number].text, (char *)NULL);
    _exit(127);
}

static void end_command(struct run *run, struct played *played)
{
    struct control *control = &run->shared->control;
    played->pid = 0;
    played->end_s = since_begin(run);
    control->mark_ns = now_ns();
    PUBLISH(control->marks, control->marks + 1);
}

void run_commands(struct run *run)
{
    for (unsigned i = 0; i < run->options->command_count && run->begun_ns != 0; i++) {
        struct played *played = &run->result->played[i];
        if (played->begin_s == 0 && now_ns() >= run->begun_ns + run->options->commands[i].at_ns)
            start_command(run, i);
        else if (played->pid > 0 && waitpid(played->pid, &played->status, WNOHANG) == played->pid)
            end_command(run, played);
    }
}

void run_stop_commands(struct run *run)
{
    for (unsigned i = 0; i < run->options->command_count; i++) {
        struct played *played = &run->result->played[i];
        if (played->pid <= 0)
            continue;
        kill(played->pid, SIGTERM);
        waitpid(played->pid, &played->status, 0);
        played->pid = 0;
    }
}
