#include "bus/redis/link/greeting.h"

#include "base/log.h"
#include "bus/redis/proto/wire.h"
#include <stdio.h>
#include <string.h>

#define NO_LOGIN "the program has no user and password for it at the moment"

static bool say(struct fr_redis_greeting *greeting, struct evbuffer *output, enum fr_redis_step step,
                const struct freshet_span *arguments, size_t count)
{
    greeting->steps[greeting->count++] = step;
    return fr_redis_wire_add(output, arguments, count);
}

static bool say_auth(struct fr_redis_greeting *greeting, struct evbuffer *output,
                     const struct freshet_redis_login *login)
{
    struct freshet_span arguments[3];
    size_t count = fr_redis_login_command(login, arguments);
    return say(greeting, output, FR_REDIS_STEP_AUTH, arguments, count);
}

static bool say_select(struct fr_redis_greeting *greeting, struct evbuffer *output, uint32_t database)
{
    char number[16];
    snprintf(number, sizeof(number), "%u", database);
    struct freshet_span arguments[] = {freshet_span_text("SELECT"), freshet_span_text(number)};
    return say(greeting, output, FR_REDIS_STEP_SELECT, arguments, 2);
}

static bool say_name(struct fr_redis_greeting *greeting, struct evbuffer *output, const char *name)
{
    struct freshet_span arguments[] = {freshet_span_text("CLIENT"), freshet_span_text("SETNAME"),
                                       freshet_span_text(name)};
    return say(greeting, output, FR_REDIS_STEP_NAME, arguments, 3);
}

static bool say_all(struct fr_redis_greeting *greeting, struct evbuffer *output,
                    const struct fr_redis_greeting_options *options, const struct freshet_redis_login *login)
{
    struct freshet_span role = freshet_span_text("ROLE"), ping = freshet_span_text("PING");
    struct freshet_span hello = freshet_span_text("HELLO");
    bool good = login == NULL || say_auth(greeting, output, login);
    if (options->database != 0)
        good = good && say_select(greeting, output, options->database);
    good = good && say_name(greeting, output, options->name);
    if (options->needs_master)
        good = good && say(greeting, output, FR_REDIS_STEP_ROLE, &role, 1);
    if (options->asks_mode)
        good = good && say(greeting, output, FR_REDIS_STEP_MODE, &hello, 1);
    return good && say(greeting, output, FR_REDIS_STEP_PING, &ping, 1);
}

bool fr_redis_greeting_send(struct fr_redis_greeting *greeting, struct evbuffer *output,
                            const struct fr_redis_greeting_options *options, struct fr_redis_reason *reason)
{
    struct freshet_redis_login login = {0};
    bool logs_in = fr_redis_login_source_is_used(options->login);
    *greeting = (struct fr_redis_greeting){0};
    if (logs_in && !fr_redis_login_ask(&login, options->login)) {
        *reason = (struct fr_redis_reason){.fault = FR_REDIS_FAULT_UNKNOWN, .text = NO_LOGIN};
        return false;
    }
    bool good = say_all(greeting, output, options, logs_in ? &login : NULL);
    fr_redis_login_forget(&login);
    if (!good)
        *reason = (struct fr_redis_reason){.fault = FR_REDIS_FAULT_NETWORK, .text = "out of memory"};
    return good;
}

static enum fr_redis_fault fault_of(const redisReply *error)
{
    return fr_redis_fault_of(freshet_span(error->str, error->len));
}

static bool is_text(const redisReply *reply, const char *text)
{
    return reply->type == REDIS_REPLY_STRING &&
           freshet_span_equal(freshet_span(reply->str, reply->len), freshet_span_text(text));
}

enum fr_redis_role fr_redis_role_of(const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        enum fr_redis_fault fault = fault_of(reply);
        if (fault == FR_REDIS_FAULT_ROLE)
            return FR_REDIS_ROLE_OTHER;
        return fr_redis_fault_ends_link(fault) ? FR_REDIS_ROLE_LATER : FR_REDIS_ROLE_UNKNOWN;
    }
    bool is_master =
        reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 && is_text(reply->element[0], "master");
    return is_master ? FR_REDIS_ROLE_MASTER : FR_REDIS_ROLE_OTHER;
}

