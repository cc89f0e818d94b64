#ifndef FR_H2O_LATER_H
#define FR_H2O_LATER_H

#include <stddef.h>

/* Answers that are still to come on the calling thread's loop, also those to clients that have gone. */
size_t fr_h2o_later_pending(void);

#endif
