/* One stream with a scripted view, transport and clock: the core and h2o are not there. */
#include "base/buffer.h"
#include "base/bytes.h"
#include "web/stream/stream.h"
#include <criterion/criterion.h>
#include <freshet/instance.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The core's part of the seam. */

struct fr_worker {
    struct fr_counters counters;
};
struct fr_fanout {
    struct fr_bytes *newest, *error;
    unsigned skipped;
};

static struct fr_worker worker;
static struct fr_fanout fanout;
static unsigned ends[FRESHET_CLOSE_REASONS];

struct fr_counters *fr_worker_counters(struct fr_worker *of)
{
    return &of->counters;
}

/* What is told to whoever looks for a fault, without the stream's address. */
static char lines[1024];

static void note(enum freshet_log_level level, const char *text, void *user)
{
    (void)user;
    size_t used = strlen(lines);
    if (level == FRESHET_LOG_DEBUG)
        snprintf(lines + used, sizeof(lines) - used, "%s\n", strchr(text, ':') + 2);
}

static struct freshet_log log_of_worker = {.write = note, .level = FRESHET_LOG_DEBUG};

const struct freshet_log *fr_worker_log(const struct fr_worker *of)
{
    (void)of;
    return &log_of_worker;
}

void fr_histogram_add(struct fr_histogram *histogram, int64_t us)
{
    histogram->buckets[0]++;
    histogram->sum_us += (uint64_t)us;
}

void fr_stream_end(struct fr_worker *of, struct fr_quota *quota, enum freshet_close_reason reason)
{
    (void)of;
    (void)quota;
    ends[reason]++;
}

void fr_view_close(struct fr_view *view)
{
    view->fanout = NULL;
}

static struct fr_bytes *take(struct fr_bytes **slot)
{
    struct fr_bytes *taken = *slot;
    *slot = NULL;
    return taken;
}

enum fr_view_news fr_view_take(struct fr_view *view, struct fr_bytes **frame)
{
    if (view->fanout == NULL)
        return FR_NEWS_NONE;
    if ((*frame = take(&view->fanout->newest)) != NULL)
        return FR_NEWS_SNAPSHOT;
    return (*frame = take(&view->fanout->error)) != NULL ? FR_NEWS_ERROR : FR_NEWS_NONE;
}

/* Streams of several views: views_test.c. */
enum fr_view_news fr_views_take(struct fr_views *views, struct fr_bytes **frame);
void fr_views_destroy(struct fr_views *views);

enum fr_view_news fr_views_take(struct fr_views *views, struct fr_bytes **frame)
{
    (void)views;
    *frame = NULL;
    return FR_NEWS_NONE;
}

void fr_views_destroy(struct fr_views *views)
{
    cr_assert_null(views);
}

static struct fr_bytes *chunk(const char *event)
{
    char text[256];
    snprintf(text, sizeof(text), "%zx\r\n%s\r\n", strlen(event), event);
    return fr_bytes_copy(freshet_span_text(text));
}

struct fr_bytes *fr_frame_end(const struct fr_end *end)
{
    char event[128];
    snprintf(event, sizeof(event), "end %.*s %d\n\n", (int)end->code.len, end->code.data, end->retry_ms >= 0);
    return chunk(event);
}

struct freshet_span fr_frame_body(struct freshet_span frame)
{
    const char *body = strchr(frame.data, '\n') + 1;
    return freshet_span(body, frame.len - (size_t)(body - frame.data) - 2);
}

/* The encoder: says around a frame that it was there. */

struct fr_encoder {
    struct fr_list waiting;
    bool defers, fails;
    unsigned forgotten;
    enum fr_view_news news; /* it was told of last */
};
static struct fr_encoder encoder;

bool fr_encoder_defer(struct fr_stream *of, enum fr_view_news news, struct fr_bytes *frame)
{
    (void)news;
    (void)frame;
    if (encoder.defers) {
        fr_wheel_remove(&of->config->group->wheel, &of->link);
        fr_list_append(&encoder.waiting, &of->link);
    }
    return encoder.defers;
}

static struct fr_bytes *encode(struct fr_bytes *frame, const char *name)
{
    char text[128];
    struct freshet_span body = fr_frame_body(frame->span);
    snprintf(text, sizeof(text), "%s(%.*s)", name, (int)body.len, body.data);
    fr_bytes_release(frame);
    return encoder.fails ? NULL : chunk(text);
}

