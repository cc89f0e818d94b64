/* One operation of the engine, many times: what bench/micro/run counts the instructions of. Links the library
 * and looks inside, unlike the rest of bench/. */
#include "base/mailbox.h"
#include "core/channel/pattern.h"
#include "core/codec/frame.h"
#include "core/hub/visit.h"
#include "core/load/loader.h"
#include "core/runtime/context.h"
#include "core/runtime/worker.h"
#include <freshet/freshet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNAPSHOT                                                                                             \
    "{\"boardId\":\"b1\",\"tasks\":[{\"id\":1,\"title\":\"write\",\"to\":\"doing\"},{\"id\":2,\"title\":"    \
    "\"read\"}]}"

FRESHET_CHANNEL(board, "board/:boardId", (param(boardId)), text(taskId), text(to), int64(from));

static void insist(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "freshet-micro: %s failed\n", what);
    exit(1);
}

/* ---- codec, framing, mailbox, grammar: nothing to set up ---- */

static void encode_envelope(void)
{
    char body[256];
    size_t len;
    struct freshet_message message = {.publisher = freshet_span_text("0123456789abcdef"),
                                      .sequence = 123456,
                                      .time_us = 1700000000000000,
                                      .payload = freshet_span("\x81\xa1x\x01", 4)};
    insist(freshet_message_encode(&message, body, sizeof(body), &len) == FRESHET_OK, "encode");
}

static void decode_envelope(void)
{
    static const char body[] = "\x95\x01\xb0"
                               "0123456789abcdef"
                               "\xce\x00\x01\xe2\x40\xcf\x00\x06\x0a\x24\x18\x1e\x40\x00\x81\xa1x\x01";
    struct freshet_message message;
    insist(freshet_message_decode(freshet_span(body, sizeof(body) - 1), &message) == FRESHET_OK, "decode");
}

static struct board_message moved(void)
{
    return (struct board_message){
        .taskId = freshet_span_text("t7"), .to = freshet_span_text("done"), .from = 3};
}

static void encode_typed(void)
{
    struct board_message message = moved();
    char payload[128];
    size_t len;
    insist(board_encode(&message, payload, sizeof(payload), &len, NULL) == FRESHET_OK, "typed encode");
}

static void decode_typed(void)
{
    static const char payload[] = "\x83\xa6taskId\xa2t7\xa2to\xa4"
                                  "done\xa4"
                                  "from\x03";
    struct board_message message;
    insist(board_decode(freshet_span(payload, sizeof(payload) - 1), &message, NULL) == FRESHET_OK,
           "typed decode");
}

static void encode_frame(void)
{
    struct freshet_span bytes = freshet_span_text(SNAPSHOT);
    struct fr_version version =
        fr_version_of(freshet_span_text("board"), freshet_span_text("board/b1"), bytes);
    struct fr_bytes *frame = fr_frame_snapshot(&version, bytes);
    insist(frame != NULL, "frame");
    fr_bytes_release(frame);
}

static void nobody(void *user)
{
    (void)user;
}

static void ignore_mail(struct fr_mail *mail)
{
    (void)mail;
}

static void pass_mail(void)
{
    static struct fr_mailbox mailbox;
    static bool made;
    struct fr_mail mail = {.deliver = ignore_mail};
    if (!made)
        fr_mailbox_init(&mailbox, nobody, NULL);
    made = true;
    fr_mailbox_post(&mailbox, &mail);
    fr_mailbox_deliver(&mailbox, 1);
}

static void fill_topic(void)
{
    struct board_topic topic;
    insist(board_key(&topic, "b1", NULL) == FRESHET_OK, "key");
}

static void match_route(void)
{
    static struct fr_pattern *pattern;
    struct fr_params *params;
    if (pattern == NULL)
        fr_pattern_new(&pattern, "board/:boardId", NULL);
    insist(fr_pattern_match(pattern, freshet_span_text("/board/b%201"), &params) == FRESHET_OK, "match");
    fr_params_release(params);
}

/* ---- the hub: a publish, its load, and its views, on one worker without sockets ---- */

#define VIEWS 1000

static struct {
    struct freshet *freshet;
    struct fr_worker *worker;
    struct freshet_topic topic;
    struct fr_view views[VIEWS];
    size_t taken;
    unsigned count;
} hub;

