/* Makes the cache's own allocations fail on demand: see failing_memory.h. */
#include "failing_memory.h"

#include "core/load/cache.c"

#include "core_rig.h"

static struct freshet_cache *cache;
static struct client client;

static struct freshet_span span(const char *text)
{
    return freshet_span_text(text);
}

static void begin(struct freshet_cache_options options)
{
    struct freshet_error error = {""};
    options.size = sizeof(options);
    rig_begin((struct freshet_options){.linger_ms = 1000}, 1);
    cr_assert_eq(freshet_cache_new(&cache, rig.freshet, &options, &error), FRESHET_OK, "%s", error.text);
}

static void end(void)
{
    freshet_cache_release(cache);
    rig_end();
}

/* A stream on a topic, whose subscription is in force. */
static void open_topic(struct client *on, const char *path)
{
    client_open(on, 0, path);
    rig_acknowledge();
    rig_run();
}

/* A cache and a stream on board/b1, whose one load was answered. */
static void begin_with_topic(struct freshet_cache_options options)
{
    begin(options);
    rig_add_loader(NULL);
    open_topic(&client, "board/b1");
    rig_answer("one");
}

static void end_with_topic(void)
{
    client_close(&client);
    end();
}

/* What is stored, copied to a text of the test; NULL: nothing that is current. */
static const char *look_up(const char *topic, const char *key, struct freshet_cache_token *token)
{
    static char text[256];
    struct freshet_cached cached;
    struct freshet_cache_token ignored;
    enum freshet_status status =
        freshet_cache_look_up(cache, span(topic), span(key), &cached, token == NULL ? &ignored : token);
    if (status != FRESHET_OK) {
        cr_assert_eq(status, FRESHET_NOT_FOUND);
        cr_assert_null(cached.internal);
        return NULL;
    }
    snprintf(text, sizeof(text), "%.*s", (int)cached.bytes.len, cached.bytes.data);
    freshet_cached_release(&cached);
    cr_assert_null(cached.internal);
    return text;
}

static bool holds(const char *topic, const char *key, const char *bytes)
{
    const char *found = look_up(topic, key, NULL);
    return found != NULL && strcmp(found, bytes) == 0;
}

static enum freshet_status store(const char *topic, const char *key, const char *bytes)
{
    struct freshet_cache_token token;
    look_up(topic, key, &token);
    return freshet_cache_put(cache, span(topic), span(key), token, span(bytes));
}

/* contract 4.9 */
Test(cache, what_was_put_is_found_until_the_topic_is_published_to)
{
    begin_with_topic((struct freshet_cache_options){0});
    cr_assert_null(look_up("board/b1", "tiles", NULL));
    cr_assert_eq(store("board/b1", "tiles", "five"), FRESHET_OK);
    cr_assert_eq(store("board/b1", "", "an empty key"), FRESHET_OK);
    cr_assert(holds("board/b1", "tiles", "five"));
    cr_assert(holds("board/b1", "", "an empty key"));
    cr_assert_null(look_up("board/b1", "tile", NULL));
    cr_assert_null(look_up("board/b", "1tiles", NULL));
    rig_publish("board/b2");
    cr_assert(holds("board/b1", "tiles", "five"));
    rig_publish("board/b1");
    cr_assert_null(look_up("board/b1", "tiles", NULL));
    cr_assert_null(look_up("board/b1", "", NULL));
    cr_assert_eq(cache->map.count, 0, "what is outdated goes when it is met");
    cr_assert_eq(cache->bytes, 0);
    end_with_topic();
}

/* contract 4.9: a publish of another instance, before this one's loads know of it */
Test(cache, message_of_the_bus_outdates_at_once)
{
    begin_with_topic((struct freshet_cache_options){0});
    cr_assert_eq(store("board/b1", "tiles", "five"), FRESHET_OK);
    rig_message("board/b1");
    cr_assert_null(look_up("board/b1", "tiles", NULL));
    end_with_topic();
}

