/*
 * STARTTLS or TLS from the first byte (RFC 8314), then SCRAM-SHA-256 (RFC 7677), else PLAIN, else
 * LOGIN; a password leaves in plain text on loopback only.  Then ID (RFC 2971): some big Chinese
 * providers open no mailbox before it.
 */
#include "agent/imap_login.h"

#include "base/limits.h"
#include "base/log.h"
#include "imap/parse.h"
#include "message/base64.h"
#include "smtp/scram_client.h"
#include "base/banned.h"

enum { REPLY_MS = 120000, IN_MAX = 256 * 1024, EARLY_MAX = 64 * 1024 };

static bool say_host(struct imap_wire *w, struct buf *error, const char *text)
{
    buf_printf(error, "%.*s:%u %s", P(w->account->dial.host), w->account->dial.port, text);
    return false;
}

static bool start_tls(struct imap_wire *w, struct buf *error)
{
    if (wire_has_input(w)) /* RFC 9051 6.2.1: it may come from a stranger */
        return say_host(w, error, "sent more than it may before TLS; somebody stands between");
    if (!dial_start_tls(w->dial, w->account->verify))
        return wire_fail(w, IMAP_LOST, "TLS", error);
    w->capabilities = S("");
    log_step(w->who, "TLS", "%s %s", dial_tls_version(w->dial), dial_tls_cipher(w->dial));
    return true;
}

static bool ask_capabilities(struct imap_wire *w, struct buf *error)
{
    if (w->capabilities.n)
        return true;
    enum imap_reply r = wire_ask(w, "CAPABILITY");
    return r == IMAP_OK || wire_fail(w, r, "CAPABILITY", error);
}

/* "OK", or "PREAUTH" (*known: we are logged in already). */
static bool take_greeting(struct imap_wire *w, bool *known, struct buf *error)
{
    slice line;
    *known = false;
    if (!wire_read(w, &line) || !slice_eat(&line, S("* ")))
        return wire_fail(w, IMAP_LOST, "", error);
    bool bye = imap_word(&line, S("BYE"));
    *known = !bye && imap_word(&line, S("PREAUTH"));
    if (!bye && !*known && !imap_word(&line, S("OK")))
        return wire_fail(w, IMAP_LOST, "", error);
    wire_note(w, slice_trim(line));
    if (bye)
        return wire_fail(w, IMAP_NO, "the connection", error);
    slice text = w->last;
    ptrdiff_t code = slice_starts(text, S("[")) ? slice_find(text, ']') : -1;
    log_step(w->who, "handshake", "%.*s", P(slice_trim(slice_skip(text, (size_t)(code + 1)))));
    return true;
}

static bool upgrade(struct imap_wire *w, bool known, struct buf *error)
{
    if (known) /* RFC 9051 11.1: STARTTLS is not possible any more */
        return say_host(w, error, "wants no login, so TLS cannot begin; use --tls implicit");
    if (!ask_capabilities(w, error))
        return false;
    if (!wire_offers(w, S("STARTTLS")))
        return say_host(w, error,
                        "offers no TLS (STARTTLS); use port 993, or --tls none on loopback");
    enum imap_reply r = wire_ask(w, "STARTTLS");
    return r == IMAP_OK ? start_tls(w, error) : wire_fail(w, r, "STARTTLS", error);
}

/* ---- Login ---- */

/* "AUTHENTICATE NAME" with the first message, at once or when it is asked for. */
static enum imap_reply authenticate(struct imap_wire *w, const char *name, slice first)
{
    slice text = base64_text(&w->arena, first);
    if (wire_offers(w, S("SASL-IR")) || wire_offers(w, S("IMAP4rev2")))
        return wire_ask(w, "AUTHENTICATE %s %.*s", name, P(text));
    enum imap_reply r = wire_ask(w, "AUTHENTICATE %s", name);
    return r == IMAP_MORE ? wire_continue(w, text, NULL, NULL) : r;
}

/* A message of the exchange and the answer, decoded into *challenge when it goes on. */
static enum imap_reply exchange(struct imap_wire *w, slice message, slice *challenge)
{
    enum imap_reply r = wire_continue(w, base64_text(&w->arena, message), NULL, NULL);
    if (r == IMAP_MORE && !base64_decode_strict(&w->arena, w->last, challenge))
        return IMAP_LOST;
    return r;
}

