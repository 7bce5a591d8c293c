/* The SMTP client against scripts (smtp/fake_dial.h); rules S2, S4, S5, S13, S15, S19, S21, S26,
 * S31, S33, RFC 2920, 3207, 4954. */
#include "smtp/client.h"

#include "base/test.h"

#include "base/clock.h"
#include "smtp/client_private.h"
#include "smtp/fake_dial.h"
#include "base/banned.h"

/* Reading a message from memory, a few bytes at a time. */
struct text {
    slice rest;
    bool breaks;   /* cannot be read to its end */
    bool recalled; /* point_of_no_return says no */
    unsigned asked;
};

static ssize_t read_text(void *ctx, char *to, size_t n)
{
    struct text *t = ctx;
    slice piece = slice_sub(t->rest, 0, n < 5 ? n : 5);
    if (piece.n == 0)
        return t->breaks ? -1 : 0;
    memcpy(to, piece.p, piece.n);
    t->rest = slice_skip(t->rest, piece.n);
    return (ssize_t)piece.n;
}

static bool may_send(void *ctx)
{
    struct text *t = ctx;
    t->asked++;
    return !t->recalled;
}

#define PIPE  "S: 250-south.test\nS: 250-PIPELINING\nS: 250-8BITMIME\nS: 250 SIZE 1000\n"
#define HELLO "S: 220 south.test\nC: EHLO north.test\n"
#define BYE   "C: QUIT\nWAIT 5000\nS: 221 bye\n"

enum {
    BREAKS = 1,
    RECALLED = 2,
    EIGHT_BIT = 4,
    TWICE = 8,
    NEXT = 16,
    NEXT_RECALLED = 32,
    LAST = 128,
    HOLD = 64
};

