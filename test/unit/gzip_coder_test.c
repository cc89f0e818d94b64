#include <criterion/criterion.h>

#include "core/codec/frame.h"
#include "core/codec/gzip_coder.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define STREAMS 60

/* A client that inflates what it is sent, and what it should have got. */
struct client {
    struct fr_gzip_stream stream;
    z_stream zlib;
    struct fr_buffer expected, got;
};

static struct fr_gzip_coder *coder;
static struct client clients[STREAMS];

static void feed(struct client *client, struct freshet_span coded)
{
    client->zlib.next_in = (Bytef *)coded.data;
    client->zlib.avail_in = (uInt)coded.len;
    while (client->zlib.avail_in > 0) {
        char *room = fr_buffer_reserve(&client->got, 65536);
        client->zlib.next_out = (Bytef *)room;
        client->zlib.avail_out = 65536;
        int status = inflate(&client->zlib, Z_SYNC_FLUSH);
        cr_assert(status == Z_OK || status == Z_STREAM_END, "%d %s", status,
                  client->zlib.msg == NULL ? "" : client->zlib.msg);
        client->got.len += 65536 - client->zlib.avail_out;
    }
}

static void expect_same(const struct client *client)
{
    cr_assert(freshet_span_equal(freshet_span(client->got.data, client->got.len),
                                 freshet_span(client->expected.data, client->expected.len)));
}

static void begin(void)
{
    coder = fr_gzip_coder_new();
    cr_assert_not_null(coder);
    for (size_t i = 0; i < STREAMS; i++) {
        cr_assert_eq(inflateInit2(&clients[i].zlib, 16 + MAX_WBITS), Z_OK);
        feed(&clients[i], freshet_span(FR_GZIP_HEAD, FR_GZIP_HEAD_BYTES));
    }
}

static void end(void)
{
    for (size_t i = 0; i < STREAMS; i++) {
        inflateEnd(&clients[i].zlib);
        fr_gzip_coder_forget(coder, &clients[i].stream);
        fr_buffer_deinit(&clients[i].expected);
        fr_buffer_deinit(&clients[i].got);
    }
    fr_gzip_coder_release(coder);
}

/* Made, whatever they refer to. */
static uint64_t deflates(void)
{
    struct freshet_stats stats;
    fr_gzip_coder_count(coder, &stats);
    return stats.gzip_deflated + stats.gzip_continued;
}

TestSuite(gzip_coder, .init = begin, .fini = end);

/* Bytes on the wire, without the chunk around them. */
static size_t push(struct client *client, struct fr_gzip_memo *memo, struct fr_bytes *frame,
                   enum fr_gzip_kind kind, size_t readers)
{
    struct fr_gzip_ask ask = {frame, kind, readers};
    struct fr_bytes *coded = fr_gzip_coder_encode(coder, &client->stream, memo, &ask);
    cr_assert_not_null(coded);
    struct freshet_span body = fr_frame_body(coded->span);
    size_t len = body.len;
    feed(client, body);
    fr_bytes_release(coded);
    fr_buffer_append(&client->expected, fr_frame_body(frame->span));
    return len;
}

/* A board of so many tasks, one of which differs. */
static struct fr_bytes *board(const char *name, unsigned tasks, unsigned changed)
{
    struct fr_buffer text = {0};
    struct fr_version version = fr_version_of(freshet_span_text("l"), freshet_span_text("t"),
                                              freshet_span((const char *)&changed, sizeof(changed)));
    for (unsigned i = 0; i < tasks; i++)
        fr_buffer_print(&text, "{\"id\":\"%s-%u\",\"title\":\"Look at %08x\",\"state\":\"%s\",\"at\":%u}\n",
                        name, i, (i + 1) * 2654435761u, i == changed % tasks ? "done" : "open",
                        1700000000 + i * i * 977);
    struct fr_bytes *plain = fr_frame_snapshot(&version, freshet_span(text.data, text.len));
    fr_buffer_deinit(&text);
    return plain;
}

static struct fr_bytes *named_board(const char *name, unsigned tasks, unsigned changed)
{
    struct fr_bytes *plain = board(name, tasks, changed),
                    *named = fr_frame_named(plain, freshet_span_text(name));
    fr_bytes_release(plain);
    return named;
}

