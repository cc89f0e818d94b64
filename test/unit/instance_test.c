/* A freshet on real threads, without sockets: the pool, the callback thread, the end. */
#include "core/hub/visit.h"
#include "core/load/loader.h"
#include "core/runtime/context.h"
#include "core/runtime/worker.h"
#include "wait.h"
#include <criterion/criterion.h>
#include <freshet/freshet.h>
#include <pthread.h>

static sem_t begun, may_end, answered, taken;
static pthread_t caller;
static struct freshet_load held;
static enum freshet_status late_status;

static void init(void)
{
    sem_init(&begun, 0, 0);
    sem_init(&may_end, 0, 0);
    sem_init(&answered, 0, 0);
    sem_init(&taken, 0, 0);
}

static void blocking_load(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    struct freshet_span id;
    (void)user;
    held = load;
    caller = pthread_self();
    sem_post(&begun);
    wait_for(&may_end);
    /* What the context holds outlives even the freshet. */
    bool intact = freshet_load_param(context, "id", 0, &id) == FRESHET_OK &&
                  freshet_span_equal(id, freshet_span_text("b1")) &&
                  freshet_span_equal(context->topic, freshet_span_text("board/b1"));
    late_status = freshet_load_answer(load, freshet_span_text(intact ? "one" : "broken"));
    sem_post(&answered);
}

static struct freshet *new_freshet(void)
{
    struct freshet *freshet;
    struct freshet_channel *channel;
    cr_assert_eq(freshet_new(&freshet, NULL, NULL), FRESHET_OK);
    cr_assert_eq(freshet_channel_new(&channel, "board/:id", NULL), FRESHET_OK);
    struct freshet_loader_options options = {.size = sizeof(options),
                                             .name = "board",
                                             .route = "board/:id",
                                             .channel = channel,
                                             .load = blocking_load};
    cr_assert_eq(freshet_loader_new(freshet, &options, NULL, NULL), FRESHET_OK);
    freshet_channel_destroy(channel);
    return freshet;
}

static sem_t woken;

static void wake(void *user)
{
    (void)user;
    sem_post(&woken);
}

static void take(struct fr_view *view)
{
    struct fr_bytes *frame;
    while (fr_view_take(view, &frame) != FR_NEWS_NONE) {
        if (memmem(frame->span.data, frame->span.len, "data: one\n", 10) != NULL)
            sem_post(&taken);
        fr_bytes_release(frame);
    }
}

static void ignore_lost(struct fr_view *view, enum freshet_close_reason reason)
{
    (void)view;
    (void)reason;
}

static struct fr_worker *open_stream(struct freshet *freshet, struct fr_view *view)
{
    const struct fr_worker_host host = {.wake = wake, .view_ready = take, .view_lost = ignore_lost};
    struct fr_visit visit = {0};
    struct freshet_refusal refusal;
    struct fr_worker *worker;
    sem_init(&woken, 0, 0);
    cr_assert_eq(fr_worker_new(&worker, freshet, &host), FRESHET_OK);
    visit.worker = worker;
    cr_assert_eq(fr_route_find(freshet, freshet_span_text("board/b1"), &visit.loader, &visit.params),
                 FRESHET_OK);
    cr_assert_eq(fr_visit_open(&visit, view, &refusal), FR_VISIT_YES);
    while (sem_trywait(&begun) != 0) {
        fr_worker_turn(worker);
        sched_yield();
    }
    return worker;
}

/* contract 4.4: a load runs on the blocking pool unless it says otherwise */
Test(instance, load_runs_on_the_pool_and_its_answer_reaches_the_stream)
{
    struct fr_view view = {0};
    init();
    struct freshet *freshet = new_freshet();
    struct fr_worker *worker = open_stream(freshet, &view);
    cr_assert(!pthread_equal(caller, pthread_self()));
    sem_post(&may_end);
    for (fr_worker_turn(worker); sem_trywait(&taken) != 0; fr_worker_turn(worker))
        if (fr_worker_next(worker) > fr_worker_now_us(worker))
            cr_assert(wait_for(&woken), "nothing woke the worker");
    cr_assert_eq(late_status, FRESHET_OK);
    fr_view_close(&view);
    fr_worker_leave(worker);
    freshet_destroy(freshet, 1000);
}

/* contract 6.4: destroying waits at most its deadline; late answers stay safe */
Test(instance, destroy_leaves_a_stuck_load_alone_and_its_answer_is_stale)
{
    struct fr_view view = {0};
    init();
    struct freshet *freshet = new_freshet();
    struct fr_worker *worker = open_stream(freshet, &view);
    fr_view_close(&view);
    fr_worker_leave(worker);
    freshet_destroy(freshet, 50);
    cr_assert(freshet_load_cancelled(held));
    sem_post(&may_end);
    cr_assert(wait_for(&answered));
    cr_assert_eq(late_status, FRESHET_STALE);
}

/* contract 6.4 */
Test(instance, destroy_waits_for_a_load_that_ends_in_time)
{
    struct fr_view view = {0};
    init();
    struct freshet *freshet = new_freshet();
    struct fr_worker *worker = open_stream(freshet, &view);
    fr_view_close(&view);
    fr_worker_leave(worker);
    sem_post(&may_end);
    freshet_destroy(freshet, DEADLINE_S * 1000);
    cr_assert_eq(sem_trywait(&answered), 0);
}

