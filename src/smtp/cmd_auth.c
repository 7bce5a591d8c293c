/*
 * AUTH (RFC 4954): base64 lines to and from the host's SASL exchange.  What costs a password hash
 * runs on POOL_HASH while the session is parked, so a guesser waits and nobody else does.  The host
 * logs and counts logins.
 */
#include "smtp/command.h"

#include <stdio.h>

#include "base/log.h"
#include "message/base64.h"
#include "base/banned.h"

static bool listed(slice list, slice name)
{
    slice word;
    while (slice_next(&list, ' ', &word))
        if (slice_eq_icase(word, name))
            return true;
    return false;
}

void smtp_auth_end(struct smtp_session *s)
{
    if (s->sasl)
        s->options->host->sasl_end(s->sasl);
    s->sasl = NULL;
    s->auth_done = false;
    s->mechanism = S("");
    arena_end(&s->auth);
    if (s->state == STATE_AUTH)
        smtp_enter(s, STATE_READY);
}

static int fail(struct smtp_session *s, const char *reply)
{
    log_step(s->base.who, "authentication", "%.*s failed; we say %s", P(s->mechanism), reply);
    smtp_auth_end(s);
    return smtp_reply(s, "%s", reply);
}

static int fail_for_now(struct smtp_session *s)
{
    const struct smtp_host *host = s->options->host;
    slice reason = host->sasl_reason ? host->sasl_reason(s->sasl) : S("");
    if (!reason.n)
        reason = S("Logins do not work now; try again later");
    char reply[LIMIT_SMTP_REPLY];
    snprintf(reply, sizeof(reply), "454 4.7.0 %.*s", P(reason));
    return fail(s, reply);
}

static int fail_login(struct smtp_session *s)
{
    s->auth_failures++;
    return fail(s, "535 5.7.8 Wrong name or password");
}

static int succeed(struct smtp_session *s)
{
    s->options->host->sasl_identity(s->sasl, &s->life, &s->login, &s->account);
    log_step(s->base.who, "authentication", "%.*s logged in by %.*s; we say 235", P(s->login),
             P(s->mechanism));
    smtp_auth_end(s);
    return smtp_reply(s, "235 2.7.0 You are logged in");
}

/* A challenge may be longer than a reply line (RFC 4954 section 4: up to 12288 octets). */
static int challenge(struct smtp_session *s, slice raw)
{
    smtp_enter(s, STATE_AUTH);
    buf_printf(&s->base.out, "334 %.*s\r\n", P(base64_text(&s->auth, raw)));
    return 334;
}

static int step_done(struct smtp_session *s, enum sasl_result result, slice reply);

static void hash_job(struct session *base)
{
    struct smtp_session *s = (struct smtp_session *)(void *)base;
    s->hashed = s->options->host->sasl_hash(s->sasl);
}

static int hash_done(struct smtp_session *s)
{
    if (s->base.job_refused)
        return fail(s, "454 4.7.0 Too many logins at once; try again soon");
    return step_done(s, s->hashed, S(""));
}

static int hash_start(struct smtp_session *s)
{
    s->base.pool = POOL_HASH;
    s->base.job = hash_job;
    s->base.want = SESSION_JOB;
    s->after = hash_done;
    return 0;
}

static int step_done(struct smtp_session *s, enum sasl_result result, slice reply)
{
    switch (result) {
    case SASL_CHALLENGE:
        return challenge(s, reply);
    case SASL_OK:
        s->auth_done = reply.n > 0;
        return s->auth_done ? challenge(s, reply) : succeed(s);
    case SASL_HASH:
        return hash_start(s);
    case SASL_FAIL:
        return fail_login(s);
    case SASL_SYNTAX:
        return fail(s, "501 5.5.2 Not what this mechanism says");
    case SASL_TEMPFAIL:
        break;
    }
    return fail_for_now(s);
}

/* The client's response, in base64 or absent. */
static int respond(struct smtp_session *s, bool has_response, slice text)
{
    slice response = S(""), reply = S("");
    if (!base64_decode_strict(&s->auth, text, &response))
        return fail(s, "501 5.5.2 Not base64");
    enum sasl_result result =
        s->options->host->sasl_step(s->sasl, has_response, response, &s->auth, &reply);
    return step_done(s, result, reply);
}

int smtp_cmd_auth(struct smtp_session *s, slice arg)
{
    const struct smtp_host *host = s->options->host;
    slice mechanism = S("");
    if (s->login.n)
        return smtp_reply(s, "503 5.5.1 You are logged in already");
    slice_next(&arg, ' ', &mechanism);
    arg = slice_trim(arg);
    if (!listed(host->mechanisms(host->ctx, smtp_safe(s)), mechanism))
        return listed(host->mechanisms(host->ctx, true), mechanism)
                   ? smtp_reply(s, "538 5.7.11 This mechanism needs encryption: STARTTLS first")
                   : smtp_reply(s, "504 5.5.4 Mechanism not known; EHLO lists them");
    s->sasl = host->sasl_start(host->ctx, mechanism, &s->base.peer);
    if (!s->sasl)
        return smtp_reply(s, "454 4.7.0 Logins do not work now; try again later");
    s->mechanism = arena_dup(&s->auth, mechanism);
    /* RFC 4954 section 4: "=" is an initial response of no octets. */
    return respond(s, arg.n > 0, slice_eq(arg, S("=")) ? S("") : arg);
}

int smtp_auth_line(struct smtp_session *s, slice line)
{
    if (slice_eq(line, S("*")))
        return fail(s, "501 5.7.0 The login is cancelled");
    if (s->auth_done)
        return line.n == 0 || slice_eq(line, S("=")) ? succeed(s)
                                                     : fail(s, "501 5.5.2 Nothing is left to say");
    return respond(s, true, line);
}
