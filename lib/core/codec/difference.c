/* What both texts begin and end with is cut off first: most changes are in one place, and that is all that
 * has to be done for them. For what is left, the old text is cut into blocks, and the new one is searched for
 * these with a hash that rolls from byte to byte (Tridgell and Mackerras, "The rsync algorithm", 1996). A
 * block that is found is made as long as it can be, in both directions. */
#include "core/codec/difference.h"

#include "base/json.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What is equal for less than this, somewhere, may not be found. */
#define BLOCK_BYTES 32
/* Blocks of the same hash that are tried at one place, so that repetition costs no more than so many times.
 */
#define MOST_TRIES 16
/* `[123456,123456],` and nearly: what a piece of the old text costs. A new text costs two quotes and a comma.
 */
#define KEPT_COST 16
#define NEW_COST  3

/* The blocks of a text by their hash: positions plus one, so that 0 is none. */
struct blocks {
    struct freshet_span text;
    uint32_t *first; /* of a slot */
    uint32_t *next;  /* of a block, in its slot */
    unsigned shift;
};

/* Equal bytes of the two texts. */
struct match {
    size_t before, after, len;
};

void fr_pieces_deinit(struct fr_pieces *pieces)
{
    free(pieces->all);
    *pieces = (struct fr_pieces){0};
}

static bool append(struct fr_pieces *pieces, struct fr_piece piece)
{
    if (piece.len == 0)
        return true;
    if (pieces->count == pieces->capacity) {
        size_t capacity = pieces->capacity == 0 ? 8 : 2 * pieces->capacity;
        struct fr_piece *all = realloc(pieces->all, capacity * sizeof(*all));
        if (all == NULL)
            return false;
        pieces->all = all;
        pieces->capacity = capacity;
    }
    pieces->all[pieces->count++] = piece;
    pieces->cost += piece.is_new ? piece.len + NEW_COST : KEPT_COST;
    return true;
}

/* ---- characters ---- */

/* Whether a character that began before goes on here. */
static bool is_inside(struct freshet_span text, size_t at)
{
    return at < text.len && ((unsigned char)text.data[at] & 0xc0) == 0x80;
}

/* Leaves out the characters at both ends that the match has only parts of. The other parts may differ. */
static void trim(struct match *match, struct freshet_span before)
{
    while (match->len > 0 && is_inside(before, match->before)) {
        match->before++;
        match->after++;
        match->len--;
    }
    while (match->len > 0 && is_inside(before, match->before + match->len))
        match->len--;
}

/* ---- what is equal ---- */

static size_t shorter(size_t one, size_t other)
{
    return one < other ? one : other;
}

static size_t count_equal(const char *one, const char *other, size_t most)
{
    size_t count = 0;
    uint64_t a, b;
    for (; most - count >= sizeof(a); count += sizeof(a)) {
        memcpy(&a, one + count, sizeof(a));
        memcpy(&b, other + count, sizeof(b));
        if (a != b)
            break;
    }
    while (count < most && one[count] == other[count])
        count++;
    return count;
}

/* Backwards, from the ends given. */
static size_t count_equal_before(const char *one, const char *other, size_t most)
{
    size_t count = 0;
    uint64_t a, b;
    for (; most - count >= sizeof(a); count += sizeof(a)) {
        memcpy(&a, one - count - sizeof(a), sizeof(a));
        memcpy(&b, other - count - sizeof(b), sizeof(b));
        if (a != b)
            break;
    }
    while (count < most && one[-1 - (ptrdiff_t)count] == other[-1 - (ptrdiff_t)count])
        count++;
    return count;
}

/* ---- blocks ---- */

#define FACTOR UINT32_C(0x01000193)

/* FACTOR to the power of BLOCK_BYTES - 1: what the byte that leaves has been multiplied with. */
static uint32_t leaving_factor(void)
{
    uint32_t factor = 1;
    for (int i = 1; i < BLOCK_BYTES; i++)
        factor *= FACTOR;
    return factor;
}

