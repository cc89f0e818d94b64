/* The floor to measure against: one thread, epoll, and for each publish one write() to each stream. No
 * loader, no bus, no timeouts, no check of anything.
 *
 *   freshet-bare BYTES     GET opens a stream, POST sends BYTES to each; prints the address listened on */
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
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FD 65536

static const char head[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
static const char done[] = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

static bool is_stream[MAX_FD];
static int highest;
static char frame[70000];
static size_t frame_len;

static void make_frame(size_t bytes)
{
    int at = sprintf(frame, "%zx\r\ndata: ", bytes);
    memset(frame + at, 'x', bytes - 8);
    frame_len = (size_t)at + bytes - 8;
    memcpy(frame + frame_len, "\n\n\r\n", 4);
    frame_len += 4;
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

static void answer(int fd)
{
    char request[4096];
    ssize_t len = read(fd, request, sizeof(request));
    if (len <= 0) {
        is_stream[fd] = false;
        close(fd);
    } else if (memcmp(request, "GET", 3) == 0) {
        is_stream[fd] = true;
        send_all(fd, head, sizeof(head) - 1);
        send_all(fd, frame, frame_len);
    } else {
        publish();
        send_all(fd, done, sizeof(done) - 1);
    }
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

static int listen_on_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
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
    long bytes = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    if (bytes < 16 || bytes > 65536) {
        fprintf(stderr, "usage: freshet-bare BYTES (16 to 65536)\n");
        return 2;
    }
    make_frame((size_t)bytes);
    signal(SIGPIPE, SIG_IGN);
    int listener = listen_on_loopback();
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
