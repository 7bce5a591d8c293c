/*
 * The session: lines in, replies out.  A line is a command or an answer in a login exchange; a
 * command is a row of the table (table.c); a long answer goes on in resume() when out has drained.
 */
#include "pop3/server.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "pop3/command.h"
#include "base/banned.h"

/* RFC 1939 section 3: an autologout timer of at least 10 minutes. */
#define AUTOLOGOUT_MS (10 * MINUTE_MS)

static struct pop3 *pop3_of(struct session *s)
{
    return (struct pop3 *)s;
}

/* ---- replies ---- */

static void reply(struct pop3 *p, const char *status, const char *format, va_list args)
{
    buf_add(&p->s.out, slice_c(status));
    buf_vprintf(&p->s.out, format, args);
    buf_add(&p->s.out, S("\r\n"));
}

void pop3_ok(struct pop3 *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    reply(p, "+OK ", format, args);
    va_end(args);
}

void pop3_err(struct pop3 *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    reply(p, "-ERR ", format, args);
    va_end(args);
}

void pop3_bad(struct pop3 *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    reply(p, "-ERR ", format, args);
    va_end(args);
    if (++p->errors < LIMIT_COMMAND_ERRORS)
        return;
    log_event(LEVEL_INFO, "pop3.nonsense", "session=%s ip=%s errors=%u", p->s.id, p->s.peer.ip,
              p->errors);
    p->s.want = SESSION_CLOSE;
}

const char *pop3_say(const struct pop3 *p, const char *en, const char *zh)
{
    return p->language == LANGUAGE_ZH ? zh : en;
}

bool pop3_has_room(struct pop3 *p, void (*next)(struct pop3 *p))
{
    if (buf_length(&p->s.out) <= LIMIT_OUT / 2)
        return true;
    p->next = next;
    p->s.want = SESSION_ROOM;
    return false;
}

bool pop3_number(struct pop3 *p, slice argument, uint32_t *position, struct entry *e)
{
    uint64_t n;
    if (!slice_u64(argument, UINT32_MAX, &n) || n == 0 ||
        !maildrop_entry(&p->drop, (uint32_t)n - 1, e)) {
        pop3_err(p, "%s", pop3_say(p, "No such message", "没有这封邮件"));
        return false;
    }
    *position = (uint32_t)n - 1;
    return true;
}

/* ---- lines ---- */

static const struct pop3_command *find(slice name)
{
    for (size_t i = 0; i < pop3_table_rows; i++)
        if (pop3_table[i].name.n && slice_eq_icase(pop3_table[i].name, name))
            return &pop3_table[i];
    return NULL;
}

/* "RETR 1": the word, and all behind the one space; spaces at the end count only in a password. */
static void split(slice line, slice *name, slice *argument)
{
    ptrdiff_t space = slice_find(line, ' ');
    *name = space < 0 ? line : slice_sub(line, 0, (size_t)space);
    *argument = space < 0 ? S("") : slice_skip(line, (size_t)space + 1);
    if (!slice_eq_icase(*name, S("PASS")))
        *argument = slice_trim(*argument);
}

static void run(struct pop3 *p, slice line)
{
    slice name, argument;
    split(line, &name, &argument);
    const struct pop3_command *c = find(name);
    if (!c)
        pop3_bad(p, "%s", pop3_say(p, "Unknown command", "未知命令"));
    else if (!(c->states & p->state))
        pop3_bad(p, "%s",
                 p->state == POP3_AUTHORIZATION ? pop3_say(p, "Log in first", "请先登录")
                                                : pop3_say(p, "Already logged in", "已经登录"));
    else if (line.n + 2 > LIMIT_POP3_LINE && !c->long_line)
        pop3_bad(p, "%s", pop3_say(p, "Line too long", "命令行过长"));
    else if (c->argument == ARGUMENT_NONE && argument.n)
        pop3_bad(p, "%s", pop3_say(p, "No argument expected", "该命令没有参数"));
    else if (c->argument == ARGUMENT_MUST && !argument.n)
        pop3_bad(p, "%s", pop3_say(p, "Argument missing", "缺少参数"));
    else
        c->run(p, argument);
}

