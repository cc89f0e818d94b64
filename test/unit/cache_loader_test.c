/* Loaders with the option `cache`. */
#include "core/load/cache.h"
#include "core/runtime/data_links.h"
#include "core_rig.h"

static struct freshet_cache *cache;
static struct client first, second;

static struct freshet_loader_options with_cache(const char *name, const char *route)
{
    return (struct freshet_loader_options){.name = name, .route = route, .shared = true, .cache = cache};
}

static enum freshet_status all_on_one_topic(const struct freshet_request *request,
                                            struct freshet_topic *topic, struct freshet_refusal *refusal,
                                            void *user)
{
    (void)request;
    (void)refusal;
    (void)user;
    *topic = rig_topic("boards");
    return FRESHET_OK;
}

/* Loaders "board" and "frame" of one channel, that share a cache. */
static void begin(unsigned workers)
{
    struct freshet_channel *channel;
    rig_begin((struct freshet_options){.linger_ms = 1000}, workers);
    cr_assert_eq(freshet_cache_new(&cache, rig.freshet, NULL, NULL), FRESHET_OK);
    cr_assert_eq(freshet_channel_new(&channel, "board/:id", NULL), FRESHET_OK);
    struct freshet_loader_options board = with_cache("board", "board/:id");
    struct freshet_loader_options frame = with_cache("frame", "frame/:id");
    board.channel = frame.channel = channel;
    rig_add_loader(&board);
    rig_add_loader(&frame);
    freshet_channel_destroy(channel);
}

static void end(void)
{
    client_close(&first);
    client_close(&second);
    freshet_cache_release(cache);
    rig_end();
}

/* "board" shows board/b1, loaded as "one". */
static void show_snapshot(void)
{
    client_open(&first, 0, "board/b1");
    rig_acknowledge();
    rig_run();
    rig_answer("one");
    cr_assert_eq(rig.load_count, 1);
}

static void begin_with_snapshot(void)
{
    begin(1);
    show_snapshot();
}

/* contract 4.9 */
Test(cache_loader, loaders_that_share_a_cache_share_what_was_loaded)
{
    begin_with_snapshot();
    client_open(&second, 0, "frame/b1");
    cr_assert_eq(rig.load_count, 1);
    cr_assert(client_has(&second, "one"));
    cr_assert_str_eq(second.order, "s");
    cr_assert_eq(rig_stats().loads, 1);
    cr_assert_eq(rig_stats().cache_hits, 1);
    cr_assert_eq(rig_stats().cache_misses, 1);
    end();
}

/* contract 4.9, 5.7: a stream whose load waited for its turn gets what another loader loaded meanwhile,
 * pushed although it is equal, since a publish was the cause */
Test(cache_loader, load_that_waits_for_its_turn_takes_what_came_meanwhile)
{
    struct client busy;
    struct freshet_channel *channel;
    begin(1);
    struct freshet_loader_options slow = with_cache("slow", "slow/:id");
    cr_assert_eq(freshet_channel_new(&channel, "board/:id", NULL), FRESHET_OK);
    slow.channel = channel;
    slow.max_concurrent_loads = 1;
    rig_add_loader(&slow);
    freshet_channel_destroy(channel);
    show_snapshot();
    client_open(&second, 0, "slow/b1");
    client_open(&busy, 0, "slow/b2");
    rig_acknowledge();
    rig_run();
    cr_assert_eq(rig.load_count, 2);
    rig_publish("board/b1");
    cr_assert_eq(rig.load_count, 3, "that of board; the one of slow waits");
    rig_answer("one");
    cr_assert_str_eq(second.order, "s");
    cr_assert_eq(freshet_load_answer(rig.loads[1].handle, freshet_span_text("other")), FRESHET_OK);
    rig_run();
    cr_assert_eq(rig.load_count, 3);
    cr_assert_str_eq(first.order, "ss");
    cr_assert_str_eq(second.order, "ss");
    cr_assert(client_has(&second, "one"));
    cr_assert(client_has(&busy, "other"));
    /* The turn was given back. */
    rig_publish("board/b2");
    cr_assert_eq(rig.load_count, 4);
    rig_answer("another");
    cr_assert(client_has(&busy, "another"));
    client_close(&busy);
    end();
}

