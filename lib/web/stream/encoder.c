#include "web/stream/encoder.h"

#include "base/clock.h"
#include "base/list.h"
#include "core/codec/frame.h"
#include "core/codec/gzip_coder.h"
#include "core/runtime/context.h"
#include "core/runtime/worker_internal.h"
#include "web/stream/stream.h"
#include "web/stream/views.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* How long streams wait for the pool. After that what is large goes as it is: all threads are busy with what
 * the application does there. */
#define MOST_WAIT_US (250 * FR_US_PER_MS)

struct fr_encoder {
    struct fr_worker *worker;
    struct fr_gzip_coder *coder;
    struct fr_gzip_memo memo;
    struct fr_list waiting, ready; /* streams whose frame is being encoded, or is; by their link */
    struct fr_task resume;         /* tells those that are ready */
    struct fr_encoding *running;   /* by the pool; NULL: nothing */
    struct fr_timer patience;      /* set while streams wait for it; its room is the worker's for good */
    bool is_late;                  /* patience has ended: nobody waits for it any more */
};

/* A large frame on its way through the pool. It may outlast the encoder, but not what it holds. */
struct fr_encoding {
    struct fr_job job;
    struct fr_mail done;
    struct fr_encoder *encoder; /* there while the worker's mailbox is open */
    struct fr_worker *worker;   /* a reference, as the next two */
    struct fr_gzip_coder *coder;
    struct fr_bytes *frame;
};

static size_t resume(struct fr_task *task, size_t limit);
static void give_up_waiting(struct fr_timer *timer);

static struct fr_encoder *encoder_of(const struct fr_stream *stream)
{
    return stream->config->group->encoder;
}

struct fr_encoder *fr_encoder_new(struct fr_worker *worker)
{
    struct fr_encoder *encoder = calloc(1, sizeof(*encoder));
    if (encoder == NULL || !fr_timers_reserve(&worker->timers)) {
        free(encoder);
        return NULL;
    }
    encoder->worker = worker;
    encoder->coder = worker->freshet->gzip;
    fr_list_init(&encoder->waiting);
    fr_list_init(&encoder->ready);
    fr_list_init(&encoder->resume.link);
    encoder->resume.run = resume;
    encoder->patience.expire = give_up_waiting;
    return encoder;
}

void fr_encoder_destroy(struct fr_encoder *encoder)
{
    if (encoder == NULL)
        return;
    assert(fr_list_is_empty(&encoder->waiting) && fr_list_is_empty(&encoder->ready));
    fr_gzip_coder_forget_memo(encoder->coder, &encoder->memo);
    free(encoder);
}

/* ---- off the loop ---- */

static void free_encoding(struct fr_encoding *encoding)
{
    fr_gzip_coder_release(encoding->coder);
    fr_bytes_release(encoding->frame);
    fr_worker_release(encoding->worker);
    free(encoding);
}

/* On a thread of the pool. */
static void run(struct fr_job *job, bool abandoned)
{
    struct fr_encoding *encoding = FR_CONTAINER(job, struct fr_encoding, job);
    if (!abandoned)
        fr_gzip_coder_prepare(encoding->coder, encoding->frame);
    if (!fr_mailbox_post(&encoding->worker->mailbox, &encoding->done))
        free_encoding(encoding); /* the worker has left */
}

static void on_done(struct fr_mail *mail);

/* False: no memory. */
static bool begin_encoding(struct fr_encoder *encoder, struct fr_bytes *frame)
{
    struct fr_encoding *encoding = calloc(1, sizeof(*encoding));
    if (encoding == NULL)
        return false;
    encoding->job.run = run;
    encoding->job.urgent = true; /* streams wait, and it is over in milliseconds */
    encoding->done.deliver = on_done;
    encoding->encoder = encoder;
    encoding->worker = fr_worker_acquire(encoder->worker);
    encoding->coder = fr_gzip_coder_acquire(encoder->coder);
    encoding->frame = fr_bytes_acquire(frame);
    encoder->running = encoding;
    encoder->is_late = false;
    fr_timers_set(&encoder->worker->timers, &encoder->patience,
                  fr_worker_now_us(encoder->worker) + MOST_WAIT_US);
    fr_pool_run(encoder->worker->freshet->pool, &encoding->job);
    return true;
}

static struct fr_stream *stream_at(struct fr_list *link)
{
    return FR_CONTAINER(link, struct fr_stream, link);
}

/* Those that wait for another frame go on waiting; without memory they are ready, too, and are sent theirs as
 * it is. */
static void on_done(struct fr_mail *mail)
{
    struct fr_encoding *encoding = FR_CONTAINER(mail, struct fr_encoding, done);
    struct fr_encoder *encoder = encoding->encoder;
    struct fr_list others;
    fr_list_init(&others);
    encoder->running = NULL;
    encoder->is_late = false;
    fr_timers_cancel(&encoder->worker->timers, &encoder->patience);
    for (struct fr_list *link; (link = fr_list_shift(&encoder->waiting)) != NULL;)
        fr_list_append(stream_at(link)->frame == encoding->frame ? &encoder->ready : &others, link);
    bool more = !fr_list_is_empty(&others);
    bool begun = more && begin_encoding(encoder, stream_at(others.next)->frame);
    fr_list_splice(begun ? &encoder->waiting : &encoder->ready, &others);
    if (!fr_list_is_empty(&encoder->ready))
        fr_worker_queue(encoder->worker, &encoder->resume);
    free_encoding(encoding);
}

