/* The floor to measure against: one thread, epoll, and for each publish one write() to each stream. No
 * loader, no bus, no timeouts, no check of anything. One publisher, whose requests may
 * come without waiting for answers.
 *
 *   freshet-bare PORT      GET opens a stream and shows the last body, POST sends its body to each stream;
 *                          port 0 picks a free one; prints the address listened on */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FD   1048576
#define MAX_BODY 262144

static const char head[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
static const char done[] = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

static bool is_stream[MAX_FD];
static int highest;
static char frame[MAX_BODY + 64];
static size_t frame_len;

static void make_frame(const char *body, size_t len)
{
    int at = sprintf(frame, "%zx\r\ndata: ", len + 8);
    memcpy(frame + at, body, len);
    memcpy(frame + at + len, "\n\n\r\n", 4);
    frame_len = (size_t)at + len + 4;
}

static void send_all(int fd, const char *data, size_t len)
{
    if (write(fd, data, len) != (ssize_t)len && errno != EAGAIN) {
        is_stream[fd] = false;
        close(fd);
    }
}

static void publish(void)
{
    for (int fd = 0; fd <= highest; fd++)
        if (is_stream[fd])
            send_all(fd, frame, frame_len);
}

static void open_stream(int fd)
{
    is_stream[fd] = true;
    send_all(fd, head, sizeof(head) - 1);
    send_all(fd, frame, frame_len);
}

/* Answers how much of `data` is whole requests. */
static size_t answer_posts(int fd, const char *data, size_t len)
{
    size_t done_len = 0;
    while (len > done_len) {
        const char *begin = data + done_len, *end = data + len;
        const char *body = memmem(begin, (size_t)(end - begin), "\r\n\r\n", 4);
        const char *length = strcasestr(begin, "\ncontent-length:");
        size_t body_len = length == NULL ? 0 : strtoul(length + 16, NULL, 10);
        if (body == NULL || body_len > MAX_BODY || (size_t)(end - body - 4) < body_len)
            break;
        make_frame(body + 4, body_len);
        publish();
        send_all(fd, done, sizeof(done) - 1);
        done_len = (size_t)(body + 4 + body_len - data);
    }
    return done_len;
}

/* What is left of a publisher's requests waits here: there is one publisher at a time. */
static void answer(int fd)
{
    static char data[4 * MAX_BODY];
    static size_t kept;
    static int kept_for = -1;
    if (kept_for != fd)
        kept = 0;
    ssize_t len = read(fd, data + kept, sizeof(data) - 1 - kept);
    if (len <= 0) {
        is_stream[fd] = false;
        close(fd);
        return;
    }
    data[kept + (size_t)len] = '\0';
    if (kept == 0 && memcmp(data, "GET", 3) == 0) {
        open_stream(fd);
        return;
    }
    kept += (size_t)len;
    kept_for = fd;
    size_t taken = answer_posts(fd, data, kept);
    kept -= taken;
    memmove(data, data + taken, kept);
}

static void add(int poll_fd, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void accept_all(int poll_fd, int listener)
{
    for (int fd, on = 1; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        if (fd >= MAX_FD) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        highest = fd > highest ? fd : highest;
        add(poll_fd, fd);
    }
}

static int listen_on_loopback(long port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    socklen_t len = sizeof(address);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        perror("freshet-bare");
        exit(1);
    }
    printf("listening on http://127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    char *end = NULL;
    long port = argc == 2 ? strtol(argv[1], &end, 10) : -1;
    if (port < 0 || port > 65535 || *end != '\0') {
        fprintf(stderr, "usage: freshet-bare PORT (0 to 65535)\n");
        return 2;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    signal(SIGPIPE, SIG_IGN);
    make_frame("0", 1);
    int listener = listen_on_loopback(port);
    int poll_fd = epoll_create1(0);
    add(poll_fd, listener);
    for (;;) {
        struct epoll_event events[256];
        int count = epoll_wait(poll_fd, events, 256, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                accept_all(poll_fd, listener);
            else
                answer(events[i].data.fd);
        }
    }
}
