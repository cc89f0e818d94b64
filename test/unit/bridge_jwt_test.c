/* Tokens, right and hostile ones: signed here with OpenSSL, as an issuer does it. */
#include "../../bridge/guard/base64.c"
#include "../../bridge/guard/jwk.c"
#include "../../bridge/guard/jwt.c"
#include <criterion/criterion.h>

#define NOW_S  INT64_C(1700000000)
#define NOW_MS (NOW_S * 1000)
#define SECRET "0123456789abcdef0123456789abcdef"
#define CLAIMS "{\"sub\":\"ann\",\"exp\":1700000060}"

static struct jwk_set *set;
static json_t *claims;
static int64_t until_ms;
static const struct jwt_rules no_rules;

static void teardown(void)
{
    jwk_set_release(set);
    json_decref(claims);
}
TestSuite(jwt, .fini = teardown);

/* ---- an issuer ---- */

static char *encode(const void *bytes, size_t len)
{
    char *text = malloc(len * 2 + 8);
    int size = EVP_EncodeBlock((unsigned char *)text, bytes, (int)len);
    while (size > 0 && text[size - 1] == '=')
        text[--size] = '\0';
    for (char *at = text; *at != '\0'; at++)
        *at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
    return text;
}

static char *join(const char *a, const char *b)
{
    char *text = malloc(strlen(a) + strlen(b) + 2);
    sprintf(text, "%s.%s", a, b);
    return text;
}

static char *input_of(const char *header, const char *payload)
{
    char *first = encode(header, strlen(header)), *second = encode(payload, strlen(payload));
    char *input = join(first, second);
    free(first);
    free(second);
    return input;
}

/* Takes the input over. */
static char *with_signature(char *input, const void *signature, size_t len)
{
    char *text = encode(signature, len), *token = join(input, text);
    free(input);
    free(text);
    return token;
}

static char *sign_secret(const char *header, const char *payload, const void *secret, size_t secret_len,
                         const EVP_MD *digest)
{
    unsigned char signature[EVP_MAX_MD_SIZE];
    unsigned len;
    char *input = input_of(header, payload);
    HMAC(digest, secret, (int)secret_len, (const unsigned char *)input, strlen(input), signature, &len);
    return with_signature(input, signature, len);
}

/* r and s side by side, as tokens have them. */
static size_t raw_ecdsa(unsigned char *signature, size_t len, int bytes)
{
    const unsigned char *at = signature;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)len);
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, bytes);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + bytes, bytes);
    ECDSA_SIG_free(pair);
    return (size_t)bytes * 2;
}

static char *sign(const char *header, const char *payload, EVP_PKEY *key, const EVP_MD *digest, bool pss)
{
    unsigned char signature[1024];
    size_t len = sizeof(signature);
    EVP_PKEY_CTX *context;
    EVP_MD_CTX *sign_context = EVP_MD_CTX_new();
    char *input = input_of(header, payload);
    cr_assert_eq(EVP_DigestSignInit(sign_context, &context, digest, NULL, key), 1);
    if (pss) {
        EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST);
    }
    cr_assert_eq(EVP_DigestSign(sign_context, signature, &len, (const unsigned char *)input, strlen(input)),
                 1);
    EVP_MD_CTX_free(sign_context);
    if (EVP_PKEY_base_id(key) == EVP_PKEY_EC)
        len = raw_ecdsa(signature, len, (EVP_PKEY_bits(key) + 7) / 8);
    return with_signature(input, signature, len);
}

/* As PEM, of malloc(). */
static char *pem_of(EVP_PKEY *key)
{
    char *bytes;
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, key);
    long len = BIO_get_mem_data(bio, &bytes);
    char *text = strndup(bytes, (size_t)len);
    BIO_free(bio);
    return text;
}

static char *number_of(EVP_PKEY *key, const char *name)
{
    unsigned char bytes[1024];
    BIGNUM *number = NULL;
    cr_assert_eq(EVP_PKEY_get_bn_param(key, name, &number), 1);
    int len = BN_bn2bin(number, bytes);
    if (strcmp(name, OSSL_PKEY_PARAM_RSA_N) != 0 && strcmp(name, OSSL_PKEY_PARAM_RSA_E) != 0) {
        len = (EVP_PKEY_bits(key) + 7) / 8;
        BN_bn2binpad(number, bytes, len);
    }
    BN_free(number);
    return encode(bytes, (size_t)len);
}

