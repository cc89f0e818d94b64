/* What Redis may say, through the guard and the reader into the subscriptions, while channels come and go.
 * The input is a script: the low three bits of a byte say what happens, the others which channel or how much.
 */
#include "bus/redis/proto/push.h"
#include "bus/redis/proto/reply.h"
#include "bus/redis/proto/resp_limit.h"
#include "bus/redis/proto/subscriptions.h"
#include "check.h"
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#define CHANNELS   32
#define MAX_OWED   4096
#define LATER_US   INT64_C(40000000)
#define MAX_BODY   64
#define MAX_BULK   32
#define MAX_ARRAY  16
#define REPLY_ROOM 512

enum deed { ADD, DROP, PUMP, LOSE, SAY, ANSWER, REFUSE, PING };

/* An answer that an honest Redis still owes. */
struct owed {
    char verb; /* s, u or p */
    int channel;
    int of, index; /* of the command's channels */
};

static struct run {
    struct fr_redis_subscriptions subs;
    struct fr_resp_limit guard;
    redisReader *reader;
    uint64_t numbers[CHANNELS]; /* of the wanted ones; 0: not wanted */
    uint64_t next_number;
    struct owed owed[MAX_OWED];
    size_t owed_first, owed_end;
    int64_t now_us;
    bool broken;
} run;

static int channel_of(struct freshet_span name)
{
    CHECK(name.len == 2 && name.data[0] == 'c');
    return name.data[1] - 'A';
}

static bool on_send(void *user, enum fr_redis_verb verb, const struct freshet_span *channels, size_t count)
{
    (void)user;
    CHECK(verb == FR_REDIS_PING || count > 0);
    CHECK(count <= FR_REDIS_BATCH);
    size_t answers = count == 0 ? 1 : count;
    if (run.owed_end + answers > MAX_OWED)
        return false;
    char kind = verb == FR_REDIS_PING ? 'p' : verb == FR_REDIS_SUBSCRIBE ? 's' : 'u';
    for (size_t i = 0; i < answers; i++)
        run.owed[run.owed_end++] =
            (struct owed){kind, count == 0 ? 0 : channel_of(channels[i]), (int)answers, (int)i};
    return true;
}

static void on_subscribed(void *user, struct freshet_span channel, uint64_t subscription)
{
    (void)user;
    CHECK(subscription != 0 && run.numbers[channel_of(channel)] == subscription);
}

static void on_refused(void *user, struct freshet_span channel, uint64_t subscription,
                       struct freshet_span reason)
{
    (void)reason;
    on_subscribed(user, channel, subscription);
}

static void on_put_off(void *user, enum fr_redis_verb verb, struct freshet_span reason)
{
    (void)user;
    (void)reason;
    CHECK(verb == FR_REDIS_SUBSCRIBE || verb == FR_REDIS_UNSUBSCRIBE);
}

static void on_pinged(void *user, uint64_t number)
{
    (void)user;
    CHECK(number > 0 && number <= run.subs.last_command);
}

static void reset_link(void)
{
    static const struct fr_resp_limit_limits limits = {
        .max_elements = MAX_ARRAY, .max_bytes = MAX_BULK, .max_body = MAX_BODY};
    fr_resp_limit_init(&run.guard, &limits);
    if (run.reader != NULL)
        redisReaderFree(run.reader);
    run.reader = redisReaderCreate();
    run.owed_first = run.owed_end = 0;
    run.broken = false;
    fr_redis_subscriptions_lost(&run.subs);
    fr_redis_subscriptions_linked(&run.subs);
    CHECK(run.subs.confirmed == 0 && run.subs.command_count == 0);
}

/* All elements of a reply, however nested, and the bytes of its strings. */
static void measure(const redisReply *reply, size_t *elements, size_t *strings)
{
    if (reply->type == REDIS_REPLY_STRING)
        *strings += reply->len;
    *elements += reply->elements;
    for (size_t i = 0; i < reply->elements; i++)
        measure(reply->element[i], elements, strings);
}

static void take_reply(const redisReply *reply)
{
    struct fr_redis_push push = fr_redis_push_read(reply);
    size_t elements = 0, strings = 0;
    measure(reply, &elements, &strings);
    CHECK(elements <= MAX_ARRAY && strings <= MAX_BULK + MAX_BODY);
    size_t bytes;
    free(fr_redis_reply_copy(reply, &bytes));
    CHECK(push.body.len <= MAX_BODY || push.kind == FR_REDIS_PUSH_ERROR);
    CHECK(!push.oversized || push.kind == FR_REDIS_PUSH_MESSAGE);
    if (push.kind != FR_REDIS_PUSH_MESSAGE)
        run.broken = !fr_redis_subscriptions_take(&run.subs, &push, run.now_us);
}

static void feed_reader(void *user, struct freshet_span piece)
{
    (void)user;
    CHECK(redisReaderFeed(run.reader, piece.data, piece.len) == REDIS_OK);
}

