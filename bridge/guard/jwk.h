/* Keys that tokens are signed with: public ones (RSA, EC on P-256, P-384 and P-521, Ed25519) and shared
 * secrets. Each knows what it is for, so that no token can have a key taken for another kind: the bytes of a
 * public key are never a secret. */
#ifndef BRIDGE_GUARD_JWK_H
#define BRIDGE_GUARD_JWK_H

#include <freshet/span.h>
#include <freshet/status.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stddef.h>

enum jwk_kind { JWK_SECRET = 1, JWK_RSA, JWK_P256, JWK_P384, JWK_P521, JWK_ED25519 };

/* RFC 7518: at least as long as what HS256 gives out. */
enum { JWK_MIN_SECRET_BYTES = 32, JWK_MIN_RSA_BITS = 2048, JWK_MAX_KEYS = 64 };

struct jwk {
    enum jwk_kind kind;
    char *id;  /* its `kid`; NULL: it has none, and may have signed any token */
    char *alg; /* the only algorithm it is for; NULL: any of its kind */
    EVP_PKEY *key;
    unsigned char *secret; /* of JWK_SECRET */
    size_t secret_len;
};

/* Immutable once made, counted. */
struct jwk_set {
    atomic_uint references;
    size_t count;
    struct jwk keys[JWK_MAX_KEYS];
};

/* Reads a JWK set, one JWK, or public keys and certificates in PEM. Of a set, keys of kinds that are unknown
 * here, for encryption, or too weak are passed over. FRESHET_INVALID: nothing is left, or it is none of
 * these; `error` says what. FRESHET_NO_MEMORY. */
enum freshet_status jwk_set_read(struct jwk_set **out, struct freshet_span bytes,
                                 struct freshet_error *error);

/* Of shared secrets; the last NULL. FRESHET_INVALID: one is shorter than JWK_MIN_SECRET_BYTES. */
enum freshet_status jwk_set_of_secrets(struct jwk_set **out, const char *const *secrets,
                                       struct freshet_error *error);

struct jwk_set *jwk_set_acquire(struct jwk_set *set);
/* NULL is fine. Any thread. */
void jwk_set_release(struct jwk_set *set);

#endif
