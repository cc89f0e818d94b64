/* Clients behind proxies: where one that is named says for whom it asks (X-Forwarded-For), that is the
 * client. */
#include "base/text.h"
#include "web/h2o/socket.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TEXT_BYTES = INET6_ADDRSTRLEN + 8 };

/* An address, or a network: the first `bits` of it. */
struct network {
    uint16_t family;
    unsigned char address[16];
    unsigned bits;
};

/* ADDRESS[/BITS]. */
static bool parse_network(const char *text, struct network *network)
{
    char address[MAX_TEXT_BYTES], *end;
    size_t len = strcspn(text, "/");
    if (len >= sizeof(address))
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    network->family = strchr(address, ':') == NULL ? AF_INET : AF_INET6;
    if (inet_pton(network->family, address, network->address) != 1)
        return false;
    unsigned most = network->family == AF_INET ? 32 : 128;
    network->bits = most;
    if (text[len] == '\0')
        return true;
    if (text[len + 1] < '0' || text[len + 1] > '9')
        return false;
    network->bits = (unsigned)strtoul(text + len + 1, &end, 10);
    return *end == '\0' && network->bits <= most;
}

bool fr_h2o_proxy_is_valid(const char *text)
{
    struct network network;
    return parse_network(text, &network);
}

static bool has_prefix(const unsigned char *address, const struct network *network)
{
    unsigned bytes = network->bits / 8, rest = network->bits % 8;
    if (memcmp(address, network->address, bytes) != 0)
        return false;
    return rest == 0 || (address[bytes] ^ network->address[bytes]) >> (8 - rest) == 0;
}

/* An IPv4 address may come in the clothes of IPv6, from a listener for both. */
static bool is_proxy(const struct fr_h2o_mount *mount, const struct fr_h2o_peer *peer)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    bool is_mapped = peer->family == AF_INET6 && memcmp(peer->address, mapped, sizeof(mapped)) == 0;
    uint16_t family = is_mapped ? AF_INET : peer->family;
    const unsigned char *address = is_mapped ? peer->address + sizeof(mapped) : peer->address;
    for (char **proxy = mount->proxies; *proxy != NULL; proxy++) {
        struct network network;
        if (parse_network(*proxy, &network) && network.family == family && has_prefix(address, &network))
            return true;
    }
    return false;
}

/* ADDRESS, ADDRESS:PORT, [ADDRESS] or [ADDRESS]:PORT; the port is of no use. */
static bool parse_peer(struct freshet_span text, struct fr_h2o_peer *peer)
{
    char address[MAX_TEXT_BYTES];
    if (text.len == 0 || text.len >= sizeof(address))
        return false;
    memcpy(address, text.data, text.len);
    address[text.len] = '\0';
    char *from = address, *colon = strchr(address, ':');
    if (*from == '[') {
        from++;
        from[strcspn(from, "]")] = '\0';
    } else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
        *colon = '\0';
    }
    struct fr_h2o_peer found = {.family = strchr(from, ':') == NULL ? AF_INET : AF_INET6};
    if (inet_pton(found.family, from, found.address) != 1)
        return false;
    *peer = found;
    return true;
}

/* Walks a header from its end, where the nearest proxy wrote, as long as those who wrote are proxies. False:
 * the client is found, or what stands there is no address and the one before counts. */
static bool walk(const struct fr_h2o_mount *mount, h2o_iovec_t value, struct fr_h2o_peer *peer)
{
    while (is_proxy(mount, peer)) {
        size_t start = value.len;
        while (start > 0 && value.base[start - 1] != ',')
            start--;
        if (!parse_peer(fr_text_trim(freshet_span(value.base + start, value.len - start)), peer))
            return false;
        if (start == 0)
            return true;
        value.len = start - 1;
    }
    return false;
}

/* Headers of the same name are one list in their order: the last of them is walked first. */
static void follow_proxies(const struct fr_h2o_mount *mount, const h2o_req_t *req, struct fr_h2o_peer *peer)
{
    for (size_t i = req->headers.size; i-- > 0;) {
        const h2o_header_t *header = &req->headers.entries[i];
        if (h2o_memis(header->name->base, header->name->len, H2O_STRLIT("x-forwarded-for")) &&
            !walk(mount, header->value, peer))
            return;
    }
}

void fr_h2o_peer_of(const struct fr_h2o_mount *mount, h2o_req_t *req, struct fr_h2o_peer *peer)
{
    fr_h2o_peer_read(peer, h2o_socket_get_fd(req->conn->callbacks->get_socket(req->conn)));
    if (mount->proxies != NULL)
        follow_proxies(mount, req, peer);
}
