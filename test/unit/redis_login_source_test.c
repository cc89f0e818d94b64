#include "bus/redis/link/login.h"
#include <criterion/criterion.h>
#include <string.h>

static struct fr_redis_login_source source;
static struct freshet_redis_login login;
static struct freshet_span arguments[3];

/* What the next callback gives; no password: nothing. */
static struct freshet_span user, password;

static void give(struct freshet_redis_login *to, void *times)
{
    for (int i = 0; password.data != NULL && i < *(const int *)times; i++)
        freshet_redis_login_set(to, user, password);
}

static size_t ask(void)
{
    cr_assert(fr_redis_login_ask(&login, &source));
    return fr_redis_login_command(&login, arguments);
}

static void expect(size_t place, const char *text)
{
    cr_assert(freshet_span_equal(arguments[place], freshet_span_text(text)), "%s", text);
}

static void tear_down(void)
{
    fr_redis_login_forget(&login);
    fr_redis_login_source_deinit(&source);
}

TestSuite(redis_login_source, .fini = tear_down);

Test(redis_login_source, without_anything_nobody_logs_in)
{
    cr_assert_eq(fr_redis_login_source_init(&source, NULL, NULL), FRESHET_OK);
    cr_assert_not(fr_redis_login_source_is_used(&source));
}

Test(redis_login_source, password_that_stays_goes_with_its_user_or_alone)
{
    cr_assert_eq(fr_redis_login_source_init(&source, "bob", "word"), FRESHET_OK);
    cr_assert(fr_redis_login_source_is_used(&source));
    cr_assert_eq(ask(), 3);
    expect(0, "AUTH");
    expect(1, "bob");
    expect(2, "word");
    tear_down();
    cr_assert_eq(fr_redis_login_source_init(&source, NULL, "word"), FRESHET_OK);
    cr_assert_eq(ask(), 2);
    expect(1, "word");
}

/* contract 7.7 */
Test(redis_login_source, callback_comes_before_the_password_that_stays)
{
    int times = 2; /* the last word counts */
    cr_assert_eq(fr_redis_login_source_init(&source, "bob", "old"), FRESHET_OK);
    source.ask = give;
    source.ask_user = &times;
    user = freshet_span_text("amy");
    password = freshet_span("a\0b", 3);
    cr_assert_eq(ask(), 3);
    expect(1, "amy");
    cr_assert_eq(arguments[2].len, 3);
    cr_assert_eq(memcmp(arguments[2].data, "a\0b", 3), 0);
}

/* contract 7.7 */
Test(redis_login_source, user_that_the_callback_does_not_name_is_the_one_that_stays)
{
    int times = 1;
    cr_assert_eq(fr_redis_login_source_init(&source, "bob", NULL), FRESHET_OK);
    source.ask = give;
    source.ask_user = &times;
    user = freshet_span(NULL, 0);
    password = freshet_span_text("word");
    cr_assert_eq(ask(), 3);
    expect(1, "bob");
    fr_redis_login_source_deinit(&source);
    fr_redis_login_forget(&login);
    cr_assert_eq(fr_redis_login_source_init(&source, NULL, NULL), FRESHET_OK);
    source.ask = give;
    source.ask_user = &times;
    cr_assert(fr_redis_login_source_is_used(&source));
    cr_assert_eq(ask(), 2);
}

/* contract 7.7 */
Test(redis_login_source, callback_may_have_none)
{
    int times = 1;
    cr_assert_eq(fr_redis_login_source_init(&source, "bob", "old"), FRESHET_OK);
    source.ask = give;
    source.ask_user = &times;
    password = freshet_span(NULL, 0);
    cr_assert_not(fr_redis_login_ask(&login, &source), "and the old one is not tried");
    cr_assert_null(login.password);
}

Test(redis_login_source, what_is_no_text_is_no_login)
{
    struct freshet_span none = freshet_span(NULL, 0), bad = freshet_span(NULL, 1);
    freshet_redis_login_set(NULL, none, none);
    freshet_redis_login_set(&login, none, freshet_span_text("word"));
    cr_assert(login.is_set);
    freshet_redis_login_set(&login, none, bad);
    cr_assert_not(login.is_set);
    freshet_redis_login_set(&login, bad, none);
    cr_assert_not(login.is_set);
}
