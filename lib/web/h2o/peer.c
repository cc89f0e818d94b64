#include "web/h2o/socket.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

void fr_h2o_peer_read(struct fr_h2o_peer *peer, int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    if (getpeername(fd, (struct sockaddr *)&address, &len) != 0)
        return;
    peer->family = address.ss_family;
    if (address.ss_family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)&address;
        peer->port = ntohs(in->sin_port);
        memcpy(peer->address, &in->sin_addr, sizeof(in->sin_addr));
    } else if (address.ss_family == AF_INET6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address;
        peer->port = ntohs(in6->sin6_port);
        memcpy(peer->address, &in6->sin6_addr, sizeof(in6->sin6_addr));
    }
}

struct freshet_span fr_h2o_peer_key(const struct fr_h2o_peer *peer)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    const char *bytes = (const char *)peer->address;
    if (peer->family == AF_INET)
        return freshet_span(bytes, 4);
    if (peer->family != AF_INET6)
        return freshet_span(NULL, 0);
    if (memcmp(bytes, mapped, sizeof(mapped)) == 0)
        return freshet_span(bytes + sizeof(mapped), 4);
    return freshet_span(bytes, 8); /* the rest is the client's own to choose */
}

struct freshet_span fr_h2o_peer_print(const struct fr_h2o_peer *peer, char text[FR_H2O_PEER_TEXT_BYTES])
{
    char address[INET6_ADDRSTRLEN];
    if (peer->family == AF_UNIX)
        return freshet_span_text("unix");
    if (inet_ntop(peer->family, peer->address, address, sizeof(address)) == NULL)
        return freshet_span(NULL, 0);
    const char *format = peer->family == AF_INET6 ? "[%s]:%u" : "%s:%u";
    int len = snprintf(text, FR_H2O_PEER_TEXT_BYTES, format, address, (unsigned)peer->port);
    return freshet_span(text, (size_t)len);
}
