/* The host of the tests: struct smtp_host without a queue and without users. */
#include "smtp/fake_host.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/rand.h"
#include "message/base64.h"
#include "smtp/path.h"
#include "base/banned.h"

enum { FAKE_BODY_MAX = 64 << 20 };

static slice fake_mechanisms(void *ctx, bool safe)
{
    (void)ctx;
    return safe ? S("FAKE PLAIN LOGIN SCRAM-SHA-256") : S("FAKE SCRAM-SHA-256");
}

/*
 * PLAIN and LOGIN with a hash; FAKE is a mechanism whose server speaks last, as SCRAM's does: any
 * response is answered by "really?", "yes" to that by a final message "ok".
 */
struct fake_sasl {
    enum { FAKE_FAKE, FAKE_PLAIN, FAKE_LOGIN, FAKE_SCRAM } mechanism;
    unsigned step;
    bool right, broken;
    struct buf messages; /* SCRAM's: client-first-message-bare "," server-first-message */
};

static void *fake_sasl_start(void *ctx, slice mechanism, const struct peer *peer)
{
    static const char *const names[] = {"FAKE", "PLAIN", "LOGIN", "SCRAM-SHA-256"};
    (void)ctx;
    (void)peer;
    for (unsigned i = 0; i < 4; i++)
        if (slice_eq_icase(mechanism, slice_c(names[i]))) {
            struct fake_sasl *x = mem_alloc(sizeof(*x));
            x->mechanism = i;
            x->messages.max = 8192;
            return x;
        }
    return NULL;
}

static enum sasl_result plain_step(struct fake_sasl *x, slice response)
{
    if (slice_find(response, '\0') < 0)
        return SASL_SYNTAX;
    x->right = slice_eq(response, S("\0one@north.test\0secret"));
    x->broken = slice_eq(response, S("\0broken@north.test\0secret"));
    return SASL_HASH;
}

static enum sasl_result login_step(struct fake_sasl *x, slice response, slice *reply)
{
    switch (x->step++) {
    case 0:
        x->right = slice_eq(response, S("one@north.test"));
        *reply = S("Password:");
        return SASL_CHALLENGE;
    default:
        x->right &= slice_eq(response, S("secret"));
        return SASL_HASH;
    }
}

static void hmac(const unsigned char key[32], slice text, unsigned char out[32])
{
    unsigned n = 32;
    HMAC(EVP_sha256(), key, 32, (const unsigned char *)text.p, text.n, out, &n);
}

/* SCRAM-SHA-256 with the password at hand (RFC 5802 section 3). */
static enum sasl_result scram_step(struct fake_sasl *x, slice response, struct arena *a,
                                   slice *reply)
{
    ptrdiff_t at = slice_search(response, x->step ? S(",p=") : S(",r="));
    if (at < 0 || (x->step == 0 && !slice_starts(response, S("n,,n=one@north.test,"))))
        return SASL_FAIL;
    if (x->step++ == 0) {
        *reply = arena_printf(a, "r=%.*ssalted,s=c2FsdA==,i=4096",
                              P(slice_skip(response, (size_t)at + 3)));
        buf_printf(&x->messages, "%.*s,%.*s", P(slice_skip(response, 3)), P(*reply));
        return SASL_CHALLENGE;
    }
    unsigned char salted[32], key[32], stored[32], signature[32];
    slice proof;
    PKCS5_PBKDF2_HMAC("secret", 6, (const unsigned char *)"salt", 4, 4096, EVP_sha256(), 32,
                      salted);
    hmac(salted, S("Client Key"), key);
    EVP_Digest(key, 32, stored, NULL, EVP_sha256(), NULL);
    buf_printf(&x->messages, ",%.*s", P(slice_sub(response, 0, (size_t)at)));
    hmac(stored, buf_slice(&x->messages), signature);
    for (int i = 0; i < 32; i++)
        key[i] ^= signature[i];
    if (!base64_decode_strict(a, slice_skip(response, (size_t)at + 3), &proof) || proof.n != 32 ||
        memcmp(proof.p, key, 32) != 0)
        return SASL_FAIL;
    hmac(salted, S("Server Key"), key);
    hmac(key, buf_slice(&x->messages), signature);
    *reply = arena_printf(a, "v=%.*s", P(base64_text(a, (slice){(char *)signature, 32})));
    return SASL_OK;
}

static enum sasl_result fake_sasl_step(void *sasl, bool has_response, slice response,
                                       struct arena *a, slice *reply)
{
    struct fake_sasl *x = sasl;
    *reply = S("");
    if (!has_response) {
        *reply = x->mechanism == FAKE_LOGIN ? S("User Name") : S("");
        return SASL_CHALLENGE;
    }
    if (x->mechanism == FAKE_PLAIN)
        return plain_step(x, response);
    if (x->mechanism == FAKE_SCRAM)
        return scram_step(x, response, a, reply);
    if (x->mechanism == FAKE_LOGIN)
        return login_step(x, response, reply);
    *reply = x->step ? S("ok") : S("really?");
    if (x->step++ == 0)
        return SASL_CHALLENGE;
    return slice_eq(response, S("yes")) ? SASL_OK : SASL_FAIL;
}

static enum sasl_result fake_sasl_hash(void *sasl)
{
    struct fake_sasl *x = sasl;
    return x->broken ? SASL_TEMPFAIL : x->right ? SASL_OK : SASL_FAIL;
}