struct fr_bytes *fr_encoder_encode(struct fr_stream *of, enum fr_view_news news, struct fr_bytes *frame)
{
    (void)of;
    encoder.news = news;
    return encode(frame, "gz");
}

struct fr_bytes *fr_encoder_finish(struct fr_stream *of, struct fr_bytes *frame)
{
    (void)of;
    return encode(frame, "last");
}

void fr_encoder_forget(struct fr_stream *of)
{
    (void)of;
    encoder.forgotten++;
}

struct fr_stream *fr_encoder_next(const struct fr_encoder *of, const struct fr_stream *before)
{
    cr_assert_null(before);
    return fr_list_is_empty(&of->waiting) ? NULL : FR_CONTAINER(of->waiting.next, struct fr_stream, link);
}

/* The transport: takes `room` bytes, then is full. */

static struct {
    struct fr_buffer out;
    size_t room;
    bool broken, waits, finished, closed;
    uint32_t written, queued; /* queued: not acknowledged, as the test says */
    unsigned asked;           /* how often it was asked for that */
    unsigned ended;
    enum freshet_close_reason reason;
} wire;

static ssize_t wire_send(struct fr_stream *stream, struct freshet_span bytes)
{
    (void)stream;
    cr_assert(!wire.waits && !wire.finished && !wire.closed, "nothing is sent while the connection is full");
    if (wire.broken)
        return -1;
    size_t taken = bytes.len < wire.room ? bytes.len : wire.room;
    wire.room -= taken;
    wire.written += (uint32_t)taken;
    wire.waits = taken < bytes.len;
    fr_buffer_append(&wire.out, freshet_span(bytes.data, taken));
    return (ssize_t)taken;
}

static uint32_t wire_written(const struct fr_stream *stream)
{
    (void)stream;
    return wire.written;
}

static uint32_t wire_queued(const struct fr_stream *stream)
{
    (void)stream;
    wire.asked++;
    return wire.queued;
}

static void wire_finish(struct fr_stream *stream)
{
    (void)stream;
    wire.finished = true;
}

static void wire_ended(struct fr_stream *stream, enum freshet_close_reason reason)
{
    (void)stream;
    wire.ended++;
    wire.reason = reason;
}

static void wire_close(struct fr_stream *stream)
{
    (void)stream;
    wire.closed = true;
}

static const struct fr_stream_ops ops = {.send = wire_send,
                                         .written = wire_written,
                                         .queued = wire_queued,
                                         .finish = wire_finish,
                                         .ended = wire_ended,
                                         .close = wire_close};

#define HEARTBEAT     "3\r\n:\n\n\r\n"
#define EVENT(letter) "3\r\n" letter "\n\n\r\n"

static struct fr_stream_group group;
static struct fr_stream_config config;
static struct fr_stream *stream;

static void open_stream(bool chunked)
{
    group.worker = &worker;
    group.now_ms = UINT32_MAX - 100; /* the clock's end comes in the middle of the tests */
    fr_wheel_init(&group.wheel, group.now_ms);
    config = (struct fr_stream_config){.group = &group,
                                       .ops = &ops,
                                       .heartbeat = chunk(":\n\n"),
                                       .heartbeat_ms = 1000,
                                       .max_age_ms = FRESHET_NEVER,
                                       .write_timeout_ms = 300,
                                       .retry_min_ms = 10,
                                       .retry_max_ms = 20};
    wire.room = SIZE_MAX;
    wire.written = UINT32_MAX - 3; /* begins anew, too */
    stream = calloc(1, sizeof(*stream));
    fr_stream_init(stream, &config, chunked);
    stream->view.fanout = &fanout;
    fr_stream_opened(stream, 0);
}

static void show(const char *event)
{
    fanout.skipped += fanout.newest != NULL;
    fr_bytes_release(fanout.newest);
    fanout.newest = chunk(event);
    fr_stream_ready(stream);
}

static void make_room(size_t room)
{
    wire.room = room;
    wire.waits = false;
    fr_stream_writable(stream, 0);
}

/* Lets time pass in steps of a millisecond, as a loop would that is never late. */
static void pass(uint32_t ms)
{
    for (uint32_t i = 0; i < ms; i++) {
        group.now_ms++;
        for (struct fr_list *link; (link = fr_wheel_shift(&group.wheel, group.now_ms)) != NULL;)
            fr_stream_check(FR_CONTAINER(link, struct fr_stream, link));
    }
}