static bool login_scram(struct imap_wire *w, slice password, enum imap_reply *r, struct buf *error)
{
    struct scram_client scram = {0};
    slice challenge = S(""), message;
    slice first = scram_client_first(&scram, &w->arena, w->account->user, password);
    *r = authenticate(w, "SCRAM-SHA-256", first);
    if (*r == IMAP_MORE) {
        if (!base64_decode_strict(&w->arena, w->last, &challenge) ||
            !scram_client_final(&scram, &w->arena, challenge, &message)) {
            buf_printf(error, "the server's SCRAM message makes no sense; is it the right server?");
            return false;
        }
        *r = exchange(w, message, &challenge);
    }
    if (*r == IMAP_MORE) { /* the server proves that it knows us */
        if (!scram_client_verify(&scram, &w->arena, challenge)) {
            buf_printf(error, "the server does not know the password; somebody stands between");
            return false;
        }
        *r = exchange(w, S(""), &challenge);
    }
    return true;
}

static enum imap_reply login_plain(struct imap_wire *w, slice password)
{
    slice first = arena_printf(&w->arena, "%c%.*s%c%.*s", 0, P(w->account->user), 0, P(password));
    return authenticate(w, "PLAIN", first);
}

static enum imap_reply login_login(struct imap_wire *w, slice password)
{
    wire_begin(w, "LOGIN");
    wire_put_string(w, w->account->user);
    wire_put_string(w, password);
    return wire_finish(w, NULL, NULL);
}

static bool log_in(struct imap_wire *w, slice password, struct buf *error)
{
    bool scram = wire_offers(w, S("AUTH=SCRAM-SHA-256")), plain = wire_offers(w, S("AUTH=PLAIN"));
    bool safe = dial_is_tls(w->dial) || strncmp(dial_remote(w->dial), "127.", 4) == 0;
    enum imap_reply r = IMAP_LOST;
    if (!scram && !safe) {
        buf_printf(error, "the password would travel in plain text; use --tls starttls");
        return false;
    }
    if (!scram && !plain && wire_offers(w, S("LOGINDISABLED")))
        return say_host(w, error, "takes no password we can give; use --tls starttls");
    log_step(w->who, "authentication", "%s as %.*s",
             scram   ? "SCRAM-SHA-256"
             : plain ? "PLAIN"
                     : "LOGIN",
             P(w->account->user));
    w->capabilities_stale = true; /* others come after the login */
    if (scram && !login_scram(w, password, &r, error))
        return false;
    if (!scram)
        r = plain ? login_plain(w, password) : login_login(w, password);
    if (r == IMAP_OK)
        return true;
    if (r != IMAP_NO && r != IMAP_BAD)
        return wire_fail(w, IMAP_LOST, "", error);
    buf_printf(error, "%.*s:%u refused the login of %.*s: %.*s; check --user and the password",
               P(w->account->dial.host), w->account->dial.port, P(w->account->user), P(w->last));
    return false;
}

/* Capabilities of the one who is logged in, and who we are. */
static bool introduce(struct imap_wire *w, struct buf *error)
{
    w->response.max = LIMIT_IMAP_RESPONSE;
    if (w->capabilities_stale)
        w->capabilities = S("");
    if (!ask_capabilities(w, error))
        return false;
    if (!wire_offers(w, S("ID")))
        return true;
    enum imap_reply r = wire_ask(w, "ID (\"name\" \"yizhan\" \"version\" \"%s\")", YIZHAN_VERSION);
    return r != IMAP_LOST || wire_fail(w, r, "ID", error);
}

bool imap_log_in(struct imap_wire *w, const struct agent_account *account, slice password,
                 struct buf *error)
{
    bool known;
    *w = (struct imap_wire){
        .account = account, .in = {.max = IN_MAX}, .response = {.max = EARLY_MAX}};
    w->who =
        arena_printf(&w->arena, "agent -> %.*s:%u", P(account->dial.host), account->dial.port).p;
    w->dial = dial_open(&account->dial, error);
    if (!w->dial)
        return false;
    dial_timeout(w->dial, REPLY_MS);
    if ((account->tls == AGENT_IMPLICIT && !start_tls(w, error)) ||
        !take_greeting(w, &known, error) ||
        (account->tls == AGENT_STARTTLS && !upgrade(w, known, error)) ||
        !ask_capabilities(w, error))
        return false;
    return (known || log_in(w, password, error)) && introduce(w, error);
}
