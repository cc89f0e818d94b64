#include "guard/signed.h"
#include "guard/base64.h"
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

enum { HMAC_BYTES = 32, MAX_DIGITS = 12 };

static char *append(char *at, struct freshet_span span, char end)
{
    if (span.len > 0)
        memcpy(at, span.data, span.len);
    at[span.len] = end;
    return at + span.len + 1;
}

/* What is signed; NULL: no memory. */
static char *compose(const struct signed_url *url, size_t *len)
{
    char *text = malloc(url->path.len + url->expires.len + url->user.len + 3);
    if (text == NULL)
        return NULL;
    char *end = append(append(append(text, url->path, '\n'), url->expires, '\n'), url->user, '\0');
    *len = (size_t)(end - text) - 1;
    return text;
}

static bool is_signature(const unsigned char *signature, const char *text, size_t len, const char *secret)
{
    unsigned char right[EVP_MAX_MD_SIZE];
    unsigned right_len = 0;
    return HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)text, len, right,
                &right_len) != NULL &&
           CRYPTO_memcmp(signature, right, HMAC_BYTES) == 0;
}

static bool is_signed(const struct signed_url *url, const char *const *secrets)
{
    unsigned char signature[HMAC_BYTES + 3];
    size_t signature_len, len;
    bool good = false;
    if (url->signature.len != (HMAC_BYTES * 4 + 2) / 3 ||
        !base64_decode(url->signature, signature, &signature_len) || signature_len != HMAC_BYTES)
        return false;
    char *text = compose(url, &len);
    for (; text != NULL && !good && *secrets != NULL; secrets++)
        good = is_signature(signature, text, len, *secrets);
    free(text);
    return good;
}

/* Digits alone: there is one way to write a time. */
static bool read_expires(struct freshet_span text, int64_t *ms)
{
    int64_t seconds = 0;
    if (text.len == 0 || text.len > MAX_DIGITS)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        seconds = seconds * 10 + (text.data[i] - '0');
    }
    *ms = seconds * 1000;
    return true;
}

enum signed_result signed_check(const struct signed_url *url, const char *const *secrets, int64_t now_ms,
                                int64_t *until_ms)
{
    if (!read_expires(url->expires, until_ms) || !is_signed(url, secrets))
        return SIGNED_WRONG;
    return now_ms < *until_ms ? SIGNED_GOOD : SIGNED_EXPIRED;
}
