/*
 * yizhan send: writes mails and submits them (RFC 6409) over one connection: STARTTLS on 587 or
 * implicit TLS on 465, SCRAM-SHA-256.
 */
#include "agent/agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/account.h"
#include "agent/compose.h"
#include "agent/copy.h"
#include "agent/progress.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/rand.h"
#include "base/text.h"
#include "base/units.h"
#include "smtp/client.h"
#include "base/banned.h"

enum { OUTPUT_MAX = 16 << 20, MAILS_MAX = 1000000 };

const struct option_row send_options[] = {
    AGENT_ACCOUNT_OPTIONS,
    {"from", "ADDRESS", OPTION_TEXT, 0, "the sender (else --user); \"One <one@north.test>\"",
     "发件人（默认为 --user）"},
    {"to", "ADDRESS", OPTION_LIST, 0, "a receiver; may be repeated", "收件人，可重复"},
    {"cc", "ADDRESS", OPTION_LIST, 0, "a receiver of a copy", "抄送，可重复"},
    {"bcc", "ADDRESS", OPTION_LIST, 0, "a receiver nobody else sees", "密送，可重复"},
    {"subject", "TEXT", OPTION_TEXT, 0, "the subject", "主题"},
    {"text", "TEXT", OPTION_TEXT, 0, "the text (else standard input)", "正文（默认取标准输入）"},
    {"html", "FILE", OPTION_TEXT, 0, "an HTML version of the text", "HTML 版正文"},
    {"attach", "FILE", OPTION_LIST, 0, "attach a file; may be repeated", "附件，可重复"},
    {"hold", "TIME", OPTION_DURATION, 0, "the server keeps it so long; it can be recalled",
     "服务器暂存这么久再发，期间可撤回"},
    {"hold-until", "TIME", OPTION_TEXT, 0, "… until 18:30, or 2026-11-24 08:00", "……到这个时刻"},
    {"each", NULL, OPTION_FLAG, 0, "one mail for each receiver, not one for all",
     "每位收件人各发一封"},
    {"count", "N", OPTION_NUMBER, MAILS_MAX, "send it so many times", "发送次数"},
    {"no-copy", NULL, OPTION_FLAG, 0, "file no copy in the mailbox Sent (IMAP)",
     "不在“已发送”邮箱中留副本（IMAP）"},
    {"imap", "HOST[:PORT]", OPTION_TEXT, 0, "the IMAP server of the copy (else beside --server)",
     "存副本的 IMAP 服务器（默认与 --server 同主机）"},
    {"progress", NULL, OPTION_FLAG, 0, "show progress even when this is no terminal",
     "即使不在终端也显示进度"},
    {"json", NULL, OPTION_FLAG, 0, "print what the server answered as JSON", "以 JSON 输出结果"},
    {0},
};

/* What one run of the subcommand works on. */
struct sending {
    struct call *call;
    struct agent_account account;
    slice password;
    struct agent_mail mail;
    struct smtp_client *client;
    struct copier copier;
    struct progress progress;
    struct arena one; /* of the mail being sent */
    json_t *results;
    int sent, refused; /* recipients */
};

static int read_all(int fd, struct arena *a, slice *text)
{
    struct buf b = {.max = LIMIT_MESSAGE};
    ssize_t got = 1;
    while (got > 0) {
        char *to = buf_space(&b, 65536);
        got = to ? read(fd, to, 65536) : -1;
        if (got > 0)
            buf_wrote(&b, (size_t)got);
    }
    *text = arena_dup(a, buf_slice(&b));
    buf_end(&b);
    return got < 0 ? -1 : 0;
}

static int read_texts(struct sending *s)
{
    struct call *c = s->call;
    const char *text = call_text(c, "text"), *html = call_text(c, "html");
    if (html && file_read(c->arena, html, LIMIT_MESSAGE, &s->mail.html) < 0)
        return call_fail(c, "%s: %s", html, strerror(errno));
    if (text) {
        s->mail.text = slice_c(text);
        return EXIT_DONE;
    }
    if (html)
        return EXIT_DONE;
    if (isatty(STDIN_FILENO))
        fprintf(stderr, "%s\n",
                say("Type the text; end it with Ctrl-D on a line of its own.",
                    "请输入正文，在空行按 Ctrl-D 结束。"));
    if (read_all(STDIN_FILENO, c->arena, &s->mail.text) < 0)
        return call_fail(c, "standard input cannot be read, or is larger than 50 MB");
    return EXIT_DONE;
}

static int read_hold(struct sending *s)
{
    const char *until = call_text(s->call, "hold-until");
    int64_t hold = call_number(s->call, "hold", 0), now = clock_ms();
    if (until && hold)
        return call_usage(s->call, "give --hold or --hold-until, not both");
    if (hold)
        s->mail.hold_until_ms = now + hold;
    if (until &&
        (!units_time(slice_c(until), now, &s->mail.hold_until_ms) || s->mail.hold_until_ms <= now))
        return call_usage(s->call,
                          "--hold-until is a time to come, like 18:30 or 2026-11-24 08:00, not "
                          "\"%s\"",
                          until);
    return EXIT_DONE;
}

