#include <criterion/criterion.h>

#include "failing_memory.h"

#include "base/bytes.c"

#include <pthread.h>

static int releases;

static void count_release(void *user)
{
    cr_assert_eq(user, &releases);
    releases++;
}

Test(bytes, copy_is_independent)
{
    char text[] = "hello";
    struct fr_bytes *bytes = fr_bytes_copy(freshet_span_text(text));
    text[0] = 'j';
    cr_assert(freshet_span_equal(bytes->span, freshet_span_text("hello")));
    fr_bytes_release(bytes);
    bytes = fr_bytes_copy(freshet_span(NULL, 0));
    cr_assert_eq(bytes->span.len, 0);
    fr_bytes_release(bytes);
    fr_bytes_release(NULL);
}

Test(bytes, room_is_what_the_span_shows)
{
    struct fr_bytes *bytes = fr_bytes_new(3);
    memcpy(fr_bytes_room(bytes), "abc", 3);
    cr_assert(freshet_span_equal(bytes->span, freshet_span_text("abc")));
    fr_bytes_release(bytes);
}

Test(bytes, given_ones_are_released_with_the_last_reference)
{
    static const char text[] = "given";
    struct fr_bytes *bytes = fr_bytes_give(freshet_span_text(text), count_release, &releases);
    cr_assert_eq(bytes->span.data, text);
    cr_assert_eq(fr_bytes_acquire(bytes), bytes);
    fr_bytes_release(bytes);
    cr_assert_eq(releases, 0);
    fr_bytes_release(bytes);
    cr_assert_eq(releases, 1);
}

Test(bytes, given_ones_are_released_when_there_is_no_memory)
{
    allocations_left = 0;
    cr_assert_null(fr_bytes_give(freshet_span_text("x"), count_release, &releases));
    cr_assert_eq(releases, 1);
    cr_assert_null(fr_bytes_give(freshet_span_text("x"), NULL, NULL));
    cr_assert_null(fr_bytes_new(1));
    cr_assert_null(fr_bytes_copy(freshet_span_text("x")));
}

static void *share(void *user)
{
    for (int i = 0; i < 10000; i++)
        fr_bytes_release(fr_bytes_acquire(user));
    fr_bytes_release(user);
    return NULL;
}

Test(bytes, are_counted_across_threads)
{
    struct fr_bytes *bytes = fr_bytes_give(freshet_span_text("x"), count_release, &releases);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, share, fr_bytes_acquire(bytes)), 0);
    fr_bytes_release(bytes);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(releases, 1);
}