/* contract 4.9 */
Test(cache_loader, answer_is_not_stored_when_its_topic_was_published_to_meanwhile)
{
    begin(1);
    client_open(&first, 0, "board/b1");
    rig_acknowledge();
    rig_run();
    rig_message("board/b1");
    rig_run();
    rig_answer("one");
    cr_assert_eq(rig_stats().cache_refused, 1);
    cr_assert_eq(rig.load_count, 2);
    client_open(&second, 0, "frame/b1");
    cr_assert_eq(rig.load_count, 3, "nothing is known to be current");
    rig_answer("two, for the frame");
    cr_assert(client_has(&second, "two, for the frame"));
    cr_assert_eq(freshet_load_answer(rig.loads[1].handle, freshet_span_text("two")), FRESHET_OK);
    rig_run();
    cr_assert(client_has(&first, "two"));
    end();
}

/* contract 4.9 */
Test(cache_loader, published_topic_is_loaded_again)
{
    begin_with_snapshot();
    client_open(&second, 0, "frame/b1");
    rig_publish("board/b1");
    cr_assert_eq(rig.load_count, 3, "both look before either has an answer");
    cr_assert_eq(freshet_load_answer(rig.loads[1].handle, freshet_span_text("two")), FRESHET_OK);
    cr_assert_eq(freshet_load_answer(rig.loads[2].handle, freshet_span_text("two")), FRESHET_OK);
    rig_run();
    cr_assert(client_has(&first, "two"));
    cr_assert(client_has(&second, "two"));
    end();
}

/* contract 4.9: the bus broke */
Test(cache_loader, lost_link_drops)
{
    begin_with_snapshot();
    rig_bus_state(FRESHET_BUS_DOWN);
    rig_run();
    client_open(&second, 0, "frame/b1");
    rig_pass_ms(250);
    cr_assert_eq(rig.load_count, 3);
    cr_assert_eq(rig_stats().cache_hits, 0);
    rig_answer("two");
    rig_bus_state(FRESHET_BUS_UP);
    rig_acknowledge();
    rig_run();
    cr_assert_eq(rig.load_count, 4, "what was answered while it was down is not stored");
    end();
}

/* contract 4.9 */
Test(cache_loader, subscription_given_back_drops)
{
    begin_with_snapshot();
    client_close(&first);
    rig_pass_ms(1001);
    cr_assert_eq(rig.bus->unsubscribes, 1);
    client_open(&second, 0, "frame/b1");
    rig_acknowledge();
    rig_run();
    cr_assert_eq(rig.load_count, 2);
    rig_answer("two");
    cr_assert(client_has(&second, "two"));
    client_open(&first, 0, "board/b1");
    cr_assert_eq(rig.load_count, 2);
    cr_assert(client_has(&first, "two"));
    end();
}

/* contract 4.9, 4.3: what differs in a route parameter is not the same */
Test(cache_loader, streams_with_other_parameters_do_not_share)
{
    rig_begin((struct freshet_options){0}, 1);
    cr_assert_eq(freshet_cache_new(&cache, rig.freshet, NULL, NULL), FRESHET_OK);
    struct freshet_loader_options board = with_cache("board", "board/:id");
    struct freshet_loader_options frame = with_cache("frame", "frame/:id");
    struct freshet_loader_options named = with_cache("named", "named/:name");
    board.topic = frame.topic = named.topic = all_on_one_topic;
    rig_add_loader(&board);
    rig_add_loader(&frame);
    rig_add_loader(&named);
    client_open(&first, 0, "board/b1");
    rig_acknowledge();
    rig_run();
    rig_answer("one");
    client_open(&second, 0, "frame/b2");
    cr_assert_eq(rig.load_count, 2);
    rig_answer("two");
    client_close(&second);
    client_open(&second, 0, "named/b1");
    cr_assert_eq(rig.load_count, 3);
    rig_answer("three");
    client_close(&second);
    client_open(&second, 0, "frame/b1");
    cr_assert_eq(rig.load_count, 3);
    cr_assert(client_has(&second, "one"));
    end();
}

