#include "http/internal.h"
#include <stdlib.h>
#include <string.h>

static const char *reason_text(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 409:
        return "Conflict";
    case 413:
        return "Content Too Large";
    case 415:
        return "Unsupported Media Type";
    case 421:
        return "Misdirected Request";
    case 503:
        return "Service Unavailable";
    default:
        return "Internal Server Error";
    }
}

static void add_header(h2o_req_t *req, const char *name, const char *value)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 0, NULL, value, strlen(value));
}

void http_send(h2o_req_t *req, const char *instance, int status, const char *type, struct freshet_span body)
{
    req->res.status = status;
    req->res.reason = reason_text(status);
    req->res.content_length = body.len;
    add_header(req, "content-type", h2o_strdup(&req->pool, type, SIZE_MAX).base);
    add_header(req, "cache-control", "no-store");
    add_header(req, "x-content-type-options", "nosniff");
    add_header(req, "x-instance", instance);
    h2o_send_inline(req, body.data == NULL ? "" : body.data, body.len);
}

void http_answer(struct http_request *request, int status, const char *type, struct freshet_span body)
{
    http_send(request->h2o, http_instance(request->router), status, type, body);
}

void http_add_header(struct http_request *request, const char *name, const char *value)
{
    add_header(request->h2o, name, value);
}

json_t *http_error_object(const char *error, const char *field)
{
    return field == NULL ? json_pack("{s:s}", "error", error)
                         : json_pack("{s:s, s:s}", "error", error, "field", field);
}

void http_answer_json(struct http_request *request, int status, json_t *json)
{
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (text == NULL)
        http_answer(request, 500, "application/json", freshet_span_text("{\"error\":\"out of memory\"}"));
    else
        http_answer(request, status, "application/json", freshet_span_text(text));
    free(text);
}

void http_answer_error(struct http_request *request, int status, const char *error, const char *field)
{
    http_answer_json(request, status, http_error_object(error, field));
}

bool http_has_body(const struct http_request *request)
{
    return request->h2o->entity.len > 0;
}

/* A form of another site can't send this type without asking first. */
static bool is_json(h2o_req_t *req)
{
    static const char type[] = "application/json";
    const size_t len = sizeof(type) - 1;
    ssize_t at = h2o_find_header(&req->headers, H2O_TOKEN_CONTENT_TYPE, -1);
    if (at < 0)
        return false;
    h2o_iovec_t value = req->headers.entries[at].value;
    return value.len >= len && strncasecmp(value.base, type, len) == 0 &&
           (value.len == len || value.base[len] == ';' || value.base[len] == ' ');
}

json_t *http_read_object(struct http_request *request)
{
    h2o_iovec_t body = request->h2o->entity;
    if (body.len > HTTP_MAX_BODY_BYTES) {
        http_answer_error(request, 413, "must be at most 16384 bytes", "body");
        return NULL;
    }
    if (!is_json(request->h2o)) {
        http_answer_error(request, 415, "must be application/json", "content-type");
        return NULL;
    }
    json_t *json = json_loadb(body.len == 0 ? "" : body.base, body.len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(json))
        return json;
    json_decref(json);
    http_answer_error(request, 400, "must be one JSON object", "body");
    return NULL;
}
