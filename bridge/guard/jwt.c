#include "guard/jwt.h"
#include "guard/base64.h"
#include <math.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

/* What a token may say it is signed with, and the kind of key that goes with it. There is no `none`. */
static const struct algorithm {
    const char *name;
    enum jwk_kind kind;
    const EVP_MD *(*digest)(void); /* NULL: the key's own */
    bool pss;
} algorithms[] = {
    {"HS256", JWK_SECRET, EVP_sha256, false}, {"HS384", JWK_SECRET, EVP_sha384, false},
    {"HS512", JWK_SECRET, EVP_sha512, false}, {"RS256", JWK_RSA, EVP_sha256, false},
    {"RS384", JWK_RSA, EVP_sha384, false},    {"RS512", JWK_RSA, EVP_sha512, false},
    {"PS256", JWK_RSA, EVP_sha256, true},     {"PS384", JWK_RSA, EVP_sha384, true},
    {"PS512", JWK_RSA, EVP_sha512, true},     {"ES256", JWK_P256, EVP_sha256, false},
    {"ES384", JWK_P384, EVP_sha384, false},   {"ES512", JWK_P521, EVP_sha512, false},
    {"EdDSA", JWK_ED25519, NULL, false},
};

/* A token, taken apart. */
struct parts {
    struct freshet_span header, payload, signature; /* as they are written */
    struct freshet_span input;                      /* what is signed */
};

const char *jwt_result_text(enum jwt_result result)
{
    static const char *const texts[] = {"good",
                                        "not a token that is understood",
                                        "signed with an unknown key",
                                        "a wrong signature",
                                        "expired, or without exp",
                                        "not yet valid",
                                        "for another audience or from another issuer"};
    return texts[result];
}

/* ---- signatures ---- */

static bool check_secret(const struct algorithm *algorithm, const struct jwk *jwk, struct freshet_span input,
                         const unsigned char *signature, size_t len)
{
    unsigned char right[EVP_MAX_MD_SIZE];
    unsigned right_len = 0;
    return HMAC(algorithm->digest(), jwk->secret, (int)jwk->secret_len, (const unsigned char *)input.data,
                input.len, right, &right_len) != NULL &&
           len == right_len && CRYPTO_memcmp(signature, right, len) == 0;
}

/* Two numbers side by side become what OpenSSL reads. NULL: not of the curve's size, or no memory. */
static unsigned char *encode_ecdsa(const struct jwk *jwk, const unsigned char *signature, size_t *len)
{
    size_t half = ((size_t)EVP_PKEY_bits(jwk->key) + 7) / 8;
    unsigned char *out = NULL;
    if (*len != 2 * half)
        return NULL;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, (int)half, NULL), *s = BN_bin2bn(signature + half, (int)half, NULL);
    if (pair != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = s = NULL;
        int size = i2d_ECDSA_SIG(pair, &out);
        *len = size < 0 ? 0 : (size_t)size;
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return out;
}

static bool check_public(const struct algorithm *algorithm, const struct jwk *jwk, struct freshet_span input,
                         const unsigned char *signature, size_t len)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key = NULL;
    bool good = context != NULL &&
                EVP_DigestVerifyInit(context, &key, algorithm->digest == NULL ? NULL : algorithm->digest(),
                                     NULL, jwk->key) == 1;
    if (good && algorithm->pss)
        good = EVP_PKEY_CTX_set_rsa_padding(key, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(key, RSA_PSS_SALTLEN_DIGEST) == 1;
    good =
        good && EVP_DigestVerify(context, signature, len, (const unsigned char *)input.data, input.len) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return good;
}

static bool has_signed(const struct algorithm *algorithm, const struct jwk *jwk, struct freshet_span input,
                       const unsigned char *signature, size_t len)
{
    if (jwk->kind == JWK_SECRET)
        return check_secret(algorithm, jwk, input, signature, len);
    if (jwk->kind != JWK_P256 && jwk->kind != JWK_P384 && jwk->kind != JWK_P521)
        return check_public(algorithm, jwk, input, signature, len);
    unsigned char *encoded = encode_ecdsa(jwk, signature, &len);
    bool good = encoded != NULL && check_public(algorithm, jwk, input, encoded, len);
    OPENSSL_free(encoded);
    return good;
}

static bool is_for(const struct jwk *jwk, const struct algorithm *algorithm)
{
    return jwk->kind == algorithm->kind && (jwk->alg == NULL || strcmp(jwk->alg, algorithm->name) == 0);
}

/* By the key that the token names, or one that has no name. A key that is named and is for another algorithm
 * has not signed it. */
static enum jwt_result check_signature(const struct algorithm *algorithm, const struct jwk_set *set,
                                       const char *id, const struct parts *parts)
{
    size_t len;
    unsigned char *signature = base64_decode_new(parts->signature, &len);
    enum jwt_result result = signature == NULL ? JWT_MALFORMED : JWT_UNKNOWN_KEY;
    for (size_t i = 0; signature != NULL && i < set->count && result != JWT_GOOD; i++) {
        const struct jwk *jwk = &set->keys[i];
        bool is_named = id != NULL && jwk->id != NULL;
        if (is_named && strcmp(jwk->id, id) != 0)
            continue;
        if (is_for(jwk, algorithm) && has_signed(algorithm, jwk, parts->input, signature, len))
            result = JWT_GOOD;
        else if (is_named)
            result = JWT_FORGED;
    }
    free(signature);
    return result;
}

