/* https for the listener, by the files that the options name. */
#ifndef BRIDGE_TLS_H
#define BRIDGE_TLS_H

#include "common/options.h"
#include <freshet/status.h>

struct ssl_ctx_st;

/* *out is NULL where the options say nothing of TLS; else to be freed with SSL_CTX_free(). FRESHET_INVALID:
 * one file is missing or no good, `error` says which. */
enum freshet_status tls_new(struct ssl_ctx_st **out, const struct options *options,
                            struct freshet_error *error);

#endif
