/* The rig with one worker, one loader, and a client whose first snapshot "one" has arrived. */
#ifndef SNAPSHOT_RIG_H
#define SNAPSHOT_RIG_H

#include "core_rig.h"

static struct client client;

static inline void show_snapshot(void)
{
    client_open(&client, 0, "board/b1");
    rig_acknowledge();
    rig_run();
    rig_answer("one");
    cr_assert_eq(client.snapshots, 1);
}

static inline void begin_with_snapshot(struct freshet_options options,
                                       const struct freshet_loader_options *loader)
{
    rig_begin(options, 1);
    rig_add_loader(loader);
    show_snapshot();
}

static inline void end_with_client(void)
{
    client_close(&client);
    rig_end();
}

#endif
