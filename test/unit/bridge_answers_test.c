/* What the application has answered, for those who ask the same. */
#include "../../bridge/guard/answers.c"
#include <criterion/criterion.h>

static struct answers answers;

static void teardown(void)
{
    answers_deinit(&answers);
    cr_assert_eq(answers.count, 0);
}
TestSuite(answers, .fini = teardown);

static const unsigned char *key(unsigned number)
{
    static unsigned char bytes[ANSWERS_KEY_BYTES];
    memset(bytes, 0, sizeof(bytes));
    memcpy(bytes + 8, &number, sizeof(number)); /* all of them in one bucket, and the last in others */
    bytes[0] = number > 100 ? (unsigned char)number : 0;
    return bytes;
}

static struct answer *add(unsigned number, int64_t until_ms, int64_t now_ms)
{
    struct answer *answer = answers_add(&answers, key(number), now_ms);
    if (answer != NULL) {
        answer->out = false;
        answer->until_ms = until_ms;
    }
    return answer;
}

Test(answers, each_question_has_its_own)
{
    struct answer *first = add(1, 100, 0), *second = add(2, 100, 0);
    cr_assert_neq(first, second);
    cr_assert_eq(answers_find(&answers, key(1)), first);
    cr_assert_eq(answers_find(&answers, key(2)), second);
    cr_assert_null(answers_find(&answers, key(3)));
    answers_remove(&answers, first);
    cr_assert_null(answers_find(&answers, key(1)));
    cr_assert_eq(answers_find(&answers, key(2)), second);
}

/* contract 10.5: what is kept is bounded; what is over makes room, what is out does not */
Test(answers, those_whose_time_is_over_make_room)
{
    for (unsigned i = 0; i < ANSWERS_MAX; i++)
        cr_assert_not_null(add(i, i % 2 == 0 ? 1000 : 2000, 0));
    answers_find(&answers, key(0))->out = true;
    cr_assert_null(add(ANSWERS_MAX, 3000, 999), "all of them are good");
    cr_assert_not_null(add(ANSWERS_MAX, 3000, 1000));
    cr_assert_eq(answers.count, ANSWERS_MAX / 2 + 2);
    cr_assert_not_null(answers_find(&answers, key(0)), "it is out");
    cr_assert_null(answers_find(&answers, key(2)));
    cr_assert_not_null(answers_find(&answers, key(3)));
}
