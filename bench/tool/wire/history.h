/* What streams in gzip or with differences were sent so far. Servers send thousands of streams the very same
 * bytes, and to unpack them for each stream would measure this tool. So streams that were sent the same share
 * a history: the first one to get more decodes it, and leaves a step from the history before to the one
 * after, with the bytes and the events in it. For the others the bytes are compared, all of them, and the
 * events repeated. A stream that is sent what nobody else was sent has a history of its own, decoded in
 * place. */
#ifndef BENCH_HISTORY_H
#define BENCH_HISTORY_H

#include "wire/sse.h"

struct history;
struct histories;

/* There is one for all streams of a process, until its end. Where memory ends the process does, and says so.
 */
struct histories *histories_new(const struct rule *rule, bool takes_differences);

/* The history of a stream that was sent nothing yet. */
struct history *history_begin(struct histories *histories, bool is_gzip);
/* NULL is left alone. */
void history_leave(struct histories *histories, struct history *history);

/* The stream at *place was sent this piece. False: it is no gzip, or no difference to the state that it
 * holds. */
bool history_take(struct histories *histories, struct history **place, const char *data, size_t len,
                  sse_event_fn *on_event, void *user);

/* The stream's answer is over: whether all of it was there. */
bool history_is_whole(const struct history *history);

#endif
