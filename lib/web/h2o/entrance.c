/* Where requests enter: the first handler of a path refuses those whose end two readers may see in different
 * places. Behind a proxy that sees another one than h2o, a part of the body would be taken for a request
 * (request smuggling). h2o 2.2.5 takes the first of several lengths and hides the others from handlers, but
 * the head as it came is still at the beginning of the connection's input while handlers run. */
#include "web/h2o/web.h"
#include <string.h>
#include <strings.h>

/* What a head says of the end of its request. */
struct framing {
    unsigned lengths, codings; /* lines of Content-Length, of Transfer-Encoding */
    bool folded;               /* a line goes on in the next one; h2o makes a header without a name of it */
    bool bare;                 /* a line ends without a carriage return */
    bool complete;
};

/* Takes a line off `rest`, without its end. False: there is no whole one. */
static bool next_line(struct freshet_span *rest, struct freshet_span *line, bool *bare)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->data, '\n', rest->len);
    if (end == NULL)
        return false;
    size_t len = (size_t)(end - rest->data);
    bool returns = len > 0 && end[-1] == '\r';
    *line = freshet_span(rest->data, returns ? len - 1 : len);
    *bare |= !returns;
    *rest = freshet_span(rest->data + len + 1, rest->len - len - 1);
    return true;
}

static bool is_field(struct freshet_span line, const char *name)
{
    size_t len = strlen(name);
    return line.len > len && line.data[len] == ':' && strncasecmp(line.data, name, len) == 0;
}

static void read_line(struct freshet_span line, struct framing *framing)
{
    framing->folded |= line.data[0] == ' ' || line.data[0] == '\t';
    framing->lengths += is_field(line, "content-length");
    framing->codings += is_field(line, "transfer-encoding");
}

/* `head` begins with a head that h2o has parsed, perhaps behind an empty line. */
static struct framing read_head(struct freshet_span head)
{
    struct framing framing = {0};
    struct freshet_span line;
    bool whole = next_line(&head, &line, &framing.bare);
    if (whole && line.len == 0)
        whole = next_line(&head, &line, &framing.bare);
    while (whole && (whole = next_line(&head, &line, &framing.bare)) && line.len > 0)
        read_line(line, &framing);
    framing.complete = whole;
    return framing;
}

/* HTTP/1.0 has no chunks: a proxy of that time passes their header on and does not know what it means. */
static bool contradicts(const struct framing *framing, int version)
{
    return framing->lengths + framing->codings > 1 || framing->folded ||
           (framing->codings > 0 && version < 0x101);
}

/* What one plain length or none and proper lines tell, everybody reads alike. Chunks are read leniently by
 * h2o, and it has decoded them in their place; the connection ends with them. */
static bool is_plain(const struct framing *framing)
{
    return framing->complete && framing->codings == 0 && !framing->bare;
}

static int on_req(h2o_handler_t *self, h2o_req_t *req)
{
    (void)self;
    if (req->version >= 0x200)
        return -1; /* has lengths of its own, in frames */
    const h2o_buffer_t *input = req->conn->callbacks->get_socket(req->conn)->input;
    struct framing framing = read_head(freshet_span(input->bytes, input->size));
    if (!is_plain(&framing))
        req->http1_is_persistent = 0;
    if (!contradicts(&framing, req->version))
        return -1;
    req->http1_is_persistent = 0;
    fr_h2o_refuse(NULL, req, 400, "ambiguous-length");
    return 0;
}

void fr_h2o_entrance_add(h2o_pathconf_t *path)
{
    if (path->handlers.size > 0 && path->handlers.entries[0]->on_req == on_req)
        return;
    h2o_handler_t *entrance = h2o_create_handler(path, sizeof(*entrance));
    entrance->on_req = on_req;
    memmove(path->handlers.entries + 1, path->handlers.entries,
            (path->handlers.size - 1) * sizeof(*path->handlers.entries));
    path->handlers.entries[0] = entrance;
}

void freshet_h2o_harden_paths(struct st_h2o_globalconf_t *config)
{
    if (config == NULL)
        return;
    for (h2o_hostconf_t **host = config->hosts; *host != NULL; host++) {
        for (size_t i = 0; i < (*host)->paths.size; i++)
            fr_h2o_entrance_add(&(*host)->paths.entries[i]);
        fr_h2o_entrance_add(&(*host)->fallback_path);
    }
}
