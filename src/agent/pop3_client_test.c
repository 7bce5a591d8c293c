/* Whole sessions of the POP3 client against bytes, cut at every place. */
#include "base/test.h"

#include "agent/fake_dial.h"
#include "agent/pop3_client.h"

/* What one run gave: the mails in brackets, refusals in braces, then how it ended. */
struct run {
    struct buf seen;
    struct buf error;
};

static bool begin(void *ctx, const struct pop3_item *item)
{
    struct run *r = ctx;
    return buf_printf(&r->seen, "%u:%.*s[", item->number, P(item->uidl));
}

static bool bytes(void *ctx, slice run)
{
    struct run *r = ctx;
    return buf_add(&r->seen, run);
}

static bool end(void *ctx, const struct pop3_item *item)
{
    struct run *r = ctx;
    (void)item;
    return buf_add(&r->seen, S("]"));
}

static bool refused(void *ctx, const struct pop3_item *item, slice text)
{
    struct run *r = ctx;
    return buf_printf(&r->seen, "%u{%.*s}", item->number, P(text));
}

/* Log in, list, fetch all, delete all, quit. */
static void play(struct run *r, slice server, size_t step, enum agent_tls tls)
{
    struct arena a = {0};
    struct pop3_item *items;
    size_t count, marked = 0;
    const struct agent_account account = {
        .dial = {.host = S("localhost"), .port = 1110}, .tls = tls, .user = S("one@north.test")};
    const struct pop3_sink sink = {r, begin, bytes, end, refused};
    *r = (struct run){{.max = 1 << 20}, {.max = 4096}};
    fake_dial_feed(server, step);
    struct pop3_client *c = pop3_client_open(&account, S("secret"), &r->error);
    bool ok = c && pop3_client_list(c, &a, &items, &count, &r->error) &&
              pop3_client_retrieve(c, items, count, &sink, &r->error) &&
              pop3_client_delete(c, items, count, &marked, &r->error);
    if (!ok)
        pop3_client_abort(c);
    else if (pop3_client_quit(c, &r->error))
        buf_printf(&r->seen, " %zu deleted", marked);
    arena_end(&a);
}

#define HELLO  "+OK ready\r\n"
#define CAPA   "+OK\r\nUIDL\r\nUSER\r\nPIPELINING\r\nSASL PLAIN\r\n.\r\n"
#define LOGIN  "+OK in\r\n"
#define UIDL   "+OK\r\n1 aa\r\n2 bb\r\n.\r\n"
#define LIST   "+OK\r\n1 12\r\n2 7\r\n.\r\n"
#define FINISH "+OK\r\n+OK\r\n+OK bye\r\n"

