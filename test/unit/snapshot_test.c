/* Differences in place of snapshots: who gets which, how often one is made, and when the whole goes. */
#include "reader_rig.h"

#include "core/hub/fanout.h"
#include <sched.h>
#include <semaphore.h>

static struct reader one, other, third;

static void come(struct reader *reader, unsigned worker, const struct fr_version *held)
{
    cr_assert_eq(reader_try(reader, worker, held), FR_VISIT_YES);
    rig_run();
}

static void begin(unsigned workers)
{
    rig_begin((struct freshet_options){.pool_threads = 2}, workers);
    rig_add_loader(&(struct freshet_loader_options){.shared = true});
    rig_join();
}

/* The state: `lines` of it, one of which has a number of its own. */
static char state[TEXT_ROOM];

static const char *write_state(size_t lines, unsigned number)
{
    size_t len = 0;
    for (size_t i = 0; i < lines; i++)
        len += (size_t)sprintf(state + len, "{\"id\":%zu,\"title\":\"line %zu\",\"n\":%u},", i, i * i,
                               i == lines / 2 ? number : 0);
    return state;
}

static void answer(size_t lines, unsigned number)
{
    rig_answer(write_state(lines, number));
}

static void change(size_t lines, unsigned number)
{
    rig_message("board/a");
    rig_run();
    answer(lines, number);
}

static void expect_state(const struct reader *reader)
{
    cr_expect(reader->page.len == strlen(state) && memcmp(reader->page.text, state, reader->page.len) == 0,
              "%.*s", (int)reader->page.len, reader->page.text);
}

static void leave(struct reader *reader)
{
    client_close(&reader->client);
}

static void open_with(size_t lines)
{
    come(&one, 0, NULL);
    rig_acknowledge();
    rig_run();
    answer(lines, 0);
    reader_take(&one);
    cr_assert_eq(one.page.wholes, 1);
}

/* contract 5.10 */
Test(snapshot, who_holds_the_one_before_gets_what_is_different)
{
    begin(1);
    open_with(100);
    for (unsigned number = 1; number < 5; number++) {
        change(100, number * 11);
        reader_take(&one);
        expect_state(&one);
    }
    cr_expect_eq(one.page.wholes, 1);
    cr_expect_eq(one.page.differences, 4);
    struct freshet_stats stats = rig_stats();
    cr_expect_eq(stats.differences_made, 4);
    cr_expect_eq(stats.differences_pushed, 4);
    cr_expect_eq(stats.snapshots_pushed, 5);
    cr_expect_gt(stats.differences_saved_bytes, 4 * (strlen(state) - 200));
    leave(&one);
    rig_end();
}

/* contract 5.10: also when they are on several workers */
Test(snapshot, a_difference_is_made_once_for_all)
{
    begin(2);
    open_with(100);
    come(&other, 1, NULL);
    come(&third, 1, NULL);
    reader_take(&other);
    reader_take(&third);
    change(100, 7);
    reader_take(&one);
    reader_take(&other);
    reader_take(&third);
    cr_expect_eq(one.page.differences + other.page.differences + third.page.differences, 3);
    expect_state(&third);
    cr_expect_eq(rig_stats().differences_made, 1);
    leave(&one);
    leave(&other);
    leave(&third);
    rig_end();
}

/* contract 5.10: nothing is made that nobody takes */
Test(snapshot, who_does_not_take_differences_gets_none)
{
    static struct client plain;
    begin(1);
    open_with(100);
    leave(&one);
    client_open(&plain, 0, "/board/a");
    unsigned before = plain.snapshots;
    change(100, 7);
    change(100, 8);
    cr_expect_eq(plain.snapshots, before + 2);
    cr_expect_null(strstr(plain.last, "event:"));
    cr_expect_null(plain.view.held, "nothing is kept for it");
    cr_expect_eq(rig_stats().differences_made, 0);
    client_close(&plain);
    rig_end();
}