static const struct {
    const char *name, *script;
    const char *text; /* of the message(s) */
    const char *to;   /* recipients, separated by spaces */
    unsigned flags;
    const char *want; /* "held|lost" and per recipient " code", messages separated by "; " */
} sends[] = {
    {"one group, and the dot (RFC 2920, S33)",
     "WAIT 300000\n" HELLO PIPE "C: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT "
     "TO:<one@south.test>\nC: RCPT TO:<two@south.test>\n"
     "C: DATA\nWAIT 300000\nS: 250 2.1.0 ok\nS: 250 ok\nS: 250 ok\nWAIT 120000\nS: 354 go\n"
     "C: x\nC: .\nWAIT 600000\nS: 250 2.0.0 taken\n" BYE,
     "x\r\n", "one@south.test two@south.test", 0, "held 250 250"},
    {"no PIPELINING: one at a time",
     HELLO
     "S: 250 south.test\nC: MAIL FROM:<a@north.test>\nS: 250 ok\nC: RCPT TO:<one@south.test>\n"
     "S: 550 5.1.1 no\nC: RCPT TO:<two@south.test>\nS: 251 forwarded\nC: DATA\nS: 354 go\n"
     "C: x\nC: .\nS: 250 taken\n" BYE,
     "x\r\n", "one@south.test two@south.test", 0, "held 550 250"},
    {"no PIPELINING: a refused sender ends it",
     HELLO "S: 250 south.test\nC: MAIL FROM:<a@north.test>\nS: 550 5.7.1 no\n" BYE, "x\r\n",
     "one@south.test two@south.test", 0, "held 550 550"},
    {"no PIPELINING: no DATA without a recipient",
     HELLO
     "S: 250 south.test\nC: MAIL FROM:<a@north.test>\nS: 250 ok\nC: RCPT TO:<one@south.test>\n"
     "S: 450 4.2.1 busy\n" BYE,
     "x\r\n", "one@south.test", 0, "held 450"},
    {"HELO to a server of old",
     HELLO "S: 502 what\nC: HELO north.test\nS: 250 south.test\nC: MAIL FROM:<a@north.test>\n"
           "S: 250 ok\nC: RCPT TO:<one@south.test>\nS: 250 ok\nC: DATA\nS: 354 go\nC: x\nC: .\n"
           "S: 250 taken\n" BYE,
     "x\r\n", "one@south.test", 0, "held 250"},
    {"the refused sender decides, not the 503s behind it (S13)",
     HELLO PIPE "C: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<one@south.test>\nC: DATA\n"
                "S: 451 4.7.1 later\nS: 503 5.5.1 no\nS: 503 5.5.1 no\n" BYE,
     "x\r\n", "one@south.test", 0, "held 451"},
    {"354 although nobody was taken: a lone dot (S13)",
     HELLO PIPE "C: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<one@south.test>\nC: DATA\n"
                "S: 250 ok\nS: 550 5.1.1 no\nS: 354 go\nC: .\nS: 554 none\n" BYE,
     "x\r\n", "one@south.test", 0, "held 550"},
    {"DATA is refused; the next mail begins with RSET",
     HELLO PIPE
     "C: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<one@south.test>\nC: DATA\n"
     "S: 250 ok\nS: 250 ok\nS: 452 4.3.1 full\n"
     "C: RSET\nC: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<one@south.test>\nC: DATA\n"
     "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\nC: x\nC: .\nS: 250 taken\n" BYE,
     "x\r\n", "one@south.test", TWICE, "held 452; held 250"},
    {"552 to RCPT is 452 (S2)",
     HELLO PIPE "C: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<one@south.test>\n"
                "C: RCPT TO:<two@south.test>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 552 5.5.3 enough\n"
                "S: 354 go\nC: x\nC: .\nS: 250 taken\n" BYE,
     "x\r\n", "one@south.test two@south.test", 0, "held 250 452"},
    {"codes nobody expects are temporary (S31)",
     HELLO PIPE "C: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<one@south.test>\n"
                "C: RCPT TO:<two@south.test>\nC: DATA\nS: 250 ok\nS: 354 what\nS: 799 what\n"
                "S: 559 no\n" BYE,
     "x\r\n", "one@south.test two@south.test", 0, "held 451 451"},
    {"an unknown 5yz is permanent, by its first digit (S31)",
     HELLO PIPE "C: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<one@south.test>\nC: DATA\n"
                "S: 250 ok\nS: 250 ok\nS: 354 go\nC: x\nC: .\nS: 599 no\n" BYE,
     "x\r\n", "one@south.test", 0, "held 599"},
    {"DATA answered 250 is no acceptance",
     HELLO PIPE "C: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<one@south.test>\nC: DATA\n"
                "S: 250 ok\nS: 250 ok\nS: 250 taken\n",
     "x\r\n", "one@south.test", 0, "lost 451"},
    {"garbage is no reply",
     HELLO PIPE "C: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<one@south.test>\nC: DATA\n"
                "S: 250 ok\nS: hello\n",
     "x\r\n", "one@south.test", 0, "lost 0"},
    {"421 in the middle (S31)",
     HELLO PIPE "C: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<one@south.test>\n"
                "C: RCPT TO:<two@south.test>\nC: DATA\nS: 250 ok\nS: 550 no\nS: 421 4.3.2 stop\n",
     "x\r\n", "one@south.test two@south.test", 0, "lost 550 421"},
    {"421 to MAIL is for all",
     HELLO PIPE "C: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<one@south.test>\nC: DATA\n"
                "S: 421 4.3.2 stop\n",
     "x\r\n", "one@south.test", 0, "lost 421"},
    {"lost after the dot: nobody knows",
     HELLO PIPE "C: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<one@south.test>\n"
                "C: RCPT TO:<two@south.test>\nC: DATA\nS: 250 ok\nS: 550 no\nS: 250 ok\nS: 354 go\n"
                "C: x\nC: .\nLOST\n",
     "x\r\n", "one@south.test two@south.test", 0, "lost 550 0"},
    {"stuffing and line ends (S4, S5)",
     HELLO PIPE "C: MAIL FROM:<a@north.test> SIZE=17\nC: RCPT TO:<one@south.test>\nC: DATA\n"
                "S: 250 ok\nS: 250 ok\nS: 354 go\nC: ..\nC: ...a\nC: b\nC: c\nC: d.\nC: ..\nC: .\n"
                "S: 250 taken\n" BYE,
     ".\r\n..a\r\nb\nc\rd.\r\n.", "one@south.test", 0, "held 250"},
    {"too large for the server (S19)", HELLO "S: 250-south.test\nS: 250 SIZE 2\n" BYE, "x\r\n",
     "one@south.test", 0, "held 552"},
    {"8-bit to a server that does not take it (S21)", HELLO "S: 250 south.test\n" BYE, "\xff\r\n",
     "one@south.test", EIGHT_BIT, "held 554"},
    {"8-bit that nobody declared: dropped in the middle (S21)",
     HELLO
     "S: 250 PIPELINING\nC: MAIL FROM:<a@north.test>\nS: 250 ok\nC: RCPT TO:<one@south.test>\n"
     "S: 250 ok\nC: DATA\nS: 354 go\n",
     "\xff\r\n", "one@south.test", 0, "lost 554"},
    {"8-bit declared and offered",
     HELLO PIPE "C: MAIL FROM:<a@north.test> SIZE=3 BODY=8BITMIME\nC: RCPT TO:<one@south.test>\n"
                "C: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\nC: \xff\nC: .\nS: 250 taken\n" BYE,
     "\xff\r\n", "one@south.test", EIGHT_BIT, "held 250"},
    {"an address beyond ASCII stays behind (S22)",
     HELLO PIPE "C: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<two@south.test>\nC: DATA\n"
                "S: 250 ok\nS: 250 ok\nS: 354 go\nC: x\nC: .\nS: 250 taken\n" BYE,
     "x\r\n", "\xc3\xa9@south.test two@south.test", 0, "held 553 250"},
    {"LIMITS RCPTMAX (S26)",
     HELLO "S: 250-south.test\nS: 250-PIPELINING\nS: 250 LIMITS FOO=1 RCPTMAX=1 MAILMAX=1\n"
           "C: MAIL FROM:<a@north.test>\nC: RCPT TO:<one@south.test>\nC: DATA\n"
           "S: 250 ok\nS: 250 ok\nS: 354 go\nC: x\nC: .\nS: 250 taken\n" BYE,
     "x\r\n", "one@south.test two@south.test", 0, "held 250 452"},
    {"a body that cannot be read: no half message",
     HELLO PIPE "C: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<one@south.test>\nC: DATA\n"
                "S: 250 ok\nS: 250 ok\nS: 354 go\nC: x\n",
     "x\r\n", "one@south.test", BREAKS, "lost 0"},
    {"recall wins before DATA",
     HELLO PIPE "C: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<one@south.test>\nS: 250 ok\n"
                "S: 250 ok\n" BYE,
     "x\r\n", "one@south.test", RECALLED, "held 0"},
    {"a mail to be held (RFC 4865)",
     HELLO "S: 250-south.test\nS: 250 FUTURERELEASE 100 2030-01-01T00:00:00Z\n"
           "C: MAIL FROM:<a@north.test> HOLDFOR=60\nS: 250 ok\nC: RCPT TO:<one@south.test>\n"
           "S: 250 ok\nC: DATA\nS: 354 go\nC: x\nC: .\nS: 250 taken\n" BYE,
     "x\r\n", "one@south.test", HOLD, "held 250"},
    {"a mail to be held, and no way to", HELLO PIPE BYE, "x\r\n", "one@south.test", HOLD,
     "held 555"},
    {"the next mail goes out with the dot, and is the last (LIMITS MAILMAX)",
     HELLO "S: 250-south.test\nS: 250-PIPELINING\nS: 250 LIMITS MAILMAX=2\n"
           "C: MAIL FROM:<a@north.test>\nC: RCPT TO:<one@south.test>\nC: DATA\n"
           "S: 250 ok\nS: 250 ok\nS: 354 go\n"
           "C: x\nC: .\nC: MAIL FROM:<a@north.test>\nC: RCPT TO:<one@south.test>\n"
           "C: DATA\nS: 250 taken\nS: 250 ok\nS: 250 ok\nS: 354 go\nC: x\nC: .\nS: 250 taken\n" BYE,
     "x\r\n", "one@south.test", TWICE | NEXT | LAST, "held 250; held 250"},
    {"the next mail goes out with the dot",
     HELLO PIPE
     "C: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<one@south.test>\nC: DATA\n"
     "S: 250 ok\nS: 250 ok\nS: 354 go\n"
     "C: x\nC: .\nC: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<one@south.test>\n"
     "C: DATA\nS: 250 taken\nS: 250 ok\nS: 250 ok\nS: 354 go\nC: x\nC: .\nS: 250 taken\n" BYE,
     "x\r\n", "one@south.test", TWICE | NEXT, "held 250; held 250"},
    {"the next mail, refused",
     HELLO PIPE "C: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<one@south.test>\nC: DATA\n"
                "S: 250 ok\nS: 250 ok\nS: 354 go\n"
                "C: x\nC: .\nC: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<one@south.test>\n"
                "C: DATA\nS: 550 5.7.1 spam\nS: 550 5.7.1 you\nS: 503 no\nS: 503 no\n" BYE,
     "x\r\n", "one@south.test", TWICE | NEXT, "held 550; held 550"},
    {"the next mail was recalled",
     HELLO PIPE "C: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<one@south.test>\nC: DATA\n"
                "S: 250 ok\nS: 250 ok\nS: 354 go\n"
                "C: x\nC: .\nC: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<one@south.test>\n"
                "S: 250 taken\nS: 250 ok\nS: 250 ok\n" BYE,
     "x\r\n", "one@south.test", TWICE | NEXT | NEXT_RECALLED, "held 250; held 0"},
    {"the next mail is lost with the connection",
     HELLO PIPE "C: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<one@south.test>\nC: DATA\n"
                "S: 250 ok\nS: 250 ok\nS: 354 go\n"
                "C: x\nC: .\nC: MAIL FROM:<a@north.test> SIZE=3\nC: RCPT TO:<one@south.test>\n"
                "C: DATA\nS: 250 taken\nS: 421 stop\n",
     "x\r\n", "one@south.test", TWICE | NEXT, "held 250; lost 421"},
};