/* contract 4.9, 4.5 */
Test(cache_loader, failed_load_is_made_up_for_by_what_another_loader_loaded)
{
    begin(1);
    client_open(&first, 0, "board/b1");
    rig_acknowledge();
    rig_run();
    rig_fail("broken");
    cr_assert_str_eq(first.order, "e");
    client_open(&second, 0, "frame/b1");
    cr_assert_eq(rig.load_count, 2);
    rig_answer("one");
    rig_pass_ms(400);
    cr_assert_eq(rig.load_count, 2);
    cr_assert_str_eq(first.order, "es");
    cr_assert(client_has(&first, "one"));
    end();
}

/* contract 4.9 */
Test(cache_loader, snapshot_that_the_cache_does_not_take_is_shown_all_the_same)
{
    struct freshet_cache_options options = {.size = sizeof(options), .max_bytes = 20};
    rig_begin((struct freshet_options){0}, 1);
    cr_assert_eq(freshet_cache_new(&cache, rig.freshet, &options, NULL), FRESHET_OK);
    struct freshet_loader_options board = with_cache("board", "board/:id");
    rig_add_loader(&board);
    client_open(&first, 0, "board/b1");
    rig_acknowledge();
    rig_run();
    rig_answer("one");
    cr_assert(client_has(&first, "one"));
    cr_assert_eq(rig_stats().cache_refused, 1);
    client_open(&second, 0, "board/b1");
    cr_assert(client_has(&second, "one"), "the feed has it");
    end();
}

static void count_release(void *user)
{
    (*(unsigned *)user)++;
}

/* contract 4.4: bytes that were given are given back when the cache has let go of them */
Test(cache_loader, given_bytes_are_released_once)
{
    unsigned released = 0;
    begin(1);
    client_open(&first, 0, "board/b1");
    rig_acknowledge();
    rig_run();
    cr_assert_eq(
        freshet_load_give(rig_last_load()->handle, freshet_span_text("one"), count_release, &released),
        FRESHET_OK);
    rig_run();
    client_open(&second, 0, "frame/b1");
    cr_assert(client_has(&second, "one"));
    cr_assert_eq(released, 0);
    freshet_cache_invalidate_topic(cache, freshet_span_text("board/b1"));
    cr_assert_eq(released, 1);
    end();
    cr_assert_eq(released, 1);
}

/* contract 4.9: loaders hold the cache */
Test(cache_loader, cache_lives_as_long_as_a_loader_uses_it)
{
    begin(1);
    freshet_cache_release(cache);
    cache = NULL;
    client_open(&first, 0, "board/b1");
    rig_acknowledge();
    rig_run();
    rig_answer("one");
    client_open(&second, 0, "frame/b1");
    cr_assert_eq(rig.load_count, 1);
    cr_assert(client_has(&second, "one"));
    end();
}

/* contract 4.9, 4.3: nothing is shared that did not say so */
Test(cache_loader, cache_for_a_feed_of_one_connection_or_of_another_freshet_is_refused)
{
    struct freshet *other;
    struct freshet_error error = {""};
    begin(1);
    struct freshet_loader_options options = with_cache("single", "single/:id");
    options.size = sizeof(options);
    options.topic = all_on_one_topic;
    options.load = rig_load;
    options.shared = false;
    cr_assert_eq(freshet_loader_new(rig.freshet, &options, NULL, &error), FRESHET_INVALID);
    cr_assert(strstr(error.text, "single") != NULL && strstr(error.text, "shared") != NULL, "%s", error.text);
    options.shared = true;
    cr_assert_eq(freshet_new(&other, NULL, NULL), FRESHET_OK);
    cr_assert_eq(freshet_loader_new(other, &options, NULL, &error), FRESHET_INVALID);
    cr_assert(strstr(error.text, "another freshet") != NULL, "%s", error.text);
    freshet_destroy(other, 1000);
    cr_assert_eq(freshet_loader_new(rig.freshet, &options, NULL, &error), FRESHET_OK);
    end();
}

