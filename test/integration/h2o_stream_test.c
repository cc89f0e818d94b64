/* Streams on real sockets: bytes, silence, clients that leave, flood or do not read, and the drain. */
#include "descriptors.h"
#include "h2o_rig.h"
#include <netinet/tcp.h>

TestSuite(h2o_stream, .timeout = 60);

static struct rig_client *open_counter(void)
{
    struct rig_client *client = rig_get("/live/counter");
    rig_expect(client, "data: 0\n\n\r\n");
    return client;
}

static void expect_reason(enum freshet_close_reason reason)
{
    RIG_WAIT(rig_stream_ends() == 1);
    cr_assert_eq(rig.reason, reason, "%s", freshet_close_reason_text(rig.reason));
    RIG_WAIT(rig_stats().streams == 0);
    cr_assert_eq(rig_stats().streams_closed[reason], 1);
    RIG_WAIT(atomic_load(&rig.workers[0].closed) == atomic_load(&rig.workers[0].accepted));
}

static size_t set_padding(size_t bytes)
{
    pthread_mutex_lock(&rig.lock);
    rig.padding = bytes;
    pthread_mutex_unlock(&rig.lock);
    return bytes;
}

/* contract 5.3, 5.7 */
Test(h2o_stream, sends_each_snapshot_byte_for_byte)
{
    rig_up(NULL, NULL);
    struct rig_client *client = open_counter();
    char *chunk = strstr(client->in, "\n\n\r\n") + 4; /* behind the first one */
    char expected[128];
    snprintf(expected, sizeof(expected), "2e\r\nid: %.32s\ndata: 0\n\n\r\n", strstr(chunk, "id: ") + 4);
    cr_assert_str_eq(chunk, expected);
    for (int i = 1; i <= 20; i++) {
        rig_forget(client);
        rig_publish(i);
        snprintf(expected, sizeof(expected), "data: %d\n\n\r\n", i);
        rig_expect(client, expected);
        cr_assert_eq(strncmp(client->in, i < 10 ? "2e\r\nid: " : "2f\r\nid: ", 8), 0, "%s", client->in);
    }
    cr_assert_eq(rig_stats().snapshots_pushed, 21);
    rig_hang_up(client);
    expect_reason(FRESHET_CLOSE_CLIENT);
    cr_assert_str_eq(rig.end_topic, "counter");
    cr_assert_eq(strncmp(rig.end_peer, "127.0.0.1:", 10), 0);
    cr_assert_eq(rig_stats().bytes_sent, rig.end_bytes);
    rig_down();
}

/* contract 5.5 */
Test(h2o_stream, sends_load_errors_and_recovers)
{
    rig_up(NULL, NULL);
    struct rig_client *client = open_counter();
    pthread_mutex_lock(&rig.lock);
    rig.failing = true;
    pthread_mutex_unlock(&rig.lock);
    rig_publish(1);
    rig_expect(client,
               "event: load-error\ndata: {\"code\":\"broken\",\"message\":\"It is broken.\"}\n\n\r\n");
    pthread_mutex_lock(&rig.lock);
    rig.failing = false;
    pthread_mutex_unlock(&rig.lock);
    rig_expect(client, "data: 1\n\n\r\n");
    rig_hang_up(client);
    rig_down();
}

/* contract 5.4 */
Test(h2o_stream, sends_comments_when_silent)
{
    rig_up(&(struct freshet_h2o_mount_options){.heartbeat_ms = 20}, NULL);
    struct rig_client *client = open_counter();
    rig_forget(client);
    int64_t from_ms = rig_now_ms();
    unsigned count = 0;
    while (count < 10) {
        cr_assert(rig_read(client, from_ms + RIG_DEADLINE_MS));
        count = 0;
        for (const char *at = client->in; (at = strstr(at, "\n\n\r\n")) != NULL; at++)
            count++;
    }
    cr_assert_geq(rig_now_ms() - from_ms, 170, "%d ms", (int)(rig_now_ms() - from_ms));
    cr_assert_null(strstr(client->in, "data"));
    rig_hang_up(client);
    rig_down();
}