static void fake_sasl_identity(void *sasl, struct arena *a, slice *login, int64_t *account)
{
    (void)sasl;
    *login = arena_dup(a, S("one@north.test"));
    *account = 1;
}

static void fake_sasl_end(void *sasl)
{
    struct fake_sasl *x = sasl;
    buf_end(&x->messages);
    mem_free(sasl);
}

static enum outcome say(struct smtp_answer *answer, int code, slice enhanced, slice text)
{
    *answer = (struct smtp_answer){code, enhanced, text};
    return code < 300 ? DONE : code < 500 ? TEMPFAIL : PERMFAIL;
}

static enum outcome fake_mail(void *ctx, struct arena *a, const struct envelope *e, uint64_t size,
                              struct smtp_answer *answer)
{
    struct fake_host *f = ctx;
    (void)a;
    if (size > f->disk)
        return say(answer, 452, S("4.3.1"), S("Not enough room"));
    if (e->submission && e->sender.n && !slice_eq(e->sender, e->login))
        return say(answer, 550, S("5.7.1"), S("Not your address"));
    return DONE;
}

static enum outcome fake_rcpt(void *ctx, struct arena *a, const struct envelope *e, slice rcpt,
                              struct smtp_answer *answer)
{
    static const char *const known[] = {"one", "two", "postmaster", "later", "never"};
    slice local = smtp_address_local(rcpt);
    (void)ctx;
    (void)a;
    if (!slice_eq(smtp_address_domain(rcpt), S("north.test")))
        return e->login.n ? DONE : say(answer, 550, S("5.7.1"), S("No relay"));
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (slice_eq_icase(local, slice_c(known[i])) || slice_starts(local, S("user")))
            return DONE;
    if (slice_eq(local, S("full")))
        return say(answer, 452, S("4.2.2"), S("Mailbox full"));
    return say(answer, 550, S("5.1.1"), S("No such \r\nuser \x80"));
}

struct fake_body {
    struct fake_host *host;
    struct buf bytes;
    uint64_t size;
};

static void *fake_body_open(void *ctx)
{
    struct fake_host *f = ctx;
    if (!f->disk)
        return NULL;
    struct fake_body *b = mem_alloc(sizeof(*b));
    b->host = f;
    b->bytes.max = FAKE_BODY_MAX;
    return b;
}

static bool fake_body_add(void *body, slice bytes)
{
    struct fake_body *b = body;
    b->size += bytes.n;
    return b->size <= b->host->disk && (!b->host->keep || buf_add(&b->bytes, bytes));
}

static void remember(struct fake_host *f, struct fake_body *b, const struct envelope *e)
{
    arena_reset(&f->arena);
    f->envelope = *e;
    f->envelope.sender = arena_dup(&f->arena, e->sender);
    f->envelope.helo = arena_dup(&f->arena, e->helo);
    f->envelope.peer_name = arena_dup(&f->arena, e->peer_name);
    f->envelope.tls = arena_dup(&f->arena, e->tls);
    f->envelope.login = arena_dup(&f->arena, e->login);
    f->envelope.recipients = arena_array(&f->arena, e->recipient_count, sizeof(*e->recipients));
    for (size_t i = 0; i < e->recipient_count; i++) {
        f->envelope.recipients[i] = e->recipients[i];
        f->envelope.recipients[i].address = arena_dup(&f->arena, e->recipients[i].address);
    }
    buf_end(&f->last);
    f->last = b->bytes;
    b->bytes = (struct buf){0};
    f->accepted++;
}

static enum outcome fake_body_accept(void *body, struct arena *a, const struct envelope *e,
                                     struct smtp_answer *answers, slice *queue_id)
{
    struct fake_body *b = body;
    bool any = false;
    for (size_t i = 0; i < e->recipient_count; i++) {
        slice local = smtp_address_local(e->recipients[i].address);
        if (slice_eq(local, S("later")))
            say(&answers[i], 451, S("4.2.1"), S("Not now"));
        else if (slice_eq(local, S("never")))
            say(&answers[i], 550, S("5.7.1"), S("Refused"));
        else
            any = say(&answers[i], 250, S("2.0.0"), S("Ok")) == DONE;
    }
    if (any)
        remember(b->host, b, e);
    char id[ID_TEXT];
    id_text(42, id);
    *queue_id = arena_dup(a, (slice){id, ID_TEXT});
    return DONE;
}

static void fake_body_close(void *body)
{
    struct fake_body *b = body;
    buf_end(&b->bytes);
    mem_free(b);
}

void fake_host_start(struct fake_host *f, enum smtp_service service)
{
    *f = (struct fake_host){
        .host = {.ctx = f,
                 .mechanisms = fake_mechanisms,
                 .sasl_start = fake_sasl_start,
                 .sasl_step = fake_sasl_step,
                 .sasl_hash = fake_sasl_hash,
                 .sasl_identity = fake_sasl_identity,
                 .sasl_end = fake_sasl_end,
                 .mail = fake_mail,
                 .rcpt = fake_rcpt,
                 .body_open = fake_body_open,
                 .body_add = fake_body_add,
                 .body_accept = fake_body_accept,
                 .body_close = fake_body_close},
        .options = {.service = service,
                    .hostname = S("north.test"),
                    .message_size = 100000,
                    .tls_available = true,
                    .hold_max_ms = 30 * INT64_C(86400000)},
        .disk = 90000,
        .keep = true,
    };
    f->options.host = &f->host;
}

void fake_host_end(struct fake_host *f)
{
    buf_end(&f->last);
    arena_end(&f->arena);
}