/* `more` begins with a comma, or is empty. */
static char *rsa_jwk(EVP_PKEY *key, const char *more)
{
    char *text = malloc(4096), *n = number_of(key, OSSL_PKEY_PARAM_RSA_N),
         *e = number_of(key, OSSL_PKEY_PARAM_RSA_E);
    sprintf(text, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}", n, e, more);
    free(n);
    free(e);
    return text;
}

static char *ec_jwk(EVP_PKEY *key, const char *curve, const char *more)
{
    char *text = malloc(4096), *x = number_of(key, OSSL_PKEY_PARAM_EC_PUB_X),
         *y = number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y);
    sprintf(text, "{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"%s}", curve, x, y, more);
    free(x);
    free(y);
    return text;
}

static char *ed_jwk(EVP_PKEY *key)
{
    unsigned char bytes[32];
    size_t len = sizeof(bytes);
    EVP_PKEY_get_raw_public_key(key, bytes, &len);
    char *x = encode(bytes, len), *text = malloc(256);
    sprintf(text, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"}", x);
    free(x);
    return text;
}

/* ---- what is tried ---- */

/* Takes the text over. */
static enum freshet_status use_keys(char *text)
{
    struct freshet_error error = {""};
    jwk_set_release(set);
    enum freshet_status status = jwk_set_read(&set, freshet_span_text(text), &error);
    cr_assert_eq(status == FRESHET_OK, error.text[0] == '\0');
    free(text);
    return status;
}

static void use_secret(void)
{
    struct freshet_error error;
    cr_assert_eq(jwk_set_of_secrets(&set, (const char *const[]){SECRET, NULL}, &error), FRESHET_OK);
}

static enum jwt_result verify_span(struct freshet_span token, const struct jwt_rules *rules)
{
    json_decref(claims);
    return jwt_verify(token, set, rules, NOW_MS, &claims, &until_ms);
}

/* Takes the token over. */
static enum jwt_result verify(char *token)
{
    enum jwt_result result = verify_span(freshet_span_text(token), &no_rules);
    free(token);
    return result;
}

static enum jwt_result verify_claims(const char *payload, const struct jwt_rules *rules)
{
    char *token = sign_secret("{\"alg\":\"HS256\"}", payload, SECRET, 32, EVP_sha256());
    enum jwt_result result = verify_span(freshet_span_text(token), rules);
    free(token);
    return result;
}

static void assert_good(char *token)
{
    cr_assert_eq(verify(token), JWT_GOOD);
    cr_assert_str_eq(json_string_value(json_object_get(claims, "sub")), "ann");
    cr_assert_eq(until_ms, INT64_C(1700000060000));
}

/* contract 10.5: HS, RS, PS, ES and EdDSA, with keys as JWK and in PEM */
Test(jwt, each_algorithm_is_understood)
{
    static const struct {
        const char *name;
        const EVP_MD *(*digest)(void);
        bool pss;
    } rsa[] = {{"RS256", EVP_sha256, false}, {"RS384", EVP_sha384, false}, {"RS512", EVP_sha512, false},
               {"PS256", EVP_sha256, true},  {"PS384", EVP_sha384, true},  {"PS512", EVP_sha512, true}};
    static const struct {
        const char *name, *curve;
        const EVP_MD *(*digest)(void);
    } ec[] = {{"ES256", "P-256", EVP_sha256}, {"ES384", "P-384", EVP_sha384}, {"ES512", "P-521", EVP_sha512}};
    char header[64];
    EVP_PKEY *key = EVP_RSA_gen(2048);
    for (size_t i = 0; i < 6; i++) {
        sprintf(header, "{\"alg\":\"%s\"}", rsa[i].name);
        cr_assert_eq(use_keys(rsa_jwk(key, "")), FRESHET_OK);
        assert_good(sign(header, CLAIMS, key, rsa[i].digest(), rsa[i].pss));
        cr_assert_eq(use_keys(pem_of(key)), FRESHET_OK);
        assert_good(sign(header, CLAIMS, key, rsa[i].digest(), rsa[i].pss));
    }
    EVP_PKEY_free(key);
    for (size_t i = 0; i < 3; i++) {
        key = EVP_EC_gen(ec[i].curve);
        sprintf(header, "{\"alg\":\"%s\"}", ec[i].name);
        cr_assert_eq(use_keys(ec_jwk(key, ec[i].curve, "")), FRESHET_OK);
        assert_good(sign(header, CLAIMS, key, ec[i].digest(), false));
        cr_assert_eq(use_keys(pem_of(key)), FRESHET_OK);
        assert_good(sign(header, CLAIMS, key, ec[i].digest(), false));
        EVP_PKEY_free(key);
    }
    key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    cr_assert_eq(use_keys(ed_jwk(key)), FRESHET_OK);
    assert_good(sign("{\"alg\":\"EdDSA\"}", CLAIMS, key, NULL, false));
    cr_assert_eq(use_keys(pem_of(key)), FRESHET_OK);
    assert_good(sign("{\"alg\":\"EdDSA\"}", CLAIMS, key, NULL, false));
    EVP_PKEY_free(key);
}

