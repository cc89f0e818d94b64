/* State that a file holds. On a thread of the pool: a file system may take its time. */
#include "load/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Only a plain file: reading a pipe or a device would wait for others. */
static int open_plain(const char *path, size_t *size)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -1;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        *size = (size_t)status.st_size;
        return fd;
    }
    close(fd);
    errno = EINVAL;
    return -1;
}

/* One that is written meanwhile is read as far as it was when it was opened. */
static bool read_all(int fd, char *bytes, size_t *len)
{
    size_t wanted = *len;
    for (*len = 0; *len < wanted;) {
        ssize_t got = read(fd, bytes + *len, wanted - *len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        *len += (size_t)got;
    }
    return true;
}

static void answer(struct loads_route *route, const char *path, struct freshet_load load)
{
    size_t len;
    int fd = open_plain(path, &len);
    if (fd < 0) {
        bool absent = errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG;
        loads_fail(route, load, absent ? "not-found" : "file-error", strerror(errno));
        return;
    }
    bool too_large = len > route->loads->options.max_bytes;
    char *bytes = too_large ? NULL : malloc(len + 1);
    if (bytes == NULL)
        loads_fail(route, load, too_large ? "too-large" : "no-memory", NULL);
    else if (read_all(fd, bytes, &len))
        freshet_load_answer(load, freshet_span(bytes, len));
    else
        loads_fail(route, load, "file-error", strerror(errno));
    free(bytes);
    close(fd);
}

void loads_read_file(struct loads_route *route, const struct source *source, struct freshet_load load,
                     const struct freshet_load_context *context)
{
    char *path[1];
    size_t len[1];
    enum template_result result = loads_fill(source, context, path, len);
    if (result != TEMPLATE_FILLED) {
        loads_refuse_values(route, load, result);
        return;
    }
    answer(route, path[0], load);
    free(path[0]);
}