static const char *who; /* opens the next stream */

static enum freshet_status identify(const struct freshet_request *request, struct freshet_identity *identity,
                                    struct freshet_refusal *refusal, void *user)
{
    (void)request;
    (void)refusal;
    (void)user;
    identity->len = strlen(who);
    memcpy(identity->text, who, identity->len);
    return FRESHET_OK;
}

/* contract 4.9, 4.3: grouped connections share within their group only */
Test(cache_loader, streams_of_another_identity_do_not_share)
{
    rig_begin((struct freshet_options){0}, 1);
    cr_assert_eq(freshet_cache_new(&cache, rig.freshet, NULL, NULL), FRESHET_OK);
    struct freshet_loader_options board = with_cache("board", "board/:id");
    struct freshet_loader_options frame = with_cache("frame", "frame/:id");
    board.shared = frame.shared = false;
    board.identity = frame.identity = identify;
    board.topic = frame.topic = all_on_one_topic;
    rig_add_loader(&board);
    rig_add_loader(&frame);
    who = "red";
    client_open(&first, 0, "board/b1");
    rig_acknowledge();
    rig_run();
    rig_answer("for red");
    who = "blue";
    client_open(&second, 0, "frame/b1");
    cr_assert_eq(rig.load_count, 2);
    rig_answer("for blue");
    cr_assert(client_has(&second, "for blue"));
    client_close(&second);
    who = "red";
    client_open(&second, 0, "frame/b1");
    cr_assert_eq(rig.load_count, 2);
    cr_assert(client_has(&second, "for red"));
    end();
}

/* contract 4.9, 4.12: the load for lagging replicas sees more than what is stored, and is stored itself */
Test(cache_loader, settling_load_is_a_load)
{
    rig_begin((struct freshet_options){0}, 1);
    cr_assert_eq(freshet_cache_new(&cache, rig.freshet, NULL, NULL), FRESHET_OK);
    struct freshet_loader_options board = with_cache("board", "board/:id");
    struct freshet_loader_options frame = with_cache("frame", "frame/:id");
    board.topic = frame.topic = all_on_one_topic;
    board.settle_ms = 100;
    rig_add_loader(&board);
    rig_add_loader(&frame);
    client_open(&first, 0, "board/b1");
    rig_acknowledge();
    rig_run();
    rig_answer("one");
    rig_publish("boards");
    rig_answer("one still");
    rig_pass_ms(100);
    cr_assert_eq(rig.load_count, 3);
    cr_assert_eq(rig_last_load()->cause, FRESHET_CAUSE_SETTLE);
    rig_answer("two");
    cr_assert(client_has(&first, "two"));
    client_open(&second, 0, "frame/b1");
    cr_assert_eq(rig.load_count, 3);
    cr_assert(client_has(&second, "two"));
    end();
}

static unsigned asked; /* how often the database was */

static void load_by_the_calls(struct freshet_load load, const struct freshet_load_context *context,
                              void *user)
{
    char text[32];
    struct freshet_cached cached;
    struct freshet_cache_token token;
    struct freshet_span key = freshet_span_text("tiles"), bytes;
    (void)user;
    if (freshet_cache_look_up(cache, context->topic, key, &cached, &token) == FRESHET_OK) {
        freshet_load_answer(load, cached.bytes);
        freshet_cached_release(&cached);
        return;
    }
    bytes = freshet_span(text, (size_t)snprintf(text, sizeof(text), "read %u", ++asked));
    freshet_cache_put(cache, context->topic, key, token, bytes);
    freshet_load_answer(load, bytes);
}