Test(snapshot, a_loader_without_differences_sends_the_whole)
{
    rig_begin((struct freshet_options){0}, 1);
    rig_add_loader(&(struct freshet_loader_options){.shared = true, .no_differences = true});
    rig_join();
    open_with(100);
    change(100, 7);
    reader_take(&one);
    expect_state(&one);
    cr_expect_eq(one.page.wholes, 2);
    cr_expect_eq(rig_stats().differences_made, 0);
    leave(&one);
    rig_end();
}

/* contract 5.10, 6.1: a slow one holds an older state, and gets from there to the newest */
Test(snapshot, who_skipped_some_gets_the_difference_to_what_it_holds)
{
    begin(1);
    open_with(100);
    come(&other, 0, NULL);
    reader_take(&other);
    for (unsigned number = 1; number < 4; number++) {
        change(100, number);
        reader_take(&one);
    }
    reader_take(&other);
    expect_state(&other);
    cr_expect_eq(other.page.differences, 1);
    cr_expect_eq(rig_stats().differences_made, 4);
    cr_expect_eq(rig_stats().snapshots_skipped, 2);
    leave(&one);
    leave(&other);
    rig_end();
}

/* contract 5.10: slow ones with a state each do not make an instance work for each of them */
Test(snapshot, differences_to_a_snapshot_are_bounded)
{
    static struct reader slow[FR_DIFFERENCES_MOST + 2];
    const unsigned count = FR_DIFFERENCES_MOST + 2;
    begin(1);
    open_with(100);
    for (unsigned i = 0; i < count; i++) {
        change(100, i + 1);
        come(&slow[i], 0, NULL);
        reader_take(&slow[i]);
    }
    change(100, 1000);
    unsigned differences = 0;
    for (unsigned i = 0; i < count; i++) {
        reader_take(&slow[i]);
        expect_state(&slow[i]);
        differences += slow[i].page.differences;
        leave(&slow[i]);
    }
    cr_expect_eq(differences, FR_DIFFERENCES_MOST);
    cr_expect_eq(rig_stats().differences_made, FR_DIFFERENCES_MOST);
    leave(&one);
    rig_end();
}

/* contract 5.10 */
Test(snapshot, what_does_not_pay_goes_out_whole)
{
    begin(1);
    open_with(30); /* below the least */
    change(30, 1);
    reader_take(&one);
    cr_expect_eq(one.page.wholes, 2);
    cr_expect_eq(rig_stats().differences_made, 0);
    change(300, 1); /* most of it is new */
    reader_take(&one);
    cr_expect_eq(one.page.wholes, 3);
    rig_message("board/a");
    rig_run();
    for (size_t i = 0; i < 5000; i++)
        state[i] = (char)('a' + i * i % 23);
    state[5000] = '\0';
    rig_answer(state); /* nothing in common */
    reader_take(&one);
    expect_state(&one);
    cr_expect_eq(one.page.wholes, 4);
    cr_expect_eq(rig_stats().differences_made, 2);
    cr_expect_eq(rig_stats().differences_pushed, 0);
    cr_expect_eq(rig_stats().differences_saved_bytes, 0);
    leave(&one);
    rig_end();
}

/* contract 5.7, 5.10 */
Test(snapshot, an_equal_result_of_a_publish_is_a_difference_of_one_piece)
{
    begin(1);
    open_with(100);
    change(100, 0);
    reader_take(&one);
    expect_state(&one);
    cr_expect_eq(one.page.differences, 1);
    leave(&one);
    rig_end();
}