Test(gzip_coder, ten_thousand_equal_streams_cost_one_deflate)
{
    struct fr_bytes *one = board("b", 80, 1), *two = board("b", 80, 2);
    struct fr_gzip_memo memo = {NULL};
    struct fr_gzip_stream *streams = calloc(10000, sizeof(*streams));
    for (unsigned round = 0; round < 2; round++)
        for (size_t i = 0; i < 10000; i++)
            fr_bytes_release(
                fr_gzip_coder_encode(coder, &streams[i], &memo,
                                     &(struct fr_gzip_ask){round == 0 ? one : two, FR_GZIP_STATE, 10000}));
    cr_assert_eq(deflates(), 2);
    for (size_t i = 0; i < 10000; i++)
        fr_gzip_coder_forget(coder, &streams[i]);
    fr_gzip_coder_forget_memo(coder, &memo);
    free(streams);
    fr_bytes_release(one);
    fr_bytes_release(two);
}

Test(gzip_coder, a_change_costs_little_and_a_stream_that_skipped_shares_nothing_wrong)
{
    struct fr_bytes *one = board("b", 80, 1), *two = board("b", 80, 2), *three = board("b", 80, 3);
    size_t alone = push(&clients[0], NULL, one, FR_GZIP_STATE, 2);
    push(&clients[1], NULL, one, FR_GZIP_STATE, 2);
    push(&clients[0], NULL, two, FR_GZIP_STATE, 2);
    size_t skipped = push(&clients[1], NULL, three, FR_GZIP_STATE, 2);
    size_t followed = push(&clients[0], NULL, three, FR_GZIP_STATE, 2);
    cr_assert_lt(skipped * 5, alone);
    cr_assert_lt(followed * 5, alone);
    cr_assert_eq(deflates(), 4);
    /* From here on both have the same before them. */
    push(&clients[0], NULL, one, FR_GZIP_STATE, 2);
    push(&clients[1], NULL, one, FR_GZIP_STATE, 2);
    cr_assert_eq(deflates(), 5);
    expect_same(&clients[0]);
    expect_same(&clients[1]);
    fr_bytes_release(one);
    fr_bytes_release(two);
    fr_bytes_release(three);
}

Test(gzip_coder, what_does_not_pay_is_stored)
{
    struct fr_bytes *small = board("b", 2, 1), *large = board("b", 80, 1);
    cr_assert_eq(push(&clients[0], NULL, small, FR_GZIP_STATE, 1),
                 fr_gzip_stored_bytes(fr_frame_body(small->span).len));
    cr_assert_null(clients[0].stream.history);
    cr_assert_eq(deflates(), 0);
    push(&clients[1], NULL, small, FR_GZIP_STATE, 1000);
    cr_assert_eq(deflates(), 1);
    push(&clients[2], NULL, large, FR_GZIP_STATE, 1);
    cr_assert_eq(deflates(), 2);
    push(&clients[2], NULL, small, FR_GZIP_OTHER, 100000); /* a comment, say */
    cr_assert_eq(deflates(), 2);
    for (size_t i = 0; i < 3; i++)
        expect_same(&clients[i]);
    fr_bytes_release(small);
    fr_bytes_release(large);
}

Test(gzip_coder, comments_and_errors_between_shift_the_window_and_nothing_breaks)
{
    struct fr_bytes *one = board("b", 80, 1), *two = board("b", 80, 2);
    struct fr_bytes *comment = fr_frame_comment(freshet_span_text("alive"));
    struct fr_bytes *error = fr_frame_load_error(freshet_span_text("store-down"), freshet_span_text("later"));
    for (size_t i = 0; i < 4; i++)
        push(&clients[i], NULL, one, FR_GZIP_STATE, 4);
    push(&clients[1], NULL, comment, FR_GZIP_OTHER, 4);
    push(&clients[2], NULL, comment, FR_GZIP_OTHER, 4);
    push(&clients[2], NULL, error, FR_GZIP_OTHER, 4);
    push(&clients[3], NULL, comment, FR_GZIP_OTHER, 4);
    for (size_t i = 0; i < 4; i++)
        cr_assert_lt(push(&clients[i], NULL, two, FR_GZIP_STATE, 4), 700);
    cr_assert_eq(deflates(), 4, "1 and 3 share"); /* the first, and three ways to the second */
    for (size_t i = 0; i < 4; i++)
        expect_same(&clients[i]);
    fr_bytes_release(one);
    fr_bytes_release(two);
    fr_bytes_release(comment);
    fr_bytes_release(error);
}

