/* Each allocation in the life of streams with guards fails once; whoever is denied never sees a thing. */
#include "guard_rig.h"
#include "wrapped_rig.h"

enum { OPEN, ANN_ALONE, ANN_SHARED, ANN_GROUPED, EVE_ALONE, EVE_SHARED, LOST, VISITS };

/* Without a NUL: eve is denied, those without a name are redirected. `open` has no guards, but others' have
 * to be looked at to know that. */
static const char *const targets[VISITS] = {"open/c?",           "single/b?who=ann", "shared/b?who=ann",
                                            "grouped/b?who=ann", "single/b?who=eve", "grouped/b?b=1&who=eve",
                                            "shared/b?b=2"};
static struct visit visits[VISITS];
static struct client clients[VISITS];
static unsigned state;
static bool revoked; /* ann, too */

static void judge(struct freshet_check check, const struct freshet_request *request, void *user)
{
    struct freshet_span who;
    (void)user;
    if (freshet_request_query(request, "who", 0, &who) != FRESHET_OK)
        freshet_check_redirect(check, "/login");
    else if (revoked || !freshet_span_equal(who, freshet_span_text("ann")))
        freshet_check_deny(check, 403, "no");
    else if (freshet_check_set(check, "who", who) == FRESHET_OK)
        freshet_check_allow(check);
    else
        freshet_check_fail(check);
}

static void pass(struct freshet_check check, const struct freshet_request *request, void *user)
{
    (void)request;
    (void)user;
    freshet_check_allow(check);
}

static enum freshet_status identity_of_who(const struct freshet_request *request,
                                           struct freshet_identity *identity, struct freshet_refusal *refusal,
                                           void *user)
{
    struct freshet_span who;
    (void)refusal;
    (void)user;
    if (freshet_request_attribute(request, "who", &who) != FRESHET_OK)
        return FRESHET_REFUSED;
    /* Another one each second. */
    identity->len = (size_t)snprintf(identity->text, sizeof(identity->text), "%.*s %d", (int)who.len,
                                     who.data, (int)(rig.now_us / 1000000));
    return FRESHET_OK;
}

static void load_state(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    char text[32];
    (void)context;
    (void)user;
    snprintf(text, sizeof(text), "state %u", state);
    freshet_load_answer(load, freshet_span_text(text));
}

static const struct freshet_guard judging = {.guard = judge}, passing = {.guard = pass};
static struct freshet_channel *channel;

static void add_loader(const char *name, const char *route, bool is_shared, freshet_identity_cb identity)
{
    static const char *const headers[] = {"cookie", "x-a", NULL};
    struct freshet_loader_options options = {.size = sizeof(options),
                                             .name = name,
                                             .route = route,
                                             .channel = channel,
                                             .load = load_state,
                                             .use = &judging,
                                             .use_count = strcmp(name, "open") == 0 ? 0 : 1,
                                             .headers = headers,
                                             .identity = identity,
                                             .shared = is_shared,
                                             .settle_ms = 100,
                                             .on_loop = true};
    while (freshet_loader_new(rig.freshet, &options, NULL, NULL) != FRESHET_OK)
        ;
}

static void build(void)
{
    rig_insist(
        (struct freshet_options){.linger_ms = 1000, .guard_interval_ms = 1000, .max_streams_per_peer = 3});
    while (freshet_channel_new(&channel, "all", NULL) != FRESHET_OK)
        ;
    add_loader("open", "open/:id", false, NULL);
    add_loader("single", "single/:id", false, NULL);
    add_loader("shared", "shared/:id", true, NULL);
    add_loader("grouped", "grouped/:id", false, identity_of_who);
    while (freshet_use(rig.freshet, ":kind/b", &passing, 1, NULL) != FRESHET_OK)
        ;
    while (freshet_use(rig.freshet, "elsewhere", &judging, 1, NULL) != FRESHET_OK)
        ;
    rig_insist_worker();
}

