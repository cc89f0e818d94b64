/* freshet-bridge publish */
#include "command/internal.h"
#include "publish/msgpack.h"
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WAIT_S = 10, DESTROY_DEADLINE_MS = 1000 };

struct result {
    sem_t came;
    enum freshet_status status;
    int64_t receivers;
};

static void on_published(enum freshet_status status, int64_t receivers, void *user)
{
    struct result *result = user;
    result->status = status;
    result->receivers = receivers;
    sem_post(&result->came);
}

/* ---- the message ---- */

static json_t *load_message(const char *text)
{
    json_error_t error;
    json_t *json = strcmp(text, "-") == 0 ? json_loadf(stdin, JSON_DECODE_ANY, &error)
                                          : json_loads(text, JSON_DECODE_ANY, &error);
    if (json == NULL)
        fprintf(stderr,
                "freshet-bridge: the message has to be JSON (%s); a text is '\"text\"', with its quotes\n",
                error.text);
    return json;
}

static bool read_message(struct msgpack *message, const char *text)
{
    if (text == NULL)
        return true;
    json_t *json = load_message(text);
    if (json == NULL)
        return false;
    bool good = msgpack_append(message, json, 1);
    json_decref(json);
    if (!good)
        fputs("freshet-bridge: the message is nested more than 30 deep\n", stderr);
    return good;
}

/* ---- the publish ---- */

static bool wait_for(struct result *result)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += WAIT_S;
    while (sem_timedwait(&result->came, &end) != 0) {
        if (errno != EINTR)
            return false;
    }
    return true;
}

static int tell(const struct command *command, const struct result *result)
{
    const char *topic = command->topic.text;
    if (result->status != FRESHET_OK) {
        fprintf(stderr, "freshet-bridge: %s: %s\n", topic, freshet_status_text(result->status));
        return 1;
    }
    if (result->receivers < 0)
        printf("%s: accepted\n", topic);
    else
        printf("%s: %lld instance%s heard it\n", topic, (long long)result->receivers,
               result->receivers == 1 ? "" : "s");
    return 0;
}

static int publish(const struct command *command, struct freshet *freshet, struct freshet_span payload)
{
    static struct result result; /* it may come after the wait is over */
    sem_init(&result.came, 0, 0);
    enum freshet_status status = freshet_publish(freshet, &command->topic, payload, on_published, &result);
    if (status == FRESHET_NO_MEMORY)
        on_published(status, -1, &result); /* nobody else says so */
    if (wait_for(&result))
        return tell(command, &result);
    fprintf(stderr, "freshet-bridge: %s: Redis has not accepted it within %d s\n", command->topic.text,
            WAIT_S);
    return 1;
}

int command_publish(struct command *command)
{
    struct msgpack message = {.bytes = NULL};
    struct freshet *freshet;
    struct freshet_error error = {""};
    struct freshet_options options = {
        .size = sizeof(options), .bus = command->bus, .log = command->log, .pool_threads = 1};
    int result = 2;
    if (!read_message(&message, command->message_text)) {
        freshet_bus_destroy(command->bus);
    } else if (freshet_new(&freshet, &options, &error) != FRESHET_OK) {
        fprintf(stderr, "freshet-bridge: %s\n", error.text);
    } else {
        result = publish(command, freshet, freshet_span(message.bytes, message.len));
        freshet_destroy(freshet, DESTROY_DEADLINE_MS);
    }
    free(message.bytes);
    return result;
}