/* contract 6.3 */
Test(h2o_stream, notices_at_once_that_the_client_closed)
{
    rig_up(NULL, NULL);
    struct rig_client *client = open_counter();
    int64_t from_ms = rig_now_ms();
    rig_hang_up(client);
    expect_reason(FRESHET_CLOSE_CLIENT);
    cr_assert_lt(rig_now_ms() - from_ms, 1000);
    rig_down();
}

/* contract 6.3 */
Test(h2o_stream, notices_a_reset)
{
    rig_up(NULL, NULL);
    struct rig_client *client = open_counter();
    struct linger reset = {.l_onoff = 1};
    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    rig_hang_up(client);
    expect_reason(FRESHET_CLOSE_CLIENT);
    cr_assert_eq(strncmp(rig.end_peer, "127.0.0.1:", 10), 0);
    rig_down();
}

/* contract 6.3 */
Test(h2o_stream, half_close_is_a_close)
{
    rig_up(NULL, NULL);
    struct rig_client *client = open_counter();
    shutdown(client->fd, SHUT_WR);
    rig_expect_end(client);
    expect_reason(FRESHET_CLOSE_CLIENT);
    rig_hang_up(client);
    rig_down();
}

/* contract 6.3 */
Test(h2o_stream, half_close_together_with_the_request_is_a_close)
{
    rig_up(NULL, NULL);
    struct rig_client *client = rig_connect_to(0, 0);
    int64_t from_ms = rig_now_ms();
    /* Request and FIN leave in one segment. */
    rig_hold_back(client, true);
    rig_send(client, "GET /live/counter HTTP/1.1\r\nHost: x\r\n\r\n");
    shutdown(client->fd, SHUT_WR);
    rig_expect_end(client);
    expect_reason(FRESHET_CLOSE_CLIENT);
    cr_assert_lt(rig_now_ms() - from_ms, 1000);
    cr_assert_eq(rig_stats().streams, 0);
    rig_hang_up(client);
    rig_down();
}

/* contract 6.3 */
Test(h2o_stream, discards_what_the_client_sends_up_to_a_limit)
{
    rig_up(NULL, NULL);
    struct rig_client *client = open_counter();
    static char bytes[16384 + 1];
    memset(bytes, 'x', sizeof(bytes));
    cr_assert_eq(send(client->fd, bytes, 16384, 0), 16384);
    rig_publish(1);
    rig_expect(client, "data: 1\n\n");
    cr_assert_eq(send(client->fd, "x", 1, 0), 1);
    rig_expect_end(client);
    expect_reason(FRESHET_CLOSE_FLOOD);
    rig_hang_up(client);
    rig_down();
}

/* contract 6.3 */
Test(h2o_stream, pipelined_requests_count_as_sent_by_the_client)
{
    rig_up(NULL, NULL);
    struct rig_client *client = rig_ask("GET /live/counter HTTP/1.1\r\nHost: x\r\n\r\n"
                                        "GET /live/board/b1 HTTP/1.1\r\nHost: x\r\n\r\n");
    rig_expect(client, "data: 0\n\n");
    rig_publish(1);
    rig_expect(client, "data: 1\n\n");
    cr_assert_null(strstr(client->in + 1, "HTTP/1.1"));
    cr_assert_eq(rig_stats().streams_opened, 1);
    rig_hang_up(client);
    rig_down();
}

static long resident_kib(void)
{
    long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    cr_assert_eq(fscanf(file, "%ld %ld", &size, &resident), 2);
    fclose(file);
    return resident * 4;
}