static int read_mail(struct sending *s)
{
    struct call *c = s->call;
    struct agent_mail *m = &s->mail;
    const char *from = call_text(c, "from"), *subject = call_text(c, "subject");
    m->from = from ? slice_c(from) : s->account.user;
    m->subject = slice_c(subject);
    m->to_count = call_list(c, "to", &m->to);
    m->cc_count = call_list(c, "cc", &m->cc);
    m->bcc_count = call_list(c, "bcc", &m->bcc);
    m->attachment_count = call_list(c, "attach", &m->attachments);
    if (m->to_count + m->cc_count + m->bcc_count == 0)
        return call_usage(c, "say who gets it: --to two@south.test");
    int code = read_hold(s);
    return code == EXIT_DONE ? read_texts(s) : code;
}

/* One line for people about why the server was not reached or refused us. */
static int open_failed(const struct sending *s, const struct smtp_reply *reply)
{
    const struct agent_account *x = &s->account;
    const char *advice = "";
    if (reply->code == 535)
        advice = "; check --user and the password";
    else if (reply->code == 0 && slice_search(reply->text, S("certificate")) >= 0)
        advice = "; trust it with --ca-file FILE";
    if (reply->code)
        return call_fail(s->call, "%.*s:%u refused: %d %.*s%s", P(x->dial.host), x->dial.port,
                         reply->code, P(reply->text), advice);
    return call_fail(s->call, "%.*s%s", P(reply->text), advice); /* names the server */
}

static bool open_client(struct sending *s)
{
    const struct agent_account *x = &s->account;
    struct smtp_reply reply = {0};
    char name[256] = "localhost";
    if (gethostname(name, sizeof(name) - 1) < 0 || !*name)
        memcpy(name, "localhost", 10);
    struct smtp_client_options options = {
        .dial = x->dial,
        .helo = slice_c(name),
        .tls = x->tls == AGENT_IMPLICIT ? SMTP_TLS_IMPLICIT
               : x->tls == AGENT_PLAIN  ? SMTP_TLS_NEVER
                                        : SMTP_TLS_REQUIRED,
        .verify = x->verify,
        .user = x->user,
        .password = s->password,
        .who = arena_printf(s->call->arena, "agent -> %.*s:%u", P(x->dial.host), x->dial.port).p,
    };
    s->client = smtp_client_open(&options, s->call->arena, &reply);
    if (!s->client)
        open_failed(s, &reply);
    return s->client != NULL;
}

struct reading {
    struct sending *sending;
    struct composer *composer;
};

static ssize_t read_body(void *ctx, char *to, size_t n)
{
    struct reading *r = ctx;
    ssize_t got = compose_read(r->composer, to, n);
    if (got > 0)
        progress_add(&r->sending->progress, (uint64_t)got);
    return got;
}

/* The queue id in "Ok: queued as 0a1b2c3d4e5f6", or "". */
static slice queue_id(slice text)
{
    slice word;
    int64_t id;
    while (slice_next(&text, ' ', &word))
        if (word.n == ID_TEXT && id_parse(word, &id))
            return word;
    return S("");
}

static bool accepted(const struct smtp_reply *r)
{
    return r->code >= 200 && r->code < 300;
}

/* Keeps what the server said of one mail. */
static void note_result(struct sending *s, const struct agent_letter *l,
                        const struct smtp_reply *replies)
{
    json_t *recipients = json_array();
    slice id = S("");
    for (size_t i = 0; i < l->envelope.recipient_count; i++) {
        const struct smtp_reply *r = &replies[i];
        if (accepted(r) && !id.n)
            id = queue_id(r->text);
        s->sent += accepted(r);
        s->refused += !accepted(r);
        json_array_append_new(recipients,
                              json_pack("{s:o, s:b, s:i, s:o, s:o}", "address",
                                        json_slice(l->envelope.recipients[i].address), "accepted",
                                        accepted(r), "code", r->code, "enhanced",
                                        json_slice(r->enhanced), "text", json_slice(r->text)));
    }
    json_array_append_new(s->results, json_pack("{s:o, s:o, s:I, s:o}", "messageId",
                                                json_slice(compose_message_id(l->composer)), "id",
                                                id.n ? json_slice(id) : json_null(), "size",
                                                (json_int_t)compose_size(l->composer), "recipients",
                                                recipients));
}

/* The sender's own copy of a mail that somebody gets. */
static void file_copy(struct sending *s, const struct agent_letter *l)
{
    json_t *mail = json_array_get(s->results, json_array_size(s->results) - 1);
    bool filed = !call_flag(s->call, "no-copy") && copy_letter(&s->copier, s->call, s->password, l);
    json_object_set_new(mail, "copy", filed ? json_slice(s->copier.mailbox) : json_null());
}

