#include "common/log.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_LINE_BYTES = 2048, NEWS_FOR_S = 60 };

static const char *level_text(enum freshet_log_level level)
{
    static const char *const texts[] = {"error", "warn ", "info ", "debug"};
    return level >= FRESHET_LOG_ERROR && level <= FRESHET_LOG_DEBUG ? texts[level - 1] : "?    ";
}

/* One write() for one line, so that lines of several threads don't mix. */
static void write_line(enum freshet_log_level level, const char *text, void *user)
{
    (void)user;
    char line[MAX_LINE_BYTES];
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t len = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &utc);
    int more = snprintf(line + len, sizeof(line) - len, ".%03ldZ %s %s\n", now.tv_nsec / 1000000,
                        level_text(level), text);
    len += more < 0 ? 0 : (size_t)more;
    if (len >= sizeof(line)) {
        len = sizeof(line);
        line[len - 1] = '\n';
    }
    /* There is nobody to tell when stderr is gone. */
    if (write(STDERR_FILENO, line, len) < 0)
        return;
}

struct freshet_log log_to_stderr(enum freshet_log_level level)
{
    struct freshet_log log = {.write = write_line, .level = level};
    return log;
}

void log_line(const struct freshet_log *log, enum freshet_log_level level, const char *format, ...)
{
    if (level > log->level)
        return;
    char text[MAX_LINE_BYTES - 64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    log->write(level, text, log->user);
}

void log_news_init(struct log_news *news)
{
    *news = (struct log_news){.known = {{.seen_s = 0}}};
    pthread_mutex_init(&news->lock, NULL);
}

void log_news_deinit(struct log_news *news)
{
    pthread_mutex_destroy(&news->lock);
}

/* Where it stands, or may: in place of the one not seen for longest. */
static size_t find_place(const struct log_news *news, const char *what)
{
    size_t oldest = 0;
    for (size_t i = 0; i < sizeof(news->known) / sizeof(news->known[0]); i++) {
        if (strcmp(news->known[i].what, what) == 0)
            return i;
        if (news->known[i].seen_s < news->known[oldest].seen_s)
            oldest = i;
    }
    return oldest;
}

bool log_is_news(struct log_news *news, struct freshet_span what)
{
    char text[sizeof(news->known[0].what)];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text, sizeof(text), "%.*s", (int)(what.len < sizeof(text) ? what.len : sizeof(text)), what.data);
    pthread_mutex_lock(&news->lock);
    size_t place = find_place(news, text);
    bool known =
        strcmp(news->known[place].what, text) == 0 && now.tv_sec - news->known[place].seen_s < NEWS_FOR_S;
    memcpy(news->known[place].what, text, sizeof(text));
    news->known[place].seen_s = now.tv_sec;
    pthread_mutex_unlock(&news->lock);
    return !known;
}
