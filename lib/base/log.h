/* Log lines for the program's sink, and sentences for struct freshet_error. */
#ifndef FR_LOG_H
#define FR_LOG_H

#include <freshet/log.h>
#include <freshet/span.h>
#include <freshet/status.h>
#include <stdbool.h>

/* Whether a line of this level is wanted: asked before what a line is made of is made. */
bool fr_log_takes(const struct freshet_log *log, enum freshet_log_level level);

/* Formats one line of at most 500 bytes. Bytes from outside are escaped with fr_escape() before they come
 * here. */
void fr_log(const struct freshet_log *log, enum freshet_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes into `error` (NULL is fine) and returns `status`: `return fr_fail(error, FRESHET_INVALID, "…")`. */
enum freshet_status fr_fail(struct freshet_error *error, enum freshet_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* `span` safe for a log line or an error, cut to fit: printable ASCII as it is, but '\' and '"', the rest
 * \xHH. */
struct fr_escaped {
    char text[128];
};
struct fr_escaped fr_escape(struct freshet_span span);

#endif
