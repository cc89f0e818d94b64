/* The one grammar of channel names and route patterns (freshet/channel.h states it): compile, fill in, match.
 */
#ifndef FR_PATTERN_H
#define FR_PATTERN_H

#include "base/refcount.h"
#include <freshet/channel.h>
#include <freshet/span.h>
#include <freshet/status.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct fr_pattern;

/* Statuses of freshet_channel_new(). Immutable; any thread. */
enum freshet_status fr_pattern_new(struct fr_pattern **out, const char *text, struct freshet_error *error);
void fr_pattern_destroy(struct fr_pattern *pattern);
const char *fr_pattern_text(const struct fr_pattern *pattern);
/* Whether it has a parameter of this name. */
bool fr_pattern_has(const struct fr_pattern *pattern, struct freshet_span name);

/* Statuses of freshet_channel_topic(). Two sets of parameters never give one topic: no encoded value has a
 * '/', none is empty, and since one segment at most has a suffix, wherever it stands, the number of segments
 * says how many values it has. (A parameter that may be absent counts as absent when its value is empty.)
 * Values
 * '.' and '..' stay as they are, as encodeURIComponent has it: nothing resolves the dots of a topic. A topic
 * that would be empty, because all segments of the name may be dropped, is refused. */
enum freshet_status fr_pattern_fill(const struct fr_pattern *pattern, const struct freshet_param *params,
                                    size_t param_count, struct freshet_topic *topic,
                                    struct freshet_error *error);

/* What a match found: one entry for each value, in the order of the pattern; a parameter that may be absent
 * and is has none. One allocation holds all; names and values are NUL-terminated too. Counted, immutable. */
struct fr_params {
    struct fr_refcount references;
    size_t count;
    struct freshet_param items[];
};
struct fr_params *fr_params_acquire(struct fr_params *params);
void fr_params_release(struct fr_params *params); /* NULL is fine */
/* The `index`-th value of `name`; false: none. */
bool fr_params_get(const struct fr_params *params, struct freshet_span name, size_t index,
                   struct freshet_span *value);

/* What callbacks ask for by name. FRESHET_OK: the value, empty for a parameter of the route that may
 * be absent and is. FRESHET_NOT_FOUND: no parameter of the route, or not so many values. */
enum freshet_status fr_param_find(const struct fr_params *params, const struct fr_pattern *route,
                                  const char *name, size_t index, struct freshet_span *value);

/* A path relative to the mount, raw, as the client sent it, up to '?'; one leading '/' is skipped. Split at
 * raw '/', each segment decoded once. FRESHET_OK with *params (one reference);
 * FRESHET_NOT_FOUND: it does not match, or has a '.', '..' or empty segment, raw or encoded; FRESHET_INVALID:
 * a bad '%', invalid UTF-8, or a control character in any segment, matching or not; FRESHET_NO_MEMORY. */
enum freshet_status fr_pattern_match(const struct fr_pattern *pattern, struct freshet_span raw_path,
                                     struct fr_params **params);

/* Which of two patterns that match one path is the better: segment by segment of the patterns a literal beats
 * a parameter beats the end of the pattern beats one with a suffix. Negative: a; positive: b; 0: neither, so
 * the two conflict if any path matches both. */
int fr_pattern_compare(const struct fr_pattern *a, const struct fr_pattern *b);
/* Whether some path matches both. Literals '.' and '..' count, though no path matches them. */
bool fr_pattern_overlap(const struct fr_pattern *a, const struct fr_pattern *b);
/* Whether both can yield one topic; `a@b` and `:id` cannot, since a value has its '@' encoded. */
bool fr_pattern_share_topic(const struct fr_pattern *a, const struct fr_pattern *b);

/* Whether every path of `route` gives a topic of `channel`. False: *culprit is the name of a parameter of
 * `channel` that some path does not give, or gives several values of where one is taken. */
bool fr_pattern_fills(const struct fr_pattern *route, const struct fr_pattern *channel,
                      struct freshet_span *culprit);

#endif
