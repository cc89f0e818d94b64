/* Requests to web servers that stand behind the bridge: GET over libcurl, all of them on one thread, which
 * keeps connections open. Cookies are never kept, redirects never followed, and no proxy of the environment
 * is used: a request goes where its URL says, with the headers that its caller gives, and nowhere else. */
#ifndef BRIDGE_FETCH_H
#define BRIDGE_FETCH_H

#include <freshet/span.h>
#include <freshet/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FETCH_MAX_URLS = 16, FETCH_DEFAULT_TIMEOUT_MS = 5000, FETCH_DEFAULT_BODY_BYTES = 1 << 20 };

/* One thread and its connections. */
struct fetcher;

/* `ca_file` has the certificates, in PEM, that vouch for servers of https; NULL: the system's. It must
 * outlive the fetcher. FRESHET_INVALID: it can't be read; FRESHET_NO_MEMORY, FRESHET_SYSTEM: *out is NULL,
 * `error` says what. */
enum freshet_status fetcher_new(struct fetcher **out, const char *ca_file, struct freshet_error *error);

/* Ends what is still out with FETCH_CLOSED, before it returns. Not from a callback. NULL is fine. */
void fetcher_destroy(struct fetcher *fetcher);

/* How a request ended. */
enum fetch_outcome {
    FETCH_ANSWERED = 0, /* by a server, with whatever status */
    FETCH_TIMEOUT,      /* not within `timeout_ms` */
    FETCH_UNREACHABLE,  /* no connection, or one that broke, or bytes that are no HTTP */
    FETCH_TOO_LARGE,    /* the body is longer than `max_body_bytes` */
    FETCH_UNWANTED,     /* `wanted` said no */
    FETCH_CLOSED,       /* the fetcher is being destroyed */
    FETCH_NO_MEMORY
};

/* A short code for a client, such as `timeout`; NULL for FETCH_ANSWERED. */
const char *fetch_outcome_code(enum fetch_outcome outcome);

struct fetch_answer {
    enum fetch_outcome outcome;
    int status;               /* of FETCH_ANSWERED, else 0 */
    struct freshet_span body; /* as long as the callback lasts */
    const char *detail;       /* for log lines: why it was not answered, without the URL; else NULL */
    const void *internal;
};

/* The first header of that name, without spaces around it; valid as long as the callback lasts. */
bool fetch_answer_header(const struct fetch_answer *answer, const char *name, struct freshet_span *value);

/* Runs exactly once, on the fetcher's thread, where other requests wait for it: must not block. May start
 * another one. */
typedef void (*fetch_done_cb)(const struct fetch_answer *answer, void *user);

/* Whether the answer is still of use. Asked on the fetcher's thread, at least once a second. */
typedef bool (*fetch_wanted_cb)(void *user);

struct fetch_request {
    /* The same thing at one server or at several, http:// or https://, at most FETCH_MAX_URLS, the last NULL.
     * A server that can't be reached, takes too long or answers 502, 503 or 504 rests for 1 s, then 2 s, up
     * to 30 s; the next one is asked meanwhile. Those that don't rest take turns; if all of them rest, the
     * one that would be back first is asked. */
    const char *const *urls;
    const char *const *headers; /* whole lines, `name: value`, the last NULL; or NULL */
    uint32_t timeout_ms;        /* for all servers together; 0: FETCH_DEFAULT_TIMEOUT_MS */
    size_t max_body_bytes;      /* 0: FETCH_DEFAULT_BODY_BYTES */
    fetch_wanted_cb wanted;     /* NULL: always */
};

/* Starts a request, everything is copied. Any thread, never blocks. FRESHET_OK: `done` follows, never within
 * this call. FRESHET_INVALID: no URL, or too many; FRESHET_FULL: 10000 are out; FRESHET_CLOSED,
 * FRESHET_NO_MEMORY: nothing follows. */
enum freshet_status fetch_start(struct fetcher *fetcher, const struct fetch_request *request,
                                fetch_done_cb done, void *user);

#endif
