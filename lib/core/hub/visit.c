#include "core/hub/visit.h"

#include "core/hub/fanout.h"
#include "core/load/loader.h"
#include "core/runtime/context.h"
#include <stdio.h>
#include <string.h>

static enum fr_visit_answer put_off(struct freshet_refusal *refusal, const char *code)
{
    snprintf(refusal->code, sizeof(refusal->code), "%s", code);
    return FR_VISIT_LATER;
}

static enum fr_visit_answer keep_request(struct fr_visit *visit, const struct fr_request_view *request_view,
                                         struct freshet_refusal *refusal)
{
    switch (fr_request_copy_new(&visit->request_copy, request_view)) {
    case FRESHET_OK:
        return FR_VISIT_YES;
    case FRESHET_INVALID:
        *refusal = (struct freshet_refusal){400, "bad-query"};
        return FR_VISIT_NO;
    case FRESHET_TOO_LARGE:
        *refusal = (struct freshet_refusal){431, "request-too-large"};
        return FR_VISIT_NO;
    default:
        return put_off(refusal, "no-memory");
    }
}

enum fr_visit_answer fr_visit_begin(struct fr_visit *visit, const struct fr_request_view *request_view,
                                    const struct fr_guards *mount, struct freshet_refusal *refusal)
{
    enum fr_visit_answer answer = FR_VISIT_YES;
    *refusal = (struct freshet_refusal){.status = 0};
    visit->from = request_view->from;
    if (fr_admission_new(&visit->admission, visit->worker, visit->loader, request_view->path, visit->params,
                         mount) != FRESHET_OK)
        answer = put_off(refusal, "no-memory");
    else if (visit->admission != NULL || fr_loader_looks(visit->loader))
        answer = keep_request(visit, request_view, refusal);
    if (visit->admission != NULL)
        visit->admission->request_copy = fr_request_copy_acquire(visit->request_copy);
    if (answer != FR_VISIT_YES)
        fr_visit_end(visit);
    return answer;
}

void fr_visit_end(struct fr_visit *visit)
{
    fr_admission_destroy(visit->admission);
    fr_params_release(visit->params);
    fr_request_copy_release(visit->request_copy);
    visit->admission = NULL;
    visit->params = NULL;
    visit->request_copy = NULL;
}

/* Which feed the visit is for. */
static enum fr_visit_answer find_key(const struct fr_visit *visit, struct fr_feed_key **out,
                                     struct freshet_refusal *refusal)
{
    struct freshet_topic topic;
    struct freshet_identity identity = {0};
    struct freshet_request seen =
        fr_loader_request(visit->loader, visit->request_copy, visit->params,
                          visit->admission == NULL ? NULL : visit->admission->attributes);
    if (fr_loader_topic(visit->loader, &seen, &topic, refusal) != FRESHET_OK ||
        fr_loader_identity(visit->loader, &seen, &identity, refusal) != FRESHET_OK)
        return FR_VISIT_NO;
    *out = fr_feed_key_new(visit->loader, &topic, freshet_span(identity.text, identity.len), visit->params,
                           visit->request_copy);
    return *out != NULL ? FR_VISIT_YES : put_off(refusal, "no-memory");
}

/* Of new topics: which limit is reached, or NULL, and this one counts. A client's own comes first: over it,
 * it takes nothing away from the others. */
static const char *reach_limit(const struct fr_visit *visit, struct freshet_span topic)
{
    struct freshet *freshet = visit->worker->freshet;
    int64_t now_us = fr_worker_now_us(visit->worker);
    uint32_t of_peer = freshet->options.max_new_topics_per_s_per_peer;
    if (of_peer != 0 && visit->from != NULL && !fr_topics_is_known(&freshet->topics, topic) &&
        !fr_peers_permit(&freshet->peers, visit->from, of_peer, now_us))
        return "max-new-topics-per-peer";
    return fr_topics_permit(&freshet->topics, topic, now_us) ? NULL : "max-new-topics";
}

/* Why there is none for the key, or NULL. */
static const char *find_fanout(const struct fr_visit *visit, struct fr_feed_key *key, struct fr_fanout **out)
{
    const char *limit = reach_limit(visit, key->topic);
    if (limit != NULL)
        return limit;
    switch (fr_fanout_get(visit->worker, key, out)) {
    case FRESHET_OK:
        return NULL;
    case FRESHET_FULL:
        return "max-topics";
    default:
        return "no-memory";
    }
}

static enum fr_visit_answer open_view(struct fr_visit *visit, struct fr_view *view,
                                      struct freshet_refusal *refusal)
{
    struct fr_feed_key *key;
    struct fr_fanout *fanout;
    enum fr_visit_answer answer = find_key(visit, &key, refusal);
    if (answer != FR_VISIT_YES)
        return answer;
    const char *reason = find_fanout(visit, key, &fanout);
    fr_feed_key_release(key);
    if (reason != NULL)
        return put_off(refusal, reason);
    fr_view_open(view, fanout, visit->admission, visit->has_held ? &visit->held : NULL);
    visit->admission = NULL;
    return FR_VISIT_YES;
}

enum fr_visit_answer fr_visit_open(struct fr_visit *visit, struct fr_view *view,
                                   struct freshet_refusal *refusal)
{
    enum fr_visit_answer answer = open_view(visit, view, refusal);
    fr_visit_end(visit);
    return answer;
}

enum fr_visit_answer fr_visit_refused(const struct fr_verdict *verdict, struct freshet_refusal *refusal)
{
    refusal->status = verdict->status;
    memcpy(refusal->code, verdict->code, sizeof(refusal->code));
    return verdict->kind == FR_VERDICT_DENY ? FR_VISIT_NO : FR_VISIT_LATER;
}
