#include "core_rig.h"

#include "core/channel/channel.h"
#include "core/codec/typed.h"
#include "typed_kinds.h"
#include <pthread.h>

FRESHET_SIGNAL(counter, "counter", ());
FRESHET_CHANNEL(board, "board/:id", (param(id)), text(taskId), text(to), optional(text(note)));
FRESHET_SIGNAL(file, "file/:tenant/:path+/raw", (param(tenant), rest(path)));
FRESHET_SIGNAL(page, "page/:language?/:name", (optional(language), param(name)));
/* Parameters may be called what the functions around them might call something of their own. */
FRESHET_SIGNAL(names, "names/:topic/:filled/:arguments/:why/:error?",
               (param(topic), param(filled), param(arguments), param(why), optional(error)));

/* contract 1.3, 1.5 */
Test(typed_channel, key_takes_one_argument_for_each_parameter)
{
    struct board_topic board;
    struct counter_topic counter;
    struct page_topic page;
    struct file_topic file;
    const char *path[] = {"a b", "c"};
    cr_assert_eq(board_key(&board, "b/1", NULL), FRESHET_OK);
    cr_assert_str_eq(board.topic.text, "board/b%2F1");
    cr_assert_eq(board.topic.len, strlen("board/b%2F1"));
    cr_assert_eq(counter_key(&counter, NULL), FRESHET_OK);
    cr_assert_str_eq(counter.topic.text, "counter");
    cr_assert_eq(page_key(&page, "en", "home", NULL), FRESHET_OK);
    cr_assert_str_eq(page.topic.text, "page/en/home");
    cr_assert_eq(page_key(&page, NULL, "home", NULL), FRESHET_OK);
    cr_assert_str_eq(page.topic.text, "page/home");
    cr_assert_eq(page_key(&page, "", "help", NULL), FRESHET_OK);
    cr_assert_str_eq(page.topic.text, "page/help");
    cr_assert_eq(file_key(&file, "t", path, 2, NULL), FRESHET_OK);
    cr_assert_str_eq(file.topic.text, "file/t/a%20b/c/raw");
    struct names_topic names;
    cr_assert_eq(names_key(&names, "a", "b", "c", "d", NULL, NULL), FRESHET_OK);
    cr_assert_str_eq(names.topic.text, "names/a/b/c/d");
}

/* contract 1.3: values that are no C strings, such as parts of a request. */
Test(typed_channel, key_takes_spans)
{
    struct board_topic board;
    struct file_topic file;
    struct freshet_span path[] = {freshet_span("xy", 1), freshet_span("z", 1)};
    cr_assert_eq(board_key_spans(&board, freshet_span("b12", 2), NULL), FRESHET_OK);
    cr_assert_str_eq(board.topic.text, "board/b1");
    cr_assert_eq(file_key_spans(&file, freshet_span("t", 1), path, 2, NULL), FRESHET_OK);
    cr_assert_str_eq(file.topic.text, "file/t/x/z/raw");
}

/* contract 1.4 */
Test(typed_channel, key_refuses_bad_values_by_name)
{
    struct board_topic board = {.topic = {.len = 1, .text = "x"}};
    struct file_topic file;
    struct freshet_error error;
    const char *path[] = {"a", ""};
    static const char *many[1000];
    cr_assert_eq(board_key(&board, "", &error), FRESHET_INVALID);
    cr_assert_not_null(strstr(error.text, "\"id\""), "%s", error.text);
    cr_assert_str_eq(board.topic.text, "x");
    cr_assert_eq(board_key(&board, NULL, &error), FRESHET_INVALID);
    cr_assert_eq(board_key(&board, "\xff", &error), FRESHET_INVALID);
    cr_assert_not_null(strstr(error.text, "UTF-8"), "%s", error.text);
    cr_assert_eq(file_key(&file, "t", path, 0, &error), FRESHET_INVALID);
    cr_assert_not_null(strstr(error.text, "\"path\""), "%s", error.text);
    cr_assert_eq(file_key(&file, "t", path, 2, &error), FRESHET_INVALID);
    for (size_t i = 0; i < 1000; i++)
        many[i] = "a";
    cr_assert_eq(file_key(&file, "t", many, 1000, &error), FRESHET_TOO_LARGE);
    cr_assert_not_null(strstr(error.text, "\"path\""), "%s", error.text);
    cr_assert_eq(file_key(&file, "t", many, 255, &error), FRESHET_TOO_LARGE);
    cr_assert_eq(file_key(&file, "t", many, 250, &error), FRESHET_OK, "%s", error.text);
}

