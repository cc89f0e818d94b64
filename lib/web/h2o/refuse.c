#include "base/bytes.h"
#include "base/random.h"
#include "core/load/loader.h"
#include "core/runtime/context.h"
#include "web/h2o/web.h"
#include <stdio.h>
#include <string.h>

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {{302, "Found"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {406, "Not Acceptable"},
                   {409, "Conflict"},
                   {410, "Gone"},
                   {429, "Too Many Requests"},
                   {431, "Request Header Fields Too Large"},
                   {503, "Service Unavailable"},
                   {505, "HTTP Version Not Supported"}};
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Refused";
}

/* Codes of the application go into JSON as they are. */
static const char *safe_code(const char *code)
{
    return fr_code_is_valid(code) ? code : "refused";
}

void fr_h2o_add_header(h2o_req_t *req, const char *name, const char *value)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 1, NULL, value, strlen(value));
}

void fr_h2o_close_behind_body(h2o_req_t *req)
{
    if (req->entity.len > 0)
        req->http1_is_persistent = 0;
}

static void send_body(const struct fr_h2o_mount *mount, h2o_req_t *req, const char *type, const char *body,
                      size_t len)
{
    fr_h2o_close_behind_body(req);
    fr_h2o_add_header(req, "content-type", type);
    fr_h2o_add_header(req, "cache-control", "no-store");
    fr_h2o_add_header(req, "x-content-type-options", "nosniff");
    if (mount != NULL)
        fr_h2o_mount_add_headers(mount, req);
    req->res.content_length = len;
    h2o_send_inline(req, body, len);
}

static void send_code(const struct fr_h2o_mount *mount, h2o_req_t *req, int status, const char *code)
{
    char body[128];
    int len = snprintf(body, sizeof(body), "{\"code\":\"%s\"}", safe_code(code));
    req->res.status = status;
    req->res.reason = reason_of(status);
    send_body(mount, req, "application/json", body, (size_t)len);
}

static void send_version_text(const struct fr_h2o_mount *mount, h2o_req_t *req)
{
    static const char text[] =
        "Event streams are served over HTTP/1.1 only. HTTP/2 is off unless this server "
        "sets http1.upgrade_to_http2 or offers h2 in ALPN.\n";
    req->res.status = 505;
    req->res.reason = reason_of(505);
    send_body(mount, req, "text/plain; charset=utf-8", text, sizeof(text) - 1);
}

void fr_h2o_refuse(const struct fr_h2o_mount *mount, h2o_req_t *req, int status, const char *code)
{
    if (status == 505)
        send_version_text(mount, req);
    else
        send_code(mount, req, status, code);
}

static void send_unavailable(const struct fr_h2o_mount *mount, h2o_req_t *req, const char *code,
                             uint32_t retry_ms)
{
    char *seconds = h2o_mem_alloc_pool(&req->pool, 16);
    snprintf(seconds, 16, "%u", (unsigned)(retry_ms / 1000 + (retry_ms % 1000 != 0)));
    fr_h2o_add_header(req, "retry-after", seconds);
    send_code(mount, req, 503, code);
}

void fr_h2o_refuse_for_now(const struct fr_h2o_mount *mount, h2o_req_t *req, const char *code)
{
    uint32_t retry_ms = (uint32_t)fr_random_between(mount->options.retry_min_ms, mount->options.retry_max_ms);
    fr_count(&fr_freshet_counters(mount->freshet)->streams_refused, 1);
    req->http1_is_persistent = 0;
    if (mount->options.refuse_with_503) {
        send_unavailable(mount, req, code, retry_ms);
        return;
    }
    char body[512];
    int len = snprintf(body, sizeof(body), "retry: %u\n\n", (unsigned)retry_ms);
    struct fr_bytes *end =
        fr_frame_end(&(struct fr_end){.code = freshet_span_text(safe_code(code)), .retry_ms = retry_ms});
    if (end != NULL) {
        struct freshet_span event = fr_frame_body(end->span);
        len += snprintf(body + len, sizeof(body) - (size_t)len, "%.*s", (int)event.len, event.data);
    }
    fr_bytes_release(end);
    req->res.status = 200;
    req->res.reason = "OK";
    send_body(mount, req, "text/event-stream; charset=utf-8", body, (size_t)len);
}

void fr_h2o_redirect(const struct fr_h2o_mount *mount, h2o_req_t *req, const char *location)
{
    fr_h2o_add_header(req, "location", h2o_strdup(&req->pool, location, SIZE_MAX).base);
    send_code(mount, req, 302, "redirect");
}
