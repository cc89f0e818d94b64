/* Guards, identities, requests and their limits, through a real h2o. */
#include "h2o_rig.h"

#include <arpa/inet.h>

TestSuite(h2o_guard, .timeout = 60);

static void drain_here(void);

/* What the guard does is asked for by the cookie `do`; what it found is the cookie `user`. */
static atomic_bool revoked;
static char tenant[16] = "a"; /* under rig.lock */
static struct freshet_check held[8];
static atomic_uint held_count, guard_calls;
static atomic_ulong guard_thread;

static void keep_user(struct freshet_check check, const struct freshet_request *request)
{
    struct freshet_span user;
    if (freshet_request_cookie(request, "user", &user) == FRESHET_OK)
        freshet_check_set(check, "user", user);
}

static bool does(const struct freshet_request *request, const char *what)
{
    struct freshet_span value;
    return freshet_request_cookie(request, "do", &value) == FRESHET_OK &&
           freshet_span_equal(value, freshet_span_text(what));
}

static void guard(struct freshet_check check, const struct freshet_request *request, void *user)
{
    (void)user;
    atomic_fetch_add(&guard_calls, 1);
    atomic_store(&guard_thread, (unsigned long)pthread_self());
    keep_user(check, request);
    if (atomic_load(&revoked))
        freshet_check_deny(check, 403, "revoked");
    else if (does(request, "deny"))
        freshet_check_deny(check, 401, "log-in");
    else if (does(request, "redirect"))
        freshet_check_redirect(check, "/login?next=%2Flive");
    else if (does(request, "fail"))
        freshet_check_fail(check);
    else if (does(request, "drain"))
        drain_here();
    else if (does(request, "wait"))
        held[atomic_fetch_add(&held_count, 1) % 8] = check;
    else
        freshet_check_allow(check);
}

static size_t print(char *text, size_t size, size_t len, const char *name, enum freshet_status status,
                    struct freshet_span value)
{
    if (status != FRESHET_OK)
        value = freshet_span_text(freshet_status_text(status));
    return len + (size_t)snprintf(text + len, size - len, " %s=%.*s", name, (int)value.len, value.data);
}

/* Everything a load can ask for. */
static void load_request(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    const struct freshet_request *request = context->request;
    struct freshet_span value;
    char text[1024];
    size_t len = (size_t)snprintf(text, sizeof(text), "topic=%.*s identity=%.*s", (int)context->topic.len,
                                  context->topic.data, (int)context->identity.len, context->identity.data);
    (void)user;
    enum freshet_status status = freshet_load_param(context, "id", 0, &value);
    len = print(text, sizeof(text), len, "param", status, value);
    status = freshet_request_query(request, "q", 1, &value);
    len = print(text, sizeof(text), len, "query", status, value);
    status = freshet_request_header(request, "x-kept", &value);
    len = print(text, sizeof(text), len, "header", status, value);
    status = freshet_request_header(request, "host", &value);
    len = print(text, sizeof(text), len, "host", status, value);
    status = freshet_request_header(request, "x-not-kept", &value);
    len = print(text, sizeof(text), len, "other", status, value);
    status = freshet_request_cookie(request, "user", &value);
    len = print(text, sizeof(text), len, "cookie", status, value);
    status = freshet_request_attribute(request, "user", &value);
    len = print(text, sizeof(text), len, "user", status, value);
    len = print(text, sizeof(text), len, "path", FRESHET_OK, freshet_request_path(request));
    freshet_load_answer(load, freshet_span(text, len));
}

/* Of the session, not of the route. */
static enum freshet_status topic_of_user(const struct freshet_request *request, struct freshet_topic *topic,
                                         struct freshet_refusal *refusal, void *user)
{
    struct freshet_span name, query;
    (void)user;
    if (freshet_request_attribute(request, "user", &name) != FRESHET_OK) {
        refusal->status = 401;
        snprintf(refusal->code, sizeof(refusal->code), "who-are-you");
        return FRESHET_REFUSED;
    }
    freshet_request_query(request, "room", 0, &query);
    topic->len = (uint16_t)snprintf(topic->text, sizeof(topic->text), "inbox/%.*s/%.*s", (int)name.len,
                                    name.data, (int)query.len, query.data);
    return FRESHET_OK;
}

