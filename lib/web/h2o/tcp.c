/* A file of its own, because only the kernel's header has the newer numbers, and it can't be included beside
 * the C library's. */
#include "web/h2o/tcp.h"
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static bool read_info(int fd, struct tcp_info *info)
{
    socklen_t len = sizeof(*info);
    *info = (struct tcp_info){0};
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len) == 0;
}

uint32_t fr_tcp_queued(int fd)
{
    int domain = 0, bytes = 0;
    socklen_t len = sizeof(domain);
    /* Other sockets count their memory, not bytes. */
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0 || domain == AF_UNIX)
        return 0;
    return ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? (uint32_t)bytes : 0;
}

uint32_t fr_tcp_written(int fd)
{
    struct tcp_info info;
    /* In this order: what is acknowledged between the two questions is missing, never counted twice. */
    if (!read_info(fd, &info))
        return 0;
    return (uint32_t)info.tcpi_bytes_acked + fr_tcp_queued(fd);
}
