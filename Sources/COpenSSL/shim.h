// OpenSSL for Swift: its headers, and wrappers for what are macros there. No logic.
#ifndef PC_OPENSSL_H
#define PC_OPENSSL_H

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

static inline int pc_EVP_PKEY_PUBLIC_KEY(void) { return EVP_PKEY_PUBLIC_KEY; }
static inline int pc_EVP_PKEY_KEYPAIR(void) { return EVP_PKEY_KEYPAIR; }
static inline EVP_PKEY *_Nullable pc_EVP_RSA_gen(unsigned bits) { return EVP_RSA_gen(bits); }
static inline EVP_PKEY *_Nullable pc_EVP_EC_gen(const char *_Nonnull curve) { return EVP_EC_gen(curve); }
static inline EVP_PKEY *_Nullable pc_EVP_ED25519_gen(void) { return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"); }
static inline long pc_BIO_get_mem_data(BIO *_Nonnull b, char *_Nullable *_Nonnull p) { return BIO_get_mem_data(b, p); }
static inline void pc_OPENSSL_free(void *_Nullable p) { OPENSSL_free(p); }

#endif