/* What the server cannot do is said before anything is sent. */
static bool server_can(struct sending *s, const struct agent_letter *l)
{
    uint64_t limit = smtp_client_size(s->client), size = compose_size(l->composer);
    struct arena *a = &s->one;
    if (limit && size > limit) {
        call_fail(s->call, "the mail has %.*s, the server takes %.*s at most",
                  P(units_print_size(a, size)), P(units_print_size(a, limit)));
        return false;
    }
    if (l->envelope.hold_until_ms && !smtp_client_has(s->client, S("FUTURERELEASE"))) {
        call_fail(s->call,
                  "the server cannot hold mail (no FUTURERELEASE); send it without --hold");
        return false;
    }
    return true;
}

/* Sends one mail; false ends the run. */
static bool send_letter(struct sending *s, struct agent_letter *l)
{
    struct arena *a = &s->one;
    if (s->client && !smtp_client_usable(s->client)) {
        smtp_client_close(s->client);
        s->client = NULL;
    }
    if ((!s->client && !open_client(s)) || !server_can(s, l))
        return false;
    struct reading reading = {s, l->composer};
    struct smtp_message message = {.envelope = &l->envelope,
                                   .size = compose_size(l->composer),
                                   .body = read_body,
                                   .ctx = &reading};
    struct smtp_reply *replies = arena_array(a, l->envelope.recipient_count, sizeof(*replies));
    progress_start(&s->progress, say("sending", "正在发送"), message.size,
                   call_flag(s->call, "progress"));
    bool held = smtp_client_send(s->client, &message, a, replies);
    progress_end(&s->progress);
    int sent = s->sent;
    note_result(s, l, replies);
    if (s->sent > sent)
        file_copy(s, l);
    if (!held) {
        slice why = replies[0].text;
        call_fail(s->call,
                  "the connection was lost before the server took the mail%s%.*s; send it "
                  "again",
                  why.n ? ": " : "", P(why));
    }
    return held;
}

/* Writes and sends one mail; to selects one receiver of --each, or NULL. */
static bool send_one(struct sending *s, const char *const *only)
{
    struct agent_mail mail = s->mail;
    struct agent_letter letter;
    slice error = S("");
    if (only) {
        mail.to = only;
        mail.to_count = 1;
        mail.cc_count = mail.bcc_count = 0;
    }
    bool ok = agent_compose(&s->one, &mail, &letter, &error);
    if (!ok)
        call_fail(s->call, "%.*s", P(error));
    else
        ok = send_letter(s, &letter);
    agent_letter_end(&letter);
    arena_reset(&s->one);
    return ok;
}

static bool send_round(struct sending *s)
{
    const struct agent_mail *m = &s->mail;
    if (!call_flag(s->call, "each"))
        return send_one(s, NULL);
    const char *const *lists[] = {m->to, m->cc, m->bcc};
    const size_t counts[] = {m->to_count, m->cc_count, m->bcc_count};
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < counts[k]; i++)
            if (!send_one(s, &lists[k][i]))
                return false;
    return true;
}

static void print_results(const struct sending *s)
{
    struct buf out = {.max = OUTPUT_MAX};
    size_t i, k;
    const json_t *mail, *r;
    if (call_flag(s->call, "json")) {
        json_print(s->results);
        return;
    }
    json_array_foreach(s->results, i, mail)
    {
        slice id = json_slice_at(mail, "id");
        json_array_foreach(json_object_get(mail, "recipients"), k, r)
        {
            bool good = json_flag_at(r, "accepted");
            text_add_safe(&out, id.n ? id : S("-"));
            buf_add(&out, S("  "));
            text_add_safe(&out, json_slice_at(r, "address"));
            buf_printf(&out, "  %s  %lld ",
                       good ? say("accepted", "已接受") : say("refused", "被拒绝"),
                       (long long)json_number_at(r, "code", 0));
            text_add_safe(&out, json_slice_at(r, "text"));
            buf_add_byte(&out, '\n');
        }
    }
    fwrite(buf_length(&out) ? buf_slice(&out).p : "", 1, buf_length(&out), stdout);
    buf_end(&out);
}

int send_run(struct call *c)
{
    struct sending s = {.call = c, .results = json_array()};
    int code = agent_account_find(c, AGENT_SUBMISSION, &s.account);
    if (code == EXIT_DONE)
        code = read_mail(&s);
    bool stdin_taken = !call_text(c, "text") && !call_text(c, "html");
    if (code == EXIT_DONE)
        code = agent_account_password(c, &s.account, stdin_taken, &s.password);
    if (code != EXIT_DONE) {
        json_decref(s.results);
        return code;
    }
    bool ok = true;
    for (int64_t n = call_number(c, "count", 1); n > 0 && ok; n--)
        ok = send_round(&s);
    smtp_client_close(s.client);
    copy_end(&s.copier);
    arena_end(&s.one);
    print_results(&s);
    json_decref(s.results);
    if (ok && s.refused)
        return call_fail(
            c, say("the server refused %d of %d receivers", "服务器拒绝了 %d 位收件人（共 %d 位）"),
            s.refused, s.refused + s.sent);
    return ok ? EXIT_DONE : EXIT_FAILED;
}
