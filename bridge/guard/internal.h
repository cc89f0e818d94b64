/* What the kinds of guards share: each is made of its part of the file. */
#ifndef BRIDGE_GUARD_INTERNAL_H
#define BRIDGE_GUARD_INTERNAL_H

#include "config/guard.h"
#include "guard/guards.h"
#include <freshet/freshet.h>
#include <stdint.h>

/* A guard that looks at tokens. FRESHET_INVALID, FRESHET_NO_MEMORY: `error` says what. */
struct jwt_guard;
enum freshet_status jwt_guard_new(struct jwt_guard **out, const struct config_guard *config,
                                  const struct guards_options *options, struct freshet_error *error);
void jwt_guard_destroy(struct jwt_guard *guard);
void jwt_guard_check(struct freshet_check check, const struct freshet_request *request, void *user);

/* A guard that looks at signatures of URLs; `user` is its struct config_guard. */
void signed_guard_check(struct freshet_check check, const struct freshet_request *request, void *user);

/* A guard that asks the application. NULL: no memory. */
struct ask_guard;
struct ask_guard *ask_guard_new(const struct config_guard *config, const struct guards_options *options);
void ask_guard_destroy(struct ask_guard *guard);
void ask_guard_check(struct freshet_check check, const struct freshet_request *request, void *user);

/* Milliseconds of Unix time: what `exp` and `expires` are in. */
int64_t guard_clock_ms(void);
/* Below the mount, as a route is written: without a slash before it. */
struct freshet_span guard_path(const struct freshet_request *request);
/* Allows until then. */
void guard_allow_until(struct freshet_check check, int64_t now_ms, int64_t until_ms);

#endif