/* ---- taking apart ---- */

static bool split(struct freshet_span token, struct parts *parts)
{
    const char *end = token.data + token.len;
    const char *first = token.len == 0 ? NULL : memchr(token.data, '.', token.len);
    const char *second = first == NULL ? NULL : memchr(first + 1, '.', (size_t)(end - first - 1));
    if (second == NULL || token.len > JWT_MAX_BYTES)
        return false;
    parts->header = freshet_span(token.data, (size_t)(first - token.data));
    parts->payload = freshet_span(first + 1, (size_t)(second - first - 1));
    parts->signature = freshet_span(second + 1, (size_t)(end - second - 1));
    parts->input = freshet_span(token.data, (size_t)(second - token.data));
    return true;
}

/* A JSON object in base64url; NULL: it is none. */
static json_t *read_object(struct freshet_span text)
{
    size_t len;
    unsigned char *bytes = base64_decode_new(text, &len);
    json_t *json = bytes == NULL ? NULL : json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, NULL);
    free(bytes);
    if (json_is_object(json))
        return json;
    json_decref(json);
    return NULL;
}

static bool is_listed(const char *const *list, const char *text)
{
    for (; *list != NULL; list++) {
        if (strcmp(*list, text) == 0)
            return true;
    }
    return false;
}

static const struct algorithm *find_algorithm(const json_t *header, const struct jwt_rules *rules)
{
    const char *name = json_string_value(json_object_get(header, "alg"));
    if (name == NULL || (rules->algorithms != NULL && !is_listed(rules->algorithms, name)))
        return NULL;
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        if (strcmp(algorithms[i].name, name) == 0)
            return &algorithms[i];
    }
    return NULL;
}

/* Nothing else of the header is believed: where keys are is never the token's to say. What it calls critical
 * is not known here, and so it is refused, as RFC 7515 has it. */
static enum jwt_result check_header(const struct parts *parts, const struct jwk_set *set,
                                    const struct jwt_rules *rules)
{
    json_t *header = read_object(parts->header);
    const json_t *id = json_object_get(header, "kid");
    enum jwt_result result = JWT_MALFORMED;
    const struct algorithm *algorithm = header == NULL ? NULL : find_algorithm(header, rules);
    if (algorithm != NULL && json_object_get(header, "crit") == NULL && (id == NULL || json_is_string(id)))
        result = check_signature(algorithm, set, json_string_value(id), parts);
    json_decref(header);
    return result;
}

/* ---- claims ---- */

/* Seconds of Unix time, as milliseconds. Beyond what times are written in: the end of all times. */
static bool read_time(const json_t *claims, const char *name, int64_t *ms)
{
    const json_t *value = json_object_get(claims, name);
    double seconds = json_number_value(value);
    if (!json_is_number(value) || isnan(seconds))
        return false;
    *ms = seconds > 1e14 ? INT64_MAX / 2 : seconds < -1e14 ? INT64_MIN / 2 : (int64_t)(seconds * 1000);
    return true;
}

static bool has_audience(const json_t *aud, const char *const *audience)
{
    size_t i;
    const json_t *one;
    if (audience == NULL)
        return aud == NULL;
    if (json_is_string(aud))
        return is_listed(audience, json_string_value(aud));
    json_array_foreach(aud, i, one)
    {
        if (json_is_string(one) && is_listed(audience, json_string_value(one)))
            return true;
    }
    return false;
}

static enum jwt_result check_claims(const json_t *claims, const struct jwt_rules *rules, int64_t now_ms,
                                    int64_t *until_ms)
{
    const char *issuer = json_string_value(json_object_get(claims, "iss"));
    int64_t expires_ms, begins_ms = INT64_MIN / 2;
    if (!has_audience(json_object_get(claims, "aud"), rules->audience) ||
        (rules->issuer != NULL && (issuer == NULL || strcmp(issuer, rules->issuer) != 0)))
        return JWT_FOREIGN;
    if (!read_time(claims, "exp", &expires_ms) || now_ms >= expires_ms + rules->leeway_ms)
        return JWT_EXPIRED;
    if (json_object_get(claims, "nbf") != NULL && !read_time(claims, "nbf", &begins_ms))
        return JWT_MALFORMED;
    if (now_ms < begins_ms - rules->leeway_ms)
        return JWT_EARLY;
    *until_ms = expires_ms + rules->leeway_ms;
    return JWT_GOOD;
}

enum jwt_result jwt_verify(struct freshet_span token, const struct jwk_set *set,
                           const struct jwt_rules *rules, int64_t now_ms, json_t **claims, int64_t *until_ms)
{
    struct parts parts;
    *claims = NULL;
    if (!split(token, &parts))
        return JWT_MALFORMED;
    enum jwt_result result = check_header(&parts, set, rules);
    if (result != JWT_GOOD)
        return result;
    json_t *payload = read_object(parts.payload);
    result = payload == NULL ? JWT_MALFORMED : check_claims(payload, rules, now_ms, until_ms);
    if (result == JWT_GOOD)
        *claims = payload;
    else
        json_decref(payload);
    return result;
}