/* contract 6.1, 6.2 */
Test(h2o_stream, reader_that_stops_costs_no_memory_and_is_closed)
{
    rig_up(&(struct freshet_h2o_mount_options){.write_timeout_ms = 300}, NULL);
    struct rig_client *stuck = rig_connect_to(0, 4096);
    rig_send(stuck, "GET /live/counter HTTP/1.1\r\nHost: x\r\n\r\n");
    rig_expect(stuck, "data: 0\n\n");
    struct rig_client *reader = open_counter();
    set_padding(60000);
    long before_kib = resident_kib();
    int rounds = 0;
    for (; rig_stream_ends() == 0 && rounds < 20000; rounds++) {
        char expected[32];
        snprintf(expected, sizeof(expected), "data: %d.", rounds + 1);
        rig_forget(reader);
        rig_publish(rounds + 1);
        rig_expect(reader, expected);
        rig_expect(reader, "\n\n\r\n");
    }
    cr_assert_gt(rounds, 100, "the reader was not held back: %d", rounds);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed */
    cr_assert_lt(resident_kib() - before_kib, 8192);
#else
    (void)before_kib;
#endif
    cr_assert_eq(rig.reason, FRESHET_CLOSE_WRITE_TIMEOUT);
    RIG_WAIT(atomic_load(&rig.workers[0].closed) == 1);
    rig_hang_up(stuck);
    rig_hang_up(reader);
    rig_down();
}

/* Opens a stream with a receive buffer of 4 KiB and has one frame of `bytes` sent. */
static struct rig_client *show_to_narrow(size_t bytes)
{
    struct rig_client *client = rig_connect_to(0, 4096);
    rig_send(client, "GET /live/counter HTTP/1.1\r\nHost: x\r\n\r\n");
    rig_expect(client, "data: 0\n\n");
    set_padding(bytes);
    rig_publish(1);
    return client;
}

/* Reads a KiB at a time, evenly over `ms`. */
static bool read_slowly(struct rig_client *client, size_t bytes, int64_t ms)
{
    char in[1024];
    int64_t from_ms = rig_now_ms();
    for (size_t got = 0; got < bytes;) {
        int64_t wait_ms = from_ms + ms * (int64_t)got / (int64_t)bytes - rig_now_ms();
        if (wait_ms > 0)
            poll(NULL, 0, (int)wait_ms);
        ssize_t len = recv(client->fd, in, sizeof(in), 0);
        if (len <= 0)
            return false;
        got += (size_t)len;
    }
    return true;
}

/* contract 6.2: the kernel's own timeout counts from when the client was last ready for all that waits, even
 * if it reads */
Test(h2o_stream, slow_reader_has_the_time_that_its_frame_is_allowed)
{
    rig.user_timeout_ms = 1000;
    rig_up(&(struct freshet_h2o_mount_options){.write_timeout_ms = 4000}, NULL);
    struct rig_client *client = show_to_narrow(70000); /* twice the time */
    cr_assert(read_slowly(client, 50000, 1000) && read_slowly(client, 18000, 4500), "closed: %s",
              freshet_close_reason_text(rig.reason));
    set_padding(0);
    rig_publish(2);
    rig_expect(client, "data: 2\n\n");
    RIG_WAIT(rig_stats().snapshots_pushed == 3);
    cr_assert_eq(rig_stream_ends(), 0);
    rig_hang_up(client);
    expect_reason(FRESHET_CLOSE_CLIENT);
    rig_down();
}

/* contract 6.2 */
Test(h2o_stream, reader_that_takes_longer_is_closed_and_counted_for_it)
{
    rig_up(&(struct freshet_h2o_mount_options){.write_timeout_ms = 300}, NULL);
    struct rig_client *client = show_to_narrow(93000);
    int64_t from_ms = rig_now_ms();
    cr_assert_not(read_slowly(client, 93000, 20000));
    cr_assert_geq(rig_now_ms() - from_ms, 590);
    expect_reason(FRESHET_CLOSE_WRITE_TIMEOUT);
    rig_hang_up(client);
    rig_down();
}

/* contract 6.2: all of the frame is in the kernel, and stays there */
Test(h2o_stream, reader_that_stops_in_a_frame_that_the_kernel_has_taken_is_closed_and_counted_for_it)
{
    rig_up(&(struct freshet_h2o_mount_options){.write_timeout_ms = 300}, NULL);
    struct rig_client *client = show_to_narrow(10000);
    RIG_WAIT(rig_stats().bytes_sent > 10000);
    for (int i = 2; i <= 4; i++) {
        uint64_t loads = rig_stats().loads;
        rig_publish(i);
        RIG_WAIT(rig_stats().loads == loads + 1);
    }
    expect_reason(FRESHET_CLOSE_WRITE_TIMEOUT);
    /* Of the five snapshots each was either sent or skipped. */
    cr_assert_eq(rig_stats().snapshots_pushed + rig_stats().snapshots_skipped, 5);
    rig_hang_up(client);
    rig_down();
}

