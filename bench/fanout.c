/* Opens streams on a server of this machine, publishes at a steady rate, and prints what that cost the
 * server: memory per idle stream, CPU per delivery.
 *
 *   freshet-fanout PID PORT STREAM-PATH PUBLISH-PATH BODY-A BODY-B STREAMS RATE SECONDS
 *
 * Publishes are POSTs with the two bodies in turn, planned on a clock (open loop); each must reach each
 * stream. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Streams opened before anything is measured. */
#define WARM_UP 64

struct run {
    long pid, streams, rate, seconds;
    int port;
    const char *stream_path, *publish_path, *bodies[2];
    int poll_fd, publisher;
    uint64_t events, bytes;
};

static void stop(const char *what)
{
    fprintf(stderr, "freshet-fanout: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Run time of all threads, which the kernel counts in nanoseconds. */
static double cpu_seconds(long pid)
{
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid((pid_t)pid, &clock) != 0 || clock_gettime(clock, &time) != 0)
        stop("CPU time of the server");
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static long resident_kib(long pid)
{
    char path[64], line[256];
    long kib = -1;
    snprintf(path, sizeof(path), "/proc/%ld/status", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        stop(path);
    while (fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    fclose(file);
    return kib;
}

static int dial(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        stop("connect");
    return fd;
}

static void open_stream(struct run *run)
{
    char request[512];
    int fd = dial(run->port);
    int len = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nhost: x\r\n\r\n", run->stream_path);
    if (write(fd, request, (size_t)len) != len)
        stop("write");
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(run->poll_fd, EPOLL_CTL_ADD, fd, &event);
}

/* Every event here is one small frame that arrives in one piece: "data:" is not cut in two. */
static void read_streams(struct run *run, int timeout_ms)
{
    struct epoll_event events[256];
    char data[16384];
    int count = epoll_wait(run->poll_fd, events, 256, timeout_ms);
    for (int i = 0; i < count; i++) {
        ssize_t len = recv(events[i].data.fd, data, sizeof(data), MSG_DONTWAIT);
        if (len == 0)
            stop("a stream ended");
        if (len < 0)
            continue;
        run->bytes += (uint64_t)len;
        const char *at = data, *end = data + len;
        while ((at = memmem(at, (size_t)(end - at), "data:", 5)) != NULL) {
            run->events++;
            at += 5;
        }
    }
}

/* Until nothing has come for half a second: what was collapsed will not come. */
static void read_until_quiet(struct run *run)
{
    uint64_t seen = run->events;
    for (double since = now(); now() - since < 0.5; read_streams(run, 100)) {
        if (run->events != seen)
            since = now();
        seen = run->events;
    }
}

static void read_until(struct run *run, uint64_t events, const char *what)
{
    double deadline = now() + 30;
    while (run->events < events) {
        if (now() > deadline) {
            fprintf(stderr, "freshet-fanout: %s: %llu of %llu deliveries came\n", what,
                    (unsigned long long)run->events, (unsigned long long)events);
            exit(1);
        }
        read_streams(run, 100);
    }
}

/* A connection for each: a server may close behind a request with a body. */
static void publish(struct run *run, long number)
{
    char message[1024];
    const char *body = run->bodies[number % 2];
    if (run->publisher >= 0)
        close(run->publisher);
    run->publisher = dial(run->port);
    int len = snprintf(
        message, sizeof(message),
        "POST %s HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n%s",
        run->publish_path, strlen(body), body);
    if (write(run->publisher, message, (size_t)len) != len)
        stop("publish");
}

static void read_answer(struct run *run)
{
    char answer[4096];
    ssize_t len = recv(run->publisher, answer, sizeof(answer) - 1, 0);
    if (len <= 0)
        stop("the answer to a publish");
    if (len > 12 && memcmp(answer, "HTTP/1.1 2", 10) != 0) {
        answer[len] = '\0';
        fprintf(stderr, "freshet-fanout: publish refused: %s\n", answer);
        exit(1);
    }
}

/* What a server allocates once, for its first connections, is not what a stream costs. */
static void warm_up(struct run *run)
{
    for (long i = 0; i < WARM_UP; i++)
        open_stream(run);
    read_until(run, WARM_UP, "first snapshots");
}

static void measure_memory(struct run *run)
{
    warm_up(run);
    long before = resident_kib(run->pid);
    for (long i = 0; i < run->streams; i++) {
        open_stream(run);
        if (i % 64 == 63)
            read_streams(run, 0);
    }
    read_until(run, (uint64_t)run->streams + WARM_UP, "first snapshots");
    printf("streams              %ld\n", run->streams);
    printf("resident per stream  %.2f KiB (server process, no kernel memory)\n",
           (double)(resident_kib(run->pid) - before) / (double)run->streams);
}

static void measure_deliveries(struct run *run)
{
    long publishes = run->rate * run->seconds;
    uint64_t events = run->events, bytes = run->bytes;
    double cpu = cpu_seconds(run->pid), begin = now();
    for (long i = 0; i < publishes; i++) {
        double at = begin + (double)i / (double)run->rate;
        for (double left; (left = at - now()) > 0;)
            read_streams(run, (int)(left * 1000));
        publish(run, i);
        read_answer(run);
    }
    double end = now();
    read_until_quiet(run);
    cpu = cpu_seconds(run->pid) - cpu;
    double deliveries = (double)(run->events - events);
    printf("deliveries           %.0f of %ld in %.1f s, %.0f bytes each\n", deliveries,
           publishes * (run->streams + WARM_UP), end - begin, (double)(run->bytes - bytes) / deliveries);
    printf("CPU per delivery     %.2f us\n", cpu / deliveries * 1e6);
}

int main(int argc, char **argv)
{
    if (argc != 10) {
        fprintf(
            stderr,
            "usage: freshet-fanout PID PORT STREAM-PATH PUBLISH-PATH BODY-A BODY-B STREAMS RATE SECONDS\n");
        return 2;
    }
    struct run run = {.pid = strtol(argv[1], NULL, 10),
                      .port = (int)strtol(argv[2], NULL, 10),
                      .stream_path = argv[3],
                      .publish_path = argv[4],
                      .bodies = {argv[5], argv[6]},
                      .streams = strtol(argv[7], NULL, 10),
                      .rate = strtol(argv[8], NULL, 10),
                      .seconds = strtol(argv[9], NULL, 10)};
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < (rlim_t)run.streams + 2 * WARM_UP) {
        fprintf(stderr, "freshet-fanout: %ld streams need more descriptors than the limit of %ld\n",
                run.streams, (long)limit.rlim_cur);
        return 1;
    }
    run.poll_fd = epoll_create1(0);
    run.publisher = -1;
    measure_memory(&run);
    measure_deliveries(&run);
    return 0;
}
