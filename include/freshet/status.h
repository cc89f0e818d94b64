/* What a call can answer.
 *
 * SPDX-License-Identifier: MIT */
#ifndef FRESHET_STATUS_H
#define FRESHET_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* Which of these a function returns stands with the function. Numbers are stable; new ones are added at the
 * end. */
enum freshet_status {
    FRESHET_OK = 0,          /* done */
    FRESHET_INVALID = 1,     /* an argument is outside of what is allowed; the detail names it */
    FRESHET_NO_MEMORY = 2,   /* an allocation failed; nothing was changed */
    FRESHET_TOO_LARGE = 3,   /* over a byte limit that the options set */
    FRESHET_FULL = 4,        /* over a limit of count; again later */
    FRESHET_NOT_FOUND = 5,   /* no such name, parameter or route */
    FRESHET_CONFLICT = 6,    /* contradicts something registered before; the detail names both */
    FRESHET_UNAVAILABLE = 7, /* the bus or the data link is down, or its deadline passed */
    FRESHET_REFUSED = 8,     /* the other side said no; the detail has its words */
    FRESHET_STALE = 9,       /* a handle that is no longer in force: answered before, too late, or gone */
    FRESHET_CLOSED = 10,     /* the freshet, worker or link is stopping or stopped */
    FRESHET_SYSTEM = 11,     /* the operating system refused; the detail has its words */
    FRESHET_UNSUPPORTED = 12 /* not offered in this place, such as a request header that no option names */
};

/* A short English text for a status, never NULL; any thread. */
const char *freshet_status_text(enum freshet_status status);

/* NULL for an argument that is required, and a span with a length whose data is NULL, is FRESHET_INVALID
 * everywhere, or the call does nothing where it has no status to say so.
 *
 * Room for a sentence that says what was wrong, for people. Functions that take one accept NULL; they write
 * it only when they fail. The text is NUL-terminated, holds no credentials, and bytes of clients are escaped.
 */
struct freshet_error {
    char text[256]; /* what was wrong */
};

#ifdef __cplusplus
}
#endif
#endif
