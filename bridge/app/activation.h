/* A socket that listens already when the program starts: systemd makes it, and keeps it while the program is
 * started anew, so that no client is refused meanwhile. */
#ifndef BRIDGE_ACTIVATION_H
#define BRIDGE_ACTIVATION_H

#include "common/options.h"
#include <freshet/status.h>

/* Takes what the environment tells of (LISTEN_FDS and LISTEN_PID, see sd_listen_fds(3)) out of it. *fd is the
 * socket, and host and port of the options are where it listens; -1 if there is none. FRESHET_INVALID: it is
 * nothing to serve on; `error` says why. */
enum freshet_status activation_take(struct options *options, int *fd, struct freshet_error *error);

#endif
