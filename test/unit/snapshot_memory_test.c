/* Each allocation of views that take differences, and of a state that is asked for once, fails once: the
 * first, the second and so on, until a life has no further one to fail. */
#include "reader_rig.h"
#include "wrapped_rig.h"

#include <freshet/once.h>

#define LINES 60

static struct reader one, other;
static unsigned number, answers;
static char newest[TEXT_ROOM];

static void write_newest(void)
{
    size_t len = 0;
    for (size_t i = 0; i < LINES; i++)
        len += (size_t)sprintf(newest + len,
                               "line %zu is %u\n\"\xc3\xa4\xf0\x9f\x98\x80\" and no more than that\n", i,
                               i == LINES / 2 ? number : 0);
}

static void load_newest(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    (void)context;
    (void)user;
    write_newest();
    freshet_load_answer(load, freshet_span_text(newest));
}

static void build(void)
{
    rig_insist((struct freshet_options){.linger_ms = 1});
    rig_add_loader(&(struct freshet_loader_options){.shared = true, .load = load_newest});
    rig_insist_worker();
}

static void note(const struct freshet_once_answer *answer, void *user)
{
    (void)user;
    answers++;
    bool is_newest = freshet_span_equal(answer->bytes, freshet_span_text(newest)),
         is_old = answer->code.len > 0;
    cr_assert(answer->status == 503 || (answer->status == 200 && (is_newest || is_old)), "%d",
              answer->status);
    free(freshet_once_html(answer, "/live/board/a"));
}

static bool ask(void)
{
    struct freshet_once_header header = {freshet_span_text("cookie"), freshet_span_text("a=b")};
    struct freshet_once_request request = {.size = sizeof(request),
                                           .target = freshet_span_text("/board/a?x=y"),
                                           .headers = &header,
                                           .header_count = 1};
    bool asked = freshet_load_once(rig.freshet, &request, note, NULL, NULL) == FRESHET_OK;
    rig_run();
    return asked;
}

static void change(void)
{
    number++;
    rig_message("board/a");
    rig_run();
}

static void take(struct reader *reader, bool open)
{
    if (open && !reader->client.lost)
        reader_take(reader);
}

static void expect_newest(struct reader *reader, bool open)
{
    take(reader, open);
    write_newest();
    if (open && !reader->client.lost)
        cr_assert(reader->page.len == strlen(newest) &&
                  memcmp(reader->page.text, newest, reader->page.len) == 0);
}

/* True: there was an allocation to fail. */
static bool live_with_failure_at(long at)
{
    build();
    answers = 0;
    until_failure = at;
    bool first = reader_try(&one, 0, NULL) == FR_VISIT_YES,
         second = reader_try(&other, 0, NULL) == FR_VISIT_YES;
    rig_run();
    if (rig.bus->subscribes > 0)
        rig_acknowledge();
    rig_run();
    unsigned asked = ask();
    for (int i = 0; i < 3; i++) {
        change();
        take(&one, first);
        if (i != 1)
            take(&other, second);
    }
    asked += ask();
    bool failed = until_failure == 0;
    until_failure = 0;
    rig_pass_ms(40000);
    change();
    rig_pass_ms(1000);
    expect_newest(&one, first);
    expect_newest(&other, second);
    cr_assert_eq(answers, asked);
    cr_assert(failed || (first && second && asked == 2 && one.page.differences >= 3));
    fr_view_close(&one.client.view);
    fr_view_close(&other.client.view);
    rig_end();
    return failed;
}

Test(snapshot_memory, each_allocation_fails_once_and_nothing_is_lost_or_left, .timeout = 300)
{
    long at = 1;
    while (live_with_failure_at(at)) {
        check_nothing_is_left();
        at++;
    }
    check_nothing_is_left();
    cr_assert_gt(at, 30);
}
