#include "bus/redis/proto/resp_limit.h"

#include <string.h>

#define SHARD_MESSAGE "smessage" /* in a cluster; without the s elsewhere */
#define SHARD_LEN     8
#define MESSAGE_LEN   7
#define MAX_DIGITS    19

struct feed {
    struct fr_resp_limit *resp;
    const char *at, *end;
    const char *run;          /* the first byte not yet passed; NULL: nothing waits */
    const char *header_begin; /* NULL: the header began in an earlier piece */
    void (*pass)(void *user, struct freshet_span piece);
    void *user;
};

void fr_resp_limit_init(struct fr_resp_limit *resp, const struct fr_resp_limit_limits *limits)
{
    *resp = (struct fr_resp_limit){.limits = *limits};
}

static void fail(struct fr_resp_limit *resp, const char *error)
{
    resp->state = FR_RESP_LIMIT_BROKEN;
    resp->error = error;
}

static void flush(struct feed *feed, const char *upto)
{
    if (feed->run != NULL && upto > feed->run)
        feed->pass(feed->user, freshet_span(feed->run, (size_t)(upto - feed->run)));
    feed->run = NULL;
}

static struct fr_resp_limit_level *level_of(struct fr_resp_limit *resp)
{
    return resp->depth == 0 ? NULL : &resp->levels[resp->depth - 1];
}

/* The item at hand is complete, and with it all arrays that it was the last element of. */
static void finish_item(struct fr_resp_limit *resp)
{
    resp->state = FR_RESP_LIMIT_HEADER;
    resp->header_len = 0;
    for (;;) {
        if (resp->skipping && resp->depth == resp->skip_depth)
            resp->skipping = false;
        struct fr_resp_limit_level *level = level_of(resp);
        if (level == NULL) {
            resp->spent = resp->elements = 0;
            return;
        }
        level->index++;
        if (--level->left > 0)
            return;
        resp->depth--;
    }
}

/* Gives the reader `instead` and nothing of the item itself. */
static void skip_item(struct feed *feed, const char *instead)
{
    if (feed->header_begin != NULL)
        flush(feed, feed->header_begin);
    feed->run = NULL;
    feed->pass(feed->user, freshet_span_text(instead));
    feed->resp->skipping = true;
    feed->resp->skip_depth = feed->resp->depth;
}

static bool is_body(struct fr_resp_limit *resp)
{
    const struct fr_resp_limit_level *level = &resp->levels[0];
    return resp->depth == 1 && level->index == 2 && level->kind_len > 0 &&
           level->kind_matched == level->kind_len;
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
    struct fr_resp_limit *resp = feed->resp;
    const struct fr_resp_limit_limits *limits = &resp->limits;
    if (limits->max_reply > 0) {
        if (!spend(&resp->spent, limits->max_reply, len, 1))
            skip_item(feed, "-" FR_RESP_LIMIT_CUT "\r\n");
    } else if (is_body(resp)) {
        if (len > limits->max_body)
            skip_item(feed, "$-1\r\n");
    } else if (!spend(&resp->spent, limits->max_bytes, len, 1)) {
        fail(resp, "a string over the limit was announced");
    }
}

static void begin_bulk(struct feed *feed, int64_t len)
{
    struct fr_resp_limit *resp = feed->resp;
    if (len < 0) {
        finish_item(resp);
        return;
    }
    resp->state = FR_RESP_LIMIT_BULK;
    resp->left = (uint64_t)len;
    if (resp->depth == 1 && resp->levels[0].index == 0 && (len == MESSAGE_LEN || len == SHARD_LEN))
        resp->levels[0].kind_len = (size_t)len;
    if (!resp->skipping)
        admit_bulk(feed, (uint64_t)len);
}

/* Counts an array's elements, skips it or fails. */
static void admit_array(struct feed *feed, uint64_t count)
{
    struct fr_resp_limit *resp = feed->resp;
    const struct fr_resp_limit_limits *limits = &resp->limits;
    if (limits->max_reply > 0) {
        if (!spend(&resp->spent, limits->max_reply, count, FR_RESP_LIMIT_ELEMENT_COST))
            skip_item(feed, "-" FR_RESP_LIMIT_CUT "\r\n");
    } else if (!spend(&resp->elements, limits->max_elements, count, 1)) {
        fail(resp, "an array over the limit was announced");
    }
}

static void begin_array(struct feed *feed, int64_t count)
{
    struct fr_resp_limit *resp = feed->resp;
    if (count <= 0) {
        finish_item(resp);
        return;
    }
    if (resp->depth == FR_RESP_LIMIT_DEPTH) {
        fail(resp, "arrays are nested too deep");
        return;
    }
    if (!resp->skipping)
        admit_array(feed, (uint64_t)count);
    if (resp->state == FR_RESP_LIMIT_BROKEN)
        return;
    resp->levels[resp->depth++] = (struct fr_resp_limit_level){.left = (uint64_t)count};
    resp->header_len = 0;
}

