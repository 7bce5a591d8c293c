/*
 * TLS contexts (OpenSSL 3): 1.2 with AEAD ciphers and 1.3; between servers also ECDHE with CBC,
 * because refusing an old peer there means plain text.  The only file outside net/ that needs
 * OpenSSL for the network includes this one.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <openssl/ssl.h>

#include "base/buf.h"

struct tls_server;

struct tls_server_options {
    /* PEM files: the chain, leaf first, and the key.  The second pair may be NULL (an RSA
     * certificate beside an ECDSA one). */
    const char *cert_file, *key_file;
    const char *cert_file_2, *key_file_2;
    bool old_peers; /* port 25: also ECDHE-CBC */
};

/* Reads the files (names of files are copied).  NULL with one line in error. */
struct tls_server *tls_server_new(const struct tls_server_options *options, struct buf *error);
/* Reads the files again and uses them from the next hand-shake on; on failure the old certificate
 * stays.  From any thread; resumption tickets stay good. */
bool tls_server_reload(struct tls_server *t, struct buf *error);
/* NULL is fine.  Connections go on. */
void tls_server_end(struct tls_server *t);
/* The server's end of one new connection (SSL_free is the caller's). */
SSL *tls_server_ssl(struct tls_server *t);

/*
 * The client's context, made once per ca_file (NULL: the system's roots) and kept.  verify: the
 * peer must prove host (name or textual IP), otherwise any certificate will do.  NULL with one
 * line in error.
 */
SSL *tls_client_ssl(const char *ca_file, slice host, bool verify, struct buf *error);

/*
 * Writes dir/cert.pem and dir/key.pem (0600): ECDSA P-256, 10 years, self-signed, for the names
 * given (host names or textual IPs) and localhost, 127.0.0.1, ::1.  An old pair is replaced.
 */
bool tls_make_self_signed(const char *dir, const slice *names, size_t count, struct buf *error);

/* What OpenSSL has to say about the failure just now, one line ("" when nothing). */
void tls_error(struct buf *error);

#endif
