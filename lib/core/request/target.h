/* The raw target of a request, cut for the mount that it reached. */
#ifndef FR_TARGET_H
#define FR_TARGET_H

#include <freshet/span.h>
#include <freshet/status.h>

/* Views of the target, as the client sent it. */
struct fr_target {
    struct freshet_span path;  /* below the mount: empty, or begins with '/' */
    struct freshet_span query; /* behind the first '?' */
};

/* `mount` is the mount's raw path without a '/' at its end. A segment is what stands between two raw '/', and
 * is decoded once. FRESHET_NOT_FOUND: outside of the mount, or a '.' or '..' segment, raw or encoded.
 * FRESHET_INVALID: below the mount a bad '%', no UTF-8, or a control character, in any segment: this comes
 * before the dots. `*out` is set only with FRESHET_OK. Any thread. */
enum freshet_status fr_target_cut(struct freshet_span target, struct freshet_span mount,
                                  struct fr_target *out);

#endif
