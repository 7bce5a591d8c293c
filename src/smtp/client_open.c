/* The SMTP client's connection: dial, greeting, EHLO, STARTTLS, login, and at last QUIT. */
#include "smtp/client_private.h"

#include <stdio.h>

#include "base/log.h"
#include "base/banned.h"

static void read_offers(struct smtp_client *c, slice lines)
{
    slice rest = lines, line, word, limit;
    uint64_t n;
    slice_next(&rest, '\n', &line); /* the server's name */
    arena_reset(&c->offers);
    c->keywords = arena_dup(&c->offers, rest);
    c->pipelining = smtp_client_has(c, S("PIPELINING"));
    c->eight_bit = smtp_client_has(c, S("8BITMIME"));
    c->utf8 = smtp_client_has(c, S("SMTPUTF8"));
    c->size = 0;
    c->mail_max = c->our_mail_max;
    c->rcpt_max = 0;
    while (slice_next(&rest, '\n', &line)) {
        if (!slice_next(&line, ' ', &word))
            continue;
        if (slice_eq_icase(word, S("SIZE")) && slice_u64(slice_trim(line), UINT64_MAX, &n))
            c->size = n;
        if (!slice_eq_icase(word, S("LIMITS")))
            continue;
        while (slice_next(&line, ' ', &limit)) { /* RFC 9422: unknown ones are ignored (S26) */
            if (slice_eat_icase(&limit, S("MAILMAX=")) && slice_u64(limit, 999999, &n))
                c->mail_max = !c->mail_max || n < c->mail_max ? n : c->mail_max;
            else if (slice_eat_icase(&limit, S("RCPTMAX=")) && slice_u64(limit, 999999, &n))
                c->rcpt_max = n;
        }
    }
}

bool smtp_client_has(const struct smtp_client *c, slice keyword)
{
    slice rest = c->keywords, line, word;
    while (slice_next(&rest, '\n', &line))
        if (slice_next(&line, ' ', &word) && slice_eq_icase(word, keyword))
            return true;
    return false;
}

uint64_t smtp_client_size(const struct smtp_client *c)
{
    return c->size;
}

/* EHLO, or HELO to a server that is too old for it (RFC 5321 3.2). */
static bool hello(struct smtp_client *c, struct arena *a, struct smtp_reply *r)
{
    client_say(c, "EHLO %.*s", P(c->helo));
    if (!client_hear_lines(c, a, WAIT_COMMAND_MS, r))
        return false;
    read_offers(c, r->code == 250 ? r->text : S(""));
    reply_join(r, a);
    if (r->code >= 500 && r->code <= 504) {
        client_say(c, "HELO %.*s", P(c->helo));
        if (!client_hear(c, a, WAIT_COMMAND_MS, r))
            return false;
    }
    log_step(c->who, "handshake", "EHLO %.*s: %d %.*s", P(c->helo), r->code, P(r->text));
    return r->code / 100 == 2;
}

static bool hand_shake(struct smtp_client *c, enum dial_tls mode, struct arena *a,
                       struct smtp_reply *r)
{
    dial_timeout(c->dial, WAIT_COMMAND_MS);
    if (dial_start_tls(c->dial, mode)) {
        log_step(c->who, "TLS", "encrypted: %s %s", dial_tls_version(c->dial),
                 dial_tls_cipher(c->dial));
        return true;
    }
    client_lose(c, dial_error(c->dial));
    *r = (struct smtp_reply){.text = arena_dup(a, slice_c(c->error))};
    log_step(c->who, "TLS", "failed: %s", c->error);
    return false;
}

/* STARTTLS (RFC 3207), after which everything the server said before is forgotten (S15). */
static bool start_tls(struct smtp_client *c, const struct smtp_client_options *o, struct arena *a,
                      struct smtp_reply *r)
{
    if (smtp_client_has(c, S("STARTTLS"))) {
        client_say(c, "STARTTLS");
        if (!client_hear(c, a, WAIT_COMMAND_MS, r))
            return false;
        if (r->code == 220)
            return hand_shake(c, o->verify, a, r) && hello(c, a, r);
    }
    if (o->tls == SMTP_TLS_IF_OFFERED)
        return true;
    *r = (struct smtp_reply){.text = S("the server does not offer the TLS that is required")};
    return false;
}

