#include <criterion/criterion.h>

#include "core/codec/gzip.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct fr_buffer sent, plain;
static struct fr_gzip_sum sum;
static struct fr_deflater *deflater;

static void begin(void)
{
    deflater = fr_deflater_new();
    cr_assert_not_null(deflater);
    fr_buffer_append(&sent, freshet_span(FR_GZIP_HEAD, FR_GZIP_HEAD_BYTES));
}

static void end(void)
{
    fr_deflater_destroy(deflater);
    fr_buffer_deinit(&sent);
    fr_buffer_deinit(&plain);
}

TestSuite(gzip, .init = begin, .fini = end);

static void count(struct freshet_span content)
{
    struct fr_gzip_part_sum part = fr_gzip_sum_of(content);
    fr_gzip_sum_add(&sum, &part);
    fr_buffer_append(&plain, content);
}

static size_t send_deflated(const struct freshet_span *before, size_t before_count,
                            struct freshet_span content)
{
    size_t len = sent.len;
    fr_gzip_deflate(deflater, &sent, before, before_count, content);
    count(content);
    return sent.len - len;
}

static void send_stored(struct freshet_span content)
{
    size_t len = fr_gzip_stored_bytes(content.len);
    char *room = fr_buffer_reserve(&sent, len);
    cr_assert_eq(fr_gzip_store(room, content), room + len);
    sent.len += len;
    count(content);
}

/* All that was sent up to here is there for the reader, without anything after it. */
static void expect_all_there(void)
{
    z_stream zlib = {.zalloc = Z_NULL};
    char *out = malloc(plain.len + 1);
    cr_assert_eq(inflateInit2(&zlib, 16 + MAX_WBITS), Z_OK);
    zlib.next_in = (Bytef *)sent.data;
    zlib.avail_in = (uInt)sent.len;
    zlib.next_out = (Bytef *)out;
    zlib.avail_out = (uInt)plain.len + 1;
    int status = inflate(&zlib, Z_SYNC_FLUSH);
    cr_assert(status == Z_OK || status == Z_BUF_ERROR, "%d %s", status, zlib.msg == NULL ? "" : zlib.msg);
    cr_assert(freshet_span_equal(freshet_span(out, zlib.total_out), freshet_span(plain.data, plain.len)));
    inflateEnd(&zlib);
    free(out);
}

/* zlib checks the sum and the length. */
static void expect_whole_file(void)
{
    char tail[FR_GZIP_TAIL_BYTES];
    z_stream zlib = {.zalloc = Z_NULL};
    char *out = malloc(plain.len + 1);
    fr_gzip_tail(tail, &sum);
    fr_buffer_append(&sent, freshet_span(tail, sizeof(tail)));
    cr_assert_eq(inflateInit2(&zlib, 16 + MAX_WBITS), Z_OK);
    zlib.next_in = (Bytef *)sent.data;
    zlib.avail_in = (uInt)sent.len;
    zlib.next_out = (Bytef *)out;
    zlib.avail_out = (uInt)plain.len + 1;
    cr_assert_eq(inflate(&zlib, Z_FINISH), Z_STREAM_END, "%s", zlib.msg == NULL ? "" : zlib.msg);
    cr_assert_eq(zlib.avail_in, 0);
    cr_assert(freshet_span_equal(freshet_span(out, zlib.total_out), freshet_span(plain.data, plain.len)));
    inflateEnd(&zlib);
    free(out);
}

/* A board of about 8.6 KB; the state of one task differs. */
static struct freshet_span board(struct fr_buffer *buffer, unsigned tasks, unsigned changed)
{
    buffer->len = 0;
    for (unsigned i = 0; i < tasks; i++)
        fr_buffer_print(buffer,
                        "data: {\"id\":\"task-%u\",\"title\":\"Look at number %u again\",\"state\":\"%s\","
                        "\"owner\":\"user%u\",\"at\":%u}\n",
                        i, i * 7919 % 1000, i == changed ? "done" : "open", i * 31 % 17,
                        1700000000 + i * 977);
    return freshet_span(buffer->data, buffer->len);
}