/* contract 6.2, 8.1 */
Test(h2o_stream, snapshots_that_a_stuck_reader_never_gets_are_counted)
{
    rig_up(&(struct freshet_h2o_mount_options){.write_timeout_ms = 300}, NULL);
    struct rig_client *client = show_to_narrow(300000);
    RIG_WAIT(rig_stats().snapshots_pushed == 2);
    for (int i = 2; i <= 11; i++) {
        uint64_t loads = rig_stats().loads;
        rig_publish(i);
        RIG_WAIT(rig_stats().loads == loads + 1);
    }
    expect_reason(FRESHET_CLOSE_WRITE_TIMEOUT);
    cr_assert_eq(rig_stats().snapshots_pushed, 2);
    cr_assert_eq(rig_stats().snapshots_skipped, 10);
    rig_hang_up(client);
    rig_down();
}

/* contract 6.2 */
Test(h2o_stream, little_waits_unsent_in_the_kernel)
{
    rig_up(NULL, NULL);
    struct rig_client *client = rig_connect_to(0, 4096);
    rig_send(client, "GET /live/counter HTTP/1.1\r\nHost: x\r\n\r\n");
    rig_expect(client, "data: 0\n\n");
    set_padding(1000000);
    uint64_t before = rig_stats().bytes_sent;
    rig_publish(1);
    RIG_WAIT(rig_stats().bytes_sent > before);
    uint64_t taken = 0;
    do {
        taken = rig_stats().bytes_sent;
        poll(NULL, 0, 50);
    } while (rig_stats().bytes_sent != taken);
    cr_assert_lt(taken - before, 300000, "%d", (int)(taken - before));
    rig_hang_up(client);
    rig_down();
}

/* contract 6.1 */
Test(h2o_stream, slow_reader_gets_the_running_frame_and_then_the_newest)
{
    rig_up(NULL, NULL);
    struct rig_client *client = rig_connect_to(0, 4096);
    rig_send(client, "GET /live/counter HTTP/1.1\r\nHost: x\r\n\r\n");
    rig_expect(client, "data: 0\n\n");
    size_t size = set_padding(300000);
    uint64_t loads = rig_stats().loads;
    rig_publish(1);
    RIG_WAIT(rig_stats().loads == loads + 1);
    RIG_WAIT(rig_stats().snapshots_pushed == 2);
    for (int i = 2; i <= 5; i++) {
        rig_publish(i);
        RIG_WAIT(rig_stats().loads == loads + (uint64_t)i);
    }
    rig_expect(client, "data: 5.");
    rig_expect(client, ".\n\n\r\n");
    const char *first = strstr(client->in, "data: 1."), *last = strstr(client->in, "data: 5.");
    cr_assert(first != NULL && last - first > (ptrdiff_t)size);
    cr_assert_null(strstr(client->in, "data: 2."));
    cr_assert_eq(rig_stats().snapshots_pushed, 3);
    cr_assert_eq(rig_stats().snapshots_skipped, 3);
    cr_assert_geq(rig_stats().write_time.count, 1);
    rig_hang_up(client);
    rig_down();
}

static char *make_large_value(void)
{
    size_t len = 8 << 20;
    char *value = malloc(len + 1);
    memset(value, 'x', len);
    value[len] = '\0';
    return value;
}

