/*
 * AUTH (RFC 5034) and what every login leads to: the maildrop.
 *
 *   C: AUTH PLAIN                        C: AUTH PLAIN =AG9uZQ...
 *   S: +                                 S: +OK ...
 *   C: AG9uZQ...   or "*" to cancel
 */
#include "pop3/command.h"

#include <openssl/crypto.h>

#include "base/log.h"
#include "message/base64.h"
#include "base/banned.h"

slice pop3_capa_sasl(const struct pop3 *p)
{
    return sasl_mechanisms(pop3_is_safe(p));
}

void pop3_auth_end(struct pop3 *p)
{
    sasl_end(p->sasl);
    p->sasl = NULL;
    p->line = LINE_COMMAND;
}

/* ---- after the login ---- */

static void enter(struct pop3 *p, int64_t account, slice login)
{
    switch (maildrop_open(&p->drop, p->options->login->store, account)) {
    case MAILDROP_IN_USE:
        log_step(p->s.who, "authentication", "%.*s is right, but another POP3 session is open",
                 P(login));
        pop3_err(p, "[IN-USE] %s",
                 pop3_say(p, "Another session reads this maildrop", "另一个会话正在使用此邮箱"));
        return;
    case MAILDROP_TEMPFAIL:
        pop3_err(p, "[SYS/TEMP] %s",
                 pop3_say(p, "The maildrop cannot be opened now", "暂时无法打开邮箱"));
        return;
    case MAILDROP_OPEN:
        break;
    }
    p->state = POP3_TRANSACTION;
    p->account = account;
    log_event(LEVEL_INFO, "pop3.open", "session=%s account=%lld messages=%u bytes=%llu", p->s.id,
              (long long)account, p->drop.info.count, (unsigned long long)p->drop.info.size);
    log_step(p->s.who, "authentication", "%.*s is logged in: %u messages, %llu octets", P(login),
             p->drop.info.count, (unsigned long long)p->drop.info.size);
    pop3_ok(p, pop3_say(p, "%u messages (%llu octets)", "%u 封邮件（%llu 字节）"),
            p->drop.info.count, (unsigned long long)p->drop.info.size);
}

static void fail(struct pop3 *p)
{
    log_step(p->s.who, "authentication", "wrong name or password");
    pop3_err(p, "[AUTH] %s", pop3_say(p, "Wrong name or password", "用户名或密码错误"));
    if (++p->failures >= LIMIT_AUTH_FAILURES)
        p->s.want = SESSION_CLOSE;
}

static void challenge(struct pop3 *p, slice text, enum pop3_line next)
{
    slice encoded = base64_text(&p->scratch, text);
    buf_printf(&p->s.out, "+ %.*s\r\n", P(encoded)); /* the space stays when it is empty */
    p->line = next;
}

static void hash(struct session *s)
{
    struct pop3 *p = (struct pop3 *)s;
    p->hashed = sasl_hash(p->sasl);
}

static void hash_done(struct pop3 *p)
{
    pop3_login(p, p->s.job_refused ? SASL_TEMPFAIL : p->hashed, S(""));
}

static void succeed(struct pop3 *p)
{
    slice login;
    int64_t account = sasl_account(p->sasl, &p->scratch, &login);
    pop3_auth_end(p);
    enter(p, account, login);
}

void pop3_login(struct pop3 *p, enum sasl_result result, slice text)
{
    slice why;
    switch (result) {
    case SASL_CHALLENGE:
        challenge(p, text, LINE_RESPONSE);
        return;
    case SASL_HASH:
        p->s.want = SESSION_JOB;
        p->s.pool = POOL_HASH;
        p->s.job = hash;
        p->next = hash_done;
        return;
    case SASL_OK:
        if (text.n) /* the server's own proof (SCRAM), to be answered by an empty line */
            challenge(p, text, LINE_LAST);
        else
            succeed(p);
        return;
    case SASL_FAIL:
        pop3_auth_end(p);
        fail(p);
        return;
    case SASL_SYNTAX:
        pop3_auth_end(p);
        pop3_bad(p, "%s", pop3_say(p, "Not a message of this mechanism", "认证消息格式错误"));
        return;
    case SASL_TEMPFAIL:
        why = arena_dup(&p->scratch, sasl_reason(p->sasl));
        pop3_auth_end(p);
        pop3_err(p, "[SYS/TEMP] %.*s", P(why.n ? why : S("Too busy, try again later")));
        return;
    }
}

/* ---- the exchange ---- */

static void step(struct pop3 *p, bool has_response, slice text)
{
    slice response = S(""), reply = S("");
    if (text.n && !base64_decode_strict(&p->scratch, text, &response)) {
        pop3_auth_end(p);
        pop3_bad(p, "%s", pop3_say(p, "Not base64", "不是 base64"));
        return;
    }
    enum sasl_result result = sasl_step(p->sasl, has_response, response, &p->scratch, &reply);
    if (text.n) /* the decoded password does not stay behind */
        OPENSSL_cleanse((void *)(uintptr_t)response.p, response.n);
    pop3_login(p, result, reply);
}

void pop3_auth_line(struct pop3 *p, slice line)
{
    enum pop3_line was = p->line;
    p->line = LINE_COMMAND;
    if (slice_eq(line, S("*"))) {
        pop3_auth_end(p);
        pop3_err(p, "%s", pop3_say(p, "Login cancelled", "已取消登录"));
    } else if (was == LINE_RESPONSE) {
        step(p, true, line);
    } else if (line.n == 0) {
        succeed(p);
    } else {
        pop3_auth_end(p);
        pop3_bad(p, "%s", pop3_say(p, "An empty line was expected", "此处应为空行"));
    }
}

/* Without an argument: the list, as clients older than CAPA want it. */
static void list(struct pop3 *p)
{
    slice names = sasl_mechanisms(pop3_is_safe(p)), name;
    pop3_ok(p, "%s", pop3_say(p, "Mechanisms follow", "认证机制如下"));
    while (slice_next(&names, ' ', &name))
        buf_printf(&p->s.out, "%.*s\r\n", P(name));
    buf_add(&p->s.out, S(".\r\n"));
}

void pop3_cmd_auth(struct pop3 *p, slice argument)
{
    if (argument.n == 0) {
        list(p);
        return;
    }
    ptrdiff_t space = slice_find(argument, ' ');
    slice mechanism = space < 0 ? argument : slice_sub(argument, 0, (size_t)space);
    slice initial = space < 0 ? S("") : slice_skip(argument, (size_t)space + 1);
    p->sasl = sasl_start(p->options->login, mechanism, "pop3", &p->s.peer, pop3_is_safe(p));
    if (!p->sasl)
        pop3_bad(p, "%s", pop3_say(p, "No such mechanism here", "不支持此认证机制"));
    else /* "=" is an empty initial response (section 4) */
        step(p, initial.n > 0, slice_eq(initial, S("=")) ? S("") : initial);
}
