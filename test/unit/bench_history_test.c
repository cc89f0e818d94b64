/* bench/: streams in gzip and with differences, cut anywhere, alone and beside others that were sent the
 * same. */
#include "../../bench/tool/options/rule.c"
#include "../../bench/tool/wire/decoder.c"
#include "../../bench/tool/wire/difference.c"
#include "../../bench/tool/wire/history.c"
#include "../../bench/tool/wire/sse.c"
#include <criterion/criterion.h>

enum { STREAMS = 5 };

static struct rule rule;
static struct histories *histories;

static void begin(const char *rule_text, bool takes_differences)
{
    cr_assert(rule_parse(&rule, rule_text));
    histories = histories_new(&rule, takes_differences);
}

/* What came out, as text that can be compared. */
static void note_event(const struct sse_event *event, void *user)
{
    char line[128];
    int len = snprintf(line, sizeof(line), "%s/%lld/%u%s ", event->name,
                       event->has_number ? (long long)event->number : -1, event->data_len,
                       event->is_difference ? "d" : "");
    text_add(user, line, (size_t)len);
}

static const char *read_seen(struct text *seen)
{
    text_add(seen, "", 1);
    seen->len--;
    return seen->data;
}

/* ---- differences ---- */

static const char *apply_to(const char *held_text, const char *pieces)
{
    static struct text out;
    struct text held = {.data = (char *)held_text, .len = strlen(held_text)};
    /* Of its own, so that reading past its end is seen. */
    size_t len = strlen(pieces);
    char *copy = malloc(len + 1);
    memcpy(copy, pieces, len);
    out.len = 0;
    bool fine = difference_apply(&held, copy, len, &out);
    free(copy);
    text_add(&out, "", 1);
    return fine ? out.data : NULL;
}

/* Pieces are new texts and places of the text held, in UTF-16 code units. */
Test(bench_difference, puts_pieces_together)
{
    cr_assert_str_eq(apply_to("hello world", "[[6,11],\", \",[0,5]]"), "world, hello");
    cr_assert_str_eq(apply_to("hello", "[]"), "");
    cr_assert_str_eq(apply_to("", "[\"a\\n\\t\\\"\\\\\\/\\b\\f\\r\"]"), "a\n\t\"\\/\b\f\r");
    cr_assert_str_eq(apply_to("", "[\"\\u00e4\\u20ac\\ud83d\\ude00\\u0041\"]"), "ä€😀A");
    cr_assert_str_eq(apply_to("aä€😀b", "[[5,6],[3,5],[2,3],[1,2],[0,1],[0,0]]"), "b😀€äa");
}

