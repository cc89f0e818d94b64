#include "http/internal.h"
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>
#include <strings.h>

/* What stands behind `Bearer`; empty: nothing. */
static h2o_iovec_t find_bearer(const h2o_req_t *req)
{
    static const char scheme[] = "bearer ";
    const size_t len = sizeof(scheme) - 1;
    ssize_t at = h2o_find_header(&req->headers, H2O_TOKEN_AUTHORIZATION, -1);
    if (at < 0)
        return h2o_iovec_init(NULL, 0);
    h2o_iovec_t value = req->headers.entries[at].value;
    if (value.len < len || strncasecmp(value.base, scheme, len) != 0)
        return h2o_iovec_init(NULL, 0);
    return h2o_iovec_init(value.base + len, value.len - len);
}

/* Hashes are compared, so that the time tells neither how much of a guess is right nor how long the token is.
 */
static bool is_token(h2o_iovec_t given, const char *token)
{
    unsigned char left[SHA256_DIGEST_LENGTH], right[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)given.base, given.len, left);
    SHA256((const unsigned char *)token, strlen(token), right);
    return CRYPTO_memcmp(left, right, sizeof(left)) == 0;
}

bool http_check_token(struct http_request *request, const char *token)
{
    h2o_iovec_t given = find_bearer(request->h2o);
    if (given.len > 0 && is_token(given, token))
        return true;
    http_add_header(request, "www-authenticate", "Bearer");
    http_answer_error(request, 401, given.len == 0 ? "must be Bearer and the token" : "is not the token",
                      "authorization");
    return false;
}
