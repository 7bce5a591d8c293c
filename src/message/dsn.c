/*
 * Delivery status notifications.  Part one is for people: what happened to whom, in plain words,
 * English and Chinese; the sentences are tables.  Part two is for programs.  Part three is the
 * message or its header.
 */
#include "message/dsn.h"

#include "base/limits.h"
#include "message/compose_plan.h"
#include "message/date.h"
#include "message/header.h"

#include "base/banned.h"

enum { LINE_MAX = 78, HEADER_MAX = 64 * 1024, HEADER_LINE_MAX = 998, SUBJECT_MAX = 200 };
enum { LANGUAGES = 2 }; /* English, Chinese */

static const struct {
    const char *action; /* RFC 3464 2.3.3 */
    const char *status; /* when the caller has none */
    const char *subject;
    const char *what[LANGUAGES];
} actions[] = {
    [DSN_FAILED] = {"failed",
                    "5.0.0",
                    "Undelivered mail / 邮件未能送达",
                    {"Your message could not be delivered to the following recipients. It will not "
                     "be tried again.",
                     "您的邮件未能送达以下收件人，系统不会再次尝试投递。"}},
    [DSN_DELAYED] = {"delayed",
                     "4.0.0",
                     "Delayed mail / 邮件暂未送达",
                     {"Your message has not reached the following recipients yet. Delivery is "
                      "still being tried: there is nothing you need to do.",
                      "您的邮件暂未送达以下收件人。系统仍在继续投递，您无需任何操作。"}},
    [DSN_DELIVERED] = {"delivered",
                       "2.0.0",
                       "Delivered mail / 邮件已送达",
                       {"Your message was delivered to the following recipients.",
                        "您的邮件已送达以下收件人。"}},
    [DSN_RELAYED] = {"relayed",
                     "2.0.0",
                     "Relayed mail / 邮件已转交",
                     {"Your message was handed to a mail system that sends no confirmations, for "
                      "the following recipients.",
                      "您的邮件已转交给不提供送达回执的邮件系统，收件人如下。"}},
    [DSN_EXPANDED] = {"expanded",
                      "2.0.0",
                      "Expanded mail / 邮件已分发",
                      {"Your message was delivered to the following lists, which pass it on to "
                       "their members.",
                       "您的邮件已送达以下列表，由其转发给各成员。"}},
};

/* What a status means to a person, by its last two numbers (RFC 3463); the first match counts. */
static const struct {
    const char *detail;
    const char *hint[LANGUAGES];
} hints[] = {
    {".1.1",
     {"The address does not exist. Please check its spelling.", "该地址不存在，请检查拼写。"}},
    {".1.2",
     {"The domain of the address does not exist or takes no mail. Please check its spelling.",
      "该地址的域名不存在或不接收邮件，请检查拼写。"}},
    {".1.3", {"The address is not written correctly.", "该地址的格式不正确。"}},
    {".1.6",
     {"The mailbox has moved, and its new address is not known.", "该邮箱已迁移，新地址未知。"}},
    {".1.8",
     {"The recipient's system does not accept your address.", "对方系统不接受您的发件地址。"}},
    {".1.10", {"The domain of the address takes no mail.", "该地址的域名不接收邮件。"}},
    {".2.1", {"The mailbox is closed at present.", "该邮箱目前已停用。"}},
    {".2.2", {"The recipient's mailbox is full.", "收件人的邮箱已满。"}},
    {".2.3",
     {"The message is too large for this recipient. A smaller one, or a link, may pass.",
      "邮件超过了收件人允许的大小，请缩小附件或改发链接。"}},
    {".3.4",
     {"The message is too large for the recipient's system. A smaller one, or a link, may pass.",
      "邮件超过了对方系统允许的大小，请缩小附件或改发链接。"}},
    {".4.1", {"The recipient's mail server does not answer.", "对方邮件服务器没有响应。"}},
    {".4.2",
     {"The connection to the recipient's mail server breaks.", "与对方邮件服务器的连接中断。"}},
    {".4.3", {"The names of the recipient's domain cannot be looked up.", "无法查询收件人域名。"}},
    {".4.4",
     {"There is no way to the recipient's mail server.", "找不到通往对方邮件服务器的路径。"}},
    {".4.6", {"The message goes in circles between mail servers.", "邮件在服务器之间循环转发。"}},
    {".4.7",
     {"The recipient's mail server could not be reached for too long.",
      "长时间无法连接对方邮件服务器。"}},
    {".6.7",
     {"The recipient's system does not support internationalised addresses.",
      "对方系统不支持国际化邮件地址。"}},
    {".7.",
     {"The recipient's system refuses the message by its rules.",
      "对方系统根据其策略拒收了邮件。"}},
};