FRESHET_SIGNAL(bad_grammar, "board/:board-id", ());
FRESHET_SIGNAL(undeclared, "board/:id", ());
FRESHET_SIGNAL(unknown, "board", (param(id)));
FRESHET_SIGNAL(renamed, "board/:boardId", (param(id)));
FRESHET_SIGNAL(swapped, "a/:one/:two", (param(two), param(one)));
FRESHET_SIGNAL(other_kind, "board/:id?", (param(id)));
FRESHET_SIGNAL(one_more, "a/:one", (param(one), rest(two)));

/* contract 1.2, 1.5 */
Test(typed_channel, declaration_and_name_have_to_agree)
{
    static const struct {
        struct freshet_declaration *declaration;
        const char *reason;
    } cases[] = {
        {&undeclared_declaration, "channel undeclared: \"board/:id\" has :id, which is not declared"},
        {&unknown_declaration, "channel unknown: param(id) is declared, and \"board\" does not have it"},
        {&renamed_declaration,
         "channel renamed: \"board/:boardId\" has :boardId where param(id) is declared"},
        {&swapped_declaration, "channel swapped: \"a/:one/:two\" has :one where param(two) is declared"},
        {&other_kind_declaration, "channel other_kind: \"board/:id?\" has :id? where param(id) is declared"},
        {&one_more_declaration, "channel one_more: rest(two) is declared, and \"a/:one\" does not have it"},
    };
    struct freshet_error error;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        error.text[0] = '\0';
        cr_expect_null(freshet_declaration_channel(cases[i].declaration, &error));
        cr_expect_str_eq(error.text, cases[i].reason);
    }
    struct renamed_topic topic;
    cr_assert_eq(renamed_key(&topic, "b1", &error), FRESHET_INVALID);
    cr_assert_str_eq(error.text, cases[2].reason);
    cr_assert_null(bad_grammar_channel(&error));
    cr_assert_not_null(strstr(error.text, "\":board-id\""), "%s", error.text);
    cr_assert_null(bad_grammar_channel(NULL));
}

Test(typed_channel, channel_is_made_once)
{
    const struct freshet_channel *channel = board_channel(NULL);
    cr_assert_not_null(channel);
    cr_assert_str_eq(freshet_channel_name(channel), "board/:id");
    cr_assert_eq(board_channel(NULL), channel);
}

static pthread_barrier_t together;

static void *first_use(void *declaration)
{
    pthread_barrier_wait(&together);
    return (void *)(uintptr_t)freshet_declaration_channel((struct freshet_declaration *)declaration, NULL);
}

Test(typed_channel, first_use_may_come_from_several_threads)
{
    enum { THREADS = 8, ROUNDS = 50 };
    pthread_t threads[THREADS];
    void *channel, *other;
    pthread_barrier_init(&together, NULL, THREADS);
    for (int round = 0; round < ROUNDS; round++) {
        struct freshet_declaration declaration = board_declaration;
        declaration.channel = NULL;
        for (int i = 0; i < THREADS; i++)
            cr_assert_eq(pthread_create(&threads[i], NULL, first_use, &declaration), 0);
        pthread_join(threads[0], &channel);
        cr_assert_not_null(channel);
        for (int i = 1; i < THREADS; i++) {
            pthread_join(threads[i], &other);
            cr_assert_eq(other, channel);
        }
        freshet_channel_destroy(declaration.channel);
    }
}

FRESHET_MESSAGE(same_as_point, optional(text(name)), float64(y), float64(x));
FRESHET_MESSAGE(point_of_other_kind, float64(x), int64(y), optional(text(name)));
FRESHET_MESSAGE(point_with_other_name, float64(x), float64(z), optional(text(name)));
FRESHET_MESSAGE(point_with_name, float64(x), float64(y), text(name));
FRESHET_MESSAGE(point_of_arrays, float64(x), array(float64(y)), optional(text(name)));
FRESHET_MESSAGE(line_like, array(message(same_as_point, points)), text(colour));
FRESHET_MESSAGE(line_unlike, array(message(point_with_name, points)), text(colour));

