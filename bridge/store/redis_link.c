#include "store/redis_link.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_PASSWORD_BYTES 4096

/* The first line, without its end. How long it is; 0: `trouble` says why there is none. */
static size_t read_password(const char *file, char *password, const char **trouble)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, password, MAX_PASSWORD_BYTES);
    *trouble = len < 0 ? strerror(errno) : "it begins with an empty line";
    if (fd >= 0)
        close(fd);
    if (len <= 0)
        return 0;
    const char *end = memchr(password, '\n', (size_t)len);
    size_t line = end == NULL ? (size_t)len : (size_t)(end - password);
    return line > 0 && password[line - 1] == '\r' ? line - 1 : line;
}

static void give_login(struct freshet_redis_login *login, void *user)
{
    struct redis_link *link = user;
    char password[MAX_PASSWORD_BYTES];
    const char *trouble;
    size_t len = read_password(link->password_file, password, &trouble);
    if (len > 0)
        freshet_redis_login_set(login, freshet_span(NULL, 0), freshet_span(password, len));
    else if (log_is_news(&link->troubles, freshet_span_text(trouble)))
        log_line(&link->log, FRESHET_LOG_ERROR, "--redis-password-file %s: %s", link->password_file, trouble);
    explicit_bzero(password, sizeof(password));
}

enum freshet_status redis_link_init(struct redis_link *link, const struct options *options,
                                    const struct freshet_log *log, struct freshet_error *error)
{
    char password[MAX_PASSWORD_BYTES];
    const char *trouble;
    *link = (struct redis_link){.password_file = options->redis_password_file, .log = *log};
    log_news_init(&link->troubles);
    if (link->password_file == NULL)
        return FRESHET_OK;
    size_t len = read_password(link->password_file, password, &trouble);
    explicit_bzero(password, sizeof(password));
    if (len > 0)
        return FRESHET_OK;
    snprintf(error->text, sizeof(error->text), "--redis-password-file %.100s: %.60s", link->password_file,
             trouble);
    return FRESHET_INVALID;
}

void redis_link_deinit(struct redis_link *link)
{
    log_news_deinit(&link->troubles);
}

struct freshet_redis_options redis_link_options(struct redis_link *link, const struct options *options)
{
    struct freshet_redis_options redis = {
        .size = sizeof(redis), .url = options->redis, .prefix = options->prefix};
    if (link->password_file != NULL) {
        redis.login = give_login;
        redis.login_user = link;
    }
    return redis;
}
