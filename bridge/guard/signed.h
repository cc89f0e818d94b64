/* URLs that the application has signed, for pages without a session:
 *
 *     /live/order/7?expires=1767225600&user=ann&signature=…
 *
 * The signature is HMAC-SHA256 of what follows, in base64url without padding:
 *
 *     order/7\n1767225600\nann
 *
 * The path below the mount as it stands in the URL, percent-encoded as encodeURIComponent does it; the end in
 * seconds of Unix time; and `user`, decoded, which is empty where the URL has none. */
#ifndef BRIDGE_GUARD_SIGNED_H
#define BRIDGE_GUARD_SIGNED_H

#include <freshet/span.h>
#include <stdint.h>

enum signed_result { SIGNED_GOOD = 0, SIGNED_WRONG, SIGNED_EXPIRED };

struct signed_url {
    struct freshet_span path, expires, user, signature;
};

/* With any of the secrets, the last NULL. With SIGNED_GOOD *until_ms is the end, in milliseconds of Unix
 * time, as `now_ms` is. Whoever has no right signature is not told whether it is expired. */
enum signed_result signed_check(const struct signed_url *url, const char *const *secrets, int64_t now_ms,
                                int64_t *until_ms);

#endif
