#include "guard/jwk.h"
#include "guard/base64.h"
#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one key ---- */

static void deinit(struct jwk *jwk)
{
    if (jwk->secret != NULL)
        OPENSSL_cleanse(jwk->secret, jwk->secret_len);
    free(jwk->secret);
    EVP_PKEY_free(jwk->key);
    free(jwk->id);
    free(jwk->alg);
}

/* What a key of OpenSSL's is for; 0: nothing here. */
static enum jwk_kind kind_of(EVP_PKEY *key)
{
    char curve[32] = "";
    switch (EVP_PKEY_base_id(key)) {
    case EVP_PKEY_RSA:
        return EVP_PKEY_bits(key) >= JWK_MIN_RSA_BITS ? JWK_RSA : 0;
    case EVP_PKEY_ED25519:
        return JWK_ED25519;
    case EVP_PKEY_EC:
        EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof(curve), NULL);
        if (strcmp(curve, SN_X9_62_prime256v1) == 0)
            return JWK_P256;
        if (strcmp(curve, SN_secp384r1) == 0)
            return JWK_P384;
        return strcmp(curve, SN_secp521r1) == 0 ? JWK_P521 : 0;
    default:
        return 0;
    }
}

/* ---- JWK ---- */

/* A member in base64url. NULL: it is not there, or wrong. */
static unsigned char *member(const json_t *json, const char *name, size_t *len)
{
    const json_t *value = json_object_get(json, name);
    if (!json_is_string(value))
        return NULL;
    return base64_decode_new(freshet_span(json_string_value(value), json_string_length(value)), len);
}

static EVP_PKEY *make_key(const char *type, OSSL_PARAM_BLD *build)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (params == NULL || context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    return key;
}

static EVP_PKEY *read_rsa(const json_t *json)
{
    size_t n_len, e_len;
    unsigned char *n = member(json, "n", &n_len), *e = member(json, "e", &e_len);
    EVP_PKEY *key = NULL;
    if (n != NULL && e != NULL && n_len <= 2048 && e_len <= 8) {
        BIGNUM *modulus = BN_bin2bn(n, (int)n_len, NULL), *exponent = BN_bin2bn(e, (int)e_len, NULL);
        OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
        if (modulus != NULL && exponent != NULL && build != NULL &&
            OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
            OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
            key = make_key("RSA", build);
        OSSL_PARAM_BLD_free(build);
        BN_free(modulus);
        BN_free(exponent);
    }
    free(n);
    free(e);
    return key;
}

static const struct curve {
    const char *name, *group;
    size_t bytes;
} curves[] = {{"P-256", SN_X9_62_prime256v1, 32}, {"P-384", SN_secp384r1, 48}, {"P-521", SN_secp521r1, 66}};

/* The point has to be on its curve: OpenSSL looks. */
static EVP_PKEY *make_ec(const struct curve *curve, const unsigned char *x, const unsigned char *y)
{
    unsigned char point[1 + 2 * 66] = {POINT_CONVERSION_UNCOMPRESSED};
    EVP_PKEY *key = NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    memcpy(point + 1, x, curve->bytes);
    memcpy(point + 1 + curve->bytes, y, curve->bytes);
    if (build != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * curve->bytes) == 1)
        key = make_key("EC", build);
    OSSL_PARAM_BLD_free(build);
    return key;
}

static EVP_PKEY *read_ec(const json_t *json)
{
    const char *name = json_string_value(json_object_get(json, "crv"));
    size_t x_len, y_len;
    unsigned char *x = member(json, "x", &x_len), *y = member(json, "y", &y_len);
    EVP_PKEY *key = NULL;
    for (size_t i = 0; name != NULL && x != NULL && y != NULL && i < sizeof(curves) / sizeof(curves[0]);
         i++) {
        if (strcmp(curves[i].name, name) == 0 && x_len == curves[i].bytes && y_len == curves[i].bytes)
            key = make_ec(&curves[i], x, y);
    }
    free(x);
    free(y);
    return key;
}

static EVP_PKEY *read_okp(const json_t *json)
{
    const char *name = json_string_value(json_object_get(json, "crv"));
    size_t len;
    unsigned char *x = member(json, "x", &len);
    EVP_PKEY *key = NULL;
    if (name != NULL && x != NULL && strcmp(name, "Ed25519") == 0)
        key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, len);
    free(x);
    return key;
}

static bool read_secret(struct jwk *jwk, const json_t *json)
{
    jwk->secret = member(json, "k", &jwk->secret_len);
    jwk->kind = JWK_SECRET;
    return jwk->secret != NULL && jwk->secret_len >= JWK_MIN_SECRET_BYTES;
}

/* False: of no use here. What was filled in is to be released in any case. */
static bool read_jwk(struct jwk *jwk, const json_t *json)
{
    const char *type = json_string_value(json_object_get(json, "kty"));
    const char *use = json_string_value(json_object_get(json, "use"));
    const char *id = json_string_value(json_object_get(json, "kid"));
    const char *alg = json_string_value(json_object_get(json, "alg"));
    if (type == NULL || (use != NULL && strcmp(use, "sig") != 0))
        return false;
    jwk->id = id == NULL ? NULL : strdup(id);
    jwk->alg = alg == NULL ? NULL : strdup(alg);
    if ((id != NULL && jwk->id == NULL) || (alg != NULL && jwk->alg == NULL))
        return false;
    if (strcmp(type, "oct") == 0)
        return read_secret(jwk, json);
    if (strcmp(type, "RSA") == 0)
        jwk->key = read_rsa(json);
    else if (strcmp(type, "EC") == 0)
        jwk->key = read_ec(json);
    else if (strcmp(type, "OKP") == 0)
        jwk->key = read_okp(json);
    jwk->kind = jwk->key == NULL ? 0 : kind_of(jwk->key);
    return jwk->kind != 0;
}