static enum freshet_status identity_of_tenant(const struct freshet_request *request,
                                              struct freshet_identity *identity,
                                              struct freshet_refusal *refusal, void *user)
{
    (void)request;
    (void)refusal;
    (void)user;
    pthread_mutex_lock(&rig.lock);
    identity->len = strlen(tenant);
    memcpy(identity->text, tenant, identity->len);
    pthread_mutex_unlock(&rig.lock);
    return FRESHET_OK;
}

static void add(struct freshet_loader_options options)
{
    struct freshet_error error;
    static const char *const headers[] = {"cookie", "x-kept", "host", NULL};
    options.size = sizeof(options);
    options.headers = headers;
    if (options.load == NULL)
        options.load = load_request;
    if (options.topic == NULL)
        options.channel = rig.counter_channel;
    cr_assert_eq(freshet_loader_new(rig.freshet, &options, NULL, &error), FRESHET_OK, "%s", error.text);
}

static const struct freshet_guard plain = {.guard = guard};
static const struct freshet_guard on_pool = {.guard = guard, .on_pool = true};
static const struct freshet_guard hasty = {.guard = guard, .timeout_ms = 50};

static void add_loaders(void)
{
    add((struct freshet_loader_options){
        .name = "mine", .route = "mine/:id", .use = &plain, .use_count = 1, .on_loop = true});
    add((struct freshet_loader_options){
        .name = "pooled", .route = "pooled/:id", .use = &on_pool, .use_count = 1});
    add((struct freshet_loader_options){
        .name = "hasty", .route = "hasty", .use = &hasty, .use_count = 1, .shared = true});
    add((struct freshet_loader_options){.name = "guarded",
                                        .route = "guarded",
                                        .use = &plain,
                                        .use_count = 1,
                                        .load = rig_load,
                                        .shared = true,
                                        .on_loop = true});
    add((struct freshet_loader_options){
        .name = "inbox", .route = "inbox", .use = &plain, .use_count = 1, .topic = topic_of_user});
    add((struct freshet_loader_options){
        .name = "tenant", .route = "tenant", .use = &plain, .use_count = 1, .identity = identity_of_tenant});
}

static void up(struct freshet_h2o_mount_options *mount, struct freshet_options *limits)
{
    rig.add_loaders = add_loaders;
    rig_up(mount, limits);
}

static struct rig_client *get(const char *target, const char *headers)
{
    char request[12000];
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", target, headers);
    return rig_ask(request);
}

static void expect_refusal(const char *target, const char *headers, const char *status_line, const char *text)
{
    struct rig_client *client = get(target, headers);
    rig_expect(client, text);
    cr_assert_eq(strncmp(client->in, status_line, strlen(status_line)), 0, "%s: %s", target, client->in);
    rig_hang_up(client);
}

/* contract 4.8, 5.1: denied with the guard's status and code */
Test(h2o_guard, denial_is_a_final_answer_with_its_code)
{
    up(NULL, NULL);
    expect_refusal("/live/mine/1", "cookie: do=deny\r\n", "HTTP/1.1 401 ", "{\"code\":\"log-in\"}");
    RIG_WAIT(rig_stats().streams == 0);
    cr_assert_eq(rig_stats().streams_denied, 1);
    cr_assert_eq(rig_stats().streams_opened, 0);
    cr_assert_eq(rig_stats().topics, 0);
    rig_down();
}

/* contract 4.8 */
Test(h2o_guard, redirect_is_a_302_with_the_location)
{
    up(NULL, NULL);
    struct rig_client *client = get("/live/guarded", "cookie: do=redirect\r\n");
    rig_expect(client, "{\"code\":\"redirect\"}");
    cr_assert_eq(strncmp(client->in, "HTTP/1.1 302 Found\r\n", 20), 0, "%s", client->in);
    cr_assert_not_null(strstr(client->in, "location: /login?next=%2Flive\r\n"), "%s", client->in);
    rig_hang_up(client);
    rig_down();
}

