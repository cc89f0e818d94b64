/* A server's TLS context with a key and a certificate of its own. */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include <criterion/criterion.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

static inline X509 *make_certificate(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    cr_assert_gt(X509_sign(certificate, key, EVP_sha256()), 0);
    return certificate;
}

static inline SSL_CTX *make_tls_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = make_certificate(key);
    cr_assert_eq(SSL_CTX_use_certificate(context, certificate), 1);
    cr_assert_eq(SSL_CTX_use_PrivateKey(context, key), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
}

#endif