/* contract 5.3, 5.10 */
Test(snapshot, who_comes_back_goes_on_from_what_it_holds)
{
    struct fr_version first, second, unknown = {{1}};
    begin(1);
    open_with(100);
    cr_assert(fr_version_parse(freshet_span_text(one.page.version), &first));
    change(100, 1);
    reader_take(&one);
    cr_assert(fr_version_parse(freshet_span_text(one.page.version), &second));
    come(&other, 0, &second);
    reader_take(&other);
    cr_expect_eq(other.unchanged, 1);
    memcpy(other.page.text, one.page.text, one.page.len);
    other.page.len = one.page.len;
    memcpy(other.page.version, one.page.version, sizeof(one.page.version));
    change(100, 2);
    reader_take(&other);
    expect_state(&other);
    cr_expect_eq(other.page.differences, 1);
    leave(&other);
    come(&other, 0, &second); /* what was made for others is there for it, too */
    memcpy(other.page.text, one.page.text, one.page.len);
    other.page.len = one.page.len;
    memcpy(other.page.version, one.page.version, sizeof(one.page.version));
    reader_take(&other);
    expect_state(&other);
    cr_expect_eq(other.page.differences, 1);
    come(&third, 0, &first); /* nobody has the text of it any more */
    reader_take(&third);
    expect_state(&third);
    cr_expect_eq(third.page.wholes, 1);
    leave(&third);
    come(&third, 0, &unknown);
    reader_take(&third);
    cr_expect_eq(third.page.wholes, 1);
    leave(&one);
    leave(&other);
    leave(&third);
    rig_end();
}

/* contract 4.5: the first success after an error is pushed in full */
Test(snapshot, after_a_load_error_the_whole_goes)
{
    begin(1);
    open_with(100);
    rig_message("board/a");
    rig_run();
    rig_fail("store-down");
    reader_take(&one);
    cr_expect_eq(one.errors, 1);
    rig_pass_ms(1000);
    answer(100, 1);
    reader_take(&one);
    expect_state(&one);
    cr_expect_eq(one.page.wholes, 2);
    change(100, 2);
    reader_take(&one);
    cr_expect_eq(one.page.differences, 1);
    leave(&one);
    rig_end();
}

/* A page would read other characters than those that were counted. */
Test(snapshot, what_is_not_utf8_goes_out_whole)
{
    begin(1);
    open_with(100);
    rig_message("board/a");
    rig_run();
    write_state(100, 1);
    state[50] = (char)0xe4;
    rig_answer(state);
    reader_take(&one);
    change(100, 2);
    reader_take(&one);
    expect_state(&one);
    cr_expect_eq(one.page.wholes, 3);
    leave(&one);
    rig_end();
}

/* contract 5.3, 5.10: a difference is to the lines as a client has them, whatever ended them */
Test(snapshot, several_lines_are_one_text)
{
    begin(1);
    open_with(100);
    for (unsigned number = 1; number < 3; number++) {
        rig_message("board/a");
        rig_run();
        write_state(100, number);
        for (size_t i = 0; i + 1 < strlen(state); i++)
            if (memcmp(state + i, "},", 2) == 0)
                memcpy(state + i, number == 1 ? "\r\n" : "}\r", 2);
        rig_answer(state);
        reader_take(&one);
    }
    cr_expect_eq(one.page.differences + one.page.wholes, 3);
    change(100, 3);
    reader_take(&one);
    expect_state(&one);
    leave(&one);
    rig_end();
}

/* contract 5.10: with the home of its feed gone a view goes on with another one's */
Test(snapshot, another_feed_goes_on_from_what_a_view_holds)
{
    begin(2);
    open_with(100);
    rig_add_worker();
    come(&other, 2, NULL);
    reader_take(&other);
    leave(&one);
    rig_leave(0);
    rig_leave(1);
    rig_run();
    rig_acknowledge();
    rig_run();
    answer(100, 0);
    reader_take(&other);
    change(100, 1);
    reader_take(&other);
    expect_state(&other);
    cr_expect_eq(other.page.wholes, 1);
    cr_expect_eq(other.page.differences, 1);
    leave(&other);
    rig_end();
}

/* ---- off the loop ---- */

#define LARGE 5000

