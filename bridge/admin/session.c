#include "admin/session.h"
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HMAC_BYTES = 32, MAX_DIGITS = 12 };

/* `end.signature` in hex. */
static bool write_value(char value[SESSION_BYTES], const char *token, int64_t until_s)
{
    unsigned char signature[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    int at = snprintf(value, SESSION_BYTES, "%lld.", (long long)until_s);
    if (HMAC(EVP_sha256(), token, (int)strlen(token), (const unsigned char *)value, (size_t)at, signature,
             &len) == NULL)
        return false;
    for (unsigned i = 0; i < HMAC_BYTES; i++)
        at += snprintf(value + at, SESSION_BYTES - (size_t)at, "%02x", signature[i]);
    return true;
}

bool session_write(char value[SESSION_BYTES], const char *token, int64_t now_s)
{
    return write_value(value, token, now_s + SESSION_S);
}

bool session_check(struct freshet_span value, const char *token, int64_t now_s, int64_t *until_s)
{
    char digits[MAX_DIGITS + 1] = "", right[SESSION_BYTES];
    size_t len = 0;
    while (len < value.len && len < MAX_DIGITS && value.data[len] >= '0' && value.data[len] <= '9') {
        digits[len] = value.data[len];
        len++;
    }
    *until_s = strtoll(digits, NULL, 10);
    return write_value(right, token, *until_s) && value.len == strlen(right) &&
           CRYPTO_memcmp(value.data, right, value.len) == 0 && now_s < *until_s;
}