static void expect_out(const char *text)
{
    cr_assert_eq(wire.out.len, strlen(text), "%zu bytes: %.*s", wire.out.len, (int)wire.out.len,
                 wire.out.data);
    cr_assert(wire.out.len == 0 || memcmp(wire.out.data, text, wire.out.len) == 0, "%.*s", (int)wire.out.len,
              wire.out.data);
    wire.out.len = 0;
}

static void expect_over(enum freshet_close_reason reason)
{
    cr_assert_eq(wire.ended, 1);
    cr_assert_eq(wire.reason, reason);
    cr_assert_eq(ends[reason], 1);
    cr_assert_null(stream->view.fanout);
    cr_assert_null(stream->frame);
    cr_assert_null(stream->end);
}

static void expect_closed(enum freshet_close_reason reason)
{
    expect_over(reason);
    cr_assert(wire.closed);
    cr_assert_eq(group.count, 0);
    cr_assert_eq(group.wheel.count, 0);
}

Test(stream, sends_news_byte_for_byte_and_counts_them)
{
    open_stream(true);
    show("a\n\n");
    show("b\n\n");
    expect_out(EVENT("a") EVENT("b"));
    cr_assert_eq(stream->bytes, 2 * strlen(EVENT("a")));
    cr_assert_eq(atomic_load(&worker.counters.bytes_sent), 2 * strlen(EVENT("a")));
    cr_assert_eq(worker.counters.write_time.buckets[0], 0);
}

/* contract 8.2: a line for each change of state, for whoever looks for a fault */
Test(stream, tells_each_change_of_state)
{
    open_stream(true);
    show("a\n\n");
    wire.room = 3;
    show("b\n\n");
    make_room(SIZE_MAX);
    fr_stream_lost(stream, FRESHET_CLOSE_TOPIC);
    pass(FR_STREAM_LINGER_MS + FR_WHEEL_TICK_MS);
    expect_closed(FRESHET_CLOSE_TOPIC);
    cr_assert_str_eq(lines, "opening -> idle\n"
                            "idle -> writing\n"
                            "writing -> idle\n"
                            "idle -> ending\n"
                            "ending -> lingering\n"
                            "lingering -> closed\n");
}

/* contract 5.6 */
Test(stream, sends_http_1_0_the_event_without_its_chunk)
{
    open_stream(false);
    show("a\n\n");
    fr_stream_lost(stream, FRESHET_CLOSE_TOPIC);
    expect_out("a\n\nend topic-moved 1\n\n");
}

static void open_gzip_stream(bool chunked)
{
    open_stream(chunked);
    fr_list_init(&encoder.waiting);
    group.encoder = &encoder;
    config.gzip_at = 1; /* only the encoder looks there */
}

/* As the encoder does. */
static void end_deferral(void)
{
    encoder.defers = false;
    cr_assert_not_null(fr_list_shift(&encoder.waiting));
    fr_stream_encoded(stream);
}

/* contract 5.11 */
Test(stream, in_gzip_each_frame_is_what_the_encoder_says)
{
    open_gzip_stream(true);
    show("a\n\n");
    expect_out("7\r\ngz(a\n\n)\r\n");
    cr_assert_eq(encoder.news, FR_NEWS_SNAPSHOT);
    pass(1001);
    expect_out("7\r\ngz(:\n\n)\r\n");
    cr_assert_eq(encoder.news, FR_NEWS_NONE);
    fr_stream_lost(stream, FRESHET_CLOSE_TOPIC);
    expect_out("19\r\nlast(end topic-moved 1\n\n)\r\n0\r\n\r\n");
    expect_over(FRESHET_CLOSE_TOPIC);
    cr_assert_eq(encoder.forgotten, 1);
}

/* contract 5.11, 5.6 */
Test(stream, in_gzip_http_1_0_has_no_chunks_either)
{
    open_gzip_stream(false);
    show("a\n\n");
    fr_stream_lost(stream, FRESHET_CLOSE_TOPIC);
    expect_out("gz(a\n\n)last(end topic-moved 1\n\n)");
}

