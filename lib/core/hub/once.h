/* A view without a stream, for one answer: freshet_load_once(). On a worker's thread. */
#ifndef FR_ONCE_H
#define FR_ONCE_H

struct fr_view;

/* What the host is told of other views comes here for those with `is_once`. */
void fr_once_ready(struct fr_view *view);
void fr_once_lost(struct fr_view *view);

#endif
