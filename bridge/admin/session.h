/* Who is signed in at /admin: a cookie that the token has signed, since event streams can't bring the token.
 */
#ifndef BRIDGE_ADMIN_SESSION_H
#define BRIDGE_ADMIN_SESSION_H

#include <freshet/span.h>
#include <stdbool.h>
#include <stdint.h>

#define SESSION_COOKIE "freshet-admin"

enum { SESSION_S = 12 * 3600, SESSION_BYTES = 96 };

/* The cookie's value, for that long: when it ends, and a signature of that. */
bool session_write(char value[SESSION_BYTES], const char *token, int64_t now_s);
/* Whether a value is one of these, and not over; *until_s is its end. */
bool session_check(struct freshet_span value, const char *token, int64_t now_s, int64_t *until_s);

#endif