static const struct {
    const char *system[2], *said[2]; /* before and behind a host name */
    const char *reason, *until, *subject, *message_id, *received, *queue_id;
} words[LANGUAGES] = {
    {{"This is the mail system of ", "."},
     {"The server ", " said:"},
     "Reason:",
     "It will be tried until",
     "Subject:",
     "Message-ID:",
     "Received:",
     "Queue id:"},
    {{"这是 ", " 的邮件系统。"},
     {"服务器 ", " 的答复："},
     "原因：",
     "将持续尝试至",
     "主题：",
     "邮件标识：",
     "接收时间：",
     "队列编号："},
};

/* ---- values that strangers chose ---- */

/* One line: controls become spaces, at most max bytes, whole characters. */
static slice one_line(struct arena *a, slice s, size_t max)
{
    if (s.n > max) {
        while (max && ((unsigned char)s.p[max] & 0xc0) == 0x80)
            max--;
        s.n = max;
    }
    char *p = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        p[i] = (unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f ? ' ' : s.p[i];
    return slice_trim((slice){p, s.n});
}

/* The same in ASCII, for the fields of a 7-bit report. */
static slice ascii_line(struct arena *a, slice s, size_t max)
{
    s = one_line(a, s, max);
    char *p = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        p[i] = (unsigned char)s.p[i] >= 0x80 ? '?' : s.p[i];
    return (slice){p, s.n};
}

static slice status_of(const struct dsn_recipient *r)
{
    return r->status.n ? r->status : slice_c(actions[r->action].status);
}

/* ---- part one: for people ---- */

static const char *hint_of(const struct dsn_recipient *r, int language)
{
    slice status = status_of(r);
    ptrdiff_t dot = slice_find(status, '.');
    slice detail = dot < 0 ? S("") : slice_skip(status, (size_t)dot);
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        slice want = slice_c(hints[i].detail);
        bool prefix = slice_ends(want, S("."));
        if (prefix ? slice_starts(detail, want) : slice_eq(detail, want))
            return hints[i].hint[language];
    }
    return NULL;
}

static void tell_recipient(struct out *out, const struct dsn_recipient *r, int language)
{
    struct arena *a = out->arena;
    bool trouble = r->action == DSN_FAILED || r->action == DSN_DELAYED;
    const char *hint = trouble ? hint_of(r, language) : NULL;
    out_printf(out, "  %.*s\n", P(one_line(a, r->address, LIMIT_PATH)));
    if (hint)
        out_printf(out, "    %s\n", hint);
    if (trouble && r->reply.n) {
        out_printf(out, "    %s%.*s%s", words[language].said[0],
                   P(ascii_line(a, r->remote_mta, LIMIT_DOMAIN)), words[language].said[1]);
        out_printf(out, "\n      %.*s\n", P(one_line(a, r->reply, LIMIT_SMTP_REPLY)));
    } else if (trouble && r->reason.n) {
        out_printf(out, "    %s %.*s\n", words[language].reason,
                   P(one_line(a, r->reason, LIMIT_SMTP_REPLY)));
    }
}

static void tell_group(struct out *out, const struct dsn *d, enum dsn_action action, int language)
{
    bool first = true;
    for (size_t i = 0; i < d->recipient_count; i++) {
        if (d->recipients[i].action != action)
            continue;
        if (first)
            out_printf(out, "%s\n\n", actions[action].what[language]);
        first = false;
        tell_recipient(out, &d->recipients[i], language);
    }
    if (!first && action == DSN_DELAYED && d->retry_until_ms)
        out_printf(out, "\n%s %.*s\n", words[language].until,
                   P(date_print(out->arena, d->retry_until_ms, d->zone_minutes)));
    if (!first)
        out_byte(out, '\n');
}

static void tell_detail(struct out *out, const char *label, slice value)
{
    if (value.n)
        out_printf(out, "%s %.*s\n", label, P(one_line(out->arena, value, SUBJECT_MAX)));
}

static void tell(struct out *out, const struct dsn *d, int language)
{
    struct arena *a = out->arena;
    out_printf(out, "%s%.*s%s\n\n", words[language].system[0],
               P(one_line(a, d->reporting_mta, LIMIT_DOMAIN)), words[language].system[1]);
    for (enum dsn_action i = DSN_FAILED; i <= DSN_EXPANDED; i++)
        tell_group(out, d, i, language);
    tell_detail(out, words[language].subject, d->subject);
    tell_detail(out, words[language].message_id, d->message_id);
    if (d->arrival_ms)
        tell_detail(out, words[language].received, date_print(a, d->arrival_ms, d->zone_minutes));
    tell_detail(out, words[language].queue_id, d->queue_id);
}

