/* One process with its share of the streams: an epoll loop on one thread. Private to this folder but for
 * client_main(). */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include "measure/measure.h"
#include "options/options.h"
#include "wire/history.h"
#include "wire/http.h"
#include "wire/sse.h"

enum stream_state {
    STREAM_WAITING,    /* in a queue, to be opened */
    STREAM_CONNECTING, /* TCP */
    STREAM_ASKED,      /* the request is sent, nothing has come that makes it live */
    STREAM_LIVE,       /* its first event has come, or its head if there is no first event */
    STREAM_GONE        /* for good */
};

enum stream_pace { PACE_ORDINARY, PACE_SLOW, PACE_STALLED };

struct stream {
    int fd; /* -1: none */
    uint8_t state, pace;
    bool is_open; /* counted in stats->open */
    uint16_t url; /* of options->urls */
    uint32_t topic;
    uint32_t index;   /* over all processes */
    int64_t due_ns;   /* WAITING: not before */
    int64_t since_ns; /* CONNECTING, ASKED: since when */
    int64_t lost_ns;  /* when the connection before was lost; 0: there was none */
    struct tracker tracker;
    struct http_parser http;
    struct sse_parser sse;
    struct history *history; /* NULL: nothing has come yet, or nothing has to be decoded */
};

/* Streams in the order in which they are due. Each stream is in one queue at most. */
struct queue {
    uint32_t *items;
    uint32_t head, count, capacity;
};

struct client {
    const struct options *options;
    struct shared *shared;
    struct stream_stats *stats;
    struct measure measure;
    struct histories *histories;
    int poll_fd;
    struct stream *streams;
    uint32_t count, opened,
        unanswered;           /* opened: those that were begun at all; unanswered: CONNECTING or ASKED */
    struct queue soon, later; /* at once, and after the delay of --reconnect */
    double connect_rate;      /* of this process; 0: no bound */
    int64_t next_connect_ns;
    int64_t now_ns;
    /* what this process has done of the scenarios */
    unsigned storms_done, stalls_done;
    uint64_t marks_seen, churned;
    uint32_t churn_next;
    int64_t slow_ns, look_ns; /* last visit to slow streams, and to those that wait for an answer */
    /* the stream that is being read */
    struct stream *reading;
};

/* Runs until PHASE_STOP; does not return. */
void client_main(const struct options *options, struct shared *shared, unsigned process)
    __attribute__((noreturn));

/* connect.c */
bool queue_init(struct queue *queue, uint32_t capacity);
void client_enqueue(struct client *client, struct stream *stream, int64_t delay_ns);
void client_connect_due(struct client *client);
void client_writable(struct client *client, struct stream *stream);
/* Closes what is left of the connection. The stream is to be put somewhere by the caller. */
void client_close(struct client *client, struct stream *stream);
/* The server, or the way to it, ended the stream. */
void client_lost(struct client *client, struct stream *stream, uint64_t *counter);
/* Tries again what got no answer in time. */
void client_look_after_unanswered(struct client *client);

/* read.c */
void client_readable(struct client *client, struct stream *stream);
/* Reads at most so many bytes; for slow streams. */
void client_read_some(struct client *client, struct stream *stream, size_t most);

/* scenario.c */
void client_play_scenarios(struct client *client);

#endif
