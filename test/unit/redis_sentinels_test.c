#include "base/clock.h"
#include "bus/redis/proto/sentinels.h"
#include <criterion/criterion.h>
#include <string.h>

#define SECOND ((int64_t)FR_US_PER_S)
#define MOMENT (SECOND / 4) /* the patience with a sentinel */

static struct fr_redis_sentinels sentinels;
static int64_t now_us;

static struct fr_redis_address at(const char *name)
{
    struct fr_redis_address address;
    cr_assert(fr_redis_address_set(&address, freshet_span_text(name), 6379));
    return address;
}

/* One that came rests when it has answered what it was asked at once. */
static void come(unsigned place, const char *master)
{
    struct fr_redis_address address = at(master);
    fr_redis_sentinels_came(&sentinels, place, now_us);
    fr_redis_sentinels_answer(&sentinels, place, &address, now_us);
}

static int ask(void)
{
    return fr_redis_sentinels_next(&sentinels, now_us);
}

static bool answer(unsigned place, const char *master)
{
    struct fr_redis_address address = at(master);
    return fr_redis_sentinels_answer(&sentinels, place, &address, now_us);
}

static void hear_of(unsigned place, const char *from, const char *to)
{
    struct fr_redis_address old = at(from), new = at(to);
    fr_redis_sentinels_switch(&sentinels, place, &old, &new, now_us);
}

static void expect_master(const char *name)
{
    cr_assert_str_eq(sentinels.master.name, name);
}

/* Three, which are there and agree; 0 stands at the front. */
static void set_up(void)
{
    now_us = 0;
    fr_redis_sentinels_init(&sentinels, 3, SECOND, MOMENT);
    fr_redis_sentinels_want(&sentinels);
    for (unsigned i = 0; i < 3; i++)
        come(i, "a");
    expect_master("a");
}

TestSuite(redis_sentinels, .init = set_up);

/* contract 7.8: nobody has to be there at once */
Test(redis_sentinels, first_that_answers_will_do)
{
    fr_redis_sentinels_init(&sentinels, 3, SECOND, MOMENT);
    cr_assert_eq(ask(), -1);
    fr_redis_sentinels_want(&sentinels);
    cr_assert_eq(ask(), -1, "none is there");
    cr_assert_eq(fr_redis_sentinels_wake_us(&sentinels), INT64_MAX, "one that comes is asked when it comes");
    fr_redis_sentinels_came(&sentinels, 1, now_us);
    cr_assert(answer(1, "a"));
    expect_master("a");
    cr_assert_eq(sentinels.order[0], 1, "it moves to the front");
    cr_assert_eq(sentinels.order[1], 0);
    cr_assert_eq(sentinels.order[2], 2);
}

/* contract 7.8 */
Test(redis_sentinels, only_the_front_is_asked_while_it_answers)
{
    for (int i = 0; i < 3; i++) {
        fr_redis_sentinels_want(&sentinels);
        fr_redis_sentinels_want(&sentinels);
        cr_assert_eq(ask(), 0);
        cr_assert_eq(ask(), -1, "it may take a moment");
        cr_assert(answer(0, "a"));
        cr_assert_eq(ask(), -1);
    }
}

/* contract 7.8 */
Test(redis_sentinels, next_one_is_asked_when_the_front_hangs_and_the_late_answer_does_no_harm)
{
    fr_redis_sentinels_want(&sentinels);
    cr_assert_eq(ask(), 0);
    cr_assert_eq(fr_redis_sentinels_wake_us(&sentinels), MOMENT);
    now_us = MOMENT;
    cr_assert_eq(ask(), 1);
    cr_assert(answer(1, "a"));
    cr_assert_eq(sentinels.order[0], 1);
    cr_assert_not(answer(0, "a"));
    cr_assert_eq(sentinels.order[0], 1, "late is late");
}

