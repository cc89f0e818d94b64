/* From an accepted request to a stream that has its socket. Nothing of the request is kept. */
#include "base/random.h"
#include "web/h2o_socket.h"
#include <h2o/http1.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BODY_BYTES 128

static void add_header(h2o_req_t *req, const char *name, const char *value)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 1, NULL, value, strlen(value));
}

static void write_head(const struct fr_h2o_stream *self, h2o_req_t *req)
{
    req->res.status = 200;
    req->res.reason = "OK";
    add_header(req, "content-type", "text/event-stream; charset=utf-8");
    add_header(req, "cache-control", "no-store, no-transform");
    add_header(req, "x-accel-buffering", "no");
    add_header(req, "x-content-type-options", "nosniff");
    /* Beside h2o's own, which says `upgrade`. */
    add_header(req, "connection", "close");
    fr_h2o_mount_add_headers(fr_h2o_stream_site(&self->stream)->mount, req);
    if (self->stream.chunked)
        add_header(req, "transfer-encoding", "chunked");
}

/* The first part of the body: leaves in one write with the head. */
static h2o_iovec_t make_first(struct fr_h2o_stream *self, h2o_req_t *req)
{
    const struct fr_stream_kind *kind = self->stream.kind;
    unsigned heartbeat_ms = kind->heartbeat_ms == FRESHET_NEVER ? 0 : kind->heartbeat_ms;
    unsigned retry_ms = (unsigned)fr_random_between(kind->retry_min_ms, kind->retry_max_ms);
    char body[FIRST_BODY_BYTES];
    int body_len =
        snprintf(body, sizeof(body), ": freshet 1 heartbeat=%u\nretry: %u\n\n", heartbeat_ms, retry_ms);
    char *room = h2o_mem_alloc_pool(&req->pool, FIRST_BODY_BYTES + 16);
    int len = snprintf(room, FIRST_BODY_BYTES + 16, self->stream.chunked ? "%x\r\n%s\r\n" : "%.0x%s",
                       self->stream.chunked ? (unsigned)body_len : 0, body);
    self->first_len = (uint16_t)len;
    return h2o_iovec_init(room, (size_t)len);
}

static void upgrade(struct fr_h2o_stream *self, h2o_req_t *req)
{
    self->upgrading = true;
    fr_h2o_stream_worker(self)->upgrading++;
    write_head(self, req);
    h2o_iovec_t first = make_first(self, req);
    h2o_http1_upgrade(req, &first, 1, fr_h2o_stream_upgraded, self);
}

/* The version that the client says it holds. */
static const struct fr_version *read_held(h2o_req_t *req, struct fr_version *version)
{
    ssize_t at = h2o_find_header_by_str(&req->headers, H2O_STRLIT("last-event-id"), -1);
    if (at == -1)
        return NULL;
    const h2o_iovec_t *value = &req->headers.entries[at].value;
    return fr_version_parse(freshet_span(value->base, value->len), version) ? version : NULL;
}

static enum freshet_status open_view(struct fr_h2o_stream *self, h2o_req_t *req,
                                     struct freshet_loader *loader, struct fr_params *params,
                                     struct freshet_refusal *refusal)
{
    char peer[FR_H2O_PEER_TEXT_BYTES];
    struct fr_version version;
    struct fr_view_request request = {.loader = loader,
                                      .params = params,
                                      .peer = fr_h2o_peer_print(&self->peer, peer),
                                      .held = read_held(req, &version)};
    return fr_view_open(fr_h2o_stream_worker(self)->core, &self->stream.view, &request, refusal);
}

static struct fr_h2o_stream *make_stream(struct fr_h2o_site *site, h2o_req_t *req)
{
    struct fr_h2o_stream *self = calloc(1, sizeof(*self));
    if (self == NULL)
        return NULL;
    self->sock = req->conn->callbacks->get_socket(req->conn);
    self->opened_us = site->worker->now_us;
    fr_h2o_peer_read(&self->peer, h2o_socket_get_fd(self->sock));
    fr_stream_init(&self->stream, &site->kind, req->version >= 0x101);
    return self;
}

static void refuse(struct fr_h2o_site *site, h2o_req_t *req, enum freshet_status status,
                   const struct freshet_refusal *refusal)
{
    bool valid = refusal->status >= 400 && refusal->status <= 499;
    if (status == FRESHET_REFUSED) {
        fr_count(&fr_worker_counters(site->worker->core)->streams_denied, 1);
        fr_h2o_refuse(site->mount, req, valid ? refusal->status : 403, refusal->code);
    } else {
        fr_h2o_refuse_for_now(site->mount, req, refusal->code);
    }
}

/* Makes a stream whose view is open and whose socket h2o still has. Takes `params` over. */
static enum freshet_status make_open(struct fr_h2o_site *site, h2o_req_t *req, struct freshet_loader *loader,
                                     struct fr_params *params, struct fr_h2o_stream **out,
                                     struct freshet_refusal *refusal)
{
    struct fr_h2o_stream *self = make_stream(site, req);
    if (self == NULL) {
        fr_params_destroy(params);
        return FRESHET_NO_MEMORY;
    }
    enum freshet_status status = open_view(self, req, loader, params, refusal);
    if (status != FRESHET_OK) {
        fr_stream_deinit(&self->stream);
        free(self);
        self = NULL;
    }
    *out = self;
    return status;
}

void fr_h2o_stream_open(struct fr_h2o_site *site, h2o_req_t *req, struct freshet_loader *loader,
                        struct fr_params *params)
{
    struct fr_worker *core = site->worker->core;
    fr_h2o_worker_tick(site->worker);
    if (fr_stream_begin(core) != FRESHET_OK) {
        fr_params_destroy(params);
        fr_h2o_refuse_for_now(site->mount, req, "max-streams");
        return;
    }
    struct freshet_refusal refusal = {.code = "no-memory"};
    struct fr_h2o_stream *self = NULL;
    enum freshet_status status = make_open(site, req, loader, params, &self, &refusal);
    if (status == FRESHET_OK) {
        upgrade(self, req);
    } else {
        fr_stream_cancel(core);
        refuse(site, req, status, &refusal);
    }
    fr_h2o_worker_rearm(site->worker);
}