/* contract 5.11: nothing overtakes the frame, and no deadline runs while it is encoded */
Test(stream, waits_for_a_frame_that_is_encoded_off_the_loop)
{
    open_gzip_stream(true);
    encoder.defers = true;
    show("a\n\n");
    show("b\n\n");
    pass(2000);
    expect_out("");
    cr_assert_eq(group.wheel.count, 0);
    fr_stream_lost(stream, FRESHET_CLOSE_TOPIC);
    expect_out("");
    end_deferral();
    expect_out("7\r\ngz(a\n\n)\r\n"
               "19\r\nlast(end topic-moved 1\n\n)\r\n0\r\n\r\n");
    expect_over(FRESHET_CLOSE_TOPIC);
    pass(501);
    expect_closed(FRESHET_CLOSE_TOPIC);
}

Test(stream, goes_on_as_usual_behind_a_frame_that_was_encoded_off_the_loop)
{
    open_gzip_stream(true);
    encoder.defers = true;
    show("a\n\n");
    show("b\n\n");
    end_deferral();
    expect_out("7\r\ngz(a\n\n)\r\n"
               "7\r\ngz(b\n\n)\r\n");
    pass(1001);
    expect_out("7\r\ngz(:\n\n)\r\n");
    fr_stream_group_drain(&group, 0);
    pass(10);
    expect_over(FRESHET_CLOSE_DRAIN);
}

Test(stream, can_be_closed_while_its_frame_is_encoded)
{
    open_gzip_stream(true);
    encoder.defers = true;
    show("a\n\n");
    fr_stream_client_gone(stream);
    expect_closed(FRESHET_CLOSE_CLIENT);
    cr_assert(fr_list_is_empty(&encoder.waiting));
}

/* contract 5.11, 6.4 */
Test(stream, is_cut_while_its_frame_is_encoded)
{
    open_gzip_stream(true);
    encoder.defers = true;
    show("a\n\n");
    fr_stream_group_drain(&group, 0);
    pass(10);
    expect_out("");
    cr_assert_not(fr_stream_group_cut(&group, 10));
    expect_closed(FRESHET_CLOSE_DRAIN_CUT);
    cr_assert(fr_list_is_empty(&encoder.waiting));
}

Test(stream, without_memory_for_an_encoding_it_ends)
{
    open_gzip_stream(true);
    encoder.fails = true;
    show("a\n\n");
    expect_out("");
    expect_closed(FRESHET_CLOSE_NO_MEMORY);
}

Test(stream, sends_nothing_before_the_head_has_left)
{
    open_stream(true);
    struct fr_stream other = {0};
    fr_stream_init(&other, &config, true);
    other.view.fanout = &fanout;
    fanout.newest = chunk("a\n\n");
    fr_stream_ready(&other);
    expect_out("");
    fr_stream_opened(&other, 7);
    expect_out(EVENT("a"));
    cr_assert_eq(other.bytes, 7 + strlen(EVENT("a")));
}

Test(stream, goes_on_where_the_connection_was_full)
{
    open_stream(true);
    wire.room = 2;
    show("a\n\n");
    expect_out("3\r");
    make_room(3);
    expect_out("\na\n");
    pass(7);
    make_room(SIZE_MAX);
    expect_out("\n\r\n");
    cr_assert_eq(worker.counters.write_time.buckets[0], 1);
    cr_assert_eq(worker.counters.write_time.sum_us, 7000);
}

Test(stream, counts_what_the_transport_took_behind_its_back)
{
    open_stream(true);
    wire.room = 0;
    show("a\n\n");
    fanout.newest = chunk("b\n\n");
    wire.waits = false;
    wire.room = SIZE_MAX;
    fr_stream_writable(stream, strlen(EVENT("a")));
    expect_out(EVENT("b"));
    cr_assert_eq(stream->bytes, 2 * strlen(EVENT("a")));
}

/* contract 6.1 */
Test(stream, completes_the_running_frame_and_sends_only_the_newest_of_those_that_waited)
{
    open_stream(true);
    wire.room = 4;
    show("a\n\n");
    show("b\n\n");
    show("c\n\n");
    make_room(SIZE_MAX);
    expect_out(EVENT("a") EVENT("c"));
    cr_assert_eq(fanout.skipped, 1);
}

Test(stream, sends_an_error_behind_the_snapshot)
{
    open_stream(true);
    fanout.error = chunk("e\n\n");
    show("a\n\n");
    expect_out(EVENT("a") EVENT("e"));
}

