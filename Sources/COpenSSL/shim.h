// OpenSSL for Swift: its headers, and wrappers for what are macros there. No logic.
#ifndef PC_OPENSSL_H
#define PC_OPENSSL_H

#include <openssl/bn.h>
#include <openssl/core_names.h>
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

static inline long pc_BIO_get_mem_data(BIO *_Nonnull b, char *_Nullable *_Nonnull p) { return BIO_get_mem_data(b, p); }
static inline void pc_OPENSSL_free(void *_Nullable p) { OPENSSL_free(p); }

#endif
