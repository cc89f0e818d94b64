#include "core/codec/gzip_codes.h"

#include <stdlib.h>

/* What is kept, with all that it keeps from being freed: frames, the histories on both sides, and what was
 * made of them. Frames of several count for each, so that no more is kept than this says. */
#define MOST_CODES      1024
#define MOST_CODE_BYTES (8 * 1024 * 1024)

bool fr_gzip_codes_init(struct fr_gzip_codes *codes)
{
    fr_list_init(&codes->used);
    return fr_map_init(&codes->histories.by_sent) && fr_map_init(&codes->by_key);
}

void fr_gzip_code_release(struct fr_gzip_codes *codes, struct fr_gzip_code *code)
{
    if (!fr_refcount_release(&code->references))
        return;
    fr_gzip_history_release(&codes->histories, code->from);
    fr_gzip_history_release(&codes->histories, code->next);
    fr_bytes_release(code->frame);
    fr_bytes_release(code->coded);
    free(code);
}

static void drop(struct fr_gzip_codes *codes, struct fr_gzip_code *code)
{
    fr_map_remove(&codes->by_key, &code->node);
    fr_list_remove(&code->used);
    codes->bytes -= code->cost;
    fr_gzip_code_release(codes, code);
}

/* Makes room for what a code that is kept takes; the code itself stays, however large it is. */
static void charge(struct fr_gzip_codes *codes, struct fr_gzip_code *code, size_t bytes)
{
    code->cost += bytes;
    codes->bytes += bytes;
    while ((codes->by_key.count > MOST_CODES || codes->bytes > MOST_CODE_BYTES) &&
           codes->used.next != &code->used)
        drop(codes, FR_CONTAINER(codes->used.next, struct fr_gzip_code, used));
}

static size_t bytes_of(const struct fr_gzip_history *history)
{
    size_t bytes = 0;
    for (size_t i = 0; history != NULL && i < history->count; i++)
        bytes += history->sent[i].frame->span.len;
    return bytes;
}

/* For others who ask the same. */
static void keep(struct fr_gzip_codes *codes, struct fr_gzip_code *code)
{
    fr_refcount_acquire(&code->references);
    fr_map_put(&codes->by_key, freshet_span((const char *)&code->key, sizeof(code->key)), &code->node);
    fr_list_append(&codes->used, &code->used);
    charge(codes, code, sizeof(*code) + code->frame->span.len + bytes_of(code->from) + bytes_of(code->next));
}

struct fr_gzip_code *fr_gzip_code_find(struct fr_gzip_codes *codes, const struct fr_gzip_code_key *key)
{
    struct fr_map_node *node = fr_map_get(&codes->by_key, freshet_span((const char *)key, sizeof(*key)));
    if (node == NULL)
        return NULL;
    struct fr_gzip_code *code = FR_CONTAINER(node, struct fr_gzip_code, node);
    fr_list_remove(&code->used);
    fr_list_append(&codes->used, &code->used);
    fr_refcount_acquire(&code->references);
    return code;
}

struct fr_gzip_code *fr_gzip_code_new(struct fr_gzip_codes *codes, const struct fr_gzip_code_key *key,
                                      struct fr_gzip_history *from, struct fr_bytes *frame, bool shared)
{
    struct fr_gzip_code *code = calloc(1, sizeof(*code));
    if (code == NULL)
        return NULL;
    fr_refcount_init(&code->references);
    fr_list_init(&code->used);
    code->key = *key;
    code->from = fr_gzip_history_acquire(from);
    code->next =
        fr_gzip_history_after(&codes->histories, from, frame, (enum fr_gzip_kind)key->kind, key->deflated);
    code->frame = fr_bytes_acquire(frame);
    if (shared)
        keep(codes, code);
    return code;
}

void fr_gzip_code_finish(struct fr_gzip_codes *codes, struct fr_gzip_code *code, struct fr_bytes *coded,
                         const struct fr_gzip_part_sum *sum)
{
    bool kept = !fr_list_is_empty(&code->used);
    code->coded = coded;
    code->sum = *sum;
    code->failed = coded == NULL;
    if (kept && code->failed)
        drop(codes, code);
    else if (kept)
        charge(codes, code, coded->span.len);
}

void fr_gzip_codes_deinit(struct fr_gzip_codes *codes)
{
    while (!fr_list_is_empty(&codes->used))
        drop(codes, FR_CONTAINER(codes->used.next, struct fr_gzip_code, used));
    fr_map_deinit(&codes->histories.by_sent);
    fr_map_deinit(&codes->by_key);
}
