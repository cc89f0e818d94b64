/* NULL where the functions of h2o.h need something. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <freshet/freshet.h>
#include <freshet/h2o.h>
#include <h2o.h>
#include <string.h>
#include <unistd.h>

TestSuite(h2o_null, .timeout = 60);

static struct freshet *freshet;
static h2o_globalconf_t config;
static h2o_pathconf_t *path;
static h2o_context_t context;
static struct freshet_error error;

static void set_up(void)
{
    cr_assert_eq(freshet_new(&freshet, NULL, &error), FRESHET_OK);
    path = h2o_config_register_path(freshet_h2o_config_init(&config), "/live", 0);
    h2o_context_init(&context, h2o_evloop_create(), &config);
}

static void tear_down(void)
{
    h2o_multithread_queue_t *queue = context.queue;
    h2o_context_dispose(&context);
    free(queue);
    h2o_evloop_run(context.loop, 0);
    h2o_evloop_destroy(context.loop);
    h2o_config_dispose(&config);
    freshet_destroy(freshet, 1000);
}

static void expect(enum freshet_status status, const char *text)
{
    cr_assert_eq(status, FRESHET_INVALID, "%s", text);
    cr_assert_not_null(strstr(error.text, text), "%s", error.text);
}

Test(h2o_null, is_refused_with_its_name_by_the_mount)
{
    const struct freshet_h2o_header header = {NULL, "1"};
    const struct freshet_guard guard = {.guard = NULL};
    set_up();
    expect(freshet_h2o_mount(NULL, path, NULL, &error), "`freshet` is NULL");
    expect(freshet_h2o_mount(freshet, NULL, NULL, &error), "`path` is NULL");
    struct freshet_h2o_mount_options mount = {.size = sizeof(mount), .header_count = 1};
    expect(freshet_h2o_mount(freshet, path, &mount, &error), "headers is NULL");
    mount.headers = &header;
    expect(freshet_h2o_mount(freshet, path, &mount, &error), "headers[0]");
    mount = (struct freshet_h2o_mount_options){.size = sizeof(mount), .use_count = 1};
    expect(freshet_h2o_mount(freshet, path, &mount, &error), "use");
    mount.use = &guard;
    expect(freshet_h2o_mount(freshet, path, &mount, &error), "use[0]");
    cr_assert_eq(path->handlers.size, 0);
    tear_down();
}

Test(h2o_null, is_refused_with_its_name_by_a_loop)
{
    struct freshet_h2o_worker *worker = (void *)&worker;
    struct freshet_h2o_listener *listener = (void *)&listener;
    int fd;
    set_up();
    expect(freshet_h2o_worker_join(NULL, &context, &worker, &error), "`freshet` is NULL");
    cr_assert_null(worker);
    expect(freshet_h2o_worker_join(freshet, NULL, &worker, &error), "`context` is NULL");
    expect(freshet_h2o_worker_join(freshet, &context, NULL, &error), "`out` is NULL");
    expect(freshet_h2o_bind(NULL, NULL, "0", &error), "`fd` is NULL");
    expect(freshet_h2o_bind(&fd, NULL, NULL, &error), "`port` is NULL");
    cr_assert_eq(freshet_h2o_bind(&fd, "127.0.0.1", "0", NULL), FRESHET_OK);
    expect(freshet_h2o_listen(&listener, NULL, fd, NULL, &error), "`context` is NULL");
    cr_assert_null(listener);
    cr_assert_eq(fcntl(fd, F_GETFD), -1, "taken over, also on failure");
    expect(freshet_h2o_listen(&listener, &context, -1, NULL, &error), "`fd` -1");
    expect(freshet_h2o_listen(NULL, &context, open("/dev/null", O_RDONLY), NULL, &error), "listens");
    tear_down();
}

Test(h2o_null, is_refused_with_its_name_by_the_server)
{
    h2o_globalconf_t empty;
    struct freshet_h2o_serve_options options = {.size = sizeof(options)};
    set_up();
    expect(freshet_h2o_serve(NULL, &config, NULL, "0", NULL, &error), "`freshet` is NULL");
    expect(freshet_h2o_serve(freshet, NULL, NULL, "0", NULL, &error), "`config` is NULL");
    expect(freshet_h2o_serve(freshet, &config, NULL, NULL, NULL, &error), "`port` is NULL");
    options.listen_fd = open("/dev/null", O_RDONLY);
    expect(freshet_h2o_serve(freshet, &config, NULL, NULL, &options, &error), "listens");
    cr_assert_eq(fcntl(options.listen_fd, F_GETFD), -1, "taken over, also on failure");
    options = (struct freshet_h2o_serve_options){.size = sizeof(options), .threads = 5000};
    expect(freshet_h2o_serve(freshet, &config, NULL, "0", &options, &error), "threads");
    h2o_config_init(&empty);
    expect(freshet_h2o_serve(freshet, &empty, NULL, "0", NULL, &error), "`config` has no host");
    h2o_config_dispose(&empty);
    tear_down();
}

Test(h2o_null, needs_no_error_to_be_refused)
{
    cr_assert_eq(freshet_h2o_mount(NULL, NULL, NULL, NULL), FRESHET_INVALID);
    cr_assert_eq(freshet_h2o_worker_join(NULL, NULL, NULL, NULL), FRESHET_INVALID);
    cr_assert_eq(freshet_h2o_bind(NULL, NULL, NULL, NULL), FRESHET_INVALID);
    cr_assert_eq(freshet_h2o_listen(NULL, NULL, -1, NULL, NULL), FRESHET_INVALID);
    cr_assert_eq(freshet_h2o_serve(NULL, NULL, NULL, NULL, NULL, NULL), FRESHET_INVALID);
}

Test(h2o_null, does_nothing_where_no_status_is_returned)
{
    cr_assert_null(freshet_h2o_config_init(NULL));
    freshet_h2o_harden(NULL);
    freshet_h2o_harden_paths(NULL);
    freshet_h2o_harden_tls(NULL);
    freshet_h2o_harden_socket(NULL);
    freshet_h2o_serve_script(NULL);
    freshet_h2o_listener_close(NULL);
    freshet_h2o_worker_drain(NULL, 0, 0, NULL, NULL);
    freshet_h2o_worker_leave(NULL);
    cr_assert_eq(freshet_h2o_worker_streams(NULL), 0);
}