static uint32_t hash_block(const char *at)
{
    uint32_t hash = 0;
    for (int i = 0; i < BLOCK_BYTES; i++)
        hash = hash * FACTOR + (unsigned char)at[i];
    return hash;
}

/* The high bits of a product depend on all bits of the hash. */
static size_t slot_of(const struct blocks *blocks, uint32_t hash)
{
    return (size_t)(hash * UINT32_C(0x9e3779b1) >> blocks->shift);
}

static void free_blocks(struct blocks *blocks)
{
    free(blocks->first);
    free(blocks->next);
}

/* False: no memory. */
static bool index_blocks(struct blocks *blocks, struct freshet_span text)
{
    size_t count = text.len / BLOCK_BYTES;
    unsigned bits = 4;
    while (bits < 31 && ((size_t)1 << bits) < count)
        bits++;
    *blocks = (struct blocks){.text = text, .shift = 32 - bits};
    blocks->first = calloc((size_t)1 << bits, sizeof(*blocks->first));
    blocks->next = malloc((count + 1) * sizeof(*blocks->next));
    if (blocks->first == NULL || blocks->next == NULL)
        return false;
    /* From the end, so that a slot begins with the first of equal blocks, which goes on for longest. */
    for (size_t i = count; i-- > 0;) {
        size_t slot = slot_of(blocks, hash_block(text.data + i * BLOCK_BYTES));
        blocks->next[i] = blocks->first[slot];
        blocks->first[slot] = (uint32_t)i + 1;
    }
    return true;
}

/* The longest match of a block with what is at `at`; `since`: what is before that has been taken already. */
static struct match find_match(const struct blocks *blocks, struct freshet_span after, size_t at,
                               size_t since, uint32_t hash)
{
    struct match best = {0};
    struct freshet_span before = blocks->text;
    uint32_t block = blocks->first[slot_of(blocks, hash)];
    for (int tries = 0; block != 0 && tries < MOST_TRIES; tries++, block = blocks->next[block - 1]) {
        size_t from = (size_t)(block - 1) * BLOCK_BYTES;
        size_t len =
            count_equal(before.data + from, after.data + at, shorter(before.len - from, after.len - at));
        if (len < BLOCK_BYTES)
            continue;
        size_t back = count_equal_before(before.data + from, after.data + at, shorter(from, at - since));
        if (back + len > best.len)
            best = (struct match){from - back, at - back, back + len};
    }
    return best;
}

/* ---- the search ---- */

struct search {
    struct fr_pieces *pieces;
    struct freshet_span before, after; /* without what is equal at both ends */
    size_t offset;                     /* of both, in the whole texts */
    size_t taken;                      /* of `after` */
    size_t most_cost;
};

/* The new text up to the match, and the match. */
static bool take(struct search *search, const struct match *match)
{
    size_t offset = search->offset;
    bool done = append(search->pieces,
                       (struct fr_piece){true, offset + search->taken, match->after - search->taken}) &&
                append(search->pieces, (struct fr_piece){false, offset + match->before, match->len});
    search->taken = match->after + match->len;
    return done && search->pieces->cost <= search->most_cost;
}

static bool walk(struct search *search, const struct blocks *blocks)
{
    struct freshet_span after = search->after;
    uint32_t leaving = leaving_factor(), hash = 0;
    bool known = false;
    for (size_t at = 0; at + BLOCK_BYTES <= after.len;) {
        const unsigned char *bytes = (const unsigned char *)after.data + at;
        hash = known ? (hash - bytes[-1] * leaving) * FACTOR + bytes[BLOCK_BYTES - 1]
                     : hash_block(after.data + at);
        struct match match = find_match(blocks, after, at, search->taken, hash);
        trim(&match, search->before);
        known = match.len < BLOCK_BYTES;
        if (known)
            at++;
        else if (!take(search, &match))
            return false;
        else
            at = search->taken;
        /* What has not been found is new, and has to be sent. */
        if (search->pieces->cost + (at - search->taken) > search->most_cost)
            return false;
    }
    return true;
}

