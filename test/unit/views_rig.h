/* Streams of several views on a scripted transport, over a real core on a scripted bus. */
#ifndef VIEWS_RIG_H
#define VIEWS_RIG_H

#include "core/codec/gzip_coder.h"
#include "core/load/loader.h"
#include "guard_rig.h"
#include "web/stream/encoder.h"
#include "web/stream/stream.h"
#include "web/stream/views.h"
#include <string.h>
#include <zlib.h>

/* What a client of one stream sees; outlives the stream. */
struct page {
    struct line *line; /* NULL: closed */
    struct {
        char data[1 << 16];
        size_t len;
    } out; /* what has come */
    struct {
        char data[1 << 16];
        size_t len;
    } packed; /* of a page in gzip: no whole chunk yet */
    z_stream zlib;
    size_t room; /* taken by the connection until it is full */
    bool waits, broken, finished;
    unsigned ended;
    enum freshet_close_reason reason;
};

/* Freed when it is closed, so that the address sanitizer sees who still looks at it. */
struct line {
    struct fr_stream stream;
    struct fr_gzip_stream gzip;
    struct page *page;
};

static struct fr_stream_group group;
static struct fr_stream_config config, gzip_config;
static const struct fr_stream_config *page_config; /* of the next page */
static struct fr_guards mount_guards;

static struct page *page_of(struct fr_stream *stream)
{
    return FR_CONTAINER(stream, struct line, stream)->page;
}

static void page_inflate(struct page *page, const char *bytes, size_t len)
{
    z_stream *zlib = &page->zlib;
    zlib->next_in = (Bytef *)bytes;
    zlib->avail_in = (uInt)len;
    zlib->next_out = (Bytef *)page->out.data + page->out.len;
    zlib->avail_out = (uInt)(sizeof(page->out.data) - page->out.len);
    int status = inflate(zlib, Z_SYNC_FLUSH);
    cr_assert(status == Z_OK || status == Z_STREAM_END, "%d %s", status, zlib->msg);
    cr_assert_eq(zlib->avail_in, 0);
    page->out.len = sizeof(page->out.data) - zlib->avail_out;
}

/* Whole chunks, as a client would. */
static void page_unpack(struct page *page, const char *bytes, size_t len)
{
    char *at = page->packed.data;
    cr_assert_leq(len, sizeof(page->packed.data) - page->packed.len);
    memcpy(at + page->packed.len, bytes, len);
    page->packed.len += len;
    for (char *body; (body = memmem(at, page->packed.len, "\r\n", 2)) != NULL;) {
        size_t size = strtoul(at, NULL, 16), whole = (size_t)(body - at) + 2 + size + 2;
        if (whole > page->packed.len)
            return;
        if (size > 0)
            page_inflate(page, body + 2, size);
        page->packed.len -= whole;
        memmove(at, at + whole, page->packed.len);
    }
}

static ssize_t page_send(struct fr_stream *stream, struct freshet_span bytes)
{
    struct page *page = page_of(stream);
    cr_assert(!page->waits && !page->finished);
    if (page->broken)
        return -1;
    size_t taken = bytes.len < page->room ? bytes.len : page->room;
    page->room -= taken;
    page->waits = taken < bytes.len;
    if (stream->config->gzip_at != 0) {
        page_unpack(page, bytes.data, taken);
        return (ssize_t)taken;
    }
    cr_assert_leq(taken, sizeof(page->out.data) - page->out.len);
    memcpy(page->out.data + page->out.len, bytes.data, taken);
    page->out.len += taken;
    return (ssize_t)taken;
}

static void page_finish(struct fr_stream *stream)
{
    page_of(stream)->finished = true;
}

static void page_ended(struct fr_stream *stream, enum freshet_close_reason reason)
{
    page_of(stream)->ended++;
    page_of(stream)->reason = reason;
}

static void page_close(struct fr_stream *stream)
{
    struct line *line = FR_CONTAINER(stream, struct line, stream);
    line->page->line = NULL;
    free(line);
}

/* All that is sent is acknowledged. */
static uint32_t page_nothing(const struct fr_stream *stream)
{
    (void)stream;
    return 0;
}

static const struct fr_stream_ops page_ops = {.send = page_send,
                                              .written = page_nothing,
                                              .queued = page_nothing,
                                              .finish = page_finish,
                                              .ended = page_ended,
                                              .close = page_close};

static const struct fr_worker_host page_host = {
    .wake = rig_wake, .view_ready = fr_views_ready, .view_lost = fr_views_lost};

static inline void add_page_worker(void)
{
    cr_assert_eq(fr_worker_new(&rig.workers[0], rig.freshet, &page_host), FRESHET_OK);
    rig.worker_count = 1;
    group = (struct fr_stream_group){.worker = rig.workers[0], .now_ms = 1000};
    fr_wheel_init(&group.wheel, group.now_ms);
    mount_guards = (struct fr_guards){NULL, 0};
    config = (struct fr_stream_config){.group = &group,
                                       .ops = &page_ops,
                                       .heartbeat_ms = FRESHET_NEVER,
                                       .max_age_ms = FRESHET_NEVER,
                                       .write_timeout_ms = 300,
                                       .retry_min_ms = 10,
                                       .retry_max_ms = 19};
    gzip_config = config;
    gzip_config.gzip_at = offsetof(struct line, gzip);
    page_config = &config;
}

