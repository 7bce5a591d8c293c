/*
 * AUTHENTICATE (RFC 9051 6.2.2; initial response RFC 4959).
 *
 *   C: a AUTHENTICATE PLAIN              C: a AUTHENTICATE PLAIN AG9uZQ...
 *   S: +                                 S: a OK ...
 *   C: AG9uZQ...   or "*" to cancel
 */
#include "imap/command.h"

#include <openssl/crypto.h>

#include "message/base64.h"
#include "base/banned.h"

bool imap_offers_plain(const struct imap *p)
{
    return p->state == IMAP_EARLY && imap_is_safe(p);
}

void imap_challenge(struct imap *p, slice raw, void (*answer)(struct imap *p, slice line))
{
    slice encoded = base64_text(&p->scratch, raw);
    imap_continue(p, "%.*s", P(encoded)); /* the space stays when it is empty */
    p->line = answer;
}

static void step(struct imap *p, bool has_response, slice text)
{
    slice response = S(""), reply = S("");
    if (text.n && !base64_decode_strict(&p->scratch, text, &response)) {
        imap_bad(p, "Not base64");
        return;
    }
    enum sasl_result result = sasl_step(p->sasl, has_response, response, &p->scratch, &reply);
    if (text.n) { /* the password does not stay behind */
        OPENSSL_cleanse((void *)(uintptr_t)response.p, response.n);
        OPENSSL_cleanse((void *)(uintptr_t)text.p, text.n);
    }
    imap_login(p, result, reply);
}

void imap_auth_answer(struct imap *p, slice line)
{
    if (slice_eq(line, S("*")))
        imap_bad(p, "Login cancelled");
    else
        step(p, true, line);
}

void imap_cmd_authenticate(struct imap *p, slice args)
{
    slice mechanism, initial = S("");
    bool has_initial = false;
    if (!imap_atom(&args, &mechanism)) {
        imap_syntax(p);
        return;
    }
    if (imap_space(&args)) {
        has_initial = true;
        initial = args;
    } else if (args.n) {
        imap_syntax(p);
        return;
    }
    p->sasl = sasl_start(p->options->login, mechanism, "imap", &p->s.peer, imap_is_safe(p));
    p->release = imap_auth_end;
    if (!p->sasl)
        imap_no(p, "[CANNOT] No such mechanism here");
    else /* "=" is an empty initial response (RFC 4959 section 3) */
        step(p, has_initial, slice_eq(initial, S("=")) ? S("") : initial);
}