Test(gzip_coder, views_of_one_stream_refer_to_the_last_of_their_name)
{
    struct fr_bytes *a1 = named_board("/a", 60, 1), *b1 = named_board("/b", 90, 1);
    struct fr_bytes *a2 = named_board("/a", 60, 2), *b2 = named_board("/b", 90, 2);
    push(&clients[0], NULL, a1, FR_GZIP_NAMED, 10);
    size_t first = push(&clients[0], NULL, b1, FR_GZIP_NAMED, 10);
    cr_assert_lt(push(&clients[0], NULL, a2, FR_GZIP_NAMED, 10) * 2, first);
    cr_assert_lt(push(&clients[0], NULL, b2, FR_GZIP_NAMED, 10) * 2, first);
    expect_same(&clients[0]);
    fr_bytes_release(a1);
    fr_bytes_release(a2);
    fr_bytes_release(b1);
    fr_bytes_release(b2);
}

/* Each has a view of its own before the one they share. */
Test(gzip_coder, streams_of_different_views_share_what_they_have_in_common)
{
    struct fr_bytes *common[3], *own[STREAMS];
    for (unsigned i = 0; i < 3; i++)
        common[i] = named_board("/board", 60, i);
    for (unsigned i = 0; i < STREAMS; i++) {
        own[i] = named_board("/me", 60, i);
        push(&clients[i], NULL, own[i], FR_GZIP_NAMED, 1);
    }
    cr_assert_eq(deflates(), STREAMS);
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < STREAMS; i++)
            push(&clients[i], NULL, common[round], FR_GZIP_NAMED, STREAMS);
    cr_assert_eq(deflates(), STREAMS + 3);
    for (unsigned i = 0; i < STREAMS; i++) {
        expect_same(&clients[i]);
        fr_bytes_release(own[i]);
    }
    for (unsigned i = 0; i < 3; i++)
        fr_bytes_release(common[i]);
}

/* What few were sent and what was not worth it stands between the two boards of each. */
Test(gzip_coder, what_only_one_stream_has_costs_the_others_no_encoding)
{
    struct fr_bytes *one = named_board("/board", 20, 1), *two = named_board("/board", 20, 2);
    for (unsigned i = 0; i < STREAMS; i++)
        push(&clients[i], NULL, one, FR_GZIP_NAMED, STREAMS);
    for (unsigned i = 0; i < STREAMS; i++) {
        struct fr_bytes *own = named_board("/me", 1, i);
        push(&clients[i], NULL, own, FR_GZIP_NAMED, 1);
        fr_bytes_release(own);
    }
    cr_assert_eq(deflates(), 1);
    for (unsigned i = 0; i < STREAMS; i++)
        push(&clients[i], NULL, two, FR_GZIP_NAMED, STREAMS);
    cr_assert_eq(deflates(), 2);
    for (unsigned i = 0; i < STREAMS; i++)
        expect_same(&clients[i]);
    fr_bytes_release(one);
    fr_bytes_release(two);
}

Test(gzip_coder, messages_refer_to_the_few_before_them)
{
    struct fr_bytes *messages[12];
    for (unsigned i = 0; i < 12; i++)
        messages[i] = board("b", 20, i);
    for (unsigned i = 0; i < 6; i++)
        push(&clients[0], NULL, messages[i], FR_GZIP_MESSAGE, 10);
    cr_assert_eq(deflates(), 6);
    /* Another one joins: after a few they have the same before them. */
    for (unsigned i = 6; i < 12; i++)
        for (unsigned client = 0; client < 2; client++)
            push(&clients[client], NULL, messages[i], FR_GZIP_MESSAGE, 10);
    cr_assert_eq(deflates(), 6 + 2 * 4 + 2);
    expect_same(&clients[0]);
    expect_same(&clients[1]);
    for (unsigned i = 0; i < 12; i++)
        fr_bytes_release(messages[i]);
}

Test(gzip_coder, large_frames_are_deflated_only_when_prepared)
{
    struct fr_bytes *one = board("b", 1000, 1), *two = board("b", 1000, 2);
    size_t stored = push(&clients[0], NULL, one, FR_GZIP_STATE, 1000);
    cr_assert_geq(stored, fr_frame_body(one->span).len);
    cr_assert_eq(deflates(), 0);
    struct fr_gzip_ask ask = {two, FR_GZIP_NAMED, 1};
    cr_assert(fr_gzip_coder_wants_prepared(coder, &ask));
    fr_gzip_coder_prepare(coder, two);
    fr_gzip_coder_prepare(coder, two);
    cr_assert_not(fr_gzip_coder_wants_prepared(coder, &ask));
    cr_assert_eq(deflates(), 1);
    cr_assert_lt(push(&clients[0], NULL, two, FR_GZIP_STATE, 1000), stored / 3);
    push(&clients[1], NULL, two, FR_GZIP_STATE, 1000);
    expect_same(&clients[0]);
    expect_same(&clients[1]);
    fr_bytes_release(one);
    fr_bytes_release(two);
}