/* Those that begin from now on, until add_page_worker() is called again. */
static inline void put_pages_in_gzip(void)
{
    group.encoder = fr_encoder_new(rig.workers[0]);
    cr_assert_not_null(group.encoder);
    page_config = &gzip_config;
}

/* False: no memory. */
static inline bool page_begin(struct page *page, bool chunked)
{
    inflateEnd(&page->zlib);
    *page = (struct page){.room = SIZE_MAX};
    cr_assert_eq(inflateInit2(&page->zlib, 16 + MAX_WBITS), Z_OK);
    if (page_config->gzip_at != 0)
        page_inflate(page, FR_GZIP_HEAD, FR_GZIP_HEAD_BYTES);
    struct line *line = calloc(1, sizeof(*line));
    if (line == NULL)
        return false;
    const char *code;
    if (fr_stream_begin(rig.workers[0], freshet_span(NULL, 0), 1, &line->stream.quota, &code) != FRESHET_OK) {
        free(line);
        return false;
    }
    line->page = page;
    fr_stream_init(&line->stream, page_config, chunked);
    line->stream.views = fr_views_new(&line->stream, FR_VIEWS_MOST);
    if (line->stream.views == NULL) {
        fr_stream_cancel(rig.workers[0], &line->stream.quota);
        fr_stream_deinit(&line->stream);
        free(line);
        return false;
    }
    page->line = line;
    return true;
}

static inline void page_ask(struct fr_views *views, struct freshet_span name, const struct fr_version *held,
                            struct fr_request_view *request_view)
{
    struct fr_named_view *named = fr_views_add(views, name, held);
    struct freshet_loader *loader;
    struct fr_params *params;
    if (named == NULL)
        return;
    switch (fr_route_find(rig.freshet, request_view->path, &loader, &params)) {
    case FRESHET_OK:
        fr_named_view_visit(named, loader, params, request_view, &mount_guards);
        break;
    case FRESHET_NOT_FOUND:
        fr_named_view_refuse(named, &(struct freshet_refusal){404, "not-found"});
        break;
    default:
        views->failed = true;
    }
}

/* `name` is a path below the mount, maybe with a query. */
static inline void page_add(struct page *page, const char *name, const struct fr_version *held)
{
    const char *query = strchr(name, '?');
    size_t path_len = query == NULL ? strlen(name) : (size_t)(query - name);
    struct fr_request_view request_view = {
        .path = freshet_span(name, path_len),
        .query = freshet_span_text(query == NULL ? "" : query + 1),
        .peer = freshet_span_text("192.0.2.1:5"),
        .headers = {{freshet_span_text("cookie"), freshet_span_text("user=7")}},
        .header_count = 1};
    struct fr_views *views = page->line->stream.views;
    unsigned subscribes = rig.bus->subscribes;
    if (!views->failed)
        page_ask(views, freshet_span_text(name), held, &request_view);
    rig_run();
    if (rig.bus->subscribes > subscribes)
        rig_acknowledge();
    rig_run();
}

/* The head has left. */
static inline void page_go(struct page *page)
{
    fr_stream_count_open(rig.workers[0], false);
    fr_stream_opened(&page->line->stream, 0);
    rig_run();
}

static inline void page_make_room(struct page *page, size_t room)
{
    page->room = room;
    page->waits = false;
    fr_stream_writable(&page->line->stream, 0);
}

/* Lets streams' time pass in steps of a millisecond. */
static inline void pass_for_streams(uint32_t ms)
{
    for (; ms > 0; ms--) {
        group.now_ms++;
        for (struct fr_list *link; (link = fr_wheel_shift(&group.wheel, group.now_ms)) != NULL;)
            fr_stream_check(FR_CONTAINER(link, struct fr_stream, link));
    }
}

static inline void page_hang_up(struct page *page)
{
    if (page->line != NULL)
        fr_stream_client_gone(&page->line->stream);
    cr_assert_null(page->line);
    cr_assert_eq(page->ended, 1);
    rig_run();
}

/* Where a text begins in what has come since; NULL: nowhere. */
static inline const char *page_find(const struct page *page, const char *text)
{
    return memmem(page->out.data, page->out.len, text, strlen(text));
}

static inline unsigned page_count(const struct page *page, const char *text)
{
    unsigned found = 0;
    const char *end = page->out.data + page->out.len;
    for (const char *at = page_find(page, text); at != NULL; found++)
        at = memmem(at + 1, (size_t)(end - at - 1), text, strlen(text));
    return found;
}

#define EXPECT(page, text)                                                                                   \
    cr_assert_not_null(page_find(page, text), "no \"%s\" in: %.*s", text, (int)(page)->out.len,              \
                       (page)->out.data)

#endif
