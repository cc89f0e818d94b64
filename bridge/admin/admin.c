/* What those who operate the bridge look at:
 *
 *   GET  /admin                  the page
 *   POST /admin/session          with the token: a cookie for the streams
 *   GET  /live/admin/instances   stream: messages of every instance about itself, each two seconds
 *   GET  /live/admin/state       stream: this instance in full, each second while somebody looks
 *   POST /admin/publish          as /publish, with this token */
#include "admin/admin.h"
#include "admin/data.h"
#include "admin/report.h"
#include "admin/session.h"
#include "http/http.h"
#include "publish/msgpack.h"
#include "publish/publish.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TICK_MS = 1000 };

static const char policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                             "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct file {
    const char *path, *type, *bytes;
    size_t len;
};

struct admin {
    struct app *app;
    const char *token;
    struct file files[2];
    struct publish_door door;
    struct freshet_channel *instances;
    struct freshet_topic instances_topic, state_topic;
    pthread_t thread;
    bool runs; /* the thread is to be joined */
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool ending; /* under the lock, as the next one */
    char *state; /* what this instance said last; NULL: nothing yet */
};

static int64_t now_s(void)
{
    return (int64_t)time(NULL);
}

/* ---- who may look ---- */

static void check_session(struct freshet_check check, const struct freshet_request *request, void *user)
{
    const struct admin *admin = user;
    struct freshet_span value;
    int64_t until_s;
    if (freshet_request_cookie(request, SESSION_COOKIE, &value) == FRESHET_OK &&
        session_check(value, admin->token, now_s(), &until_s))
        freshet_check_allow_for(check, (uint32_t)(until_s - now_s()) * 1000);
    else
        freshet_check_deny(check, 401, "sign-in");
}

static void post_session(struct http_request *request, void *user)
{
    const struct admin *admin = user;
    char value[SESSION_BYTES], cookie[SESSION_BYTES + 128];
    if (!http_check_token(request, admin->token))
        return;
    if (!session_write(value, admin->token, now_s())) {
        http_answer_error(request, 500, "out of memory", NULL);
        return;
    }
    bool is_secure = admin->app->options->tls_certificate != NULL;
    snprintf(cookie, sizeof(cookie), "%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d%s", SESSION_COOKIE,
             value, SESSION_S, is_secure ? "; Secure" : "");
    http_add_header(request, "set-cookie", h2o_strdup(&request->h2o->pool, cookie, SIZE_MAX).base);
    http_answer_json(request, 200, json_pack("{s:s}", "instance", admin->app->instance));
}

/* ---- the page ---- */

static void get_page(struct http_request *request, void *user)
{
    (void)user;
    http_add_header(request, "content-security-policy", policy);
    http_add_header(request, "referrer-policy", "no-referrer");
    http_answer(request, 200, "text/html; charset=utf-8", freshet_span(admin_html, admin_html_len));
}

static void get_file(struct http_request *request, void *user)
{
    const struct file *file = user;
    http_answer(request, 200, file->type, freshet_span(file->bytes, file->len));
}

static void serve_page(struct admin *admin)
{
    struct http_router *router = admin->app->router;
    admin->files[0] = (struct file){"admin.css", "text/css; charset=utf-8", admin_css, admin_css_len};
    admin->files[1] = (struct file){"admin.js", "text/javascript; charset=utf-8", admin_js, admin_js_len};
    http_route(router, "GET", "admin", get_page, admin);
    for (size_t i = 0; i < sizeof(admin->files) / sizeof(admin->files[0]); i++)
        http_route(router, "GET", admin->files[i].path, get_file, &admin->files[i]);
    http_route(router, "POST", "admin/session", post_session, admin);
    publish_start(&admin->door, admin->app, "admin/publish", admin->token);
}

/* ---- the streams ---- */

static enum freshet_status choose_state(const struct freshet_request *request, struct freshet_topic *topic,
                                        struct freshet_refusal *refusal, void *user)
{
    const struct admin *admin = user;
    (void)request, (void)refusal;
    *topic = admin->state_topic;
    return FRESHET_OK;
}

static void load_state(struct freshet_load load, const struct freshet_load_context *context, void *user)
{
    struct admin *admin = user;
    (void)context;
    pthread_mutex_lock(&admin->lock);
    freshet_load_answer(load, freshet_span_text(admin->state == NULL ? "null" : admin->state));
    pthread_mutex_unlock(&admin->lock);
}

static enum freshet_status add_loaders(struct admin *admin, struct freshet_error *error)
{
    const struct freshet_guard use = {.guard = check_session, .user = admin};
    struct freshet_loader_options state = {.size = sizeof(state),
                                           .name = "admin.state",
                                           .route = "admin/state",
                                           .topic = choose_state,
                                           .load = load_state,
                                           .user = admin,
                                           .shared = true,
                                           .on_loop = true,
                                           .use = &use,
                                           .use_count = 1,
                                           .headers = (const char *const[]){"cookie", NULL}};
    struct freshet_loader_options instances = {.size = sizeof(instances),
                                               .name = "admin.instances",
                                               .route = "admin/instances",
                                               .channel = admin->instances,
                                               .messages = true,
                                               .user = admin,
                                               .use = &use,
                                               .use_count = 1,
                                               .headers = (const char *const[]){"cookie", NULL}};
    enum freshet_status status = freshet_loader_new(admin->app->freshet, &state, NULL, error);
    if (status == FRESHET_OK)
        status = freshet_loader_new(admin->app->freshet, &instances, NULL, error);
    return status;
}

