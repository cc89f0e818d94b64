/* A freshet with one loader, mounted on /live, for tests of freshet_h2o_serve(). */
#ifndef SERVE_RIG_H
#define SERVE_RIG_H

#include <criterion/criterion.h>
#include <freshet/freshet.h>
#include <freshet/h2o.h>
#include <h2o.h>
#include <time.h>

static inline int64_t serve_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline void serve_load(struct freshet_load load, const struct freshet_load_context *context,
                              void *user)
{
    (void)context;
    (void)user;
    freshet_load_answer(load, freshet_span_text("it"));
}

/* A handler of the application's own. */
static inline int serve_answer(h2o_handler_t *self, h2o_req_t *req)
{
    (void)self;
    req->res.status = 200;
    req->res.content_length = strlen("answer");
    h2o_send_inline(req, H2O_STRLIT("answer"));
    return 0;
}

static inline h2o_hostconf_t *serve_set_up(struct freshet **freshet, h2o_globalconf_t *config)
{
    struct freshet_error error;
    struct freshet_channel *channel;
    cr_assert_eq(freshet_new(freshet, NULL, &error), FRESHET_OK, "%s", error.text);
    cr_assert_eq(freshet_channel_new(&channel, "it", &error), FRESHET_OK);
    struct freshet_loader_options options = {.size = sizeof(options),
                                             .name = "it",
                                             .route = "it",
                                             .channel = channel,
                                             .load = serve_load,
                                             .shared = true,
                                             .on_loop = true};
    cr_assert_eq(freshet_loader_new(*freshet, &options, NULL, &error), FRESHET_OK, "%s", error.text);
    freshet_channel_destroy(channel);
    h2o_hostconf_t *host = freshet_h2o_config_init(config);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/live", 0);
    cr_assert_eq(freshet_h2o_mount(*freshet, path, NULL, &error), FRESHET_OK, "%s", error.text);
    return host;
}

#endif