/* What the guard lets through, the reader takes. */
static void hear(struct freshet_span bytes)
{
    if (run.broken)
        return;
    if (!fr_resp_limit_feed(&run.guard, bytes, feed_reader, NULL)) {
        CHECK(run.guard.error != NULL);
        run.broken = true;
        return;
    }
    for (void *reply = NULL; !run.broken; reply = NULL) {
        CHECK(redisReaderGetReply(run.reader, &reply) == REDIS_OK);
        if (reply == NULL)
            return;
        take_reply(reply);
        freeReplyObject(reply);
    }
}

static void hear_text(const char *text)
{
    hear(freshet_span_text(text));
}

static void answer_honestly(void)
{
    char text[64];
    if (run.owed_first == run.owed_end)
        return;
    struct owed owed = run.owed[run.owed_first++];
    const char *verb = owed.verb == 's' ? "$9\r\nsubscribe" : "$11\r\nunsubscribe";
    if (owed.verb == 'p')
        snprintf(text, sizeof(text), "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    else
        snprintf(text, sizeof(text), "*3\r\n%s\r\n$2\r\nc%c\r\n:1\r\n", verb, 'A' + owed.channel);
    hear_text(text);
}

/* A whole command is refused, never part of it. */
static void refuse(void)
{
    if (run.owed_first == run.owed_end || run.owed[run.owed_first].index > 0)
        return;
    run.owed_first += (size_t)run.owed[run.owed_first].of;
    hear_text("-NOPERM no such channel for you\r\n");
}

static void add(int channel)
{
    char name[3] = {'c', (char)('A' + channel), '\0'};
    struct fr_redis_channel *added =
        fr_redis_channel_new(freshet_span_text("c"), freshet_span_text(name + 1), ++run.next_number);
    CHECK(added != NULL);
    run.numbers[channel] = run.next_number;
    fr_redis_subscriptions_add(&run.subs, added);
}

static void drop(int channel)
{
    char name[3] = {'c', (char)('A' + channel), '\0'};
    run.numbers[channel] = 0;
    fr_redis_subscriptions_remove(&run.subs, freshet_span_text(name));
}

static void act(enum deed deed, int amount)
{
    switch (deed) {
    case ADD:
        add(amount);
        break;
    case DROP:
        drop(amount);
        break;
    case PUMP:
        run.now_us += amount == 0 ? LATER_US : 0;
        fr_redis_subscriptions_pump(&run.subs, run.now_us);
        break;
    case LOSE:
        reset_link();
        break;
    case ANSWER:
        for (int i = 0; i <= amount; i++)
            answer_honestly();
        break;
    case REFUSE:
        refuse();
        break;
    case PING:
        fr_redis_subscriptions_ping(&run.subs);
        break;
    case SAY:
        break;
    }
}

static void check_counts(void)
{
    size_t wanted = 0;
    for (int i = 0; i < CHANNELS; i++)
        wanted += run.numbers[i] != 0;
    CHECK(run.subs.wanted == wanted && run.subs.confirmed <= wanted);
}

static void append(void *user, struct freshet_span piece)
{
    char **to = user;
    memcpy(*to, piece.data, piece.len);
    *to += piece.len;
}

/* However the bytes are cut, the same ones reach the reader. */
static void check_cuts(const uint8_t *data, size_t size, const struct fr_resp_limit_limits *limits)
{
    struct fr_resp_limit whole, cut;
    size_t room = size * 12 + REPLY_ROOM;
    char *a = malloc(room), *b = malloc(room), *a_end = a, *b_end = b;
    bool good = true;
    fr_resp_limit_init(&whole, limits);
    fr_resp_limit_init(&cut, limits);
    bool all = fr_resp_limit_feed(&whole, freshet_span((const char *)data, size), append, &a_end);
    for (size_t i = 0; i < size && good; i++)
        good = fr_resp_limit_feed(&cut, freshet_span((const char *)data + i, 1), append, &b_end);
    CHECK(all == good);
    if (all)
        CHECK(freshet_span_equal(freshet_span(a, (size_t)(a_end - a)), freshet_span(b, (size_t)(b_end - b))));
    free(a);
    free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct fr_resp_limit_limits pushes = {.max_elements = 16, .max_bytes = 32, .max_body = 64},
                                             budget = {.max_reply = 500};
    struct fr_redis_subscriptions_owner owner = {.send = on_send,
                                                 .subscribed = on_subscribed,
                                                 .refused = on_refused,
                                                 .put_off = on_put_off,
                                                 .pinged = on_pinged};
    check_cuts(data, size, &pushes);
    check_cuts(data, size, &budget);
    memset(&run, 0, sizeof(run));
    CHECK(fr_redis_subscriptions_init(&run.subs, &owner));
    reset_link();
    for (size_t i = 0; i < size; i++) {
        enum deed deed = (enum deed)(data[i] & 7);
        size_t amount = data[i] >> 3, left = size - i - 1;
        act(deed, (int)amount);
        if (deed == SAY) {
            size_t len = amount * 4 < left ? amount * 4 : left;
            hear(freshet_span((const char *)data + i + 1, len));
            i += len;
        }
        check_counts();
    }
    fr_redis_subscriptions_deinit(&run.subs);
    redisReaderFree(run.reader);
    return 0;
}
