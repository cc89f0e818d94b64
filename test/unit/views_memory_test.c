/* Each allocation of a stream of several views fails once: the first, the second and so on, until a life has
 * no further one to fail. */
#include "views_rig.h"
#include "wrapped_memory.h"

static struct page page;
static unsigned state; /* what the application's store says */

static const char *const names[] = {"/board/a",   "/board/a?second=1", "/own/b?x=y", "/chat/c",
                                    "/guarded/d", "/guarded/d?again",  "/refused",   "/nowhere"};
enum { NAMES = sizeof(names) / sizeof(names[0]), CHAT = 3, FIRST_REFUSED = 6 };

static void load_state(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    char text[5000]; /* in gzip it is worth deflating, though this is one page */
    (void)context;
    (void)user;
    memset(text, '.', sizeof(text));
    snprintf(text + sizeof(text) - 64, 64, "\nstate %u", state);
    size_t len = sizeof(text) - 64 + strlen(text + sizeof(text) - 64);
    freshet_load_answer(load, freshet_span(text, len));
}

static enum freshet_status refuse_topic(const struct freshet_request *request, struct freshet_topic *topic,
                                        struct freshet_refusal *refusal, void *user)
{
    (void)request;
    (void)topic;
    (void)refusal;
    (void)user;
    return FRESHET_REFUSED;
}

static void build(bool gzip)
{
    static const struct freshet_guard guard = {.guard = allow_guard};
    rig_begin((struct freshet_options){.guard_interval_ms = 100}, 0);
    rig_add_loader(&(struct freshet_loader_options){
        .name = "board", .route = "board/:id", .load = load_state, .shared = true});
    rig_add_loader(&(struct freshet_loader_options){.name = "own", .route = "own/:id", .load = load_state});
    rig_add_loader(&(struct freshet_loader_options){.name = "chat", .route = "chat/:id", .messages = true});
    rig_add_loader(&(struct freshet_loader_options){.name = "guarded",
                                                    .route = "guarded/:id",
                                                    .load = load_state,
                                                    .shared = true,
                                                    .use = &guard,
                                                    .use_count = 1});
    rig_add_loader(&(struct freshet_loader_options){
        .name = "refused", .route = "refused", .load = load_state, .topic = refuse_topic});
    add_page_worker();
    if (gzip)
        put_pages_in_gzip();
}

/* Without memory a publish is refused: nothing has changed then. */
static void change(void)
{
    static const char *const topics[] = {"board/a", "own/b", "guarded/d"};
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        struct freshet_topic topic = rig_topic(topics[i]);
        state++;
        freshet_publish(rig.freshet, &topic, freshet_span(NULL, 0), NULL, NULL);
        rig_run();
    }
    rig_message("chat/c");
    rig_run();
    rig_pass_ms(150); /* guards are asked again */
}

static void open_page(void)
{
    struct fr_version none = {{0}};
    if (!page_begin(&page, true))
        return;
    for (size_t i = 0; i < NAMES; i++)
        page_add(&page, names[i], i % 2 == 0 ? &none : NULL);
    page_go(&page);
}

static bool was_ended(const char *name)
{
    char text[128];
    snprintf(text, sizeof(text), "event: end\ndata: {\"view\":\"%s\",", name);
    return page_find(&page, text) != NULL;
}

/* Whether the newest came for it, which the change before had shown. */
static bool is_current(size_t i, unsigned shown)
{
    char head[128], data[64];
    snprintf(head, sizeof(head), "event: %s\ndata: ", names[i]);
    if (i == CHAT)
        return page_find(&page, head) != NULL;
    for (; shown <= state; shown++) {
        snprintf(data, sizeof(data), "\ndata: state %u\n\n", shown);
        const char *at = page_find(&page, head);
        if (at != NULL && page_find(&page, data) != NULL)
            return true;
    }
    return false;
}

/* Whatever failed: the stream has ended, or each of its views was told its end or is served again. */
static void check_page(void)
{
    unsigned before = state;
    if (page.line == NULL || page.finished)
        return;
    rig_pass_ms(40000);
    page.room = SIZE_MAX;
    bool ended[NAMES];
    for (size_t i = 0; i < NAMES; i++)
        ended[i] = was_ended(names[i]);
    page.out.len = 0;
    change();
    rig_pass_ms(1000);
    if (page.finished)
        return;
    for (size_t i = 0; i < NAMES; i++)
        cr_assert(ended[i] || (i < FIRST_REFUSED && is_current(i, before + 1)), "%s", names[i]);
}

/* True: there was an allocation to fail. */
static bool live_with_failure_at(bool gzip, long at)
{
    build(gzip);
    until_failure = at;
    inflateEnd(&page.zlib);
    memset(&page, 0, sizeof(page));
    open_page();
    change();
    bool failed = until_failure == 0;
    until_failure = 0;
    check_page();
    if (page.line != NULL)
        page_hang_up(&page);
    cr_assert_eq(group.count, 0);
    cr_assert_eq(rig_stats().streams, 0);
    fr_encoder_destroy(group.encoder);
    rig_end();
    return failed;
}

static long fail_each(bool gzip)
{
    long at = 1;
    while (live_with_failure_at(gzip, at)) {
        check_nothing_is_left();
        at++;
    }
    check_nothing_is_left();
    return at;
}

Test(views_memory, each_allocation_fails_once_and_nothing_is_lost_or_left, .timeout = 300)
{
    cr_assert_gt(fail_each(false), 50);
}

/* contract 5.11 */
Test(views_memory, so_it_is_in_gzip, .timeout = 300)
{
    cr_assert_gt(fail_each(true), 70);
}