Test(jwt, secrets_sign_with_each_digest)
{
    use_secret();
    assert_good(sign_secret("{\"alg\":\"HS256\"}", CLAIMS, SECRET, 32, EVP_sha256()));
    assert_good(sign_secret("{\"alg\":\"HS384\"}", CLAIMS, SECRET, 32, EVP_sha384()));
    assert_good(sign_secret("{\"alg\":\"HS512\"}", CLAIMS, SECRET, 32, EVP_sha512()));
}

/* contract 10.5: no way to say that there is no signature */
Test(jwt, none_is_no_algorithm)
{
    static const char *const headers[] = {"{\"alg\":\"none\"}",
                                          "{\"alg\":\"None\"}",
                                          "{\"alg\":\"NONE\"}",
                                          "{\"alg\":\"\"}",
                                          "{\"alg\":null}",
                                          "{\"alg\":[\"none\"]}",
                                          "{}",
                                          "{\"typ\":\"JWT\"}"};
    use_secret();
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        cr_assert_eq(verify(with_signature(input_of(headers[i], CLAIMS), "", 0)), JWT_MALFORMED);
        cr_assert_eq(verify(sign_secret(headers[i], CLAIMS, SECRET, 32, EVP_sha256())), JWT_MALFORMED);
    }
    cr_assert_neq(verify(with_signature(input_of("{\"alg\":\"HS256\"}", CLAIMS), "", 0)), JWT_GOOD);
}

/* contract 10.5: what is public is never a secret, in any of the forms that an attacker knows it in */
Test(jwt, a_public_key_is_no_secret)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    char *pem = pem_of(key), *jwk = rsa_jwk(key, "");
    cr_assert_eq(use_keys(strdup(pem)), FRESHET_OK);
    cr_assert_eq(verify(sign_secret("{\"alg\":\"HS256\"}", CLAIMS, pem, strlen(pem), EVP_sha256())),
                 JWT_UNKNOWN_KEY);
    cr_assert_eq(use_keys(strdup(jwk)), FRESHET_OK);
    cr_assert_eq(verify(sign_secret("{\"alg\":\"HS256\"}", CLAIMS, jwk, strlen(jwk), EVP_sha256())),
                 JWT_UNKNOWN_KEY);
    cr_assert_eq(verify(sign_secret("{\"alg\":\"RS256\"}", CLAIMS, jwk, strlen(jwk), EVP_sha256())),
                 JWT_UNKNOWN_KEY);
    free(pem);
    free(jwk);
    EVP_PKEY_free(key);
}

/* contract 10.5: the key says what it is for, the configuration what is let in */
Test(jwt, an_algorithm_that_is_not_the_keys_or_not_listed_is_refused)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    const struct jwt_rules only_es = {.algorithms = (const char *const[]){"ES256", NULL}};
    char *token = sign("{\"alg\":\"RS512\"}", CLAIMS, key, EVP_sha512(), false);
    cr_assert_eq(use_keys(rsa_jwk(key, ",\"alg\":\"RS256\"")), FRESHET_OK);
    cr_assert_eq(verify_span(freshet_span_text(token), &no_rules), JWT_UNKNOWN_KEY);
    cr_assert_eq(verify_span(freshet_span_text(token), &only_es), JWT_MALFORMED);
    free(token);
    assert_good(sign("{\"alg\":\"RS256\"}", CLAIMS, key, EVP_sha256(), false));
    EVP_PKEY_free(key);
}

/* contract 10.5: a key in the token's own header is the attacker's */
Test(jwt, keys_that_the_token_brings_are_not_used)
{
    EVP_PKEY *own = EVP_RSA_gen(2048), *theirs = EVP_RSA_gen(2048);
    char *jwk = rsa_jwk(theirs, ""), *header = malloc(4096);
    sprintf(header, "{\"alg\":\"RS256\",\"jwk\":%s,\"jku\":\"http://evil.example/\"}", jwk);
    cr_assert_eq(use_keys(rsa_jwk(own, "")), FRESHET_OK);
    cr_assert_eq(verify(sign(header, CLAIMS, theirs, EVP_sha256(), false)), JWT_UNKNOWN_KEY);
    free(jwk);
    free(header);
    EVP_PKEY_free(own);
    EVP_PKEY_free(theirs);
}

