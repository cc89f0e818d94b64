#include "web/h2o/web.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#define MAX_REQUEST_BODY_BYTES 16384
#define REQUEST_TIMEOUT_MS     5000
#define HANDSHAKE_TIMEOUT_MS   10000
#define KEEPALIVE_IDLE_S       30
#define KEEPALIVE_INTERVAL_S   10
#define KEEPALIVE_PROBES       3
#define UNACKNOWLEDGED_MS      30000 /* for what is not a stream: those have limits of their own */

void freshet_h2o_harden(struct st_h2o_globalconf_t *config)
{
    if (config == NULL)
        return;
    config->max_request_entity_size = MAX_REQUEST_BODY_BYTES;
    config->handshake_timeout = HANDSHAKE_TIMEOUT_MS;
    config->http1.req_timeout = REQUEST_TIMEOUT_MS;
    config->http1.upgrade_to_http2 = 0;
    config->server_name = h2o_iovec_init(NULL, 0);
    freshet_h2o_harden_paths(config);
}

void freshet_h2o_harden_tls(struct ssl_ctx_st *context)
{
    static const h2o_iovec_t protocols[] = {{H2O_STRLIT("http/1.1")}, {NULL, 0}};
    if (context == NULL)
        return;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    h2o_ssl_register_alpn_protocols(context, protocols);
}

static void set_option(int fd, int level, int name, int value)
{
    /* Sockets that are not TCP refuse, and need none of these. */
    (void)setsockopt(fd, level, name, &value, sizeof(value));
}

void freshet_h2o_harden_socket(struct st_h2o_socket_t *socket)
{
    if (socket == NULL)
        return;
    int fd = h2o_socket_get_fd(socket);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS);
}
