/* Where the library's log lines go.
 *
 * SPDX-License-Identifier: MIT */
#ifndef FRESHET_LOG_H
#define FRESHET_LOG_H

#ifdef __cplusplus
extern "C" {
#endif

/* How much a line matters. */
enum freshet_log_level {
    FRESHET_LOG_ERROR = 1, /* something is lost or refused until somebody acts */
    FRESHET_LOG_WARN = 2,  /* degraded, heals by itself */
    FRESHET_LOG_INFO = 3,  /* changes of state, once per change */
    FRESHET_LOG_DEBUG = 4  /* for whoever looks for a fault */
};

/* Called for each line at or under the level asked for, on any thread, also on several at once. Must not
 * block and must not call the library. `text` is NUL-terminated UTF-8 without a line end, holds no
 * credentials, has bytes of clients escaped, and lives until the call returns. */
typedef void (*freshet_log_cb)(enum freshet_log_level level, const char *text, void *user);

/* Without a `write` nothing is logged: the library prints nothing by itself. */
struct freshet_log {
    freshet_log_cb write;         /* takes the lines; NULL: nobody does */
    void *user;                   /* for write */
    enum freshet_log_level level; /* the most talkative level wanted; 0 means FRESHET_LOG_INFO */
};

#ifdef __cplusplus
}
#endif
#endif