static void take(struct fr_view *view)
{
    struct fr_bytes *frame;
    while (fr_view_take(view, &frame) != FR_NEWS_NONE) {
        hub.taken++;
        fr_bytes_release(frame);
    }
}

static void ignore_lost(struct fr_view *view, enum freshet_close_reason reason)
{
    (void)view;
    (void)reason;
    insist(false, "a view");
}

static void load(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    char text[160];
    (void)context;
    (void)user;
    int len = snprintf(text, sizeof(text), "%u " SNAPSHOT, ++hub.count);
    freshet_load_answer(load, freshet_span(text, (size_t)len));
}

static void turn(size_t until)
{
    for (int i = 0; hub.taken < until; i++) {
        fr_worker_turn(hub.worker);
        insist(i < 10000000, "the hub");
    }
}

static void open_view(struct fr_view *view)
{
    struct freshet_refusal refusal;
    struct fr_visit visit = {.worker = hub.worker};
    insist(fr_route_find(hub.freshet, freshet_span_text("/board/b1"), &visit.loader, &visit.params) ==
               FRESHET_OK,
           "route");
    insist(fr_visit_open(&visit, view, &refusal) == FR_VISIT_YES, "view");
}

static void set_up_hub(size_t views)
{
    static const struct fr_worker_host host = {.wake = nobody, .view_ready = take, .view_lost = ignore_lost};
    struct freshet_options options = {.size = sizeof(options), .pool_threads = 1};
    struct freshet_loader_options board = {.size = sizeof(board),
                                           .name = "board",
                                           .route = "board/:boardId",
                                           .channel = board_channel(NULL),
                                           .load = load,
                                           .shared = true,
                                           .on_loop = true};
    struct board_topic topic;
    insist(freshet_new(&hub.freshet, &options, NULL) == FRESHET_OK, "freshet");
    insist(freshet_loader_new(hub.freshet, &board, NULL, NULL) == FRESHET_OK, "loader");
    insist(fr_worker_new(&hub.worker, hub.freshet, &host) == FRESHET_OK, "worker");
    board_key(&topic, "b1", NULL);
    hub.topic = topic.topic;
    for (size_t i = 0; i < views; i++)
        open_view(&hub.views[i]);
    turn(views);
}

static void tear_down_hub(size_t views)
{
    for (size_t i = 0; i < views; i++)
        fr_view_close(&hub.views[i]);
    fr_worker_leave(hub.worker);
    freshet_destroy(hub.freshet, 1000);
}

static void publish_to(size_t views)
{
    insist(freshet_publish(hub.freshet, &hub.topic, freshet_span(NULL, 0), NULL, NULL) == FRESHET_OK,
           "publish");
    turn(hub.taken + views);
}

static void publish_to_one(void)
{
    publish_to(1);
}

static void publish_to_all(void)
{
    publish_to(VIEWS);
}

/* ---- */

static const struct operation {
    const char *name;
    void (*run)(void);
    size_t views; /* of the hub; 0: none is needed */
} operations[] = {
    {"envelope-encode", encode_envelope, 0},
    {"envelope-decode", decode_envelope, 0},
    {"typed-encode", encode_typed, 0},
    {"typed-decode", decode_typed, 0},
    {"frame", encode_frame, 0},
    {"mailbox", pass_mail, 0},
    {"topic", fill_topic, 0},
    {"route", match_route, 0},
    {"publish-1-view", publish_to_one, 1},
    {"publish-1000-views", publish_to_all, VIEWS},
};
#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static int usage(void)
{
    fprintf(stderr, "usage: freshet-micro OPERATION TIMES\noperations:");
    for (size_t i = 0; i < OPERATIONS; i++)
        fprintf(stderr, " %s", operations[i].name);
    fprintf(stderr, "\n");
    return 2;
}

int main(int argc, char **argv)
{
    char *end = NULL;
    long times = argc == 3 ? strtol(argv[2], &end, 10) : -1;
    if (times < 0 || end == argv[2] || *end != '\0')
        return usage();
    for (size_t i = 0; i < OPERATIONS; i++) {
        if (strcmp(operations[i].name, argv[1]) != 0)
            continue;
        if (operations[i].views > 0)
            set_up_hub(operations[i].views);
        for (long n = 0; n < times; n++)
            operations[i].run();
        if (operations[i].views > 0)
            tear_down_hub(operations[i].views);
        return 0;
    }
    return usage();
}