Test(jwt, the_key_that_is_named_has_to_have_signed)
{
    EVP_PKEY *a = EVP_RSA_gen(2048), *b = EVP_RSA_gen(2048);
    char *first = rsa_jwk(a, ",\"kid\":\"a\""), *second = rsa_jwk(b, ",\"kid\":\"b\",\"use\":\"sig\""),
         *all = malloc(8192);
    sprintf(all, "{\"keys\":[%s,%s,{\"kty\":\"new\"},7]}", first, second);
    cr_assert_eq(use_keys(all), FRESHET_OK);
    cr_assert_eq(set->count, 2, "what is not known is passed over");
    assert_good(sign("{\"alg\":\"RS256\",\"kid\":\"b\"}", CLAIMS, b, EVP_sha256(), false));
    assert_good(sign("{\"alg\":\"RS256\"}", CLAIMS, b, EVP_sha256(), false));
    cr_assert_eq(verify(sign("{\"alg\":\"RS256\",\"kid\":\"a\"}", CLAIMS, b, EVP_sha256(), false)),
                 JWT_FORGED);
    cr_assert_eq(verify(sign("{\"alg\":\"RS256\",\"kid\":\"c\"}", CLAIMS, b, EVP_sha256(), false)),
                 JWT_UNKNOWN_KEY);
    cr_assert_eq(verify(sign("{\"alg\":\"RS256\",\"kid\":7}", CLAIMS, b, EVP_sha256(), false)),
                 JWT_MALFORMED);
    free(first);
    free(second);
    EVP_PKEY_free(a);
    EVP_PKEY_free(b);
}

/* contract 10.5: times, with the leeway */
Test(jwt, a_token_is_good_between_nbf_and_exp)
{
    const struct jwt_rules lenient = {.leeway_ms = 5000};
    use_secret();
    cr_assert_eq(verify_claims("{\"exp\":1700000000}", &no_rules), JWT_EXPIRED);
    cr_assert_eq(verify_claims("{\"exp\":1700000000.001}", &no_rules), JWT_GOOD);
    cr_assert_eq(until_ms, NOW_MS + 1);
    cr_assert_eq(verify_claims("{\"exp\":1699999996}", &lenient), JWT_GOOD);
    cr_assert_eq(until_ms, NOW_MS + 1000);
    cr_assert_eq(verify_claims("{\"exp\":1699999995}", &lenient), JWT_EXPIRED);
    cr_assert_eq(verify_claims("{\"exp\":1700000060,\"nbf\":1700000001}", &no_rules), JWT_EARLY);
    cr_assert_eq(verify_claims("{\"exp\":1700000060,\"nbf\":1700000000}", &no_rules), JWT_GOOD);
    cr_assert_eq(verify_claims("{\"exp\":1700000060,\"nbf\":1700000005}", &lenient), JWT_GOOD);
    cr_assert_eq(verify_claims("{\"exp\":1700000060,\"nbf\":1700000006}", &lenient), JWT_EARLY);
}

Test(jwt, times_that_are_none_are_refused)
{
    static const char *const payloads[] = {"{}", "{\"exp\":\"1700000060\"}", "{\"exp\":null}",
                                           "{\"exp\":-1e300}", "{\"exp\":true}"};
    use_secret();
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
        cr_assert_eq(verify_claims(payloads[i], &no_rules), JWT_EXPIRED, "%s", payloads[i]);
    cr_assert_eq(verify_claims("{\"exp\":1700000060,\"nbf\":\"0\"}", &no_rules), JWT_MALFORMED);
    cr_assert_eq(verify_claims("{\"exp\":1e300}", &no_rules), JWT_GOOD);
}