static void give_up_waiting(struct fr_timer *timer)
{
    struct fr_encoder *encoder = FR_CONTAINER(timer, struct fr_encoder, patience);
    encoder->is_late = true;
    fr_list_splice(&encoder->ready, &encoder->waiting);
    fr_worker_queue(encoder->worker, &encoder->resume);
}

static size_t resume(struct fr_task *task, size_t limit)
{
    struct fr_encoder *encoder = FR_CONTAINER(task, struct fr_encoder, resume);
    struct fr_list *link;
    size_t told = 0;
    for (; told < limit && (link = fr_list_shift(&encoder->ready)) != NULL; told++)
        fr_stream_encoded(stream_at(link));
    if (!fr_list_is_empty(&encoder->ready))
        fr_worker_queue(encoder->worker, &encoder->resume);
    return told;
}

/* ---- encodings ---- */

static enum fr_gzip_kind kind_of(const struct fr_stream *stream, enum fr_view_news news)
{
    if (news != FR_NEWS_SNAPSHOT && news != FR_NEWS_MESSAGE)
        return FR_GZIP_OTHER;
    if (stream->views != NULL)
        return FR_GZIP_NAMED;
    return news == FR_NEWS_SNAPSHOT ? FR_GZIP_STATE : FR_GZIP_MESSAGE;
}

static struct fr_gzip_ask ask_for(const struct fr_stream *stream, enum fr_view_news news,
                                  struct fr_bytes *frame)
{
    const struct fr_view *view = stream->views == NULL ? &stream->view : stream->views->taken;
    size_t readers = news == FR_NEWS_NONE ? SIZE_MAX : view == NULL ? 1 : fr_view_gzip_readers(view);
    return (struct fr_gzip_ask){.frame = frame, .kind = kind_of(stream, news), .readers = readers};
}

static void count_bytes(const struct fr_stream *stream, size_t in, size_t out)
{
    struct fr_counters *counters = fr_worker_counters(encoder_of(stream)->worker);
    fr_count(&counters->gzip_bytes_in, in);
    fr_count(&counters->gzip_bytes_out, out);
}

static void add_to_sum(struct fr_stream *stream, struct freshet_span content)
{
    struct fr_gzip_part_sum part = fr_gzip_sum_of(content);
    fr_gzip_sum_add(&fr_stream_gzip(stream)->sum, &part);
}

size_t fr_encoder_begin(struct fr_stream *stream, char *to, struct freshet_span text)
{
    memcpy(to, FR_GZIP_HEAD, FR_GZIP_HEAD_BYTES);
    size_t len = (size_t)(fr_gzip_store(to + FR_GZIP_HEAD_BYTES, text) - to);
    assert(len <= text.len + FR_ENCODER_FIRST_BYTES);
    add_to_sum(stream, text);
    count_bytes(stream, text.len, len);
    return len;
}

bool fr_encoder_defer(struct fr_stream *stream, enum fr_view_news news, struct fr_bytes *frame)
{
    struct fr_encoder *encoder = encoder_of(stream);
    struct fr_gzip_ask ask = ask_for(stream, news, frame);
    if (encoder->is_late || !fr_gzip_coder_wants_prepared(encoder->coder, &ask))
        return false;
    if (encoder->running == NULL && !begin_encoding(encoder, frame))
        return false;
    fr_wheel_remove(&stream->config->group->wheel, &stream->link);
    fr_list_append(&encoder->waiting, &stream->link);
    return true;
}

struct fr_bytes *fr_encoder_encode(struct fr_stream *stream, enum fr_view_news news, struct fr_bytes *frame)
{
    struct fr_encoder *encoder = encoder_of(stream);
    struct fr_gzip_ask ask = ask_for(stream, news, frame);
    struct fr_bytes *coded =
        fr_gzip_coder_encode(encoder->coder, fr_stream_gzip(stream), &encoder->memo, &ask);
    if (coded != NULL)
        count_bytes(stream, fr_frame_body(frame->span).len, fr_frame_body(coded->span).len);
    fr_bytes_release(frame);
    return coded;
}

struct fr_bytes *fr_encoder_finish(struct fr_stream *stream, struct fr_bytes *frame)
{
    struct freshet_span body = fr_frame_body(frame->span);
    size_t len = fr_gzip_stored_bytes(body.len) + FR_GZIP_TAIL_BYTES;
    char *to;
    struct fr_bytes *coded = fr_frame_new(len, &to);
    if (coded != NULL) {
        add_to_sum(stream, body);
        fr_gzip_tail(fr_gzip_store(to, body), &fr_stream_gzip(stream)->sum);
        count_bytes(stream, body.len, len);
    }
    fr_bytes_release(frame);
    return coded;
}

void fr_encoder_forget(struct fr_stream *stream)
{
    fr_gzip_coder_forget(encoder_of(stream)->coder, fr_stream_gzip(stream));
}

struct fr_stream *fr_encoder_next(const struct fr_encoder *encoder, const struct fr_stream *stream)
{
    struct fr_list *next = stream == NULL ? encoder->waiting.next : stream->link.next;
    if (next == &encoder->waiting)
        next = encoder->ready.next;
    return next == &encoder->ready ? NULL : stream_at(next);
}
