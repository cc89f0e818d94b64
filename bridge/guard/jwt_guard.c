/* jwt: a stream needs a token, and ends when the token does. */
#include "guard/internal.h"
#include "guard/jwt.h"
#include "guard/key_source.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct jwt_guard {
    const struct config_guard *config;
    struct jwt_rules rules;
    struct key_source *keys;
    const struct freshet_log *log;
    struct log_news refusals;
};

/* A check that waits for keys. */
struct waiting_check {
    struct key_wait wait;
    struct jwt_guard *guard;
    struct freshet_check check;
    const struct freshet_request *request;
};

/* ---- finding the token ---- */

static bool find_bearer(const struct freshet_request *request, struct freshet_span *token)
{
    static const char scheme[] = "bearer ";
    const size_t len = sizeof(scheme) - 1;
    struct freshet_span value;
    if (freshet_request_header(request, "authorization", &value) != FRESHET_OK || value.len < len ||
        strncasecmp(value.data, scheme, len) != 0)
        return false;
    for (value = freshet_span(value.data + len, value.len - len); value.len > 0 && value.data[0] == ' ';)
        value = freshet_span(value.data + 1, value.len - 1);
    *token = value;
    return true;
}

static bool find_token(const struct jwt_guard *guard, const struct freshet_request *request,
                       struct freshet_span *token)
{
    const struct config_jwt *jwt = &guard->config->jwt;
    return find_bearer(request, token) ||
           (jwt->cookie != NULL && freshet_request_cookie(request, jwt->cookie, token) == FRESHET_OK) ||
           (jwt->query != NULL && freshet_request_query(request, jwt->query, 0, token) == FRESHET_OK);
}

/* ---- what the claims say ---- */

/* Of malloc(): a text as it is, anything else as JSON. NULL: there is no such claim, or no memory. */
static char *claim_text(const json_t *claims, const char *name)
{
    const json_t *value = json_object_get(claims, name);
    if (value == NULL || json_is_null(value))
        return NULL;
    if (json_is_string(value))
        return strdup(json_string_value(value));
    return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
}

/* Whether a claim is this text, or a list that has it. */
static bool allows(const json_t *claim, struct freshet_span text)
{
    size_t i;
    const json_t *one;
    json_array_foreach(claim, i, one)
    {
        if (allows(one, text))
            return true;
    }
    if (json_is_integer(claim)) {
        char digits[32];
        snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, json_integer_value(claim));
        return freshet_span_equal(text, freshet_span_text(digits));
    }
    return json_is_string(claim) && freshet_span_equal(text, freshet_span_text(json_string_value(claim)));
}

/* The value of a parameter that has one alone: a rest parameter with two is no text that a claim could be. */
static bool find_param(const struct freshet_request *request, const char *name, struct freshet_span *value)
{
    struct freshet_span second;
    return freshet_request_param(request, name, 0, value) == FRESHET_OK && value->len > 0 &&
           (freshet_request_param(request, name, 1, &second) != FRESHET_OK || second.len == 0);
}

static bool has_own_params(const struct config_jwt *jwt, const struct freshet_request *request,
                           const json_t *claims)
{
    for (size_t i = 0; i < jwt->params.count; i++) {
        const struct config_pair *pair = &jwt->params.items[i];
        struct freshet_span param;
        if (!find_param(request, pair->from, &param) || !allows(json_object_get(claims, pair->to), param))
            return false;
    }
    return true;
}

static enum freshet_status set_attributes(const struct config_jwt *jwt, struct freshet_check check,
                                          const json_t *claims)
{
    enum freshet_status status = FRESHET_OK;
    for (size_t i = 0; status == FRESHET_OK && i < jwt->claims.count; i++) {
        char *claim = claim_text(claims, jwt->claims.items[i].from);
        if (claim != NULL)
            status = freshet_check_set(check, jwt->claims.items[i].to, freshet_span_text(claim));
        free(claim);
    }
    return status;
}

static void use_claims(const struct jwt_guard *guard, struct freshet_check check,
                       const struct freshet_request *request, const json_t *claims, int64_t until_ms)
{
    const struct config_jwt *jwt = &guard->config->jwt;
    if (!has_own_params(jwt, request, claims))
        freshet_check_deny(check, 403, "not-yours");
    else if (set_attributes(jwt, check, claims) != FRESHET_OK)
        freshet_check_fail(check);
    else
        guard_allow_until(check, guard_clock_ms(), until_ms);
}

