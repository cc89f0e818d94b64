/* The way back of an answer: a message to the loop that holds the request. */
#include "http_internal.h"
#include <stdlib.h>
#include <string.h>

/* Lives in the request's pool and goes with it. */
struct tie {
    struct http_later *later; /* NULL: answered */
};

struct http_later {
    h2o_multithread_message_t message;
    struct http_worker *worker;
    const char *instance;
    h2o_req_t *req;  /* the loop's; NULL when the request has gone */
    struct tie *tie; /* valid with it */
    int status;
    char *body; /* NULL: out of memory */
};

static void untie(void *memory)
{
    struct tie *tie = memory;
    if (tie->later != NULL)
        tie->later->req = NULL;
}

struct http_later *http_later_new(struct http_request *request)
{
    struct http_later *later = calloc(1, sizeof(*later));
    if (later == NULL) {
        http_answer_error(request, 500, "out of memory", NULL);
        return NULL;
    }
    later->worker = http_worker_of(request->router, request->h2o->conn->ctx);
    later->instance = http_instance(request->router);
    later->req = request->h2o;
    later->tie = h2o_mem_alloc_shared(&request->h2o->pool, sizeof(*later->tie), untie);
    later->tie->later = later;
    later->worker->pending++;
    return later;
}

void http_later_json(struct http_later *later, int status, json_t *json)
{
    later->status = status;
    later->body = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    json_decref(json);
    h2o_multithread_send_message(&later->worker->receiver, &later->message);
}

void http_later_error(struct http_later *later, int status, const char *error, const char *field)
{
    http_later_json(later, status, http_error_object(error, field));
}

static void deliver(struct http_later *later)
{
    h2o_req_t *req = later->req;
    if (req == NULL)
        return;
    later->tie->later = NULL;
    if (later->body != NULL)
        http_send(req, later->instance, later->status, "application/json", freshet_span_text(later->body));
    else
        http_send(req, later->instance, 500, "application/json",
                  freshet_span_text("{\"error\":\"out of memory\"}"));
}

void http_later_receive(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    struct http_worker *worker = H2O_STRUCT_FROM_MEMBER(struct http_worker, receiver, receiver);
    while (!h2o_linklist_is_empty(messages)) {
        struct http_later *later = H2O_STRUCT_FROM_MEMBER(struct http_later, message.link, messages->next);
        h2o_linklist_unlink(&later->message.link);
        deliver(later);
        worker->pending--;
        free(later->body);
        free(later);
    }
}
