/* One state of a feed as it goes out: the frame that says all of it, encoded once; and for those who hold
 * another state, frames that say what is different, each made when the first one asks. Counted, shared
 * between threads. */
#ifndef FR_SNAPSHOT_H
#define FR_SNAPSHOT_H

#include "base/bytes.h"
#include "base/refcount.h"
#include "core/codec/frame.h"
#include <freshet/span.h>
#include <pthread.h>
#include <stdbool.h>

struct fr_difference;
struct fr_pool;

/* Frames from this length on have differences. What is shorter goes out whole: a difference takes 100 bytes
 * and more itself, and with all headers below it the whole fits into two packets. */
#define FR_DIFFERENCE_LEAST_BYTES 2048
/* The same for streams in gzip: while the state before is within deflate's window of 32 KiB, with what has
 * been sent since, gzip does as well, and shares its work with streams that take no differences. */
#define FR_DIFFERENCE_LEAST_IN_GZIP_BYTES 16384
/* A difference to more than this is made off the loop. On one core of a common machine, texts of 128 KiB that
 * have nothing in common, which is the worst, take 0.7 ms, and of 146 KB with a task moved 0.1 ms. */
#define FR_DIFFERENCE_LOOP_BYTES (128 * 1024)
/* States for whose holders a snapshot is made differences; who holds another one gets the whole. Streams that
 * keep up hold the same, so more than a few are of slow ones, each with a state of its own. */
#define FR_DIFFERENCES_MOST 8

struct fr_snapshot {
    struct fr_refcount references;
    struct fr_version version;
    struct fr_bytes *frame; /* NULL: only the version is known, a client has said so */
    pthread_mutex_t lock;
    struct fr_difference *differences; /* under the lock; also those that do not pay */
};

/* NULL: no memory. */
struct fr_snapshot *fr_snapshot_new(const struct fr_version *version, struct freshet_span bytes);
struct fr_snapshot *fr_snapshot_of_version(const struct fr_version *version);
struct fr_snapshot *fr_snapshot_acquire(struct fr_snapshot *snapshot);
/* NULL is fine. */
void fr_snapshot_release(struct fr_snapshot *snapshot);

enum fr_difference_state {
    FR_DIFFERENCE_NONE,   /* there will not be one: the whole snapshot goes */
    FR_DIFFERENCE_MAKING, /* it is being made on a thread of the pool: ask again */
    FR_DIFFERENCE_MADE    /* *frame is it, a reference for the caller */
};

/* From what somebody holds to this snapshot, which has a frame. *begun: it is this call that has it made. */
enum fr_difference_state fr_snapshot_differ(struct fr_snapshot *snapshot, struct fr_snapshot *held,
                                            struct fr_pool *pool, bool *begun, struct fr_bytes **frame);

#endif
