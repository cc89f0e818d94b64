#include "app/activation.h"
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Descriptors that are handed over begin here, says systemd. */
enum { FIRST_FD = 3 };

/* Whether there are any, and for this process: children inherit the environment. */
static bool is_told(const char *count)
{
    const char *pid = getenv("LISTEN_PID");
    return count != NULL && pid != NULL && strtol(pid, NULL, 10) == getpid();
}

/* Fills in where it listens. */
static bool listens_on_tcp(int fd, struct options *options)
{
    union {
        struct sockaddr any;
        struct sockaddr_storage room;
    } address;
    socklen_t len = sizeof(address), size = sizeof(int);
    int listens = 0;
    char port[8];
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || !listens ||
        getsockname(fd, &address.any, &len) != 0 ||
        (address.any.sa_family != AF_INET && address.any.sa_family != AF_INET6) ||
        getnameinfo(&address.any, len, options->host, sizeof(options->host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return false;
    options->port = (uint16_t)strtoul(port, NULL, 10);
    return true;
}

enum freshet_status activation_take(struct options *options, int *fd, struct freshet_error *error)
{
    const char *count = getenv("LISTEN_FDS");
    *fd = -1;
    if (!is_told(count))
        return FRESHET_OK;
    if (strcmp(count, "1") != 0) {
        snprintf(error->text, sizeof(error->text), "LISTEN_FDS is %.20s: one socket is expected", count);
        return FRESHET_INVALID;
    }
    if (fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC) != 0 || !listens_on_tcp(FIRST_FD, options)) {
        strcpy(error->text, "LISTEN_FDS: descriptor 3 is no socket that listens on a TCP port");
        return FRESHET_INVALID;
    }
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDNAMES");
    *fd = FIRST_FD;
    return FRESHET_OK;
}
