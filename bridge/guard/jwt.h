/* Whether a JSON Web Token is right (RFC 7515, 7519): HS, RS, PS and ES with 256, 384 and 512, and EdDSA with
 * Ed25519. Pure: keys and the time come in.
 *
 * On OpenSSL and jansson, which the program has anyway. Debian 12's libjwt knows neither EdDSA nor key sets;
 * librhonabwy knows both, and brings GnuTLS and a second libcurl into the process. What is left to do here is
 * to take a token apart and to be strict. */
#ifndef BRIDGE_GUARD_JWT_H
#define BRIDGE_GUARD_JWT_H

#include "guard/jwk.h"
#include <jansson.h>
#include <stdint.h>

enum { JWT_MAX_BYTES = 8192 };

struct jwt_rules {
    const char *const *algorithms; /* the last NULL; NULL: all that a key is for */
    const char *const *audience;   /* one of them has to be in `aud`; NULL: `aud` must not be there */
    const char *issuer;            /* has to be `iss`; NULL: any */
    int64_t leeway_ms;             /* for `exp` and `nbf` */
};

enum jwt_result {
    JWT_GOOD = 0,
    JWT_MALFORMED,   /* no token, or one that asks for what is not known here, such as alg `none` */
    JWT_UNKNOWN_KEY, /* no key has signed it that is known by now */
    JWT_FORGED,      /* the key that it names has not signed it */
    JWT_EXPIRED,     /* its time is over, or it has no `exp` */
    JWT_EARLY,       /* its time has not begun */
    JWT_FOREIGN      /* it is for another audience or from another issuer */
};

/* What is wrong, for log lines. */
const char *jwt_result_text(enum jwt_result result);

/* With JWT_GOOD: *claims is a new reference, *until_ms the end of its time with the leeway. `now_ms` and this
 * are in milliseconds of Unix time. */
enum jwt_result jwt_verify(struct freshet_span token, const struct jwk_set *set,
                           const struct jwt_rules *rules, int64_t now_ms, json_t **claims, int64_t *until_ms);

#endif
