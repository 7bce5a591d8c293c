/*
 * The SMTP server session (RFC 5321): bytes become lines, lines become commands, the table says
 * which may come where.  The commands are in cmd_*.c, the replies in reply.c.
 *
 *   START --EHLO--> READY --MAIL--> MAIL --RCPT--> RCPT --DATA--> DATA --CRLF.CRLF--> READY
 *                   READY --AUTH--> AUTH --done--> READY         STARTTLS: back to START
 */
#include "smtp/server.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "message/date.h"
#include "smtp/command.h"
#include "base/banned.h"

#define WORD(w)                                                                                    \
    {                                                                                              \
        w, sizeof(w) - 1                                                                           \
    }

const struct smtp_command smtp_commands[] = {
    {WORD("EHLO"), smtp_cmd_ehlo, STATES_ANY, NULL, EXT_NONE, COMMAND_ARG, "EHLO domain",
     "greet; the reply lists what is offered"},
    {WORD("HELO"), smtp_cmd_helo, STATES_ANY, NULL, EXT_NONE, COMMAND_ARG, "HELO domain",
     "greet as of old"},
    {WORD("STARTTLS"), smtp_cmd_starttls, STATES_ANY, NULL, EXT_NONE, COMMAND_NO_ARG, "STARTTLS",
     "encrypt the connection"},
    {WORD("AUTH"), smtp_cmd_auth, STATE_READY, "503 5.5.1 AUTH does not come inside a transaction",
     EXT_AUTH, COMMAND_ARG, "AUTH mechanism [initial-response]", "log in"},
    {WORD("MAIL"), smtp_cmd_mail, STATE_READY, "503 5.5.1 There is a sender already: DATA or RSET",
     EXT_NONE, COMMAND_ARG | COMMAND_LOGIN | COMMAND_UTF8, "MAIL FROM:<address> [parameters]",
     "begin a mail"},
    {WORD("RCPT"), smtp_cmd_rcpt, STATES_TRANSACTION, "503 5.5.1 MAIL FROM comes first", EXT_NONE,
     COMMAND_ARG | COMMAND_LOGIN | COMMAND_UTF8, "RCPT TO:<address> [parameters]",
     "add a recipient"},
    {WORD("DATA"), smtp_cmd_data, STATES_TRANSACTION, "503 5.5.1 MAIL FROM and RCPT TO come first",
     EXT_NONE, COMMAND_NO_ARG | COMMAND_LOGIN, "DATA", "the message, ended by a line of one dot"},
    {WORD("RSET"), smtp_cmd_rset, STATES_ANY, NULL, EXT_NONE, COMMAND_NO_ARG, "RSET",
     "forget this mail"},
    {WORD("NOOP"), smtp_cmd_noop, STATES_ANY, NULL, EXT_NONE, 0, "NOOP [text]", "nothing"},
    {WORD("VRFY"), smtp_cmd_vrfy, STATES_ANY, NULL, EXT_NONE, COMMAND_ARG, "VRFY text",
     "not told here; RCPT says who exists"},
    {WORD("HELP"), smtp_cmd_help, STATES_ANY, NULL, EXT_HELP, 0, "HELP [command]", "this list"},
    {WORD("QUIT"), smtp_cmd_quit, STATES_ANY, NULL, EXT_NONE, COMMAND_NO_ARG, "QUIT", "goodbye"},
};
const size_t smtp_command_count = sizeof(smtp_commands) / sizeof(smtp_commands[0]);

/* Commands of other documents that we know and do not do: 502 rather than 500 (RFC 5321 4.2.4). */
static const char not_here[][5] = {"EXPN", "TURN", "ETRN", "ATRN", "SEND",
                                   "SOML", "SAML", "BDAT", "BURL", "LHLO"};

static bool offer_starttls(const struct smtp_session *s)
{
    return s->options->tls_available && !s->base.peer.tls;
}

bool smtp_safe(const struct smtp_session *s)
{
    return s->base.peer.tls || s->base.peer.loopback || s->options->password_without_tls;
}

static slice mechanisms(const struct smtp_session *s)
{
    const struct smtp_host *host = s->options->host;
    return s->options->service == SMTP_SUBMISSION ? host->mechanisms(host->ctx, smtp_safe(s))
                                                  : S("");
}

static bool offer_auth(const struct smtp_session *s)
{
    return mechanisms(s).n > 0;
}

static bool offer_hold(const struct smtp_session *s)
{
    return s->options->service == SMTP_SUBMISSION && s->options->hold_max_ms >= SECOND_MS;
}

static void print_size(const struct smtp_session *s, struct buf *b)
{
    buf_printf(b, " %llu", (unsigned long long)s->options->message_size);
}

static void print_auth(const struct smtp_session *s, struct buf *b)
{
    buf_printf(b, " %.*s", P(mechanisms(s)));
}

