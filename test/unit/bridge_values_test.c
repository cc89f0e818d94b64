/* What makes streams share a load, and what that load may fill in. */
#include <freshet/loader.h>

/* A request with two attributes, and a load of a route with one parameter. */
static struct freshet_span user_value, tenant_value;

static enum freshet_status find_attribute(const struct freshet_request *request, const char *name,
                                          struct freshet_span *value)
{
    *value = strcmp(name, "user") == 0     ? user_value
             : strcmp(name, "tenant") == 0 ? tenant_value
                                           : freshet_span(NULL, 0);
    return request != NULL && value->data != NULL ? FRESHET_OK : FRESHET_NOT_FOUND;
}

static enum freshet_status find_param(const struct freshet_load_context *context, const char *name,
                                      size_t index, struct freshet_span *value)
{
    (void)context;
    *value = freshet_span_text("7");
    return strcmp(name, "id") == 0 && index == 0 ? FRESHET_OK : FRESHET_NOT_FOUND;
}

#define freshet_request_attribute find_attribute
#define freshet_load_param        find_param
#include "../../bridge/load/values.c"
#include <criterion/criterion.h>

static const char *const per[] = {"user", "tenant", NULL};
static struct freshet_identity identity;
static struct freshet_refusal refusal;

static enum freshet_status identify(const char *user, const char *tenant)
{
    static const char here;
    user_value = freshet_span_text(user);
    tenant_value = freshet_span_text(tenant);
    refusal = (struct freshet_refusal){0};
    return values_identify((const struct freshet_request *)(const void *)&here, per, &identity, &refusal);
}

static bool finds(const char *name, const char *wanted)
{
    struct freshet_load_context context = {.identity = freshet_span(identity.text, identity.len)};
    struct values values = {&context, per};
    struct freshet_span value;
    return values_find(&values, name, 0, &value) && freshet_span_equal(value, freshet_span_text(wanted));
}

/* contract 10.3 */
Test(bridge_values, load_for_many_knows_what_they_have_in_common)
{
    cr_assert_eq(identify("alice", "3:eu"), FRESHET_OK);
    cr_assert(finds("user", "alice"));
    cr_assert(finds("tenant", "3:eu"));
    cr_assert(finds("id", "7"));
    struct freshet_span value;
    struct values nothing = {&(struct freshet_load_context){.publishes = 0}, NULL};
    cr_assert_not(values_find(&nothing, "user", 0, &value));
    cr_assert_not(values_find(&nothing, "id", 1, &value));
}

Test(bridge_values, different_values_never_make_the_same_identity)
{
    static const char *const pairs[][2] = {
        {"a", "b"}, {"ab", "1:"}, {"a1:b", "c"}, {"a", "1:bc"}, {"a1:", "b1:c"}};
    struct freshet_identity made[5];
    for (size_t i = 0; i < 5; i++) {
        cr_assert_eq(identify(pairs[i][0], pairs[i][1]), FRESHET_OK);
        cr_assert(finds("user", pairs[i][0]) && finds("tenant", pairs[i][1]));
        made[i] = identity;
        for (size_t j = 0; j < i; j++)
            cr_assert(made[i].len != made[j].len || memcmp(made[i].text, made[j].text, made[i].len) != 0);
    }
}

Test(bridge_values, without_a_value_or_with_too_long_ones_there_is_no_identity)
{
    static char long_one[300];
    memset(long_one, 'x', sizeof(long_one) - 1);
    cr_assert_eq(identify("alice", NULL), FRESHET_REFUSED);
    cr_assert_str_eq(refusal.code, "no-identity");
    cr_assert_eq(refusal.status, 403);
    cr_assert_eq(identify("", "eu"), FRESHET_REFUSED);
    cr_assert_eq(identify("alice", long_one), FRESHET_REFUSED);
    cr_assert_str_eq(refusal.code, "bad-identity");
    long_one[246] = '\0'; /* "1:a" and "246:" and 246 bytes are 253 */
    cr_assert_eq(identify("a", long_one), FRESHET_OK);
    cr_assert(finds("tenant", long_one));
}
