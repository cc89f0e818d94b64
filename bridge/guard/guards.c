#include "guard/guards.h"
#include "guard/ask_question.h"
#include "guard/internal.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_HEADERS = 16 };

/* Of one kind; the other is NULL. Signatures need nothing but the configuration. */
struct made {
    const struct config_guard *config;
    struct jwt_guard *jwt;
    struct ask_guard *ask;
};

struct guards {
    size_t count;
    const char *headers[MAX_HEADERS + 1];
    size_t header_count;
    struct made made[];
};

/* ---- what the kinds share ---- */

int64_t guard_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void guard_allow_until(struct freshet_check check, int64_t now_ms, int64_t until_ms)
{
    int64_t left_ms = until_ms - now_ms;
    if (left_ms < 1)
        left_ms = 1;
    freshet_check_allow_for(check, left_ms < FRESHET_NEVER ? (uint32_t)left_ms : FRESHET_NEVER);
}

struct freshet_span guard_path(const struct freshet_request *request)
{
    struct freshet_span path = freshet_request_path(request);
    return path.len > 0 && path.data[0] == '/' ? freshet_span(path.data + 1, path.len - 1) : path;
}

/* ---- headers ---- */

static bool add_header(struct guards *guards, const char *name)
{
    for (size_t i = 0; i < guards->header_count; i++) {
        if (strcmp(guards->headers[i], name) == 0)
            return true;
    }
    if (guards->header_count == MAX_HEADERS)
        return false;
    guards->headers[guards->header_count++] = name;
    return true;
}

static bool add_headers(struct guards *guards, const struct config_guard *config)
{
    bool good = true;
    if (config->kind == CONFIG_GUARD_JWT)
        good = add_header(guards, "authorization") &&
               (config->jwt.cookie == NULL || add_header(guards, "cookie"));
    for (const char **name = config->ask.forward; good && name != NULL && *name != NULL; name++)
        good = add_header(guards, *name);
    return good;
}

/* ---- life ---- */

static void make(struct guards *guards, struct made *made, const struct guards_options *options,
                 struct config *config)
{
    struct freshet_error error = {"no memory"};
    enum freshet_status status = FRESHET_OK;
    size_t mark = reading_enter(&config->reading, "guards", 0);
    reading_enter(&config->reading, made->config->name, 0);
    if (made->config->kind == CONFIG_GUARD_JWT)
        status = jwt_guard_new(&made->jwt, made->config, options, &error);
    else if (made->config->kind == CONFIG_GUARD_ASK)
        status = (made->ask = ask_guard_new(made->config, options)) == NULL ? FRESHET_NO_MEMORY : FRESHET_OK;
    if (status != FRESHET_OK)
        reading_complain(&config->reading, made->config->node, "%s", error.text);
    else if (!add_headers(guards, made->config))
        reading_complain(&config->reading, made->config->node,
                         "guards look at more than %d different headers in all", MAX_HEADERS);
    reading_leave(&config->reading, mark);
}

struct guards *guards_new(const struct guards_options *options, struct config *config)
{
    struct guards *guards = calloc(1, sizeof(*guards) + config->guards.count * sizeof(guards->made[0]));
    if (guards == NULL) {
        reading_complain(&config->reading, NULL, "no memory for the guards");
        return NULL;
    }
    for (; guards->count < config->guards.count; guards->count++) {
        guards->made[guards->count].config = &config->guards.items[guards->count];
        make(guards, &guards->made[guards->count], options, config);
    }
    return guards;
}

void guards_destroy(struct guards *guards)
{
    for (size_t i = 0; guards != NULL && i < guards->count; i++) {
        jwt_guard_destroy(guards->made[i].jwt);
        ask_guard_destroy(guards->made[i].ask);
    }
    free(guards);
}

size_t guards_count(const struct guards *guards)
{
    return guards->count;
}

struct freshet_guard guards_at(const struct guards *guards, size_t index, const char **name)
{
    const struct made *made = &guards->made[index];
    struct freshet_guard guard = {.timeout_ms = 0};
    *name = made->config->name;
    if (made->config->kind == CONFIG_GUARD_JWT) {
        guard.guard = jwt_guard_check;
        guard.user = made->jwt;
    } else if (made->config->kind == CONFIG_GUARD_ASK) {
        guard.guard = ask_guard_check;
        guard.user = made->ask;
        guard.timeout_ms = made->config->ask.timeout_ms == 0 ? 0 : made->config->ask.timeout_ms + 2000;
    } else {
        guard.guard = signed_guard_check;
        guard.user = (void *)made->config; /* which it only reads */
    }
    return guard;
}

const char *const *guards_headers(const struct guards *guards)
{
    return guards->headers;
}
