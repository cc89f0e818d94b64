/* Signed URLs. The signatures are those of Python:
 *
 *     base64.urlsafe_b64encode(hmac.new(secret, text, "sha256").digest()).rstrip(b"=") */
#include "../../bridge/guard/base64.c"
#include "../../bridge/guard/signed.c"
#include <criterion/criterion.h>

#define NOW_MS INT64_C(1700000000000)
#define SECRET "0123456789abcdef0123456789abcdef"

static const char *const secrets[] = {"another-secret-that-is-long-enough", SECRET, NULL};
static int64_t until_ms;

static enum signed_result check(const char *path, const char *expires, const char *user,
                                const char *signature)
{
    struct signed_url url = {freshet_span_text(path), freshet_span_text(expires), freshet_span_text(user),
                             freshet_span_text(signature)};
    return signed_check(&url, secrets, NOW_MS, &until_ms);
}

#define GOOD    "seIn0B-DmEMf7UXrHuHrLRwvVtsE23lKUTi5hLWKMg4"
#define ANN     "iBmA_0JgbC6_pCmQwt2E7BPKhz-SgU9d1ehnLpl-YHY"
#define EXPIRED "h7Hqnp770xS60rBjs5Ry8_n5ZkjRXEGL4EXtXM87WxA"

/* contract 10.5: the path, the end and the user are signed */
Test(signed, what_was_signed_is_let_in)
{
    cr_assert_eq(check("order/7", "1700000060", "", GOOD), SIGNED_GOOD);
    cr_assert_eq(until_ms, INT64_C(1700000060000));
    cr_assert_eq(check("order/7", "1700000060", "ann", ANN), SIGNED_GOOD);
}

Test(signed, nothing_else_is)
{
    cr_assert_eq(check("order/8", "1700000060", "", GOOD), SIGNED_WRONG);
    cr_assert_eq(check("order/7", "1700000061", "", GOOD), SIGNED_WRONG);
    cr_assert_eq(check("order/7", "01700000060", "", GOOD), SIGNED_WRONG);
    cr_assert_eq(check("order/7", "1700000060", "ann", GOOD), SIGNED_WRONG);
    cr_assert_eq(check("order/7", "1700000060", "", ANN), SIGNED_WRONG);
    cr_assert_eq(check("order/7", "1700000060\nann", "", ANN), SIGNED_WRONG);
    cr_assert_eq(check("order/7", "", "", GOOD), SIGNED_WRONG);
    cr_assert_eq(check("order/7", "-1", "", GOOD), SIGNED_WRONG);
    cr_assert_eq(check("order/7", "9999999999999", "", GOOD), SIGNED_WRONG);
    cr_assert_eq(check("order/7", "1700000060", "", ""), SIGNED_WRONG);
    cr_assert_eq(check("order/7", "1700000060", "", GOOD "A"), SIGNED_WRONG);
}

Test(signed, each_character_of_a_signature_counts)
{
    char signature[] = GOOD;
    for (size_t i = 0; signature[i] != '\0'; i++) {
        char old = signature[i];
        for (int c = 1; c < 256; c++) {
            signature[i] = (char)c;
            enum signed_result result = check("order/7", "1700000060", "", signature);
            cr_assert_eq(result, (char)c == old ? SIGNED_GOOD : SIGNED_WRONG);
        }
        signature[i] = old;
    }
}

Test(signed, its_time_ends)
{
    cr_assert_eq(check("order/7", "1700000000", "", EXPIRED), SIGNED_EXPIRED);
    cr_assert_eq(check("order/8", "1700000000", "", EXPIRED), SIGNED_WRONG,
                 "nobody is told without a signature");
}