Test(bench_difference, says_no_to_what_is_none)
{
    static const char *const wrong[] = {"",
                                        "[",
                                        "[[0,1]",
                                        "[[0,1],]",
                                        "[[0,7]]",
                                        "[[3,2]]",
                                        "[[0]]",
                                        "[\"a]",
                                        "[\"\\x\"]",
                                        "[\"\\u12\"]",
                                        "[\"\\ud83d\"]",
                                        "[\"\\ude00\"]",
                                        "[\"\\ud83d\\u0041\"]",
                                        "[[-1,1]]",
                                        "[1]",
                                        "[[0,1]] ",
                                        "{}",
                                        "[[0,99999999999999999999]]",
                                        "[\"a\\",
                                        "[[0,1]\"a\"]"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_null(apply_to("123456", wrong[i]), "%s", wrong[i]);
    cr_assert_null(apply_to("😀", "[[0,1]]"), "half of a character");
}

/* A stream from its beginning to its end in one piece. */
static bool take_all(const char *text, struct text *seen)
{
    struct history *at = history_begin(histories, false);
    bool fine = history_take(histories, &at, text, strlen(text), note_event, seen);
    history_leave(histories, at);
    return fine;
}

/* A difference names the version that it is to, and has the id of the new one. */
Test(bench_history, differences_are_told_as_what_they_make)
{
    static struct text seen;
    begin("after:n", true);
    cr_assert(take_all("id: a\ndata: n7 and\ndata: more\n\n"
                       "id: b\nevent: difference\ndata: a\ndata: [\"n8\",[2,11]]\n\n"
                       "event: load-error\ndata: {}\n\n"
                       "id: c\nevent: difference\ndata: b\ndata: [[0,1],\"9\"]\n\n",
                       &seen));
    cr_assert_str_eq(read_seen(&seen), "/7/11 /8/11d load-error/-1/2 /9/2d ");
    seen.len = 0;
    cr_assert_not(take_all("id: a\ndata: n7\n\nid: b\nevent: difference\ndata: x\ndata: [\"n8\"]\n\n", &seen),
                  "of another version");
    cr_assert_str_eq(read_seen(&seen), "/7/2 ");
    cr_assert_not(take_all("id: a\ndata: n7\n\nid: b\nevent: difference\ndata: a\n\n", &seen), "no pieces");
    cr_assert_not(take_all("id: b\nevent: difference\ndata: \ndata: [[0,1]]\n\n", &seen), "nothing held");
}

/* ---- gzip, and streams that share ---- */

/* Events of which each is the one before it with another number, as a stream in gzip. */
static struct text pack(unsigned events, bool ends)
{
    static char out[65536];
    char event[512];
    struct text packed = {0};
    z_stream gzip = {0};
    deflateInit2(&gzip, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    for (unsigned i = 1; i <= events; i++) {
        int len =
            snprintf(event, sizeof(event), "id: v%u\ndata: {\"some\": \"%0200d\", \"n\":%u}\n\n", i, 7, i);
        gzip.next_in = (Bytef *)event;
        gzip.avail_in = (uInt)len;
        gzip.next_out = (Bytef *)out;
        gzip.avail_out = sizeof(out);
        deflate(&gzip, i == events && ends ? Z_FINISH : Z_SYNC_FLUSH);
        text_add(&packed, out, sizeof(out) - gzip.avail_out);
    }
    deflateEnd(&gzip);
    return packed;
}

static unsigned count_histories(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        for (const struct history *at = histories->buckets[i]; at != NULL; at = at->next)
            count++;
    }
    return count;
}

/* Each of the streams takes pieces of another length. */
static void take_by(struct history **streams, const struct text *packed, struct text *seen)
{
    for (size_t i = 0; i < STREAMS; i++) {
        for (size_t at = 0; at < packed->len;) {
            size_t len = packed->len - at < 1 + i * 40 ? packed->len - at : 1 + i * 40;
            cr_assert(history_take(histories, &streams[i], packed->data + at, len, note_event, &seen[i]));
            at += len;
        }
    }
}

Test(bench_history, streams_that_were_sent_the_same_are_at_the_same_place)
{
    static const char expected[] = "/1/219 /2/219 /3/219 ";
    static struct text packed, seen[STREAMS];
    struct history *streams[STREAMS];
    packed = pack(3, true);
    begin("after:\"n\":", false);
    for (size_t i = 0; i < STREAMS; i++)
        streams[i] = history_begin(histories, true);
    take_by(streams, &packed, seen);
    for (size_t i = 0; i < STREAMS; i++) {
        cr_assert_str_eq(read_seen(&seen[i]), expected, "stream %zu: %s", i, seen[i].data);
        cr_assert_eq(streams[i], streams[0], "however it was cut");
        cr_assert(history_is_whole(streams[i]));
    }
    for (size_t i = 0; i < STREAMS; i++)
        history_leave(histories, streams[i]);
    while (histories->recent_count > 0)
        drop_step(histories, histories->oldest);
    cr_assert_eq(count_histories(), 0, "nothing is left");
}

Test(bench_history, what_is_cut_or_changed_is_told)
{
    static struct text packed, seen;
    packed = pack(3, true);
    begin("after:\"n\":", false);
    struct history *at = history_begin(histories, true);
    cr_assert(history_take(histories, &at, packed.data, packed.len - 1, note_event, &seen));
    cr_assert_not(history_is_whole(at), "a byte is missing");
    cr_assert_not(history_take(histories, &at, "x", 1, note_event, &seen), "the length is wrong");
    history_leave(histories, at);
    packed.data[packed.len - 6] ^= 1;
    at = history_begin(histories, true);
    cr_assert_not(history_take(histories, &at, packed.data, packed.len, note_event, &seen),
                  "the CRC is wrong");
    history_leave(histories, at);
    at = history_begin(histories, true);
    cr_assert_not(history_take(histories, &at, "data: 1\n\n", 9, note_event, &seen), "no gzip");
    history_leave(histories, at);
}

/* One stream stays at the beginning: what the others were sent since is not kept for it. */
Test(bench_history, what_is_kept_is_bounded)
{
    char event[64];
    static struct text seen;
    begin("first", true);
    struct history *stays = history_begin(histories, false);
    struct history *a = history_begin(histories, false), *b = history_begin(histories, false);
    for (int i = 1; i <= 3 * MAX_RECENT; i++) {
        int len = snprintf(event, sizeof(event), "id: %d\ndata: %d\n\n", i, i);
        cr_assert(history_take(histories, &a, event, (size_t)len, note_event, &seen));
        cr_assert(history_take(histories, &b, event, (size_t)len, note_event, &seen));
        cr_assert_eq(a, b);
    }
    cr_assert_leq(count_histories(), MAX_RECENT + 2);
    seen.len = 0;
    cr_assert(history_take(histories, &stays, "id: 1\ndata: 1\n\n", 15, note_event, &seen));
    cr_assert_str_eq(read_seen(&seen), "/1/1 ");
}
