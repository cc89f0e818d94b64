#include "core/request/request.h"

#include "core/request/cookie.h"
#include "core/request/query.h"
#include <stdlib.h>
#include <string.h>

/* ---- what is kept ---- */

/* Empty pairs count for nothing. */
static size_t count_pairs(struct freshet_span query)
{
    size_t count = 0;
    for (size_t i = 0; i < query.len; i++)
        count += query.data[i] != '&' && (i == 0 || query.data[i - 1] == '&');
    return count;
}

static struct freshet_span keep(char **at, struct freshet_span from)
{
    char *to = *at;
    if (from.len > 0)
        memcpy(to, from.data, from.len);
    to[from.len] = '\0';
    *at = to + from.len + 1;
    return freshet_span(to, from.len);
}

static enum freshet_status keep_query(struct fr_request_copy *request_copy, struct freshet_span query,
                                      char *at)
{
    struct fr_field field;
    enum freshet_status status;
    while ((status = fr_query_next(&query, &at, &field.name, &field.value)) == FRESHET_OK)
        request_copy->query[request_copy->query_count++] = field;
    return status == FRESHET_NOT_FOUND ? FRESHET_OK : status;
}

static void keep_headers(struct fr_request_copy *request_copy, const struct fr_request_view *request_view,
                         char **at)
{
    for (; request_copy->header_count < request_view->header_count; request_copy->header_count++) {
        struct fr_field *header = &request_copy->headers[request_copy->header_count];
        header->name = keep(at, request_view->headers[request_copy->header_count].name);
        if (request_view->headers[request_copy->header_count].value.data != NULL)
            header->value = keep(at, request_view->headers[request_copy->header_count].value);
        else
            header->value = freshet_span(NULL, 0);
    }
}

static bool has_same_headers(const struct fr_request_copy *request_copy,
                             const struct fr_request_view *request_view)
{
    bool same = request_copy->header_count == request_view->header_count;
    for (size_t i = 0; same && i < request_view->header_count; i++)
        same = freshet_span_equal(request_copy->headers[i].name, request_view->headers[i].name) &&
               freshet_span_equal(request_copy->headers[i].value, request_view->headers[i].value);
    return same;
}

/* Who has these headers already, or NULL. */
static struct fr_request_copy *find_like(const struct fr_request_view *request_view)
{
    if (request_view->header_count == 0 || request_view->like == NULL ||
        !has_same_headers(request_view->like, request_view))
        return NULL;
    return request_view->like->like == NULL ? request_view->like : request_view->like->like;
}

static size_t count_header_bytes(const struct fr_request_view *request_view)
{
    size_t bytes = 0;
    for (size_t i = 0; i < request_view->header_count; i++)
        bytes += request_view->headers[i].name.len + request_view->headers[i].value.len;
    return bytes;
}

void fr_request_view_add_absent(struct fr_request_view *request_view, char *const *names)
{
    for (; names != NULL && *names != NULL; names++) {
        struct freshet_span name = freshet_span_text(*names);
        bool is_there = false;
        for (size_t i = 0; i < request_view->header_count && !is_there; i++)
            is_there = freshet_span_equal(request_view->headers[i].name, name);
        if (!is_there && request_view->header_count < FR_REQUEST_ROOM_HEADERS)
            request_view->headers[request_view->header_count++] = (struct fr_field){.name = name};
    }
}

enum freshet_status fr_request_copy_new(struct fr_request_copy **out,
                                        const struct fr_request_view *request_view)
{
    size_t pairs = count_pairs(request_view->query), header_bytes = count_header_bytes(request_view);
    *out = NULL;
    if (header_bytes + request_view->query.len > FR_REQUEST_MOST_BYTES || pairs > FR_REQUEST_MOST_PAIRS ||
        request_view->too_many)
        return FRESHET_TOO_LARGE;
    struct fr_request_copy *like = find_like(request_view);
    size_t own = like == NULL ? request_view->header_count : 0, fields = own + pairs;
    size_t bytes =
        request_view->path.len + request_view->peer.len + request_view->query.len + 2; /* two NULs */
    if (like == NULL)
        bytes += header_bytes + 2 * own;
    struct fr_request_copy *request_copy =
        malloc(sizeof(*request_copy) + fields * sizeof(struct fr_field) + bytes);
    if (request_copy == NULL)
        return FRESHET_NO_MEMORY;
    *request_copy =
        (struct fr_request_copy){.headers = request_copy->fields, .query = request_copy->fields + own};
    fr_refcount_init(&request_copy->references);
    char *at = (char *)(request_copy->fields + fields);
    request_copy->path = keep(&at, request_view->path);
    request_copy->peer = keep(&at, request_view->peer);
    if (like == NULL) {
        keep_headers(request_copy, request_view, &at);
    } else {
        request_copy->like = fr_request_copy_acquire(like);
        request_copy->headers = like->headers;
        request_copy->header_count = like->header_count;
    }
    enum freshet_status status = keep_query(request_copy, request_view->query, at);
    if (status == FRESHET_OK)
        *out = request_copy;
    else
        fr_request_copy_release(request_copy);
    return status;
}

struct fr_request_copy *fr_request_copy_acquire(struct fr_request_copy *request_copy)
{
    if (request_copy != NULL)
        fr_refcount_acquire(&request_copy->references);
    return request_copy;
}