/* contract 4.8, 5.2: a guard that could not decide */
Test(h2o_guard, failure_is_a_temporary_refusal)
{
    up(NULL, NULL);
    struct rig_client *client = get("/live/mine/1", "cookie: do=fail\r\n");
    rig_expect(client, "event: end\ndata: {\"code\":\"guard-failed\"");
    rig_expect_end(client);
    cr_assert_eq(strncmp(client->in, "HTTP/1.1 200 ", 13), 0, "%s", client->in);
    cr_assert_not_null(strstr(client->in, "retry: "));
    cr_assert_null(strstr(client->in, "\"retry_ms\":null"));
    rig_hang_up(client);
    cr_assert_eq(rig_stats().streams_refused, 1);
    cr_assert_eq(rig_stats().guards_failed, 1);
    rig_down();
}

/* contract 4.8, 5.2: nor is no answer an allow; what comes too late is stale */
Test(h2o_guard, timeout_is_a_temporary_refusal)
{
    up(&(struct freshet_h2o_mount_options){.refuse_with_503 = true}, NULL);
    struct rig_client *client = get("/live/hasty", "cookie: do=wait\r\n");
    rig_expect(client, "{\"code\":\"guard-timeout\"}");
    cr_assert_eq(strncmp(client->in, "HTTP/1.1 503 ", 13), 0, "%s", client->in);
    cr_assert_not_null(strstr(client->in, "retry-after: "));
    rig_expect_end(client);
    rig_hang_up(client);
    cr_assert_eq(freshet_check_allow(held[0]), FRESHET_STALE);
    RIG_WAIT(rig_stats().streams == 0);
    cr_assert_eq(rig_stats().streams_opened, 0);
    rig_down();
}

/* contract 4.8: later, from another thread */
Test(h2o_guard, later_answer_of_another_thread_opens_the_stream)
{
    up(NULL, NULL);
    struct rig_client *client = get("/live/mine/1?q=0&q=1", "cookie: do=wait; user=ann\r\n");
    RIG_WAIT(atomic_load(&held_count) == 1);
    cr_assert_eq(rig_stats().streams, 1, "those that wait count");
    cr_assert_eq(rig_stats().topics, 0);
    cr_assert_eq(freshet_check_set(held[0], "user", freshet_span_text("bob")), FRESHET_OK);
    cr_assert_eq(freshet_check_allow(held[0]), FRESHET_OK);
    cr_assert_eq(freshet_check_allow(held[0]), FRESHET_STALE);
    rig_expect(client, " query=1 ");
    rig_expect(client, " user=bob ");
    rig_hang_up(client);
    RIG_WAIT(rig_stats().streams == 0);
    rig_down();
}

/* contract 4.8 */
Test(h2o_guard, guard_on_the_pool_may_block)
{
    up(NULL, NULL);
    struct rig_client *client = get("/live/pooled/7", "cookie: user=ann\r\n");
    rig_expect(client, " user=ann ");
    cr_assert_neq(atomic_load(&guard_thread), (unsigned long)rig.workers[0].thread);
    rig_hang_up(client);
    client = get("/live/mine/7", "cookie: user=ann\r\n");
    rig_expect(client, " user=ann ");
    cr_assert_eq(atomic_load(&guard_thread), (unsigned long)rig.workers[0].thread);
    rig_hang_up(client);
    rig_down();
}

/* contract 4.3, 4.4: the load of one connection sees its request: what was named, and no more */
Test(h2o_guard, load_of_one_connection_sees_its_request)
{
    up(NULL, NULL);
    struct rig_client *client =
        get("/live/mine/a%20b?q=0&q=x+%C3%A9", "X-Kept: one\r\nx-kept: two\r\nX-Not-Kept: no\r\n"
                                               "Cookie: user=\"ann\"\r\n");
    rig_expect(
        client,
        "data: topic=counter identity= param=a b query=x \xc3\xa9 header=one host=x other=not supported here "
        "cookie=ann user=ann path=/mine/a%20b\n");
    rig_hang_up(client);
    rig_down();
}