/* ---- part two: for programs (RFC 3464 section 2, RFC 6533 section 3) ---- */

/* "Name: type; value", folded at spaces. */
static void field(struct out *out, const char *name, const char *type, slice value)
{
    size_t column = (size_t)out->n;
    out_printf(out, "%s: %s%s", name, type, *type ? "; " : "");
    column = out->n - column;
    while (value.n) {
        size_t n = 0;
        while (n < value.n && value.p[n] == ' ')
            n++;
        while (n < value.n && value.p[n] != ' ')
            n++;
        if (column + n > LINE_MAX && value.p[0] == ' ') {
            out_add(out, S("\r\n"));
            column = 0;
        }
        out_add(out, slice_sub(value, 0, n));
        column += n;
        value = slice_skip(value, n);
    }
    out_add(out, S("\r\n"));
}

/* An address with its type: utf-8 when it needs that, else rfc822. */
static void address_field(struct out *out, const char *name, slice type, slice address)
{
    bool utf8 = !slice_is_ascii(address);
    slice safe = one_line(out->arena, address, LIMIT_PATH);
    slice kind = utf8 ? S("utf-8") : ascii_line(out->arena, type, 40);
    field(out, name, arena_cstr(out->arena, kind), safe);
}

static void date_field(struct out *out, const char *name, int64_t ms, int zone)
{
    if (ms)
        field(out, name, "", date_print(out->arena, ms, zone));
}

static void recipient_fields(struct out *out, const struct dsn *d, const struct dsn_recipient *r)
{
    struct arena *a = out->arena;
    slice rest = r->orcpt, type;
    out_add(out, S("\r\n"));
    if (slice_find(rest, ';') > 0 && slice_next(&rest, ';', &type))
        address_field(out, "Original-Recipient", slice_trim(type), slice_trim(rest));
    address_field(out, "Final-Recipient", S("rfc822"), r->address);
    field(out, "Action", "", slice_c(actions[r->action].action));
    field(out, "Status", "", ascii_line(a, status_of(r), 16));
    if (r->reply.n && r->remote_mta.n)
        field(out, "Remote-MTA", "dns", ascii_line(a, r->remote_mta, LIMIT_DOMAIN));
    if (r->reply.n)
        field(out, "Diagnostic-Code", "smtp", ascii_line(a, r->reply, LIMIT_SMTP_REPLY));
    date_field(out, "Last-Attempt-Date", r->last_attempt_ms, d->zone_minutes);
    if (r->action == DSN_DELAYED)
        date_field(out, "Will-Retry-Until", d->retry_until_ms, d->zone_minutes);
}

static bool needs_utf8(const struct dsn *d)
{
    bool utf8 = false;
    for (size_t i = 0; i < d->recipient_count; i++)
        utf8 |=
            !slice_is_ascii(d->recipients[i].address) || !slice_is_ascii(d->recipients[i].orcpt);
    return utf8;
}

static void add_report(struct composer *m, const struct dsn *d)
{
    struct out *out = &m->text;
    bool utf8 = needs_utf8(d);
    out_printf(out, "Content-Type: message/%sdelivery-status\r\n%s\r\n", utf8 ? "global-" : "",
               utf8 ? "Content-Transfer-Encoding: 8bit\r\n" : "");
    m->eight_bit |= utf8;
    field(out, "Reporting-MTA", "dns", ascii_line(m->arena, d->reporting_mta, LIMIT_DOMAIN));
    if (d->envid.n)
        field(out, "Original-Envelope-Id", "", ascii_line(m->arena, d->envid, 100));
    if (d->queue_id.n)
        field(out, "X-Queue-Id", "", ascii_line(m->arena, d->queue_id, 40));
    date_field(out, "Arrival-Date", d->arrival_ms, d->zone_minutes);
    for (size_t i = 0; i < d->recipient_count; i++)
        recipient_fields(out, d, &d->recipients[i]);
    out_add(out, S("\r\n"));
}

/* ---- part three: the message, or its header ---- */

/* The header block as lines any relay takes: CRLF, no NUL, none over 998. */
static void add_header_lines(struct out *out, slice header)
{
    while (header.n) {
        ptrdiff_t at = slice_find(header, '\n');
        slice line = slice_sub(header, 0, at < 0 ? header.n : (size_t)at);
        header = slice_skip(header, line.n + (at >= 0));
        if (slice_ends(line, S("\r")))
            line.n--;
        if (!line.n)
            break;
        line.n = line.n < HEADER_LINE_MAX ? line.n : HEADER_LINE_MAX;
        for (size_t i = 0; i < line.n; i++)
            out_byte(out, line.p[i] == 0 || line.p[i] == '\r' ? ' ' : line.p[i]);
        out_add(out, S("\r\n"));
    }
}

