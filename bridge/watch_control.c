/* The buttons of the demo's page: orders to the script, which stops and starts things.
 *
 *   POST /state             {"redis": true, "instance": true, "url": …}: what takes connections now
 *   POST /redis/stop        202; also redis/start, instance/stop, instance/start (the second instance)
 *
 * Each takes {"token": …}. A page can only do this if its origin is one of the two instances, and it knows
 * the token, which the script prints and no instance is ever sent. */
#include "http.h"
#include "watch.h"
#include <errno.h>
#include <fcntl.h>
#include <freshet/freshet.h>
#include <freshet/h2o.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INSTANCES = 2, ORDERS = 4, MAX_ORIGIN_BYTES = 96 };

struct control;

/* A line for the script, the same as a key that a person presses there. */
struct order {
    struct control *control;
    const char *path, *line;
};

struct control {
    const struct watch_arguments *arguments;
    struct freshet *freshet;
    h2o_globalconf_t config;
    char origin_text[INSTANCES][MAX_ORIGIN_BYTES];
    const char *origins[INSTANCES + 1];
    char hosts[2][MAX_ORIGIN_BYTES]; /* that this is asked by */
    struct order orders[ORDERS];
    int orders_fd;
};

/* ---- who may ---- */

static bool has_host(const struct control *control, const h2o_req_t *req)
{
    h2o_iovec_t host = req->input.authority;
    for (int i = 0; i < 2; i++) {
        if (h2o_memis(host.base, host.len, control->hosts[i], strlen(control->hosts[i])))
            return true;
    }
    return false;
}

static bool has_origin(const struct control *control, const h2o_req_t *req)
{
    ssize_t at = h2o_find_header_by_str(&req->headers, H2O_STRLIT("origin"), -1);
    for (int i = 0; at >= 0 && i < INSTANCES; i++) {
        h2o_iovec_t origin = req->headers.entries[at].value;
        if (h2o_memis(origin.base, origin.len, control->origins[i], strlen(control->origins[i])))
            return true;
    }
    return false;
}

/* How long it takes does not depend on where the token differs. */
static bool is_token(const char *given, size_t len, const char *token)
{
    return len == strlen(token) && CRYPTO_memcmp(given, token, len) == 0;
}

/* False: the request is answered. */
static bool admit(const struct control *control, struct http_request *request)
{
    if (!has_host(control, request->h2o)) {
        http_answer_error(request, 403, "must be 127.0.0.1 or localhost with the port", "host");
        return false;
    }
    if (!has_origin(control, request->h2o)) {
        http_answer_error(request, 403, "must be one of the two instances", "origin");
        return false;
    }
    json_t *body = http_read_object(request);
    if (body == NULL)
        return false;
    const json_t *token = json_object_get(body, "token");
    bool known = json_is_string(token) &&
                 is_token(json_string_value(token), json_string_length(token), control->arguments->token);
    json_decref(body);
    if (!known)
        http_answer_error(request, 403, "is not the one that the demo printed", "token");
    return known;
}

/* ---- what is asked for ---- */

/* Loopback answers at once, whether somebody listens or not. */
static bool takes_connections(const struct watch_address *address)
{
    int fd = watch_connect(address);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static void post_state(struct http_request *request, void *user)
{
    const struct control *control = user;
    const struct watch_arguments *arguments = control->arguments;
    if (admit(control, request))
        http_answer_json(request, 200,
                         json_pack("{s:b, s:b, s:s}", "redis", takes_connections(&arguments->redis),
                                   "instance", takes_connections(&arguments->instances[1]), "url",
                                   control->origins[1]));
}

static void post_order(struct http_request *request, void *user)
{
    const struct order *order = user;
    size_t len = strlen(order->line);
    if (!admit(order->control, request))
        return;
    if (write(order->control->orders_fd, order->line, len) == (ssize_t)len)
        http_answer_json(request, 202, json_pack("{s:s}", "ordered", order->path));
    else
        http_answer_error(request, 503, "the demo's script does not take orders", NULL);
}

/* ---- life ---- */

static void name_hosts(struct control *control)
{
    const struct watch_arguments *arguments = control->arguments;
    for (int i = 0; i < INSTANCES; i++) {
        snprintf(control->origin_text[i], MAX_ORIGIN_BYTES, "http://%s:%s", arguments->instances[i].host,
                 arguments->instances[i].port);
        control->origins[i] = control->origin_text[i];
    }
    snprintf(control->hosts[0], MAX_ORIGIN_BYTES, "127.0.0.1:%s", arguments->control.port);
    snprintf(control->hosts[1], MAX_ORIGIN_BYTES, "localhost:%s", arguments->control.port);
}

static void configure(struct control *control)
{
    static const char *const orders[ORDERS][2] = {
        {"redis/stop", "k\n"}, {"redis/start", "s\n"}, {"instance/stop", "x\n"}, {"instance/start", "y\n"}};
    h2o_hostconf_t *host = freshet_h2o_config_init(&control->config);
    struct http_router *router = http_router_new(h2o_config_register_path(host, "/", 0), "demo");
    http_allow_origins(router, control->origins);
    http_route(router, "POST", "state", post_state, control);
    for (int i = 0; i < ORDERS; i++) {
        control->orders[i] = (struct order){.control = control, .path = orders[i][0], .line = orders[i][1]};
        http_route(router, "POST", orders[i][0], post_order, &control->orders[i]);
    }
}

static void *serve(void *user)
{
    struct control *control = user;
    struct freshet_error error = {""};
    const struct watch_address *address = &control->arguments->control;
    freshet_h2o_serve(control->freshet, &control->config, address->host, address->port, NULL, &error);
    fprintf(stderr, "freshet-watch: no buttons: %s\n", error.text);
    _exit(1);
}

bool watch_control_start(const struct watch_arguments *arguments)
{
    static struct control control;
    struct freshet_options options = {.size = sizeof(options), .pool_threads = 1};
    struct freshet_error error = {""};
    pthread_t thread;
    control.arguments = arguments;
    /* For reading, too: else opening waits for the reader, and its end would close the FIFO. */
    control.orders_fd = open(arguments->orders_path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (control.orders_fd < 0) {
        fprintf(stderr, "freshet-watch: ORDERS: %s\n", strerror(errno));
        return false;
    }
    name_hosts(&control);
    configure(&control);
    if (freshet_new(&control.freshet, &options, &error) == FRESHET_OK &&
        pthread_create(&thread, NULL, serve, &control) == 0)
        return true;
    fprintf(stderr, "freshet-watch: %s\n", error.text[0] == '\0' ? "no thread" : error.text);
    return false;
}
