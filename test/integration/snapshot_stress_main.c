/* Differences on real threads, for TSan: workers whose views take them, some of them large ones that the pool
 * makes, streams that come and go, and threads that ask for the state once. In the end each page has the
 * newest. */
#include "checks.h"
#include "page_text.h"
#include "stress_worker.h"
#include <freshet/freshet.h>
#include <stdatomic.h>
#include <time.h>

enum { WORKERS = 3, PAGES = 4, TOPICS = 2, PUBLISHES = 60, ASKS = 60, DEADLINE_S = 100 };

/* Below and over what is made on the loop. */
static const size_t sizes[TOPICS] = {4000, 150000};

static struct freshet *freshet;
static struct freshet_channel *channel;
static atomic_long counts[TOPICS];
static atomic_bool settled;
static atomic_uint joined, answers, differences;

static size_t print_state(char *text, unsigned topic, long count)
{
    size_t len = (size_t)sprintf(text, "%ld", count);
    for (size_t i = 0; len < sizes[topic]; i++)
        len += (size_t)sprintf(text + len, ",\"line %zu\"", i * i);
    return len + (size_t)sprintf(text + len, ",%ld", count);
}

static void load(struct freshet_load handle, const struct freshet_load_context *context, void *user)
{
    unsigned topic = (unsigned)(context->topic.data[context->topic.len - 1] - '0');
    char *text = malloc(sizes[topic] + 100);
    (void)user;
    size_t len = print_state(text, topic, atomic_load(&counts[topic]));
    freshet_load_give(handle, freshet_span(text, len), free, text);
}

struct page {
    struct fr_view view;
    struct page_text text;
    bool open;
};

struct loop {
    pthread_t thread;
    struct bell bell;
    struct fr_worker *worker;
    struct page pages[TOPICS * PAGES];
    unsigned seed;
};

static void take(struct fr_view *view)
{
    struct page *page = FR_CONTAINER(view, struct page, view);
    struct fr_bytes *frame;
    for (enum fr_view_news news; (news = fr_view_take(view, &frame)) != FR_NEWS_NONE; fr_bytes_release(frame))
        if (news == FR_NEWS_SNAPSHOT && !page_text_read(&page->text, frame))
            check(false, "a frame fits what the page has");
}

static void lose(struct fr_view *view, enum freshet_close_reason reason)
{
    (void)reason;
    FR_CONTAINER(view, struct page, view)->open = false;
}

static void open_page(const struct loop *loop, struct page *page, unsigned topic)
{
    char path[16];
    struct freshet_refusal refusal;
    struct fr_visit visit = {.worker = loop->worker};
    snprintf(path, sizeof(path), "state/%u", topic);
    page->view = (struct fr_view){.takes_differences = true};
    page->open =
        fr_route_find(freshet, freshet_span_text(path), &visit.loader, &visit.params) == FRESHET_OK &&
        fr_visit_open(&visit, &page->view, &refusal) == FR_VISIT_YES;
}

static bool is_newest(const struct page *page, unsigned topic)
{
    static _Thread_local char newest[200000];
    size_t len = print_state(newest, topic, atomic_load(&counts[topic]));
    return page->open && page->text.len == len && memcmp(page->text.text, newest, len) == 0;
}

static bool all_newest(const struct loop *loop)
{
    for (unsigned i = 0; i < TOPICS * PAGES; i++)
        if (!is_newest(&loop->pages[i], i % TOPICS))
            return false;
    return true;
}

static void churn(struct loop *loop)
{
    unsigned which = (unsigned)rand_r(&loop->seed) % (TOPICS * PAGES);
    if (rand_r(&loop->seed) % 16 != 0 || atomic_load(&settled))
        return;
    fr_view_close(&loop->pages[which].view);
    open_page(loop, &loop->pages[which], which % TOPICS);
}

