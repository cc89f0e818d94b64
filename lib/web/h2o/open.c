/* From an accepted request to a stream that has its socket. Nothing of the request is kept. */
#include "base/random.h"
#include "web/h2o/socket.h"
#include <h2o/http1.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BODY_BYTES 128
/* Its size as a chunk, and what ends that. */
#define CHUNK_BYTES 16

static void write_head(const struct fr_h2o_stream *self, const struct fr_h2o_visit *visit)
{
    h2o_req_t *req = visit->req;
    req->res.status = 200;
    req->res.reason = "OK";
    fr_h2o_add_header(req, "content-type", "text/event-stream; charset=utf-8");
    fr_h2o_add_header(req, "cache-control", "no-store, no-transform");
    fr_h2o_add_header(req, "x-accel-buffering", "no");
    fr_h2o_add_header(req, "x-content-type-options", "nosniff");
    fr_h2o_add_header(req, "vary", "Accept-Encoding");
    if (visit->in_gzip)
        fr_h2o_add_header(req, "content-encoding", "gzip");
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
    char body[FIRST_BODY_BYTES], coded[FIRST_BODY_BYTES + FR_ENCODER_FIRST_BYTES];
    size_t len = (size_t)snprintf(body, sizeof(body), ": freshet 1 heartbeat=%u\nretry: %u\n\n", heartbeat_ms,
                                  retry_ms);
    const char *content = body;
    if (fr_stream_gzip(&self->stream) != NULL) {
        len = fr_encoder_begin(&self->stream, coded, freshet_span(body, len));
        content = coded;
    }
    char *room = h2o_mem_alloc_pool(&req->pool, sizeof(coded) + CHUNK_BYTES), *to = room;
    if (self->stream.chunked)
        to += snprintf(to, CHUNK_BYTES, "%zx\r\n", len);
    to = (char *)memcpy(to, content, len) + len;
    if (self->stream.chunked)
        to = (char *)memcpy(to, "\r\n", 2) + 2;
    self->first_len = (uint16_t)(to - room);
    return h2o_iovec_init(room, self->first_len);
}

void fr_h2o_stream_upgrade(struct fr_h2o_stream *self, const struct fr_h2o_visit *visit)
{
    h2o_req_t *req = visit->req;
    self->stream.quota = visit->quota;
    fr_stream_count_open(fr_h2o_stream_worker(self)->core, visit->in_gzip);
    self->upgrading = true;
    fr_h2o_stream_worker(self)->upgrading++;
    fr_h2o_stream_keep_slow(self);
    write_head(self, visit);
    h2o_iovec_t first = make_first(self, req);
    h2o_http1_upgrade(req, &first, 1, fr_h2o_stream_upgraded, self);
}

struct fr_h2o_stream *fr_h2o_stream_new(const struct fr_h2o_visit *visit)
{
    const struct fr_h2o_mount_worker *mount_worker = visit->mount_worker;
    struct fr_h2o_stream *self =
        calloc(1, visit->in_gzip ? sizeof(struct fr_h2o_gzip_stream) : sizeof(*self));
    if (self == NULL)
        return NULL;
    self->sock = visit->req->conn->callbacks->get_socket(visit->req->conn);
    self->opened_us = mount_worker->worker->now_us;
    self->peer = visit->peer;
    self->stream.view.takes_differences = fr_h2o_takes_differences(visit->req);
    fr_stream_init(&self->stream, visit->in_gzip ? &mount_worker->gzip : &mount_worker->plain,
                   visit->req->version >= 0x101);
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
