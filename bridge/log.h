/* Log lines on stderr: time in UTC, level, text. */
#ifndef BRIDGE_LOG_H
#define BRIDGE_LOG_H

#include <freshet/log.h>
#include <freshet/span.h>

/* A sink at this level; lines are whole also when several threads write at once. */
struct freshet_log log_to_stderr(enum freshet_log_level level);

/* One line, if the sink wants its level. Any thread. */
void log_line(const struct freshet_log *log, enum freshet_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
