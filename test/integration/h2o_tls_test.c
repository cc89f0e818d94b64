/* Streams over the application's own TLS context. */
#include "gunzip.h"
#include "h2o_rig.h"
#include "tls_context.h"
#include <openssl/err.h>

TestSuite(h2o_tls, .timeout = 60);

static void tls_up(struct freshet_h2o_mount_options *mount, bool harden)
{
    rig.tls = make_tls_context();
    if (harden)
        freshet_h2o_harden_tls(rig.tls);
    else
        h2o_ssl_register_alpn_protocols(rig.tls, h2o_alpn_protocols);
    rig_up(mount, NULL);
}

struct tls_client {
    struct rig_client *wire;
    SSL_CTX *context;
    SSL *ssl;
    char in[1 << 20];
    size_t len;
};

static struct tls_client *tls_connect(const char *protocol, int receive_bytes)
{
    struct tls_client *client = calloc(1, sizeof(*client));
    client->wire = rig_connect_to(0, receive_bytes);
    client->context = SSL_CTX_new(TLS_client_method());
    client->ssl = SSL_new(client->context);
    unsigned char list[16] = {(unsigned char)strlen(protocol)};
    memcpy(list + 1, protocol, strlen(protocol));
    SSL_set_alpn_protos(client->ssl, list, (unsigned)strlen(protocol) + 1);
    SSL_set_fd(client->ssl, client->wire->fd);
    cr_assert_eq(SSL_connect(client->ssl), 1);
    return client;
}

static void tls_send(struct tls_client *client, const char *bytes, size_t len)
{
    cr_assert_eq(SSL_write(client->ssl, bytes, (int)len), (int)len);
}

static bool tls_read(struct tls_client *client)
{
    int len = SSL_read(client->ssl, client->in + client->len, (int)(sizeof(client->in) - 1 - client->len));
    if (len <= 0)
        return false;
    client->len += (size_t)len;
    client->in[client->len] = '\0';
    return true;
}

static void tls_expect(struct tls_client *client, const char *text)
{
    while (memmem(client->in, client->len, text, strlen(text)) == NULL)
        cr_assert(tls_read(client), "no \"%s\" in: %s", text, client->in);
}

static void tls_forget(struct tls_client *client)
{
    client->len = 0;
    client->in[0] = '\0';
}

static void tls_hang_up(struct tls_client *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->context);
    rig_hang_up(client->wire);
    free(client);
}

static void tls_down(void)
{
    rig_down();
    SSL_CTX_free(rig.tls);
}

static struct tls_client *open_counter(const char *version, int receive_bytes)
{
    struct tls_client *client = tls_connect("http/1.1", receive_bytes);
    char request[128];
    int len = snprintf(request, sizeof(request), "GET /live/counter HTTP/%s\r\nHost: x\r\n\r\n", version);
    tls_send(client, request, (size_t)len);
    tls_expect(client, "data: 0\n\n");
    return client;
}

