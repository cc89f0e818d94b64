/* What all connections have in common. */
#ifndef BENCH_SOCKET_H
#define BENCH_SOCKET_H

#include <errno.h>
#include <sys/socket.h>

/* What became of a connect() that did not wait, once the socket can be written to: 0, or an errno. */
static inline int socket_connected(int fd)
{
    int error = 0;
    socklen_t len = sizeof(error);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
}

#endif