/* contract 4.1: the topic may come from the session; the guards' findings and the request are there */
Test(h2o_guard, topic_comes_from_the_session)
{
    up(NULL, NULL);
    struct rig_client *client = get("/live/inbox?room=r1", "cookie: user=ann\r\n");
    rig_expect(client, "data: topic=inbox/ann/r1 ");
    rig_hang_up(client);
    expect_refusal("/live/inbox?room=r1", "", "HTTP/1.1 401 ", "{\"code\":\"who-are-you\"}");
    rig_down();
}

/* contract 4.3 */
Test(h2o_guard, grouped_load_sees_its_identity_and_no_request)
{
    up(NULL, NULL);
    struct rig_client *client = get("/live/tenant?q=1", "cookie: user=ann\r\n");
    rig_expect(client, "data: topic=counter identity=a ");
    rig_expect(client, "query=invalid argument header=invalid argument");
    rig_hang_up(client);
    rig_down();
}

/* contract 4.8: the stream of a connection is cut at the next load, with the code, for good */
Test(h2o_guard, revoked_user_loses_the_stream_at_the_next_run)
{
    up(NULL, NULL);
    struct rig_client *client = get("/live/mine/1", "cookie: user=ann\r\n");
    rig_expect(client, "data: topic=counter");
    uint64_t loads = rig_stats().loads;
    atomic_store(&revoked, true);
    rig_publish(2);
    rig_expect(client, "event: end\ndata: {\"code\":\"revoked\",\"retry_ms\":null}");
    rig_expect_end(client);
    rig_hang_up(client);
    RIG_WAIT(rig_stream_ends() == 1);
    cr_assert_eq(rig.reason, FRESHET_CLOSE_DENIED);
    cr_assert_eq(rig_stats().loads, loads, "nothing was loaded for it");
    rig_down();
}

/* contract 4.8: a shared stream, at the interval, while idle; with nothing published in between */
Test(h2o_guard, revoked_user_loses_a_shared_stream_at_the_interval)
{
    up(NULL, &(struct freshet_options){.guard_interval_ms = 100});
    struct rig_client *client = get("/live/guarded", "cookie: user=ann\r\n");
    rig_expect(client, "data: 0\n");
    RIG_WAIT(atomic_load(&guard_calls) >= 3);
    atomic_store(&revoked, true);
    rig_expect(client, "event: end\ndata: {\"code\":\"revoked\",\"retry_ms\":null}");
    rig_expect_end(client);
    rig_hang_up(client);
    rig_down();
}

/* contract 4.8 */
Test(h2o_guard, stream_moves_when_its_identity_changes)
{
    up(NULL, &(struct freshet_options){.guard_interval_ms = 50});
    struct rig_client *client = get("/live/tenant", "");
    rig_expect(client, "identity=a ");
    pthread_mutex_lock(&rig.lock);
    strcpy(tenant, "b");
    pthread_mutex_unlock(&rig.lock);
    rig_expect(client, "identity=b ");
    rig_forget(client);
    rig_publish(1);
    rig_expect(client, "identity=b ");
    cr_assert_null(strstr(client->in, "identity=a"));
    cr_assert_eq(rig_stats().streams_moved, 1);
    cr_assert_eq(rig_stats().streams, 1);
    rig_hang_up(client);
    rig_down();
}

static void add_guarded_route(void)
{
    cr_assert_eq(freshet_use(rig.freshet, "board/:rest*", &plain, 1, NULL), FRESHET_OK);
}

/* contract 4.8: those of the mount and of routes come first, for every loader */
Test(h2o_guard, mount_and_route_guard_every_loader)
{
    static const char *const headers[] = {"cookie", NULL};
    rig.add_loaders = add_guarded_route;
    rig_up(&(struct freshet_h2o_mount_options){.use = &plain, .use_count = 1, .request_headers = headers},
           NULL);
    expect_refusal("/live/counter", "cookie: do=deny\r\n", "HTTP/1.1 401 ", "log-in");
    cr_assert_eq(atomic_load(&guard_calls), 1);
    struct rig_client *client = get("/live/board/b1", "");
    rig_expect(client, "data: 0\n");
    cr_assert_eq(atomic_load(&guard_calls), 3);
    rig_hang_up(client);
    rig_down();
}

