/* Log lines on stderr: time in UTC, level, text. */
#ifndef BRIDGE_LOG_H
#define BRIDGE_LOG_H

#include <freshet/log.h>
#include <freshet/span.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

/* A sink at this level; lines are whole also when several threads write at once. */
struct freshet_log log_to_stderr(enum freshet_log_level level);

/* One line, if the sink wants its level. Any thread. */
void log_line(const struct freshet_log *log, enum freshet_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What may be said with every request is said once for as long as it lasts: this remembers what was said. */
struct log_news {
    pthread_mutex_t lock;
    struct {
        char what[32];
        time_t seen_s; /* 0: free */
    } known[8];
};

void log_news_init(struct log_news *news);
void log_news_deinit(struct log_news *news);
/* Whether to log `what`, a short code of it: it was not seen within the last minute. Any thread. */
bool log_is_news(struct log_news *news, struct freshet_span what);

#endif
