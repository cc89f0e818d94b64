/* freshet-bridge: the life of the process. */
#include "app/activation.h"
#include "app/live.h"
#include "app/metrics.h"
#include "app/server.h"
#include "app/tls.h"
#include "command/command.h"
#include "common/app.h"
#include "example/board.h"
#include "example/counter.h"
#include "page/page.h"
#include "store/redis_link.h"
#include "store/store.h"
#include <errno.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { DRAIN_DEADLINE_MS = 5000, DESTROY_DEADLINE_MS = 1000 };

struct program {
    struct options options;
    struct app app;
    struct redis_link redis;
    struct server *server;
    struct counter *counter;
    struct board *board;
    struct page *page;
    struct live *live;
    struct ssl_ctx_st *tls;
    int signal_fd;
    uint16_t port;
};

static const char *environment(const char *name)
{
    return getenv(name);
}

/* Each stream is a descriptor. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Before any thread starts, so that all of them leave these signals to main(). */
static int catch_signals(bool reads_again)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    if (reads_again) /* else it ends the program, as when its terminal is closed */
        sigaddset(&set, SIGHUP);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    /* A shell's background jobs are born with SIGINT ignored, and what is ignored never arrives. */
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Where it listens; behind "all addresses", the machine's name, if it is one that a URL can have. */
static void find_host(char *host, size_t size, const char *listening)
{
    static const char bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    snprintf(host, size, "%s", listening);
    if (strcmp(listening, "0.0.0.0") != 0 && strcmp(listening, "::") != 0)
        return;
    if (gethostname(host, size) != 0 || host[0] == '\0' || host[strspn(host, bytes)] != '\0')
        snprintf(host, size, "this-machine");
}

/* What people call this instance, and the names that they may ask it by. */
static void name_instance(struct program *program)
{
    struct app *app = &program->app;
    size_t count = 0;
    find_host(app->host, sizeof(app->host), program->options.host);
    bool bracket = strchr(app->host, ':') != NULL;
    snprintf(app->instance, sizeof(app->instance), "%s%s%s:%u", bracket ? "[" : "", app->host,
             bracket ? "]" : "", (unsigned)program->port);
    app->names[count++] = app->host;
    for (size_t i = 0; program->options.names[i] != NULL; i++)
        app->names[count++] = program->options.names[i];
    app->names[count] = NULL;
}

static enum freshet_status make_freshet(struct program *program, struct freshet_error *error)
{
    const struct options *given = &program->options;
    struct freshet_options options = {.size = sizeof(options),
                                      .log = program->app.log,
                                      .max_streams = given->max_streams,
                                      .max_streams_per_peer = given->max_streams_per_client,
                                      .max_topics = given->max_topics,
                                      .max_new_topics_per_s = given->max_new_topics,
                                      .max_new_topics_per_s_per_peer = given->max_new_topics_per_client,
                                      .pool_threads = given->library.pool_threads,
                                      .max_message_bytes = (uint32_t)given->library.max_message_bytes,
                                      .max_snapshot_bytes = (uint32_t)given->library.max_snapshot_bytes,
                                      .poll_while_down_ms = given->library.poll_while_down_ms,
                                      .guard_interval_ms = given->library.guard_interval_ms,
                                      .linger_ms = given->library.linger_ms};
    if (given->redis != NULL) {
        struct freshet_redis_options redis = redis_link_options(&program->redis, given);
        struct freshet_error detail = {""};
        enum freshet_status status = freshet_redis_bus_new(&options.bus, &redis, &detail);
        if (status != FRESHET_OK) {
            snprintf(error->text, sizeof(error->text), "--redis: %.200s", detail.text);
            return status;
        }
    }
    return freshet_new(&program->app.freshet, &options, error);
}

static enum freshet_status make_server(struct program *program, struct freshet_error *error)
{
    int fd;
    enum freshet_status status = tls_new(&program->tls, &program->options, error);
    if (status == FRESHET_OK)
        status = activation_take(&program->options, &fd, error);
    if (status != FRESHET_OK)
        return status;
    program->port = program->options.port;
    if (fd < 0)
        fd = server_listen(&program->options, &program->port, error);
    if (fd < 0)
        return FRESHET_SYSTEM;
    name_instance(program);
    return server_new(&program->server, &program->app, fd, program->tls, DRAIN_DEADLINE_MS, error);
}

/* What there is to try, and to learn from. */
static enum freshet_status start_demo(struct program *program, struct freshet_error *error)
{
    struct app *app = &program->app;
    enum freshet_status status = counter_start(&program->counter, app, error);
    if (status == FRESHET_OK)
        status = board_start(&program->board, app, error);
    if (status == FRESHET_OK)
        status = page_start(&program->page, app, error);
    return status;
}

static enum freshet_status start_features(struct program *program, struct freshet_error *error)
{
    struct app *app = &program->app;
    enum freshet_status status = FRESHET_OK;
    if (app->config == NULL || app->config->demo)
        status = start_demo(program, error);
    if (status == FRESHET_OK && app->config != NULL)
        status = live_start(&program->live, app, error);
    if (status == FRESHET_OK)
        metrics_start(app);
    return status;
}