/* RFC 4865 section 3: the longest interval in seconds, and the latest time in UTC. */
static void print_hold(const struct smtp_session *s, struct buf *b)
{
    struct arena a = {0};
    int64_t max = s->options->hold_max_ms;
    buf_printf(b, " %lld %.*s", (long long)(max / SECOND_MS),
               P(date_print_3339(&a, clock_ms() + max, 0, true)));
    arena_end(&a);
}

const struct smtp_extension_row smtp_extension_table[EXT_LAST] = {
    [EXT_PIPELINING] = {WORD("PIPELINING"), NULL, NULL},
    [EXT_SIZE] = {WORD("SIZE"), NULL, print_size},
    [EXT_8BITMIME] = {WORD("8BITMIME"), NULL, NULL},
    [EXT_ENHANCEDSTATUSCODES] = {WORD("ENHANCEDSTATUSCODES"), NULL, NULL},
    [EXT_STARTTLS] = {WORD("STARTTLS"), offer_starttls, NULL},
    [EXT_AUTH] = {WORD("AUTH"), offer_auth, print_auth},
    [EXT_FUTURERELEASE] = {WORD("FUTURERELEASE"), offer_hold, print_hold},
    [EXT_HELP] = {WORD("HELP"), NULL, NULL},
};

unsigned smtp_offered(const struct smtp_session *s)
{
    unsigned bits = 1U << EXT_NONE;
    for (unsigned e = EXT_NONE + 1; e < EXT_LAST; e++)
        if (!smtp_extension_table[e].offered || smtp_extension_table[e].offered(s))
            bits |= 1U << e;
    return bits;
}

void smtp_enter(struct smtp_session *s, enum smtp_state state)
{
    s->state = state;
    s->base.timeout_ms = state == STATE_DATA ? LIMIT_SMTP_DATA_MS : LIMIT_SMTP_COMMAND_MS;
}

void smtp_reset(struct smtp_session *s)
{
    if (s->body)
        s->options->host->body_close(s->body);
    s->body = NULL;
    s->envelope = (struct envelope){0};
    s->recipient_capacity = 0;
    arena_end(&s->mail); /* an idle session keeps nothing */
    smtp_enter(s, s->helo[0] ? STATE_READY : STATE_START);
}

static const struct smtp_command *find(slice verb)
{
    for (size_t i = 0; i < smtp_command_count; i++)
        if (slice_eq_icase(verb, smtp_commands[i].verb))
            return &smtp_commands[i];
    return NULL;
}

static int unknown(struct smtp_session *s, slice verb)
{
    for (size_t i = 0; i < sizeof(not_here) / sizeof(not_here[0]); i++)
        if (slice_eq_icase(verb, slice_c(not_here[i])))
            return smtp_reply(s, "502 5.5.1 %s is not done here", not_here[i]);
    return smtp_reply(s, "500 5.5.1 Command not known; HELP lists them");
}

/* RFC 5321 2.4 and 4.1.2: no control characters anywhere (S7), octets >= 0x80 only in addresses. */
static bool is_clean(slice line, bool eight_bit)
{
    for (size_t i = 0; i < line.n; i++) {
        unsigned char c = (unsigned char)line.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f || (c >= 0x80 && !eight_bit))
            return false;
    }
    return true;
}

static int misplaced(struct smtp_session *s, const struct smtp_command *c)
{
    if (s->state == STATE_START)
        return smtp_reply(s, "503 5.5.1 EHLO comes first");
    return smtp_reply(s, "%s", c->misplaced);
}

static int dispatch(struct smtp_session *s, slice line)
{
    slice arg = line, verb = S("");
    slice_next(&arg, ' ', &verb);
    arg = slice_trim(arg);
    const struct smtp_command *c = find(verb);
    if (!is_clean(line, c && (c->flags & COMMAND_UTF8)))
        return smtp_reply(s, "500 5.5.2 Only printable ASCII is taken in commands");
    if (!c || !(smtp_offered(s) & 1U << c->extension))
        return unknown(s, verb);
    if (!(c->states & s->state))
        return misplaced(s, c);
    if ((c->flags & COMMAND_LOGIN) && s->options->service == SMTP_SUBMISSION && !s->login.n)
        return smtp_reply(s, "530 5.7.0 Log in first (AUTH)");
    if ((c->flags & COMMAND_ARG) ? !arg.n : ((c->flags & COMMAND_NO_ARG) && arg.n))
        return smtp_reply(s, "501 5.5.4 Syntax: %s", c->syntax);
    return c->run(s, arg);
}

/* What wastes our time until the limit of errors; not 503, which pipelining brings in volleys. */
static bool is_error(int code)
{
    return (code >= 500 && code <= 504 && code != 503) || code == 530 || code == 538 || code == 555;
}

static bool over_limit(struct smtp_session *s)
{
    if (s->commands++ >= LIMIT_COMMANDS)
        smtp_reply_close(s, "421 4.7.0 Too many commands; connect again");
    else if (s->errors >= LIMIT_COMMAND_ERRORS)
        smtp_reply_close(s, "421 4.7.0 Too many errors");
    else if (s->auth_failures >= LIMIT_AUTH_FAILURES)
        smtp_reply_close(s, "421 4.7.0 Too many failed logins");
    else if (s->refusals >= LIMIT_REFUSED_RECIPIENTS)
        smtp_reply_close(s, "421 4.7.0 Too many recipients refused");
    else
        return false;
    log_event(LEVEL_INFO, "smtp.limit", "session=%s peer=%s errors=%u logins=%u refused=%u",
              s->base.id, s->base.peer.ip, s->errors, s->auth_failures, s->refusals);
    return true;
}