/* contract 4.9 */
Test(cache, put_is_refused_after_a_publish_since_the_look_up)
{
    struct freshet_cache_token before, after;
    begin_with_topic((struct freshet_cache_options){0});
    cr_assert_null(look_up("board/b1", "tiles", &before));
    rig_publish("board/b1");
    cr_assert_null(look_up("board/b1", "tiles", &after));
    cr_assert_eq(freshet_cache_put(cache, span("board/b1"), span("tiles"), before, span("old")),
                 FRESHET_STALE);
    cr_assert_null(look_up("board/b1", "tiles", NULL));
    cr_assert_eq(freshet_cache_put(cache, span("board/b1"), span("tiles"), after, span("new")), FRESHET_OK);
    cr_assert_eq(freshet_cache_put(cache, span("board/b1"), span("tiles"), before, span("old")),
                 FRESHET_STALE);
    cr_assert(holds("board/b1", "tiles", "new"));
    cr_assert_eq(rig_stats().cache_refused, 2);
    end_with_topic();
}

/* contract 4.9 */
Test(cache, nothing_is_current_without_a_subscription_in_force)
{
    begin((struct freshet_cache_options){0});
    rig_add_loader(NULL);
    cr_assert_eq(store("board/b1", "tiles", "five"), FRESHET_STALE, "nobody knows the topic");
    client_open(&client, 0, "board/b1");
    cr_assert_eq(store("board/b1", "tiles", "five"), FRESHET_STALE, "not acknowledged yet");
    struct freshet_cache_token token;
    cr_assert_null(look_up("board/b1", "tiles", &token));
    cr_assert_eq(token.change, 0);
    rig_acknowledge();
    cr_assert_eq(freshet_cache_put(cache, span("board/b1"), span("tiles"), token, span("five")),
                 FRESHET_STALE, "it was not in force at the look-up");
    cr_assert_eq(store("board/b1", "tiles", "five"), FRESHET_OK);
    cr_assert(holds("board/b1", "tiles", "five"));
    rig_run();
    end_with_topic();
}

/* contract 4.9: a token from before the break does not outlast it either */
Test(cache, lost_link_drops)
{
    struct freshet_cache_token token;
    begin_with_topic((struct freshet_cache_options){0});
    cr_assert_eq(store("board/b1", "tiles", "five"), FRESHET_OK);
    look_up("board/b1", "tiles", &token);
    rig_bus_state(FRESHET_BUS_DOWN);
    cr_assert_null(look_up("board/b1", "tiles", NULL));
    cr_assert_eq(freshet_cache_put(cache, span("board/b1"), span("tiles"), token, span("five")),
                 FRESHET_STALE);
    rig_bus_state(FRESHET_BUS_UP);
    rig_acknowledge();
    cr_assert_eq(freshet_cache_put(cache, span("board/b1"), span("tiles"), token, span("five")),
                 FRESHET_STALE);
    cr_assert_null(look_up("board/b1", "tiles", NULL));
    cr_assert_eq(store("board/b1", "tiles", "six"), FRESHET_OK);
    rig_run();
    rig_answer("two");
    cr_assert(holds("board/b1", "tiles", "six"));
    end_with_topic();
}

/* contract 4.9, 3.4: somebody lost the names of what it published */
Test(cache, mark_of_everything_drops)
{
    begin_with_topic((struct freshet_cache_options){0});
    cr_assert_eq(store("board/b1", "tiles", "five"), FRESHET_OK);
    rig.bus->sink.everything(rig.bus->sink.context);
    cr_assert_null(look_up("board/b1", "tiles", NULL));
    end_with_topic();
}

/* contract 4.9, 4.11: kept while the subscription lingers, gone with it */
Test(cache, subscription_given_back_drops)
{
    begin_with_topic((struct freshet_cache_options){0});
    cr_assert_eq(store("board/b1", "tiles", "five"), FRESHET_OK);
    client_close(&client);
    rig_pass_ms(999);
    cr_assert(holds("board/b1", "tiles", "five"));
    rig_pass_ms(1);
    cr_assert_eq(rig.bus->unsubscribes, 1);
    cr_assert_null(look_up("board/b1", "tiles", NULL));
    open_topic(&client, "board/b1");
    cr_assert_null(look_up("board/b1", "tiles", NULL));
    end_with_topic();
}