/* contract 5.6 */
Test(h2o_tls, stream_delivers_and_ends_cleanly)
{
    tls_up(NULL, true);
    struct tls_client *client = open_counter("1.1", 0);
    for (int i = 1; i <= 10; i++) {
        char expected[32];
        snprintf(expected, sizeof(expected), "data: %d\n\n\r\n", i);
        rig_publish(i);
        tls_expect(client, expected);
    }
    rig_drain(RIG_DEADLINE_MS, 0);
    tls_expect(client, "\"code\":\"going-away\",\"retry_ms\":0}\n\n\r\n0\r\n\r\n");
    cr_assert_not(tls_read(client));
    cr_assert_eq(SSL_get_shutdown(client->ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
    tls_hang_up(client);
    RIG_WAIT(atomic_load(&rig.workers[0].drained));
    cr_assert_eq(rig.reason, FRESHET_CLOSE_DRAIN);
    tls_down();
}

/* contract 5.11, 5.6 */
Test(h2o_tls, gzip_goes_over_tls_as_anything_else)
{
    static struct gunzip unzipped;
    static const char request[] = "GET /live/counter HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n";
    rig.padding = 100000;
    tls_up(NULL, true);
    struct tls_client *client = tls_connect("http/1.1", 0);
    tls_send(client, request, strlen(request));
    for (int i = 0; i <= 10; i++) {
        char expected[32];
        snprintf(expected, sizeof(expected), "data: %d.", i);
        while (strstr(unzipped.text, expected) == NULL) {
            cr_assert(tls_read(client));
            gunzip(&unzipped, client->in, client->len);
        }
        rig_publish(i + 1);
    }
    rig_drain(RIG_DEADLINE_MS, 0);
    while (tls_read(client))
        ;
    gunzip(&unzipped, client->in, client->len);
    cr_assert(unzipped.whole && strstr(unzipped.text, "going-away") != NULL);
    tls_hang_up(client);
    tls_down();
}

/* contract 5.6 */
Test(h2o_tls, http_1_0_body_ends_with_close_notify)
{
    tls_up(NULL, true);
    struct tls_client *client = open_counter("1.0", 0);
    rig_drain(RIG_DEADLINE_MS, 0);
    tls_expect(client, "\"code\":\"going-away\",\"retry_ms\":0}\n\n");
    cr_assert_not(tls_read(client));
    cr_assert_eq(SSL_get_error(client->ssl, 0), SSL_ERROR_ZERO_RETURN);
    tls_hang_up(client);
    tls_down();
}

/* contract 5.8 */
Test(h2o_tls, several_views_go_over_one_connection)
{
    static const char request[] =
        "GET /live?v=%2Fcounter~&v=%2Fboard%2Fb1~&v=%2Fnowhere~ HTTP/1.1\r\nHost: x\r\n\r\n";
    tls_up(NULL, true);
    struct tls_client *client = tls_connect("http/1.1", 0);
    tls_send(client, request, sizeof(request) - 1);
    tls_expect(client, "event: /counter\n");
    tls_expect(client, "event: /board/b1\n");
    tls_expect(client, "{\"view\":\"/nowhere\",\"status\":404,");
    tls_forget(client);
    rig_publish(4);
    tls_expect(client, "\ndata: 4\n\n\r\n");
    rig_drain(RIG_DEADLINE_MS, 0);
    tls_expect(client, "\"code\":\"going-away\",\"retry_ms\":0}\n\n\r\n0\r\n\r\n");
    tls_hang_up(client);
    tls_down();
}

/* contract 6.1: large frames go in pieces */
Test(h2o_tls, large_snapshots_arrive_whole)
{
    tls_up(NULL, true);
    struct tls_client *client = open_counter("1.1", 0);
    tls_forget(client);
    rig.padding = 500000;
    rig_publish(1);
    tls_expect(client, ".\n\n\r\n");
    cr_assert_gt(client->len, 500000);
    rig.padding = 0;
    tls_forget(client);
    rig_publish(2);
    tls_expect(client, "data: 2\n\n\r\n");
    tls_hang_up(client);
    tls_down();
}

/* contract 6.3 */
Test(h2o_tls, notices_that_the_client_closed)
{
    tls_up(NULL, true);
    struct tls_client *client = open_counter("1.1", 0);
    tls_hang_up(client);
    RIG_WAIT(rig_stream_ends() == 1);
    cr_assert_eq(rig.reason, FRESHET_CLOSE_CLIENT);
    RIG_WAIT(atomic_load(&rig.workers[0].closed) == 1);
    tls_down();
}

/* contract 6.3 */
Test(h2o_tls, close_notify_alone_is_a_close)
{
    tls_up(NULL, true);
    struct tls_client *client = open_counter("1.1", 0);
    cr_assert_eq(SSL_shutdown(client->ssl), 0);
    RIG_WAIT(rig_stream_ends() == 1);
    cr_assert_eq(rig.reason, FRESHET_CLOSE_CLIENT);
    RIG_WAIT(atomic_load(&rig.workers[0].closed) == 1);
    tls_hang_up(client);
    tls_down();
}

/* contract 6.3: nothing more comes that could wake the server */
Test(h2o_tls, close_notify_together_with_the_request_is_a_close)
{
    tls_up(NULL, true);
    struct tls_client *client = tls_connect("http/1.1", 0);
    int64_t from_ms = rig_now_ms();
    /* Both records leave in one segment. */
    rig_hold_back(client->wire, true);
    static const char request[] = "GET /live/counter HTTP/1.1\r\nHost: x\r\n\r\n";
    tls_send(client, request, sizeof(request) - 1);
    cr_assert_eq(SSL_shutdown(client->ssl), 0);
    rig_hold_back(client->wire, false);
    RIG_WAIT(rig_stream_ends() == 1);
    cr_assert_lt(rig_now_ms() - from_ms, 1000);
    cr_assert_eq(rig.reason, FRESHET_CLOSE_CLIENT);
    cr_assert_eq(rig_stats().streams, 0);
    cr_assert_eq(rig_stats().streams_closed[FRESHET_CLOSE_CLIENT], 1);
    RIG_WAIT(atomic_load(&rig.workers[0].closed) == 1);
    tls_hang_up(client);
    tls_down();
}

/* contract 6.3 */
Test(h2o_tls, client_that_sends_too_much_is_closed)
{
    tls_up(NULL, true);
    struct tls_client *client = open_counter("1.1", 0);
    static char bytes[16385];
    tls_send(client, bytes, sizeof(bytes));
    RIG_WAIT(rig_stream_ends() == 1);
    cr_assert_eq(rig.reason, FRESHET_CLOSE_FLOOD);
    RIG_WAIT(atomic_load(&rig.workers[0].closed) == 1);
    tls_hang_up(client);
    tls_down();
}

/* contract 6.2 */
Test(h2o_tls, reader_that_stops_is_closed)
{
    tls_up(&(struct freshet_h2o_mount_options){.write_timeout_ms = 100}, true);
    struct tls_client *client = open_counter("1.1", 4096);
    rig.padding = 500000;
    rig_publish(1);
    RIG_WAIT(rig_stream_ends() == 1);
    cr_assert_eq(rig.reason, FRESHET_CLOSE_WRITE_TIMEOUT);
    RIG_WAIT(atomic_load(&rig.workers[0].closed) == 1);
    tls_hang_up(client);
    tls_down();
}

/* contract 6.2: all of the frame is in the kernel, and stays there */
Test(h2o_tls, reader_that_stops_in_a_frame_that_the_kernel_has_taken_is_closed)
{
    tls_up(&(struct freshet_h2o_mount_options){.write_timeout_ms = 300}, true);
    struct tls_client *client = open_counter("1.1", 4096);
    rig.padding = 10000;
    rig_publish(1);
    RIG_WAIT(rig_stream_ends() == 1);
    cr_assert_eq(rig.reason, FRESHET_CLOSE_WRITE_TIMEOUT);
    cr_assert_gt(rig.end_bytes, 10000);
    tls_hang_up(client);
    tls_down();
}

/* contract 6.2: encrypted bytes are more than those of the frames */
Test(h2o_tls, reader_that_takes_everything_is_never_too_slow)
{
    tls_up(&(struct freshet_h2o_mount_options){.write_timeout_ms = 50, .heartbeat_ms = 10}, true);
    struct tls_client *client = open_counter("1.1", 0);
    for (int i = 1; i <= 200; i++) {
        char expected[32];
        snprintf(expected, sizeof(expected), "data: %d\n", i);
        tls_forget(client);
        rig_publish(i);
        tls_expect(client, expected);
        poll(NULL, 0, 5);
    }
    cr_assert_eq(rig_stream_ends(), 0);
    tls_hang_up(client);
    tls_down();
}

/* contract 6.4 */
Test(h2o_tls, reader_that_stops_is_cut_by_the_drain)
{
    tls_up(NULL, true);
    struct tls_client *client = open_counter("1.1", 4096);
    rig.padding = 500000;
    rig_publish(1);
    RIG_WAIT(rig_stats().snapshots_pushed == 2);
    rig_drain(100, 0);
    RIG_WAIT(atomic_load(&rig.workers[0].drained));
    cr_assert_eq(rig.reason, FRESHET_CLOSE_DRAIN_CUT);
    RIG_WAIT(atomic_load(&rig.workers[0].closed) == 1);
    tls_hang_up(client);
    tls_down();
}

/* contract 5.6 */
Test(h2o_tls, hardened_context_does_not_offer_http_2)
{
    tls_up(NULL, true);
    struct tls_client *client = tls_connect("h2", 0);
    const unsigned char *protocol;
    unsigned len;
    SSL_get0_alpn_selected(client->ssl, &protocol, &len);
    cr_assert_eq(len, 0);
    tls_hang_up(client);
    tls_down();
}

/* contract 5.6 */
Test(h2o_tls, http_2_of_the_application_gets_505)
{
    tls_up(NULL, false);
    struct tls_client *client = tls_connect("h2", 0);
    static const char request[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                                  "\0\0\0\4\0\0\0\0\0"
                                  "\0\0\x14\1\5\0\0\0\1\x82\x87\x44\x0d/live/counter\x41\x01x";
    tls_send(client, request, sizeof(request) - 1);
    tls_expect(client, "http1.upgrade_to_http2");
    cr_assert_not_null(memmem(client->in, client->len, "505", 3));
    cr_assert_eq(rig_stats().streams_opened, 0);
    tls_hang_up(client);
    tls_down();
}

static struct freshet_check held;
static atomic_uint held_count;

static void hold(struct freshet_check check, const struct freshet_request *request, void *user)
{
    (void)request;
    (void)user;
    held = check;
    atomic_fetch_add(&held_count, 1);
}

static void add_guarded(void)
{
    static const struct freshet_guard guard = {.guard = hold};
    struct freshet_loader_options options = {.size = sizeof(options),
                                             .name = "guarded",
                                             .route = "guarded",
                                             .channel = rig.counter_channel,
                                             .load = rig_load,
                                             .use = &guard,
                                             .use_count = 1,
                                             .shared = true};
    cr_assert_eq(freshet_loader_new(rig.freshet, &options, NULL, NULL), FRESHET_OK);
}

static struct tls_client *ask_guarded(void)
{
    static const char request[] = "GET /live/guarded HTTP/1.1\r\nHost: x\r\n\r\n";
    unsigned before = atomic_load(&held_count);
    struct tls_client *client = tls_connect("http/1.1", 0);
    tls_send(client, request, sizeof(request) - 1);
    RIG_WAIT(atomic_load(&held_count) == before + 1);
    return client;
}

/* contract 4.8 */
Test(h2o_tls, guard_may_answer_later)
{
    rig.add_loaders = add_guarded;
    tls_up(NULL, true);
    struct tls_client *client = ask_guarded();
    cr_assert_eq(freshet_check_allow(held), FRESHET_OK);
    tls_expect(client, "data: 0\n\n");
    rig_publish(1);
    tls_expect(client, "data: 1\n\n");
    tls_hang_up(client);
    client = ask_guarded();
    cr_assert_eq(freshet_check_deny(held, 403, "no"), FRESHET_OK);
    tls_expect(client, "{\"code\":\"no\"}");
    tls_hang_up(client);
    RIG_WAIT(rig_stats().streams == 0);
    tls_down();
}

/* contract 4.8, 6.3: with a word or without */
Test(h2o_tls, client_that_leaves_while_its_guard_is_out_leaves_nothing)
{
    rig.add_loaders = add_guarded;
    tls_up(NULL, true);
    struct tls_client *client = ask_guarded();
    cr_assert_eq(SSL_shutdown(client->ssl), 0);
    cr_assert_eq(freshet_check_allow(held), FRESHET_OK);
    RIG_WAIT(rig_stream_ends() == 1);
    RIG_WAIT(atomic_load(&rig.workers[0].closed) == 1);
    tls_hang_up(client);
    client = ask_guarded();
    tls_hang_up(client);
    cr_assert_eq(freshet_check_allow(held), FRESHET_OK);
    RIG_WAIT(atomic_load(&rig.workers[0].closed) == 2);
    RIG_WAIT(rig_stats().streams == 0);
    tls_down();
}