/* contract 6.4 */
Test(stream, ends_after_the_running_frame_and_before_news)
{
    open_stream(true);
    wire.room = 4;
    show("a\n\n");
    show("b\n\n");
    fr_stream_lost(stream, FRESHET_CLOSE_TOPIC);
    make_room(SIZE_MAX);
    expect_out(EVENT("a") "13\r\nend topic-moved 1\n\n\r\n0\r\n\r\n");
    expect_over(FRESHET_CLOSE_TOPIC);
    cr_assert(wire.finished && !wire.closed);
}

/* contract 6.4 */
Test(stream, drain_ends_idle_blocked_and_opening_streams)
{
    open_stream(true);
    struct fr_stream opening = {0};
    fr_stream_init(&opening, &config, true);
    wire.room = 4;
    show("a\n\n");
    fr_stream_group_drain(&group, 50);
    pass(10);
    expect_out("3\r\na");
    make_room(SIZE_MAX);
    expect_out("\n\n\r\n12\r\nend going-away 1\n\n\r\n0\r\n\r\n");
    expect_over(FRESHET_CLOSE_DRAIN);
    wire.finished = false;
    fr_stream_opened(&opening, 0);
    expect_out("12\r\nend going-away 1\n\n\r\n0\r\n\r\n");
    cr_assert_eq(ends[FRESHET_CLOSE_DRAIN], 2);
    cr_assert_eq(group.count, 2);
    pass(FR_STREAM_LINGER_MS + 8);
    cr_assert_eq(group.count, 0);
}

Test(stream, lingers_until_the_client_closes)
{
    open_stream(true);
    fr_stream_lost(stream, FRESHET_CLOSE_TOPIC);
    cr_assert(wire.finished && !wire.closed);
    pass(FR_STREAM_LINGER_MS - 10);
    cr_assert(!wire.closed);
    fr_stream_client_gone(stream);
    expect_closed(FRESHET_CLOSE_TOPIC);
}

Test(stream, lingers_a_bounded_time)
{
    open_stream(true);
    fr_stream_lost(stream, FRESHET_CLOSE_TOPIC);
    pass(FR_STREAM_LINGER_MS + 8);
    expect_closed(FRESHET_CLOSE_TOPIC);
}

Test(stream, cut_closes_at_once_and_at_most_as_many_as_asked)
{
    open_stream(true);
    struct fr_stream other = {0};
    fr_stream_init(&other, &config, true);
    cr_assert(fr_stream_group_cut(&group, 1));
    cr_assert_eq(group.count, 1);
    cr_assert(!fr_stream_group_cut(&group, 2));
    cr_assert_eq(group.count, 0);
    cr_assert_eq(ends[FRESHET_CLOSE_DRAIN_CUT], 2);
}

/* contract 5.4 */
Test(stream, sends_a_heartbeat_when_nothing_else_was_sent)
{
    open_stream(true);
    pass(990);
    show("a\n\n");
    expect_out(EVENT("a"));
    pass(990);
    expect_out("");
    pass(20);
    expect_out(HEARTBEAT);
    pass(3020);
    expect_out(HEARTBEAT HEARTBEAT HEARTBEAT);
}

/* contract 5.4 */
Test(stream, short_heartbeats_come_in_time)
{
    open_stream(true);
    config.heartbeat_ms = 20;
    pass(1000); /* the first still follows the old time */
    wire.out.len = 0;
    pass(1000);
    size_t count = wire.out.len / strlen(HEARTBEAT);
    cr_assert(count >= 41 && count <= 50, "%zu", count);
}

Test(stream, long_heartbeats_are_neither_early_nor_late)
{
    open_stream(true);
    config.heartbeat_ms = 60000;
    show("a\n\n");
    wire.out.len = 0;
    pass(59999);
    expect_out("");
    pass(5);
    expect_out(HEARTBEAT);
}

Test(stream, heartbeat_and_write_timeout_can_be_off)
{
    open_stream(true);
    config.heartbeat_ms = config.write_timeout_ms = FRESHET_NEVER;
    show("a\n\n");
    wire.out.len = 0;
    pass(20000);
    expect_out("");
    wire.room = 1;
    show("b\n\n");
    pass(20000);
    cr_assert(!wire.closed);
    make_room(SIZE_MAX);
    expect_out(EVENT("b"));
}

