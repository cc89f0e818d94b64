/* ask: the application says who may have a stream. Its 2xx allows, for a time; 401, 403, 404 and 410 deny
 * with that status; a redirect sends the client elsewhere. Anything else is no answer: a new stream is
 * refused for now, an open one gets nothing more until there is one. */
#include "guard/answers.h"
#include "guard/ask_question.h"
#include "guard/internal.h"
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_BODY_BYTES = 16384, DEFAULT_TIMEOUT_MS = 3000 };

struct ask_guard {
    const struct config_guard *config;
    struct fetcher *fetcher;
    const struct freshet_log *log;
    struct log_news troubles;
    pthread_mutex_t lock;
    struct answers answers; /* under the lock */
};

/* What is out: the question that its answer is for. */
struct asked {
    struct ask_guard *guard;
    struct answer *answer;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- what came ---- */

enum verdict { VERDICT_ALLOW, VERDICT_DENY, VERDICT_REDIRECT, VERDICT_NONE };

struct said {
    enum verdict verdict;
    int status;          /* of VERDICT_DENY */
    char location[1024]; /* of VERDICT_REDIRECT */
};

static const char *deny_code(int status)
{
    switch (status) {
    case 401:
        return "sign-in";
    case 403:
        return "forbidden";
    default:
        return "not-found";
    }
}

static struct said understand(const struct fetch_answer *answer)
{
    struct said said = {.verdict = VERDICT_NONE, .status = answer->status};
    struct freshet_span location;
    if (answer->status >= 200 && answer->status <= 299)
        said.verdict = VERDICT_ALLOW;
    else if (answer->status == 401 || answer->status == 403 || answer->status == 404 || answer->status == 410)
        said.verdict = VERDICT_DENY;
    else if (answer->status >= 301 && answer->status <= 308 &&
             fetch_answer_header(answer, "location", &location) && location.len > 0 &&
             location.len < sizeof(said.location)) {
        memcpy(said.location, location.data, location.len);
        said.verdict = VERDICT_REDIRECT;
    }
    return said;
}

static void log_trouble(struct ask_guard *guard, const struct fetch_answer *answer)
{
    char text[64];
    const char *code = fetch_outcome_code(answer->outcome);
    if (code != NULL)
        snprintf(text, sizeof(text), "%.40s", code);
    else
        snprintf(text, sizeof(text), "answered with status %d", answer->status);
    if (answer->outcome != FETCH_CLOSED && log_is_news(&guard->troubles, freshet_span_text(text)))
        log_line(guard->log, FRESHET_LOG_ERROR, "guard %.100s: nobody says who may watch: %s",
                 guard->config->name, text);
}

/* ---- attributes ---- */

static char *copy(struct freshet_span span)
{
    return strndup(span.len == 0 ? "" : span.data, span.len);
}

/* From a header, x-freshet-user for `user`, or a member of the JSON object that the body is. */
static char *find_value(const struct fetch_answer *answer, const json_t *body, const char *name)
{
    char header[128];
    struct freshet_span value;
    snprintf(header, sizeof(header), "x-freshet-%s", name);
    if (fetch_answer_header(answer, header, &value))
        return copy(value);
    const json_t *member = json_object_get(body, name);
    if (member == NULL || json_is_null(member))
        return NULL;
    if (json_is_string(member))
        return strdup(json_string_value(member));
    return json_dumps(member, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
}

static size_t count_names(const char **names)
{
    size_t count = 0;
    while (names != NULL && names[count] != NULL)
        count++;
    return count;
}

/* False: no memory. */
static bool keep_values(const struct ask_guard *guard, struct answer *to, const struct fetch_answer *answer)
{
    const char **names = guard->config->ask.attributes;
    size_t count = count_names(names);
    answer_clear(to);
    if (count == 0)
        return true;
    json_t *body = answer->body.len == 0
                       ? NULL
                       : json_loadb(answer->body.data, answer->body.len, JSON_REJECT_DUPLICATES, NULL);
    to->values = calloc(count, sizeof(*to->values));
    to->value_count = to->values == NULL ? 0 : count;
    for (size_t i = 0; i < to->value_count; i++)
        to->values[i] = find_value(answer, body, names[i]);
    json_decref(body);
    return to->values != NULL;
}

/* ---- telling those who asked ---- */

static void allow(const struct ask_guard *guard, struct freshet_check check, const struct answer *answer,
                  int64_t left_ms)
{
    enum freshet_status status = FRESHET_OK;
    for (size_t i = 0; status == FRESHET_OK && i < answer->value_count; i++) {
        if (answer->values[i] != NULL)
            status = freshet_check_set(check, guard->config->ask.attributes[i],
                                       freshet_span_text(answer->values[i]));
    }
    if (status != FRESHET_OK)
        freshet_check_fail(check);
    else if (left_ms > 0)
        freshet_check_allow_for(check, (uint32_t)left_ms);
    else
        freshet_check_allow(check);
}

/* How long an allow is kept: up to a tenth less than `for`, by the question, so that a crowd that came at
 * once is not asked about at once ever after. */
static uint32_t hold_ms(const struct ask_guard *guard, const struct answer *answer)
{
    uint32_t for_ms = guard->config->ask.for_ms;
    return for_ms - (uint32_t)((uint64_t)for_ms * answer->key[ANSWERS_KEY_BYTES - 1] / 2560);
}

static void tell(const struct ask_guard *guard, struct freshet_check check, const struct said *said,
                 const struct answer *answer)
{
    if (said->verdict == VERDICT_ALLOW)
        allow(guard, check, answer, hold_ms(guard, answer));
    else if (said->verdict == VERDICT_DENY)
        freshet_check_deny(check, said->status, deny_code(said->status));
    else if (said->verdict == VERDICT_NONE ||
             freshet_check_redirect(check, said->location) == FRESHET_INVALID)
        freshet_check_fail(check);
}

/* Under the lock: a check takes an answer without calling anybody. */
static void tell_all(const struct ask_guard *guard, const struct said *said, struct answer *answer)
{
    struct answers_wait *waiting = answer->waiting;
    answer->waiting = NULL;
    answer->out = false;
    while (waiting != NULL) {
        struct answers_wait *next = waiting->next;
        tell(guard, waiting->check, said, answer);
        free(waiting);
        waiting = next;
    }
}

/* A deny is not kept: whoever signs in after it is let in at once. */
static void on_answer(const struct fetch_answer *fetched, void *user)
{
    struct asked *asked = user;
    struct ask_guard *guard = asked->guard;
    struct answer *answer = asked->answer;
    struct said said = {.verdict = VERDICT_NONE};
    if (fetched->outcome == FETCH_ANSWERED)
        said = understand(fetched);
    pthread_mutex_lock(&guard->lock);
    if (said.verdict == VERDICT_ALLOW && !keep_values(guard, answer, fetched))
        said.verdict = VERDICT_NONE;
    tell_all(guard, &said, answer);
    answer->until_ms = now_ms() + hold_ms(guard, answer);
    if (said.verdict != VERDICT_ALLOW || guard->config->ask.for_ms == 0)
        answers_remove(&guard->answers, answer);
    pthread_mutex_unlock(&guard->lock);
    if (said.verdict == VERDICT_NONE)
        log_trouble(guard, fetched);
    free(asked);
}

/* ---- asking ---- */

/* Nobody will answer those who wait for this one: they are told now. Under the lock. */
static void give_up(struct ask_guard *guard, struct answer *answer)
{
    tell_all(guard, &(struct said){.verdict = VERDICT_NONE}, answer);
    answers_remove(&guard->answers, answer);
}

/* Under the lock, which the answer's callback takes, too: it comes on another thread. */
static void ask(struct ask_guard *guard, struct answer *answer, const struct question *question)
{
    const struct config_ask *config = &guard->config->ask;
    struct asked *asked = malloc(sizeof(*asked));
    struct fetch_request request = {.urls = config->urls,
                                    .headers = (const char *const *)question->lines,
                                    .timeout_ms =
                                        config->timeout_ms == 0 ? DEFAULT_TIMEOUT_MS : config->timeout_ms,
                                    .max_body_bytes = MAX_BODY_BYTES};
    if (asked != NULL) {
        *asked = (struct asked){guard, answer};
        if (guard->fetcher != NULL && fetch_start(guard->fetcher, &request, on_answer, asked) == FRESHET_OK)
            return;
    }
    free(asked);
    give_up(guard, answer);
}

/* Under the lock. False: no memory, or too many are out. */
static bool join(struct ask_guard *guard, struct freshet_check check, struct answer *answer,
                 const struct question *question)
{
    struct answers_wait *wait = malloc(sizeof(*wait));
    if (wait == NULL)
        return false;
    bool is_first = answer == NULL || !answer->out;
    if (answer == NULL)
        answer = answers_add(&guard->answers, question->key, now_ms());
    if (answer == NULL) {
        free(wait);
        return false;
    }
    *wait = (struct answers_wait){answer->waiting, check};
    answer->waiting = wait;
    answer->out = true;
    if (is_first)
        ask(guard, answer, question);
    return true;
}

static void decide(struct ask_guard *guard, struct freshet_check check, const struct question *question)
{
    pthread_mutex_lock(&guard->lock);
    struct answer *answer = answers_find(&guard->answers, question->key);
    int64_t left_ms = answer == NULL || answer->out ? 0 : answer->until_ms - now_ms();
    bool good = true;
    if (left_ms > 0)
        allow(guard, check, answer, left_ms);
    else
        good = join(guard, check, answer, question);
    pthread_mutex_unlock(&guard->lock);
    if (!good)
        freshet_check_fail(check);
}

void ask_guard_check(struct freshet_check check, const struct freshet_request *request, void *user)
{
    struct ask_guard *guard = user;
    struct question question;
    if (!question_init(&question, request, guard->config->ask.forward)) {
        freshet_check_fail(check);
        return;
    }
    decide(guard, check, &question);
    question_deinit(&question);
}

/* ---- life ---- */

struct ask_guard *ask_guard_new(const struct config_guard *config, const struct guards_options *options)
{
    struct ask_guard *guard = calloc(1, sizeof(*guard));
    if (guard == NULL)
        return NULL;
    guard->config = config;
    guard->fetcher = options->fetcher;
    guard->log = options->log;
    log_news_init(&guard->troubles);
    pthread_mutex_init(&guard->lock, NULL);
    return guard;
}

void ask_guard_destroy(struct ask_guard *guard)
{
    if (guard == NULL)
        return;
    answers_deinit(&guard->answers);
    pthread_mutex_destroy(&guard->lock);
    log_news_deinit(&guard->troubles);
    free(guard);
}