static struct smtp_client_options plain_options(void)
{
    return (struct smtp_client_options){.helo = S("north.test"), .tls = SMTP_TLS_NEVER};
}

static struct envelope make_envelope(struct arena *a, slice to, bool eight_bit)
{
    struct envelope e = {.sender = S("a@north.test"), .eight_bit = eight_bit};
    slice word;
    e.recipients = arena_array(a, 8, sizeof(*e.recipients));
    while (slice_next(&to, ' ', &word))
        e.recipients[e.recipient_count++].address = word;
    return e;
}

static void tell(struct buf *got, bool held, const struct smtp_reply *rcpt, size_t count)
{
    buf_printf(got, "%s%s", buf_length(got) ? "; " : "", held ? "held" : "lost");
    for (size_t i = 0; i < count; i++)
        buf_printf(got, " %d", rcpt[i].code);
}

static void test_send(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(sends) / sizeof(sends[0]); i++) {
        struct arena a = {0};
        struct smtp_reply reply, rcpt[8];
        struct buf got = {.max = 1000};
        unsigned flags = sends[i].flags;
        fake_dial_script(slice_c(sends[i].script));
        struct smtp_client_options o = plain_options();
        struct smtp_client *c = smtp_client_open(&o, &a, &reply);
        if (!c)
            fail_msg("%s: not opened: %d %.*s", sends[i].name, reply.code, P(reply.text));
        struct envelope e = make_envelope(&a, slice_c(sends[i].to), flags & EIGHT_BIT);
        if (flags & HOLD)
            e.hold_until_ms = clock_ms() + 60000;
        struct text text[2];
        struct smtp_message m[2];
        for (int j = 0; j < 2; j++) {
            text[j] = (struct text){slice_c(sends[i].text), flags & BREAKS,
                                    (flags & RECALLED) || (j && (flags & NEXT_RECALLED)), 0};
            m[j] = (struct smtp_message){.envelope = &e,
                                         .size = strlen(sends[i].text),
                                         .body = read_text,
                                         .ctx = &text[j],
                                         .point_of_no_return = may_send};
        }
        if (flags & NEXT)
            m[0].next = &m[1];
        for (int j = 0; j < (flags & TWICE ? 2 : 1); j++) {
            bool held = smtp_client_send(c, &m[j], &a, rcpt);
            tell(&got, held, rcpt, e.recipient_count);
            assert_true(text[j].asked <= 1);
            assert_int_equal(held, c->alive);
            if (flags & LAST) /* the second one is, and only when it has gone */
                assert_int_equal(smtp_client_usable(c), j == 0);
        }
        smtp_client_close(c);
        const char *wrong = fake_dial_end();
        if (wrong)
            fail_msg("%s: %s", sends[i].name, wrong);
        if (!slice_eq(buf_slice(&got), slice_c(sends[i].want)))
            fail_msg("%s: %.*s", sends[i].name, P(buf_slice(&got)));
        buf_end(&got);
        arena_end(&a);
    }
}