static bool add_headers_only(struct composer *m, const struct dsn *d)
{
    char *start = arena_alloc(m->arena, HEADER_MAX);
    size_t n = 0;
    for (ssize_t got = 1; got > 0 && n < HEADER_MAX; n += (size_t)got) {
        got = source_read(&d->original, n, start + n, HEADER_MAX - n);
        if (got < 0)
            return false;
    }
    slice header = header_of((slice){start, n});
    bool eight_bit = !slice_is_ascii(header), utf8 = eight_bit && slice_is_utf8(header);
    out_printf(&m->text, "Content-Type: %s\r\n%s\r\n",
               utf8 ? "message/global-headers" : "text/rfc822-headers",
               eight_bit ? "Content-Transfer-Encoding: 8bit\r\n" : "");
    m->eight_bit |= eight_bit;
    add_header_lines(&m->text, header);
    return true;
}

static bool add_original(struct composer *m, const struct dsn *d)
{
    struct source_facts facts = {0};
    if (d->full && !source_scan(&d->original, &facts))
        return false;
    if (!d->full || facts.bare || facts.long_line) /* such bytes may not travel unencoded */
        return add_headers_only(m, d);
    out_printf(&m->text, "Content-Type: message/rfc822\r\n%s\r\n",
               facts.eight_bit ? "Content-Transfer-Encoding: 8bit\r\n" : "");
    m->eight_bit |= facts.eight_bit;
    plan_source(m, &d->original, false);
    return true;
}

/* ---- the whole ---- */

/* The gravest thing it tells names it. */
static enum dsn_action gravest(const struct dsn *d)
{
    enum dsn_action action = DSN_EXPANDED;
    for (size_t i = 0; i < d->recipient_count; i++)
        if (d->recipients[i].action < action)
            action = d->recipients[i].action;
    return action;
}

static bool add_header(struct composer *m, const struct dsn *d, slice *error)
{
    struct arena *a = m->arena;
    enum dsn_action action = gravest(d);
    const struct compose_address from = {
        .name = S("Mail Delivery System"),
        .email = arena_printf(a, "postmaster@%.*s", P(d->domain)),
    };
    const struct compose_address to = {.email = d->to};
    const struct compose_field automatic = {S("Auto-Submitted"), S("auto-replied")};
    slice subject = slice_c(actions[action].subject), about = one_line(a, d->subject, SUBJECT_MAX);
    if (about.n)
        subject = arena_printf(a, "%.*s: %.*s", P(subject), P(about));
    const struct compose c = {
        .from = {&from, 1},
        .to = {&to, 1},
        .subject = subject,
        .date_ms = d->date_ms,
        .zone_minutes = d->zone_minutes,
        .message_id = plan_message_id(a, d->seed, d->domain),
        .in_reply_to = d->message_id,
        .references = &d->message_id,
        .reference_count = d->message_id.n ? 1 : 0,
        .fields = &automatic,
        .field_count = 1,
    };
    if (print_header(m, &c, error))
        return true;
    /* The original's Message-ID may be anything; a report without it is better than none. */
    struct compose plain = c;
    plain.in_reply_to = S("");
    plain.reference_count = 0;
    m->text.n = 0;
    return print_header(m, &plain, error);
}

static void next_part(struct composer *m, slice boundary)
{
    out_printf(&m->text, "--%.*s\r\n", P(boundary));
}

struct composer *dsn_open(struct arena *a, const struct dsn *d, slice *error)
{
    struct composer *m = plan_new(a, d->seed);
    struct out text = {.arena = a};
    *error = S("");
    if (!add_header(m, d, error))
        return NULL;
    slice boundary = plan_boundary(m);
    out_printf(&m->text,
               "Content-Type: multipart/report; report-type=delivery-status;\r\n "
               "boundary=\"%.*s\"\r\n\r\n",
               P(boundary));
    next_part(m, boundary);
    tell(&text, d, 0);
    out_add(&text, S("\n----\n\n"));
    tell(&text, d, 1);
    plan_text(m, out_slice(&text), "plain", true);
    next_part(m, boundary);
    add_report(m, d);
    next_part(m, boundary);
    if (!add_original(m, d)) {
        *error = S("the original message cannot be read");
        return NULL;
    }
    out_printf(&m->text, "\r\n--%.*s--\r\n", P(boundary));
    plan_finish(m);
    return m;
}