/* The longest line is that of a SASL message; what is longer is answered once and skipped. */
static size_t take_too_long(struct pop3 *p, slice in)
{
    if (!p->skipping) {
        p->skipping = true;
        pop3_auth_end(p);
        pop3_bad(p, "%s", pop3_say(p, "Line too long", "命令行过长"));
        return LIMIT_SMTP_AUTH_LINE;
    }
    ptrdiff_t end = slice_find(in, '\n');
    p->skipping = end < 0;
    return end < 0 ? in.n : (size_t)end + 1;
}

/* A bare LF ends a line, too: people type POP3 by hand, and nothing hides behind it here. */
static size_t pop3_feed(struct session *s, slice in)
{
    struct pop3 *p = pop3_of(s);
    ptrdiff_t end = slice_find(slice_sub(in, 0, LIMIT_SMTP_AUTH_LINE), '\n');
    if (p->skipping || (end < 0 && in.n >= LIMIT_SMTP_AUTH_LINE))
        return take_too_long(p, in);
    if (end < 0)
        return 0;
    slice line = slice_sub(in, 0, (size_t)end);
    if (slice_ends(line, S("\r")))
        line.n--;
    arena_reset(&p->scratch);
    if (p->line == LINE_COMMAND)
        run(p, line);
    else
        pop3_auth_line(p, line);
    return (size_t)end + 1;
}

/* ---- the session ---- */

static void pop3_start(struct session *s)
{
    struct pop3 *p = pop3_of(s);
    s->timeout_ms = AUTOLOGOUT_MS;
    log_step(s->who, "handshake", "POP3 session %s from %s", s->id, s->peer.ip);
    pop3_ok(p, "%.*s Yizhan POP3 ready", P(p->options->hostname));
}

static void pop3_resume(struct session *s)
{
    struct pop3 *p = pop3_of(s);
    void (*next)(struct pop3 *) = p->next;
    p->next = NULL;
    if (next)
        next(p);
}

static void pop3_tls_started(struct session *s)
{
    struct pop3 *p = pop3_of(s);
    p->user_bytes = 0;
    log_step(s->who, "TLS", "the connection is now encrypted: %s, %s", s->peer.tls_version,
             s->peer.tls_cipher);
}

/* RFC 1939 section 3: after a timeout nothing is removed and nothing is said. */
static void pop3_expire(struct session *s, enum session_end why)
{
    struct pop3 *p = pop3_of(s);
    if (why == END_SHUTDOWN)
        pop3_err(p, "[SYS/TEMP] %s",
                 pop3_say(p, "The server stops, come back in a moment", "服务器正在停止，请稍后"));
    else if (why == END_LIMIT)
        pop3_err(p, "[SYS/TEMP] %s", pop3_say(p, "Too busy, try again later", "繁忙，请稍后再试"));
    log_step(s->who, "closure", why == END_TIMEOUT ? "nothing heard for too long" : "not now");
    s->want = SESSION_CLOSE;
}

static void pop3_end(struct session *s)
{
    struct pop3 *p = pop3_of(s);
    if (p->state == POP3_TRANSACTION)
        log_event(LEVEL_INFO, "pop3.end", "session=%s account=%lld retrieved=%llu bytes=%llu",
                  s->id, (long long)p->account, (unsigned long long)p->retrieved,
                  (unsigned long long)p->retrieved_bytes);
    pop3_auth_end(p);
    maildrop_close(&p->drop);
    arena_end(&p->scratch);
    struct arena arena = p->arena;
    arena_end(&arena);
}

struct session *pop3_server_new(const struct pop3_options *options)
{
    static const struct session_class class = {
        .name = "pop3",
        .start = pop3_start,
        .feed = pop3_feed,
        .resume = pop3_resume,
        .tls_started = pop3_tls_started,
        .expire = pop3_expire,
        .end = pop3_end,
    };
    struct arena arena = {0};
    struct pop3 *p = arena_new(&arena, struct pop3);
    p->arena = arena;
    p->s.class = &class;
    p->s.out.max = LIMIT_OUT;
    p->options = options;
    p->state = POP3_AUTHORIZATION;
    return &p->s;
}
