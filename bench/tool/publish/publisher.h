/* The process that publishes: on the schedule of plan.h, whatever the server does. Private to this folder but
 * for publisher_main(). */
#ifndef BENCH_PUBLISHER_H
#define BENCH_PUBLISHER_H

#include "measure/stats.h"
#include "options/options.h"

enum { PUBLISHER_SCRATCH = 4 << 20, RETRY_MS = 50 };

/* Bytes on their way to the server. */
struct outgoing {
    char *data;
    size_t len, sent, size;
};

struct publisher {
    const struct options *options;
    struct shared *shared;
    struct publish_stats *stats;
    int poll_fd;
    uint64_t next;       /* the publish to be sent next */
    uint64_t unanswered; /* sent, and not yet accepted or failed */
    bool is_full;        /* the way has no room: answers have to come first */
    int64_t now_ns;
    char *scratch; /* PUBLISHER_SCRATCH bytes */
    void *way;     /* of http.c or redis.c */
};

enum sent { SENT_YES, SENT_LATER, SENT_FAILED };

/* How publishes get to the server. */
struct way {
    bool (*open)(struct publisher *publisher);
    /* Takes the publish, or says that there is no room at the moment, or that it has failed (and is counted).
     */
    enum sent (*send)(struct publisher *publisher, uint64_t publish);
    /* Behind a number of send(): what they have put together goes out. NULL: send() does it. */
    void (*flush)(struct publisher *publisher);
    /* Something has happened at what was given to epoll. */
    void (*handle)(struct publisher *publisher, void *what, uint32_t events);
};

extern const struct way way_http, way_redis;

void publisher_main(const struct options *options, struct shared *shared) __attribute__((noreturn));

/* A publish that was sent is answered. The problem (NULL: accepted) is kept if it is the first. */
void publisher_answered(struct publisher *publisher, uint64_t publish, const char *problem);
/* A publish that can't be sent. */
void publisher_failed(struct publisher *publisher, const char *problem);

/* Text with the places filled in for this publish; SIZE_MAX: it does not fit. */
size_t publisher_fill(const struct publisher *publisher, const char *text, uint64_t publish, char *out,
                      size_t size);

bool outgoing_add(struct outgoing *outgoing, const char *data, size_t len);
/* False: the connection is gone. */
bool outgoing_flush(struct outgoing *outgoing, int fd);

#endif
