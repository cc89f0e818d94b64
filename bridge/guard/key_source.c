#include "guard/key_source.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 256 * 1024, TIMEOUT_MS = 4000 };

struct key_source {
    struct key_source_options options;
    bool is_url;
    pthread_mutex_t lock;
    struct log_news troubles;
    /* Under the lock. */
    struct jwk_set *set; /* NULL: none yet */
    int64_t read_ms;     /* when it was begun to read it, or to try to */
    int64_t filled_ms;   /* of `tries` */
    unsigned tries;      /* that may be made at once */
    bool out;            /* the URL is being asked */
    struct key_wait *waiting;
    struct key_wait *late; /* came while it was being asked: what it answers may be from before */
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void set_keys(struct key_source *source, struct jwk_set *set)
{
    pthread_mutex_lock(&source->lock);
    struct jwk_set *old = source->set;
    source->set = set;
    pthread_mutex_unlock(&source->lock);
    jwk_set_release(old);
}

static void log_trouble(struct key_source *source, const char *text)
{
    if (log_is_news(&source->troubles, freshet_span_text(text)))
        log_line(source->options.log, FRESHET_LOG_ERROR, "keys of %.200s: %s", source->options.where, text);
}

/* ---- a file ---- */

static enum freshet_status read_file(struct key_source *source, struct freshet_error *error)
{
    struct jwk_set *set = NULL;
    enum freshet_status status = FRESHET_INVALID;
    char *bytes = malloc(MAX_BYTES + 1);
    FILE *file = fopen(source->options.where, "re");
    size_t len = bytes == NULL || file == NULL ? 0 : fread(bytes, 1, MAX_BYTES + 1, file);
    if (bytes == NULL)
        status = FRESHET_NO_MEMORY;
    else if (file == NULL || len == 0 || len > MAX_BYTES)
        strcpy(error->text, "the file can't be read, is empty or over 256 KiB");
    else
        status = jwk_set_read(&set, freshet_span(bytes, len), error);
    if (file != NULL)
        fclose(file);
    free(bytes);
    if (status == FRESHET_OK)
        set_keys(source, set);
    return status;
}

/* ---- a URL ---- */

/* What was answered; NULL: `text` says what is wrong with it. */
static struct jwk_set *read_answer(const struct fetch_answer *answer, struct freshet_error *error)
{
    struct jwk_set *set = NULL;
    if (answer->outcome != FETCH_ANSWERED)
        snprintf(error->text, sizeof(error->text), "%s", fetch_outcome_code(answer->outcome));
    else if (answer->status != 200)
        snprintf(error->text, sizeof(error->text), "answered with status %d", answer->status);
    else
        jwk_set_read(&set, answer->body, error);
    return set;
}

/* Under the lock. */
static bool ask_again(struct key_source *source);

/* Those whose wait is over. Who came late waits for another answer, if the URL may be asked once more. */
static struct key_wait *take_waiting(struct key_source *source)
{
    pthread_mutex_lock(&source->lock);
    struct key_wait *over = source->waiting, **end = &over;
    source->waiting = source->late;
    source->late = NULL;
    source->out = false;
    if (source->waiting != NULL && !ask_again(source)) {
        while (*end != NULL)
            end = &(*end)->next;
        *end = source->waiting;
        source->waiting = NULL;
    }
    pthread_mutex_unlock(&source->lock);
    return over;
}

static void on_answer(const struct fetch_answer *answer, void *user)
{
    struct key_source *source = user;
    struct freshet_error error = {""};
    struct jwk_set *set = read_answer(answer, &error);
    if (set != NULL)
        set_keys(source, set);
    else if (answer->outcome != FETCH_CLOSED)
        log_trouble(source, error.text);
    for (struct key_wait *next, *wait = take_waiting(source); wait != NULL; wait = next) {
        next = wait->next;
        wait->done(wait);
    }
}

/* Under the lock: the answer is for a turn that comes later. */
static bool ask(struct key_source *source)
{
    const char *const urls[] = {source->options.where, NULL};
    const char *const headers[] = {"accept: application/jwk-set+json, application/json", NULL};
    struct fetch_request request = {
        .urls = urls, .headers = headers, .timeout_ms = TIMEOUT_MS, .max_body_bytes = MAX_BYTES};
    source->read_ms = now_ms();
    source->out = source->options.fetcher != NULL &&
                  fetch_start(source->options.fetcher, &request, on_answer, source) == FRESHET_OK;
    return source->out;
}

/* ---- when ---- */

/* Under the lock. */
static bool may_try(struct key_source *source)
{
    int64_t passed = (now_ms() - source->filled_ms) / KEY_SOURCE_GAP_MS;
    if (passed > 0) {
        source->filled_ms += passed * KEY_SOURCE_GAP_MS;
        source->tries =
            source->tries + passed < KEY_SOURCE_BURST ? source->tries + (unsigned)passed : KEY_SOURCE_BURST;
    }
    if (source->tries == 0)
        return false;
    source->tries--;
    return true;
}

/* Under the lock. */
static bool ask_again(struct key_source *source)
{
    return may_try(source) && ask(source);
}

static void read_file_again(struct key_source *source)
{
    struct freshet_error error = {""};
    if (read_file(source, &error) != FRESHET_OK)
        log_trouble(source, error.text);
}

static bool is_due(const struct key_source *source)
{
    return source->options.where != NULL && !source->out &&
           now_ms() - source->read_ms >= source->options.refresh_ms;
}

struct jwk_set *key_source_get(struct key_source *source)
{
    pthread_mutex_lock(&source->lock);
    bool due = is_due(source);
    if (due && source->is_url)
        ask(source);
    else if (due)
        source->read_ms = now_ms();
    pthread_mutex_unlock(&source->lock);
    if (due && !source->is_url)
        read_file_again(source);
    pthread_mutex_lock(&source->lock);
    struct jwk_set *set = source->set == NULL ? NULL : jwk_set_acquire(source->set);
    pthread_mutex_unlock(&source->lock);
    return set;
}

bool key_source_wait(struct key_source *source, struct key_wait *wait)
{
    pthread_mutex_lock(&source->lock);
    bool is_late = source->out && source->set != NULL;
    bool good =
        source->out || (source->options.where != NULL && may_try(source) && (!source->is_url || ask(source)));
    if (good && source->is_url) {
        struct key_wait **list = is_late ? &source->late : &source->waiting;
        wait->next = *list;
        *list = wait;
    }
    pthread_mutex_unlock(&source->lock);
    if (good && !source->is_url) {
        read_file_again(source);
        wait->done(wait);
    }
    return good;
}

/* ---- life ---- */

static enum freshet_status begin(struct key_source *source, struct freshet_error *error)
{
    const struct key_source_options *options = &source->options;
    if (options->secrets != NULL)
        return jwk_set_of_secrets(&source->set, options->secrets, error);
    source->is_url =
        strncmp(options->where, "http://", 7) == 0 || strncmp(options->where, "https://", 8) == 0;
    if (!source->is_url) {
        source->read_ms = now_ms();
        return read_file(source, error);
    }
    pthread_mutex_lock(&source->lock);
    ask(source);
    pthread_mutex_unlock(&source->lock);
    return FRESHET_OK;
}

enum freshet_status key_source_new(struct key_source **out, const struct key_source_options *options,
                                   struct freshet_error *error)
{
    struct key_source *source = *out = calloc(1, sizeof(*source));
    if (source == NULL) {
        strcpy(error->text, "no memory for keys");
        return FRESHET_NO_MEMORY;
    }
    source->options = *options;
    if (source->options.refresh_ms == 0)
        source->options.refresh_ms = KEY_SOURCE_DEFAULT_REFRESH_MS;
    pthread_mutex_init(&source->lock, NULL);
    log_news_init(&source->troubles);
    source->filled_ms = now_ms();
    source->tries = KEY_SOURCE_BURST;
    enum freshet_status status = begin(source, error);
    if (status == FRESHET_OK)
        return FRESHET_OK;
    key_source_destroy(source);
    *out = NULL;
    return status;
}

void key_source_destroy(struct key_source *source)
{
    if (source == NULL)
        return;
    jwk_set_release(source->set);
    log_news_deinit(&source->troubles);
    pthread_mutex_destroy(&source->lock);
    free(source);
}