/* Ours counts when it is the lower one, and when the server says none (options.mails_max). */
static void test_mails_max(void **state)
{
    (void)state;
    static const struct {
        const char *limits;
        size_t ours, want;
    } rows[] = {{"8BITMIME", 3, 3},
                {"LIMITS MAILMAX=2", 0, 2},
                {"LIMITS MAILMAX=2", 3, 2},
                {"LIMITS MAILMAX=4", 3, 3}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a = {0};
        struct smtp_reply reply, rcpt;
        struct buf script = {.max = 10000};
        buf_printf(&script, "%sS: 250-south.test\nS: 250 %s\n", HELLO, rows[i].limits);
        for (size_t n = 0; n < rows[i].want; n++)
            buf_add(&script, S("C: MAIL FROM:<a@north.test>\nS: 250 ok\n"
                               "C: RCPT TO:<one@south.test>\nS: 250 ok\nC: DATA\nS: 354 go\n"
                               "C: x\nC: .\nS: 250 taken\n"));
        buf_add(&script, S(BYE));
        fake_dial_script(buf_slice(&script));
        struct smtp_client_options o = plain_options();
        o.mails_max = rows[i].ours;
        struct smtp_client *c = smtp_client_open(&o, &a, &reply);
        assert_non_null(c);
        size_t sent = 0;
        for (; sent < 10 && smtp_client_usable(c); sent++) {
            struct envelope e = make_envelope(&a, S("one@south.test"), false);
            struct text text = {.rest = S("x\r\n")};
            struct smtp_message m = {.envelope = &e, .body = read_text, .ctx = &text};
            assert_true(smtp_client_send(c, &m, &a, &rcpt));
        }
        assert_int_equal(sent, rows[i].want);
        smtp_client_close(c);
        assert_null(fake_dial_end());
        buf_end(&script);
        arena_end(&a);
    }
}