static bool greet(struct smtp_client *c, const struct smtp_client_options *o, struct arena *a,
                  struct smtp_reply *r)
{
    if (o->tls == SMTP_TLS_IMPLICIT && !hand_shake(c, o->verify, a, r))
        return false;
    if (!client_hear(c, a, WAIT_GREETING_MS, r))
        return false;
    log_step(c->who, "handshake", "the server says %d %.*s", r->code, P(r->text));
    if (r->code != 220 || !hello(c, a, r))
        return false;
    bool plain = o->tls == SMTP_TLS_IMPLICIT || o->tls == SMTP_TLS_NEVER;
    if (!plain && !start_tls(c, o, a, r))
        return false;
    return o->user.n == 0 || client_login(c, o->user, o->password, a, r);
}

static struct smtp_client *client_new(const struct smtp_client_options *o)
{
    struct arena life = {0};
    struct smtp_client *c = arena_new(&life, struct smtp_client);
    c->helo = arena_dup(&life, o->helo);
    c->our_mail_max = o->mails_max;
    c->life = life;
    c->keywords = S("");
    snprintf(c->who, sizeof(c->who), "%s", o->who ? o->who : "smtp client");
    return c;
}

static struct smtp_client *open_once(const struct smtp_client_options *o, struct arena *a,
                                     struct smtp_reply *r, bool *tls_broke)
{
    struct buf error = {.max = LIMIT_SMTP_LINE};
    struct smtp_client *c = client_new(o);
    *r = (struct smtp_reply){0};
    c->dial = dial_open(&o->dial, &error);
    c->alive = c->dial != NULL;
    if (c->dial && greet(c, o, a, r)) {
        buf_end(&error);
        return c;
    }
    if (!c->dial) {
        r->text = arena_dup(a, buf_slice(&error));
        log_step(c->who, "handshake", "no connection: %.*s", P(r->text));
    }
    *tls_broke = c->dial && r->code == 0 && smtp_client_has(c, S("STARTTLS"));
    buf_end(&error);
    smtp_client_close(c);
    return NULL;
}

struct smtp_client *smtp_client_open(const struct smtp_client_options *options, struct arena *a,
                                     struct smtp_reply *reply)
{
    bool tls_broke = false;
    struct smtp_client *c = open_once(options, a, reply, &tls_broke);
    bool opportune = options->tls == SMTP_TLS_IF_OFFERED && options->verify == DIAL_OPPORTUNE;
    if (c || !tls_broke || !opportune || options->user.n)
        return c;
    /* RFC 7435: encryption that does not work is no reason to keep mail between servers back. */
    struct smtp_client_options plain = *options;
    plain.tls = SMTP_TLS_NEVER;
    return open_once(&plain, a, reply, &tls_broke);
}

void smtp_client_close(struct smtp_client *c)
{
    if (!c)
        return;
    if (c->alive && !c->announced) {
        struct arena a = {0};
        struct smtp_reply r;
        client_say(c, "QUIT");
        client_hear(c, &a, WAIT_QUIT_MS, &r);
        log_step(c->who, "closure", "QUIT after %u message%s; %d %.*s", c->mails,
                 c->mails == 1 ? "" : "s", r.code, P(r.text));
        arena_end(&a);
    }
    dial_end(c->dial);
    arena_end(&c->offers);
    struct arena life = c->life;
    arena_end(&life);
}

bool smtp_client_usable(const struct smtp_client *c)
{
    if (!c->alive || c->announced)
        return c->alive; /* the one announced is counted already */
    return !dial_readable(c->dial) && (c->mail_max == 0 || c->mails < c->mail_max);
}

bool smtp_client_probe(struct smtp_client *c)
{
    struct arena a = {0};
    struct smtp_reply r;
    bool good = smtp_client_usable(c) && !c->announced && client_say(c, "RSET") &&
                client_hear(c, &a, WAIT_PROBE_MS, &r) && r.code == 250;
    if (good)
        c->reset_owed = false;
    else
        client_lose(c, "the server answers no more");
    arena_end(&a);
    return good;
}
