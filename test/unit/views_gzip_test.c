/* Pages in gzip beside plain ones: whatever happens, in whatever order, both are told the same
 * (contract 5.11). zlib's inflate is the judge. */
#include "views_rig.h"

#include <stdlib.h>

enum { PAIRS = 6, VIEWS = 6, ROUNDS = 40, STEPS = 60 };

static const char *const names[VIEWS] = {"/board/a", "/board/b", "/board/a?again",
                                         "/own/c",   "/chat/d",  "/nowhere"};
static const char *const topics[] = {"board/a", "board/b", "own/c"};
enum { TOPICS = sizeof(topics) / sizeof(topics[0]) };

struct pair {
    struct page plain, packed;
    bool stalled;
    struct fr_version held;
};

static struct pair pairs[PAIRS];
static struct page first; /* who comes first to a feed is told more than who comes later */
static unsigned version;
static size_t sizes[TOPICS];
static bool fails[TOPICS];
static struct fr_bytes *heartbeat;

static size_t number_of(struct freshet_span topic)
{
    size_t i = 0;
    while (i < TOPICS && !freshet_span_equal(topic, freshet_span_text(topics[i])))
        i++;
    cr_assert_lt(i, TOPICS);
    return i;
}

/* Lines that stay, and one that changes. */
static void load_state(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    size_t i = number_of(context->topic);
    struct fr_buffer text = {0};
    (void)user;
    for (unsigned line = 0; text.len < sizes[i]; line++)
        fr_buffer_print(&text, "{\"id\":%u,\"at\":%u}%s", line, (line + 1) * 2654435761u,
                        line % 5 == 0 ? "\n" : "");
    fr_buffer_print(&text, "%u", version);
    if (fails[i])
        freshet_load_fail(load, "broken", "It is broken.");
    else
        freshet_load_answer(load, freshet_span(text.data, text.len));
    fr_buffer_deinit(&text);
}

static void begin(void)
{
    rig_begin((struct freshet_options){0}, 0);
    rig_add_loader(&(struct freshet_loader_options){
        .name = "board", .route = "board/:id", .load = load_state, .shared = true});
    rig_add_loader(&(struct freshet_loader_options){.name = "own", .route = "own/:id", .load = load_state});
    rig_add_loader(&(struct freshet_loader_options){
        .name = "chat", .route = "chat/:id", .messages = true, .max_queued_messages = 2});
    add_page_worker();
    heartbeat = fr_frame_comment(freshet_span_text(""));
    config.heartbeat = gzip_config.heartbeat = heartbeat;
    config.heartbeat_ms = gzip_config.heartbeat_ms = 100;
    config.write_timeout_ms = gzip_config.write_timeout_ms = FRESHET_NEVER;
    put_pages_in_gzip();
}

static void open_page(struct page *page, bool gzip, unsigned views, const struct fr_version *held)
{
    page_config = gzip ? &gzip_config : &config;
    cr_assert(page_begin(page, gzip)); /* plain ones without chunks: they are compared as they come */
    for (unsigned i = 0; i < VIEWS; i++)
        if ((views >> i & 1) != 0)
            page_add(page, names[i], i % 2 == 0 ? held : NULL);
    page_go(page);
}

static void reopen(struct pair *pair)
{
    unsigned views = (unsigned)rand() % (1u << VIEWS);
    if (pair->plain.line != NULL)
        page_hang_up(&pair->plain);
    if (pair->packed.line != NULL)
        page_hang_up(&pair->packed);
    open_page(&pair->plain, false, views | 1, &pair->held);
    open_page(&pair->packed, true, views | 1, &pair->held);
    pair->stalled = false;
}

static void stall(struct pair *pair, bool on)
{
    struct page *both[] = {&pair->plain, &pair->packed};
    for (size_t i = 0; i < 2; i++) {
        both[i]->room = on ? 0 : SIZE_MAX;
        if (!on && both[i]->waits)
            page_make_room(both[i], SIZE_MAX);
    }
    pair->stalled = on;
}

static void change(size_t i)
{
    struct freshet_topic topic = rig_topic(topics[i]);
    version++;
    cr_assert_eq(freshet_publish(rig.freshet, &topic, freshet_span(NULL, 0), NULL, NULL), FRESHET_OK);
}

static void step(void)
{
    size_t i = (size_t)rand() % TOPICS;
    struct pair *pair = &pairs[rand() % PAIRS];
    switch (rand() % 10) {
    case 0:
        reopen(pair);
        break;
    case 1:
        stall(pair, !pair->stalled);
        break;
    case 2:
        pass_for_streams(120);
        break;
    case 3:
        fails[i % 2] = !fails[i % 2]; /* that of one stream is tried again at times of its own */
        change(i);
        break;
    case 4:
        sizes[i] = (size_t)rand() % (rand() % 4 == 0 ? 9000 : 1500);
        change(i);
        break;
    case 5:
        rig_message("chat/d");
        break;
    default:
        change(i);
    }
    rig_run();
    rig_pass_ms(rand() % 50);
}

