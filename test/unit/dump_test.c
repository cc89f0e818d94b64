#include "core_rig.h"
#include <semaphore.h>
#include <string.h>

static const struct freshet_loader_options shared = {.shared = true};
static struct client clients[4];
static char *text;

static void dump(uint32_t max_rows)
{
    size_t len;
    FILE *file = open_memstream(&text, &len);
    cr_assert_eq(freshet_dump(rig.freshet, file, max_rows), FRESHET_OK);
    fclose(file);
}

static unsigned count(const char *part)
{
    unsigned found = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
        found++;
    return found;
}

#define EXPECT(part) cr_assert_not_null(strstr(text, part), "no \"%s\" in:\n%s", part, text)

static void show(struct client *client, const char *path)
{
    client_open(client, 0, path);
    rig_acknowledge();
    rig_run();
    rig_answer("one");
}

/* contract 8.1 */
Test(dump, tells_states_and_counts_of_topics_and_feeds)
{
    rig_begin((struct freshet_options){0}, 1);
    rig_add_loader(&shared);
    rig_add_loader(&(struct freshet_loader_options){.name = "own", .route = "own/:id"});
    rig_add_loader(&(struct freshet_loader_options){.name = "chat", .route = "chat/:id", .messages = true});
    show(&clients[0], "board/b1");
    client_open(&clients[1], 0, "own/o1");
    rig_acknowledge();
    rig_run();
    client_open(&clients[2], 0, "chat/c1");
    dump(0);
    EXPECT("bus proved");
    EXPECT("topics 3,");
    EXPECT("  topic board/b1: confirmed, ");
    EXPECT("  topic chat/c1: waiting, ");
    EXPECT("worker 0\n  views 3, subscriptions 3, shared feeds 1\n");
    EXPECT(
        "  feed board of board/b1: idle, shared, marks 0, publishes 0, loaded 0 ms ago, snapshot 1 version ");
    EXPECT("  feed own of own/o1: loading, of one connection, ");
    EXPECT("  messages chat of chat/c1: last 0, ");
    cr_assert_null(strstr(text, "more"), "%s", text);
    free(text);
    rig_answer("mine");
    rig_publish("board/b1");
    rig_fail("store-down");
    dump(0);
    EXPECT("  feed board of board/b1: paused, ");
    EXPECT(", failures 1, snapshot 1 version ");
    EXPECT(", error 1 store-down\n");
    cr_assert_null(strstr(text, "one\n"), "no snapshot: %s", text);
    free(text);
    for (unsigned i = 0; i < 3; i++)
        client_close(&clients[i]);
    rig_end();
}

/* contract 8.1: bounded, and what is left out is counted */
Test(dump, has_at_most_so_many_rows_of_a_kind)
{
    static const char *const paths[] = {"board/b1", "board/b2", "board/b3", "board/b4"};
    rig_begin((struct freshet_options){0}, 1);
    rig_add_loader(&shared);
    for (unsigned i = 0; i < 4; i++)
        show(&clients[i], paths[i]);
    dump(1);
    cr_assert_eq(count("  topic board/b"), 1);
    cr_assert_eq(count("  feed board of "), 1);
    EXPECT("  and 3 more topics\n");
    EXPECT("  and 3 more feeds\n");
    free(text);
    dump(4);
    cr_assert_eq(count("  feed board of "), 4);
    cr_assert_eq(count("more"), 0);
    free(text);
    for (unsigned i = 0; i < 4; i++)
        client_close(&clients[i]);
    rig_end();
}

/* ---- workers of other threads ---- */

static sem_t joined, go_on;
static atomic_bool serves;

static void wake_other(void *user)
{
    (void)user;
}

/* Serves its mail while `serves`; else it is stuck. */
static void *run_other(void *user)
{
    static const struct fr_worker_host host = {.wake = wake_other};
    struct fr_worker *worker;
    (void)user;
    cr_assert_eq(fr_worker_new(&worker, rig.freshet, &host), FRESHET_OK);
    sem_post(&joined);
    while (atomic_load(&serves))
        fr_worker_turn(worker);
    sem_wait(&go_on);
    fr_worker_leave(worker);
    return NULL;
}

static void dump_beside(bool other_serves)
{
    pthread_t other;
    sem_init(&joined, 0, 0);
    sem_init(&go_on, 0, 0);
    atomic_store(&serves, other_serves);
    rig_begin((struct freshet_options){0}, 1);
    rig_add_loader(&shared);
    show(&clients[0], "board/b1");
    cr_assert_eq(pthread_create(&other, NULL, run_other, NULL), 0);
    sem_wait(&joined);
    dump(0);
    atomic_store(&serves, false);
    sem_post(&go_on);
    pthread_join(other, NULL); /* gets the question at last, for nobody */
    client_close(&clients[0]);
    rig_end();
}

Test(dump, asks_workers_of_other_threads)
{
    dump_beside(true);
    EXPECT("  feed board of board/b1: ");
    EXPECT("worker 1\n  views 0, ");
    free(text);
}

Test(dump, does_not_wait_for_a_worker_that_is_stuck)
{
    dump_beside(false);
    EXPECT("  feed board of board/b1: ");
    EXPECT("worker 1\n  has left, or has not answered for 1 s\n");
    free(text);
}

Test(dump, says_what_is_wrong)
{
    rig_begin((struct freshet_options){0}, 1);
    cr_assert_eq(freshet_dump(NULL, stdout, 0), FRESHET_INVALID);
    cr_assert_eq(freshet_dump(rig.freshet, NULL, 0), FRESHET_INVALID);
    FILE *full = fopen("/dev/full", "w");
    cr_assert_not_null(full);
    cr_assert_eq(freshet_dump(rig.freshet, full, 0), FRESHET_SYSTEM);
    fclose(full);
    rig_end();
}