/* More recipients than LIMIT_SMTP_WINDOW: the client reads replies while it still asks. */
static void test_window(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf script = {.max = 1 << 20};
    enum { MANY = 2 * LIMIT_SMTP_WINDOW };
    buf_add(&script, S(HELLO "S: 250-south.test\nS: 250 PIPELINING\n"));
    buf_add(&script, S("C: MAIL FROM:<a@north.test>\n"));
    for (int said = 1, heard = 0; heard < MANY + 2;) {
        for (; said < MANY + 2 && said - heard < LIMIT_SMTP_WINDOW; said++)
            buf_printf(&script, said <= MANY ? "C: RCPT TO:<u%d@south.test>\n" : "C: DATA\n", said);
        buf_printf(&script, heard++ < MANY + 1 ? "S: 250 ok\n" : "S: 354 go\n");
    }
    buf_add(&script, S("C: x\nC: .\nS: 250 taken\n" BYE));
    fake_dial_script(buf_slice(&script));
    struct smtp_reply reply, rcpt[MANY];
    struct smtp_client_options o = plain_options();
    struct smtp_client *c = smtp_client_open(&o, &a, &reply);
    struct envelope e = {.sender = S("a@north.test"), .recipient_count = MANY};
    e.recipients = arena_array(&a, MANY, sizeof(*e.recipients));
    for (int i = 0; i < MANY; i++)
        e.recipients[i].address = arena_printf(&a, "u%d@south.test", i + 1);
    struct text text = {.rest = S("x\r\n")};
    struct smtp_message m = {.envelope = &e, .body = read_text, .ctx = &text};
    assert_true(smtp_client_send(c, &m, &a, rcpt));
    for (int i = 0; i < MANY; i++)
        assert_int_equal(rcpt[i].code, 250);
    smtp_client_close(c);
    const char *wrong = fake_dial_end();
    if (wrong)
        fail_msg("%s", wrong);
    buf_end(&script);
    arena_end(&a);
}

#define AUTH_OFFER  "S: 250-south.test\nS: 250 AUTH LOGIN PLAIN SCRAM-SHA-256\n"
#define FIRST_PLAIN "C: AUTH PLAIN AG9uZUBub3J0aC50ZXN0AHNlY3JldA==\n"

