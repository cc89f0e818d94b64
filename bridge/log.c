#include "log.h"
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { MAX_LINE_BYTES = 2048 };

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
