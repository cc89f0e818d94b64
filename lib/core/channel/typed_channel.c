#include "core/codec/typed.h"

#include "base/log.h"
#include "core/channel/channel.h"
#include "core/channel/pattern_internal.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* As it stands in the name, and as it is declared. */
struct spelled {
    char text[80];
};

static struct spelled spell_segment(const struct fr_segment *segment)
{
    static const char *const suffixes[] = {"", "", "?", "*", "+"};
    struct spelled spelled;
    snprintf(spelled.text, sizeof(spelled.text), ":%.*s%s", (int)segment->text.len, segment->text.data,
             suffixes[segment->kind]);
    return spelled;
}

static struct spelled spell_parameter(const struct freshet_parameter *parameter)
{
    static const char *const words[] = {"", "param", "optional", "rest"};
    struct spelled spelled;
    snprintf(spelled.text, sizeof(spelled.text), "%s(%s)", words[parameter->kind], parameter->name);
    return spelled;
}

static bool is_same(const struct fr_segment *segment, const struct freshet_parameter *parameter)
{
    static const enum freshet_parameter_kind kinds[] = {
        [FR_SEGMENT_LITERAL] = FRESHET_PARAMETER_END,       [FR_SEGMENT_REQUIRED] = FRESHET_PARAMETER_ONE,
        [FR_SEGMENT_OPTIONAL] = FRESHET_PARAMETER_OPTIONAL, [FR_SEGMENT_REST_ANY] = FRESHET_PARAMETER_REST,
        [FR_SEGMENT_REST_SOME] = FRESHET_PARAMETER_REST,
    };
    return kinds[segment->kind] == parameter->kind &&
           freshet_span_equal(segment->text, freshet_span_text(parameter->name));
}

static enum freshet_status refuse(const struct freshet_declaration *declaration,
                                  const struct fr_segment *segment, const struct freshet_parameter *parameter,
                                  struct freshet_error *error)
{
    if (segment == NULL)
        return fr_fail(error, FRESHET_INVALID, "channel %s: %s is declared, and \"%s\" does not have it",
                       declaration->name, spell_parameter(parameter).text, declaration->pattern);
    if (parameter->kind == FRESHET_PARAMETER_END)
        return fr_fail(error, FRESHET_INVALID, "channel %s: \"%s\" has %s, which is not declared",
                       declaration->name, declaration->pattern, spell_segment(segment).text);
    return fr_fail(error, FRESHET_INVALID, "channel %s: \"%s\" has %s where %s is declared",
                   declaration->name, declaration->pattern, spell_segment(segment).text,
                   spell_parameter(parameter).text);
}

/* The same parameters in the same order. */
static enum freshet_status check_parameters(const struct freshet_declaration *declaration,
                                            const struct fr_pattern *pattern, struct freshet_error *error)
{
    const struct freshet_parameter *parameter = declaration->parameters;
    for (size_t i = 0; i < pattern->count; i++) {
        const struct fr_segment *segment = &pattern->segments[i];
        if (segment->kind == FR_SEGMENT_LITERAL)
            continue;
        if (!is_same(segment, parameter))
            return refuse(declaration, segment, parameter, error);
        parameter++;
    }
    return parameter->kind == FRESHET_PARAMETER_END ? FRESHET_OK
                                                    : refuse(declaration, NULL, parameter, error);
}

static enum freshet_status make(const struct freshet_declaration *declaration, struct freshet_channel **out,
                                struct freshet_error *error)
{
    enum freshet_status status =
        fr_channel_new_typed(out, declaration->pattern, fr_typed_fingerprint(declaration->fields), error);
    if (status == FRESHET_OK)
        status = check_parameters(declaration, fr_channel_pattern(*out), error);
    if (status != FRESHET_OK) {
        freshet_channel_destroy(*out);
        *out = NULL;
    }
    return status;
}

/* Of two threads that come first the later one takes what the earlier one made. The header is for C++ too, so
 * the pointer is no _Atomic. */
static enum freshet_status find(struct freshet_declaration *declaration, const struct freshet_channel **out,
                                struct freshet_error *error)
{
    struct freshet_channel *made, *found = __atomic_load_n(&declaration->channel, __ATOMIC_ACQUIRE);
    enum freshet_status status = FRESHET_OK;
    if (found == NULL) {
        status = make(declaration, &made, error);
        if (status == FRESHET_OK && !__atomic_compare_exchange_n(&declaration->channel, &found, made, false,
                                                                 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            freshet_channel_destroy(made);
        else
            found = made;
    }
    *out = found;
    return status;
}

const struct freshet_channel *freshet_declaration_channel(struct freshet_declaration *declaration,
                                                          struct freshet_error *error)
{
    const struct freshet_channel *channel;
    find(declaration, &channel, error);
    return channel;
}

static struct freshet_span value_of(const struct freshet_argument *argument, size_t index)
{
    return argument->spans != NULL ? argument->spans[index] : freshet_span_text(argument->texts[index]);
}

enum freshet_status freshet_declaration_key(struct freshet_declaration *declaration,
                                            const struct freshet_argument *arguments,
                                            struct freshet_topic *topic, struct freshet_error *error)
{
    struct freshet_param params[FRESHET_MAX_TOPIC_BYTES / 2 + 1]; /* each takes a byte and a '/' at least */
    const size_t most = sizeof(params) / sizeof(params[0]);
    const struct freshet_channel *channel;
    size_t count = 0;
    enum freshet_status status = find(declaration, &channel, error);
    if (status != FRESHET_OK)
        return status;
    for (size_t i = 0; declaration->parameters[i].kind != FRESHET_PARAMETER_END; i++) {
        const struct freshet_parameter *parameter = &declaration->parameters[i];
        if (arguments[i].count > 0 && arguments[i].texts == NULL && arguments[i].spans == NULL)
            return fr_fail(error, FRESHET_INVALID,
                           "parameter \"%s\": there is a count of its values, but they are NULL",
                           parameter->name);
        if (arguments[i].count > most - count)
            return fr_fail(error, FRESHET_TOO_LARGE,
                           "parameter \"%s\": more values than a topic has room for", parameter->name);
        for (size_t at = 0; at < arguments[i].count; at++)
            params[count++] = (struct freshet_param){parameter->name, value_of(&arguments[i], at)};
    }
    return freshet_channel_topic(channel, params, count, topic, error);
}
