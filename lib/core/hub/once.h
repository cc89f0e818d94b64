/* A view without a stream, for one answer: freshet_load_once(). On a worker's thread. */
#ifndef FR_ONCE_H
#define FR_ONCE_H

struct fr_view;

/* Of views with `is_once`, in place of the host. */
void fr_once_ready(struct fr_view *view);
void fr_once_lost(struct fr_view *view);

#endif