/* contract 6.2 */
Test(stream, closes_when_a_frame_trickles_past_its_deadline)
{
    open_stream(true);
    wire.room = 1;
    show("a\n\n");
    for (int i = 0; i < 5; i++) {
        pass(50);
        make_room(1);
    }
    cr_assert(!wire.closed);
    pass(60);
    expect_closed(FRESHET_CLOSE_WRITE_TIMEOUT);
    expect_out("3\r\na\n\n");
}

static void show_large(size_t bytes)
{
    char *event = malloc(bytes + 3);
    memset(event, 'x', bytes);
    memcpy(event + bytes, "\n\n", 3);
    fanout.newest = fr_bytes_copy(freshet_span_text(event));
    free(event);
    fr_stream_ready(stream);
}

/* contract 6.2: taken by the kernel is not yet done */
Test(stream, closes_when_a_frame_is_not_acknowledged_in_time)
{
    open_stream(true);
    pass(500);
    show("a\n\n");
    wire.queued = 1;
    pass(290);
    cr_assert(!wire.closed);
    pass(20);
    expect_closed(FRESHET_CLOSE_WRITE_TIMEOUT);
}

/* contract 6.2 */
Test(stream, closes_when_nothing_is_acknowledged_behind_a_frame_that_was)
{
    open_stream(true);
    show("a\n\n");
    wire.queued = 8;
    pass(200);
    show("b\n\n"); /* while another is watched */
    pass(110);
    cr_assert(!wire.closed, "only what came behind the watched one is queued");
    pass(180);
    cr_assert(!wire.closed);
    pass(20);
    expect_closed(FRESHET_CLOSE_WRITE_TIMEOUT);
}

/* contract 6.2: what comes behind a large frame can't be done before it */
Test(stream, a_slow_reader_has_the_time_of_the_largest_frame_for_all_that_waits)
{
    open_stream(true);
    config.heartbeat_ms = 100;
    show_large(70000);
    wire.queued = 60000;
    pass(560);
    cr_assert(!wire.closed);
    wire.queued = 0;
    pass(5000);
    cr_assert(!wire.closed);
    show_large(70000);
    wire.queued = 60000;
    pass(150);
    wire.room = 0;
    show("b\n\n"); /* full now: this one has the time of the large one before it */
    pass(400);
    cr_assert(!wire.closed);
    pass(200);
    expect_closed(FRESHET_CLOSE_WRITE_TIMEOUT);
}

/* contract 6.2: a client that vanished is found with the next heartbeat */
Test(stream, closes_when_a_heartbeat_is_not_acknowledged)
{
    open_stream(true);
    pass(900);
    wire.queued = strlen(HEARTBEAT);
    pass(390);
    cr_assert(!wire.closed);
    pass(30);
    expect_closed(FRESHET_CLOSE_WRITE_TIMEOUT);
}

/* contract 6.2: the kernel is asked once for each write timeout, however much is sent */
Test(stream, goes_on_while_everything_is_acknowledged_and_seldom_asks)
{
    open_stream(true);
    for (int i = 0; i < 600; i++) {
        show("a\n\n");
        pass(1);
    }
    wire.queued = strlen(EVENT("a")); /* the newest is always on its way */
    for (int i = 0; i < 600; i++) {
        show("a\n\n");
        pass(1);
    }
    cr_assert(!wire.closed);
    cr_assert_leq(wire.asked, 4, "%u", wire.asked);
}

Test(stream, is_told_that_the_kernel_has_given_up)
{
    open_stream(true);
    fr_stream_unanswered(stream);
    expect_closed(FRESHET_CLOSE_WRITE_TIMEOUT);
}

/* contract 6.2 */
Test(stream, gives_large_frames_more_time)
{
    open_stream(true);
    wire.room = 1;
    show_large(3 * 65536);
    pass(4 * 300 - 10);
    cr_assert(!wire.closed);
    pass(20);
    expect_closed(FRESHET_CLOSE_WRITE_TIMEOUT);
}

/* contract 6.2: `end` has a deadline of its own */
Test(stream, closes_when_the_end_is_not_taken)
{
    open_stream(true);
    wire.room = 3;
    fr_stream_lost(stream, FRESHET_CLOSE_TOPIC);
    pass(310);
    expect_closed(FRESHET_CLOSE_WRITE_TIMEOUT);
}

