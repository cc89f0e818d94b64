/* Where the application keeps its state: in Redis, over a data link that blocks nobody, or in this process.
 * Both understand the same few commands and answer in the same way, so features are written once. */
#ifndef BRIDGE_STORE_H
#define BRIDGE_STORE_H

#include "common/options.h"
#include "store/redis_link.h"
#include <freshet/instance.h>
#include <freshet/log.h>
#include <freshet/redis.h>
#include <freshet/status.h>
#include <stdbool.h>

struct store;

/* In Redis if the options have a URL, `store` before `redis`. `link`, whose log is used, and `freshet` must
 * outlive the store. FRESHET_INVALID, FRESHET_SYSTEM: the URL or its files, `error` says what, without
 * credentials; FRESHET_NO_MEMORY. */
enum freshet_status store_new(struct store **out, const struct options *options, struct redis_link *link,
                              struct freshet *freshet, struct freshet_error *error);

/* Answers what is still out with FRESHET_CLOSED. After the workers have left. NULL is fine. */
void store_destroy(struct store *store);

/* The link to Redis, for commands whose keys are somebody else's and have no prefix; NULL: in process. */
struct freshet_redis_data *store_link(struct store *store);

/* Runs a command that only reads, or whose change nobody sees; `words` ends with NULL, the second word is a
 * key and gets the prefix. Any thread, never blocks. `reply` runs exactly once, maybe within this call; else
 * on the loop of the worker that called, or, for other threads and after it has left, on the freshet's
 * callback thread. With a status other than FRESHET_OK, and no reply, when the command failed:
 * FRESHET_UNAVAILABLE and FRESHET_CLOSED mean that it may have run all the same. An error that Redis answers
 * is FRESHET_REFUSED, is logged when it is new, and changed nothing.
 *
 * In process: INCR, GET, HINCRBY, HSET, HGET, HGETALL. */
void store_command(struct store *store, freshet_redis_reply_cb reply, void *user, const char *const *words);

/* The same for a change that is shown: it is to be published when `reply` says that it was made or may have
 * been, and again if `settled` says `late`. `settled` runs exactly once behind `reply`, and is the last to
 * use `user`. */
void store_change(struct store *store, freshet_redis_reply_cb reply, freshet_redis_settled_cb settled,
                  void *user, const char *const *words);

/* Whether a change that ended so was made, or may have been: then it is to be published. */
bool store_may_have_changed(enum freshet_status status);

#define STORE_COMMAND(store, reply, user, ...)                                                               \
    store_command(store, reply, user, (const char *const[]){__VA_ARGS__, NULL})
#define STORE_CHANGE(store, reply, settled, user, ...)                                                       \
    store_change(store, reply, settled, user, (const char *const[]){__VA_ARGS__, NULL})

#endif
