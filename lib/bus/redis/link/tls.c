#include "bus/redis/link/tls.h"

#include "base/log.h"
#include <arpa/inet.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

static enum freshet_status fail_file(struct freshet_error *error, const char *option, const char *file)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    struct fr_escaped name = fr_escape(freshet_span_text(file));
    enum freshet_status status = fr_fail(error, FRESHET_SYSTEM, "%s \"%s\": %s", option, name.text,
                                         reason == NULL ? "cannot be read" : reason);
    ERR_clear_error();
    return status;
}

/* Otherwise OpenSSL asks at the terminal, and the program stands still. */
static int know_no_passphrase(char *to, int size, int writing, void *user)
{
    (void)to, (void)size, (void)writing, (void)user;
    return -1;
}

static enum freshet_status load_files(SSL_CTX *context, const struct fr_redis_tls_files *files,
                                      struct freshet_error *error)
{
    if (files->ca == NULL) {
        if (SSL_CTX_set_default_verify_paths(context) != 1)
            return fail_file(error, "the system's CA files", "");
    } else if (SSL_CTX_load_verify_file(context, files->ca) != 1) {
        return fail_file(error, "tls_ca_file", files->ca);
    }
    if (files->cert == NULL)
        return FRESHET_OK;
    if (SSL_CTX_use_certificate_chain_file(context, files->cert) != 1)
        return fail_file(error, "tls_cert_file", files->cert);
    if (SSL_CTX_use_PrivateKey_file(context, files->key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1)
        return fail_file(error, "tls_key_file", files->key);
    return FRESHET_OK;
}

enum freshet_status fr_redis_tls_new(SSL_CTX **out, const struct fr_redis_tls_files *files,
                                     struct freshet_error *error)
{
    *out = NULL;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL)
        return fr_fail(error, FRESHET_NO_MEMORY, "out of memory");
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    /* Redis closes without close_notify; libevent takes that for an error otherwise. */
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_default_passwd_cb(context, know_no_passphrase);
    enum freshet_status status = load_files(context, files, error);
    if (status != FRESHET_OK) {
        SSL_CTX_free(context);
        return status;
    }
    *out = context;
    return FRESHET_OK;
}

static bool expect_name(SSL *ssl, const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    return SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
}

struct bufferevent *fr_redis_tls_open(SSL_CTX *context, struct event_base *base, const char *name)
{
    SSL *ssl = SSL_new(context);
    if (ssl == NULL || (name != NULL && !expect_name(ssl, name))) {
        SSL_free(ssl);
        return NULL;
    }
    struct bufferevent *bufferevent =
        bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
    if (bufferevent == NULL) {
        SSL_free(ssl);
        return NULL;
    }
    bufferevent_openssl_set_allow_dirty_shutdown(bufferevent, 1);
    return bufferevent;
}

const char *fr_redis_tls_error(struct bufferevent *bufferevent)
{
    SSL *ssl = bufferevent_openssl_get_ssl(bufferevent);
    if (ssl == NULL)
        return NULL;
    long verified = SSL_get_verify_result(ssl);
    if (verified != X509_V_OK)
        return X509_verify_cert_error_string(verified);
    unsigned long code = bufferevent_get_openssl_error(bufferevent);
    if (code == 0)
        return NULL;
    const char *reason = ERR_reason_error_string(code);
    return reason == NULL ? "TLS error" : reason;
}
