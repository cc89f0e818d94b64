/* Who a connection says that it is: a user and a password that stay, or a callback that is asked each time.
 */
#ifndef FR_REDIS_LOGIN_H
#define FR_REDIS_LOGIN_H

#include <freshet/redis.h>
#include <freshet/span.h>
#include <stdbool.h>
#include <stddef.h>

/* Where user and password are to be had; all zero: nobody logs in. */
struct fr_redis_login_source {
    char *user; /* NULL: Redis's default; also of a callback that names none */
    char *password;
    freshet_redis_login_cb ask; /* before `password` */
    void *ask_user;
};

/* What the program answered to one question for a login, with what is secret in it. A zeroed one is empty. */
struct freshet_redis_login {
    char *user, *password; /* with a 0 behind them */
    size_t user_len, password_len;
    bool is_set;
};

/* Copies both; NULL is none. FRESHET_NO_MEMORY: deinit cleans up. */
enum freshet_status fr_redis_login_source_init(struct fr_redis_login_source *source, const char *user,
                                               const char *password);
void fr_redis_login_source_deinit(struct fr_redis_login_source *source);
/* Whether there is a login at all. */
bool fr_redis_login_source_is_used(const struct fr_redis_login_source *source);

/* False: the program has none at the moment, or there is no memory for it. */
bool fr_redis_login_ask(struct freshet_redis_login *login, const struct fr_redis_login_source *source);
/* AUTH with its arguments, which point into the login: how many there are, at most 3. */
size_t fr_redis_login_command(const struct freshet_redis_login *login, struct freshet_span *arguments);
/* Overwrites it. */
void fr_redis_login_forget(struct freshet_redis_login *login);

#endif