/* contract 6.4, 5.2: no new streams while draining, and guards that are out hold nothing */
Test(h2o_guard, drain_refuses_those_whose_guards_are_out)
{
    up(NULL, NULL);
    struct rig_client *open = get("/live/guarded", "");
    rig_expect(open, "data: 0\n");
    struct rig_client *waiting[3];
    for (int i = 0; i < 3; i++)
        waiting[i] = get(i == 1 ? "/live/pooled/1" : "/live/mine/1", "cookie: do=wait\r\n");
    RIG_WAIT(atomic_load(&held_count) == 3);
    rig_drain(RIG_DEADLINE_MS, 0);
    for (int i = 0; i < 3; i++) {
        rig_expect(waiting[i], "\"code\":\"going-away\"");
        rig_expect_end(waiting[i]);
        rig_hang_up(waiting[i]);
    }
    rig_expect(open, "\"code\":\"going-away\"");
    rig_hang_up(open);
    RIG_WAIT(atomic_load(&rig.workers[0].drained));
    for (int i = 0; i < 3; i++)
        cr_assert_eq(freshet_check_allow(held[i]), FRESHET_STALE);
    cr_assert_eq(rig_stats().streams, 0);
    rig_down();
    cr_assert_eq(freshet_check_allow(held[0]), FRESHET_STALE);
}

static void drain_here(void)
{
    freshet_h2o_worker_drain(rig.workers[0].worker, RIG_DEADLINE_MS, 0, rig_on_drained, &rig.workers[0]);
}

/* contract 6.4: from within a guard, which then never answers */
Test(h2o_guard, guard_may_begin_the_drain)
{
    up(NULL, NULL);
    struct rig_client *open = get("/live/guarded", "");
    rig_expect(open, "data: 0\n");
    struct rig_client *client = get("/live/mine/1", "cookie: do=drain\r\n");
    rig_expect(client, "\"code\":\"going-away\"");
    rig_expect(open, "\"code\":\"going-away\"");
    rig_hang_up(client);
    rig_hang_up(open);
    RIG_WAIT(atomic_load(&rig.workers[0].drained));
    rig_down();
}

/* contract 6.4: the answers come after everything is gone */
Test(h2o_guard, answers_after_the_freshet_is_gone_are_stale)
{
    up(NULL, NULL);
    struct rig_client *client = get("/live/mine/1", "cookie: do=wait\r\n");
    RIG_WAIT(atomic_load(&held_count) == 1);
    rig_hang_up(client);
    rig_down();
    cr_assert_eq(freshet_check_set(held[0], "user", freshet_span_text("ann")), FRESHET_STALE);
    cr_assert_eq(freshet_check_allow(held[0]), FRESHET_STALE);
}

/* contract 6.3: the client has left when its guard allows it */
Test(h2o_guard, client_that_left_meanwhile_leaves_nothing)
{
    up(NULL, NULL);
    for (int i = 0; i < 4; i++) {
        struct rig_client *client = get("/live/mine/1", "cookie: do=wait\r\n");
        RIG_WAIT(atomic_load(&held_count) == (unsigned)i + 1);
        struct linger reset = {.l_onoff = i % 2, .l_linger = 0};
        setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        rig_hang_up(client);
        cr_assert_eq(freshet_check_allow(held[i]), FRESHET_OK);
        RIG_WAIT(rig_stats().streams == 0);
    }
    rig_down();
}