/* An event or a comment, with its place among all. */
struct said {
    struct freshet_span text, name;
    size_t at;
};

static size_t split(const struct page *page, struct said *all, size_t most)
{
    size_t count = 0;
    const char *at = page->out.data, *end = at + page->out.len;
    while (at < end) {
        const char *next = memmem(at, (size_t)(end - at), "\n\n", 2),
                   *line_end = memchr(at, '\n', (size_t)(end - at));
        cr_assert(next != NULL && count < most, "a part of an event, or too many: %.*s", (int)(end - at), at);
        all[count] = (struct said){freshet_span(at, (size_t)(next + 2 - at)),
                                   freshet_span(at, (size_t)(line_end - at)), count};
        count++;
        at = next + 2;
    }
    return count;
}

static int by_name(const void *a, const void *b)
{
    const struct said *one = a, *two = b;
    size_t len = one->name.len < two->name.len ? one->name.len : two->name.len;
    int order = memcmp(one->name.data, two->name.data, len);
    if (order != 0)
        return order;
    if (one->name.len != two->name.len)
        return one->name.len < two->name.len ? -1 : 1;
    return one->at < two->at ? -1 : 1;
}

/* Of each view the same in the same order; which one of several that were opened at a time comes first is no
 * matter. */
static void expect_same(const struct page *plain, const struct page *packed)
{
    static struct said one[4096], two[4096];
    size_t count = split(plain, one, 4096), packed_count = split(packed, two, 4096);
    qsort(one, count, sizeof(*one), by_name);
    qsort(two, packed_count, sizeof(*two), by_name);
    cr_assert_eq(count, packed_count, "plain: %.*s\ngzip: %.*s", (int)plain->out.len, plain->out.data,
                 (int)packed->out.len, packed->out.data);
    for (size_t i = 0; i < count; i++)
        cr_assert(freshet_span_equal(one[i].text, two[i].text), "plain: %.*s\ngzip: %.*s",
                  (int)one[i].text.len, one[i].text.data, (int)two[i].text.len, two[i].text.data);
}

/* Where nothing is on its way all is the same; where something is, it is for both, and is looked at later. */
static void compare(struct pair *pair)
{
    struct page *plain = &pair->plain, *packed = &pair->packed;
    cr_assert_eq(plain->waits, packed->waits);
    if (plain->line == NULL || plain->waits)
        return;
    expect_same(plain, packed);
    plain->out.len = packed->out.len = 0;
}

static void finish(void)
{
    for (size_t i = 0; i < PAIRS; i++)
        stall(&pairs[i], false);
    rig_run();
    for (size_t i = 0; i < PAIRS; i++)
        compare(&pairs[i]);
    page_hang_up(&first);
    fr_stream_group_drain(&group, 0);
    pass_for_streams(10);
    for (size_t i = 0; i < PAIRS; i++) {
        struct page *packed = &pairs[i].packed;
        char rest;
        packed->zlib.next_out = (Bytef *)&rest;
        packed->zlib.avail_out = 1;
        cr_assert_eq(inflate(&packed->zlib, Z_FINISH), Z_STREAM_END,
                     "sum and length are right, and nothing is missing");
        compare(&pairs[i]);
        page_hang_up(&pairs[i].plain);
        page_hang_up(packed);
    }
    fr_encoder_destroy(group.encoder);
    rig_end();
    fr_bytes_release(heartbeat);
}

Test(views_gzip, any_order_of_events_is_that_of_plain_pages, .timeout = 300)
{
    uint64_t stored = 0, deflated = 0, continued = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        srand(round);
        memset(fails, 0, sizeof(fails));
        sizes[0] = sizes[1] = sizes[2] = 300;
        begin();
        open_page(&first, false, (1u << VIEWS) - 1, NULL);
        for (size_t i = 0; i < PAIRS; i++)
            reopen(&pairs[i]);
        for (unsigned i = 0; i < STEPS; i++) {
            step();
            first.out.len = 0;
            for (size_t k = 0; k < PAIRS; k++)
                compare(&pairs[k]);
        }
        struct freshet_stats stats = rig_stats();
        stored += stats.gzip_stored, deflated += stats.gzip_deflated, continued += stats.gzip_continued;
        finish();
    }
    cr_assert(stored > 100 && deflated > 100 && continued > 100, "%zu %zu %zu", stored, deflated, continued);
}
