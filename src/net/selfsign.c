/*
 * A certificate of one's own, for the first five minutes: ECDSA P-256, self-signed, named by SANs
 * (RFC 6125 6.4.4).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/rand.h"
#include "net/tls.h"
#include "base/banned.h"

enum { SELF_SIGNED_DAYS = 3652, DAY_S = 86400, SERIAL_BYTES = 16 };

static bool plausible(slice name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!ascii_is_alnum(c) && c != '.' && c != '-' && c != '_' && c != ':')
            return false;
    }
    return name.n > 0 && name.n < 254;
}

static void add_name(struct buf *san, slice name)
{
    char text[256];
    unsigned char address[16];
    snprintf(text, sizeof(text), "%.*s", P(name));
    bool is_ip = inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
    buf_printf(san, "%s%s:%s", buf_length(san) ? "," : "", is_ip ? "IP" : "DNS", text);
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = extension && X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    return ok;
}

static bool fill(X509 *cert, EVP_PKEY *key, const char *common_name, const char *san)
{
    unsigned char serial[SERIAL_BYTES];
    rand_bytes(serial, sizeof(serial));
    serial[0] &= 0x7f;
    BIGNUM *number = BN_bin2bn(serial, sizeof(serial), NULL);
    X509_NAME *name = X509_get_subject_name(cert);
    bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) &&
              X509_set_version(cert, X509_VERSION_3) &&
              X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_S) &&
              X509_gmtime_adj(X509_getm_notAfter(cert), (long)SELF_SIGNED_DAYS * DAY_S) &&
              X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                         (const unsigned char *)common_name, -1, -1, 0) &&
              X509_set_issuer_name(cert, name) && X509_set_pubkey(cert, key) &&
              add_extension(cert, NID_subject_alt_name, san) &&
              add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
              add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
              add_extension(cert, NID_ext_key_usage, "serverAuth") &&
              add_extension(cert, NID_subject_key_identifier, "hash") &&
              X509_sign(cert, key, EVP_sha256());
    BN_free(number);
    return ok;
}

static bool write_pem(BIO *pem, const char *dir, const char *file, mode_t mode, struct buf *error)
{
    char path[4096];
    char *bytes;
    long n = BIO_get_mem_data(pem, &bytes);
    snprintf(path, sizeof(path), "%s/%s", dir, file);
    if (file_write(path, (slice){bytes, (size_t)n}, mode) == 0)
        return true;
    buf_printf(error, "cannot write %s: %s", path, strerror(errno));
    return false;
}

static bool write_pair(X509 *cert, EVP_PKEY *key, const char *dir, struct buf *error)
{
    BIO *cert_pem = BIO_new(BIO_s_mem()), *key_pem = BIO_new(BIO_s_mem());
    bool ok = cert_pem && key_pem && PEM_write_bio_X509(cert_pem, cert) &&
              PEM_write_bio_PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) &&
              write_pem(key_pem, dir, "key.pem", 0600, error) &&
              write_pem(cert_pem, dir, "cert.pem", 0644, error);
    BIO_free(cert_pem);
    BIO_free(key_pem);
    return ok;
}

bool tls_make_self_signed(const char *dir, const slice *names, size_t count, struct buf *error)
{
    const slice always[] = {S("localhost"), S("127.0.0.1"), S("::1")};
    struct buf san = {.max = 64 * 1024};
    char common_name[65]; /* X.520 allows 64 */
    for (size_t i = 0; i < count; i++) {
        if (!plausible(names[i])) {
            buf_printf(error, "\"%.*s\" cannot be the name in a certificate", P(names[i]));
            buf_end(&san);
            return false;
        }
        add_name(&san, names[i]);
    }
    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
        add_name(&san, always[i]);
    buf_add(&san, (slice){"", 1});
    slice first = count && names[0].n <= 64 ? names[0] : always[0];
    snprintf(common_name, sizeof(common_name), "%.*s", P(first));
    ERR_clear_error();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    bool ok = key && cert && fill(cert, key, common_name, buf_slice(&san).p);
    if (!ok) {
        buf_add(error, S("cannot make a certificate: "));
        tls_error(error);
    } else {
        ok = write_pair(cert, key, dir, error);
    }
    X509_free(cert);
    EVP_PKEY_free(key);
    buf_end(&san);
    return ok;
}
