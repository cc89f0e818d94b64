/* Every call of the core's headers with NULL for an argument that is required, and with a span that has a
 * length but no bytes: FRESHET_INVALID with a text where the signature has room for one, and the process
 * stays up. */
#include "core_rig.h"
#include <freshet/typed.h>

FRESHET_SIGNAL(counter, "counter", ());
FRESHET_CHANNEL(note, "note/:path+", (rest(path)), text(line), optional(bytes(raw)), array(text(tags)));

/* `error` has to be written anew each time. */
static struct freshet_error error;

#define REFUSED(call)                                                                                        \
    do {                                                                                                     \
        memset(error.text, 0, sizeof(error.text));                                                           \
        cr_assert_eq(call, FRESHET_INVALID, "%s", #call);                                                    \
        cr_assert_neq(error.text[0], '\0', "%s says nothing", #call);                                        \
    } while (0)

#define REFUSED_MUTELY(call) cr_assert_eq(call, FRESHET_INVALID, "%s", #call)

static struct freshet_topic topic;
static struct freshet_span value;
static const struct freshet_span broken = {NULL, 3}, text = {"text", 4};

static void begin(void)
{
    rig_begin((struct freshet_options){0}, 1);
    topic = rig_topic("board/b1");
}

Test(null, channel)
{
    struct freshet_channel *channel;
    struct freshet_param unnamed = {NULL, text}, without_bytes = {"id", broken};
    REFUSED(freshet_channel_new(NULL, "board/:id", &error));
    REFUSED(freshet_channel_new(&channel, NULL, &error));
    freshet_channel_destroy(NULL);
    cr_assert_null(freshet_channel_name(NULL));
    cr_assert_eq(freshet_channel_new(&channel, "board/:id", NULL), FRESHET_OK);
    REFUSED(freshet_channel_topic(NULL, &without_bytes, 1, &topic, &error));
    REFUSED(freshet_channel_topic(channel, NULL, 1, &topic, &error));
    REFUSED(freshet_channel_topic(channel, &without_bytes, 1, &topic, &error));
    REFUSED(freshet_channel_topic(channel, &unnamed, 1, &topic, &error));
    REFUSED(freshet_channel_topic(channel, &without_bytes, 1, NULL, &error));
    REFUSED_MUTELY(freshet_channel_topic(channel, &without_bytes, 1, NULL, NULL));
    freshet_channel_destroy(channel);
}

Test(null, message)
{
    char buffer[64];
    size_t len;
    struct freshet_message message = {.publisher = text};
    REFUSED_MUTELY(freshet_message_decode(text, NULL));
    REFUSED_MUTELY(freshet_message_decode(broken, &message));
    REFUSED_MUTELY(freshet_message_encode(NULL, buffer, sizeof(buffer), &len));
    REFUSED_MUTELY(freshet_message_encode(&message, NULL, sizeof(buffer), &len));
    REFUSED_MUTELY(freshet_message_encode(&message, buffer, sizeof(buffer), NULL));
    message.payload = broken;
    REFUSED_MUTELY(freshet_message_encode(&message, buffer, sizeof(buffer), &len));
    message = (struct freshet_message){.publisher = broken};
    REFUSED_MUTELY(freshet_message_encode(&message, buffer, sizeof(buffer), &len));
    message = (struct freshet_message){.publisher = text};
    cr_assert_eq(freshet_message_encode(&message, NULL, 0, &len), FRESHET_TOO_LARGE, "asks for its length");
}

Test(null, typed)
{
    char buffer[64];
    size_t len;
    struct note_topic note;
    struct counter_topic count;
    struct note_message message = {.line = text};
    struct freshet_text_array tags = {.items = &text, .count = 1};
    begin();
    REFUSED(note_key(NULL, (const char *const[]){"a"}, 1, &error));
    REFUSED(note_key(&note, NULL, 1, &error));
    REFUSED(note_key(&note, (const char *const[]){NULL}, 1, &error));
    REFUSED(note_key_spans(&note, NULL, 1, &error));
    REFUSED(note_key_spans(&note, &broken, 1, &error));
    REFUSED(counter_key(NULL, &error));
    cr_assert_eq(note_key(&note, (const char *const[]){"a"}, 1, NULL), FRESHET_OK);
    cr_assert_eq(counter_key(&count, NULL), FRESHET_OK);
    REFUSED_MUTELY(counter_publish(NULL, &count, NULL, NULL));
    REFUSED_MUTELY(counter_publish(rig.freshet, NULL, NULL, NULL));
    REFUSED_MUTELY(note_publish(NULL, &note, &message, NULL, NULL));
    REFUSED_MUTELY(note_publish(rig.freshet, NULL, &message, NULL, NULL));
    REFUSED_MUTELY(note_publish(rig.freshet, &note, NULL, NULL, NULL));
    REFUSED(note_encode(NULL, buffer, sizeof(buffer), &len, &error));
    REFUSED(note_encode(&message, NULL, sizeof(buffer), &len, &error));
    REFUSED(note_encode(&message, buffer, sizeof(buffer), NULL, &error));
    message.line = broken;
    REFUSED(note_encode(&message, buffer, sizeof(buffer), &len, &error));
    message = (struct note_message){.line = text, .has_raw = true, .raw = broken};
    REFUSED(note_encode(&message, buffer, sizeof(buffer), &len, &error));
    message = (struct note_message){.line = text, .tags.count = 2};
    REFUSED(note_encode(&message, buffer, sizeof(buffer), &len, &error));
    REFUSED(note_decode(text, NULL, &error));
    REFUSED(note_decode(broken, &message, &error));
    cr_assert(!freshet_text_next(NULL, &value));
    cr_assert(!freshet_text_next(&tags, NULL));
    cr_assert_eq(rig.bus->publishes, 0);
    rig_end();
}

Test(null, instance)
{
    struct freshet *freshet;
    struct freshet_stats stats;
    REFUSED(freshet_new(NULL, NULL, &error));
    cr_assert_eq(freshet_new(&freshet, NULL, NULL), FRESHET_OK);
    topic = rig_topic("board/b1");
    REFUSED_MUTELY(freshet_publish(NULL, &topic, text, NULL, NULL));
    REFUSED_MUTELY(freshet_publish(freshet, NULL, text, NULL, NULL));
    REFUSED_MUTELY(freshet_publish(freshet, &topic, broken, NULL, NULL));
    cr_assert_eq(freshet_topic_streams(NULL, &topic), 0);
    cr_assert_eq(freshet_topic_streams(freshet, NULL), 0);
    cr_assert(!freshet_ready(NULL));
    freshet_stats_get(NULL, &stats);
    cr_assert_eq(stats.streams, 0);
    freshet_stats_get(freshet, NULL);
    cr_assert_null(freshet_stats_prometheus(NULL));
    freshet_destroy(NULL, 0);
    freshet_destroy(freshet, 1000);
}

Test(null, loader)
{
    struct freshet_channel *channel;
    struct freshet_loader_options options = {
        .size = sizeof(options), .name = "board", .route = "board/:id", .load = rig_load};
    begin();
    cr_assert_eq(freshet_channel_new(&channel, "board/:id", NULL), FRESHET_OK);
    options.channel = channel;
    REFUSED(freshet_loader_new(NULL, &options, NULL, &error));
    REFUSED(freshet_loader_new(rig.freshet, NULL, NULL, &error));
#define WITHOUT(field)                                                                                       \
    do {                                                                                                     \
        struct freshet_loader_options without = options;                                                     \
        without.field = 0;                                                                                   \
        REFUSED(freshet_loader_new(rig.freshet, &without, NULL, &error));                                    \
        cr_assert(strstr(error.text, #field) != NULL, "%s: %s", #field, error.text);                         \
    } while (0)
    WITHOUT(size);
    WITHOUT(name);
    WITHOUT(route);
    WITHOUT(load);
    WITHOUT(channel);
    options.use_count = 1;
    REFUSED(freshet_loader_new(rig.freshet, &options, NULL, &error));
    options.use_count = 0;
    cr_assert_eq(freshet_loader_new(rig.freshet, &options, NULL, NULL), FRESHET_OK);
    freshet_channel_destroy(channel);
    rig_end();
}

static struct freshet_load answered;

static void load_badly(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    (void)user;
    answered = load;
    REFUSED_MUTELY(freshet_load_param(NULL, "id", 0, &value));
    REFUSED_MUTELY(freshet_load_param(context, NULL, 0, &value));
    REFUSED_MUTELY(freshet_load_param(context, "id", 0, NULL));
    REFUSED_MUTELY(freshet_load_answer(load, broken));
}

static void count_release(void *user)
{
    (*(unsigned *)user)++;
}

/* contract 4.4: an answer that cannot be used ends the load all the same, as one that failed */
Test(null, load)
{
    static struct client client;
    unsigned released = 0;
    struct freshet_load none = {0};
    begin();
    rig_add_loader(&(struct freshet_loader_options){.load = load_badly});
    client_open(&client, 0, "board/b1");
    rig_acknowledge();
    rig_run();
    cr_assert(client_has_error(&client, "load-failed"));
    cr_assert_eq(freshet_load_answer(answered, text), FRESHET_STALE);
    cr_assert_eq(freshet_load_answer(none, broken), FRESHET_STALE);
    cr_assert_eq(freshet_load_give(none, broken, count_release, &released), FRESHET_STALE);
    cr_assert_eq(released, 1);
    cr_assert_eq(freshet_load_give(none, text, NULL, NULL), FRESHET_STALE);
    cr_assert_eq(freshet_load_fail(none, NULL, NULL), FRESHET_STALE);
    client_close(&client);
    rig_end();
}

Test(null, guard_and_request)
{
    struct freshet_check none = {0};
    struct freshet_request request = {.request_copy = NULL};
    struct freshet_guard guard = {.guard = NULL};
    begin();
    REFUSED_MUTELY(freshet_check_set(none, NULL, text));
    REFUSED_MUTELY(freshet_check_set(none, "name", broken));
    REFUSED_MUTELY(freshet_check_redirect(none, NULL));
    cr_assert_eq(freshet_check_deny(none, 0, NULL), FRESHET_STALE);
    cr_assert_eq(freshet_check_allow_for(none, 0), FRESHET_INVALID);
    cr_assert_eq(freshet_check_allow_for(none, 1), FRESHET_STALE);
    REFUSED(freshet_use(NULL, "a", &guard, 1, &error));
    REFUSED(freshet_use(rig.freshet, NULL, &guard, 1, &error));
    REFUSED(freshet_use(rig.freshet, "a", NULL, 1, &error));
    REFUSED(freshet_use(rig.freshet, "a", &guard, 1, &error));
#define ASKED_BADLY(call, ...)                                                                               \
    do {                                                                                                     \
        REFUSED_MUTELY(call(NULL, "a", __VA_ARGS__ &value));                                                 \
        REFUSED_MUTELY(call(&request, NULL, __VA_ARGS__ &value));                                            \
        REFUSED_MUTELY(call(&request, "a", __VA_ARGS__ NULL));                                               \
    } while (0)
#define INDEX 0,
    ASKED_BADLY(freshet_request_param, INDEX);
    ASKED_BADLY(freshet_request_query, INDEX);
    ASKED_BADLY(freshet_request_header, );
    ASKED_BADLY(freshet_request_cookie, );
    ASKED_BADLY(freshet_request_attribute, );
    cr_assert_eq(freshet_request_path(NULL).len, 0);
    cr_assert_eq(freshet_request_peer(NULL).len, 0);
    rig_end();
}

Test(null, cache)
{
    struct freshet_cache *cache;
    struct freshet_cached cached;
    struct freshet_cache_token token = {0};
    const struct freshet_span nothing = {NULL, 0};
    begin();
    REFUSED(freshet_cache_new(NULL, rig.freshet, NULL, &error));
    REFUSED(freshet_cache_new(&cache, NULL, NULL, &error));
    cr_assert_null(cache);
    cr_assert_eq(freshet_cache_new(&cache, rig.freshet, NULL, NULL), FRESHET_OK);
    REFUSED_MUTELY(freshet_cache_look_up(NULL, text, text, &cached, &token));
    REFUSED_MUTELY(freshet_cache_look_up(cache, nothing, text, &cached, &token));
    REFUSED_MUTELY(freshet_cache_look_up(cache, broken, text, &cached, &token));
    REFUSED_MUTELY(freshet_cache_look_up(cache, text, broken, &cached, &token));
    REFUSED_MUTELY(freshet_cache_look_up(cache, text, text, NULL, &token));
    REFUSED_MUTELY(freshet_cache_look_up(cache, text, text, &cached, NULL));
    REFUSED_MUTELY(freshet_cache_put(NULL, text, text, token, text));
    REFUSED_MUTELY(freshet_cache_put(cache, broken, text, token, text));
    REFUSED_MUTELY(freshet_cache_put(cache, text, broken, token, text));
    REFUSED_MUTELY(freshet_cache_put(cache, text, text, token, broken));
    REFUSED_MUTELY(freshet_cache_invalidate(NULL, text, text));
    REFUSED_MUTELY(freshet_cache_invalidate(cache, broken, text));
    REFUSED_MUTELY(freshet_cache_invalidate(cache, text, broken));
    freshet_cache_invalidate_topic(NULL, text);
    freshet_cache_invalidate_topic(cache, broken);
    freshet_cached_release(NULL);
    freshet_cache_release(NULL);
    freshet_cache_release(cache);
    rig_end();
}
