/* The state of a view for one request, without a stream: for pages that are rendered on the server, and go
 * live without a gap. A stream that is opened with the version of what was rendered gets nothing if that is
 * still current, and the newest if not. <freshet/h2o.h> has the same for a request of h2o.
 *
 * SPDX-License-Identifier: MIT */
#ifndef FRESHET_ONCE_H
#define FRESHET_ONCE_H

#include <freshet/guard.h>
#include <freshet/instance.h>
#include <freshet/span.h>
#include <freshet/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A header of the client's request. */
struct freshet_once_header {
    struct freshet_span name; /* in lower case */
    /* `data` NULL: it was not sent, but may be asked for, as the headers that a loader names. */
    struct freshet_span value;
};

/* What a stream's request would say. A zeroed struct with `size` and `target` set means all defaults. Read
 * during freshet_load_once(). */
struct freshet_once_request {
    size_t size;                /* sizeof(struct freshet_once_request) */
    struct freshet_span target; /* path and query below the mount, encoded as in a URL: `/board/b1?all=1` */
    struct freshet_span peer;   /* the client's address; default: empty */
    const struct freshet_once_header *headers; /* those that the loader and the guards look at; at most 64 */
    size_t header_count;                       /* of `headers` */
    const struct freshet_guard *use;           /* the mount's */
    size_t use_count;                          /* of `use` */
    uint32_t timeout_ms;                       /* of all of it; default 5000 */
};

/* What came of it, as HTTP says it: 200; what a guard, the loader or the route say to a stream, 302 or 400 to
 * 499; 503 when it can't be had now. */
struct freshet_once_answer {
    int status; /* 200, 302, 400 to 499, or 503 */
    /* Why not, [a-z0-9-]+. With 200 it is the load-error in force: what there is may be old; empty: it is
     * current. */
    struct freshet_span code;
    struct freshet_span location; /* with 302 */
    struct freshet_span bytes;    /* with 200: the state, as a page gets it: its lines end in line feeds */
    struct freshet_span version;  /* with 200: the snapshot's, 32 hex digits */
};

/* Valid until it returns. On the calling worker's loop, and for other threads on the pool's callback thread;
 * never within freshet_load_once(). */
typedef void (*freshet_once_cb)(const struct freshet_once_answer *answer, void *user);

/* Runs guards and loader as for a stream: where a feed for it has a snapshot that is known to be current, or
 * runs a load, that is its answer, too. Counts as a stream for max_topics and max_new_topics_per_s, not for
 * max_streams. Any thread. FRESHET_OK: `answered` is called exactly once, by the time that the worker has
 * left. Else it is not: FRESHET_INVALID: an argument is NULL or an option is wrong, *error names it.
 * FRESHET_UNSUPPORTED: the route is one of messages, which have no state; or no loop has joined yet.
 * FRESHET_CLOSED: the calling worker leaves, or all have left. FRESHET_NO_MEMORY. */
enum freshet_status freshet_load_once(struct freshet *freshet, const struct freshet_once_request *request,
                                      freshet_once_cb answered, void *user, struct freshet_error *error);

/* An answer of 200 as HTML, to be freed with free(): a script element, which is data only, with the state in
 * it. freshet.js takes it when a view of `url` is opened, which is its stream's as the page has it:
 * `/live/board/b1`. NULL: no memory, another answer, or an argument is NULL. Any thread. */
char *freshet_once_html(const struct freshet_once_answer *answer, const char *url);

#ifdef __cplusplus
}
#endif
#endif