static bool search_middle(struct search *search)
{
    struct blocks blocks = {0};
    bool is_long = search->before.len >= BLOCK_BYTES && search->after.len >= BLOCK_BYTES;
    bool done = !is_long || (index_blocks(&blocks, search->before) && walk(search, &blocks));
    free_blocks(&blocks);
    struct match end = {.before = 0, .after = search->after.len, .len = 0};
    return done && take(search, &end);
}

/* What is before and behind all changes. They do not overlap, in either text. */
static void find_ends(struct freshet_span before, struct freshet_span after, struct match *head,
                      struct match *tail)
{
    size_t most = shorter(before.len, after.len);
    *head = (struct match){.len = count_equal(before.data, after.data, most)};
    trim(head, before);
    size_t len = count_equal_before(before.data + before.len, after.data + after.len, most - head->len);
    *tail = (struct match){before.len - len, after.len - len, len};
    trim(tail, before);
}

bool fr_difference_find(struct fr_pieces *pieces, struct freshet_span before, struct freshet_span after,
                        size_t most_cost)
{
    *pieces = (struct fr_pieces){0};
    if (before.len > UINT32_MAX || before.len == 0 || after.len == 0)
        return false;
    struct match head, tail;
    find_ends(before, after, &head, &tail);
    struct search search = {
        .pieces = pieces,
        .before = freshet_span(before.data + head.len, tail.before - head.len),
        .after = freshet_span(after.data + head.len, tail.after - head.len),
        .offset = head.len,
        .most_cost = most_cost,
    };
    bool found = append(pieces, (struct fr_piece){false, 0, head.len}) && search_middle(&search) &&
                 append(pieces, (struct fr_piece){false, tail.before, tail.len}) && pieces->cost <= most_cost;
    if (!found)
        fr_pieces_deinit(pieces);
    return found;
}

/* ---- as JSON ---- */

#define MARK_BYTES 1024

/* UTF-16 code units of a text before each MARK_BYTES of it. */
struct units {
    struct freshet_span text;
    size_t *marks; /* NULL: one for each byte, all of it is ASCII */
};

/* A character of four bytes is two units, any other one. */
static size_t count_units(const char *at, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)at[i];
        count += (byte & 0xc0) != 0x80;
        count += byte >= 0xf0;
    }
    return count;
}

static bool is_ascii(struct freshet_span text)
{
    unsigned char all = 0;
    for (size_t i = 0; i < text.len; i++)
        all |= (unsigned char)text.data[i];
    return all < 0x80;
}

/* False: no memory. */
static bool count_all(struct units *units, struct freshet_span text)
{
    *units = (struct units){.text = text};
    if (is_ascii(text))
        return true;
    size_t count = text.len / MARK_BYTES + 1;
    units->marks = malloc(count * sizeof(*units->marks));
    if (units->marks == NULL)
        return false;
    units->marks[0] = 0;
    for (size_t i = 1; i < count; i++)
        units->marks[i] = units->marks[i - 1] + count_units(text.data + (i - 1) * MARK_BYTES, MARK_BYTES);
    return true;
}

static size_t units_before(const struct units *units, size_t at)
{
    size_t mark = at / MARK_BYTES;
    if (units->marks == NULL)
        return at;
    return units->marks[mark] + count_units(units->text.data + mark * MARK_BYTES, at % MARK_BYTES);
}

void fr_pieces_print(struct fr_buffer *json, const struct fr_pieces *pieces, struct freshet_span before,
                     struct freshet_span after)
{
    struct units units;
    json->failed |= !count_all(&units, before);
    for (size_t i = 0; i < pieces->count && !json->failed; i++) {
        const struct fr_piece *piece = &pieces->all[i];
        fr_buffer_print(json, i == 0 ? "[" : ",");
        if (piece->is_new)
            fr_json_string(json, freshet_span(after.data + piece->begin, piece->len));
        else
            fr_buffer_print(json, "[%zu,%zu]", units_before(&units, piece->begin),
                            units_before(&units, piece->begin + piece->len));
    }
    fr_buffer_print(json, "]");
    free(units.marks);
}