void fr_redis_reason_of(struct fr_redis_reason *reason, const redisReply *error)
{
    struct freshet_span text =
        error->type == REDIS_REPLY_ERROR ? freshet_span(error->str, error->len) : freshet_span_text("");
    reason->fault = fr_redis_fault_of(text);
    struct fr_escaped words = fr_escape(text);
    snprintf(reason->text, sizeof(reason->text), "%s: \"%s\"", fr_redis_fault_text(reason->fault),
             words.text);
}

/* Redis may repeat the arguments of a command that it does not know, here the password: no words of it. But
 * one that is busy has not looked at them. */
bool fr_redis_login_is_refused(const redisReply *reply, struct fr_redis_reason *reason)
{
    if (reply->type != REDIS_REPLY_ERROR)
        return false;
    if (fault_of(reply) == FR_REDIS_FAULT_BUSY) {
        fr_redis_reason_of(reason, reply);
        return true;
    }
    reason->fault = FR_REDIS_FAULT_LOGIN;
    snprintf(reason->text, sizeof(reason->text), "%s", fr_redis_fault_text(FR_REDIS_FAULT_LOGIN));
    return true;
}

/* False fills `reason`, but for a role that is not the master's. */
static bool take_role(struct fr_redis_greeting *greeting, const redisReply *reply,
                      struct fr_redis_reason *reason)
{
    switch (fr_redis_role_of(reply)) {
    case FR_REDIS_ROLE_MASTER:
        return true;
    case FR_REDIS_ROLE_UNKNOWN:
        fr_redis_reason_of(reason, reply);
        snprintf(greeting->blind, sizeof(greeting->blind), "%s", reason->text);
        return true;
    case FR_REDIS_ROLE_LATER:
        fr_redis_reason_of(reason, reply);
        return false;
    case FR_REDIS_ROLE_OTHER:
        break;
    }
    bool is_sentinel =
        reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 && is_text(reply->element[0], "sentinel");
    reason->fault = FR_REDIS_FAULT_ROLE;
    snprintf(reason->text, sizeof(reason->text), "%s",
             is_sentinel ? "a sentinel: use redis+sentinel://host1,host2/name"
                         : fr_redis_fault_text(FR_REDIS_FAULT_ROLE));
    return false;
}

/* Names and values in turn; an error if it is not permitted, or too old to know the command. */
static bool says_cluster(const redisReply *reply)
{
    bool is_array = reply->type == REDIS_REPLY_ARRAY;
    for (size_t i = 0; is_array && i + 1 < reply->elements; i += 2)
        if (is_text(reply->element[i], "mode"))
            return is_text(reply->element[i + 1], "cluster");
    return false;
}

static bool is_good(struct fr_redis_greeting *greeting, enum fr_redis_step step, const redisReply *reply,
                    struct fr_redis_reason *reason)
{
    if (step == FR_REDIS_STEP_AUTH)
        return !fr_redis_login_is_refused(reply, reason);
    if (step == FR_REDIS_STEP_ROLE)
        return take_role(greeting, reply, reason);
    if (step == FR_REDIS_STEP_MODE)
        greeting->is_cluster = says_cluster(reply);
    if (reply->type != REDIS_REPLY_ERROR)
        return true;
    enum fr_redis_fault fault = fault_of(reply);
    /* Without its name, or a PONG, the connection is as good; in the wrong database it is not. */
    if (step != FR_REDIS_STEP_SELECT && !fr_redis_fault_ends_link(fault))
        return true;
    fr_redis_reason_of(reason, reply);
    return false;
}

enum fr_redis_greeting_verdict fr_redis_greeting_answer(struct fr_redis_greeting *greeting,
                                                        const redisReply *reply,
                                                        struct fr_redis_reason *reason)
{
    if (!is_good(greeting, greeting->steps[greeting->answered], reply, reason))
        return FR_REDIS_GREETING_FAILED;
    greeting->answered++;
    return greeting->answered == greeting->count ? FR_REDIS_GREETING_DONE : FR_REDIS_GREETING_MORE;
}
