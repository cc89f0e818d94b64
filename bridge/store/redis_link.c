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
    struct redis_password *from = user;
    char password[MAX_PASSWORD_BYTES];
    const char *trouble;
    size_t len = read_password(from->file, password, &trouble);
    if (len > 0)
        freshet_redis_login_set(login, freshet_span(NULL, 0), freshet_span(password, len));
    else if (log_is_news(&from->troubles, freshet_span_text(trouble)))
        log_line(&from->log, FRESHET_LOG_ERROR, "--%s %s: %s", from->option, from->file, trouble);
    explicit_bzero(password, sizeof(password));
}

static enum freshet_status init_password(struct redis_password *password, const char *option,
                                         const char *file, const struct freshet_log *log,
                                         struct freshet_error *error)
{
    char text[MAX_PASSWORD_BYTES];
    const char *trouble;
    *password = (struct redis_password){.option = option, .file = file, .log = *log};
    log_news_init(&password->troubles);
    size_t len = file == NULL ? 1 : read_password(file, text, &trouble);
    explicit_bzero(text, sizeof(text));
    if (len > 0)
        return FRESHET_OK;
    snprintf(error->text, sizeof(error->text), "--%s %.100s: %.60s", option, file, trouble);
    return FRESHET_INVALID;
}

enum freshet_status redis_link_init(struct redis_link *link, const struct options *options,
                                    const struct freshet_log *log, struct freshet_error *error)
{
    link->log = *log;
    enum freshet_status first =
        init_password(&link->password, "redis-password-file", options->redis_password_file, log, error);
    enum freshet_status second = init_password(&link->sentinel_password, "redis-sentinel-password-file",
                                               options->redis_sentinel_password_file, log, error);
    return first != FRESHET_OK ? first : second;
}

void redis_link_deinit(struct redis_link *link)
{
    log_news_deinit(&link->password.troubles);
    log_news_deinit(&link->sentinel_password.troubles);
}

struct freshet_redis_options redis_link_options(struct redis_link *link, const struct options *options)
{
    struct freshet_redis_options redis = {.size = sizeof(redis),
                                          .url = options->redis,
                                          .prefix = options->prefix,
                                          .max_message_bytes = (uint32_t)options->library.max_message_bytes,
                                          .tls_ca_file = options->redis_tls_ca,
                                          .tls_cert_file = options->redis_tls_certificate,
                                          .tls_key_file = options->redis_tls_key};
    if (link->password.file != NULL) {
        redis.login = give_login;
        redis.login_user = &link->password;
    }
    if (link->sentinel_password.file != NULL) {
        redis.sentinel_login = give_login;
        redis.sentinel_login_user = &link->sentinel_password;
    }
    return redis;
}