Test(gzip, an_empty_stream_is_a_gzip_file)
{
    expect_all_there();
    expect_whole_file();
}

Test(gzip, a_change_costs_little_against_what_was_sent_before)
{
    struct fr_buffer one = {0}, two = {0};
    struct freshet_span first = board(&one, 80, 3), second = board(&two, 80, 50);
    cr_assert_gt(first.len, 8000);
    size_t alone = send_deflated(NULL, 0, first);
    cr_assert_gt(alone, 1000);
    size_t change = send_deflated(&first, 1, second);
    cr_assert_lt(change, 200, "%zu", change);
    expect_all_there();
    expect_whole_file();
    fr_buffer_deinit(&one);
    fr_buffer_deinit(&two);
}

Test(gzip, stored_parts_go_anywhere_and_can_be_referred_to)
{
    struct freshet_span comment = freshet_span_text(": alive\n\n"),
                        text = freshet_span_text("data: abcabcabc\n\n");
    struct freshet_span before[] = {text, comment};
    send_stored(comment);
    send_deflated(NULL, 0, text);
    send_stored(comment);
    send_deflated(before, COUNT(before), text);
    send_deflated(before + 1, 0, text); /* refers to nothing */
    expect_all_there();
    expect_whole_file();
}

Test(gzip, parts_of_every_size_are_stored)
{
    static const size_t sizes[] = {1, 2, 65534, 65535, 65536, 131070, 131071, 300000};
    char *bytes = malloc(300000);
    for (size_t i = 0; i < 300000; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    cr_assert_eq(fr_gzip_stored_bytes(0), 0);
    for (size_t i = 0; i < COUNT(sizes); i++)
        send_stored(freshet_span(bytes, sizes[i]));
    expect_all_there();
    expect_whole_file();
    free(bytes);
}

Test(gzip, only_the_window_is_referred_to)
{
    char *noise = malloc(FR_GZIP_WINDOW_BYTES * 3);
    for (size_t i = 0; i < FR_GZIP_WINDOW_BYTES * 3; i++)
        noise[i] = (char)rand();
    struct freshet_span large = freshet_span(noise, FR_GZIP_WINDOW_BYTES * 2 + 100);
    struct freshet_span tail = freshet_span(noise + FR_GZIP_WINDOW_BYTES * 2, 100);
    send_deflated(NULL, 0, large);
    cr_assert_lt(send_deflated(&large, 1, tail), 50);
    struct freshet_span before[] = {large, tail};
    cr_assert_lt(send_deflated(before, 2, tail), 50);
    /* Beyond the window: nothing can be saved. */
    struct freshet_span early = freshet_span(noise, 1000), three[] = {large, tail, tail};
    cr_assert_geq(send_deflated(three, 3, early), 1000);
    expect_all_there();
    expect_whole_file();
    free(noise);
}

/* Against zlib's inflate: any order of parts, each referring to any number of those right before it. */
Test(gzip, random_orders_come_back_as_they_were)
{
    struct fr_buffer room[40] = {{0}};
    struct freshet_span before[40];
    for (unsigned round = 0; round < 200; round++) {
        size_t count_before = 0;
        sent.len = FR_GZIP_HEAD_BYTES;
        plain.len = 0;
        sum = (struct fr_gzip_sum){0};
        srand(round);
        for (unsigned i = 0; i < 40; i++) {
            struct freshet_span content = board(&room[i], 1 + (unsigned)rand() % 120, (unsigned)rand() % 120);
            size_t known = (size_t)rand() % (count_before + 1);
            switch (rand() % 3) {
            case 0:
                send_stored(content);
                break;
            default:
                send_deflated(before + count_before - known, known, content);
            }
            before[count_before++] = content;
        }
        expect_all_there();
        expect_whole_file();
    }
    for (size_t i = 0; i < COUNT(room); i++)
        fr_buffer_deinit(&room[i]);
}
