/* Whole sessions of the IMAP client against bytes, cut at every place. */
#include "base/test.h"

#include "agent/fake_dial.h"
#include "agent/imap_client_play.h"

#define HELLO "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR LITERAL+] hi\r\n"
#define LOGIN                                                                                      \
    "a1 OK [CAPABILITY IMAP4rev1 LITERAL+ LIST-EXTENDED LIST-STATUS SPECIAL-USE MOVE UIDPLUS "     \
    "IDLE] in\r\n"
#define LIST                                                                                       \
    "* LIST (\\HasNoChildren) \"/\" \"&XfJT0ZAB-\"\r\n* LIST (\\Sent) \"/\" Sent\r\n"              \
    "* LIST () \"/\" INBOX\r\n* STATUS INBOX (MESSAGES 3 UNSEEN 2)\r\n"                            \
    "* STATUS {10}\r\n&XfJT0ZAB- (UNSEEN 0 MESSAGES 9)\r\na2 OK\r\n"                               \
    "* STATUS Sent (MESSAGES 1 UNSEEN 0)\r\na3 OK\r\n"
#define OPEN "a4 OK\r\na5 OK\r\n* 3 EXISTS\r\n* FLAGS (\\Seen)\r\na6 OK [READ-WRITE] open\r\n"
#define FIND                                                                                       \
    "* SEARCH 9 7\r\na7 OK\r\n* 3 FETCH (UID 9 FLAGS () RFC822.SIZE 5 INTERNALDATE \"17-Jul-1996 " \
    "02:44:25 -0700\" ENVELOPE (NIL {6}\r\n驿站 NIL NIL NIL NIL NIL NIL NIL NIL))\r\n"           \
    "* 2 FETCH (UID 7 FLAGS (\\Recent) RFC822.SIZE 4 INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" " \
    "ENVELOPE (NIL \"s\" NIL NIL NIL NIL NIL NIL NIL NIL))\r\n* 1 FETCH (FLAGS (\\Seen))\r\na8 "   \
    "OK\r\n"
#define TEXT "* 2 FETCH (BODY[] {11}\r\nany\r\n{5}\r\n) UID 7)\r\na9 OK\r\n"
#define MOVE                                                                                       \
    "a10 OK\r\n* OK [COPYUID 77 7,9 1:2] moved\r\n* 3 EXPUNGE\r\n* 2 EXPUNGE\r\na11 OK\r\n"        \
    "a12 OK\r\na13 OK\r\n"
#define NEWS "+ idling\r\n* 2 EXISTS\r\na14 OK\r\n"
#define COPY "a15 OK [APPENDUID 5 6]\r\n* BYE\r\na16 OK\r\n"
#define SEEN                                                                                            \
    "INBOX<>2/3 Sent<Sent>0/1 已发送<>0/9 [3] 7(\\Recent)4 s 9()5 驿站 any\r\n{5}\r\n)to 1:2 new " \
    "2 "                                                                                                \
    "done"

static void test_sessions(void **state)
{
    static const struct {
        const char *name;
        enum agent_tls tls;
        const char *server, *seen, *error;
    } rows[] = {
        {"whole", AGENT_PLAIN, HELLO LOGIN LIST OPEN FIND TEXT MOVE NEWS COPY, SEEN, ""},
        {"STARTTLS, then other capabilities (RFC 9051 6.2.1)", AGENT_STARTTLS,
         "* OK hi\r\n* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\na1 OK\r\na2 OK begin\r\n\1"
         "* CAPABILITY IMAP4rev1\r\na3 OK\r\na4 OK\r\n* CAPABILITY IMAP4rev1\r\na5 OK\r\na6 NO "
         "[SERVERBUG] not now\r\n",
         "", "refused to list the mailboxes: [SERVERBUG] not now"},
        {"PREAUTH, no login", AGENT_PLAIN, "* PREAUTH [CAPABILITY IMAP4rev1] hi\r\na1 BAD what\r\n",
         "", "refused to list the mailboxes: what"},
        {"PREAUTH is no way around TLS (RFC 9051 11.1)", AGENT_STARTTLS, "* PREAUTH hi\r\n", "",
         "wants no login, so TLS cannot begin"},
        {"no TLS there", AGENT_STARTTLS, HELLO, "", "offers no TLS (STARTTLS)"},
        {"LOGINDISABLED (RFC 9051 6.2.3)", AGENT_PLAIN,
         "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi\r\n", "", "takes no password we can give"},
        {"wrong password", AGENT_PLAIN, HELLO "a1 NO [AUTHENTICATIONFAILED] no\r\n", "",
         "refused the login of one@north.test: [AUTHENTICATIONFAILED] no; check --user"},
        {"refused at the door", AGENT_PLAIN, "* BYE too many\r\n", "",
         "refused the connection: too many"},
        {"BYE in the middle", AGENT_PLAIN, HELLO LOGIN "* BYE shutting down\r\n", "",
         "the server closed the connection: shutting down"},
        {"no IMAP at all", AGENT_PLAIN, "220 mail ESMTP\r\n", "", "no IMAP answer came"},
        {"another's tag", AGENT_PLAIN, HELLO "b1 OK\r\n", "", "no IMAP answer came"},
        {"lost inside a message", AGENT_PLAIN,
         HELLO LOGIN LIST OPEN FIND "* 2 FETCH (BODY[] {11}\r\nany",
         "INBOX<>2/3 Sent<Sent>0/1 已发送<>0/9 [3] 7(\\Recent)4 s 9()5 驿站 any",
         "closed the connection"},
        {"a literal nobody can keep", AGENT_PLAIN, HELLO "* X {9223372036854775808}\r\nx\r\n", "",
         "no IMAP answer came"},
        {"more found than there can be", AGENT_PLAIN,
         HELLO LOGIN LIST OPEN "* ESEARCH UID ALL 1:4294967295\r\na7 OK\r\n",
         "INBOX<>2/3 Sent<Sent>0/1 已发送<>0/9 [3] ", "no IMAP answer came"},
        {"the mailbox is gone", AGENT_PLAIN,
         HELLO LOGIN LIST "a4 OK\r\na5 OK\r\na6 NO [NONEXISTENT] none\r\n",
         "INBOX<>2/3 Sent<Sent>0/1 已发送<>0/9 ",
         "refused to open the mailbox INBOX: [NONEXISTENT] none"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t step = 1; step < 200; step += step < 8 ? 1 : 40) {
            struct buf seen = {.max = 1 << 20}, error = {.max = 4096};
            imap_client_play(slice_c(rows[i].server), step, rows[i].tls, &seen, &error);
            if (!slice_eq(buf_slice(&seen), slice_c(rows[i].seen)))
                fail_msg("%s (step %zu): saw %.*s (%.*s)", rows[i].name, step, P(buf_slice(&seen)),
                         P(buf_slice(&error)));
            if (slice_search(buf_slice(&error), slice_c(rows[i].error)) < 0 ||
                !*rows[i].error != !buf_length(&error))
                fail_msg("%s (step %zu): said %.*s", rows[i].name, step, P(buf_slice(&error)));
            buf_end(&seen);
            buf_end(&error);
        }
}

static void play(slice server, slice sent, slice said)
{
    struct buf seen = {.max = 1 << 20}, error = {.max = 4096};
    imap_client_play(server, 1000, AGENT_PLAIN, &seen, &error);
    if (sent.n)
        assert_slice(fake_dial_sent(), sent);
    assert_true(slice_search(buf_slice(&error), said) >= 0);
    buf_end(&seen);
    buf_end(&error);
}

static void test_sent(void **state)
{
    (void)state;
    play(S(HELLO LOGIN LIST OPEN FIND TEXT MOVE NEWS COPY),
         S("a1 AUTHENTICATE PLAIN AG9uZUBub3J0aC50ZXN0AHNlY3JldA==\r\n"
           "a2 LIST \"\" \"*\" RETURN (SPECIAL-USE STATUS (MESSAGES UNSEEN))\r\n"
           "a3 STATUS \"Sent\" (MESSAGES UNSEEN)\r\n"
           "a4 CREATE \"&mHl27g-\"\r\na5 SUBSCRIBE \"&mHl27g-\"\r\na6 SELECT \"INBOX\"\r\n"
           "a7 UID SEARCH CHARSET UTF-8 UNSEEN TEXT {6+}\r\n驿站\r\n"
           "a8 UID FETCH 7,9 (UID FLAGS RFC822.SIZE INTERNALDATE ENVELOPE)\r\n"
           "a9 UID FETCH 7 (UID BODY.PEEK[])\r\n"
           "a10 UID STORE 7,9 +FLAGS.SILENT (\\Seen)\r\na11 UID MOVE 7,9 \"&mHl27g-\"\r\n"
           "a12 UID STORE 7,9 +FLAGS.SILENT (\\Deleted)\r\na13 UID EXPUNGE 7,9\r\n"
           "a14 IDLE\r\nDONE\r\n"
           "a15 APPEND \"Sent\" (\\Seen) \" 1-Jan-1970 00:00:00 +0000\" {17+}\r\n"
           "Subject: copy\r\n\r\n\r\na16 LOGOUT\r\n"),
         S(""));
}

static void test_injection_is_refused(void **state)
{
    (void)state;
    struct buf seen = {.max = 1 << 20}, error = {.max = 4096};
    imap_client_play(S("* OK [CAPABILITY STARTTLS] hi\r\na1 OK\r\n* CAPABILITY AUTH=PLAIN\r\n"),
                     1000, AGENT_STARTTLS, &seen, &error);
    assert_true(slice_search(buf_slice(&error), S("more than it may before TLS")) > 0);
    buf_end(&seen);
    buf_end(&error);
}

static void test_endless_line(void **state)
{
    (void)state;
    size_t n = 4 << 20;
    char *text = test_malloc(n);
    memset(text, 'x', n);
    memcpy(text, "* OK ", 5);
    play((slice){text, n}, S(""), S("no IMAP answer came"));
    test_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_sent),
        cmocka_unit_test(test_injection_is_refused),
        cmocka_unit_test(test_endless_line),
    };
    int failed = TEST_RUN(tests);
    fake_dial_feed(S(""), 1);
    return failed;
}
