/* Pages that are rendered on the server, through a real h2o: what they get, and how their stream goes on. */
#include "h2o_rig.h"

TestSuite(h2o_once, .timeout = 60);

static struct freshet_load held; /* of `slow`, under rig.lock */
static atomic_uint held_loads, answers;
static char error_text[256];
static struct freshet_h2o_later *_Atomic later;

static void hold(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    (void)context;
    (void)user;
    pthread_mutex_lock(&rig.lock);
    held = load;
    pthread_mutex_unlock(&rig.lock);
    atomic_fetch_add(&held_loads, 1);
}

static void add_loaders(void)
{
    struct freshet_error error;
    struct freshet_channel *channel;
    cr_assert_eq(freshet_channel_new(&channel, "slow", &error), FRESHET_OK);
    struct freshet_loader_options options = {.size = sizeof(options),
                                             .name = "slow",
                                             .route = "slow",
                                             .channel = channel,
                                             .load = hold,
                                             .shared = true,
                                             .on_loop = true};
    cr_assert_eq(freshet_loader_new(rig.freshet, &options, NULL, &error), FRESHET_OK, "%s", error.text);
    freshet_channel_destroy(channel);
}

/* `status code location version bytes` as the page. */
static void send_page(h2o_req_t *request, const struct freshet_once_answer *answer, void *user)
{
    cr_assert_eq(user, &held, "what was given");
    atomic_fetch_add(&answers, 1);
    if (request == NULL)
        return;
    char *page = h2o_mem_alloc_pool(&request->pool, 4096);
    int len = snprintf(page, 4096, "page %d %.*s %.*s %.*s %.*s;", answer->status, (int)answer->code.len,
                       answer->code.len == 0 ? "" : answer->code.data, (int)answer->location.len,
                       answer->location.len == 0 ? "" : answer->location.data, (int)answer->version.len,
                       answer->version.len == 0 ? "" : answer->version.data, (int)answer->bytes.len,
                       answer->bytes.len == 0 ? "" : answer->bytes.data);
    request->res.status = 200;
    request->res.reason = "OK";
    h2o_send_inline(request, page, (size_t)len);
}

/* `/page<url of the stream>` */
static int on_page(h2o_handler_t *self, h2o_req_t *request)
{
    struct freshet_error error;
    char url[256];
    (void)self;
    snprintf(url, sizeof(url), "%.*s", (int)(request->path.len - 5), request->path.base + 5);
    if (freshet_h2o_load_once(request, url, send_page, &held, &error) == FRESHET_OK)
        return 0;
    snprintf(error_text, sizeof(error_text), "%s", error.text);
    return -1;
}

/* The first keeps its request, the second answers both. */
static int on_later(h2o_handler_t *self, h2o_req_t *request)
{
    (void)self;
    if (later == NULL) {
        later = freshet_h2o_later_new(request);
        cr_assert_not_null(later);
        return 0;
    }
    h2o_req_t *first = freshet_h2o_later_take(later);
    later = NULL;
    first->res.status = request->res.status = 200;
    h2o_send_inline(first, H2O_STRLIT("the first"));
    h2o_send_inline(request, H2O_STRLIT("both"));
    return 0;
}

static void add_paths(h2o_hostconf_t *host)
{
    h2o_create_handler(h2o_config_register_path(host, "/page", 0), sizeof(h2o_handler_t))->on_req = on_page;
    h2o_create_handler(h2o_config_register_path(host, "/later", 0), sizeof(h2o_handler_t))->on_req = on_later;
}

static void up(struct freshet_h2o_mount_options *mount)
{
    rig.add_loaders = add_loaders;
    rig.add_paths = add_paths;
    rig_up(mount, NULL);
}

static struct rig_client *ask(const char *target, const char *headers)
{
    char request[512];
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", target, headers);
    return rig_ask(request);
}

/* Renders; `version` gets that of the page. */
static void render(const char *state, char version[33])
{
    char expected[64];
    struct rig_client *client = ask("/page/live/counter", "");
    rig_expect(client, ";");
    const char *page = strstr(client->in, "page 200   ");
    cr_assert_not_null(page, "%s", client->in);
    snprintf(version, 33, "%s", page + strlen("page 200   "));
    snprintf(expected, sizeof(expected), "%s %s;", version, state);
    cr_assert_not_null(strstr(client->in, expected), "%s", client->in);
    rig_hang_up(client);
}

/* contract 4.13, 5.3: by header, by query for an EventSource, and among several views */
Test(h2o_once, a_stream_goes_on_from_the_page)
{
    char version[33], newest[33], text[256];
    up(NULL);
    render("0", version);
    const char *const targets[] = {"/live/counter", "/live/counter?x=1&last-event-id=%s",
                                   "/live?v=/counter~%s"};
    for (int changed = 0; changed < 2; changed++) {
        for (size_t i = 0; i < 3; i++) {
            char header[128] = "";
            snprintf(text, sizeof(text), targets[i], version);
            if (i == 0)
                snprintf(header, sizeof(header), "Last-Event-ID: %s\r\n", version);
            struct rig_client *client = ask(text, header);
            const char *state = i < 2 ? "data: 7\n\n" : "\ndata: 7\n\n";
            if (changed)
                rig_expect(client, state);
            else
                rig_expect(client, i < 2 ? ": unchanged\n\n" : version);
            cr_assert_eq(strstr(client->in, "data: 7\n\n") != NULL, changed, "%s", client->in);
            rig_hang_up(client);
        }
        if (!changed)
            rig_publish(7);
    }
    render("7", newest);
    cr_assert_neq(strcmp(version, newest), 0);
    /* When it comes back by itself, the header is newer than the query. */
    snprintf(text, sizeof(text), "/live/counter?last-event-id=%s", version);
    char header[128];
    snprintf(header, sizeof(header), "Last-Event-ID: %s\r\n", newest);
    struct rig_client *client = ask(text, header);
    rig_expect(client, ": unchanged\n\n");
    rig_hang_up(client);
    rig_down();
}