/* contract 4.9: the token of one topic is none for another */
Test(cache, token_of_another_topic_is_refused)
{
    struct client other;
    struct freshet_cache_token token;
    begin_with_topic((struct freshet_cache_options){0});
    open_topic(&other, "board/b2");
    look_up("board/b1", "tiles", &token);
    cr_assert_eq(freshet_cache_put(cache, span("board/b2"), span("tiles"), token, span("five")),
                 FRESHET_STALE);
    cr_assert_eq(store("board/b2", "tiles", "five"), FRESHET_OK);
    client_close(&other);
    end_with_topic();
}

/* contract 4.9 */
Test(cache, past_its_entries_the_one_not_used_for_longest_goes)
{
    begin_with_topic((struct freshet_cache_options){.max_entries = 3});
    cr_assert_eq(store("board/b1", "a", "1"), FRESHET_OK);
    cr_assert_eq(store("board/b1", "b", "2"), FRESHET_OK);
    cr_assert_eq(store("board/b1", "c", "3"), FRESHET_OK);
    cr_assert(holds("board/b1", "a", "1"));
    cr_assert_eq(store("board/b1", "d", "4"), FRESHET_OK);
    cr_assert_null(look_up("board/b1", "b", NULL));
    cr_assert(holds("board/b1", "a", "1"));
    cr_assert(holds("board/b1", "c", "3"));
    cr_assert(holds("board/b1", "d", "4"));
    cr_assert_eq(store("board/b1", "a", "5"), FRESHET_OK, "in its own place");
    cr_assert(holds("board/b1", "a", "5"));
    cr_assert(holds("board/b1", "c", "3"));
    cr_assert_eq(cache->map.count, 3);
    cr_assert_eq(rig_stats().cache_evicted, 1);
    end_with_topic();
}

/* contract 4.9 */
Test(cache, bytes_are_bounded_with_topics_and_keys)
{
    enum { ENTRY = sizeof(struct entry) + 2 + 8 + 1, ROOM = 100 };
    static char long_key[ENTRY + 2 * ROOM];
    struct freshet_cache_token token;
    char bytes[2 * (ENTRY + ROOM) + 1];
    begin_with_topic((struct freshet_cache_options){.max_bytes = 2 * (ENTRY + ROOM)});
    memset(bytes, 'x', ROOM);
    bytes[ROOM] = '\0';
    cr_assert_eq(store("board/b1", "a", bytes), FRESHET_OK);
    cr_assert_eq(store("board/b1", "b", bytes), FRESHET_OK);
    cr_assert_eq(cache->bytes, 2 * (ENTRY + ROOM));
    cr_assert_eq(store("board/b1", "c", "1"), FRESHET_OK);
    cr_assert_null(look_up("board/b1", "a", NULL));
    cr_assert(holds("board/b1", "b", bytes));
    cr_assert_eq(cache->bytes, 2 * ENTRY + ROOM + 1);
    memset(long_key, 'k', sizeof(long_key) - 1);
    cr_assert_eq(store("board/b1", long_key, bytes), FRESHET_TOO_LARGE);
    look_up("board/b1", "c", &token);
    cr_assert_eq(freshet_cache_put(cache, span("board/b1"), span("c"), token,
                                   freshet_span(bytes, 2 * (ENTRY + ROOM) + 1)),
                 FRESHET_TOO_LARGE);
    cr_assert(holds("board/b1", "b", bytes), "what is too large evicts nothing");
    cr_assert_eq(rig_stats().cache_evicted, 1);
    cr_assert_eq(rig_stats().cache_refused, 2);
    end_with_topic();
}

/* contract 4.9 */
Test(cache, entry_past_its_age_is_not_used)
{
    begin_with_topic((struct freshet_cache_options){.max_age_ms = 100});
    cr_assert_eq(store("board/b1", "tiles", "five"), FRESHET_OK);
    rig_pass_ms(100);
    cr_assert(holds("board/b1", "tiles", "five"));
    rig_pass_ms(1);
    cr_assert_null(look_up("board/b1", "tiles", NULL));
    cr_assert_eq(cache->map.count, 0);
    cr_assert_eq(store("board/b1", "tiles", "six"), FRESHET_OK);
    cr_assert(holds("board/b1", "tiles", "six"));
    end_with_topic();
}