/* This instance's own topic: nobody else has streams of it. */
static enum freshet_status name_topics(struct admin *admin, struct freshet_error *error)
{
    struct freshet_channel *own;
    struct freshet_param name = {"instance", freshet_span_text(admin->app->instance)};
    enum freshet_status status = freshet_channel_new(&admin->instances, "freshet-admin/instances", error);
    if (status == FRESHET_OK)
        status = freshet_channel_topic(admin->instances, NULL, 0, &admin->instances_topic, error);
    if (status == FRESHET_OK)
        status = freshet_channel_new(&own, "freshet-admin/state/:instance", error);
    if (status != FRESHET_OK)
        return status;
    status = freshet_channel_topic(own, &name, 1, &admin->state_topic, error);
    freshet_channel_destroy(own);
    return status;
}

/* ---- the thread that tells ---- */

static void tell_instances(struct admin *admin)
{
    struct msgpack message = {.bytes = NULL};
    json_t *summary = report_summary(admin->app);
    if (summary != NULL && msgpack_append(&message, summary, 1))
        app_check_publish(admin->app,
                          freshet_publish(admin->app->freshet, &admin->instances_topic,
                                          freshet_span(message.bytes, message.len), NULL, NULL),
                          &admin->instances_topic);
    json_decref(summary);
    free(message.bytes);
}

static void tell_state(struct admin *admin)
{
    json_t *all = report_all(admin->app);
    char *text = all == NULL ? NULL : json_dumps(all, JSON_COMPACT);
    json_decref(all);
    if (text == NULL)
        return;
    pthread_mutex_lock(&admin->lock);
    free(admin->state);
    admin->state = text;
    pthread_mutex_unlock(&admin->lock);
    app_check_publish(
        admin->app,
        freshet_publish(admin->app->freshet, &admin->state_topic, freshet_span(NULL, 0), NULL, NULL),
        &admin->state_topic);
}

/* False: it is over. */
static bool wait_for_tick(struct admin *admin)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += TICK_MS / 1000;
    pthread_mutex_lock(&admin->lock);
    int waited = 0;
    while (!admin->ending && waited == 0)
        waited = pthread_cond_timedwait(&admin->woken, &admin->lock, &until);
    bool goes_on = !admin->ending;
    pthread_mutex_unlock(&admin->lock);
    return goes_on;
}

static void *run(void *user)
{
    struct admin *admin = user;
    for (unsigned tick = 0; wait_for_tick(admin); tick++) {
        if (tick % 2 == 0)
            tell_instances(admin);
        if (freshet_topic_streams(admin->app->freshet, &admin->state_topic) > 0)
            tell_state(admin);
    }
    return NULL;
}

/* ---- life ---- */

static struct admin *new_admin(struct app *app, const char *token)
{
    struct admin *admin = calloc(1, sizeof(*admin));
    pthread_condattr_t attributes;
    if (admin == NULL)
        return NULL;
    admin->app = app;
    admin->token = token;
    pthread_mutex_init(&admin->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&admin->woken, &attributes);
    pthread_condattr_destroy(&attributes);
    return admin;
}

enum freshet_status admin_start(struct admin **out, struct app *app, const char *token,
                                struct freshet_error *error)
{
    *out = NULL;
    if (token == NULL)
        return FRESHET_OK;
    struct admin *admin = *out = new_admin(app, token);
    if (admin == NULL) {
        strcpy(error->text, "no memory for /admin");
        return FRESHET_NO_MEMORY;
    }
    enum freshet_status status = name_topics(admin, error);
    if (status == FRESHET_OK)
        status = add_loaders(admin, error);
    if (status != FRESHET_OK)
        return status;
    serve_page(admin);
    admin->runs = pthread_create(&admin->thread, NULL, run, admin) == 0;
    if (admin->runs)
        return FRESHET_OK;
    strcpy(error->text, "no thread for /admin");
    return FRESHET_SYSTEM;
}

void admin_end(struct admin *admin)
{
    if (admin == NULL || !admin->runs)
        return;
    pthread_mutex_lock(&admin->lock);
    admin->ending = true;
    pthread_cond_signal(&admin->woken);
    pthread_mutex_unlock(&admin->lock);
    pthread_join(admin->thread, NULL);
    admin->runs = false;
}

void admin_destroy(struct admin *admin)
{
    if (admin == NULL)
        return;
    freshet_channel_destroy(admin->instances);
    pthread_cond_destroy(&admin->woken);
    pthread_mutex_destroy(&admin->lock);
    free(admin->state);
    free(admin);
}