/* ---- the answer ---- */

/* Early: our clock may be behind that of who signed, so the client comes back a little later. */
static void refuse(struct jwt_guard *guard, struct freshet_check check, enum jwt_result result)
{
    const char *text = jwt_result_text(result);
    if (log_is_news(&guard->refusals, freshet_span_text(text)))
        log_line(guard->log, FRESHET_LOG_INFO, "guard %.100s: a token was refused: %s", guard->config->name,
                 text);
    if (result == JWT_EARLY)
        freshet_check_fail(check);
    else
        freshet_check_deny(check, 401, result == JWT_EXPIRED ? "token-expired" : "token-invalid");
}

static void decide(struct jwt_guard *guard, struct freshet_check check, const struct freshet_request *request,
                   bool may_wait);

static void go_on(struct key_wait *wait)
{
    struct waiting_check *waiting = (struct waiting_check *)wait; /* its first field */
    decide(waiting->guard, waiting->check, waiting->request, false);
    free(waiting);
}

/* Until keys have been looked for. If they can't be now, nobody knows whether the token is good. */
static void wait_for_keys(struct jwt_guard *guard, struct freshet_check check,
                          const struct freshet_request *request)
{
    struct waiting_check *waiting = malloc(sizeof(*waiting));
    if (waiting != NULL) {
        *waiting = (struct waiting_check){{NULL, go_on}, guard, check, request};
        if (key_source_wait(guard->keys, &waiting->wait))
            return;
    }
    free(waiting);
    freshet_check_fail(check);
}

static void decide(struct jwt_guard *guard, struct freshet_check check, const struct freshet_request *request,
                   bool may_wait)
{
    struct freshet_span token;
    json_t *claims = NULL;
    int64_t until_ms;
    if (!find_token(guard, request, &token)) {
        freshet_check_deny(check, 401, "no-token");
        return;
    }
    struct jwk_set *set = key_source_get(guard->keys);
    enum jwt_result result =
        set == NULL ? JWT_UNKNOWN_KEY
                    : jwt_verify(token, set, &guard->rules, guard_clock_ms(), &claims, &until_ms);
    bool lacks_keys = set == NULL;
    jwk_set_release(set);
    if (result == JWT_GOOD)
        use_claims(guard, check, request, claims, until_ms);
    else if (result == JWT_UNKNOWN_KEY && may_wait && guard->config->jwt.keys != NULL)
        wait_for_keys(guard, check, request);
    else if (lacks_keys)
        freshet_check_fail(check);
    else
        refuse(guard, check, result);
    json_decref(claims);
}

void jwt_guard_check(struct freshet_check check, const struct freshet_request *request, void *user)
{
    decide(user, check, request, true);
}

/* ---- life ---- */

enum freshet_status jwt_guard_new(struct jwt_guard **out, const struct config_guard *config,
                                  const struct guards_options *options, struct freshet_error *error)
{
    const struct config_jwt *jwt = &config->jwt;
    struct key_source_options keys = {.where = jwt->keys,
                                      .secrets = jwt->secrets,
                                      .refresh_ms = jwt->refresh_ms,
                                      .fetcher = options->fetcher,
                                      .log = options->log};
    struct jwt_guard *guard = *out = calloc(1, sizeof(*guard));
    if (guard == NULL)
        return FRESHET_NO_MEMORY;
    guard->config = config;
    guard->log = options->log;
    guard->rules = (struct jwt_rules){.algorithms = jwt->algorithms,
                                      .audience = jwt->audience,
                                      .issuer = jwt->issuer,
                                      .leeway_ms = jwt->leeway_ms};
    log_news_init(&guard->refusals);
    enum freshet_status status = key_source_new(&guard->keys, &keys, error);
    if (status == FRESHET_OK)
        return FRESHET_OK;
    jwt_guard_destroy(guard);
    *out = NULL;
    return status;
}

void jwt_guard_destroy(struct jwt_guard *guard)
{
    if (guard == NULL)
        return;
    key_source_destroy(guard->keys);
    log_news_deinit(&guard->refusals);
    free(guard);
}
