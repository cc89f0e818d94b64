#include "core/codec/gzip_coder.h"

#include "base/list.h"
#include "base/map.h"
#include "base/refcount.h"
#include "core/codec/frame.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Below this, frame and readers together, deflating costs more than it saves. */
#define WORTH_BYTES 4096
/* What is kept, frames and what was made of them. */
#define MOST_CODES      1024
#define MOST_CODE_BYTES (8 * 1024 * 1024)

/* What a code is found by; compared as bytes. */
struct code_key {
    const struct fr_gzip_history *from;
    const struct fr_bytes *frame;
    uint32_t kind, deflated;
};

/* What a stream with the history `from` is sent for a frame, and what its history is then. */
struct fr_gzip_code {
    struct fr_refcount references;
    struct fr_map_node node; /* in the coder, while it is kept */
    struct fr_list used;     /* the same, in the order of use */
    struct code_key key;
    struct fr_gzip_history *from, *next; /* references; NULL: nothing */
    struct fr_bytes *frame, *coded;
    struct fr_gzip_part_sum sum;
};

struct fr_gzip_coder {
    struct fr_refcount references;
    pthread_mutex_t lock; /* guards all up to `deflater` */
    struct fr_gzip_histories histories;
    struct fr_map codes;
    struct fr_list used; /* codes, the one that was not used for longest first */
    size_t kept_bytes;
    struct fr_deflater *deflater; /* NULL: not needed yet */

    pthread_mutex_t preparing; /* one large frame at a time; taken before `lock` */
    atomic_uint_fast64_t stored, deflated, continued;
};