/* contract 10.5: a token for somebody else is none */
Test(jwt, audience_and_issuer_have_to_be_ours)
{
    const struct jwt_rules ours = {.audience = (const char *const[]){"live", "old", NULL},
                                   .issuer = "https://id/"};
#define MORE "\"exp\":1700000060}"
    use_secret();
    cr_assert_eq(verify_claims("{\"aud\":\"live\",\"iss\":\"https://id/\"," MORE, &ours), JWT_GOOD);
    cr_assert_eq(verify_claims("{\"aud\":[\"x\",\"old\"],\"iss\":\"https://id/\"," MORE, &ours), JWT_GOOD);
    cr_assert_eq(verify_claims("{\"aud\":\"liv\",\"iss\":\"https://id/\"," MORE, &ours), JWT_FOREIGN);
    cr_assert_eq(verify_claims("{\"aud\":[],\"iss\":\"https://id/\"," MORE, &ours), JWT_FOREIGN);
    cr_assert_eq(verify_claims("{\"iss\":\"https://id/\"," MORE, &ours), JWT_FOREIGN);
    cr_assert_eq(verify_claims("{\"aud\":\"live\",\"iss\":\"https://id\"," MORE, &ours), JWT_FOREIGN);
    cr_assert_eq(verify_claims("{\"aud\":\"live\",\"iss\":[\"https://id/\"]," MORE, &ours), JWT_FOREIGN);
    cr_assert_eq(verify_claims("{\"aud\":\"live\"," MORE, &ours), JWT_FOREIGN);
    cr_assert_eq(verify_claims("{\"aud\":\"live\"," MORE, &no_rules), JWT_FOREIGN);
}

Test(jwt, what_is_no_token_is_refused)
{
    static const char *const tokens[] = {"",
                                         ".",
                                         "..",
                                         "...",
                                         "a",
                                         "a.b",
                                         "a.b.c",
                                         "a.b.c.d",
                                         "=.=.=",
                                         "e30.e30.e30",
                                         "eyJhbGciOiJIUzI1NiJ9..",
                                         "\xff.\xff.\xff"};
    use_secret();
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
        cr_assert_eq(verify_span(freshet_span_text(tokens[i]), &no_rules) == JWT_GOOD, false, "%s",
                     tokens[i]);
    cr_assert_eq(verify_span(freshet_span(NULL, 0), &no_rules), JWT_MALFORMED);
    cr_assert_eq(verify_claims("[]", &no_rules), JWT_MALFORMED);
    cr_assert_eq(verify_claims("{\"exp\":1,\"exp\":1700000060}", &no_rules), JWT_MALFORMED);
    cr_assert_eq(
        verify(sign_secret("{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", CLAIMS, SECRET, 32, EVP_sha256())),
        JWT_MALFORMED);
}

/* contract 10.5: each bit of a token counts, and there is one way to write it */
Test(jwt, no_changed_token_is_good)
{
    use_secret();
    char *token = sign_secret("{\"alg\":\"HS256\"}", CLAIMS, SECRET, 32, EVP_sha256());
    size_t len = strlen(token);
    for (size_t i = 0; i < len; i++) {
        char old = token[i];
        for (unsigned bit = 0; bit < 8; bit++) {
            token[i] = (char)(old ^ (1 << bit));
            cr_assert_neq(verify_span(freshet_span(token, len), &no_rules), JWT_GOOD, "%zu, %u", i, bit);
        }
        token[i] = old;
        cr_assert_neq(verify_span(freshet_span(token, i), &no_rules), JWT_GOOD);
    }
    cr_assert_eq(verify_span(freshet_span(token, len), &no_rules), JWT_GOOD);
    free(token);
}

Test(jwt, weak_and_broken_keys_are_refused)
{
    static const char *const texts[] = {
        "", "{", "[]", "{\"keys\":[]}", "{\"keys\":7}", "{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}",
        "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"}",
        /* not on the curve */
        ("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\","
         "\"y\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\"}"),
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"};
    struct freshet_error error;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        cr_assert_eq(use_keys(strdup(texts[i])), FRESHET_INVALID, "%s", texts[i]);
    EVP_PKEY *weak = EVP_RSA_gen(1024);
    cr_assert_eq(use_keys(rsa_jwk(weak, "")), FRESHET_INVALID);
    cr_assert_eq(use_keys(pem_of(weak)), FRESHET_INVALID);
    EVP_PKEY_free(weak);
    EVP_PKEY *strong = EVP_RSA_gen(2048);
    cr_assert_eq(use_keys(rsa_jwk(strong, ",\"use\":\"enc\"")), FRESHET_INVALID);
    EVP_PKEY_free(strong);
    cr_assert_eq(jwk_set_of_secrets(&set, (const char *const[]){"short", NULL}, &error), FRESHET_INVALID);
    cr_assert_not_null(strstr(error.text, "32"));
}
