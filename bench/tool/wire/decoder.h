/* Makes events of the body of an answer that is in gzip, holds differences, or both. Unlike a plain stream's
 * parser it keeps something: the window of gzip, and the text that the next difference is to. */
#ifndef BENCH_DECODER_H
#define BENCH_DECODER_H

#include "wire/sse.h"
#include "wire/text.h"
#include <zlib.h>

struct decoder {
    const struct rule *rule;
    bool is_gzip, takes_differences;
    bool has_ended; /* gzip's trailer was there: length and CRC were right */
    bool is_wrong;
    z_stream gzip;
    struct sse_parser sse;
    struct sse_kept said;      /* the event that is being read */
    struct text held, version; /* the newest state, and its id */
    sse_event_fn *on_event;    /* while something is fed */
    void *user;
};

/* False: no memory. */
bool decoder_init(struct decoder *decoder, const struct rule *rule, bool is_gzip, bool takes_differences);
bool decoder_copy(struct decoder *decoder, const struct decoder *from);
void decoder_release(struct decoder *decoder);

/* False: what came is no gzip, or a difference to another text than the one held; nothing is to be fed after
 * that. A difference is told as what it makes: an event without a name, with the size and the number of the
 * whole text. */
bool decoder_feed(struct decoder *decoder, const char *data, size_t len, sse_event_fn *on_event, void *user);

/* The answer is over: whether all of it was there. */
static inline bool decoder_is_whole(const struct decoder *decoder)
{
    return !decoder->is_gzip || decoder->has_ended;
}

#endif