/* contract 1.6 */
Test(typed_channel, type_tells_messages_apart)
{
    uint64_t plain = fr_typed_fingerprint(&point_fields), signal = fr_typed_fingerprint(NULL);
    cr_expect_eq(fr_typed_fingerprint(&same_as_point_fields), plain);
    cr_expect_neq(fr_typed_fingerprint(&point_of_other_kind_fields), plain);
    cr_expect_neq(fr_typed_fingerprint(&point_with_other_name_fields), plain);
    cr_expect_neq(fr_typed_fingerprint(&point_with_name_fields), plain);
    cr_expect_neq(fr_typed_fingerprint(&point_of_arrays_fields), plain);
    cr_expect_neq(signal, plain);
    cr_expect_neq(signal, 0);
    cr_expect_eq(fr_typed_fingerprint(&line_like_fields), fr_typed_fingerprint(&line_fields));
    cr_expect_neq(fr_typed_fingerprint(&line_unlike_fields), fr_typed_fingerprint(&line_fields));
    cr_expect_eq(fr_channel_type(kinds_channel(NULL)), fr_typed_fingerprint(&kinds_message_fields));
    cr_expect_eq(fr_channel_type(counter_channel(NULL)), signal);
    struct freshet_channel *untyped;
    cr_assert_eq(freshet_channel_new(&untyped, "board/:id", NULL), FRESHET_OK);
    cr_expect_eq(fr_channel_type(untyped), 0);
    cr_expect(fr_types_differ(plain, signal));
    cr_expect_not(fr_types_differ(plain, plain));
    cr_expect_not(fr_types_differ(0, plain));
    cr_expect_not(fr_types_differ(plain, 0));
    freshet_channel_destroy(untyped);
}

