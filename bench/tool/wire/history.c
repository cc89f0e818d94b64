#include "wire/history.h"
#include "wire/decoder.h"

/* MAX_STEPS from one history: where there are more, streams are no longer sent the same. MAX_RECENT in all,
 * of which the oldest goes first: a stream that stays behind would keep all that the others were sent since.
 */
enum { BUCKETS = 16384, MAX_STEPS = 8, MAX_RECENT = 1024 };

struct told {
    struct sse_event event;
    char name[SSE_NAME]; /* where event.name points while it is told */
};

struct step {
    struct step *next;          /* from the same history */
    struct step *older, *newer; /* of all */
    struct history *from, *to;
    struct text piece, told; /* told: structs */
};

struct history {
    struct history *next; /* in its bucket */
    uint64_t refs;        /* streams that are here, steps that lead here */
    uint64_t hash, total; /* of all that was sent, however it was cut */
    struct decoder decoder;
    struct step *steps;
    unsigned step_count;
};

struct histories {
    struct history *roots[2]; /* without and with gzip */
    struct history *buckets[BUCKETS];
    struct step *oldest, *newest;
    unsigned recent_count;
    struct text told; /* by what is being decoded */
};

/* FNV-1a: the same for the same bytes in other pieces. */
static uint64_t hash_on(uint64_t hash, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static struct history **bucket_of(struct histories *histories, const struct history *history)
{
    return &histories->buckets[history->hash % BUCKETS];
}

static void list(struct histories *histories, struct history *history)
{
    struct history **bucket = bucket_of(histories, history);
    history->next = *bucket;
    *bucket = history;
}

static void unlist(struct histories *histories, struct history *history)
{
    struct history **at = bucket_of(histories, history);
    while (*at != NULL && *at != history)
        at = &(*at)->next;
    if (*at != NULL)
        *at = history->next;
}

/* By hand, since musl lacks the queues of BSD. */
static void put_newest(struct histories *histories, struct step *step)
{
    step->older = histories->newest;
    *(step->older == NULL ? &histories->oldest : &step->older->newer) = step;
    histories->newest = step;
    histories->recent_count++;
}

static void take_out(struct histories *histories, struct step *step)
{
    *(step->older == NULL ? &histories->oldest : &step->older->newer) = step->newer;
    *(step->newer == NULL ? &histories->newest : &step->newer->older) = step->older;
    histories->recent_count--;
}

static void drop_step(struct histories *histories, struct step *step)
{
    struct step **at = &step->from->steps;
    while (*at != step)
        at = &(*at)->next;
    *at = step->next;
    step->from->step_count--;
    take_out(histories, step);
    text_release(&step->piece);
    text_release(&step->told);
    history_leave(histories, step->to);
    free(step);
}

static void drop_steps(struct histories *histories, struct history *history)
{
    while (history->steps != NULL)
        drop_step(histories, history->steps);
}

void history_leave(struct histories *histories, struct history *history)
{
    if (history == NULL || --history->refs > 0)
        return;
    unlist(histories, history);
    drop_steps(histories, history);
    decoder_release(&history->decoder);
    free(history);
}

static void *insist(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "freshet-bench: no memory to unpack streams\n");
        _Exit(1);
    }
    return memory;
}

struct histories *histories_new(const struct rule *rule, bool takes_differences)
{
    struct histories *histories = insist(calloc(1, sizeof(*histories)));
    for (int i = 0; i < 2; i++) {
        struct history *root = histories->roots[i] = insist(calloc(1, sizeof(*root)));
        root->refs = 1;
        root->hash = UINT64_C(0xcbf29ce484222325) + (uint64_t)i;
        if (!decoder_init(&root->decoder, rule, i == 1, takes_differences))
            insist(NULL);
    }
    return histories;
}

struct history *history_begin(struct histories *histories, bool is_gzip)
{
    struct history *root = histories->roots[is_gzip];
    root->refs++;
    return root;
}

static void note(const struct sse_event *event, void *user)
{
    struct told told = {.event = *event};
    snprintf(told.name, sizeof(told.name), "%s", event->name);
    text_add(user, (const char *)&told, sizeof(told));
}

static void tell(const struct text *notes, sse_event_fn *on_event, void *user)
{
    for (size_t at = 0; at < notes->len; at += sizeof(struct told)) {
        struct told told;
        memcpy(&told, notes->data + at, sizeof(told));
        told.event.name = told.name;
        on_event(&told.event, user);
    }
}

static struct step *find_step(const struct history *from, const char *data, size_t len)
{
    struct step *step = from->steps;
    while (step != NULL && !text_is(&step->piece, data, len))
        step = step->next;
    return step;
}

static void add_step(struct histories *histories, struct history *from, struct history *to, const char *data,
                     size_t len)
{
    if (from->step_count == MAX_STEPS)
        return;
    struct step *step = insist(calloc(1, sizeof(*step)));
    text_add(&step->piece, data, len);
    text_set(&step->told, &histories->told);
    step->from = from;
    step->to = to;
    to->refs++;
    step->next = from->steps;
    from->steps = step;
    from->step_count++;
    put_newest(histories, step);
}

/* A history that only this stream has, to be decoded on: its own one, or a copy. */
static struct history *begin_alone(struct histories *histories, struct history *from)
{
    if (from->refs == 1) {
        unlist(histories, from);
        drop_steps(histories, from);
        return from;
    }
    struct history *copy = insist(calloc(1, sizeof(*copy)));
    copy->refs = 1;
    copy->hash = from->hash;
    copy->total = from->total;
    if (!decoder_copy(&copy->decoder, &from->decoder))
        insist(NULL);
    from->refs--;
    return copy;
}

/* Others may have come here in other pieces. */
static struct history *join(struct histories *histories, struct history *own)
{
    struct history *other = *bucket_of(histories, own);
    while (other != NULL && (other->hash != own->hash || other->total != own->total))
        other = other->next;
    if (other == NULL) {
        list(histories, own);
        return own;
    }
    other->refs++;
    history_leave(histories, own);
    return other;
}

static bool decode(struct histories *histories, struct history **place, const char *data, size_t len)
{
    if (histories->recent_count == MAX_RECENT)
        drop_step(histories, histories->oldest);
    struct history *from = *place, *own = begin_alone(histories, from);
    own->hash = hash_on(own->hash, data, len);
    own->total += len;
    histories->told.len = 0;
    *place = own;
    if (!decoder_feed(&own->decoder, data, len, note, &histories->told))
        return false;
    *place = join(histories, own);
    if (from != own)
        add_step(histories, from, *place, data, len);
    return true;
}

bool history_take(struct histories *histories, struct history **place, const char *data, size_t len,
                  sse_event_fn *on_event, void *user)
{
    struct step *step = find_step(*place, data, len);
    if (step == NULL) {
        bool fine = decode(histories, place, data, len);
        tell(&histories->told, on_event, user);
        return fine;
    }
    struct history *from = *place;
    step->to->refs++;
    *place = step->to;
    tell(&step->told, on_event, user);
    history_leave(histories, from);
    return true;
}

bool history_is_whole(const struct history *history)
{
    return decoder_is_whole(&history->decoder);
}
