/* Event loops that are made and taken down as h2o 2.2.5 needs it.
 *
 * A handler may keep a timer on the first loop it meets for as long as the configuration lives: the socket
 * pool of a reverse proxy does, and h2o_evloop_destroy() asserts that nobody does. So a loop that is still in
 * use belongs to the configuration, and is used again when it is served again. */
#include "web/h2o/layout.h"
#include "web/h2o/serve.h"
#include <stdlib.h>

/* As a handler it is told when the configuration goes. */
struct keeper {
    h2o_handler_t super;
    H2O_VECTOR(h2o_loop_t *) loops;
};

/* Other handlers of the configuration may be disposed before or after this one. */
static void dispose(h2o_handler_t *handler)
{
    struct keeper *keeper = (struct keeper *)handler;
    for (size_t i = 0; i < keeper->loops.size; i++) {
        fr_h2o_layout_let_timers_go(keeper->loops.entries[i]);
        fr_h2o_layout_destroy_loop(keeper->loops.entries[i]);
    }
    free(keeper->loops.entries);
}

static int on_req(h2o_handler_t *self, h2o_req_t *req)
{
    (void)self;
    (void)req;
    return -1;
}

static struct keeper *find_keeper(h2o_globalconf_t *config)
{
    h2o_pathconf_t *path = &config->hosts[0]->fallback_path;
    for (size_t i = 0; i < path->handlers.size; i++)
        if (path->handlers.entries[i]->on_req == on_req)
            return (struct keeper *)path->handlers.entries[i];
    struct keeper *keeper = (struct keeper *)h2o_create_handler(path, sizeof(*keeper));
    keeper->super.on_req = on_req;
    keeper->super.dispose = dispose;
    return keeper;
}

h2o_loop_t *fr_h2o_loop_take(h2o_globalconf_t *config)
{
    struct keeper *keeper = find_keeper(config);
    return keeper->loops.size > 0 ? keeper->loops.entries[--keeper->loops.size] : h2o_evloop_create();
}

void fr_h2o_loop_give(h2o_globalconf_t *config, h2o_loop_t *loop)
{
    struct keeper *keeper = find_keeper(config);
    if (!fr_h2o_layout_has_timers(loop)) {
        fr_h2o_layout_destroy_loop(loop);
        return;
    }
    h2o_vector_reserve(NULL, &keeper->loops, keeper->loops.size + 1);
    keeper->loops.entries[keeper->loops.size++] = loop;
}