Test(stream, closes_when_the_head_is_not_taken)
{
    open_stream(true);
    struct fr_stream opening = {0};
    fr_stream_init(&opening, &config, true);
    pass(310);
    cr_assert_eq(ends[FRESHET_CLOSE_WRITE_TIMEOUT], 1);
    cr_assert_eq(opening.state, FR_STREAM_CLOSED);
}

Test(stream, closes_when_a_write_fails)
{
    open_stream(true);
    wire.broken = true;
    show("a\n\n");
    expect_closed(FRESHET_CLOSE_WRITE_ERROR);
}

/* contract 6.3 */
Test(stream, closes_when_the_client_sends_too_much)
{
    open_stream(true);
    cr_assert(fr_stream_received(stream, FR_STREAM_MAX_CLIENT_BYTES - 1));
    cr_assert(fr_stream_received(stream, 1));
    cr_assert(!fr_stream_received(stream, 1));
    expect_closed(FRESHET_CLOSE_FLOOD);
}

/* contract 6.3 */
Test(stream, client_that_leaves_in_the_middle_of_a_frame_frees_it)
{
    open_stream(true);
    wire.room = 1;
    show("a\n\n");
    fr_stream_client_gone(stream);
    expect_closed(FRESHET_CLOSE_CLIENT);
}

Test(stream, is_told_once_that_its_view_is_lost)
{
    open_stream(true);
    wire.room = 1;
    show("a\n\n");
    fr_stream_lost(stream, FRESHET_CLOSE_NO_MEMORY);
    fr_stream_lost(stream, FRESHET_CLOSE_TOPIC);
    make_room(SIZE_MAX);
    expect_out(EVENT("a") "11\r\nend no-memory 1\n\n\r\n0\r\n\r\n");
    expect_over(FRESHET_CLOSE_NO_MEMORY);
}

Test(stream, refused_one_leaves_no_trace)
{
    open_stream(true);
    struct fr_stream other = {0};
    fr_stream_init(&other, &config, true);
    fr_stream_deinit(&other);
    cr_assert_eq(group.count, 1);
    cr_assert_eq(group.wheel.count, 1);
    cr_assert_eq(wire.ended, 0);
}

/* contract 6.1 */
Test(stream, is_small)
{
    cr_assert_leq(sizeof(struct fr_stream), 168);
}

static struct fr_wheel wheel;

Test(stream_wheel, gives_each_out_once_and_never_early)
{
    struct fr_list nodes[500];
    uint32_t due[500], now = UINT32_MAX - 700;
    fr_wheel_init(&wheel, now);
    for (unsigned i = 0; i < 500; i++) {
        fr_list_init(&nodes[i]);
        due[i] = now + i * 7 % 2003;
        fr_wheel_put(&wheel, &nodes[i], due[i], now);
    }
    unsigned out = 0;
    for (int ms = 0; ms < 2100; ms++, now++)
        for (struct fr_list *node; (node = fr_wheel_shift(&wheel, now)) != NULL; out++) {
            int32_t late = (int32_t)(now - due[node - nodes]);
            cr_assert(late >= 0 && late <= 8, "%d ms", late);
        }
    cr_assert_eq(out, 500);
    cr_assert_eq(wheel.count, 0);
    cr_assert_eq(fr_wheel_wait(&wheel, now), INT32_MAX);
}

Test(stream_wheel, says_how_long_nothing_is_due)
{
    struct fr_list early, late;
    fr_list_init(&early);
    fr_list_init(&late);
    fr_wheel_init(&wheel, 1000);
    fr_wheel_put(&wheel, &late, 3000, 1000);
    fr_wheel_put(&wheel, &early, 1400, 1000);
    cr_assert_eq(fr_wheel_wait(&wheel, 1000), 400);
    fr_wheel_remove(&wheel, &early);
    cr_assert_eq(fr_wheel_wait(&wheel, 1000), 2000);
    cr_assert_eq(fr_wheel_any(&wheel), &late);
}

Test(stream_wheel, gives_all_out_after_a_long_pause)
{
    struct fr_list nodes[100];
    fr_wheel_init(&wheel, 5);
    for (unsigned i = 0; i < 100; i++) {
        fr_list_init(&nodes[i]);
        fr_wheel_put(&wheel, &nodes[i], 5 + i * 30, 5);
    }
    for (int i = 0; i < 100; i++)
        cr_assert_not_null(fr_wheel_shift(&wheel, 1000000));
    cr_assert_null(fr_wheel_shift(&wheel, 1000000));
}