/* contract 6.2: before the takeover the socket is h2o's, which has no write timeout */
Test(h2o_stream, reader_that_does_not_take_the_head_is_closed)
{
    char *value = make_large_value();
    struct freshet_h2o_header header = {"x-large", value};
    rig_up(
        &(struct freshet_h2o_mount_options){.headers = &header, .header_count = 1, .write_timeout_ms = 200},
        NULL);
    free(value);
    struct rig_client *client = rig_connect_to(0, 4096);
    rig_send(client, "GET /live/counter HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_reason(FRESHET_CLOSE_WRITE_TIMEOUT);
    rig_hang_up(client);
    rig_down();
}

/* contract 6.3, 6.4 */
Test(h2o_stream, client_that_leaves_or_stays_before_the_takeover_does_not_hold_the_drain)
{
    char *value = make_large_value();
    struct freshet_h2o_header header = {"x-large", value};
    rig_up(&(struct freshet_h2o_mount_options){.headers = &header, .header_count = 1}, NULL);
    free(value);
    struct rig_client *clients[2];
    for (int i = 0; i < 2; i++) {
        clients[i] = rig_connect_to(0, 4096);
        rig_send(clients[i], "GET /live/counter HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    RIG_WAIT(rig_stats().streams == 2);
    rig_hang_up(clients[0]);
    RIG_WAIT(rig_stats().streams == 1);
    rig_drain(100, 0);
    RIG_WAIT(atomic_load(&rig.workers[0].drained));
    cr_assert_eq(rig_stats().streams_closed[FRESHET_CLOSE_DRAIN_CUT], 1);
    RIG_WAIT(atomic_load(&rig.workers[0].closed) == 2);
    rig_hang_up(clients[1]);
    rig_down();
}

/* contract 6.3, 6.4 */
Test(h2o_stream, leaves_no_descriptor)
{
    unsigned before = count_descriptors();
    rig.worker_count = 2;
    rig_up(NULL, NULL);
    struct rig_client *clients[50];
    for (int i = 0; i < 50; i++) {
        clients[i] = rig_connect_to((unsigned)i % 2, 0);
        rig_send(clients[i], "GET /live/counter HTTP/1.1\r\nHost: x\r\n\r\n");
        rig_expect(clients[i], "data: 0\n\n");
    }
    rig_publish(1);
    for (int i = 0; i < 50; i++)
        rig_expect(clients[i], "data: 1\n\n");
    for (int i = 0; i < 25; i++)
        rig_hang_up(clients[i]);
    rig_drain(5000, 1000);
    for (int i = 25; i < 50; i++) {
        rig_expect_end(clients[i]);
        rig_hang_up(clients[i]);
    }
    rig_down();
    cr_assert_eq(count_descriptors(), before);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(atomic_load(&rig.workers[i].closed), atomic_load(&rig.workers[i].accepted));
}

/* contract 6.4 */
Test(h2o_stream, drain_ends_each_stream_and_then_calls_back_once)
{
    rig_up(NULL, NULL);
    struct rig_client *clients[20];
    for (int i = 0; i < 20; i++)
        clients[i] = open_counter();
    rig_drain(RIG_DEADLINE_MS, 4000);
    int different = 0, first = -1;
    for (int i = 0; i < 20; i++) {
        int retry_ms = -1;
        rig_expect_end(clients[i]);
        char *end = strstr(clients[i]->in, "event: end\n");
        cr_assert_not_null(end, "%s", clients[i]->in);
        cr_assert_eq(
            sscanf(end, "event: end\ndata: {\"code\":\"going-away\",\"retry_ms\":%d}\n\n\r\n", &retry_ms), 1);
        cr_assert(retry_ms >= 0 && retry_ms <= 4000);
        cr_assert_str_eq(clients[i]->in + clients[i]->len - 9, "\n\n\r\n0\r\n\r\n", "the body ends: %s",
                         clients[i]->in);
        first = i == 0 ? retry_ms : first;
        different += retry_ms != first;
        rig_hang_up(clients[i]);
    }
    cr_assert_gt(different, 0);
    RIG_WAIT(atomic_load(&rig.workers[0].drained));
    cr_assert_eq(rig_stats().streams_closed[FRESHET_CLOSE_DRAIN], 20);
    cr_assert_eq(rig_stats().streams, 0);
    rig_down();
    cr_assert_eq(rig.workers[0].drained_calls, 1);
}

/* contract 6.4 */
Test(h2o_stream, drain_completes_the_running_frame_and_refuses_new_streams)
{
    rig_up(NULL, NULL);
    struct rig_client *client = rig_connect_to(0, 4096);
    rig_send(client, "GET /live/counter HTTP/1.1\r\nHost: x\r\n\r\n");
    rig_expect(client, "data: 0\n\n");
    set_padding(200000);
    rig_publish(1);
    RIG_WAIT(rig_stats().snapshots_pushed == 2);
    rig_drain(RIG_DEADLINE_MS, 0);
    struct rig_client *late = rig_get("/live/counter");
    rig_expect_end(late);
    if (strstr(late->in, "freshet 1") == NULL)
        cr_assert_not_null(strstr(late->in, "{\"code\":\"going-away\""), "%s", late->in);
    cr_assert(!atomic_load(&rig.workers[0].drained));
    rig_expect(client, "data: 1.");
    rig_expect_end(client);
    cr_assert_not_null(strstr(client->in, ".\n\n\r\n"));
    cr_assert_not_null(strstr(client->in, "{\"code\":\"going-away\",\"retry_ms\":0}\n\n\r\n0\r\n\r\n"));
    rig_hang_up(client);
    rig_hang_up(late);
    RIG_WAIT(atomic_load(&rig.workers[0].drained));
    rig_down();
}

/* contract 6.4 */
Test(h2o_stream, drain_cuts_what_is_left_at_its_deadline)
{
    rig_up(NULL, NULL);
    struct rig_client *client = rig_connect_to(0, 4096);
    rig_send(client, "GET /live/counter HTTP/1.1\r\nHost: x\r\n\r\n");
    rig_expect(client, "data: 0\n\n");
    set_padding(900000);
    rig_publish(1);
    RIG_WAIT(rig_stats().snapshots_pushed == 2);
    rig_drain(200, 0);
    RIG_WAIT(atomic_load(&rig.workers[0].drained));
    expect_reason(FRESHET_CLOSE_DRAIN_CUT);
    rig_hang_up(client);
    rig_down();
}

Test(h2o_stream, drain_without_streams_ends_in_the_loop)
{
    rig_up(NULL, NULL);
    rig_drain(FRESHET_NEVER, 0);
    RIG_WAIT(atomic_load(&rig.workers[0].drained));
    rig_down();
    cr_assert_eq(rig.workers[0].drained_calls, 1);
}

/* architecture, Threads: a topic's feed loads once for all workers */
Test(h2o_stream, two_workers_share_one_load)
{
    rig.worker_count = 2;
    rig_up(NULL, NULL);
    struct rig_client *clients[2];
    for (unsigned i = 0; i < 2; i++) {
        clients[i] = rig_connect_to(i, 0);
        rig_send(clients[i], "GET /live/counter HTTP/1.1\r\nHost: x\r\n\r\n");
        rig_expect(clients[i], "data: 0\n\n");
    }
    uint64_t loads = rig_stats().loads;
    rig_publish(1);
    for (int i = 0; i < 2; i++)
        rig_expect(clients[i], "data: 1\n\n");
    cr_assert_eq(rig_stats().loads, loads + 1);
    for (int i = 0; i < 2; i++)
        rig_hang_up(clients[i]);
    rig_down();
}

/* architecture, Threads: a worker that leaves takes its topics along; they are born again elsewhere */
Test(h2o_stream, streams_go_on_when_another_worker_leaves)
{
    rig.worker_count = 2;
    rig_up(NULL, NULL);
    struct rig_client *first = rig_connect_to(0, 0), *second = rig_connect_to(1, 0);
    rig_send(first, "GET /live/counter HTTP/1.1\r\nHost: x\r\n\r\n");
    rig_expect(first, "data: 0\n\n");
    rig_send(second, "GET /live/counter HTTP/1.1\r\nHost: x\r\n\r\n");
    rig_expect(second, "data: 0\n\n");
    atomic_store(&rig.workers[0].drain, true);
    RIG_WAIT(atomic_load(&rig.workers[0].drained));
    rig_publish(1);
    rig_expect(second, "data: 1\n\n");
    rig_hang_up(first);
    rig_hang_up(second);
    rig_down();
}