static void test_sessions(void **state)
{
    static const struct {
        const char *name;
        enum agent_tls tls;
        const char *server, *seen, *error;
    } rows[] = {
        {"whole, dots unstuffed (RFC 1939 section 3)", AGENT_PLAIN,
         HELLO CAPA LOGIN UIDL LIST "+OK\r\na\r\n..\r\n..b\r\n.\r\n+OK\r\nsecond\r\n.\r\n" FINISH,
         "1:aa[a\r\n.\r\n.b\r\n]2:bb[second\r\n] 2 deleted", ""},
        {"STLS (RFC 2595 section 4)", AGENT_STARTTLS,
         HELLO "+OK\r\nSTLS\r\n.\r\n"
               "+OK begin\r\n\1" CAPA LOGIN "+OK\r\n.\r\n+OK\r\n.\r\n+OK bye\r\n",
         " 0 deleted", ""},
        {"no CAPA (before RFC 2449)", AGENT_PLAIN,
         HELLO "-ERR what\r\n+OK\r\n+OK\r\n" UIDL LIST
               "+OK\r\nx\r\n.\r\n-ERR [SYS/TEMP] not now\r\n" FINISH,
         "1:aa[x\r\n]2{[SYS/TEMP] not now} 2 deleted", ""},
        {"no TLS there", AGENT_STARTTLS, HELLO CAPA, "", "offers no TLS (STLS)"},
        {"wrong password", AGENT_PLAIN, HELLO CAPA "-ERR [AUTH] no\r\n", "",
         "refused the login of one@north.test: [AUTH] no; check --user"},
        {"maildrop in use", AGENT_PLAIN, HELLO CAPA "-ERR [IN-USE] busy\r\n", "", "[IN-USE] busy"},
        {"refused at the door", AGENT_PLAIN, "-ERR too many\r\n", "",
         "refused the connection: too many"},
        {"no POP3 at all", AGENT_PLAIN, "220 mail ESMTP\r\n", "", "no POP3 answer came"},
        {"lost inside a message", AGENT_PLAIN, HELLO CAPA LOGIN UIDL LIST "+OK\r\nhalf",
         "1:aa[half", "closed the connection"},
        {"lost before QUIT is answered", AGENT_PLAIN,
         HELLO CAPA LOGIN UIDL LIST "+OK\r\n.\r\n+OK\r\n.\r\n+OK\r\n+OK\r\n", "1:aa[]2:bb[]",
         "closed the connection"},
        {"junk in lists is left out", AGENT_PLAIN,
         HELLO CAPA LOGIN "+OK\r\n0 zero\r\n1\r\nx y\r\n99999999999 b\r\n2 bb\r\n.\r\n"
                          "+OK\r\n1 5\r\n2 x\r\n3 3\r\n.\r\n"
                          "+OK\r\nm\r\n.\r\n+OK\r\n+OK bye\r\n",
         "2:bb[m\r\n] 1 deleted", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t step = 1; step < 200; step += step < 8 ? 1 : 40) {
            struct run r;
            play(&r, slice_c(rows[i].server), step, rows[i].tls);
            if (!slice_eq(buf_slice(&r.seen), slice_c(rows[i].seen)))
                fail_msg("%s (step %zu): saw %.*s", rows[i].name, step, P(buf_slice(&r.seen)));
            if (slice_search(buf_slice(&r.error), slice_c(rows[i].error)) < 0 ||
                !*rows[i].error != !buf_length(&r.error))
                fail_msg("%s (step %zu): said %.*s", rows[i].name, step, P(buf_slice(&r.error)));
            buf_end(&r.seen);
            buf_end(&r.error);
        }
}

static void test_injection_is_refused(void **state)
{
    (void)state;
    struct run r;
    play(&r,
         S(HELLO "+OK\r\nSTLS\r\n.\r\n"
                 "+OK begin\r\n+OK injected\r\n"),
         1000, AGENT_STARTTLS);
    assert_true(slice_search(buf_slice(&r.error), S("more than it may before TLS")) > 0);
    buf_end(&r.seen);
    buf_end(&r.error);
}

static void test_pipelining(void **state)
{
    (void)state;
    struct run r;
    play(&r, S(HELLO CAPA LOGIN UIDL LIST "+OK\r\n.\r\n+OK\r\n.\r\n" FINISH), 1000, AGENT_PLAIN);
    assert_slice(fake_dial_sent(),
                 S("CAPA\r\nAUTH PLAIN AG9uZUBub3J0aC50ZXN0AHNlY3JldA==\r\nUIDL\r\nLIST\r\n"
                   "RETR 1\r\nRETR 2\r\nDELE 1\r\nDELE 2\r\nQUIT\r\n"));
    buf_end(&r.seen);
    buf_end(&r.error);
}

static void test_endless_line(void **state)
{
    (void)state;
    size_t n = 4 << 20;
    char *text = test_malloc(n);
    struct run r;
    memset(text, 'x', n);
    memcpy(text, "+OK ", 4);
    play(&r, (slice){text, n}, n, AGENT_PLAIN);
    assert_true(slice_search(buf_slice(&r.error), S("no POP3 answer came")) > 0);
    buf_end(&r.seen);
    buf_end(&r.error);
    test_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_injection_is_refused),
        cmocka_unit_test(test_pipelining),
        cmocka_unit_test(test_endless_line),
    };
    int failed = TEST_RUN(tests);
    fake_dial_feed(S(""), 1);
    return failed;
}