/* contract 1.6 */
Test(typed_channel, patterns_that_can_yield_one_topic)
{
    static const struct {
        const char *a, *b;
        bool share;
    } cases[] = {
        {"board/:id", "board/:other", true},
        {"board/:id", "board/new", true},
        {"board/:id", "boards/:id", false},
        {"board/:id", "board/:id/tasks", false},
        {"board/:id", "board/:path*", true},
        {"board", "board/:path+", false},
        {"board", "board/:id?", true},
        {"board/:id", "board/a@b", false},
        {"board/a@b", "board/a@b", true},
        {"board/:id", "board/chat:lobby-1", false},
        {"board/:id", "board/a~b", true},
        {":all*", "board/:id", true},
        {":all*", "board/a;b", false},
        {":a?", ":b*", true},
        {":a/x", "y/:b", true},
        {"x/:rest*/y", "x/y", true},
        {"x/:rest+/y", "x/y", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fr_pattern *a, *b;
        cr_assert_eq(fr_pattern_new(&a, cases[i].a, NULL), FRESHET_OK);
        cr_assert_eq(fr_pattern_new(&b, cases[i].b, NULL), FRESHET_OK);
        cr_expect_eq(fr_pattern_share_topic(a, b), cases[i].share, "%s, %s", cases[i].a, cases[i].b);
        cr_expect_eq(fr_pattern_share_topic(b, a), cases[i].share, "%s, %s", cases[i].b, cases[i].a);
        fr_pattern_destroy(a);
        fr_pattern_destroy(b);
    }
}

static enum freshet_status last_status;
static unsigned results;

static void published(enum freshet_status status, int64_t receivers, void *user)
{
    (void)receivers;
    cr_assert_eq(user, &results);
    last_status = status;
    results++;
}

static void begin_board(struct client *client)
{
    rig_begin((struct freshet_options){.max_message_bytes = 700}, 1);
    rig_add_loader(&(struct freshet_loader_options){.channel = board_channel(NULL)});
    client_open(client, 0, "/board/b1");
    rig_acknowledge();
    rig_run();
    rig_answer("one");
}

static void end_board(struct client *client)
{
    client_close(client);
    rig_end();
}

/* contract 1.5, 4.4 */
Test(typed_channel, published_message_reaches_the_load_decoded)
{
    struct client client;
    struct board_topic topic;
    struct board_message moved = {.taskId = freshet_span_text("t7"), .to = freshet_span_text("done")}, got;
    begin_board(&client);
    cr_assert_eq(board_decode(rig_last_load()->message.payload, &got, NULL), FRESHET_NOT_FOUND);
    cr_assert_eq(board_key(&topic, "b1", NULL), FRESHET_OK);
    cr_assert_eq(board_publish(rig.freshet, &topic, &moved, published, &results), FRESHET_OK);
    rig_run();
    cr_assert_eq(results, 1);
    cr_assert_eq(last_status, FRESHET_OK);
    cr_assert_eq(rig.bus->publishes, 1);
    cr_assert_eq(rig.load_count, 2);
    cr_assert_eq(board_decode(rig_last_load()->message.payload, &got, NULL), FRESHET_OK);
    cr_assert(freshet_span_equal(got.taskId, moved.taskId));
    cr_assert(freshet_span_equal(got.to, moved.to));
    cr_assert_not(got.has_note);
    rig_answer("two");
    end_board(&client);
}

Test(typed_channel, publish_of_a_longer_message_arrives_whole)
{
    struct client client;
    struct board_topic topic;
    char text[600];
    memset(text, 'n', sizeof(text));
    struct board_message message = {.has_note = true, .note = freshet_span(text, sizeof(text))}, got;
    begin_board(&client);
    cr_assert_eq(board_key(&topic, "b1", NULL), FRESHET_OK);
    cr_assert_eq(board_publish(rig.freshet, &topic, &message, NULL, NULL), FRESHET_OK);
    rig_run();
    cr_assert_eq(board_decode(rig_last_load()->message.payload, &got, NULL), FRESHET_OK);
    cr_assert(got.has_note && freshet_span_equal(got.note, message.note));
    rig_answer("two");
    end_board(&client);
}

/* contract 2.3: the state behind the topic changed all the same, so its feed is loaded. */
Test(typed_channel, publish_over_the_limit_is_refused_once_and_still_marks)
{
    struct client client;
    struct board_topic topic;
    char text[701];
    memset(text, 'n', sizeof(text));
    struct board_message message = {.has_note = true, .note = freshet_span(text, sizeof(text))};
    begin_board(&client);
    cr_assert_eq(board_key(&topic, "b1", NULL), FRESHET_OK);
    cr_assert_eq(board_publish(rig.freshet, &topic, &message, published, &results), FRESHET_TOO_LARGE);
    rig_run();
    cr_assert_eq(results, 1);
    cr_assert_eq(last_status, FRESHET_TOO_LARGE);
    cr_assert_eq(rig.bus->publishes, 0);
    cr_assert_eq(rig.load_count, 2);
    rig_answer("two");
    end_board(&client);
}

Test(typed_channel, publish_of_what_cannot_be_encoded_is_refused_once)
{
    struct client client;
    struct board_topic topic, empty = {.topic = {.len = 0}};
    struct board_message message = {.taskId = freshet_span_text("\xff")};
    begin_board(&client);
    cr_assert_eq(board_key(&topic, "b1", NULL), FRESHET_OK);
    cr_assert_eq(board_publish(rig.freshet, &topic, &message, published, &results), FRESHET_INVALID);
    rig_run();
    cr_assert_eq(results, 1);
    cr_assert_eq(last_status, FRESHET_INVALID);
    message.taskId = freshet_span_text("t");
    cr_assert_eq(board_publish(rig.freshet, &empty, &message, published, &results), FRESHET_INVALID);
    rig_run();
    cr_assert_eq(results, 2);
    cr_assert_eq(rig.bus->publishes, 0);
    cr_assert_eq(rig.load_count, 1);
    struct freshet_stats stats;
    freshet_stats_get(rig.freshet, &stats);
    cr_assert_eq(stats.publishes_refused, 2);
    end_board(&client);
}

/* contract 1.5 */
Test(typed_channel, signal_is_published_without_a_payload)
{
    struct client client;
    struct counter_topic topic;
    rig_begin((struct freshet_options){.size = 0}, 1);
    rig_add_loader(&(struct freshet_loader_options){
        .name = "counter", .route = "counter", .channel = counter_channel(NULL)});
    client_open(&client, 0, "/counter");
    rig_acknowledge();
    rig_run();
    rig_answer("0");
    cr_assert_eq(counter_key(&topic, NULL), FRESHET_OK);
    cr_assert_eq(counter_publish(rig.freshet, &topic, published, &results), FRESHET_OK);
    rig_run();
    cr_assert_eq(results, 1);
    cr_assert_eq(rig.load_count, 2);
    cr_assert_eq(rig_last_load()->message.payload.len, 0);
    cr_assert_neq(rig_last_load()->message.publisher.len, 0);
    rig_answer("1");
    end_board(&client);
}