static struct fr_snapshot *shown_by(const struct reader *reader)
{
    return reader->client.view.fanout->update.snapshot;
}

/* What the application does in the pool, for as long as it likes. */
struct blocking {
    struct fr_job job;
    sem_t *until;
};

static struct blocking blocking[2];
static sem_t until;

static void block(struct fr_job *job, bool abandoned)
{
    (void)abandoned;
    sem_wait(FR_CONTAINER(job, struct blocking, job)->until);
}

static void block_pool(void)
{
    sem_init(&until, 0, 0);
    for (int i = 0; i < 2; i++) {
        blocking[i] = (struct blocking){.job.run = block, .until = &until};
        fr_pool_run(rig.freshet->pool, &blocking[i].job);
    }
}

static void free_pool(void)
{
    sem_post(&until);
    sem_post(&until);
}

/* Until the pool has made it. */
static void wait_until_made(struct reader *reader)
{
    enum fr_difference_state now;
    do {
        bool begun;
        struct fr_bytes *frame;
        sched_yield();
        now =
            fr_snapshot_differ(shown_by(reader), reader->client.view.held, rig.freshet->pool, &begun, &frame);
        cr_assert_not(begun);
        fr_bytes_release(frame);
    } while (now == FR_DIFFERENCE_MAKING);
}

/* contract 5.10: and who waits for one is told when it is there */
Test(snapshot, a_large_difference_is_made_off_the_loop_once)
{
    begin(2);
    open_with(LARGE);
    come(&other, 1, NULL);
    reader_take(&other);
    cr_assert_gt(strlen(state), FR_DIFFERENCE_LOOP_BYTES);
    block_pool();
    change(LARGE, 7);
    reader_take(&one);
    reader_take(&other);
    cr_expect_eq(one.page.differences + other.page.differences, 0);
    free_pool();
    wait_until_made(&one);
    other.client.blocked = one.client.blocked = false; /* tells of who is told */
    rig_pass_ms(3);
    cr_expect_eq(one.client.snapshots, 1);
    cr_expect_eq(other.client.snapshots, 1);
    cr_expect_not_null(strstr(one.client.last, "\nevent: difference\n"));
    cr_expect_eq(rig_stats().differences_made, 1);
    cr_expect_eq(rig_stats().differences_pushed, 2);
    leave(&one);
    leave(&other);
    rig_end();
}

/* contract 5.10 */
Test(snapshot, what_comes_while_a_difference_is_made_replaces_it)
{
    begin(1);
    open_with(LARGE);
    change(LARGE, 7);
    reader_take(&one);
    change(LARGE, 8);
    reader_take(&one);
    wait_until_made(&one);
    reader_take(&one);
    expect_state(&one);
    cr_expect_eq(one.page.wholes, 1);
    cr_expect_eq(one.page.differences, 1);
    cr_expect_eq(rig_stats().differences_made, 2);
    cr_expect_eq(rig_stats().snapshots_skipped, 1);
    leave(&one);
    rig_end();
}

/* contract 5.10: nobody waits for long because the application's calls hold all of the pool */
Test(snapshot, when_the_pool_is_busy_the_whole_goes)
{
    begin(1);
    open_with(LARGE);
    block_pool();
    change(LARGE, 7);
    reader_take(&one);
    rig_pass_ms(100);
    reader_take(&one);
    cr_expect_eq(one.page.wholes, 1);
    one.client.blocked = false;
    rig_pass_ms(500);
    cr_expect_eq(one.client.snapshots, 1);
    cr_expect_null(strstr(one.client.last, "\nevent:"));
    free_pool();
    leave(&one);
    rig_end();
}

/* contract 6.3, 6.4: it holds nothing of who asked for it */
Test(snapshot, a_difference_may_end_after_everybody_has_left)
{
    begin(1);
    open_with(LARGE);
    change(LARGE, 7);
    reader_take(&one);
    leave(&one);
    rig_end();
}