static int too_long(struct smtp_session *s)
{
    bool auth = s->state == STATE_AUTH;
    smtp_auth_end(s);
    return smtp_reply(s, auth ? "500 5.5.6 The response is too long" : "500 5.5.2 Line too long");
}

/* One line without its LF.  Only CRLF ends a line: one that ends in a bare LF is never obeyed. */
static int line_done(struct smtp_session *s, slice line)
{
    bool crlf = line.n && line.p[line.n - 1] == '\r';
    line.n -= crlf;
    if (!slice_eq_icase(line, S("QUIT")) && over_limit(s))
        return 421;
    if (s->skipping)
        return too_long(s);
    if (!crlf) {
        smtp_auth_end(s);
        return smtp_reply(s, "500 5.5.2 Lines end in CRLF here");
    }
    return s->state == STATE_AUTH ? smtp_auth_line(s, line) : dispatch(s, line);
}

/* Takes one line; what is longer than its limit is dropped up to its end, then answered. */
static size_t read_line(struct smtp_session *s, slice in)
{
    bool auth = s->state == STATE_AUTH || slice_starts_icase(in, S("AUTH "));
    size_t max = s->skipping ? SIZE_MAX : auth ? LIMIT_SMTP_AUTH_LINE : LIMIT_SMTP_LINE;
    ptrdiff_t lf = slice_find(slice_sub(in, 0, max), '\n');
    if (lf < 0) {
        if (in.n < max)
            return s->skipping ? in.n : 0;
        s->skipping = true;
        return max;
    }
    int code = line_done(s, slice_sub(in, 0, (size_t)lf));
    s->skipping = false;
    s->errors += is_error(code);
    return (size_t)lf + 1;
}

static struct smtp_session *of(struct session *base)
{
    return (struct smtp_session *)(void *)base;
}

static void server_start(struct session *base)
{
    struct smtp_session *s = of(base);
    smtp_reply(s, "220 %.*s ESMTP Yizhan", P(s->options->hostname));
    smtp_enter(s, STATE_START);
    log_step(base->who, "handshake", "we greet: 220 %.*s ESMTP", P(s->options->hostname));
}

static size_t server_feed(struct session *base, slice in)
{
    struct smtp_session *s = of(base);
    size_t at = 0;
    while (at < in.n && base->want == SESSION_READ) {
        slice rest = slice_skip(in, at);
        if (buf_length(&base->out) > LIMIT_OUT / 2) {
            base->want = SESSION_ROOM;
            break;
        }
        size_t n = s->state == STATE_DATA ? smtp_data_feed(s, rest) : read_line(s, rest);
        if (n == 0)
            break;
        at += n;
    }
    return at;
}

/* After a job (AUTH), or when out has room again: then reading just goes on. */
static void server_resume(struct session *base)
{
    struct smtp_session *s = of(base);
    int (*after)(struct smtp_session *) = s->after;
    s->after = NULL;
    if (after)
        after(s);
}

/* RFC 3207 4.2: everything learnt before is forgotten (S15); net/ dropped the unread input. */
static void server_tls_started(struct session *base)
{
    struct smtp_session *s = of(base);
    smtp_auth_end(s);
    s->helo[0] = '\0';
    s->login = S("");
    s->account = 0;
    smtp_reset(s);
}

static void server_expire(struct session *base, enum session_end why)
{
    static const char *const words[] = {
        [END_TIMEOUT] = "421 4.4.2 Nothing came for too long; closing",
        [END_SHUTDOWN] = "421 4.3.2 The server stops; try again soon",
        [END_LIMIT] = "421 4.3.2 Too busy; try again later",
    };
    struct smtp_session *s = of(base);
    smtp_reply_close(s, "%s", words[why]);
    log_step(base->who, "closure", "we say %s", words[why]);
}

static void server_end(struct session *base)
{
    struct smtp_session *s = of(base);
    smtp_auth_end(s);
    smtp_reset(s);
    buf_end(&base->out);
    struct arena life = s->life;
    arena_end(&life);
}

static const struct session_class server_class = {
    .name = "smtp",
    .start = server_start,
    .feed = server_feed,
    .resume = server_resume,
    .tls_started = server_tls_started,
    .expire = server_expire,
    .end = server_end,
};

struct session *smtp_server_new(const struct smtp_options *options)
{
    struct arena life = {0};
    struct smtp_session *s = arena_new(&life, struct smtp_session);
    s->life = life;
    s->options = options;
    s->base.class = &server_class;
    s->base.want = SESSION_READ;
    s->base.out.max = LIMIT_OUT;
    s->state = STATE_START;
    return &s->base;
}
