/* A topic with very many feeds of one connection each: others have their turn in between. */
#include "base/clock.h"
#include "core_rig.h"

#define MANY 1000

static struct client many[MANY], other;
static unsigned many_loads, other_loads;
static unsigned many_before_other; /* loads of the many when the other's began */
static unsigned turns, other_turn, last_turn;

static void load_many(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    (void)context;
    (void)user;
    many_loads++;
    last_turn = turns;
    char text[16];
    snprintf(text, sizeof(text), "%u", many_loads);
    freshet_load_answer(load, freshet_span_text(text));
}

static void load_other(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    (void)context;
    (void)user;
    other_loads++;
    other_turn = turns;
    many_before_other = many_loads;
    freshet_load_answer(load, freshet_span_text("other"));
}

static void run(void)
{
    for (int quiet = 0; quiet < 3; quiet++, turns++)
        if (fr_worker_turn(rig.workers[0]) <= rig.now_us)
            quiet = 0;
}

static void publish_only(const char *name)
{
    struct freshet_topic topic = rig_topic(name);
    cr_assert_eq(freshet_publish(rig.freshet, &topic, freshet_span(NULL, 0), NULL, NULL), FRESHET_OK);
}

static void open_all(void)
{
    rig_begin((struct freshet_options){0}, 1);
    struct freshet_channel *all;
    cr_assert_eq(freshet_channel_new(&all, "all", NULL), FRESHET_OK);
    rig_add_loader(&(struct freshet_loader_options){.name = "many",
                                                    .route = "board/:id",
                                                    .channel = all,
                                                    .load = load_many,
                                                    .max_concurrent_loads = MANY});
    rig_add_loader(&(struct freshet_loader_options){
        .name = "other", .route = "other", .load = load_other, .shared = true});
    freshet_channel_destroy(all);
    for (unsigned i = 0; i < MANY; i++)
        client_open(&many[i], 0, "board/b");
    rig_acknowledge();
    client_open(&other, 0, "other");
    rig_acknowledge();
    run();
    cr_assert_eq(many_loads, MANY);
    cr_assert_eq(other_loads, 1);
    many_loads = turns = 0;
}

static void close_all(void)
{
    for (unsigned i = 0; i < MANY; i++)
        fr_view_close(&many[i].view);
    fr_view_close(&other.view);
    run();
    rig_end();
}

/* contract 3.4, 6.1: one hot topic never stops the others */
Test(slices, publish_of_another_topic_does_not_wait_for_a_thousand_feeds)
{
    open_all();
    publish_only("all");
    publish_only("other");
    run();
    cr_assert_eq(many_loads, MANY);
    cr_assert_eq(other_loads, 2);
    cr_assert_leq(many_before_other, MANY / 4, "%u", many_before_other);
    cr_assert_lt(other_turn, last_turn);
    for (unsigned i = 0; i < MANY; i++)
        cr_assert_eq(many[i].snapshots, 2);
    close_all();
}

/* contract 4.2: what is published while the first is being delivered reaches every feed, also those that
 * have been told; and none loads twice for one mark */
Test(slices, publish_during_a_delivery_reaches_all_feeds)
{
    open_all();
    publish_only("all");
    while (many_loads == 0)
        fr_worker_turn(rig.workers[0]);
    cr_assert_lt(many_loads, MANY);
    unsigned before = many_loads;
    publish_only("all");
    run();
    cr_assert_geq(many_loads, MANY + before);
    cr_assert_leq(many_loads, 2 * MANY);
    for (unsigned i = 0; i < MANY; i++)
        cr_assert_geq(many[i].snapshots, 2);
    close_all();
}

/* contract 6.3: streams leave, and a worker leaves, in the middle of a delivery */
Test(slices, streams_may_leave_during_a_delivery)
{
    open_all();
    publish_only("all");
    while (many_loads == 0)
        fr_worker_turn(rig.workers[0]);
    for (unsigned i = 0; i < MANY; i++)
        fr_view_close(&many[i].view);
    publish_only("all");
    fr_worker_turn(rig.workers[0]);
    fr_view_close(&other.view);
    rig_leave(0);
    freshet_destroy(rig.freshet, 1000);
}

/* contract 4.11: the topic is given up while its publish is being delivered */
Test(slices, topic_may_end_during_a_delivery)
{
    open_all();
    publish_only("all");
    while (many_loads == 0)
        fr_worker_turn(rig.workers[0]);
    for (unsigned i = 0; i < MANY; i++)
        fr_view_close(&many[i].view);
    run();
    rig_pass_ms(6000);
    cr_assert_eq(rig_stats().topics, 1);
    cr_assert_eq(rig_stats().feeds, 1);
    publish_only("other");
    run();
    cr_assert_eq(other.snapshots, 2);
    fr_view_close(&other.view);
    run();
    rig_end();
}

/* ---- many feeds that fail ---- */

#define CROWD    5000
#define AT_ONCE  8
#define FAILURES 5

static struct client crowd[CROWD];
static struct freshet_load out[CROWD];
static unsigned crowd_loads, out_count;
static bool store_is_down;

static void load_crowd(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    (void)context;
    (void)user;
    crowd_loads++;
    if (store_is_down)
        freshet_load_fail(load, "store-down", NULL);
    else
        out[out_count++] = load;
}

/* contract 4.5, 4.7: the store has hardly come back, and is not run over */
Test(slices, five_thousand_failing_feeds_are_retried_at_once_and_paced, .timeout = 120)
{
    struct freshet_channel *all;
    rig_begin((struct freshet_options){0}, 1);
    cr_assert_eq(freshet_channel_new(&all, "all", NULL), FRESHET_OK);
    rig_add_loader(&(struct freshet_loader_options){.name = "crowd",
                                                    .route = "board/:id",
                                                    .channel = all,
                                                    .load = load_crowd,
                                                    .max_concurrent_loads = AT_ONCE});
    freshet_channel_destroy(all);
    store_is_down = true;
    for (unsigned i = 0; i < CROWD; i++)
        client_open(&crowd[i], 0, "board/b");
    rig_acknowledge();
    run();
    for (unsigned i = 1; i < FAILURES; i++) {
        rig.now_us += 8 * FR_US_PER_S;
        run();
    }
    cr_assert_eq(crowd_loads, FAILURES * CROWD);
    rig.now_us += 250 * FR_US_PER_MS;
    run();
    cr_assert_eq(crowd_loads, FAILURES * CROWD, "the next is due in more than three seconds");
    store_is_down = false;
    cr_assert_eq(freshet_loader_retry(rig.freshet, NULL, NULL), FRESHET_OK);
    run();
    for (unsigned answered = 0; answered < CROWD; answered++) {
        unsigned begun = answered + AT_ONCE < CROWD ? answered + AT_ONCE : CROWD;
        cr_assert_eq(out_count, begun, "%u", out_count);
        cr_assert_eq(freshet_load_answer(out[answered], freshet_span_text("back")), FRESHET_OK);
        run();
    }
    for (unsigned i = 0; i < CROWD; i++) {
        cr_assert(client_has(&crowd[i], "back"));
        fr_view_close(&crowd[i].view);
    }
    rig_end();
}