static void count(atomic_uint_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static struct fr_gzip_code *get_code(struct fr_gzip_coder *coder, const struct code_key *key,
                                     struct fr_gzip_history *from, const struct fr_gzip_ask *ask);

/* ---- codes: all under the lock ---- */

static size_t cost_of(const struct fr_gzip_code *code)
{
    return sizeof(*code) + code->frame->span.len + code->coded->span.len;
}

static void release_code(struct fr_gzip_coder *coder, struct fr_gzip_code *code)
{
    if (!fr_refcount_release(&code->references))
        return;
    fr_gzip_history_release(&coder->histories, code->from);
    fr_gzip_history_release(&coder->histories, code->next);
    fr_bytes_release(code->frame);
    fr_bytes_release(code->coded);
    free(code);
}

static void drop(struct fr_gzip_coder *coder, struct fr_gzip_code *code)
{
    fr_map_remove(&coder->codes, &code->node);
    fr_list_remove(&code->used);
    coder->kept_bytes -= cost_of(code);
    release_code(coder, code);
}

/* For others who ask the same. The newest one stays, however large it is. */
static void keep(struct fr_gzip_coder *coder, struct fr_gzip_code *code)
{
    fr_refcount_acquire(&code->references);
    fr_map_put(&coder->codes, freshet_span((const char *)&code->key, sizeof(code->key)), &code->node);
    fr_list_append(&coder->used, &code->used);
    coder->kept_bytes += cost_of(code);
    while ((coder->codes.count > MOST_CODES || coder->kept_bytes > MOST_CODE_BYTES) &&
           coder->used.next != &code->used)
        drop(coder, FR_CONTAINER(coder->used.next, struct fr_gzip_code, used));
}

static struct fr_gzip_code *find_code(struct fr_gzip_coder *coder, const struct code_key *key)
{
    struct fr_map_node *node = fr_map_get(&coder->codes, freshet_span((const char *)key, sizeof(*key)));
    if (node == NULL)
        return NULL;
    struct fr_gzip_code *code = FR_CONTAINER(node, struct fr_gzip_code, node);
    fr_list_remove(&code->used);
    fr_list_append(&coder->used, &code->used);
    return code;
}

/* One reference. Takes `coded` over, which may be NULL. NULL: no memory. */
static struct fr_gzip_code *new_code(struct fr_gzip_coder *coder, const struct code_key *key,
                                     struct fr_gzip_history *from, struct fr_bytes *frame,
                                     struct fr_bytes *coded, const struct fr_gzip_part_sum *sum)
{
    struct fr_gzip_code *code = coded == NULL ? NULL : calloc(1, sizeof(*code));
    if (code == NULL) {
        fr_bytes_release(coded);
        return NULL;
    }
    fr_refcount_init(&code->references);
    code->key = *key;
    code->from = fr_gzip_history_acquire(from);
    code->next =
        fr_gzip_history_after(&coder->histories, from, frame, (enum fr_gzip_kind)key->kind, key->deflated);
    code->frame = fr_bytes_acquire(frame);
    code->coded = coded;
    code->sum = *sum;
    return code;
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

/* `deflater` is made when it is NULL. */
static struct fr_bytes *deflate_after(struct fr_gzip_coder *coder, struct fr_deflater **deflater,
                                      const struct fr_gzip_history *from, struct freshet_span body)
{
    struct freshet_span before[FR_GZIP_MOST_SENT] = {{NULL, 0}};
    struct fr_buffer part = {0};
    struct fr_bytes *chunk = NULL;
    char *to;
    size_t before_count = from == NULL ? 0 : from->count;
    if (*deflater == NULL && (*deflater = fr_deflater_new()) == NULL)
        return NULL;
    for (size_t i = 0; i < before_count; i++)
        before[i] = fr_frame_body(from->sent[i].frame->span);
    fr_gzip_deflate(*deflater, &part, before, before_count, body);
    if (!part.failed && (chunk = fr_frame_new(part.len, &to)) != NULL)
        memcpy(to, part.data, part.len);
    fr_buffer_deinit(&part);
    count(from == NULL ? &coder->deflated : &coder->continued);
    return chunk;
}

/* Under the lock, as the next three. One reference; NULL: no memory. `from` is all that the frame refers to.
 */
static struct fr_gzip_code *make_code(struct fr_gzip_coder *coder, const struct code_key *key,
                                      struct fr_gzip_history *from, struct fr_bytes *frame)
{
    struct freshet_span body = fr_frame_body(frame->span);
    struct fr_gzip_part_sum sum = fr_gzip_sum_of(body);
    struct fr_bytes *coded =
        key->deflated ? deflate_after(coder, &coder->deflater, from, body) : store(coder, body);
    return new_code(coder, key, from, frame, coded, &sum);
}

/* The encoding is that of streams which have the useful part of the history and nothing before it. */
static struct fr_gzip_code *share_code(struct fr_gzip_coder *coder, const struct code_key *key,
                                       struct fr_gzip_history *from, struct fr_gzip_history *useful,
                                       const struct fr_gzip_ask *ask)
{
    struct code_key useful_key = *key;
    useful_key.from = useful;
    struct fr_gzip_code *shared = get_code(coder, &useful_key, useful, ask);
    if (shared == NULL)
        return NULL;
    struct fr_gzip_code *code =
        new_code(coder, key, from, ask->frame, fr_bytes_acquire(shared->coded), &shared->sum);
    release_code(coder, shared);
    return code;
}

static struct fr_gzip_code *get_code(struct fr_gzip_coder *coder, const struct code_key *key,
                                     struct fr_gzip_history *from, const struct fr_gzip_ask *ask)
{
    struct fr_gzip_code *code = find_code(coder, key);
    if (code != NULL) {
        fr_refcount_acquire(&code->references);
        return code;
    }
    bool alone = ask->readers <= 1;
    struct fr_gzip_history *useful = NULL;
    if (key->deflated)
        useful =
            fr_gzip_history_useful(&coder->histories, from, ask->frame, (enum fr_gzip_kind)key->kind, alone);
    code =
        useful == from ? make_code(coder, key, from, ask->frame) : share_code(coder, key, from, useful, ask);
    fr_gzip_history_release(&coder->histories, useful);
    if (code != NULL && !alone)
        keep(coder, code);
    return code;
}

/* ---- life ---- */

struct fr_gzip_coder *fr_gzip_coder_new(void)
{
    struct fr_gzip_coder *coder = calloc(1, sizeof(*coder));
    if (coder == NULL)
        return NULL;
    fr_refcount_init(&coder->references);
    pthread_mutex_init(&coder->lock, NULL);
    pthread_mutex_init(&coder->preparing, NULL);
    fr_list_init(&coder->used);
    if (fr_map_init(&coder->histories.by_sent) && fr_map_init(&coder->codes))
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
    while (!fr_list_is_empty(&coder->used))
        drop(coder, FR_CONTAINER(coder->used.next, struct fr_gzip_code, used));
    fr_deflater_destroy(coder->deflater);
    fr_map_deinit(&coder->histories.by_sent);
    fr_map_deinit(&coder->codes);
    pthread_mutex_destroy(&coder->preparing);
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
static struct code_key key_of(const struct fr_gzip_history *history, const struct fr_gzip_ask *ask)
{
    bool deflated = is_worth_it(ask), fills = ask->frame->span.len > FR_GZIP_WINDOW_BYTES;
    return (struct code_key){.from = fills ? NULL : history,
                             .frame = ask->frame,
                             .kind = fills && deflated ? FR_GZIP_STATE : ask->kind,
                             .deflated = deflated};
}

static bool is_same(const struct code_key *a, const struct code_key *b)
{
    return a->from == b->from && a->frame == b->frame && a->kind == b->kind && a->deflated == b->deflated;
}

bool fr_gzip_coder_wants_prepared(struct fr_gzip_coder *coder, const struct fr_gzip_ask *ask)
{
    if (!is_large(ask->frame) || !is_worth_it(ask))
        return false;
    struct code_key key = key_of(NULL, ask);
    pthread_mutex_lock(&coder->lock);
    bool made = find_code(coder, &key) != NULL;
    pthread_mutex_unlock(&coder->lock);
    return !made;
}

/* Without `lock` while it is deflated: the loops go on. */
static void prepare(struct fr_gzip_coder *coder, const struct fr_gzip_ask *ask)
{
    struct code_key key = key_of(NULL, ask);
    struct freshet_span body = fr_frame_body(ask->frame->span);
    struct fr_deflater *deflater = NULL;
    struct fr_gzip_part_sum sum = fr_gzip_sum_of(body);
    struct fr_bytes *coded = deflate_after(coder, &deflater, NULL, body);
    fr_deflater_destroy(deflater);
    pthread_mutex_lock(&coder->lock);
    struct fr_gzip_code *code = new_code(coder, &key, NULL, ask->frame, coded, &sum);
    if (code != NULL) {
        keep(coder, code);
        release_code(coder, code);
    }
    pthread_mutex_unlock(&coder->lock);
}

void fr_gzip_coder_prepare(struct fr_gzip_coder *coder, struct fr_bytes *frame)
{
    struct fr_gzip_ask ask = {.frame = frame, .kind = FR_GZIP_STATE, .readers = 1};
    pthread_mutex_lock(&coder->preparing);
    if (fr_gzip_coder_wants_prepared(coder, &ask))
        prepare(coder, &ask);
    pthread_mutex_unlock(&coder->preparing);
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
static bool look_up(struct fr_gzip_coder *coder, struct fr_gzip_memo *memo, const struct code_key *key,
                    struct fr_gzip_history *from, const struct fr_gzip_ask *ask)
{
    if (memo->code != NULL && is_same(&memo->code->key, key))
        return true;
    pthread_mutex_lock(&coder->lock);
    struct fr_gzip_code *code = get_code(coder, key, from, ask);
    if (code != NULL && memo->code != NULL)
        release_code(coder, memo->code);
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
    struct code_key key = key_of(stream->history, ask);
    if (!key.deflated && stream->history == NULL && ask->readers <= 1)
        return store_alone(coder, stream, ask);
    if (fr_gzip_coder_wants_prepared(coder, ask))
        key = (struct code_key){.frame = ask->frame, .kind = FR_GZIP_OTHER};
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
    fr_gzip_history_release(&coder->histories, history);
    pthread_mutex_unlock(&coder->lock);
}

void fr_gzip_coder_forget_memo(struct fr_gzip_coder *coder, struct fr_gzip_memo *memo)
{
    if (memo->code == NULL)
        return;
    pthread_mutex_lock(&coder->lock);
    release_code(coder, memo->code);
    pthread_mutex_unlock(&coder->lock);
    memo->code = NULL;
}

void fr_gzip_coder_count(const struct fr_gzip_coder *coder, struct freshet_stats *stats)
{
    stats->gzip_stored = atomic_load_explicit(&coder->stored, memory_order_relaxed);
    stats->gzip_deflated = atomic_load_explicit(&coder->deflated, memory_order_relaxed);
    stats->gzip_continued = atomic_load_explicit(&coder->continued, memory_order_relaxed);
}
