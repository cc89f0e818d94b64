/* Guards: who may have a stream. A mount, routes and loaders each have a chain of them, run in that order
 * before the topic is chosen; later again, while the stream is open.
 *
 * SPDX-License-Identifier: MIT */
#ifndef FRESHET_GUARD_H
#define FRESHET_GUARD_H

#include <freshet/request.h>
#include <freshet/span.h>
#include <freshet/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct freshet;

/* One call of a guard that waits for its answer. A value, as struct freshet_load is: once answered, timed out
 * or gone with its stream it is stale, and every call with it says so. */
struct freshet_check {
    uint64_t generation; /* the library's */
    uint32_t slot;       /* the library's */
};

/* Looks at a request and answers `check` with one of the calls below, exactly once, here or later, from any
 * thread. Runs on the stream's loop, where it must return within a millisecond, or with on_pool on a thread
 * of the pool, where it may block. No answer is not an allow: after timeout_ms a new stream is refused for
 * now, and an open one gets no more data until a later call allows it. */
typedef void (*freshet_guard_cb)(struct freshet_check check, const struct freshet_request *request,
                                 void *user);

/* One guard of a chain. A zeroed struct with `guard` set means all defaults. */
struct freshet_guard {
    freshet_guard_cb guard; /* required */
    void *user;             /* must outlive the freshet */
    bool on_pool;           /* run it on a thread of the pool */
    uint32_t timeout_ms;    /* default 5000 */
};

/* Keeps what was found out, a user's id say, for freshet_request_attribute() in later guards, in the topic
 * and identity functions, and in loads of one connection. Before the answer; copied. FRESHET_OK,
 * FRESHET_STALE, FRESHET_INVALID, FRESHET_NO_MEMORY. */
enum freshet_status freshet_check_set(struct freshet_check check, const char *name,
                                      struct freshet_span value);

/* The answers; any thread. FRESHET_OK: taken. FRESHET_STALE: the check is over. */

/* Goes on with the next guard. */
enum freshet_status freshet_check_allow(struct freshet_check check);
/* The same for a time, from 1 ms on, such as what is left to a token: when it is over the chain is run again,
 * whatever guard_interval_ms is, and nothing more is sent before it has allowed the stream anew. Of several
 * guards the shortest time counts. FRESHET_NEVER: without end, as above. FRESHET_INVALID (the check stays
 * open): 0. */
enum freshet_status freshet_check_allow_for(struct freshet_check check, uint32_t for_ms);
/* Refuses with an HTTP status of 400 to 499 (else 403) and a code ([a-z0-9-]+, else "refused"). An open
 * stream ends with `end` and the code, and is told not to come back. */
enum freshet_status freshet_check_deny(struct freshet_check check, int status, const char *code);
/* Sends the client elsewhere: an answer of 302 with this location, copied. An open stream ends with `end`
 * `redirect` and the location. FRESHET_INVALID (the check stays open): NULL, empty, over 1023 bytes, or a
 * space or control character in it. */
enum freshet_status freshet_check_redirect(struct freshet_check check, const char *location);
/* The guard could not decide: a new stream is refused for now; for an open one it is run again after a
 * growing delay, and data is held back meanwhile. */
enum freshet_status freshet_check_fail(struct freshet_check check);

/* Adds guards to every route of the freshet whose path `pattern` matches (grammar of channels; `admin/:rest*`
 * for all below admin), after those of the mount and those added before, ahead of the loader's own. Copied.
 * Before the first worker joins, as freshet_loader_new(). FRESHET_INVALID with `error`: an argument is NULL,
 * a guard has no function, the pattern breaks the grammar, or `count` is 0, which would let everybody in.
 * FRESHET_CONFLICT: a worker has joined. FRESHET_NO_MEMORY. Any thread. */
enum freshet_status freshet_use(struct freshet *freshet, const char *pattern,
                                const struct freshet_guard *guards, size_t count,
                                struct freshet_error *error);

#ifdef __cplusplus
}
#endif
#endif