/* contract 4.9: the calls, for feeds of one connection */
Test(cache_loader, loads_of_one_connection_share_what_they_store)
{
    rig_begin((struct freshet_options){0}, 1);
    cr_assert_eq(freshet_cache_new(&cache, rig.freshet, NULL, NULL), FRESHET_OK);
    rig_add_loader(&(struct freshet_loader_options){.load = load_by_the_calls});
    client_open(&first, 0, "board/b1");
    rig_acknowledge();
    rig_run();
    client_open(&second, 0, "board/b1");
    cr_assert(client_has(&first, "read 1"));
    cr_assert(client_has(&second, "read 1"));
    rig_publish("board/b1");
    cr_assert(client_has(&first, "read 2"));
    cr_assert(client_has(&second, "read 2"));
    cr_assert_eq(asked, 2);
    cr_assert_eq(rig_stats().loads, 4);
    cr_assert_eq(rig_stats().cache_hits, 2);
    end();
}

/* One loader "board" with a cache; nobody looks. */
static void begin_alone(struct freshet_cache_options bounds, struct freshet_loader_options board)
{
    bounds.size = sizeof(bounds);
    rig_begin((struct freshet_options){.linger_ms = 5000}, 1);
    cr_assert_eq(freshet_cache_new(&cache, rig.freshet, &bounds, NULL), FRESHET_OK);
    board.name = "board";
    board.route = "board/:id";
    board.shared = true;
    board.cache = cache;
    rig_add_loader(&board);
}

/* Comes, is shown `text`, for which `loads` loads have been run by then, and leaves. */
static void visit(const char *text, unsigned loads)
{
    client_open(&second, 0, "board/b1");
    if (rig.bus->subscribes == 1 && rig.load_count == 0)
        rig_acknowledge();
    rig_run();
    if (rig.load_count == loads && second.snapshots == 0)
        rig_answer(text);
    cr_assert_eq(rig.load_count, loads, "%u loads for %s", rig.load_count, text);
    cr_assert_str_eq(second.order, "s");
    cr_assert(client_has(&second, text), "%s", second.last);
    client_close(&second);
}

/* contract 4.9, 4.11: the snapshot that a lingering feed keeps is shown as long as the cache would give it */
Test(cache_loader, age_holds_for_who_comes_while_the_feed_lingers)
{
    begin_alone((struct freshet_cache_options){.max_age_ms = 500}, (struct freshet_loader_options){0});
    visit("1", 1);
    rig_pass_ms(500);
    visit("1", 1);
    rig_pass_ms(1);
    visit("2", 2);
    rig_pass_ms(1000);
    visit("2", 3);
    rig_pass_ms(1000);
    visit("3", 4);
    cr_assert_eq(rig.bus->subscribes, 1, "it lingered all the time");
    end();
}

/* contract 4.9: and so while others look at it, who get what was found for those who came */
Test(cache_loader, age_holds_for_who_joins_others)
{
    begin_alone((struct freshet_cache_options){.max_age_ms = 500}, (struct freshet_loader_options){0});
    client_open(&first, 0, "board/b1");
    rig_acknowledge();
    rig_run();
    rig_answer("1");
    visit("1", 1);
    rig_pass_ms(501);
    visit("2", 2);
    cr_assert(client_has(&first, "2"));
    rig_pass_ms(501);
    visit("2", 3);
    cr_assert_str_eq(first.order, "ss", "equal: nothing is pushed to those who have it");
    end();
}

/* contract 4.9 */
Test(cache_loader, invalidated_topic_is_loaded_for_the_next_who_comes)
{
    begin_alone((struct freshet_cache_options){0}, (struct freshet_loader_options){0});
    visit("1", 1);
    visit("1", 1);
    freshet_cache_invalidate_topic(cache, freshet_span_text("board/b1"));
    visit("2", 2);
    visit("2", 2);
    client_open(&first, 0, "board/b1");
    cr_assert(client_has(&first, "2"));
    freshet_cache_invalidate_topic(cache, freshet_span_text("board/b1"));
    visit("3", 3);
    cr_assert(client_has(&first, "3"));
    /* What is invalidated elsewhere costs nothing here. */
    freshet_cache_invalidate_topic(cache, freshet_span_text("board/b2"));
    cr_assert_eq(freshet_cache_invalidate(cache, freshet_span_text("board/b1"), freshet_span_text("tiles")),
                 FRESHET_OK);
    visit("3", 3);
    end();
}

