/*
 * Server and client contexts.  A server context is swapped whole on reload; connections made with
 * the old one keep it alive (SSL_CTX counts its users).
 */
#include "net/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/rand.h"
#include "base/banned.h"

#define CIPHERS_AEAD "ECDHE+AESGCM:ECDHE+CHACHA20"
#define CIPHERS_OLD  CIPHERS_AEAD ":ECDHE+AES"

enum { TICKET_KEYS = 80, CLIENT_CONTEXTS = 16 };

struct tls_server {
    pthread_mutex_t lock;
    SSL_CTX *ctx;
    struct tls_server_options options; /* its strings are copies in arena */
    struct arena arena;
    unsigned char ticket_keys[TICKET_KEYS]; /* the same after a reload */
};

void tls_error(struct buf *error)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    if (reason)
        buf_printf(error, "%s", reason);
    else if (code && ERR_SYSTEM_ERROR(code))
        buf_printf(error, "%s", strerror(ERR_GET_REASON(code)));
    ERR_clear_error();
}

static bool fail(struct buf *error, const char *what, const char *name)
{
    buf_printf(error, "%s %s: ", what, name);
    tls_error(error);
    return false;
}

/* ---- server ---- */

static bool load_pair(SSL_CTX *ctx, const char *cert, const char *key, struct buf *error)
{
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        return fail(error, "cannot read the certificate", cert);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return fail(error, "cannot read the private key", key);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return fail(error, "the certificate does not belong to the key", key);
    return true;
}

static void settle(SSL_CTX *ctx)
{
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* A peer that just hangs up has ended the connection all the same: mail has its own ends. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_read_ahead(ctx, 1);
}

static SSL_CTX *make_server(struct tls_server *t, struct buf *error)
{
    const struct tls_server_options *o = &t->options;
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx) {
        fail(error, "cannot start", "TLS");
        return NULL;
    }
    settle(ctx);
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_cipher_list(ctx, o->old_peers ? CIPHERS_OLD : CIPHERS_AEAD);
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* the tickets are the cache */
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"yizhan", 6);
    SSL_CTX_set_tlsext_ticket_keys(ctx, t->ticket_keys, TICKET_KEYS);
    if (load_pair(ctx, o->cert_file, o->key_file, error) &&
        (!o->cert_file_2 || load_pair(ctx, o->cert_file_2, o->key_file_2, error)))
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

static const char *keep(struct arena *a, const char *s)
{
    return s ? arena_dup(a, slice_c(s)).p : NULL;
}

struct tls_server *tls_server_new(const struct tls_server_options *options, struct buf *error)
{
    struct tls_server *t = mem_alloc(sizeof(*t));
    pthread_mutex_init(&t->lock, NULL);
    t->options = (struct tls_server_options){
        .cert_file = keep(&t->arena, options->cert_file),
        .key_file = keep(&t->arena, options->key_file),
        .cert_file_2 = keep(&t->arena, options->cert_file_2),
        .key_file_2 = keep(&t->arena, options->key_file_2),
        .old_peers = options->old_peers,
    };
    rand_bytes(t->ticket_keys, TICKET_KEYS);
    t->ctx = make_server(t, error);
    if (t->ctx)
        return t;
    tls_server_end(t);
    return NULL;
}

bool tls_server_reload(struct tls_server *t, struct buf *error)
{
    SSL_CTX *ctx = make_server(t, error);
    if (!ctx)
        return false;
    pthread_mutex_lock(&t->lock);
    SSL_CTX *old = t->ctx;
    t->ctx = ctx;
    pthread_mutex_unlock(&t->lock);
    SSL_CTX_free(old);
    return true;
}

void tls_server_end(struct tls_server *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
    pthread_mutex_destroy(&t->lock);
    OPENSSL_cleanse(t->ticket_keys, TICKET_KEYS);
    arena_end(&t->arena);
    mem_free(t);
}

SSL *tls_server_ssl(struct tls_server *t)
{
    pthread_mutex_lock(&t->lock);
    SSL *ssl = SSL_new(t->ctx);
    pthread_mutex_unlock(&t->lock);
    if (ssl)
        SSL_set_accept_state(ssl);
    return ssl;
}

/* ---- client ---- */

/* The contexts made so far, one per file of roots; they live as long as the process. */
static struct {
    pthread_mutex_t lock;
    struct {
        char roots[512]; /* "" none, "/" the system's */
        SSL_CTX *ctx;
    } rows[CLIENT_CONTEXTS];
    size_t count;
    struct map sessions; /* session_key() -> SSL_SESSION: the last one of each server */
} clients = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A server is known by its name, and by the roots that vouched for it; false when it has no name.
 */