/* contract 7.8 */
Test(redis_sentinels, next_one_is_asked_at_once_when_the_front_goes_or_knows_nothing)
{
    fr_redis_sentinels_want(&sentinels);
    cr_assert_eq(ask(), 0);
    fr_redis_sentinels_went(&sentinels, 0);
    cr_assert_eq(ask(), 1);
    fr_redis_sentinels_refuse(&sentinels, 1);
    cr_assert_eq(ask(), 2);
    cr_assert(answer(2, "b"));
    expect_master("b");
    cr_assert_eq(sentinels.order[0], 2);
    cr_assert_eq(sentinels.order[2], 1, "who knew nothing stands at the back");
}

Test(redis_sentinels, all_that_refused_are_asked_again_when_somebody_wants_to_know_again)
{
    fr_redis_sentinels_want(&sentinels);
    for (unsigned i = 0; i < 3; i++)
        fr_redis_sentinels_refuse(&sentinels, (unsigned)ask());
    cr_assert_eq(ask(), -1);
    now_us += 10 * SECOND;
    cr_assert_eq(ask(), -1);
    fr_redis_sentinels_want(&sentinels);
    cr_assert_eq(ask(), 0);
}

/* contract 7.8: a switch that nobody told of */
Test(redis_sentinels, are_asked_from_time_to_time)
{
    cr_assert_eq(fr_redis_sentinels_wake_us(&sentinels), SECOND);
    now_us = SECOND - 1;
    cr_assert_eq(ask(), -1);
    now_us = SECOND;
    cr_assert_eq(ask(), 0);
    cr_assert(answer(0, "b"));
    cr_assert_eq(fr_redis_sentinels_wake_us(&sentinels), 2 * SECOND);
}

/* contract 7.8 */
Test(redis_sentinels, switch_is_believed_at_once_and_told_once)
{
    fr_redis_sentinels_want(&sentinels);
    cr_assert_eq(ask(), 0);
    hear_of(2, "a", "b");
    expect_master("b");
    hear_of(1, "a", "b");
    cr_assert_not(answer(0, "a"), "it had not heard of it");
    expect_master("b");
}

/* contract 7.8: cut off from the others, together with the old master */
Test(redis_sentinels, one_that_has_not_heard_of_the_switch_is_not_believed)
{
    hear_of(2, "a", "b");
    struct fr_redis_address b = at("b");
    fr_redis_sentinels_blame(&sentinels, &b);
    fr_redis_sentinels_want(&sentinels);
    cr_assert_eq(ask(), 0);
    cr_assert_not(answer(0, "a"));
    cr_assert_eq(ask(), 1);
    cr_assert(answer(1, "b"));
    expect_master("b");
    cr_assert_eq(sentinels.order[0], 1);
}

/* contract 7.8: they went back to it, and nobody heard of that */
Test(redis_sentinels, master_that_was_left_is_believed_when_most_name_it)
{
    hear_of(0, "a", "b");
    fr_redis_sentinels_want(&sentinels);
    cr_assert_eq(ask(), 0);
    cr_assert_not(answer(0, "a"));
    cr_assert_eq(ask(), 1);
    cr_assert(answer(1, "a"));
    expect_master("a");
    fr_redis_sentinels_want(&sentinels);
    cr_assert(answer((unsigned)ask(), "a"), "and from then on at once");
}

Test(redis_sentinels, only_sentinel_is_believed_in_any_case)
{
    fr_redis_sentinels_init(&sentinels, 1, SECOND, MOMENT);
    fr_redis_sentinels_want(&sentinels);
    come(0, "a");
    hear_of(0, "a", "b");
    fr_redis_sentinels_want(&sentinels);
    cr_assert(answer((unsigned)ask(), "a"));
}

/* contract 7.8: one that comes back knows what it knew when it went */
Test(redis_sentinels, what_a_newcomer_says_is_asked_of_the_others_first)
{
    fr_redis_sentinels_came(&sentinels, 2, now_us);
    cr_assert_not(answer(2, "old"));
    expect_master("a");
    cr_assert_eq(ask(), 0);
    cr_assert(answer(0, "a"));
    cr_assert_eq(ask(), -1);
}