static enum freshet_status start(struct program *program, struct freshet_error *error)
{
    struct app *app = &program->app;
    enum freshet_status status = redis_link_init(&program->redis, &program->options, &app->log, error);
    if (status == FRESHET_OK)
        status = make_freshet(program, error);
    if (status == FRESHET_OK)
        status = store_new(&app->store, &program->options, &program->redis, app->freshet, error);
    if (status == FRESHET_OK)
        status = make_server(program, error);
    if (status == FRESHET_OK)
        status = start_features(program, error);
    if (status == FRESHET_OK)
        status = server_run(program->server, error);
    return status;
}

/* The loops have ended before: nothing asks the store or publishes any more. */
static void stop(struct program *program)
{
    server_destroy(program->server);
    live_end_requests(program->live);
    store_destroy(program->app.store);
    freshet_destroy(program->app.freshet, DESTROY_DEADLINE_MS);
    redis_link_deinit(&program->redis);
    live_stop(program->live);
    counter_stop(program->counter);
    board_stop(program->board);
    page_stop(program->page);
    config_release(program->app.config);
    SSL_CTX_free(program->tls);
    close(program->signal_fd);
}

static int take_signal(const struct program *program)
{
    struct signalfd_siginfo info;
    ssize_t len;
    do {
        len = read(program->signal_fd, &info, sizeof(info));
    } while (len < 0 && errno == EINTR);
    return len == sizeof(info) ? (int)info.ssi_signo : SIGTERM;
}

static void read_again(struct program *program)
{
    if (program->live != NULL && !atomic_load(&program->app.draining))
        live_reload(program->live, environment);
}

static bool is_readable(const struct pollfd *fd)
{
    return (fd->revents & POLLIN) != 0;
}

/* Until a signal asks for the end and all has ended, or until the server could not go on; a second such
 * signal ends the process at once. SIGUSR1 asks how it goes. */
static enum freshet_status serve(struct program *program, struct freshet_error *error)
{
    struct pollfd fds[] = {
        {.fd = program->signal_fd, .events = POLLIN},
        {.fd = server_ended_fd(program->server), .events = POLLIN},
    };
    while (!is_readable(&fds[1])) {
        if (poll(fds, 2, -1) <= 0 || !is_readable(&fds[0]))
            continue;
        int number = take_signal(program);
        if (number == SIGUSR1)
            freshet_dump(program->app.freshet, stderr, 0);
        if (number == SIGHUP)
            read_again(program);
        if (number == SIGUSR1 || number == SIGHUP)
            continue;
        if (atomic_exchange(&program->app.draining, true))
            _exit(128 + number);
        log_line(&program->app.log, FRESHET_LOG_INFO, "draining, %d ms at most", DRAIN_DEADLINE_MS);
        server_stop(program->server);
    }
    return server_join(program->server, error);
}

static int fail(enum freshet_status status, const struct freshet_error *error)
{
    /* What is wrong with the file has been told, with its lines. */
    if (status != FRESHET_INVALID || error->text[0] != '\0')
        fprintf(stderr, "freshet-bridge: %s\n",
                error->text[0] == '\0' ? freshet_status_text(status) : error->text);
    return status == FRESHET_INVALID ? 2 : 1;
}

/* The file first, then what overrides it. */
static enum options_result read_config(struct program *program, int argc, char **argv)
{
    struct options *options = &program->options;
    const char *file = options->config;
    options_set_defaults(options);
    program->app.config = config_new(file, options, environment, stderr);
    if (program->app.config == NULL)
        return OPTIONS_WRONG;
    return options_override(options, argc, argv, environment, stdout, stderr);
}

static int check_config(struct program *program)
{
    if (program->app.config == NULL) {
        fputs("freshet-bridge: --check-config needs --config FILE\n", stderr);
        return 2;
    }
    bool right = live_check(&program->options, program->app.config);
    if (right)
        printf("%s: right\n", program->options.config);
    config_release(program->app.config);
    return right ? 0 : 2;
}

int main(int argc, char **argv)
{
    struct program program = {.signal_fd = -1};
    struct freshet_error error = {""};
    int command = command_run(argc, argv, environment);
    if (command >= 0)
        return command;
    enum options_result read = options_read(&program.options, argc, argv, environment, stdout, stderr);
    if (read == OPTIONS_RUN && program.options.config != NULL)
        read = read_config(&program, argc, argv);
    if (read != OPTIONS_RUN)
        return read == OPTIONS_SHOWN ? 0 : 2;
    if (program.options.check_config)
        return check_config(&program);
    program.app.options = &program.options;
    log_news_init(&program.app.refused_publishes);
    program.app.log = log_to_stderr(program.options.log_level);
    raise_descriptor_limit();
    program.signal_fd = catch_signals(program.app.config != NULL);
    enum freshet_status status = start(&program, &error);
    if (status != FRESHET_OK)
        _exit(fail(status, &error)); /* threads run: leave without taking anything from under them */
    printf("listening on http%s://%s%s%s:%u\n", program.tls == NULL ? "" : "s",
           strchr(program.options.host, ':') ? "[" : "", program.options.host,
           strchr(program.options.host, ':') ? "]" : "", (unsigned)program.port);
    fflush(stdout);
    status = serve(&program, &error);
    if (status != FRESHET_OK)
        _exit(fail(status, &error));
    log_line(&program.app.log, FRESHET_LOG_INFO, "ended");
    stop(&program);
    return 0;
}
