#include "bus/redis_greeting.h"

#include "base/log.h"
#include "bus/redis_wire.h"
#include <stdio.h>
#include <string.h>

static bool say(struct fr_redis_greeting *greeting, struct evbuffer *output, enum fr_redis_step step,
                const struct freshet_span *arguments, size_t count)
{
    greeting->steps[greeting->count++] = step;
    return fr_redis_wire_add(output, arguments, count);
}

static bool say_auth(struct fr_redis_greeting *greeting, struct evbuffer *output,
                     const struct fr_redis_url *url)
{
    struct freshet_span arguments[3] = {freshet_span_text("AUTH")};
    size_t count = 1;
    if (url->user != NULL)
        arguments[count++] = freshet_span_text(url->user);
    arguments[count++] = freshet_span_text(url->password);
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

bool fr_redis_greeting_send(struct fr_redis_greeting *greeting, struct evbuffer *output,
                            const struct fr_redis_config *config,
                            const struct fr_redis_greeting_options *options)
{
    struct freshet_span role = freshet_span_text("ROLE"), ping = freshet_span_text("PING");
    *greeting = (struct fr_redis_greeting){0};
    bool good = config->url.password == NULL || say_auth(greeting, output, &config->url);
    if (options->select && config->url.database != 0)
        good = good && say_select(greeting, output, config->url.database);
    good = good && say_name(greeting, output, options->name);
    if (options->needs_master)
        good = good && say(greeting, output, FR_REDIS_STEP_ROLE, &role, 1);
    return good && say(greeting, output, FR_REDIS_STEP_PING, &ping, 1);
}

bool fr_redis_role_is_master(const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR)
        return fr_redis_fault_of(freshet_span(reply->str, reply->len)) != FR_REDIS_FAULT_ROLE;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0 ||
        reply->element[0]->type != REDIS_REPLY_STRING)
        return false;
    struct freshet_span role = freshet_span(reply->element[0]->str, reply->element[0]->len);
    return freshet_span_equal(role, freshet_span_text("master"));
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

/* Redis may repeat the arguments of a command that it does not know, here the password: no words of it. */
static void blame_login(struct fr_redis_reason *reason)
{
    reason->fault = FR_REDIS_FAULT_LOGIN;
    snprintf(reason->text, sizeof(reason->text), "%s", fr_redis_fault_text(FR_REDIS_FAULT_LOGIN));
}

static bool is_good(enum fr_redis_step step, const redisReply *reply, struct fr_redis_reason *reason)
{
    bool error = reply->type == REDIS_REPLY_ERROR;
    if (step == FR_REDIS_STEP_ROLE && !fr_redis_role_is_master(reply)) {
        reason->fault = FR_REDIS_FAULT_ROLE;
        snprintf(reason->text, sizeof(reason->text), "%s", fr_redis_fault_text(FR_REDIS_FAULT_ROLE));
        return false;
    }
    if (!error)
        return true;
    enum fr_redis_fault fault = fr_redis_fault_of(freshet_span(reply->str, reply->len));
    if (step == FR_REDIS_STEP_AUTH && fault != FR_REDIS_FAULT_BUSY) {
        blame_login(reason);
        return false;
    }
    if ((step == FR_REDIS_STEP_NAME || step == FR_REDIS_STEP_ROLE) &&
        (fault == FR_REDIS_FAULT_FORBIDDEN || fault == FR_REDIS_FAULT_UNKNOWN))
        return true;
    fr_redis_reason_of(reason, reply);
    return false;
}

enum fr_redis_greeting_verdict fr_redis_greeting_answer(struct fr_redis_greeting *greeting,
                                                        const redisReply *reply,
                                                        struct fr_redis_reason *reason)
{
    if (!is_good(greeting->steps[greeting->answered], reply, reason))
        return FR_REDIS_GREETING_FAILED;
    greeting->answered++;
    return greeting->answered == greeting->count ? FR_REDIS_GREETING_DONE : FR_REDIS_GREETING_MORE;
}