/* contract 7.8: a sentinel that lies is not asked first again */
Test(redis_sentinels, one_whose_master_was_none_moves_to_the_back)
{
    struct fr_redis_address a = at("a"), other = at("b");
    fr_redis_sentinels_blame(&sentinels, &other);
    cr_assert_eq(sentinels.order[0], 0, "nobody had named it");
    fr_redis_sentinels_blame(&sentinels, &a);
    fr_redis_sentinels_blame(&sentinels, &a);
    cr_assert_eq(sentinels.order[0], 1, "once for each answer");
    cr_assert_eq(sentinels.order[2], 0);
}

/* contract 7.8: links that only read */
Test(redis_sentinels, links_go_to_a_replica_and_stay_there)
{
    struct fr_redis_address replicas[] = {at("r"), at("s"), at("t")};
    cr_assert(fr_redis_sentinels_aim(&sentinels, replicas, 3, 1));
    cr_assert_str_eq(sentinels.target.name, "s");
    cr_assert_not(fr_redis_sentinels_aim(&sentinels, replicas, 3, 2), "it serves them already");
    cr_assert(fr_redis_sentinels_aim(&sentinels, replicas, 1, 7), "it is not in step any more");
    cr_assert_str_eq(sentinels.target.name, "r");
    cr_assert(fr_redis_sentinels_aim(&sentinels, NULL, 0, 7));
    cr_assert_str_eq(sentinels.target.name, "a", "the master, if there is no replica");
    cr_assert_not(fr_redis_sentinels_aim(&sentinels, NULL, 0, 8));
    cr_assert(fr_redis_sentinels_aim(&sentinels, replicas, 3, 2));
    cr_assert_str_eq(sentinels.target.name, "t");
}

/* contract 7.8 */
Test(redis_sentinels, replica_where_nobody_was_is_avoided_until_it_was_away)
{
    struct fr_redis_address replicas[] = {at("r"), at("s")};
    fr_redis_sentinels_aim(&sentinels, replicas, 2, 0);
    fr_redis_sentinels_blame(&sentinels, &replicas[0]);
    cr_assert(fr_redis_sentinels_aim(&sentinels, replicas, 2, 0));
    cr_assert_str_eq(sentinels.target.name, "s");
    fr_redis_sentinels_blame(&sentinels, &replicas[1]);
    cr_assert(fr_redis_sentinels_aim(&sentinels, &replicas[1], 1, 0));
    cr_assert_str_eq(sentinels.target.name, "a");
    cr_assert_not(fr_redis_sentinels_aim(&sentinels, &replicas[1], 1, 0), "the sentinels have not noticed");
    cr_assert_not(fr_redis_sentinels_aim(&sentinels, NULL, 0, 0), "now they have");
    cr_assert(fr_redis_sentinels_aim(&sentinels, &replicas[1], 1, 0));
    cr_assert_str_eq(sentinels.target.name, "s");
}

static redisReply *parse(const char *bytes)
{
    void *reply = NULL;
    redisReader *reader = redisReaderCreate();
    redisReaderFeed(reader, bytes, strlen(bytes));
    cr_assert_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
    redisReaderFree(reader);
    return reply;
}

static bool reads(const char *bytes, struct fr_redis_address *master)
{
    redisReply *reply = parse(bytes);
    bool read = fr_redis_sentinel_read(reply, master);
    freeReplyObject(reply);
    return read;
}