/* contract 6.1: query and named headers of 8 KiB together, 32 headers, 256 pairs */
Test(h2o_guard, too_large_a_request_gets_431)
{
    static char query[9000], headers[9000];
    up(NULL, NULL);
    snprintf(query, sizeof(query), "/live/mine/1?q=");
    memset(query + strlen(query), 'q', 8000);
    struct rig_client *client = get(query, "");
    rig_expect(client, "query=not found");
    rig_hang_up(client);
    snprintf(headers, sizeof(headers), "x-kept: ");
    memset(headers + strlen(headers), 'h', 300);
    strcat(headers, "\r\n");
    expect_refusal(query, headers, "HTTP/1.1 431 ", "{\"code\":\"request-too-large\"}");
    memset(headers, 0, sizeof(headers));
    for (int i = 0; i < 33; i++)
        strcat(headers, "cookie: a=1\r\n");
    expect_refusal("/live/mine/1", headers, "HTTP/1.1 431 ", "{\"code\":\"request-too-large\"}");
    strcpy(query, "/live/mine/1?");
    for (int i = 0; i < 257; i++)
        strcat(query, "a&");
    expect_refusal(query, "", "HTTP/1.1 431 ", "{\"code\":\"request-too-large\"}");
    cr_assert_eq(atomic_load(&guard_calls), 1);
    /* A loader that looks at no request does not mind. */
    query[0] = '\0';
    client = get("/live/counter?a=%zz", "");
    rig_expect(client, "data: 0\n");
    rig_hang_up(client);
    rig_down();
}

/* contract 4.10 */
Test(h2o_guard, bad_query_gets_400)
{
    up(NULL, NULL);
    expect_refusal("/live/mine/1?a=%zz", "", "HTTP/1.1 400 ", "{\"code\":\"bad-query\"}");
    expect_refusal("/live/mine/1?a=1&%ff", "", "HTTP/1.1 400 ", "{\"code\":\"bad-query\"}");
    cr_assert_eq(atomic_load(&guard_calls), 0);
    RIG_WAIT(rig_stats().streams == 0);
    rig_down();
}

/* contract 6.5: per address; those that wait for their guards count */
Test(h2o_guard, max_streams_per_peer_counts_by_address)
{
    up(NULL, &(struct freshet_options){.max_streams_per_peer = 2});
    struct rig_client *first = get("/live/counter", "");
    rig_expect(first, "data: 0\n");
    struct rig_client *second = get("/live/mine/1", "cookie: do=wait\r\n");
    RIG_WAIT(atomic_load(&held_count) == 1);
    expect_refusal("/live/counter", "", "HTTP/1.1 200 ", "{\"code\":\"max-streams-per-peer\"");
    /* Another address of the loopback network has its own. */
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    struct rig_client *other = calloc(1, sizeof(*other));
    other->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, "127.0.0.2", &from.sin_addr);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)rig.workers[0].port);
    cr_assert_eq(bind(other->fd, (struct sockaddr *)&from, sizeof(from)), 0);
    cr_assert_eq(connect(other->fd, (struct sockaddr *)&to, sizeof(to)), 0);
    rig_send(other, "GET /live/counter HTTP/1.1\r\nHost: x\r\n\r\n");
    rig_expect(other, "data: 0\n");
    /* One is refused by its guard and gives its place back. */
    cr_assert_eq(freshet_check_deny(held[0], 403, "no"), FRESHET_OK);
    rig_expect(second, "{\"code\":\"no\"}");
    RIG_WAIT(rig_stats().streams == 2);
    struct rig_client *third = get("/live/counter", "");
    rig_expect(third, "data: 0\n");
    rig_hang_up(first);
    rig_hang_up(second);
    rig_hang_up(third);
    rig_hang_up(other);
    RIG_WAIT(rig_stats().streams == 0);
    cr_assert_eq(rig_stats().streams_refused, 1);
    rig_down();
}

/* contract 6.5: jittered, told, counted */
Test(h2o_guard, stream_ends_at_its_age_and_may_come_back)
{
    up(&(struct freshet_h2o_mount_options){.max_age_ms = 200}, NULL);
    struct rig_client *client = get("/live/counter", "");
    rig_expect(client, "data: 0\n");
    rig_expect(client, "event: end\ndata: {\"code\":\"max-age\",\"retry_ms\":");
    cr_assert_null(strstr(client->in, "null"));
    rig_expect_end(client);
    rig_hang_up(client);
    RIG_WAIT(rig_stream_ends() == 1);
    cr_assert_eq(rig.reason, FRESHET_CLOSE_MAX_AGE);
    cr_assert_eq(rig_stats().streams_closed[FRESHET_CLOSE_MAX_AGE], 1);
    rig_down();
}

