#include "wire/decoder.h"
#include "wire/difference.h"

bool decoder_init(struct decoder *decoder, const struct rule *rule, bool is_gzip, bool takes_differences)
{
    memset(decoder, 0, sizeof(*decoder));
    decoder->rule = rule;
    decoder->is_gzip = is_gzip;
    decoder->takes_differences = takes_differences;
    return !is_gzip || inflateInit2(&decoder->gzip, MAX_WBITS + 16) == Z_OK; /* 16: gzip, and nothing else */
}

bool decoder_copy(struct decoder *decoder, const struct decoder *from)
{
    *decoder = *from;
    decoder->said = (struct sse_kept){0};
    decoder->held = decoder->version = (struct text){0};
    if (from->is_gzip && inflateCopy(&decoder->gzip, (z_stream *)&from->gzip) != Z_OK)
        return false;
    text_set(&decoder->said.data, &from->said.data);
    text_set(&decoder->said.id, &from->said.id);
    text_set(&decoder->held, &from->held);
    text_set(&decoder->version, &from->version);
    return true;
}

void decoder_release(struct decoder *decoder)
{
    if (decoder->is_gzip)
        inflateEnd(&decoder->gzip);
    text_release(&decoder->said.data);
    text_release(&decoder->said.id);
    text_release(&decoder->held);
    text_release(&decoder->version);
}

/* What was said is the newest state now. */
static void hold(struct decoder *decoder, struct text *state)
{
    struct text before = decoder->held;
    decoder->held = *state;
    *state = before;
    text_set(&decoder->version, &decoder->said.id);
}

/* The first line says which version it is to. */
static bool apply(struct decoder *decoder, struct text *state)
{
    const struct text *said = &decoder->said.data;
    const char *end = memchr(said->data, '\n', said->len);
    size_t version_len = end == NULL ? said->len : (size_t)(end - said->data);
    return end != NULL && text_is(&decoder->version, said->data, version_len) &&
           difference_apply(&decoder->held, end + 1, said->len - version_len - 1, state);
}

static void take_difference(struct decoder *decoder, const struct sse_event *event)
{
    struct text state = {0};
    if (apply(decoder, &state)) {
        struct sse_event whole = *event;
        whole.name = "";
        whole.is_difference = true;
        whole.data_len = (uint32_t)state.len;
        if (decoder->rule->where == RULE_DATA) {
            struct rule_match match = {0};
            rule_feed(decoder->rule, &match, state.data, state.len);
            whole.has_number = rule_finish(&match);
            whole.number = match.value;
        }
        hold(decoder, &state);
        decoder->on_event(&whole, decoder->user);
    } else {
        decoder->is_wrong = true;
    }
    text_release(&state);
}

static void take_event(const struct sse_event *event, void *user)
{
    struct decoder *decoder = user;
    if (decoder->is_wrong)
        return;
    if (decoder->takes_differences && strcmp(event->name, "difference") == 0) {
        take_difference(decoder, event);
        return;
    }
    if (decoder->takes_differences && (*event->name == '\0' || strcmp(event->name, "message") == 0))
        hold(decoder, &decoder->said.data);
    decoder->on_event(event, decoder->user);
}

static void take_text(struct decoder *decoder, const char *data, size_t len)
{
    decoder->sse.kept = decoder->takes_differences ? &decoder->said : NULL;
    sse_feed(&decoder->sse, decoder->rule, data, len, take_event, decoder);
}

static bool unpack(struct decoder *decoder, const char *data, size_t len)
{
    static char out[65536];
    z_stream *gzip = &decoder->gzip;
    gzip->next_in = (Bytef *)data;
    gzip->avail_in = (uInt)len;
    do {
        if (decoder->has_ended)
            return gzip->avail_in == 0;
        gzip->next_out = (Bytef *)out;
        gzip->avail_out = sizeof(out);
        int result = inflate(gzip, Z_SYNC_FLUSH);
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
            return false;
        decoder->has_ended = result == Z_STREAM_END;
        take_text(decoder, out, sizeof(out) - gzip->avail_out);
    } while (gzip->avail_in > 0 || gzip->avail_out == 0);
    return true;
}

bool decoder_feed(struct decoder *decoder, const char *data, size_t len, sse_event_fn *on_event, void *user)
{
    decoder->on_event = on_event;
    decoder->user = user;
    if (!decoder->is_gzip)
        take_text(decoder, data, len);
    else if (!unpack(decoder, data, len))
        return false;
    return !decoder->is_wrong;
}