void fr_request_copy_release(struct fr_request_copy *request_copy)
{
    if (request_copy == NULL || !fr_refcount_release(&request_copy->references))
        return;
    fr_request_copy_release(request_copy->like); /* has none itself */
    free(request_copy);
}

struct fr_attribute *fr_attribute_new(struct fr_attribute *next, struct freshet_span name,
                                      struct freshet_span value)
{
    struct fr_attribute *attribute = malloc(sizeof(*attribute) + name.len + 1 + value.len + 1);
    if (attribute == NULL) {
        fr_attribute_release(next);
        return NULL;
    }
    *attribute = (struct fr_attribute){.next = next};
    fr_refcount_init(&attribute->references);
    char *at = attribute->text;
    attribute->name = keep(&at, name);
    attribute->value = keep(&at, value);
    return attribute;
}

struct fr_attribute *fr_attribute_acquire(struct fr_attribute *attribute)
{
    if (attribute != NULL)
        fr_refcount_acquire(&attribute->references);
    return attribute;
}

void fr_attribute_release(struct fr_attribute *attribute)
{
    while (attribute != NULL && fr_refcount_release(&attribute->references)) {
        struct fr_attribute *next = attribute->next;
        free(attribute);
        attribute = next;
    }
}

/* ---- what callbacks ask ---- */

static enum freshet_status find_field(const struct fr_field *fields, size_t count, const char *name,
                                      size_t index, struct freshet_span *value)
{
    for (size_t i = 0; i < count; i++) {
        if (!freshet_span_equal(fields[i].name, freshet_span_text(name)))
            continue;
        if (index-- == 0) {
            *value = fields[i].value;
            return FRESHET_OK;
        }
    }
    return FRESHET_NOT_FOUND;
}

/* FRESHET_INVALID: there is no request to ask, no name, or no room for the answer. */
static enum freshet_status begin(const struct freshet_request *request, const char *name,
                                 struct freshet_span *value)
{
    if (value == NULL)
        return FRESHET_INVALID;
    *value = freshet_span(NULL, 0);
    if (request == NULL || name == NULL)
        return FRESHET_INVALID;
    return request->request_copy == NULL ? FRESHET_NOT_FOUND : FRESHET_OK;
}

enum freshet_status freshet_request_param(const struct freshet_request *request, const char *name,
                                          size_t index, struct freshet_span *value)
{
    if (begin(request, name, value) == FRESHET_INVALID)
        return FRESHET_INVALID;
    return fr_param_find(request->params, request->route, name, index, value);
}

enum freshet_status freshet_request_query(const struct freshet_request *request, const char *name,
                                          size_t index, struct freshet_span *value)
{
    enum freshet_status status = begin(request, name, value);
    if (status != FRESHET_OK)
        return status;
    return find_field(request->request_copy->query, request->request_copy->query_count, name, index, value);
}

/* The `index`-th of that name. FRESHET_UNSUPPORTED: it is not kept, so nobody knows whether it was sent. */
static enum freshet_status find_header(const struct freshet_request *request, const char *name, size_t index,
                                       struct freshet_span *value)
{
    const struct fr_request_copy *request_copy = request->request_copy;
    enum freshet_status status =
        find_field(request_copy->headers, request_copy->header_count, name, index, value);
    if (status == FRESHET_OK && value->data == NULL)
        return FRESHET_NOT_FOUND;
    if (status == FRESHET_OK || index > 0)
        return status;
    if (request->not_named != NULL)
        request->not_named(request->user, name);
    return FRESHET_UNSUPPORTED;
}

enum freshet_status freshet_request_header(const struct freshet_request *request, const char *name,
                                           struct freshet_span *value)
{
    enum freshet_status status = begin(request, name, value);
    if (status != FRESHET_OK)
        return status;
    return find_header(request, name, 0, value);
}

enum freshet_status freshet_request_cookie(const struct freshet_request *request, const char *name,
                                           struct freshet_span *value)
{
    struct freshet_span header;
    enum freshet_status status = begin(request, name, value);
    if (status != FRESHET_OK)
        return status;
    for (size_t i = 0; (status = find_header(request, "cookie", i, &header)) == FRESHET_OK; i++)
        if (fr_cookie_find(header, freshet_span_text(name), value) == FRESHET_OK)
            return FRESHET_OK;
    return status;
}

enum freshet_status freshet_request_attribute(const struct freshet_request *request, const char *name,
                                              struct freshet_span *value)
{
    if (begin(request, name, value) == FRESHET_INVALID)
        return FRESHET_INVALID;
    for (const struct fr_attribute *at = request->attributes; at != NULL; at = at->next) {
        if (!freshet_span_equal(at->name, freshet_span_text(name)))
            continue;
        *value = at->value;
        return FRESHET_OK;
    }
    return FRESHET_NOT_FOUND;
}

struct freshet_span freshet_request_path(const struct freshet_request *request)
{
    return request == NULL || request->request_copy == NULL ? freshet_span(NULL, 0)
                                                            : request->request_copy->path;
}

struct freshet_span freshet_request_peer(const struct freshet_request *request)
{
    if (request == NULL)
        return freshet_span(NULL, 0);
    return request->request_copy == NULL ? freshet_span(NULL, 0) : request->request_copy->peer;
}
