/* The rig, built although allocations fail: what fails is tried again at once, as if it had never been. */
#ifndef WRAPPED_RIG_H
#define WRAPPED_RIG_H

#include "core_rig.h"
#include "wrapped_memory.h"

static inline void rig_insist(struct freshet_options options)
{
    rig = (struct rig){.now_us = 1000000000};
    options.size = sizeof(options);
    do {
        rig.bus = count(__real_calloc(1, sizeof(*rig.bus)));
        rig.bus->base.ops = &rig_bus_ops;
        options.bus = &rig.bus->base; /* destroyed when it fails */
    } while (freshet_new(&rig.freshet, &options, NULL) != FRESHET_OK);
    fr_freshet_set_clock(rig.freshet, rig_now_us, NULL);
}

static inline void rig_insist_worker(void)
{
    static const struct fr_worker_host host = {
        .wake = rig_wake, .view_ready = rig_view_ready, .view_lost = rig_view_lost};
    while (fr_worker_new(&rig.workers[rig.worker_count], rig.freshet, &host) != FRESHET_OK)
        ;
    rig.worker_count++;
}

#endif
