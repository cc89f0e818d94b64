#include "measure/usage.h"
#include "measure/clock.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static FILE *open_file(long pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%ld/%s", pid, name);
    return fopen(path, "re");
}

/* To the nanosecond: the sum of what schedstat shows for each thread, and threads that have ended are in it.
 */
static bool read_cpu(long pid, struct usage *out)
{
    clockid_t clock;
    if (clock_getcpuclockid((pid_t)pid, &clock) != 0)
        return false;
    out->cpu_ns = read_clock(clock);
    return true;
}

static int64_t ticks_ns(unsigned long long ticks)
{
    return (int64_t)ticks * (SECOND_NS / sysconf(_SC_CLK_TCK));
}

/* The name, in brackets, may hold anything: what follows its last bracket is counted. */
static bool read_stat(long pid, struct usage *out)
{
    char line[1024];
    unsigned long long system;
    long long pages;
    FILE *file = open_file(pid, "stat");
    if (file == NULL)
        return false;
    size_t len = fread(line, 1, sizeof(line) - 1, file);
    fclose(file);
    line[len] = '\0';
    const char *at = strrchr(line, ')');
    if (at == NULL || sscanf(at + 1,
                             " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %llu %*d %*d %*d %*d %*d %*d"
                             " %*u %*u %lld",
                             &system, &pages) != 2)
        return false;
    out->system_ns = ticks_ns(system);
    out->rss = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

static void read_maps(long pid, struct usage *out)
{
    char line[256];
    unsigned long long kib;
    FILE *file = open_file(pid, "smaps_rollup");
    if (file == NULL)
        return;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "Rss: %llu", &kib) == 1)
            out->rss = kib * 1024; /* exact; that of stat is rounded by the kernel */
        else if (sscanf(line, "Pss: %llu", &kib) == 1)
            out->pss = kib * 1024;
        else if (sscanf(line, "Private_Clean: %llu", &kib) == 1 ||
                 sscanf(line, "Private_Dirty: %llu", &kib) == 1)
            out->private += kib * 1024;
    }
    fclose(file);
}

bool usage_read(long pid, bool with_maps, struct usage *out)
{
    *out = (struct usage){.at_ns = now_ns()};
    if (!read_cpu(pid, out) || !read_stat(pid, out))
        return false;
    if (with_maps)
        read_maps(pid, out);
    return true;
}