/* contract 4.9: the cache has newer bytes than the feed, by another loader */
Test(cache_loader, newer_entry_of_another_loader_is_shown_instead_of_the_kept_snapshot)
{
    begin_with_snapshot();
    client_close(&first);
    freshet_cache_invalidate_topic(cache, freshet_span_text("board/b1"));
    client_open(&second, 0, "frame/b1");
    cr_assert_eq(rig.load_count, 2);
    rig_answer("two");
    client_open(&first, 0, "board/b1");
    cr_assert_eq(rig.load_count, 2);
    cr_assert_str_eq(first.order, "s");
    cr_assert(client_has(&first, "two"));
    end();
}

/* contract 4.9: a load that began before the invalidation is not the last for who came after it */
Test(cache_loader, who_comes_after_an_invalidation_gets_a_load_that_began_after_it)
{
    begin(1);
    client_open(&first, 0, "board/b1");
    rig_acknowledge();
    rig_run();
    freshet_cache_invalidate_topic(cache, freshet_span_text("board/b1"));
    client_open(&second, 0, "board/b1");
    cr_assert_eq(rig.load_count, 1);
    rig_answer("one");
    cr_assert_eq(rig.load_count, 2);
    rig_answer("two");
    cr_assert(client_has(&first, "two"));
    cr_assert(client_has(&second, "two"));
    rig_pass_ms(1000);
    cr_assert_eq(rig.load_count, 2);
    end();
}

/* contract 4.9, 4.4: a load that says "unchanged" has looked */
Test(cache_loader, unchanged_answer_is_as_young_as_any)
{
    begin_alone((struct freshet_cache_options){.max_age_ms = 500}, (struct freshet_loader_options){0});
    visit("1", 1);
    rig_pass_ms(501);
    client_open(&first, 0, "board/b1");
    cr_assert_eq(rig.load_count, 2);
    cr_assert_eq(freshet_load_unchanged(rig_last_load()->handle), FRESHET_OK);
    rig_run();
    cr_assert(client_has(&first, "1"));
    rig_pass_ms(400);
    visit("1", 2);
    rig_pass_ms(101);
    visit("2", 3);
    end();
}

/* contract 4.9: bounds of the cache cost loads for others, not for the feed that has the bytes */
Test(cache_loader, snapshot_that_the_cache_gave_up_for_a_bound_ages_as_an_entry_does)
{
    begin_alone((struct freshet_cache_options){.max_bytes = 20, .max_age_ms = 500},
                (struct freshet_loader_options){0});
    visit("1", 1);
    cr_assert_eq(rig_stats().cache_refused, 1);
    rig_pass_ms(500);
    visit("1", 1);
    rig_pass_ms(1);
    visit("2", 2);
    freshet_cache_invalidate_topic(cache, freshet_span_text("board/b1"));
    visit("3", 3);
    end();
}

/* contract 7.5, 4.9: the program's own store was another one: what came from there is not current, in caches
 * and in feeds that linger too */
Test(cache_loader, doubtful_store_drops_and_loads_again)
{
    begin_with_snapshot();
    fr_data_link_back(rig.freshet, true);
    rig_run();
    cr_assert_eq(rig.load_count, 2);
    rig_answer("two");
    cr_assert(client_has(&first, "two"));
    client_close(&first);
    fr_data_link_back(rig.freshet, true);
    rig_run();
    cr_assert_eq(rig.load_count, 2, "nobody looks");
    client_open(&second, 0, "frame/b1");
    cr_assert_eq(rig.load_count, 3);
    rig_answer("three");
    client_open(&first, 0, "board/b1");
    cr_assert(client_has(&first, "three"));
    end();
}