static void read_one(struct jwk_set *set, const json_t *json)
{
    struct jwk *jwk = &set->keys[set->count];
    if (set->count == JWK_MAX_KEYS)
        return;
    if (read_jwk(jwk, json)) {
        set->count++;
        return;
    }
    deinit(jwk);
    memset(jwk, 0, sizeof(*jwk));
}

static void read_json(struct jwk_set *set, const json_t *json)
{
    const json_t *keys = json_object_get(json, "keys"), *one;
    size_t i;
    if (keys == NULL)
        read_one(set, json);
    json_array_foreach(keys, i, one)
    {
        read_one(set, one);
    }
}

/* ---- PEM ---- */

/* The next public key or the one of the next certificate; NULL: there is none. */
static EVP_PKEY *next_pem(BIO *bio)
{
    EVP_PKEY *key = NULL;
    char *name = NULL, *header = NULL;
    unsigned char *bytes = NULL;
    long len;
    while (key == NULL && PEM_read_bio(bio, &name, &header, &bytes, &len) == 1) {
        const unsigned char *at = bytes;
        if (strcmp(name, PEM_STRING_PUBLIC) == 0) {
            key = d2i_PUBKEY(NULL, &at, len);
        } else if (strcmp(name, PEM_STRING_X509) == 0) {
            X509 *certificate = d2i_X509(NULL, &at, len);
            key = certificate == NULL ? NULL : X509_get_pubkey(certificate);
            X509_free(certificate);
        }
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(bytes, (size_t)len);
    }
    return key;
}

static void read_pem(struct jwk_set *set, struct freshet_span bytes)
{
    BIO *bio = BIO_new_mem_buf(bytes.data, (int)bytes.len);
    EVP_PKEY *key;
    while (bio != NULL && set->count < JWK_MAX_KEYS && (key = next_pem(bio)) != NULL) {
        struct jwk *jwk = &set->keys[set->count];
        jwk->kind = kind_of(key);
        jwk->key = key;
        if (jwk->kind != 0) {
            set->count++;
            continue;
        }
        EVP_PKEY_free(key);
        jwk->key = NULL;
    }
    BIO_free(bio);
    ERR_clear_error();
}

/* ---- sets ---- */

static struct jwk_set *new_set(struct freshet_error *error)
{
    struct jwk_set *set = calloc(1, sizeof(*set));
    if (set == NULL)
        strcpy(error->text, "no memory for keys");
    else
        atomic_init(&set->references, 1);
    return set;
}

enum freshet_status jwk_set_read(struct jwk_set **out, struct freshet_span bytes, struct freshet_error *error)
{
    struct jwk_set *set = *out = new_set(error);
    if (set == NULL)
        return FRESHET_NO_MEMORY;
    json_t *json = bytes.len == 0 ? NULL : json_loadb(bytes.data, bytes.len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(json))
        read_json(set, json);
    else if (bytes.len > 0 && bytes.len < 1 << 20)
        read_pem(set, bytes);
    json_decref(json);
    ERR_clear_error();
    if (set->count > 0)
        return FRESHET_OK;
    snprintf(error->text, sizeof(error->text),
             "no key that can be used; right is a JWK set or public keys in PEM: RSA of %d bits and more, "
             "P-256, P-384, P-521, Ed25519",
             JWK_MIN_RSA_BITS);
    jwk_set_release(set);
    *out = NULL;
    return FRESHET_INVALID;
}

static enum freshet_status add_secret(struct jwk_set *set, const char *secret, struct freshet_error *error)
{
    struct jwk *jwk = &set->keys[set->count];
    size_t len = strlen(secret);
    if (len < JWK_MIN_SECRET_BYTES || set->count == JWK_MAX_KEYS) {
        snprintf(error->text, sizeof(error->text),
                 "a secret has to have %d bytes or more, so that it can't "
                 "be guessed",
                 JWK_MIN_SECRET_BYTES);
        return FRESHET_INVALID;
    }
    jwk->kind = JWK_SECRET;
    jwk->secret = malloc(len);
    if (jwk->secret == NULL)
        return FRESHET_NO_MEMORY;
    memcpy(jwk->secret, secret, len);
    jwk->secret_len = len;
    set->count++;
    return FRESHET_OK;
}

enum freshet_status jwk_set_of_secrets(struct jwk_set **out, const char *const *secrets,
                                       struct freshet_error *error)
{
    enum freshet_status status = FRESHET_OK;
    struct jwk_set *set = *out = new_set(error);
    if (set == NULL)
        return FRESHET_NO_MEMORY;
    for (; *secrets != NULL && status == FRESHET_OK; secrets++)
        status = add_secret(set, *secrets, error);
    if (status == FRESHET_OK)
        return FRESHET_OK;
    jwk_set_release(set);
    *out = NULL;
    return status;
}

struct jwk_set *jwk_set_acquire(struct jwk_set *set)
{
    atomic_fetch_add(&set->references, 1);
    return set;
}

void jwk_set_release(struct jwk_set *set)
{
    if (set == NULL || atomic_fetch_sub(&set->references, 1) != 1)
        return;
    for (size_t i = 0; i < set->count; i++)
        deinit(&set->keys[i]);
    free(set);
}
