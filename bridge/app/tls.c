#include "app/tls.h"
#include <freshet/h2o.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

/* NULL: all is well. */
static const char *find_fault(SSL_CTX *context, const struct options *options)
{
    if (SSL_CTX_use_certificate_chain_file(context, options->tls_certificate) != 1)
        return "--tls-certificate (tls_certificate) can't be read, or is no certificate in PEM";
    if (SSL_CTX_use_PrivateKey_file(context, options->tls_key, SSL_FILETYPE_PEM) != 1)
        return "--tls-key (tls_key) can't be read, is no key in PEM, or is not the certificate's";
    return NULL;
}

enum freshet_status tls_new(struct ssl_ctx_st **out, const struct options *options,
                            struct freshet_error *error)
{
    *out = NULL;
    if (options->tls_certificate == NULL && options->tls_key == NULL)
        return FRESHET_OK;
    if (options->tls_certificate == NULL || options->tls_key == NULL) {
        strcpy(error->text, "--tls-certificate and --tls-key go together");
        return FRESHET_INVALID;
    }
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    const char *fault = context == NULL ? "no memory for TLS" : find_fault(context, options);
    if (fault != NULL) {
        snprintf(error->text, sizeof(error->text), "%s", fault);
        SSL_CTX_free(context);
        return FRESHET_INVALID;
    }
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    freshet_h2o_harden_tls(context);
    *out = context;
    return FRESHET_OK;
}