/* contract 6.5: known ones are no new ones */
Test(h2o_guard, max_new_topics_per_s_refuses_for_now)
{
    up(NULL, &(struct freshet_options){.max_new_topics_per_s = 2});
    struct rig_client *clients[3];
    int64_t begin_ms = rig_now_ms();
    clients[0] = get("/live/board/b1", "");
    rig_expect(clients[0], "data: 0\n");
    clients[1] = get("/live/board/b2", "");
    rig_expect(clients[1], "data: 0\n");
    struct rig_client *over = get("/live/board/b3", "");
    rig_expect(over, "data: ");
    /* On a machine that stands still for half a second there is room again. */
    cr_assert(strstr(over->in, "\"code\":\"max-new-topics\"") != NULL || rig_now_ms() - begin_ms >= 500);
    rig_hang_up(over);
    clients[2] = get("/live/board/b1", "");
    rig_expect(clients[2], "data: 0\n");
    for (int64_t until_ms = rig_now_ms() + RIG_DEADLINE_MS;;) {
        over = get("/live/board/b4", "");
        rig_expect(over, "\n\n");
        bool has_room = strstr(over->in, ": freshet 1") != NULL;
        rig_hang_up(over);
        if (has_room)
            break;
        cr_assert_lt(rig_now_ms(), until_ms, "never again");
    }
    for (int i = 0; i < 3; i++)
        rig_hang_up(clients[i]);
    rig_down();
}

/* contract 5.1: a final refusal keeps the connection; guards of the next request are its own */
Test(h2o_guard, connection_goes_on_after_a_refusal)
{
    up(NULL, NULL);
    struct rig_client *client = get("/live/mine/1", "cookie: do=deny\r\n");
    rig_expect(client, "{\"code\":\"log-in\"}");
    cr_assert_null(strstr(client->in, "connection: close"));
    rig_forget(client);
    rig_send(client, "GET /live/guarded HTTP/1.1\r\nHost: x\r\ncookie: do=redirect\r\n\r\n");
    rig_expect(client, "{\"code\":\"redirect\"}");
    rig_forget(client);
    rig_send(client,
             "GET /live/mine/2?q=0&q=second HTTP/1.1\r\nHost: x\r\ncookie: do=wait; user=ann\r\n\r\n");
    RIG_WAIT(atomic_load(&held_count) == 1);
    cr_assert_eq(freshet_check_allow(held[0]), FRESHET_OK);
    rig_expect(client, "param=2 query=second ");
    rig_hang_up(client);
    RIG_WAIT(rig_stats().streams == 0);
    cr_assert_eq(rig_stats().streams_denied, 2);
    rig_down();
}

/* contract 6.3: pipelined behind a request whose guard is out: answered in order after a refusal, discarded
 * once there is a stream */
Test(h2o_guard, pipelined_request_waits_for_the_guard)
{
    static const char two[] = "GET /live/mine/1 HTTP/1.1\r\nHost: x\r\ncookie: do=wait; user=first\r\n\r\n"
                              "GET /live/mine/2 HTTP/1.1\r\nHost: x\r\ncookie: do=deny; user=second\r\n\r\n";
    up(NULL, NULL);
    struct rig_client *client = rig_ask(two);
    RIG_WAIT(atomic_load(&held_count) == 1);
    cr_assert_eq(atomic_load(&guard_calls), 1);
    cr_assert_eq(freshet_check_deny(held[0], 403, "first-no"), FRESHET_OK);
    rig_expect(client, "{\"code\":\"log-in\"}");
    cr_assert_lt(strstr(client->in, "first-no"), strstr(client->in, "log-in"));
    rig_hang_up(client);
    client = rig_ask(two);
    RIG_WAIT(atomic_load(&held_count) == 2);
    cr_assert_eq(freshet_check_allow(held[1]), FRESHET_OK);
    rig_expect(client, "param=1 ");
    rig_expect(client, "user=first ");
    rig_hang_up(client);
    RIG_WAIT(rig_stats().streams == 0);
    cr_assert_eq(atomic_load(&guard_calls), 3);
    rig_down();
}
