#include <criterion/criterion.h>

#include "base/mailbox.h"
#include <stdatomic.h>

#define THREADS 4
#define EACH    5000

struct letter {
    struct fr_mail mail; /* first */
    int thread, number;
};

static struct fr_mailbox mailbox;
static atomic_int wakes;
static struct letter *delivered[THREADS * EACH];
static size_t delivered_count;

static void wake(void *user)
{
    cr_assert_eq(user, &wakes);
    atomic_fetch_add(&wakes, 1);
}

static void deliver(struct fr_mail *mail)
{
    delivered[delivered_count++] = (struct letter *)mail;
}

static void open_box(void)
{
    fr_mailbox_init(&mailbox, wake, &wakes);
}

static void remove_box(void)
{
    fr_mailbox_deinit(&mailbox);
}

TestSuite(mailbox, .init = open_box, .fini = remove_box);

Test(mailbox, delivers_in_order_up_to_the_limit)
{
    struct letter letters[5] = {{{0}, 0, 0}};
    cr_assert_not(fr_mailbox_deliver(&mailbox, 10));
    for (int i = 0; i < 5; i++) {
        letters[i] = (struct letter){{NULL, deliver}, 0, i};
        cr_assert(fr_mailbox_post(&mailbox, &letters[i].mail));
    }
    cr_assert_eq(atomic_load(&wakes), 1);
    cr_assert(fr_mailbox_deliver(&mailbox, 2));
    cr_assert_eq(delivered_count, 2);
    cr_assert_not(fr_mailbox_deliver(&mailbox, 3));
    cr_assert_eq(delivered_count, 5);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(delivered[i]->number, i);
}

Test(mailbox, wakes_when_mail_comes_to_an_empty_one)
{
    struct letter a = {{NULL, deliver}, 0, 1}, b = {{NULL, deliver}, 0, 2};
    fr_mailbox_post(&mailbox, &a.mail);
    fr_mailbox_deliver(&mailbox, 1);
    cr_assert_eq(atomic_load(&wakes), 1);
    fr_mailbox_post(&mailbox, &b.mail);
    cr_assert_eq(atomic_load(&wakes), 2);
    fr_mailbox_deliver(&mailbox, 1);
    cr_assert_eq(delivered_count, 2);
}

static void post_once_more(struct fr_mail *mail)
{
    struct letter *letter = (struct letter *)mail;
    deliver(mail);
    if (++letter->number < 3)
        cr_assert(fr_mailbox_post(&mailbox, mail));
}

Test(mailbox, mail_may_be_posted_again_by_its_delivery)
{
    struct letter letter = {{NULL, post_once_more}, 0, 0}, after = {{NULL, deliver}, 0, 9};
    fr_mailbox_post(&mailbox, &letter.mail);
    fr_mailbox_post(&mailbox, &after.mail);
    /* What comes during a delivery waits for the next one, so that a turn ends. */
    cr_assert(fr_mailbox_deliver(&mailbox, 100));
    cr_assert_eq(delivered_count, 2);
    cr_assert_eq(delivered[1], &after);
    cr_assert(fr_mailbox_deliver(&mailbox, 100));
    cr_assert_not(fr_mailbox_deliver(&mailbox, 100));
    cr_assert_eq(delivered_count, 4);
}

Test(mailbox, refuses_once_closed_but_delivers_what_it_has)
{
    struct letter a = {{NULL, deliver}, 0, 1}, b = {{NULL, deliver}, 0, 2};
    cr_assert(fr_mailbox_post(&mailbox, &a.mail));
    fr_mailbox_close(&mailbox);
    cr_assert_not(fr_mailbox_post(&mailbox, &b.mail));
    cr_assert_eq(atomic_load(&wakes), 1);
    cr_assert_not(fr_mailbox_deliver(&mailbox, 10));
    cr_assert_eq(delivered_count, 1);
    cr_assert_eq(delivered[0], &a);
}

static struct letter posted[THREADS][EACH];

static void *post_many(void *user)
{
    struct letter *letters = user;
    for (int i = 0; i < EACH; i++)
        fr_mailbox_post(&mailbox, &letters[i].mail);
    return NULL;
}

Test(mailbox, keeps_the_order_of_each_of_several_threads, .timeout = 60)
{
    pthread_t threads[THREADS];
    int next[THREADS] = {0};
    for (int i = 0; i < THREADS; i++)
        for (int j = 0; j < EACH; j++)
            posted[i][j] = (struct letter){{NULL, deliver}, i, j};
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, post_many, posted[i]), 0);
    while (delivered_count < THREADS * EACH)
        fr_mailbox_deliver(&mailbox, 17);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < THREADS * EACH; i++)
        cr_assert_eq(delivered[i]->number, next[delivered[i]->thread]++);
    cr_assert_not(fr_mailbox_deliver(&mailbox, 1));
    cr_assert_leq(atomic_load(&wakes), THREADS * EACH);
    cr_assert_geq(atomic_load(&wakes), 1);
}