static void visit_once(unsigned i)
{
    const char *query = strchr(targets[i], '?');
    struct fr_request_view request_view = {.path = freshet_span(targets[i], (size_t)(query - targets[i])),
                                           .query = freshet_span_text(query + 1)};
    struct fr_quota quota;
    const char *code;
    visits[i] =
        (struct visit){.client = &clients[i], .answer = FR_VISIT_LATER, .core = {.worker = rig.workers[0]}};
    clients[i] = (struct client){.blocked = false};
    request_view.headers[request_view.header_count++] =
        (struct fr_field){freshet_span_text("cookie"), freshet_span_text("a=b")};
    if (fr_stream_begin(rig.workers[0], freshet_span_text("peer"), 1, &quota, &code) != FRESHET_OK)
        return;
    fr_stream_cancel(rig.workers[0], &quota);
    if (fr_route_find(rig.freshet, request_view.path, &visits[i].core.loader, &visits[i].core.params) !=
        FRESHET_OK)
        return;
    visits[i].answer = fr_visit_begin(&visits[i].core, &request_view,
                                      &(struct fr_guards){&passing, i == OPEN ? 0 : 1}, &visits[i].refusal);
    if (visits[i].answer != FR_VISIT_YES)
        return;
    cr_assert_eq(visits[i].core.admission == NULL, i == OPEN, "never by the memory that there is");
    if (i == OPEN) {
        visit_go_in(&visits[i]);
        rig_run();
        return;
    }
    visits[i].core.admission->decided = visit_decided;
    visits[i].core.admission->user = &visits[i];
    fr_admission_run(visits[i].core.admission);
    rig_run();
}

static void open_all(void)
{
    for (unsigned i = 0; i < VISITS; i++) {
        visit_once(i);
        if (rig.bus->subscribes > 0)
            rig_acknowledge();
        rig_run();
    }
}

static void publish_all(void)
{
    struct freshet_topic topic = rig_topic("all");
    state++;
    freshet_publish(rig.freshet, &topic, freshet_span(NULL, 0), NULL, NULL);
    rig_run();
}

/* Whoever may not see it has not, whatever failed. */
static void check_denied(bool all_memory)
{
    for (unsigned i = EVE_ALONE; i < VISITS; i++) {
        cr_assert_null(clients[i].view.fanout);
        cr_assert_eq(clients[i].snapshots + clients[i].errors + clients[i].unchanged, 0);
        cr_assert_neq(visits[i].answer, FR_VISIT_YES);
    }
    if (!all_memory)
        return;
    cr_assert_eq(visits[EVE_ALONE].refusal.status, 403);
    cr_assert_eq(visits[EVE_SHARED].refusal.status, 403);
    cr_assert_str_eq(visits[LOST].location, "/login");
}

static void check_newest(bool all_memory)
{
    char text[32];
    snprintf(text, sizeof(text), "state %u", state);
    for (unsigned i = 0; i < EVE_ALONE; i++) {
        bool open = visits[i].answer == FR_VISIT_YES && !clients[i].lost;
        cr_assert(open || !all_memory, "%s: %s %s", targets[i], visits[i].refusal.code, clients[i].end_code);
        cr_assert(!open || client_has(&clients[i], text), "%s: %s", targets[i], clients[i].last);
    }
}

static void use_all(bool all_memory)
{
    open_all();
    publish_all();
    rig_pass_ms(1500); /* guards run again, identities change */
    publish_all();
    rig_pass_ms(1500);
    check_denied(all_memory);
    check_newest(all_memory);
}

/* Also those in whose guards memory was missing at the last moment. */
static void revoke(void)
{
    revoked = true;
    publish_all();
    rig_pass_ms(2000);
    for (unsigned i = ANN_ALONE; i < EVE_ALONE; i++)
        cr_assert(visits[i].answer != FR_VISIT_YES || clients[i].lost, "%s", targets[i]);
    revoked = false;
}

static void close_all(void)
{
    for (unsigned i = 0; i < VISITS; i++) {
        client_close(&clients[i]);
        fr_visit_end(&visits[i].core);
    }
    rig_pass_ms(1500); /* everything is given back */
    cr_assert_eq(rig_stats().topics, 0);
    cr_assert_eq(rig_stats().feeds, 0);
    cr_assert_eq(rig_stats().streams, 0);
    cr_assert_eq(rig.bus->subscribes, rig.bus->unsubscribes);
}

/* A whole life whose n-th allocation fails; false: it has fewer. */
static bool live_with_failure(long n)
{
    atomic_store(&live, 0);
    until_failure = n;
    build();
    use_all(false);
    revoke();
    bool failed = until_failure == 0;
    until_failure = 0;
    close_all();
    use_all(true);
    revoke();
    close_all();
    freshet_channel_destroy(channel);
    rig_end();
    check_nothing_is_left();
    return failed;
}

/* contract 4.8: missing memory is no allow, and no final refusal either; nothing leaks */
Test(guard_memory, any_allocation_may_fail, .timeout = 120)
{
    long n = 1;
    while (live_with_failure(n))
        n++;
    cr_assert_gt(n, 100, "only %ld allocations were made to fail: is malloc wrapped?", n - 1);
}
