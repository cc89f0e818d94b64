#include "bus/redis/proto/guard.h"

#include <string.h>

#define MESSAGE     "message"
#define MESSAGE_LEN 7
#define MAX_DIGITS  19

struct feed {
    struct fr_redis_guard *guard;
    const char *at, *end;
    const char *run;          /* the first byte not yet passed; NULL: nothing waits */
    const char *header_begin; /* NULL: the header began in an earlier piece */
    void (*pass)(void *user, struct freshet_span piece);
    void *user;
};

void fr_redis_guard_init(struct fr_redis_guard *guard, const struct fr_redis_guard_limits *limits)
{
    *guard = (struct fr_redis_guard){.limits = *limits};
}

static void fail(struct fr_redis_guard *guard, const char *error)
{
    guard->state = FR_REDIS_GUARD_BROKEN;
    guard->error = error;
}

static void flush(struct feed *feed, const char *upto)
{
    if (feed->run != NULL && upto > feed->run)
        feed->pass(feed->user, freshet_span(feed->run, (size_t)(upto - feed->run)));
    feed->run = NULL;
}

static struct fr_redis_guard_level *level_of(struct fr_redis_guard *guard)
{
    return guard->depth == 0 ? NULL : &guard->levels[guard->depth - 1];
}

/* The item at hand is complete, and with it all arrays that it was the last element of. */
static void finish_item(struct fr_redis_guard *guard)
{
    guard->state = FR_REDIS_GUARD_HEADER;
    guard->header_len = 0;
    for (;;) {
        if (guard->skipping && guard->depth == guard->skip_depth)
            guard->skipping = false;
        struct fr_redis_guard_level *level = level_of(guard);
        if (level == NULL) {
            guard->spent = guard->elements = 0;
            return;
        }
        level->index++;
        if (--level->left > 0)
            return;
        guard->depth--;
    }
}

/* Gives the reader `instead` and nothing of the item itself. */
static void skip_item(struct feed *feed, const char *instead)
{
    if (feed->header_begin != NULL)
        flush(feed, feed->header_begin);
    feed->run = NULL;
    feed->pass(feed->user, freshet_span_text(instead));
    feed->guard->skipping = true;
    feed->guard->skip_depth = feed->guard->depth;
}

static bool is_body(struct fr_redis_guard *guard)
{
    return guard->depth == 1 && guard->levels[0].index == 2 && guard->levels[0].kind_matched == MESSAGE_LEN;
}

/* Whether `count` times `each` fit into what is left of `limit`, of which they are then taken. More may have
 * been taken already: a link has other limits once it is up. */
static bool spend(size_t *spent, size_t limit, uint64_t count, size_t each)
{
    if (*spent > limit || count > (limit - *spent) / each)
        return false;
    *spent += (size_t)count * each;
    return true;
}

/* Counts a bulk, skips it or fails. */
static void admit_bulk(struct feed *feed, uint64_t len)
{
    struct fr_redis_guard *guard = feed->guard;
    const struct fr_redis_guard_limits *limits = &guard->limits;
    if (limits->max_reply > 0) {
        if (!spend(&guard->spent, limits->max_reply, len, 1))
            skip_item(feed, "-" FR_REDIS_GUARD_CUT "\r\n");
    } else if (is_body(guard)) {
        if (len > limits->max_body)
            skip_item(feed, "$-1\r\n");
    } else if (!spend(&guard->spent, limits->max_bytes, len, 1)) {
        fail(guard, "a string over the limit was announced");
    }
}

static void begin_bulk(struct feed *feed, int64_t len)
{
    struct fr_redis_guard *guard = feed->guard;
    if (len < 0) {
        finish_item(guard);
        return;
    }
    guard->state = FR_REDIS_GUARD_BULK;
    guard->left = (uint64_t)len;
    if (guard->depth == 1 && guard->levels[0].index == 0 && len != MESSAGE_LEN)
        guard->levels[0].kind_matched = SIZE_MAX;
    if (!guard->skipping)
        admit_bulk(feed, (uint64_t)len);
}

/* Counts an array's elements, skips it or fails. */
static void admit_array(struct feed *feed, uint64_t count)
{
    struct fr_redis_guard *guard = feed->guard;
    const struct fr_redis_guard_limits *limits = &guard->limits;
    if (limits->max_reply > 0) {
        if (!spend(&guard->spent, limits->max_reply, count, FR_REDIS_GUARD_ELEMENT_COST))
            skip_item(feed, "-" FR_REDIS_GUARD_CUT "\r\n");
    } else if (!spend(&guard->elements, limits->max_elements, count, 1)) {
        fail(guard, "an array over the limit was announced");
    }
}

static void begin_array(struct feed *feed, int64_t count)
{
    struct fr_redis_guard *guard = feed->guard;
    if (count <= 0) {
        finish_item(guard);
        return;
    }
    if (guard->depth == FR_REDIS_GUARD_DEPTH) {
        fail(guard, "arrays are nested too deep");
        return;
    }
    if (!guard->skipping)
        admit_array(feed, (uint64_t)count);
    if (guard->state == FR_REDIS_GUARD_BROKEN)
        return;
    guard->levels[guard->depth++] = (struct fr_redis_guard_level){.left = (uint64_t)count};
    guard->header_len = 0;
}

/* The digits between the type and CR LF. */
static bool read_number(const struct fr_redis_guard *guard, int64_t *number)
{
    const char *at = guard->header + 1, *end = guard->header + guard->header_len - 2;
    bool minus = at < end && *at == '-';
    at += minus;
    if (end - at < 1 || end - at > MAX_DIGITS || (*at == '0' && (minus || end - at > 1)))
        return false;
    uint64_t value = 0;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9')
            return false;
        value = value * 10 + (uint64_t)(*at - '0');
    }
    if (value > (uint64_t)INT64_MAX + minus)
        return false;
    *number = minus ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