/* contract 4.9 */
Test(cache, age_that_is_never_is_no_bound)
{
    begin_with_topic((struct freshet_cache_options){.max_age_ms = FRESHET_NEVER});
    cr_assert_eq(store("board/b1", "tiles", "five"), FRESHET_OK);
    rig.now_us += (int64_t)365 * 24 * 3600 * 1000000;
    cr_assert(holds("board/b1", "tiles", "five"));
    end_with_topic();
}

/* contract 4.9 */
Test(cache, invalidated_key_is_gone_and_looked_up_before_is_not_put)
{
    struct freshet_cache_token token;
    begin_with_topic((struct freshet_cache_options){0});
    cr_assert_eq(store("board/b1", "tiles", "five"), FRESHET_OK);
    cr_assert_eq(store("board/b1", "names", "two"), FRESHET_OK);
    look_up("board/b1", "tiles", &token);
    cr_assert_eq(freshet_cache_invalidate(cache, span("board/b1"), span("tiles")), FRESHET_OK);
    cr_assert_null(look_up("board/b1", "tiles", NULL));
    cr_assert(holds("board/b1", "names", "two"));
    cr_assert_eq(freshet_cache_put(cache, span("board/b1"), span("tiles"), token, span("old")),
                 FRESHET_STALE);
    cr_assert_eq(store("board/b1", "tiles", "six"), FRESHET_OK);
    cr_assert(holds("board/b1", "tiles", "six"));
    cr_assert_eq(freshet_cache_invalidate(cache, span("board/b1"), span("no such")), FRESHET_OK);
    end_with_topic();
}

/* contract 4.9 */
Test(cache, invalidated_topic_loses_all_keys_and_no_other_topic_does)
{
    struct client other;
    struct freshet_cache_token token;
    begin_with_topic((struct freshet_cache_options){0});
    open_topic(&other, "board/b11");
    cr_assert_eq(store("board/b1", "1", "a"), FRESHET_OK);
    cr_assert_eq(store("board/b1", "2", "b"), FRESHET_OK);
    cr_assert_eq(store("board/b11", "", "c"), FRESHET_OK);
    look_up("board/b1", "1", &token);
    freshet_cache_invalidate_topic(cache, span("board/b1"));
    cr_assert_null(look_up("board/b1", "1", NULL));
    cr_assert_null(look_up("board/b1", "2", NULL));
    cr_assert(holds("board/b11", "", "c"));
    cr_assert_eq(freshet_cache_put(cache, span("board/b1"), span("1"), token, span("old")), FRESHET_STALE);
    client_close(&other);
    end_with_topic();
}

/* contract 4.9 */
Test(cache, found_bytes_outlast_their_entry)
{
    struct freshet_cached cached;
    struct freshet_cache_token token;
    begin_with_topic((struct freshet_cache_options){0});
    cr_assert_eq(store("board/b1", "tiles", "five"), FRESHET_OK);
    cr_assert_eq(freshet_cache_look_up(cache, span("board/b1"), span("tiles"), &cached, &token), FRESHET_OK);
    freshet_cache_invalidate_topic(cache, span("board/b1"));
    end_with_topic();
    cr_assert(freshet_span_equal(cached.bytes, span("five")));
    freshet_cached_release(&cached);
    freshet_cached_release(&cached);
}

/* contract 4.9 */
Test(cache, keys_of_loaders_and_topics_that_cannot_be_are_invalid)
{
    static char long_topic[FRESHET_MAX_TOPIC_BYTES + 2];
    struct freshet_cached cached;
    struct freshet_cache_token token = {.change = 1};
    struct freshet_span zero = freshet_span("\0id", 3), key = span("tiles"), topics[2];
    begin_with_topic((struct freshet_cache_options){0});
    memset(long_topic, 't', sizeof(long_topic) - 1);
    topics[0] = span("");
    topics[1] = span(long_topic);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(freshet_cache_look_up(cache, topics[i], key, &cached, &token), FRESHET_INVALID);
        cr_assert_eq(token.change, 0);
        cr_assert_eq(freshet_cache_put(cache, topics[i], key, token, key), FRESHET_INVALID);
        cr_assert_eq(freshet_cache_invalidate(cache, topics[i], key), FRESHET_INVALID);
        freshet_cache_invalidate_topic(cache, topics[i]);
    }
    cr_assert_eq(freshet_cache_look_up(cache, span("board/b1"), zero, &cached, &token), FRESHET_INVALID);
    cr_assert_eq(freshet_cache_put(cache, span("board/b1"), zero, token, key), FRESHET_INVALID);
    cr_assert_eq(freshet_cache_invalidate(cache, span("board/b1"), zero), FRESHET_INVALID);
    end_with_topic();
}