static void *serve(void *argument)
{
    struct loop *loop = argument;
    const struct fr_worker_host host = {
        .user = &loop->bell, .wake = bell_ring, .view_ready = take, .view_lost = lose};
    time_t deadline = time(NULL) + DEADLINE_S;
    check(fr_worker_new(&loop->worker, freshet, &host) == FRESHET_OK, "a worker joins");
    atomic_fetch_add(&joined, 1);
    for (unsigned i = 0; i < TOPICS * PAGES; i++) {
        loop->pages[i].text = (struct page_text){.text = malloc(200000), .before = malloc(200000)};
        open_page(loop, &loop->pages[i], i % TOPICS);
    }
    while (time(NULL) < deadline && !(atomic_load(&settled) && all_newest(loop))) {
        int64_t next = fr_worker_turn(loop->worker);
        churn(loop);
        int64_t after = fr_worker_next(loop->worker);
        bell_wait(&loop->bell, next < after ? next : after);
    }
    check(all_newest(loop), "each page has the newest");
    for (unsigned i = 0; i < TOPICS * PAGES; i++) {
        struct page *page = &loop->pages[i];
        atomic_fetch_add(&differences, page->text.differences);
        fr_view_close(&page->view);
        free(page->text.text);
        free(page->text.before);
    }
    fr_worker_leave(loop->worker);
    return NULL;
}

static void note_answer(const struct freshet_once_answer *answer, void *user)
{
    (void)user;
    check(answer->status == 200 || answer->status == 503, "it is answered, or its worker has left");
    atomic_fetch_add(&answers, 1);
}

static void *ask(void *argument)
{
    struct freshet_once_request request = {.size = sizeof(request), .target = freshet_span_text(argument)};
    unsigned asked = 0;
    for (unsigned i = 0; i < ASKS; i++)
        asked += freshet_load_once(freshet, &request, note_answer, NULL, NULL) == FRESHET_OK;
    check(asked == ASKS, "all are asked");
    return NULL;
}

static void *publish(void *argument)
{
    const char *id = argument;
    struct freshet_topic topic;
    struct freshet_param param = {"id", freshet_span_text(id)};
    freshet_channel_topic(channel, &param, 1, &topic, NULL);
    for (unsigned i = 0; i < PUBLISHES; i++) {
        atomic_fetch_add(&counts[id[0] - '0'], 1);
        freshet_publish(freshet, &topic, freshet_span(NULL, 0), NULL, NULL);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL); /* so that there is something to take */
    }
    return NULL;
}

static void run(struct loop *loops)
{
    static char names[][16] = {"0", "1", "/state/0", "/state/1"};
    pthread_t threads[4];
    for (unsigned i = 0; i < WORKERS; i++) {
        bell_init(&loops[i].bell);
        loops[i].seed = i;
        pthread_create(&loops[i].thread, NULL, serve, &loops[i]);
    }
    while (atomic_load(&joined) < WORKERS)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    for (unsigned i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, i < TOPICS ? publish : ask, names[i]);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&settled, true);
    for (unsigned i = 0; i < WORKERS; i++) {
        pthread_join(loops[i].thread, NULL);
        bell_deinit(&loops[i].bell);
    }
}

int main(void)
{
    static struct loop loops[WORKERS];
    struct freshet_options options = {.size = sizeof(options)};
    check(freshet_channel_new(&channel, "state/:id", NULL) == FRESHET_OK, "a channel is made");
    check(freshet_new(&freshet, &options, NULL) == FRESHET_OK, "a freshet starts");
    struct freshet_loader_options loader = {.size = sizeof(loader),
                                            .name = "state",
                                            .route = "state/:id",
                                            .channel = channel,
                                            .load = load,
                                            .shared = true};
    check(freshet_loader_new(freshet, &loader, NULL, NULL) == FRESHET_OK, "a loader is registered");
    run(loops);
    struct freshet_stats stats;
    freshet_stats_get(freshet, &stats);
    check(atomic_load(&differences) > 0 && stats.differences_made > 0, "differences were taken");
    freshet_destroy(freshet, 10000);
    freshet_channel_destroy(channel);
    check(atomic_load(&answers) == 2 * ASKS, "each is answered once");
    return checks_end();
}
