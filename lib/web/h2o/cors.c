/* Pages of other origins: which of them may read the answers of a mount. Origins are compared byte for byte
 * with what browsers send. */
#include "base/log.h"
#include "web/h2o/web.h"
#include <stdlib.h>
#include <string.h>

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
/* What browsers keep a preflight's answer for at most. */
#define MAX_AGE_S "7200"

/* ---- the option ---- */

/* Takes a host off the beginning: a name, an IPv4 address, or an IPv6 address in brackets. */
static bool skip_host(const char **text)
{
    bool literal = **text == '[';
    size_t len = literal ? 1 + strspn(*text + 1, "abcdef:." DIGITS) : strspn(*text, LOWER DIGITS "-._");
    if (literal && (len == 1 || (*text)[len++] != ']'))
        return false;
    *text += len;
    return len > 0;
}

static const char *check_port(const char *port, bool tls, bool plain)
{
    size_t len = strspn(port, DIGITS);
    if (port[0] < '1' || port[0] > '9' || port[len] != '\0' || len > 5 || atoi(port) > 65535)
        return "the port must be a number from 1 to 65535, with nothing behind it";
    if ((tls && atoi(port) == 443) || (plain && atoi(port) == 80))
        return "browsers leave out the default port, and so must this";
    return NULL;
}

/* What is wrong with an origin; NULL: nothing. */
static const char *find_fault(const char *origin)
{
    if (strcmp(origin, "*") == 0)
        return "browsers refuse a wildcard for requests with credentials; name the origins";
    if (strcmp(origin, "null") == 0)
        return "any page can make itself the origin `null`: a sandboxed frame is enough";
    for (const char *c = origin; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z')
            return "browsers write origins in lower case, and so must this";
        if ((unsigned char)*c >= 0x80)
            return "browsers write a name that is not ASCII as xn--..., and so must this";
    }
    const char *rest = origin + strspn(origin, LOWER DIGITS "+-.");
    if (origin[0] < 'a' || origin[0] > 'z' || strncmp(rest, "://", 3) != 0)
        return "must be scheme://host or scheme://host:port";
    bool tls = strncmp(origin, "https:", 6) == 0, plain = strncmp(origin, "http:", 5) == 0;
    rest += 3;
    if (!skip_host(&rest))
        return "must be scheme://host or scheme://host:port";
    if (*rest == ':')
        return check_port(rest + 1, tls, plain);
    return *rest == '\0' ? NULL : "must end behind host or port: no user, no path, not even a '/'";
}

static bool is_cors_header(const char *name)
{
    return strncmp(name, "access-control-", strlen("access-control-")) == 0;
}

enum freshet_status fr_h2o_cors_check(const struct freshet_h2o_mount_options *options,
                                      struct freshet_error *error)
{
    if (options->origins == NULL)
        return FRESHET_OK;
    for (size_t i = 0; options->origins[i] != NULL; i++) {
        const char *fault = find_fault(options->origins[i]);
        if (fault != NULL)
            return fr_fail(error, FRESHET_INVALID, "origins[%zu]: %s", i, fault);
    }
    for (size_t i = 0; i < options->header_count; i++)
        if (is_cors_header(options->headers[i].name))
            return fr_fail(error, FRESHET_INVALID,
                           "headers[%zu]: with `origins`, the mount sends access-control headers itself", i);
    return FRESHET_OK;
}

/* ---- answers ---- */

/* The listed origin that the request comes from, or NULL. */
static const char *find_origin(const struct fr_h2o_mount *mount, const h2o_req_t *req)
{
    ssize_t at = h2o_find_header_by_str(&req->headers, H2O_STRLIT("origin"), -1);
    if (at == -1 || h2o_find_header_by_str(&req->headers, H2O_STRLIT("origin"), at) != -1)
        return NULL;
    const h2o_iovec_t *origin = &req->headers.entries[at].value;
    for (char **listed = mount->origins; *listed != NULL; listed++)
        if (h2o_memis(origin->base, origin->len, *listed, strlen(*listed)))
            return *listed;
    return NULL;
}

void fr_h2o_cors_add_headers(const struct fr_h2o_mount *mount, h2o_req_t *req)
{
    if (mount->origins == NULL)
        return;
    const char *origin = find_origin(mount, req);
    fr_h2o_add_header(req, "vary", "Origin");
    if (origin == NULL)
        return;
    fr_h2o_add_header(req, "access-control-allow-origin", origin);
    fr_h2o_add_header(req, "access-control-allow-credentials", "true");
}

bool fr_h2o_cors_is_preflight(const struct fr_h2o_mount *mount, const h2o_req_t *req)
{
    return mount->origins != NULL &&
           h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("OPTIONS"));
}

void fr_h2o_cors_answer(const struct fr_h2o_mount *mount, h2o_req_t *req)
{
    fr_h2o_close_behind_body(req);
    req->res.status = 204;
    req->res.reason = "No Content";
    fr_h2o_mount_add_headers(mount, req);
    if (find_origin(mount, req) != NULL) {
        fr_h2o_add_header(req, "access-control-allow-methods", "GET");
        fr_h2o_add_header(req, "access-control-allow-headers", "last-event-id");
        fr_h2o_add_header(req, "access-control-max-age", MAX_AGE_S);
    }
    h2o_send_inline(req, H2O_STRLIT(""));
}