Test(cache, key_longer_than_the_stack_has_room_for_is_fine)
{
    static char key[4 * SHORT_KEY];
    begin_with_topic((struct freshet_cache_options){0});
    memset(key, 'k', sizeof(key) - 1);
    cr_assert_eq(store("board/b1", key, "five"), FRESHET_OK);
    cr_assert(holds("board/b1", key, "five"));
    key[sizeof(key) - 2] = 'l';
    cr_assert_null(look_up("board/b1", key, NULL));
    end_with_topic();
}

Test(cache, allocation_failures_change_nothing)
{
    static char key[2 * SHORT_KEY];
    struct freshet_cache_token token;
    struct freshet_cached cached;
    begin_with_topic((struct freshet_cache_options){0});
    memset(key, 'k', sizeof(key) - 1);
    cr_assert_eq(store("board/b1", key, "five"), FRESHET_OK);
    look_up("board/b1", key, &token);
    allocations_left = 0;
    cr_assert_eq(freshet_cache_invalidate(cache, span("board/b1"), span(key)), FRESHET_NO_MEMORY);
    cr_assert_eq(freshet_cache_put(cache, span("board/b1"), span(key), token, span("six")),
                 FRESHET_NO_MEMORY);
    allocations_left = 1;
    cr_assert_eq(freshet_cache_put(cache, span("board/b1"), span(key), token, span("six")),
                 FRESHET_NO_MEMORY);
    allocations_left = -1;
    cr_assert(holds("board/b1", key, "five"));
    allocations_left = 0;
    cr_assert_eq(freshet_cache_look_up(cache, span("board/b1"), span(key), &cached, &token),
                 FRESHET_NO_MEMORY);
    allocations_left = -1;
    cr_assert_eq(freshet_cache_put(cache, span("board/b1"), span(key), token, span("six")), FRESHET_STALE);
    cr_assert(holds("board/b1", key, "five"));
    end_with_topic();
}

Test(cache, options_are_checked)
{
    struct freshet_cache *none;
    struct freshet_error error = {""};
    struct freshet_cache_options options = {.size = 1};
    begin((struct freshet_cache_options){0});
    cr_assert_eq(cache->options.max_entries, 1024);
    cr_assert_eq(cache->options.max_bytes, 16 * 1024 * 1024);
    cr_assert_eq(freshet_cache_new(&none, rig.freshet, &options, &error), FRESHET_INVALID);
    cr_assert_null(none);
    cr_assert(strstr(error.text, "size") != NULL);
    freshet_cache_release(NULL);
    end();
}

/* contract 6.4: loads that are out past the end of their freshet may still ask */
Test(cache, cache_without_its_freshet_is_empty_and_takes_nothing)
{
    struct freshet_cache_token token;
    begin_with_topic((struct freshet_cache_options){0});
    cr_assert_eq(store("board/b1", "tiles", "five"), FRESHET_OK);
    look_up("board/b1", "tiles", &token);
    client_close(&client);
    rig_end();
    cr_assert_eq(cache->map.count, 0);
    cr_assert_null(look_up("board/b1", "tiles", NULL));
    cr_assert_eq(freshet_cache_put(cache, span("board/b1"), span("tiles"), token, span("six")),
                 FRESHET_STALE);
    cr_assert_eq(freshet_cache_invalidate(cache, span("board/b1"), span("tiles")), FRESHET_OK);
    freshet_cache_invalidate_topic(cache, span("board/b1"));
    freshet_cache_release(cache);
}
