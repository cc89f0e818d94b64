/* How many streams each client has open. */
#include "failing_memory.h"

#include "core/runtime/peers.c"

#undef malloc
#undef calloc
#undef realloc
#include <criterion/criterion.h>

#define THREADS 4
#define ROUNDS  2000
#define NOW_US  (100 * FR_US_PER_S)

static struct fr_peers peers;

static void begin(void)
{
    cr_assert(fr_peers_init(&peers));
}

static struct fr_peer *enter(struct freshet_span key, size_t limit)
{
    struct fr_peer *peer;
    cr_assert_eq(fr_peers_enter(&peers, key, 1, limit, &peer), FRESHET_OK);
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
    cr_assert_eq(fr_peers_enter(&peers, key, 1, 2, &peer), FRESHET_FULL);
    cr_assert_null(peer);
    fr_peers_leave(&peers, first, 1, NOW_US);
    cr_assert_eq(enter(key, 2), second);
    fr_peers_leave(&peers, second, 1, NOW_US);
    fr_peers_leave(&peers, second, 1, NOW_US);
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
    fr_peers_leave(&peers, one, 1, NOW_US);
    cr_assert_eq(peers.map.count, 2);
    fr_peers_leave(&peers, other, 1, NOW_US);
    fr_peers_leave(&peers, shorter, 1, NOW_US);
    fr_peers_deinit(&peers);
}

/* contract 6.5 */
Test(peers, without_memory_nothing_is_counted)
{
    struct fr_peer *peer;
    begin();
    allocations_left = 0;
    cr_assert_eq(fr_peers_enter(&peers, freshet_span_text("a"), 1, 1, &peer), FRESHET_NO_MEMORY);
    allocations_left = -1;
    cr_assert_null(peer);
    cr_assert_eq(peers.map.count, 0);
    fr_peers_leave(&peers, enter(freshet_span_text("a"), 1), 1, NOW_US);
    fr_peers_deinit(&peers);
}

static void *come_and_go(void *user)
{
    size_t *refused = user;
    for (int i = 0; i < ROUNDS; i++) {
        struct fr_peer *peer;
        if (fr_peers_enter(&peers, freshet_span_text("busy"), 1, THREADS - 1, &peer) == FRESHET_OK)
            fr_peers_leave(&peers, peer, 1, NOW_US);
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

/* contract 6.5: a stream counts as many as it has views; the one that reaches the limit may pass it */
Test(peers, count_views)
{
    struct freshet_span key = freshet_span_text("a");
    struct fr_peer *page, *small, *peer;
    begin();
    cr_assert_eq(fr_peers_enter(&peers, key, 64, 10, &page), FRESHET_OK, "or it could never come in");
    cr_assert_eq(fr_peers_enter(&peers, key, 1, 10, &peer), FRESHET_FULL);
    cr_assert_eq(fr_peers_enter(&peers, freshet_span_text("b"), 64, 10, &small), FRESHET_OK);
    fr_peers_leave(&peers, small, 64, NOW_US);
    fr_peers_leave(&peers, page, 64, NOW_US);
    cr_assert_eq(fr_peers_enter(&peers, key, 9, 10, &small), FRESHET_OK);
    cr_assert_eq(fr_peers_enter(&peers, key, 2, 10, &page), FRESHET_OK);
    cr_assert_eq(fr_peers_enter(&peers, key, 1, 10, &peer), FRESHET_FULL);
    fr_peers_leave(&peers, small, 9, NOW_US);
    fr_peers_leave(&peers, page, 2, NOW_US);
    cr_assert_eq(peers.map.count, 0);
    fr_peers_deinit(&peers);
}

/* contract 6.5: to hang up and come back does not fill the bucket */
Test(peers, who_asked_for_new_topics_is_remembered_for_a_second)
{
    struct freshet_span key = freshet_span_text("a");
    struct fr_peer *peer;
    begin();
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(fr_peers_enter(&peers, key, 1, 0, &peer), FRESHET_OK);
        cr_assert_eq(fr_peers_permit(&peers, peer, 3, NOW_US), i < 3, "%d", i);
        fr_peers_leave(&peers, peer, 1, NOW_US);
    }
    cr_assert_eq(fr_peers_enter(&peers, freshet_span_text("b"), 1, 0, &peer), FRESHET_OK);
    cr_assert(fr_peers_permit(&peers, peer, 3, NOW_US), "it is each client's own");
    fr_peers_leave(&peers, peer, 1, NOW_US);
    cr_assert_eq(peers.map.count, 2);
    cr_assert_eq(fr_peers_enter(&peers, key, 1, 0, &peer), FRESHET_OK);
    cr_assert(fr_peers_permit(&peers, peer, 3, NOW_US + FR_US_PER_S / 3 + 1));
    fr_peers_leave(&peers, peer, 1, NOW_US + 2 * FR_US_PER_S);
    cr_assert_eq(peers.map.count, 0, "nobody is kept longer than it matters");
    fr_peers_deinit(&peers);
}
