/* Which names the server may be asked by. A page of any site can let its own name point at this machine (DNS
 * rebinding). To the browser, the page and this server are one origin from then on, so it may read and post
 * everything; but the requests still carry the page's name as their Host.
 *
 * Two kinds of names need no list. An address can't be made to point elsewhere. A name of a single label has
 * no owner who could: DNS gives out none without a dot, they are those of containers, services and machines
 * of one network (whoever runs that network could answer for one; on one that is not trusted use TLS). */
#include "http/internal.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

struct host_check {
    h2o_handler_t handler;
    const char *const *names;
    const char *instance;
};

static bool is_address(int family, h2o_iovec_t name)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (name.len >= sizeof(text))
        return false;
    memcpy(text, name.base, name.len);
    text[name.len] = '\0';
    return strlen(text) == name.len && inet_pton(family, text, &address) == 1;
}

static bool is_name(h2o_iovec_t name, const char *other)
{
    return name.len == strlen(other) && strncasecmp(name.base, other, name.len) == 0;
}

static bool is_single_label(h2o_iovec_t name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!isalnum((unsigned char)name.base[i]) && name.base[i] != '-' && name.base[i] != '_')
            return false;
    return name.len > 0 && name.len <= 63;
}

static bool is_listed(h2o_iovec_t name, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (strcmp(*names, "*") == 0 || is_name(name, *names))
            return true;
    }
    return false;
}

/* Takes ":PORT" off the end, if there is one. The port is not compared: a tunnel or a container may show
 * another one outside, and a page can't choose its name by it. */
static void cut_port(h2o_iovec_t *host)
{
    size_t len = host->len;
    while (len > 0 && host->base[len - 1] >= '0' && host->base[len - 1] <= '9')
        len--;
    if (len > 0 && host->base[len - 1] == ':')
        host->len = len - 1;
}

static bool is_ours(h2o_iovec_t host, const char *const *names)
{
    cut_port(&host);
    if (host.len > 2 && host.base[0] == '[' && host.base[host.len - 1] == ']')
        return is_address(AF_INET6, h2o_iovec_init(host.base + 1, host.len - 2));
    if (host.len > 0 && host.base[host.len - 1] == '.') /* the same name, written in full */
        host.len--;
    return is_address(AF_INET, host) || is_single_label(host) || is_listed(host, names);
}

/* h2o puts the name of its own configuration in the place of a Host that is missing. */
static bool has_host(const h2o_req_t *req)
{
    return req->input.authority.base != req->hostconf->authority.hostport.base;
}

static int check(h2o_handler_t *handler, h2o_req_t *req)
{
    const struct host_check *check = H2O_STRUCT_FROM_MEMBER(struct host_check, handler, handler);
    static const char refusal[] =
        "{\"code\":\"wrong-host\",\"error\":\"must be an address, a name without dots or one of --allow-host "
        "(FRESHET_ALLOW_HOST)\",\"field\":\"host\"}";
    if (!has_host(req) || is_ours(req->input.authority, check->names))
        return -1;
    http_send(req, check->instance, 421, "application/json", freshet_span_text(refusal));
    return 0;
}

void http_check_host(h2o_pathconf_t *path, const char *const *names, const char *instance)
{
    struct host_check *made = (struct host_check *)h2o_create_handler(path, sizeof(*made));
    made->handler.on_req = check;
    made->names = names;
    made->instance = instance;
}