static bool session_key(SSL *ssl, char out[320], slice *key)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    *key = (slice){
        out, name ? (size_t)snprintf(out, 320, "%p %s", (void *)SSL_get_SSL_CTX(ssl), name) : 0};
    return key->n > 0 && key->n < 320;
}

static void forget_sessions(void)
{
    slice key;
    void *session;
    for (size_t at = 0; map_next(&clients.sessions, &at, &key, &session);)
        SSL_SESSION_free(session);
    map_end(&clients.sessions);
    clients.sessions = (struct map){0};
}

/* OpenSSL has a session that can be resumed; 1: we keep it. */
static int session_made(SSL *ssl, SSL_SESSION *session)
{
    char text[320];
    slice key;
    if (!session_key(ssl, text, &key))
        return 0;
    pthread_mutex_lock(&clients.lock);
    if (clients.sessions.count >= LIMIT_TLS_SESSIONS)
        forget_sessions();
    SSL_SESSION_free(map_set(&clients.sessions, key, session));
    pthread_mutex_unlock(&clients.lock);
    return 1;
}

/* Offers the last session with this server: a hand-shake without certificates. */
static void session_resume(SSL *ssl)
{
    char text[320];
    slice key;
    if (!session_key(ssl, text, &key))
        return;
    pthread_mutex_lock(&clients.lock);
    SSL_SESSION *session = map_get(&clients.sessions, key);
    if (session && SSL_SESSION_is_resumable(session))
        SSL_set_session(ssl, session);
    pthread_mutex_unlock(&clients.lock);
}

static SSL_CTX *make_client(const char *roots, struct buf *error)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx) {
        fail(error, "cannot start", "TLS");
        return NULL;
    }
    settle(ctx);
    SSL_CTX_set_cipher_list(ctx, CIPHERS_OLD);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, session_made);
    ERR_clear_error();
    int ok = !roots[0]                 ? 1
             : strcmp(roots, "/") == 0 ? SSL_CTX_set_default_verify_paths(ctx)
                                       : SSL_CTX_load_verify_file(ctx, roots);
    if (ok == 1)
        return ctx;
    fail(error, "cannot read the trusted certificates", roots);
    SSL_CTX_free(ctx);
    return NULL;
}

/* A reference of the caller's own. */
static SSL_CTX *client_ctx(const char *roots, struct buf *error)
{
    SSL_CTX *ctx = NULL;
    pthread_mutex_lock(&clients.lock);
    for (size_t i = 0; i < clients.count && !ctx; i++)
        if (strcmp(clients.rows[i].roots, roots) == 0)
            ctx = clients.rows[i].ctx;
    if (ctx) {
        SSL_CTX_up_ref(ctx);
    } else if ((ctx = make_client(roots, error)) && clients.count < CLIENT_CONTEXTS &&
               strlen(roots) < sizeof(clients.rows[0].roots)) {
        snprintf(clients.rows[clients.count].roots, sizeof(clients.rows[0].roots), "%s", roots);
        clients.rows[clients.count++].ctx = ctx;
        SSL_CTX_up_ref(ctx);
    }
    pthread_mutex_unlock(&clients.lock);
    return ctx;
}

/* SNI is for names only (RFC 6066 section 3); certificates may be for addresses. */
static bool name_peer(SSL *ssl, const char *host, bool verify)
{
    unsigned char address[16];
    bool is_ip = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
    if (!is_ip && host[0])
        SSL_set_tlsext_host_name(ssl, host);
    if (!verify)
        return true;
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (is_ip)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    return host[0] && SSL_set1_host(ssl, host) == 1;
}

SSL *tls_client_ssl(const char *ca_file, slice host, bool verify, struct buf *error)
{
    char name[256];
    if (host.n >= sizeof(name) || slice_find(host, '\0') >= 0) {
        buf_add(error, S("the host name is no name"));
        return NULL;
    }
    snprintf(name, sizeof(name), "%.*s", P(host));
    SSL_CTX *ctx = client_ctx(!verify ? "" : ca_file ? ca_file : "/", error);
    if (!ctx)
        return NULL;
    SSL *ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    if (ssl && name_peer(ssl, name, verify)) {
        SSL_set_connect_state(ssl);
        session_resume(ssl);
        return ssl;
    }
    buf_printf(error, "cannot check a certificate for \"%s\"", name);
    SSL_free(ssl);
    return NULL;
}