static const struct {
    const char *name, *script, *remote;
    int tls; /* enum of smtp_client_options */
    bool verify, login;
    int code; /* of the reply when it is not opened; -1: opened */
    bool is_tls;
} opens[] = {
    {"no connection", "LOST\n", NULL, SMTP_TLS_NEVER, false, false, 0, false},
    {"a banner of 554 (S11)", "S: 554 5.3.2 no\n" BYE, NULL, SMTP_TLS_NEVER, false, false, 554,
     false},
    {"a banner of 421", "S: 421 4.3.2 busy\n", NULL, SMTP_TLS_NEVER, false, false, 421, false},
    {"EHLO and HELO refused", HELLO "S: 500 a\nC: HELO north.test\nS: 550 b\n" BYE, NULL,
     SMTP_TLS_NEVER, false, false, 550, false},
    {"STARTTLS, and all is asked again (S15)",
     HELLO "S: 250-south.test\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nTLS\nC: EHLO north.test\n"
           "S: 250 south.test\n" BYE,
     NULL, SMTP_TLS_IF_OFFERED, false, false, -1, true},
    {"STARTTLS refused, none needed",
     HELLO "S: 250-south.test\nS: 250 STARTTLS\nC: STARTTLS\nS: 454 no\n" BYE, NULL,
     SMTP_TLS_IF_OFFERED, false, false, -1, false},
    {"STARTTLS broken between servers: in the clear (RFC 7435)",
     HELLO "S: 250-south.test\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nTLS!\nDIAL\n" HELLO
           "S: 250-south.test\nS: 250 STARTTLS\n" BYE,
     NULL, SMTP_TLS_IF_OFFERED, false, false, -1, false},
    {"STARTTLS broken where it is verified",
     HELLO "S: 250-south.test\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nTLS!\n", NULL,
     SMTP_TLS_REQUIRED, true, false, 0, false},
    {"TLS needed, not offered", HELLO "S: 250 south.test\n" BYE, NULL, SMTP_TLS_REQUIRED, true,
     false, 0, false},
    {"implicit TLS", "TLS\n" HELLO "S: 250-south.test\nS: 250 STARTTLS\n" BYE, NULL,
     SMTP_TLS_IMPLICIT, true, false, -1, true},
    {"PLAIN under TLS",
     "TLS\n" HELLO "S: 250-south.test\nS: 250 AUTH PLAIN LOGIN\n" FIRST_PLAIN "S: 235 in\n" BYE,
     NULL, SMTP_TLS_IMPLICIT, true, true, -1, true},
    {"LOGIN under TLS, a wrong password",
     "TLS\n" HELLO "S: 250-south.test\nS: 250 AUTH=LOGIN\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\n"
     "C: b25lQG5vcnRoLnRlc3Q=\nS: 334 UGFzc3dvcmQ6\nC: c2VjcmV0\nS: 535 5.7.8 no\n" BYE,
     NULL, SMTP_TLS_IMPLICIT, true, true, 535, false},
    {"no password in the clear", HELLO "S: 250-south.test\nS: 250 AUTH PLAIN LOGIN\n" BYE, NULL,
     SMTP_TLS_NEVER, false, true, 538, false},
    {"but to this machine",
     HELLO "S: 250-south.test\nS: 250 AUTH PLAIN LOGIN\n" FIRST_PLAIN "S: 235 in\n" BYE,
     "127.0.0.1:1587", SMTP_TLS_NEVER, false, true, -1, false},
};

static void test_open(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(opens) / sizeof(opens[0]); i++) {
        struct arena a = {0};
        struct smtp_reply reply;
        fake_dial_script(slice_c(opens[i].script));
        fake_dial_remote = opens[i].remote ? opens[i].remote : "192.0.2.1:25";
        struct smtp_client_options o = plain_options();
        if (opens[i].tls == SMTP_TLS_IF_OFFERED)
            o.tls = SMTP_TLS_IF_OFFERED;
        if (opens[i].tls == SMTP_TLS_REQUIRED)
            o.tls = SMTP_TLS_REQUIRED;
        if (opens[i].tls == SMTP_TLS_IMPLICIT)
            o.tls = SMTP_TLS_IMPLICIT;
        o.verify = opens[i].verify ? DIAL_VERIFY : DIAL_OPPORTUNE;
        if (opens[i].login) {
            o.user = S("one@north.test");
            o.password = S("secret");
        }
        struct smtp_client *c = smtp_client_open(&o, &a, &reply);
        if (!c != (opens[i].code >= 0) || (!c && reply.code != opens[i].code))
            fail_msg("%s: %d %.*s", opens[i].name, reply.code, P(reply.text));
        if (!c && reply.text.n == 0)
            fail_msg("%s: no reason", opens[i].name);
        if (c)
            assert_int_equal(dial_is_tls(c->dial), opens[i].is_tls);
        smtp_client_close(c);
        const char *wrong = fake_dial_end();
        if (wrong)
            fail_msg("%s: %s", opens[i].name, wrong);
        arena_end(&a);
    }
}