static pthread_t result_thread;
static unsigned results;

static void note_result(enum freshet_status status, int64_t receivers, void *user)
{
    (void)user;
    (void)receivers;
    cr_assert_eq(status, FRESHET_OK);
    result_thread = pthread_self();
    results++;
    sem_post(&answered);
}

/* contract 3.2 */
Test(instance, result_of_a_thread_without_a_worker_runs_on_the_callback_thread)
{
    init();
    struct freshet *freshet = new_freshet();
    struct freshet_topic topic = {.len = 8, .text = "board/b1"};
    for (int i = 0; i < 100; i++)
        cr_assert_eq(freshet_publish(freshet, &topic, freshet_span(NULL, 0), note_result, NULL), FRESHET_OK);
    for (int i = 0; i < 100; i++)
        cr_assert(wait_for(&answered));
    cr_assert(!pthread_equal(result_thread, pthread_self()));
    freshet_destroy(freshet, 1000);
    cr_assert_eq(results, 100);
}

Test(instance, wrong_options_are_named)
{
    struct freshet_error error;
    struct freshet *freshet = (void *)1;
    struct freshet_options options = {.size = 1};
    cr_assert_eq(freshet_new(&freshet, &options, &error), FRESHET_INVALID);
    cr_assert_null(freshet);
    cr_assert_not_null(strstr(error.text, "size"));
    options = (struct freshet_options){.size = sizeof(options), .pool_threads = 100000};
    cr_assert_eq(freshet_new(&freshet, &options, &error), FRESHET_INVALID);
    cr_assert_not_null(strstr(error.text, "pool_threads"));
}

Test(instance, memory_bus_is_proved_at_once)
{
    struct freshet *freshet = new_freshet();
    cr_assert(freshet_ready(freshet));
    freshet_destroy(freshet, 1000);
}

static unsigned buses_destroyed;

static void count_destroy(struct freshet_bus *bus)
{
    (void)bus;
    buses_destroyed++;
}

/* The bus is taken over also on failure. */
Test(instance, bus_is_destroyed_when_an_option_is_wrong)
{
    static const struct freshet_bus_ops ops = {.destroy = count_destroy};
    struct freshet_bus bus = {.ops = &ops};
    struct freshet *freshet;
    struct freshet_options options = {.size = sizeof(options) - 1, .bus = &bus};
    cr_assert_eq(freshet_new(&freshet, &options, NULL), FRESHET_INVALID);
    cr_assert_eq(buses_destroyed, 1);
    options = (struct freshet_options){.size = sizeof(options), .bus = &bus, .pool_threads = 100000};
    cr_assert_eq(freshet_new(&freshet, &options, NULL), FRESHET_INVALID);
    cr_assert_eq(buses_destroyed, 2);
}

static sem_t refused;

static void on_refused(enum freshet_status status, int64_t receivers, void *user)
{
    (void)receivers, (void)user;
    cr_assert_eq(status, FRESHET_INVALID);
    sem_post(&refused);
}

/* A caller's mistake is an answer and not the end of the process. */
Test(instance, null_is_refused_or_means_none)
{
    struct freshet_error error = {""};
    struct freshet_stats stats = {.streams = 7};
    struct freshet_topic topic = {.len = 1, .text = "t"};
    struct freshet *freshet;
    struct freshet_bus *bus, without_ops = {.ops = NULL};
    struct freshet_options options = {.size = sizeof(options), .bus = &without_ops};
    cr_assert_eq(freshet_memory_bus_new(NULL, NULL), FRESHET_INVALID);
    cr_assert_eq(freshet_new(&freshet, &options, &error), FRESHET_INVALID);
    cr_assert_str_eq(error.text, "options: bus has no `ops`");
    cr_assert_eq(freshet_memory_bus_new(&bus, NULL), FRESHET_OK);
    options.bus = bus;
    cr_assert_eq(freshet_new(NULL, &options, &error), FRESHET_INVALID); /* the bus is gone: no leak */
    cr_assert_str_eq(error.text, "out is NULL");
    cr_assert_eq(freshet_publish(NULL, &topic, freshet_span(NULL, 0), on_refused, NULL), FRESHET_INVALID);
    cr_assert_eq(freshet_topic_streams(NULL, &topic), 0);
    cr_assert_not(freshet_ready(NULL));
    cr_assert_null(freshet_stats_prometheus(NULL));
    freshet_stats_get(NULL, &stats);
    cr_assert_eq(stats.streams, 0);

    sem_init(&refused, 0, 0);
    cr_assert_eq(freshet_new(&freshet, NULL, NULL), FRESHET_OK);
    cr_assert_eq(freshet_publish(freshet, NULL, freshet_span(NULL, 0), on_refused, NULL), FRESHET_INVALID);
    wait_for(&refused);
    cr_assert_eq(freshet_publish(freshet, &topic, freshet_span(NULL, 1), on_refused, NULL), FRESHET_INVALID);
    wait_for(&refused);
    cr_assert_eq(freshet_topic_streams(freshet, NULL), 0);
    freshet_stats_get(freshet, NULL);
    freshet_destroy(freshet, 1000);
    freshet_destroy(NULL, 1000);
    freshet_bus_destroy(NULL);
}