/* The digits between the type and CR LF. */
static bool read_number(const struct fr_resp_limit *resp, int64_t *number)
{
    const char *at = resp->header + 1, *end = resp->header + resp->header_len - 2;
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
    struct fr_resp_limit *resp = feed->resp;
    int64_t number = 0;
    if (resp->header[resp->header_len - 2] != '\r' || !read_number(resp, &number) ||
        (resp->header[0] != ':' && number < -1)) {
        fail(resp, "a length or number is not one");
        return;
    }
    bool passes = !resp->skipping;
    struct freshet_span header = freshet_span(resp->header, resp->header_len);
    if (resp->header[0] == '$')
        begin_bulk(feed, number);
    else if (resp->header[0] == '*')
        begin_array(feed, number);
    else
        finish_item(resp);
    bool replaced = passes && resp->skipping && feed->run == NULL;
    if (resp->state == FR_RESP_LIMIT_BROKEN || !passes || replaced)
        return;
    if (feed->header_begin == NULL)
        feed->pass(feed->user, header);
    if (feed->run == NULL)
        feed->run = feed->at;
}

/* Passed as it comes: the reader sees no length that it could believe. */
static void begin_line(struct fr_resp_limit *resp)
{
    resp->state = FR_RESP_LIMIT_LINE;
    resp->line_len = 0;
    resp->line_cr = false;
}

static void take_header(struct feed *feed)
{
    struct fr_resp_limit *resp = feed->resp;
    feed->header_begin = resp->header_len == 0 ? feed->at : NULL;
    while (feed->at < feed->end) {
        char byte = *feed->at++;
        if (resp->header_len == 0 && (byte == '+' || byte == '-')) {
            begin_line(resp);
            return;
        }
        if (resp->header_len == 0 && byte != '$' && byte != '*' && byte != ':') {
            fail(resp, "a reply of unknown type");
            return;
        }
        if (resp->header_len == sizeof(resp->header)) {
            fail(resp, "a length or number is not one");
            return;
        }
        resp->header[resp->header_len++] = byte;
        if (byte == '\n') {
            end_header(feed);
            return;
        }
    }
    /* Not complete: it waits here, not in the reader. */
    if (feed->header_begin != NULL)
        flush(feed, feed->header_begin);
}

static void take_line(struct feed *feed)
{
    struct fr_resp_limit *resp = feed->resp;
    const struct fr_resp_limit_limits *limits = &resp->limits;
    size_t limit = limits->max_reply > 0 ? limits->max_reply : limits->max_bytes;
    while (feed->at < feed->end) {
        char byte = *feed->at++;
        if (byte == '\n' && resp->line_cr) {
            finish_item(resp);
            return;
        }
        resp->line_cr = byte == '\r';
        bool is_long = ++resp->line_len > FR_RESP_LIMIT_ELEMENT_COST;
        if (is_long && !resp->skipping && !spend(&resp->spent, limit, 1, 1)) {
            fail(resp, "a line over the limit");
            return;
        }
    }
}

static void match_kind(struct fr_resp_limit *resp, struct freshet_span bytes)
{
    struct fr_resp_limit_level *level = &resp->levels[0];
    if (resp->depth != 1 || level->index != 0 || level->kind_matched >= level->kind_len)
        return;
    const char *kind = &SHARD_MESSAGE[SHARD_LEN - level->kind_len];
    if (memcmp(&kind[level->kind_matched], bytes.data, bytes.len) == 0)
        level->kind_matched += bytes.len;
    else
        level->kind_len = 0;
}

static void take_bulk(struct feed *feed)
{
    struct fr_resp_limit *resp = feed->resp;
    size_t here = (size_t)(feed->end - feed->at);
    if (here > resp->left)
        here = (size_t)resp->left;
    match_kind(resp, freshet_span(feed->at, here));
    feed->at += here;
    resp->left -= here;
    if (resp->left > 0)
        return;
    resp->state = FR_RESP_LIMIT_BULK_END;
    resp->left = 2;
}

static void take_bulk_end(struct feed *feed)
{
    struct fr_resp_limit *resp = feed->resp;
    if (*feed->at++ != (resp->left == 2 ? '\r' : '\n')) {
        fail(resp, "a string is longer than announced");
        return;
    }
    if (--resp->left == 0)
        finish_item(resp);
}

bool fr_resp_limit_feed(struct fr_resp_limit *resp, struct freshet_span bytes,
                        void (*pass)(void *user, struct freshet_span piece), void *user)
{
    struct feed feed = {
        .resp = resp, .at = bytes.data, .end = bytes.data + bytes.len, .pass = pass, .user = user};
    bool held = resp->state == FR_RESP_LIMIT_HEADER && resp->header_len > 0;
    if (!resp->skipping && !held)
        feed.run = feed.at;
    while (feed.at < feed.end && resp->state != FR_RESP_LIMIT_BROKEN) {
        if (feed.run == NULL && !resp->skipping && resp->header_len == 0)
            feed.run = feed.at;
        switch (resp->state) {
        case FR_RESP_LIMIT_HEADER:
            take_header(&feed);
            break;
        case FR_RESP_LIMIT_LINE:
            take_line(&feed);
            break;
        case FR_RESP_LIMIT_BULK:
            take_bulk(&feed);
            break;
        case FR_RESP_LIMIT_BULK_END:
            take_bulk_end(&feed);
            break;
        case FR_RESP_LIMIT_BROKEN:
            break;
        }
    }
    if (resp->state == FR_RESP_LIMIT_BROKEN)
        return false;
    flush(&feed, feed.end);
    return true;
}