/* A kept connection is asked before a mail is trusted to it. */
static void test_probe(void **state)
{
    static const struct {
        const char *name, *script;
        bool good;
    } rows[] = {
        {"answers", HELLO PIPE "C: RSET\nWAIT 5000\nS: 250 ok\n" BYE, true},
        {"stops", HELLO PIPE "C: RSET\nS: 421 4.3.2 stop\n", false},
        {"is gone", HELLO PIPE "C: RSET\nLOST\n", false},
        {"has said something nobody asked", HELLO PIPE "S: 421 4.4.2 idle\n", false},
        {"has closed", HELLO PIPE "EOF\n", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a = {0};
        struct smtp_reply reply;
        struct smtp_client_options o = plain_options();
        slice script = slice_c(rows[i].script);
        fake_dial_script(script);
        struct smtp_client *c = smtp_client_open(&o, &a, &reply);
        assert_non_null(c);
        if (smtp_client_probe(c) != rows[i].good)
            fail_msg("%s: %d", rows[i].name, !rows[i].good);
        smtp_client_close(c);
        const char *wrong = fake_dial_end();
        if (wrong && !strstr(rows[i].script, "idle")) /* nobody hears what was not asked for */
            fail_msg("%s: %s", rows[i].name, wrong);
        arena_end(&a);
    }
}

static void test_reply_take(void **state)
{
    static const struct {
        const char *in; /* lines */
        int result, code;
        const char *enhanced, *text;
    } rows[] = {
        {"250 ok", 1, 250, "", "ok"},
        {"250", 1, 250, "", ""},
        {"250 ", 1, 250, "", ""},
        {"250-a\n250-b\n250 c", 1, 250, "", "a\nb\nc"},
        {"550-5.1.1 no\n550 5.1.1 such", 1, 550, "5.1.1", "no\nsuch"},
        {"550 4.1.1 class", 1, 550, "", "4.1.1 class"},
        {"550 5.1 x", 1, 550, "", "5.1 x"},
        {"550 5..1 x", 1, 550, "", "5..1 x"},
        {"550 5.123.456", 1, 550, "5.123.456", ""},
        {"250-a\n550 b", 1, 550, "", "a\nb"},
        {"250-a", 0, 250, "", "a"},
        {"25 x", -1, 0, "", ""},
        {"099 x", -1, 0, "", ""},
        {"250_x", -1, 0, "", ""},
        {"", -1, 0, "", ""},
        {"ok", -1, 0, "", ""},
    };
    (void)state;
    struct arena a = {0};
    struct reply_lines endless = {0};
    unsigned lines = 0;
    while (reply_take(&endless, &a, S("250-more")) == 0)
        lines++;
    assert_int_equal(lines, 200); /* a reply without end is none */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct reply_lines x = {0};
        slice in = slice_c(rows[i].in), line = S("");
        int result = -1;
        do {
            slice_next(&in, '\n', &line);
            result = reply_take(&x, &a, line);
        } while (result == 0 && in.n);
        if (result != rows[i].result)
            fail_msg("\"%s\": %d", rows[i].in, result);
        if (result < 0)
            continue;
        assert_int_equal(x.r.code, rows[i].code);
        assert_slice(x.r.enhanced, slice_c(rows[i].enhanced));
        assert_slice(x.r.text, slice_c(rows[i].text));
    }
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reply_take), cmocka_unit_test(test_open),
        cmocka_unit_test(test_send),       cmocka_unit_test(test_mails_max),
        cmocka_unit_test(test_window),     cmocka_unit_test(test_probe),
    };
    return TEST_RUN(tests);
}
