/* How many streams each client has open. */
#include "failing_memory.h"

#include "core/peers.c"

#undef malloc
#undef calloc
#undef realloc
#include <criterion/criterion.h>

#define THREADS 4
#define ROUNDS  2000

static struct fr_peers peers;

static void begin(void)
{
    cr_assert(fr_peers_init(&peers));
}

static struct fr_peer *enter(struct freshet_span key, size_t limit)
{
    struct fr_peer *peer;
    cr_assert_eq(fr_peers_enter(&peers, key, limit, &peer), FRESHET_OK);
    cr_assert_not_null(peer);
    return peer;
}

/* contract 6.5: max_streams_per_peer */
Test(peers, refuses_at_the_limit_and_has_room_when_one_leaves)
{
    struct freshet_span key = freshet_span("\x7f\0\0\x01", 4);
    struct fr_peer *peer;
    begin();
    struct fr_peer *first = enter(key, 2), *second = enter(key, 2);
    cr_assert_eq(first, second);
    cr_assert_eq(fr_peers_enter(&peers, key, 2, &peer), FRESHET_FULL);
    cr_assert_null(peer);
    fr_peers_leave(&peers, first);
    cr_assert_eq(enter(key, 2), second);
    fr_peers_leave(&peers, second);
    fr_peers_leave(&peers, second);
    cr_assert_eq(peers.map.count, 0);
    fr_peers_deinit(&peers);
}

/* contract 6.5: addresses are bytes, also those with zeros in them */
Test(peers, are_told_apart_by_all_bytes)
{
    static const char a[8] = {0x20, 1, 0, 0, 0, 0, 0, 1}, b[8] = {0x20, 1, 0, 0, 0, 0, 0, 2};
    begin();
    struct fr_peer *one = enter(freshet_span(a, 8), 1), *other = enter(freshet_span(b, 8), 1);
    struct fr_peer *shorter = enter(freshet_span(a, 4), 1);
    cr_assert(one != other && one != shorter && other != shorter);
    fr_peers_leave(&peers, one);
    cr_assert_eq(peers.map.count, 2);
    fr_peers_leave(&peers, other);
    fr_peers_leave(&peers, shorter);
    fr_peers_deinit(&peers);
}

/* contract 6.5 */
Test(peers, without_memory_nothing_is_counted)
{
    struct fr_peer *peer;
    begin();
    allocations_left = 0;
    cr_assert_eq(fr_peers_enter(&peers, freshet_span_text("a"), 1, &peer), FRESHET_NO_MEMORY);
    allocations_left = -1;
    cr_assert_null(peer);
    cr_assert_eq(peers.map.count, 0);
    fr_peers_leave(&peers, enter(freshet_span_text("a"), 1));
    fr_peers_deinit(&peers);
}

static void *come_and_go(void *user)
{
    size_t *refused = user;
    for (int i = 0; i < ROUNDS; i++) {
        struct fr_peer *peer;
        if (fr_peers_enter(&peers, freshet_span_text("busy"), THREADS - 1, &peer) == FRESHET_OK)
            fr_peers_leave(&peers, peer);
        else
            (*refused)++;
    }
    return NULL;
}

/* contract 6.5: clients of one address may be on several workers */
Test(peers, count_across_threads)
{
    pthread_t threads[THREADS];
    size_t refused[THREADS] = {0};
    begin();
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, come_and_go, &refused[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++)
        cr_assert_lt(refused[i], ROUNDS);
    cr_assert_eq(peers.map.count, 0);
    fr_peers_deinit(&peers);
}