Test(redis_sentinels, answers_are_read_and_others_are_none)
{
    struct fr_redis_address master;
    cr_assert(reads("*2\r\n$3\r\n::1\r\n$4\r\n6380\r\n", &master));
    cr_assert_str_eq(fr_redis_address_text(&master).text, "[::1]:6380");
    cr_assert(reads("*2\r\n$5\r\ncache\r\n$5\r\n65535\r\n", &master));
    const char *bad[] = {"*-1\r\n",
                         "$-1\r\n",
                         "-ERR x\r\n",
                         ":1\r\n",
                         "*1\r\n$1\r\na\r\n",
                         "*2\r\n$1\r\na\r\n:6380\r\n",
                         "*2\r\n$0\r\n\r\n$4\r\n6380\r\n",
                         "*2\r\n$1\r\na\r\n$1\r\n0\r\n",
                         "*2\r\n$1\r\na\r\n$5\r\n65536\r\n",
                         "*2\r\n$1\r\na\r\n$4\r\n63x0\r\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(reads(bad[i], &master), "%s", bad[i]);
}

/* contract 7.8: one to read from */
Test(redis_sentinels, replicas_are_read_if_they_are_in_step)
{
    const char *bytes = "*5\r\n"
                        "*8\r\n$2\r\nip\r\n$1\r\na\r\n$4\r\nport\r\n$1\r\n1\r\n"
                        "$5\r\nflags\r\n$5\r\nslave\r\n$18\r\nmaster-link-status\r\n$2\r\nok\r\n"
                        "*8\r\n$2\r\nip\r\n$1\r\nb\r\n$4\r\nport\r\n$1\r\n2\r\n"
                        "$5\r\nflags\r\n$12\r\ns_down,slave\r\n$18\r\nmaster-link-status\r\n$2\r\nok\r\n"
                        "*8\r\n$2\r\nip\r\n$1\r\nc\r\n$4\r\nport\r\n$1\r\n3\r\n"
                        "$5\r\nflags\r\n$5\r\nslave\r\n$18\r\nmaster-link-status\r\n$3\r\nerr\r\n"
                        "*6\r\n$2\r\nip\r\n$1\r\nd\r\n"
                        "$5\r\nflags\r\n$5\r\nslave\r\n$18\r\nmaster-link-status\r\n$2\r\nok\r\n"
                        "*8\r\n$18\r\nmaster-link-status\r\n$2\r\nok\r\n$5\r\nflags\r\n$5\r\nslave\r\n"
                        "$4\r\nport\r\n$1\r\n5\r\n$2\r\nip\r\n$1\r\ne\r\n";
    struct fr_redis_address replicas[5];
    redisReply *reply = parse(bytes);
    cr_assert_eq(fr_redis_sentinel_read_replicas(reply, replicas, 5), 2);
    cr_assert_str_eq(fr_redis_address_text(&replicas[0]).text, "a:1");
    cr_assert_str_eq(fr_redis_address_text(&replicas[1]).text, "e:5");
    cr_assert_eq(fr_redis_sentinel_read_replicas(reply, replicas, 1), 1);
    freeReplyObject(reply);
    const char *bad[] = {"*0\r\n", "*1\r\n:1\r\n", "-NOPERM x\r\n", "*1\r\n*1\r\n$2\r\nip\r\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        reply = parse(bad[i]);
        cr_assert_eq(fr_redis_sentinel_read_replicas(reply, replicas, 5), 0, "%s", bad[i]);
        freeReplyObject(reply);
    }
}

static bool reads_switch(const char *body)
{
    struct fr_redis_address from, to;
    return fr_redis_sentinel_read_switch(freshet_span_text(body), freshet_span_text("main"), &from, &to) &&
           strcmp(from.name, "10.0.0.1") == 0 && from.port == 1 && strcmp(to.name, "::2") == 0 &&
           to.port == 2;
}

Test(redis_sentinels, switches_of_its_own_name_are_read)
{
    cr_assert(reads_switch("main 10.0.0.1 1 ::2 2"));
    const char *bad[] = {"other 10.0.0.1 1 ::2 2",
                         "main 10.0.0.1 1 ::2",
                         "main 10.0.0.1 1 ::2 x",
                         "main 10.0.0.1 1  2",
                         "main",
                         "",
                         "main 10.0.0.1 1 ::2 2 3"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(reads_switch(bad[i]), "%s", bad[i]);
}
