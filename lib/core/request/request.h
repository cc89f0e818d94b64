/* What a client asked for, kept for as long as somebody may look at it. */
#ifndef FR_REQUEST_H
#define FR_REQUEST_H

#include "base/refcount.h"
#include "core/channel/pattern.h"
#include <freshet/request.h>
#include <stdatomic.h>

struct fr_peer;

/* Query and kept headers of one request together. */
#define FR_REQUEST_MOST_BYTES 8192
/* Headers that are kept of one request; and room for as many that are named and were not sent. */
#define FR_REQUEST_MOST_HEADERS 32
#define FR_REQUEST_ROOM_HEADERS 64
/* Pairs in a query: each takes more room than its bytes. */
#define FR_REQUEST_MOST_PAIRS 256

/* A header whose value's data is NULL was not sent: an option names it, so one may ask for it. */
struct fr_field {
    struct freshet_span name, value;
};

/* A client's words, in one allocation. Counted, immutable. */
struct fr_request_copy {
    struct fr_refcount references;
    struct freshet_span path; /* below the mount, raw */
    struct freshet_span peer;
    size_t header_count, query_count;
    struct fr_field *headers, *query; /* the query's are decoded */
    struct fr_request_copy *like;     /* whose headers these are; NULL: its own */
    struct fr_field fields[];
};

/* What a struct fr_request_copy keeps, borrowed from the request at hand; the query as it came. */
struct fr_request_view {
    struct freshet_span path, query, peer;
    struct fr_field headers[FR_REQUEST_ROOM_HEADERS];
    size_t header_count;
    bool too_many;        /* there were more headers */
    struct fr_peer *from; /* who asks, while its stream holds a quota; NULL: not known */
    struct fr_request_copy
        *like; /* kept of the same request before, to share equal headers with; NULL: none */
};

/* Adds those of the names, which end with NULL, that are not there, as not sent; a NULL list is empty. */
void fr_request_view_add_absent(struct fr_request_view *request_view, char *const *names);

/* FRESHET_INVALID: the query has a bad '%' or invalid UTF-8. FRESHET_TOO_LARGE. FRESHET_NO_MEMORY. */
enum freshet_status fr_request_copy_new(struct fr_request_copy **out,
                                        const struct fr_request_view *request_view);
struct fr_request_copy *fr_request_copy_acquire(struct fr_request_copy *request_copy);
void fr_request_copy_release(struct fr_request_copy *request_copy); /* NULL is fine */

/* What guards found, newest first. Counted, immutable: a later one points at those before. */
struct fr_attribute {
    struct fr_refcount references;
    struct fr_attribute *next;
    struct freshet_span name, value;
    char text[];
};

/* Takes `next` over, also on failure. NULL: no memory. */
struct fr_attribute *fr_attribute_new(struct fr_attribute *next, struct freshet_span name,
                                      struct freshet_span value);
struct fr_attribute *fr_attribute_acquire(struct fr_attribute *attribute); /* NULL is fine */
void fr_attribute_release(struct fr_attribute *attribute);                 /* NULL is fine */

/* What a callback sees; owns nothing. */
struct freshet_request {
    const struct fr_request_copy *request_copy; /* NULL: nothing was kept */
    const struct fr_params *params;
    const struct fr_pattern *route;
    /* Hears of a header that is asked for and that no option names; NULL: nobody does. */
    void (*not_named)(void *user, const char *header);
    void *user; /* for not_named */
    const struct fr_attribute *attributes;
};

#endif
