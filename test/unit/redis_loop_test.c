/* The direct way past the loop: who may take it, what the loop learns of it, and when. The loop runs only
 * where a test lets it. */
#include "base/list.h"
#include "bus/redis/link/loop.h"
#include <criterion/criterion.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct letter {
    struct fr_mail mail;
    int number;
    size_t written;
};

static struct fr_redis_loop loop;
static int near_end, far_end, settled;
static char delivered[64];

static void deliver(struct fr_mail *mail)
{
    const struct letter *letter = FR_CONTAINER(mail, struct letter, mail);
    size_t len = strlen(delivered);
    snprintf(delivered + len, sizeof(delivered) - len, "%d:%zu ", letter->number, letter->written);
}

static void settle(void *user)
{
    (void)user;
    settled++;
}

static void set_up(void)
{
    int ends[2];
    cr_assert_eq(fr_redis_loop_init(&loop, settle, NULL), FRESHET_OK);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    near_end = ends[0], far_end = ends[1];
}

static void tear_down(void)
{
    fr_redis_loop_deinit(&loop);
    close(near_end);
    close(far_end);
}

TestSuite(redis_loop, .init = set_up, .fini = tear_down);

static size_t send_text(struct letter *letter, int number, const char *text, int64_t by_us)
{
    *letter = (struct letter){.mail.deliver = deliver, .number = number};
    cr_assert(fr_redis_loop_send(&loop, &letter->mail, freshet_span_text(text), by_us, &letter->written));
    return letter->written;
}

static void run_once(void)
{
    event_base_loop(loop.base, EVLOOP_NONBLOCK);
}

static void expect_arrived(const char *text)
{
    char bytes[64] = {0};
    ssize_t len = recv(far_end, bytes, sizeof(bytes) - 1, 0);
    cr_assert_str_eq(len < 0 ? "" : bytes, text);
}

Test(redis_loop, a_command_is_mail_as_long_as_the_direct_way_is_shut)
{
    struct letter letter;
    cr_assert_eq(send_text(&letter, 1, "GET a", INT64_MAX), 0);
    expect_arrived("");
    run_once();
    cr_assert_str_eq(delivered, "1:0 ");
    cr_assert_eq(settled, 1);
}

Test(redis_loop, the_first_command_goes_direct_and_the_next_is_mail_behind_it)
{
    struct letter first, second;
    fr_redis_loop_open_direct(&loop, near_end);
    cr_assert_eq(send_text(&first, 1, "GET a", INT64_MAX), 5);
    cr_assert_eq(send_text(&second, 2, "GET b", INT64_MAX), 0);
    expect_arrived("GET a");
    run_once();
    cr_assert_str_eq(delivered, "1:5 2:0 ");
}

Test(redis_loop, what_went_direct_wakes_nobody_and_is_delivered_before_its_answer_is_read)
{
    struct letter letter;
    fr_redis_loop_open_direct(&loop, near_end);
    send_text(&letter, 1, "GET a", INT64_MAX);
    run_once();
    cr_assert_str_eq(delivered, "");
    fr_redis_loop_shut_direct(&loop);
    cr_assert_str_eq(delivered, "1:5 ");
    fr_redis_loop_shut_direct(&loop);
    cr_assert_str_eq(delivered, "1:5 ");
}

static unsigned others;

static void count_other(struct fr_mail *mail)
{
    (void)mail;
    others++;
}

/* More mail than the loop delivers in one turn, which does not shut the way: it carries no commands. */
static void post_others(void)
{
    static struct fr_mail mail[5000];
    for (size_t i = 0; i < sizeof(mail) / sizeof(mail[0]); i++) {
        mail[i].deliver = count_other;
        cr_assert(fr_redis_loop_post(&loop, &mail[i]));
    }
}

Test(redis_loop, what_went_direct_is_delivered_when_the_way_is_shut_whatever_was_posted_before)
{
    struct letter letter;
    fr_redis_loop_open_direct(&loop, near_end);
    post_others();
    cr_assert_eq(send_text(&letter, 1, "GET a", INT64_MAX), 5);
    fr_redis_loop_shut_direct(&loop);
    cr_assert_str_eq(delivered, "1:5 ");
}

Test(redis_loop, the_same_while_a_turn_of_other_mail_is_not_over)
{
    struct letter letter;
    fr_redis_loop_open_direct(&loop, near_end);
    post_others();
    event_base_loop(loop.base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
    cr_assert(others > 0 && others < 5000, "%u", others);
    send_text(&letter, 1, "GET a", INT64_MAX);
    fr_redis_loop_shut_direct(&loop);
    cr_assert_str_eq(delivered, "1:5 ");
    run_once();
    cr_assert_eq(others, 5000);
}

Test(redis_loop, a_deadline_before_the_next_waking_wakes_it)
{
    struct letter letter;
    fr_redis_loop_wakes_at(&loop, 1000);
    fr_redis_loop_open_direct(&loop, near_end);
    cr_assert_eq(send_text(&letter, 1, "GET a", 999), 5);
    run_once();
    cr_assert_str_eq(delivered, "1:5 ");
}

Test(redis_loop, a_later_deadline_does_not)
{
    struct letter letter;
    fr_redis_loop_wakes_at(&loop, 1000);
    fr_redis_loop_open_direct(&loop, near_end);
    send_text(&letter, 1, "GET a", 1000);
    run_once();
    cr_assert_str_eq(delivered, "");
    fr_redis_loop_shut_direct(&loop);
    cr_assert_str_eq(delivered, "1:5 ");
}

Test(redis_loop, the_rest_of_what_the_kernel_did_not_take_is_the_loops)
{
    struct letter letter;
    static char huge[4 << 20];
    memset(huge, 'x', sizeof(huge) - 1);
    fr_redis_loop_open_direct(&loop, near_end);
    size_t written = send_text(&letter, 1, huge, INT64_MAX);
    cr_assert(written > 0 && written < sizeof(huge) - 1, "%zu", written);
    run_once();
    cr_assert_eq(strncmp(delivered, "1:", 2), 0);
}

Test(redis_loop, a_broken_connection_leaves_it_to_the_loop)
{
    struct letter letter;
    shutdown(far_end, SHUT_RDWR);
    fr_redis_loop_open_direct(&loop, near_end);
    cr_assert_eq(send_text(&letter, 1, "GET a", INT64_MAX), 0);
    run_once();
    cr_assert_str_eq(delivered, "1:0 ");
}

Test(redis_loop, the_way_does_not_open_while_mail_waits)
{
    struct letter first, second;
    send_text(&first, 1, "GET a", INT64_MAX);
    fr_redis_loop_open_direct(&loop, near_end);
    cr_assert_eq(send_text(&second, 2, "GET b", INT64_MAX), 0);
    expect_arrived("");
    run_once();
    cr_assert_str_eq(delivered, "1:0 2:0 ");
}

Test(redis_loop, a_closed_loop_takes_nothing)
{
    struct letter last = {.mail.deliver = deliver, .number = 9}, letter = {.mail.deliver = deliver};
    fr_redis_loop_open_direct(&loop, near_end);
    fr_redis_loop_close(&loop, &last.mail);
    cr_assert_not(
        fr_redis_loop_send(&loop, &letter.mail, freshet_span_text("GET a"), INT64_MAX, &letter.written));
    fr_redis_loop_open_direct(&loop, near_end);
    expect_arrived("");
    run_once();
    cr_assert_str_eq(delivered, "9:0 ");
}
