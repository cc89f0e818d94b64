/* Looks at the bytes of Redis before redisReader gets them: checks the shape, checks every announced length
 * before anybody allocates for it, and takes out what is too large while it streams in. Pure: no socket, no
 * allocation.
 *
 * The reader keeps a reply until all of it is there, so what counts is the whole of it: the limits are for
 * all its arrays together, however they are nested. Over them is a protocol error, with two exceptions. A
 * message body over `max_body` reaches the reader as nil, which no real body is. With `max_reply` set, an
 * element over what is left of the budget reaches it as the error FR_RESP_LIMIT_CUT. */
#ifndef FR_RESP_LIMIT_H
#define FR_RESP_LIMIT_H

#include <freshet/span.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FR_RESP_LIMIT_CUT          "FRESHETCUT reply over the limit"
#define FR_RESP_LIMIT_DEPTH        7  /* of nested arrays: what the reader can do */
#define FR_RESP_LIMIT_ELEMENT_COST 64 /* what an element costs beside its bytes, a short line with them */

struct fr_resp_limit_limits {
    size_t max_elements; /* of a reply */
    size_t max_bytes;    /* of its strings and long lines, without a message body */
    size_t max_body;
    size_t max_reply; /* bytes and elements of a reply; not 0: it rules instead of the other three */
};

struct fr_resp_limit_level {
    uint64_t left; /* elements to come */
    uint64_t index;
    size_t kind_len;     /* of the first element, if that may be "message" or "smessage"; 0: it is neither */
    size_t kind_matched; /* its bytes that match */
};

struct fr_resp_limit {
    struct fr_resp_limit_limits limits;
    enum {
        FR_RESP_LIMIT_HEADER = 0, /* at or in a line that says a length or a number */
        FR_RESP_LIMIT_LINE,       /* in a status or an error */
        FR_RESP_LIMIT_BULK,
        FR_RESP_LIMIT_BULK_END, /* at the CR LF behind it */
        FR_RESP_LIMIT_BROKEN
    } state;
    char header[32];
    size_t header_len;
    uint64_t left; /* of a bulk; of its end */
    size_t line_len;
    bool line_cr; /* the last byte of the line was CR */
    struct fr_resp_limit_level levels[FR_RESP_LIMIT_DEPTH];
    unsigned depth;
    bool skipping;       /* an item is left out: nothing of it reaches the reader */
    unsigned skip_depth; /* how deep that item is; with `skipping` */
    size_t elements;     /* of this reply, so far */
    size_t spent;        /* of max_reply, or of max_bytes */
    const char *error;   /* in state BROKEN */
};

void fr_resp_limit_init(struct fr_resp_limit *resp, const struct fr_resp_limit_limits *limits);

/* Takes the next bytes, cut anywhere, and hands to `pass` what the reader may have; pieces live until it
 * returns. False: a protocol error, `error` says which; the limit stays broken. */
bool fr_resp_limit_feed(struct fr_resp_limit *resp, struct freshet_span bytes,
                        void (*pass)(void *user, struct freshet_span piece), void *user);

#endif
