/* From an accepted request to a stream that has its socket. Nothing of the request is kept. */
#include "base/random.h"
#include "web/h2o/socket.h"
#include <h2o/http1.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_BODY_BYTES 128

static void write_head(const struct fr_h2o_stream *self, h2o_req_t *req)
{
    req->res.status = 200;
    req->res.reason = "OK";
    fr_h2o_add_header(req, "content-type", "text/event-stream; charset=utf-8");
    fr_h2o_add_header(req, "cache-control", "no-store, no-transform");
    fr_h2o_add_header(req, "x-accel-buffering", "no");
    fr_h2o_add_header(req, "x-content-type-options", "nosniff");
    /* Beside h2o's own, which says `upgrade`. */
    fr_h2o_add_header(req, "connection", "close");
    fr_h2o_mount_add_headers(fr_h2o_stream_mount_worker(&self->stream)->mount, req);
    if (self->stream.chunked)
        fr_h2o_add_header(req, "transfer-encoding", "chunked");
}

/* The first part of the body: leaves in one write with the head. */
static h2o_iovec_t make_first(struct fr_h2o_stream *self, h2o_req_t *req)
{
    const struct fr_stream_config *config = self->stream.config;
    unsigned heartbeat_ms = config->heartbeat_ms == FRESHET_NEVER ? 0 : config->heartbeat_ms;
    unsigned retry_ms = (unsigned)fr_random_between(config->retry_min_ms, config->retry_max_ms);
    char body[FIRST_BODY_BYTES];
    int body_len =
        snprintf(body, sizeof(body), ": freshet 1 heartbeat=%u\nretry: %u\n\n", heartbeat_ms, retry_ms);
    char *room = h2o_mem_alloc_pool(&req->pool, FIRST_BODY_BYTES + 16);
    int len = snprintf(room, FIRST_BODY_BYTES + 16, self->stream.chunked ? "%x\r\n%s\r\n" : "%.0x%s",
                       self->stream.chunked ? (unsigned)body_len : 0, body);
    self->first_len = (uint16_t)len;
    return h2o_iovec_init(room, (size_t)len);
}

void fr_h2o_stream_upgrade(struct fr_h2o_stream *self, const struct fr_h2o_visit *visit)
{
    h2o_req_t *req = visit->req;
    self->stream.quota = visit->quota;
    fr_stream_count_open(fr_h2o_stream_worker(self)->core);
    self->upgrading = true;
    fr_h2o_stream_worker(self)->upgrading++;
    fr_h2o_stream_keep_slow(self);
    write_head(self, req);
    h2o_iovec_t first = make_first(self, req);
    h2o_http1_upgrade(req, &first, 1, fr_h2o_stream_upgraded, self);
}

struct fr_h2o_stream *fr_h2o_stream_new(const struct fr_h2o_visit *visit)
{
    struct fr_h2o_stream *self = calloc(1, sizeof(*self));
    if (self == NULL)
        return NULL;
    self->sock = visit->req->conn->callbacks->get_socket(visit->req->conn);
    self->opened_us = visit->mount_worker->worker->now_us;
    self->peer = visit->peer;
    fr_stream_init(&self->stream, &visit->mount_worker->stream_config, visit->req->version >= 0x101);
    return self;
}

void fr_h2o_stream_drop(struct fr_h2o_stream *self)
{
    if (self == NULL)
        return;
    fr_stream_deinit(&self->stream);
    free(self);
}

void fr_h2o_visit_open(struct fr_h2o_visit *visit)
{
    struct freshet_refusal refusal = {.code = "no-memory"};
    struct fr_h2o_stream *self = fr_h2o_stream_new(visit);
    enum fr_visit_answer answer =
        self == NULL ? FR_VISIT_LATER : fr_visit_open(&visit->core, &self->stream.view, &refusal);
    if (answer == FR_VISIT_YES) {
        fr_h2o_stream_upgrade(self, visit);
        return;
    }
    fr_h2o_stream_drop(self);
    fr_h2o_visit_refuse(visit, answer, &refusal);
}