/* contract 4.13: each is answered once, and nobody is hurt; h2o notices late over HTTP/1 who has left */
Test(h2o_once, a_client_that_leaves_takes_nobody_along)
{
    up(NULL);
    struct rig_client *client = ask("/page/live/slow", ""), *patient = ask("/page/live/slow", "");
    RIG_WAIT(atomic_load(&held_loads) == 1);
    rig_hang_up(client);
    pthread_mutex_lock(&rig.lock);
    cr_assert_eq(freshet_load_answer(held, freshet_span_text("at last")), FRESHET_OK);
    pthread_mutex_unlock(&rig.lock);
    rig_expect(patient, " at last;");
    RIG_WAIT(atomic_load(&answers) == 2);
    rig_hang_up(patient);
    rig_down();
}

static void check_cookie(struct freshet_check check, const struct freshet_request *request, void *user)
{
    struct freshet_span who;
    (void)user;
    cr_assert_gt(freshet_request_peer(request).len, strlen("127.0.0.1:"));
    enum freshet_status status = freshet_request_cookie(request, "user", &who);
    if (status == FRESHET_OK)
        freshet_check_allow(check);
    else if (status == FRESHET_NOT_FOUND) /* not UNSUPPORTED: the mount names it */
        freshet_check_redirect(check, "/log-in");
    else
        freshet_check_deny(check, 403, "not-kept");
}

/* contract 4.13, 4.8: those of the mount, too */
Test(h2o_once, guards_of_the_mount_see_the_page_s_request)
{
    static const char *const names[] = {"cookie", NULL};
    struct freshet_guard guard = {.guard = check_cookie};
    struct freshet_h2o_mount_options mount = {.use = &guard, .use_count = 1, .request_headers = names};
    up(&mount);
    struct rig_client *client = ask("/page/live/counter", "");
    rig_expect(client, "page 302 redirect /log-in  ;");
    rig_hang_up(client);
    client = ask("/page/live/counter", "Cookie: user=7\r\n");
    rig_expect(client, " 0;");
    cr_assert_not_null(strstr(client->in, "page 200 "));
    rig_hang_up(client);
    rig_down();
}

static void check_peer(struct freshet_check check, const struct freshet_request *request, void *user)
{
    (void)user;
    if (freshet_span_equal(freshet_request_peer(request), freshet_span_text("203.0.113.9:0")))
        freshet_check_allow(check);
    else
        freshet_check_deny(check, 403, "another-client");
}

/* contract 4.13, 6.5: behind a proxy, too, the client is whom a stream's guards would see */
Test(h2o_once, the_client_is_the_same_as_a_stream_s)
{
    static const char *const proxies[] = {"127.0.0.1", NULL};
    static const char forwarded[] = "X-Forwarded-For: 203.0.113.9\r\n";
    struct freshet_guard guard = {.guard = check_peer};
    struct freshet_h2o_mount_options mount = {.use = &guard, .use_count = 1, .proxies = proxies};
    up(&mount);
    struct rig_client *client = ask("/live/counter", forwarded);
    rig_expect(client, "data: 0\n\n");
    rig_hang_up(client);
    client = ask("/page/live/counter", forwarded);
    rig_expect(client, ";");
    cr_assert_not_null(strstr(client->in, "page 200 "), "%s", client->in);
    rig_hang_up(client);
    client = ask("/page/live/counter", "");
    rig_expect(client, "page 403 another-client   ;");
    rig_hang_up(client);
    rig_down();
}

/* contract 4.13, 4.10 */
Test(h2o_once, what_has_no_stream_has_no_page)
{
    up(NULL);
    struct rig_client *client = ask("/page/live/nowhere", "");
    rig_expect(client, "page 404 not-found   ;");
    rig_hang_up(client);
    client = ask("/page/elsewhere/counter", "");
    rig_expect(client, "HTTP/1.1 404 ");
    cr_assert_str_eq(error_text, "no mount of this host has \"/elsewhere/counter\" below it");
    rig_hang_up(client);
    cr_assert_eq(freshet_h2o_load_once(NULL, "/live/counter", send_page, NULL, NULL), FRESHET_INVALID);
    cr_assert(freshet_h2o_later_new(NULL) == NULL && freshet_h2o_later_take(NULL) == NULL);
    rig_down();
}

Test(h2o_once, a_request_is_answered_later)
{
    up(NULL);
    struct rig_client *first = ask("/later", "");
    RIG_WAIT(later != NULL);
    struct rig_client *second = ask("/later", "");
    rig_expect(first, "the first");
    rig_expect(second, "both");
    rig_hang_up(first);
    rig_hang_up(second);
    rig_down();
}

/* A request goes with its pool. */
Test(h2o_once, of_a_request_that_has_gone_nothing_is_touched)
{
    h2o_req_t *request = calloc(1, sizeof(*request));
    h2o_mem_init_pool(&request->pool);
    struct freshet_h2o_later *gone = freshet_h2o_later_new(request),
                             *answered = freshet_h2o_later_new(request);
    cr_assert_eq(freshet_h2o_later_take(answered), request);
    h2o_mem_clear_pool(&request->pool);
    free(request);
    cr_assert_null(freshet_h2o_later_take(gone));
}
