// OpenSSL for Swift: its headers, and wrappers for what are macros there. No logic.
#ifndef PC_OPENSSL_H
#define PC_OPENSSL_H

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <openssl/ocsp.h>
#include <openssl/ssl.h>

static inline int pc_EVP_PKEY_PUBLIC_KEY(void) { return EVP_PKEY_PUBLIC_KEY; }
static inline int pc_EVP_PKEY_KEYPAIR(void) { return EVP_PKEY_KEYPAIR; }
static inline EVP_PKEY *_Nullable pc_EVP_RSA_gen(unsigned bits) { return EVP_RSA_gen(bits); }
static inline EVP_PKEY *_Nullable pc_EVP_EC_gen(const char *_Nonnull curve) { return EVP_EC_gen(curve); }
static inline EVP_PKEY *_Nullable pc_EVP_ED25519_gen(void) { return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"); }
static inline long pc_BIO_get_mem_data(BIO *_Nonnull b, char *_Nullable *_Nonnull p) { return BIO_get_mem_data(b, p); }
static inline void pc_OPENSSL_free(void *_Nullable p) { OPENSSL_free(p); }

// TLS contexts.
static inline uint64_t pc_SSL_OP_always(void) {
    return SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;
}
static inline uint64_t pc_SSL_OP_NO_TICKET(void) { return SSL_OP_NO_TICKET; }
static inline long pc_SSL_CTX_set_mode(SSL_CTX *_Nonnull c, long mode) { return SSL_CTX_set_mode(c, mode); }
static inline long pc_SSL_CTX_set_min_proto_version(SSL_CTX *_Nonnull c, int v) { return SSL_CTX_set_min_proto_version(c, v); }
static inline long pc_SSL_CTX_set_max_proto_version(SSL_CTX *_Nonnull c, int v) { return SSL_CTX_set_max_proto_version(c, v); }
static inline long pc_SSL_CTX_set1_groups_list(SSL_CTX *_Nonnull c, const char *_Nonnull l) { return SSL_CTX_set1_groups_list(c, l); }
static inline long pc_SSL_CTX_set1_sigalgs_list(SSL_CTX *_Nonnull c, const char *_Nonnull l) { return SSL_CTX_set1_sigalgs_list(c, l); }
static inline long pc_SSL_CTX_set_session_cache_mode(SSL_CTX *_Nonnull c, long m) { return SSL_CTX_set_session_cache_mode(c, m); }
static inline long pc_SSL_CTX_set_read_ahead(SSL_CTX *_Nonnull c, long m) { return SSL_CTX_set_read_ahead(c, m); }
static inline long pc_SSL_CTX_set_max_cert_list(SSL_CTX *_Nonnull c, long m) { return SSL_CTX_set_max_cert_list(c, m); }
static inline long pc_SSL_CTX_set1_cert_store(SSL_CTX *_Nonnull c, X509_STORE *_Nonnull s) {
    SSL_CTX_set1_cert_store(c, s);
    return 1;
}
static inline long pc_SSL_CTX_set_tlsext_servername_callback(SSL_CTX *_Nonnull c, int (*_Nonnull f)(SSL *_Nullable, int *_Nullable, void *_Nullable)) {
    return SSL_CTX_set_tlsext_servername_callback(c, f);
}
static inline long pc_SSL_CTX_set_tlsext_status_cb(SSL_CTX *_Nonnull c, int (*_Nonnull f)(SSL *_Nullable, void *_Nullable)) {
    return SSL_CTX_set_tlsext_status_cb(c, f);
}
static inline int pc_SSL_CTX_set_app_data(SSL_CTX *_Nonnull c, void *_Nullable p) { return SSL_CTX_set_app_data(c, p); }
static inline void *_Nullable pc_SSL_CTX_get_app_data(const SSL_CTX *_Nonnull c) { return SSL_CTX_get_app_data(c); }

// TLS connections.
static inline int pc_SSL_set_app_data(SSL *_Nonnull s, void *_Nullable p) { return SSL_set_app_data(s, p); }
static inline void *_Nullable pc_SSL_get_app_data(const SSL *_Nonnull s) { return SSL_get_app_data(s); }
static inline long pc_SSL_set_tlsext_host_name(SSL *_Nonnull s, const char *_Nonnull n) { return SSL_set_tlsext_host_name(s, n); }
static inline long pc_SSL_set_tlsext_status_type(SSL *_Nonnull s, int t) { return SSL_set_tlsext_status_type(s, t); }
/// Takes `p` over; it must be OpenSSL's memory.
static inline long pc_SSL_set_tlsext_status_ocsp_resp(SSL *_Nonnull s, void *_Nullable p, long n) {
    return SSL_set_tlsext_status_ocsp_resp(s, p, n);
}
static inline long pc_SSL_get_tlsext_status_ocsp_resp(SSL *_Nonnull s, const unsigned char *_Nullable *_Nonnull p) {
    return SSL_get_tlsext_status_ocsp_resp(s, p);
}
static inline unsigned long pc_XN_FLAG_RFC2253(void) { return XN_FLAG_RFC2253; }
/// Parameters keep the pointers of their names, which Swift's temporary C strings would not outlive.
static inline int pc_EVP_MAC_CTX_set_hmac_sha256(EVP_MAC_CTX *_Nonnull m, unsigned char *_Nonnull key, size_t n) {
    OSSL_PARAM p[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key, n),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(m, p);
}
static inline void *_Nullable pc_OPENSSL_memdup(const void *_Nonnull p, size_t n) { return OPENSSL_memdup(p, n); }

static inline long pc_SSL_set1_sigalgs_list(SSL *_Nonnull s, const char *_Nonnull l) { return SSL_set1_sigalgs_list(s, l); }
static inline long pc_SSL_set_max_proto_version(SSL *_Nonnull s, int v) { return SSL_set_max_proto_version(s, v); }

// Stacks.
static inline STACK_OF(X509) *_Nullable pc_sk_X509_new(void) { return sk_X509_new_null(); }
static inline int pc_sk_X509_push(STACK_OF(X509) *_Nonnull s, X509 *_Nonnull x) { return sk_X509_push(s, x); }
static inline void pc_sk_X509_free_all(STACK_OF(X509) *_Nullable s) { sk_X509_pop_free(s, X509_free); }
static inline int pc_sk_X509_num(const STACK_OF(X509) *_Nullable s) { return sk_X509_num(s); }
static inline X509 *_Nullable pc_sk_X509_value(const STACK_OF(X509) *_Nonnull s, int i) { return sk_X509_value(s, i); }
static inline STACK_OF(X509_NAME) *_Nullable pc_sk_X509_NAME_new(void) { return sk_X509_NAME_new_null(); }
static inline int pc_sk_X509_NAME_push(STACK_OF(X509_NAME) *_Nonnull s, X509_NAME *_Nonnull n) { return sk_X509_NAME_push(s, n); }
static inline int pc_sk_GENERAL_NAME_num(const GENERAL_NAMES *_Nonnull s) { return sk_GENERAL_NAME_num(s); }
static inline GENERAL_NAME *_Nullable pc_sk_GENERAL_NAME_value(const GENERAL_NAMES *_Nonnull s, int i) { return sk_GENERAL_NAME_value(s, i); }
static inline int pc_sk_GENERAL_NAME_push(GENERAL_NAMES *_Nonnull s, GENERAL_NAME *_Nonnull n) { return sk_GENERAL_NAME_push(s, n); }

#endif
