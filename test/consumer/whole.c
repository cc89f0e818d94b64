/* Uses all three: a freshet on Redis, mounted on an h2o of its own, joined, drained and left. */
#include <errno.h>
#include <freshet/freshet.h>
#include <freshet/h2o.h>
#include <freshet/redis.h>
#include <h2o.h>
#include <stdio.h>

static bool done;

static void drained(struct freshet_h2o_worker *worker, void *user)
{
    (void)worker;
    (void)user;
    done = true;
}

static void load(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    (void)context;
    (void)user;
    freshet_load_answer(load, freshet_span_text("here"));
}

static int fail(const char *what, const struct freshet_error *error)
{
    fprintf(stderr, "%s: %s\n", what, error->text);
    return 1;
}

int main(void)
{
    struct freshet_error error = {""};
    struct freshet_redis_options redis = {.size = sizeof redis, .url = "redis://127.0.0.1:1"};
    struct freshet_options options = {.size = sizeof options};
    struct freshet_h2o_mount_options mount = {.size = sizeof mount};
    struct freshet *freshet = NULL;
    struct freshet_channel *channel = NULL;
    struct freshet_loader *loader = NULL;
    struct freshet_h2o_worker *worker = NULL;
    h2o_globalconf_t config;
    h2o_context_t context;

    if (freshet_redis_bus_new(&options.bus, &redis, &error) || freshet_new(&freshet, &options, &error) ||
        freshet_channel_new(&channel, "place", &error)) {
        return fail("freshet", &error);
    }
    struct freshet_loader_options place = {
        .size = sizeof place, .name = "place", .route = "place", .channel = channel, .load = load};
    if (freshet_loader_new(freshet, &place, &loader, &error)) {
        return fail("loader", &error);
    }
    h2o_config_init(&config);
    h2o_hostconf_t *host = h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    if (freshet_h2o_mount(freshet, h2o_config_register_path(host, "/live", 0), &mount, &error)) {
        return fail("mount", &error);
    }
    h2o_context_init(&context, h2o_evloop_create(), &config);
    if (freshet_h2o_worker_join(freshet, &context, &worker, &error)) {
        return fail("join", &error);
    }
    freshet_h2o_worker_drain(worker, 1000, 0, drained, NULL);
    while (!done && (h2o_evloop_run(context.loop, 100) == 0 || errno == EINTR)) {
    }
    freshet_h2o_worker_leave(worker);
    h2o_context_dispose(&context);
    h2o_config_dispose(&config);
    freshet_destroy(freshet, 1000);
    freshet_channel_destroy(channel);
    puts("whole");
    return done ? 0 : 1;
}