/* Frames that nobody but the coder holds are gone. */
static size_t count_held(struct fr_bytes *const *frames, size_t count)
{
    size_t held = 0;
    for (size_t i = 0; i < count; i++)
        held += atomic_load(&frames[i]->references.holders) > 1;
    return held;
}

/* contract 5.11: a comment is small, but what stands before it may be large. Of streams that have gone, each
 * of a feed of its own, at most a few megabytes are kept. */
Test(gzip_coder, what_is_kept_for_others_is_bounded_with_all_that_it_refers_to)
{
    struct fr_bytes *boards[400], *comment = fr_frame_comment(freshet_span_text("alive"));
    for (unsigned i = 0; i < 400; i++) {
        struct fr_gzip_stream stream = {.history = NULL};
        struct fr_gzip_ask ask = {boards[i] = board("b", 600, i), FR_GZIP_STATE, 1};
        fr_bytes_release(fr_gzip_coder_encode(coder, &stream, NULL, &ask));
        for (unsigned beat = 0; beat < 2; beat++) {
            ask = (struct fr_gzip_ask){comment, FR_GZIP_OTHER, SIZE_MAX};
            fr_bytes_release(fr_gzip_coder_encode(coder, &stream, NULL, &ask));
        }
        fr_gzip_coder_forget(coder, &stream);
    }
    size_t held = count_held(boards, 400), each = boards[0]->span.len;
    cr_assert_gt(held, 0);
    cr_assert_leq(held * each, 8 << 20, "%zu of %zu bytes", held, each);
    for (unsigned i = 0; i < 400; i++)
        fr_bytes_release(boards[i]);
    fr_bytes_release(comment);
}

#define THREADS 8
#define ROUNDS  100

static struct fr_bytes *rounds[ROUNDS];

static void *follow(void *user)
{
    struct client *client = user;
    struct fr_gzip_memo memo = {NULL};
    for (size_t i = 0; i < ROUNDS; i++)
        push(client, &memo, rounds[i], FR_GZIP_STATE, THREADS);
    fr_gzip_coder_forget_memo(coder, &memo);
    return NULL;
}

/* Who asks for what another thread has begun waits for it. */
Test(gzip_coder, threads_share_each_encoding)
{
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < ROUNDS; i++)
        rounds[i] = board("b", 200, i);
    for (size_t i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, follow, &clients[i]), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(deflates(), ROUNDS);
    for (size_t i = 0; i < THREADS; i++)
        expect_same(&clients[i]);
    for (unsigned i = 0; i < ROUNDS; i++)
        fr_bytes_release(rounds[i]);
}

/* Any order of states, names, messages, comments and skips, against zlib's inflate; the trail, too. */
Test(gzip_coder, random_orders_come_back_as_they_were)
{
    struct fr_bytes *frames[40];
    enum fr_gzip_kind kinds[40];
    struct fr_gzip_memo memo = {NULL};
    srand(1);
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned i = 0; i < 40; i++) {
            kinds[i] = (enum fr_gzip_kind)(rand() % 4);
            unsigned tasks = 1 + (unsigned)rand() % (rand() % 8 == 0 ? 900 : 60);
            char name[8];
            snprintf(name, sizeof(name), "/v%d", rand() % 4);
            frames[i] = kinds[i] == FR_GZIP_NAMED   ? named_board(name, tasks, (unsigned)rand())
                        : kinds[i] == FR_GZIP_OTHER ? fr_frame_comment(freshet_span_text("hello"))
                                                    : board("b", tasks, (unsigned)rand());
            if (kinds[i] == FR_GZIP_STATE && rand() % 2 == 0)
                fr_gzip_coder_prepare(coder, frames[i]);
            for (size_t client = 0; client < STREAMS; client++)
                if (rand() % 3 != 0)
                    push(&clients[client], rand() % 2 == 0 ? &memo : NULL, frames[i], kinds[i],
                         (size_t)rand() % 30);
        }
        for (unsigned i = 0; i < 40; i++)
            fr_bytes_release(frames[i]);
    }
    fr_gzip_coder_forget_memo(coder, &memo);
    for (size_t i = 0; i < STREAMS; i++) {
        char tail[FR_GZIP_TAIL_BYTES];
        fr_gzip_tail(tail, &clients[i].stream.sum);
        feed(&clients[i], freshet_span(tail, sizeof(tail))); /* inflate checks length and sum */
        expect_same(&clients[i]);
    }
}
