#include "core/codec/gzip_coder.h"

#include "base/refcount.h"
#include "core/codec/frame.h"
#include "core/codec/gzip_codes.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Below this, frame and readers together, deflating costs more than it saves. */
#define WORTH_BYTES 4096
/* Deflaters that are kept, of 256 KiB each: threads that deflate at a time have each one. */
#define MOST_IDLE 4

struct fr_gzip_coder {
    struct fr_refcount references;
    pthread_mutex_t lock; /* guards all up to `idle` */
    pthread_cond_t made;  /* some code that was being made is, or failed */
    struct fr_gzip_codes codes;
    struct fr_deflater *idle[MOST_IDLE]; /* NULL: none */

    atomic_uint_fast64_t stored, deflated, continued;
};

static void count(atomic_uint_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* ---- encodings ---- */

static struct fr_bytes *store(struct fr_gzip_coder *coder, struct freshet_span body)
{
    char *to;
    struct fr_bytes *chunk = fr_frame_new(fr_gzip_stored_bytes(body.len), &to);
    if (chunk == NULL)
        return NULL;
    fr_gzip_store(to, body);
    count(&coder->stored);
    return chunk;
}

static struct fr_bytes *deflate_after(struct fr_gzip_coder *coder, struct fr_deflater *deflater,
                                      const struct fr_gzip_history *from, struct freshet_span body)
{
    struct freshet_span before[FR_GZIP_MOST_SENT] = {{NULL, 0}};
    struct fr_buffer part = {0};
    struct fr_bytes *chunk = NULL;
    char *to;
    size_t before_count = from == NULL ? 0 : from->count;
    for (size_t i = 0; i < before_count; i++)
        before[i] = fr_frame_body(from->sent[i].frame->span);
    fr_gzip_deflate(deflater, &part, before, before_count, body);
    if (!part.failed && (chunk = fr_frame_new(part.len, &to)) != NULL)
        memcpy(to, part.data, part.len);
    fr_buffer_deinit(&part);
    count(from == NULL ? &coder->deflated : &coder->continued);
    return chunk;
}

/* Under the lock, as the next one. NULL: no memory. */
static struct fr_deflater *take_deflater(struct fr_gzip_coder *coder)
{
    for (size_t i = 0; i < MOST_IDLE; i++) {
        struct fr_deflater *deflater = coder->idle[i];
        coder->idle[i] = NULL;
        if (deflater != NULL)
            return deflater;
    }
    return fr_deflater_new();
}

static void give_deflater(struct fr_gzip_coder *coder, struct fr_deflater *deflater)
{
    size_t i = 0;
    while (i < MOST_IDLE && coder->idle[i] != NULL)
        i++;
    if (i < MOST_IDLE)
        coder->idle[i] = deflater;
    else
        fr_deflater_destroy(deflater);
}

/* Under the lock, but not while it works: others go on, and who asks the same waits for it. `from` is all
 * that the frame refers to. */
static struct fr_gzip_code *make_code(struct fr_gzip_coder *coder, const struct fr_gzip_code_key *key,
                                      struct fr_gzip_history *from, const struct fr_gzip_ask *ask)
{
    struct fr_gzip_code *code = fr_gzip_code_new(&coder->codes, key, from, ask->frame, ask->readers > 1);
    if (code == NULL)
        return NULL;
    struct fr_deflater *deflater = key->deflated ? take_deflater(coder) : NULL;
    struct freshet_span body = fr_frame_body(ask->frame->span);
    struct fr_bytes *coded = NULL;
    pthread_mutex_unlock(&coder->lock);
    struct fr_gzip_part_sum sum = fr_gzip_sum_of(body);
    if (deflater != NULL)
        coded = deflate_after(coder, deflater, from, body);
    else if (!key->deflated)
        coded = store(coder, body);
    pthread_mutex_lock(&coder->lock);
    give_deflater(coder, deflater);
    fr_gzip_code_finish(&coder->codes, code, coded, &sum);
    pthread_cond_broadcast(&coder->made);
    return code;
}

static struct fr_gzip_code *get_code(struct fr_gzip_coder *coder, const struct fr_gzip_code_key *key,
                                     struct fr_gzip_history *from, const struct fr_gzip_ask *ask);

/* Under the lock, as the next one, which may let go of it. One reference; NULL: no memory. The encoding is
 * that of streams which have the useful part of the history and nothing before it. */
static struct fr_gzip_code *share_code(struct fr_gzip_coder *coder, const struct fr_gzip_code_key *key,
                                       struct fr_gzip_history *from, struct fr_gzip_history *useful,
                                       const struct fr_gzip_ask *ask)
{
    struct fr_gzip_code_key useful_key = *key;
    useful_key.from = useful;
    struct fr_gzip_code *shared = get_code(coder, &useful_key, useful, ask);
    if (shared == NULL)
        return NULL;
    struct fr_gzip_code *code = fr_gzip_code_find(&coder->codes, key); /* by another thread meanwhile */
    if (code == NULL &&
        (code = fr_gzip_code_new(&coder->codes, key, from, ask->frame, ask->readers > 1)) != NULL)
        fr_gzip_code_finish(&coder->codes, code, fr_bytes_acquire(shared->coded), &shared->sum);
    fr_gzip_code_release(&coder->codes, shared);
    return code;
}

static struct fr_gzip_code *get_code(struct fr_gzip_coder *coder, const struct fr_gzip_code_key *key,
                                     struct fr_gzip_history *from, const struct fr_gzip_ask *ask)
{
    struct fr_gzip_code *code = fr_gzip_code_find(&coder->codes, key);
    struct fr_gzip_history *useful = NULL;
    if (code == NULL && key->deflated)
        useful = fr_gzip_history_useful(&coder->codes.histories, from, ask->frame,
                                        (enum fr_gzip_kind)key->kind, ask->readers <= 1);
    if (code == NULL && useful == from)
        code = make_code(coder, key, from, ask);
    else if (code == NULL)
        code = share_code(coder, key, from, useful, ask);
    fr_gzip_history_release(&coder->codes.histories, useful);
    while (code != NULL && code->coded == NULL && !code->failed)
        pthread_cond_wait(&coder->made, &coder->lock);
    if (code == NULL || !code->failed)
        return code;
    fr_gzip_code_release(&coder->codes, code);
    return NULL;
}

/* ---- life ---- */

struct fr_gzip_coder *fr_gzip_coder_new(void)
{
    struct fr_gzip_coder *coder = calloc(1, sizeof(*coder));
    if (coder == NULL)
        return NULL;
    fr_refcount_init(&coder->references);
    pthread_mutex_init(&coder->lock, NULL);
    pthread_cond_init(&coder->made, NULL);
    if (fr_gzip_codes_init(&coder->codes))
        return coder;
    fr_gzip_coder_release(coder);
    return NULL;
}

struct fr_gzip_coder *fr_gzip_coder_acquire(struct fr_gzip_coder *coder)
{
    fr_refcount_acquire(&coder->references);
    return coder;
}

void fr_gzip_coder_release(struct fr_gzip_coder *coder)
{
    if (coder == NULL || !fr_refcount_release(&coder->references))
        return;
    fr_gzip_codes_deinit(&coder->codes);
    for (size_t i = 0; i < MOST_IDLE; i++)
        fr_deflater_destroy(coder->idle[i]);
    pthread_cond_destroy(&coder->made);
    pthread_mutex_destroy(&coder->lock);
    free(coder);
}

/* ---- what is asked ---- */

static bool is_worth_it(const struct fr_gzip_ask *ask)
{
    size_t readers = ask->readers < WORTH_BYTES ? ask->readers : WORTH_BYTES;
    size_t len = ask->frame->span.len;
    return ask->kind != FR_GZIP_OTHER && (len >= WORTH_BYTES || len * readers >= WORTH_BYTES);
}

static bool is_large(const struct fr_bytes *frame)
{
    return frame->span.len > FR_GZIP_LARGE_BYTES;
}

/* One that fills the window by itself refers to nothing, and nothing before it will be referred to. */
static struct fr_gzip_code_key key_of(const struct fr_gzip_history *history, const struct fr_gzip_ask *ask)
{
    bool deflated = is_worth_it(ask), fills = ask->frame->span.len > FR_GZIP_WINDOW_BYTES;
    return (struct fr_gzip_code_key){.from = fills ? NULL : history,
                                     .frame = ask->frame,
                                     .kind = fills && deflated ? FR_GZIP_STATE : ask->kind,
                                     .deflated = deflated};
}

static bool is_same(const struct fr_gzip_code_key *a, const struct fr_gzip_code_key *b)
{
    return a->from == b->from && a->frame == b->frame && a->kind == b->kind && a->deflated == b->deflated;
}

bool fr_gzip_coder_wants_prepared(struct fr_gzip_coder *coder, const struct fr_gzip_ask *ask)
{
    if (!is_large(ask->frame) || !is_worth_it(ask))
        return false;
    struct fr_gzip_code_key key = key_of(NULL, ask);
    pthread_mutex_lock(&coder->lock);
    struct fr_gzip_code *code = fr_gzip_code_find(&coder->codes, &key);
    bool made = code != NULL && code->coded != NULL;
    if (code != NULL)
        fr_gzip_code_release(&coder->codes, code);
    pthread_mutex_unlock(&coder->lock);
    return !made;
}

void fr_gzip_coder_prepare(struct fr_gzip_coder *coder, struct fr_bytes *frame)
{
    struct fr_gzip_ask ask = {.frame = frame, .kind = FR_GZIP_STATE, .readers = SIZE_MAX};
    struct fr_gzip_code_key key = key_of(NULL, &ask);
    pthread_mutex_lock(&coder->lock);
    struct fr_gzip_code *code = get_code(coder, &key, NULL, &ask);
    if (code != NULL)
        fr_gzip_code_release(&coder->codes, code);
    pthread_mutex_unlock(&coder->lock);
}

/* Nobody else is sent it, and nothing will refer to it: it need not be kept. */
static struct fr_bytes *store_alone(struct fr_gzip_coder *coder, struct fr_gzip_stream *stream,
                                    const struct fr_gzip_ask *ask)
{
    struct freshet_span body = fr_frame_body(ask->frame->span);
    struct fr_bytes *coded = store(coder, body);
    struct fr_gzip_part_sum sum = fr_gzip_sum_of(body);
    if (coded != NULL)
        fr_gzip_sum_add(&stream->sum, &sum);
    return coded;
}

/* The memo's code is the one for the stream from here on. False: no memory. */
static bool look_up(struct fr_gzip_coder *coder, struct fr_gzip_memo *memo,
                    const struct fr_gzip_code_key *key, struct fr_gzip_history *from,
                    const struct fr_gzip_ask *ask)
{
    if (memo->code != NULL && is_same(&memo->code->key, key))
        return true;
    pthread_mutex_lock(&coder->lock);
    struct fr_gzip_code *code = get_code(coder, key, from, ask);
    if (code != NULL && memo->code != NULL)
        fr_gzip_code_release(&coder->codes, memo->code);
    pthread_mutex_unlock(&coder->lock);
    if (code != NULL)
        memo->code = code;
    return code != NULL;
}

static struct fr_bytes *go_on(struct fr_gzip_coder *coder, struct fr_gzip_stream *stream,
                              const struct fr_gzip_code *code)
{
    struct fr_gzip_history *next = fr_gzip_history_acquire(code->next);
    fr_gzip_coder_forget(coder, stream);
    stream->history = next;
    fr_gzip_sum_add(&stream->sum, &code->sum);
    return fr_bytes_acquire(code->coded);
}

struct fr_bytes *fr_gzip_coder_encode(struct fr_gzip_coder *coder, struct fr_gzip_stream *stream,
                                      struct fr_gzip_memo *memo, const struct fr_gzip_ask *ask)
{
    struct fr_gzip_code_key key = key_of(stream->history, ask);
    if (!key.deflated && stream->history == NULL && ask->readers <= 1)
        return store_alone(coder, stream, ask);
    if (fr_gzip_coder_wants_prepared(coder, ask))
        key = (struct fr_gzip_code_key){.frame = ask->frame, .kind = FR_GZIP_OTHER};
    struct fr_gzip_memo once = {NULL};
    struct fr_bytes *coded = NULL;
    memo = memo == NULL ? &once : memo;
    if (look_up(coder, memo, &key, key.from == NULL ? NULL : stream->history, ask))
        coded = go_on(coder, stream, memo->code);
    fr_gzip_coder_forget_memo(coder, &once);
    return coded;
}

void fr_gzip_coder_forget(struct fr_gzip_coder *coder, struct fr_gzip_stream *stream)
{
    struct fr_gzip_history *history = stream->history;
    stream->history = NULL;
    if (fr_gzip_history_release_early(history))
        return;
    pthread_mutex_lock(&coder->lock);
    fr_gzip_history_release(&coder->codes.histories, history);
    pthread_mutex_unlock(&coder->lock);
}

void fr_gzip_coder_forget_memo(struct fr_gzip_coder *coder, struct fr_gzip_memo *memo)
{
    if (memo->code == NULL)
        return;
    pthread_mutex_lock(&coder->lock);
    fr_gzip_code_release(&coder->codes, memo->code);
    pthread_mutex_unlock(&coder->lock);
    memo->code = NULL;
}

void fr_gzip_coder_count(const struct fr_gzip_coder *coder, struct freshet_stats *stats)
{
    stats->gzip_stored = atomic_load_explicit(&coder->stored, memory_order_relaxed);
    stats->gzip_deflated = atomic_load_explicit(&coder->deflated, memory_order_relaxed);
    stats->gzip_continued = atomic_load_explicit(&coder->continued, memory_order_relaxed);
}