static void end_header(struct feed *feed)
{
    struct fr_redis_guard *guard = feed->guard;
    int64_t number = 0;
    if (guard->header[guard->header_len - 2] != '\r' || !read_number(guard, &number) ||
        (guard->header[0] != ':' && number < -1)) {
        fail(guard, "a length or number is not one");
        return;
    }
    bool passes = !guard->skipping;
    struct freshet_span header = freshet_span(guard->header, guard->header_len);
    if (guard->header[0] == '$')
        begin_bulk(feed, number);
    else if (guard->header[0] == '*')
        begin_array(feed, number);
    else
        finish_item(guard);
    bool replaced = passes && guard->skipping && feed->run == NULL;
    if (guard->state == FR_REDIS_GUARD_BROKEN || !passes || replaced)
        return;
    if (feed->header_begin == NULL)
        feed->pass(feed->user, header);
    if (feed->run == NULL)
        feed->run = feed->at;
}

/* Passed as it comes: the reader sees no length that it could believe. */
static void begin_line(struct fr_redis_guard *guard)
{
    guard->state = FR_REDIS_GUARD_LINE;
    guard->line_len = 0;
    guard->line_cr = false;
}

static void take_header(struct feed *feed)
{
    struct fr_redis_guard *guard = feed->guard;
    feed->header_begin = guard->header_len == 0 ? feed->at : NULL;
    while (feed->at < feed->end) {
        char byte = *feed->at++;
        if (guard->header_len == 0 && (byte == '+' || byte == '-')) {
            begin_line(guard);
            return;
        }
        if (guard->header_len == 0 && byte != '$' && byte != '*' && byte != ':') {
            fail(guard, "a reply of unknown type");
            return;
        }
        if (guard->header_len == sizeof(guard->header)) {
            fail(guard, "a length or number is not one");
            return;
        }
        guard->header[guard->header_len++] = byte;
        if (byte == '\n') {
            end_header(feed);
            return;
        }
    }
    /* Not complete: it waits in the guard, not in the reader. */
    if (feed->header_begin != NULL)
        flush(feed, feed->header_begin);
}

static void take_line(struct feed *feed)
{
    struct fr_redis_guard *guard = feed->guard;
    const struct fr_redis_guard_limits *limits = &guard->limits;
    size_t limit = limits->max_reply > 0 ? limits->max_reply : limits->max_bytes;
    while (feed->at < feed->end) {
        char byte = *feed->at++;
        if (byte == '\n' && guard->line_cr) {
            finish_item(guard);
            return;
        }
        guard->line_cr = byte == '\r';
        bool is_long = ++guard->line_len > FR_REDIS_GUARD_ELEMENT_COST;
        if (is_long && !guard->skipping && !spend(&guard->spent, limit, 1, 1)) {
            fail(guard, "a line over the limit");
            return;
        }
    }
}

static void match_kind(struct fr_redis_guard *guard, struct freshet_span bytes)
{
    struct fr_redis_guard_level *level = &guard->levels[0];
    if (guard->depth != 1 || level->index != 0 || level->kind_matched >= MESSAGE_LEN)
        return;
    if (memcmp(&MESSAGE[level->kind_matched], bytes.data, bytes.len) == 0)
        level->kind_matched += bytes.len;
    else
        level->kind_matched = SIZE_MAX;
}

static void take_bulk(struct feed *feed)
{
    struct fr_redis_guard *guard = feed->guard;
    size_t here = (size_t)(feed->end - feed->at);
    if (here > guard->left)
        here = (size_t)guard->left;
    match_kind(guard, freshet_span(feed->at, here));
    feed->at += here;
    guard->left -= here;
    if (guard->left > 0)
        return;
    guard->state = FR_REDIS_GUARD_BULK_END;
    guard->left = 2;
}

static void take_bulk_end(struct feed *feed)
{
    struct fr_redis_guard *guard = feed->guard;
    if (*feed->at++ != (guard->left == 2 ? '\r' : '\n')) {
        fail(guard, "a string is longer than announced");
        return;
    }
    if (--guard->left == 0)
        finish_item(guard);
}

bool fr_redis_guard_feed(struct fr_redis_guard *guard, struct freshet_span bytes,
                         void (*pass)(void *user, struct freshet_span piece), void *user)
{
    struct feed feed = {
        .guard = guard, .at = bytes.data, .end = bytes.data + bytes.len, .pass = pass, .user = user};
    bool held = guard->state == FR_REDIS_GUARD_HEADER && guard->header_len > 0;
    if (!guard->skipping && !held)
        feed.run = feed.at;
    while (feed.at < feed.end && guard->state != FR_REDIS_GUARD_BROKEN) {
        if (feed.run == NULL && !guard->skipping && guard->header_len == 0)
            feed.run = feed.at;
        switch (guard->state) {
        case FR_REDIS_GUARD_HEADER:
            take_header(&feed);
            break;
        case FR_REDIS_GUARD_LINE:
            take_line(&feed);
            break;
        case FR_REDIS_GUARD_BULK:
            take_bulk(&feed);
            break;
        case FR_REDIS_GUARD_BULK_END:
            take_bulk_end(&feed);
            break;
        case FR_REDIS_GUARD_BROKEN:
            break;
        }
    }
    if (guard->state == FR_REDIS_GUARD_BROKEN)
        return false;
    flush(&feed, feed.end);
    return true;
}
