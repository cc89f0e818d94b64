/* What a client asked for, as guards, topic functions, identity functions and the loads of a feed of one
 * connection see it. Nothing of h2o's request: a copy that lives as long as its stream.
 *
 * SPDX-License-Identifier: MIT */
#ifndef FRESHET_REQUEST_H
#define FRESHET_REQUEST_H

#include <freshet/span.h>
#include <freshet/status.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Valid during the callback that gets it; in a load and in a guard until it is answered, too. Read-only; any
 * thread. All calls take NULL, which a load has for a feed of several connections, and answer
 * FRESHET_INVALID; so they do without a name or a place for the value. Texts stay valid as long as the
 * request does. */
struct freshet_request;

/* A route parameter, decoded; empty when absent. For a rest parameter the `index`-th value, and
 * FRESHET_NOT_FOUND past the last. FRESHET_NOT_FOUND: the route has no such parameter. */
enum freshet_status freshet_request_param(const struct freshet_request *request, const char *name,
                                          size_t index, struct freshet_span *value);

/* The `index`-th value of a name in the query (application/x-www-form-urlencoded), decoded: '+' is a space.
 * FRESHET_NOT_FOUND. */
enum freshet_status freshet_request_query(const struct freshet_request *request, const char *name,
                                          size_t index, struct freshet_span *value);

/* A header, of those that the loader named in `headers` or its mount in `request_headers`; `name` in lower
 * case. Sent several times: the first. FRESHET_NOT_FOUND: the client did not send it. FRESHET_UNSUPPORTED: no
 * option names it, so nothing was kept of it; a line in the log says so, once for each loader. */
enum freshet_status freshet_request_header(const struct freshet_request *request, const char *name,
                                           struct freshet_span *value);

/* A cookie; `headers` has to name "cookie", else FRESHET_UNSUPPORTED as above. FRESHET_NOT_FOUND. */
enum freshet_status freshet_request_cookie(const struct freshet_request *request, const char *name,
                                           struct freshet_span *value);

/* What a guard found out with freshet_check_set(), the newest of that name. FRESHET_NOT_FOUND. */
enum freshet_status freshet_request_attribute(const struct freshet_request *request, const char *name,
                                              struct freshet_span *value);

/* The path below the mount, raw, as the client sent it; empty for NULL. */
struct freshet_span freshet_request_path(const struct freshet_request *request);

/* The client's address and port, `192.0.2.1:50000` or `[2001:db8::1]:50000`: the other end of the connection,
 * or whom the mount's `proxies` name, with the port 0 where they name none. `unix` for a socket of that kind;
 * empty when unknown and for NULL. */
struct freshet_span freshet_request_peer(const struct freshet_request *request);

/* Why a stream is not opened. */
struct freshet_refusal {
    int status;    /* 400 to 499; 0: 403 */
    char code[48]; /* [a-z0-9-]+; empty: "refused" */
};

#ifdef __cplusplus
}
#endif
#endif
