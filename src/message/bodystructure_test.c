/* ENVELOPE, BODY and BODYSTRUCTURE: RFC 9051 7.5.2, rules I13 and I14. */
#include "message/bodystructure.h"

#include "base/test.h"

#include "base/banned.h"

static void test_envelope(void **state)
{
    (void)state;
    static const struct {
        const char *name, *in, *want;
    } rows[] = {
        {"I13 nothing there", "X: y\n\n", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"},
        {"I13 present and empty", "Date:\nSubject:\nIn-Reply-To:\nMessage-ID:\n\n",
         "(\"\" \"\" NIL NIL NIL NIL NIL NIL \"\" \"\")"},
        {"RFC 9051 7.5.2",
         "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\nSubject: IMAP4rev2 WG mtg summary\n"
         "From: Terry Gray <gray@cac.test>\nTo: imap@cac.test\n"
         "Cc: minutes@north.test, John Klensin <KLENSIN@south.test>\n"
         "Message-Id: <B27397-0100000@cac.test>\n\n",
         "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev2 WG mtg summary\" "
         "((\"Terry Gray\" NIL \"gray\" \"cac.test\")) ((\"Terry Gray\" NIL \"gray\" "
         "\"cac.test\")) "
         "((\"Terry Gray\" NIL \"gray\" \"cac.test\")) ((NIL NIL \"imap\" \"cac.test\")) "
         "((NIL NIL \"minutes\" \"north.test\")(\"John Klensin\" NIL \"KLENSIN\" \"south.test\")) "
         "NIL NIL \"<B27397-0100000@cac.test>\")"},
        {"I13 Sender and Reply-To of their own, empty ones are From",
         "From: a@x\nSender: s@x\nReply-To: \n\n",
         "(NIL NIL ((NIL NIL \"a\" \"x\")) ((NIL NIL \"s\" \"x\")) ((NIL NIL \"a\" \"x\")) NIL NIL "
         "NIL "
         "NIL NIL)"},
        {"I13 groups", "To: G: a@x;\n\n",
         "(NIL NIL NIL NIL NIL ((NIL NIL \"G\" NIL)(NIL NIL \"a\" \"x\")(NIL NIL NIL NIL)) NIL NIL "
         "NIL NIL)"},
        {"I13 route", "To: <@r,@s:a@x>\n\n",
         "(NIL NIL NIL NIL NIL ((NIL \"@r,@s\" \"a\" \"x\")) NIL NIL NIL NIL)"},
        {"no domain is an empty host, not a group", "To: root\n\n",
         "(NIL NIL NIL NIL NIL ((NIL NIL \"root\" \"\")) NIL NIL NIL NIL)"},
        {"I13 encoded words stay; quotes escaped; folding undone",
         "Subject: =?utf-8?q?a?= \"b\" \\\n c\n\n",
         "(NIL \"=?utf-8?q?a?= \\\"b\\\" \\\\ c\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
        {"UTF-8 is a literal", "Subject: \xe9\xa9\xbf\n\n",
         "(NIL {3}\r\n\xe9\xa9\xbf NIL NIL NIL NIL NIL NIL NIL NIL)"},
    };
    struct arena a = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        slice got = envelope_print(&a, slice_c(rows[i].in));
        if (!slice_eq(got, slice_c(rows[i].want)))
            fail_msg("%s: got\n%.*s\nwant\n%s", rows[i].name, P(got), rows[i].want);
    }
    arena_end(&a);
}

#define TEXT_PART "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "

static void test_structure(void **state)
{
    (void)state;
    static const struct {
        const char *name, *in, *body, *structure;
    } rows[] = {
        {"no fields", "A: b\r\n\r\nx\r\ny\r\n", TEXT_PART "6 2)", TEXT_PART "6 2 NIL NIL NIL NIL)"},
        {"all fields",
         "Content-Type: text/HTML; Charset=utf-8; x=\"a\\\"b\"\nContent-ID: <i@x>\n"
         "Content-Description: d\nContent-Transfer-Encoding: BASE64\nContent-MD5: m==\n"
         "Content-Disposition: Attachment; filename=f\nContent-Language: de, en\n"
         "Content-Location: http://x/\n\neA==\n",
         "(\"text\" \"html\" (\"charset\" \"utf-8\" \"x\" \"a\\\"b\") \"<i@x>\" \"d\" \"base64\" 5 "
         "1)",
         "(\"text\" \"html\" (\"charset\" \"utf-8\" \"x\" \"a\\\"b\") \"<i@x>\" \"d\" \"base64\" 5 "
         "1 "
         "\"m==\" (\"attachment\" (\"filename\" \"f\")) (\"de\" \"en\") \"http://x/\")"},
        {"multipart",
         "Content-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n--a\nContent-Type: image/png\n\n\n"
         "--a--",
         "(" TEXT_PART "1 0)(\"image\" \"png\" NIL NIL NIL \"7bit\" 0) \"mixed\")",
         "(" TEXT_PART
         "1 0 NIL NIL NIL NIL)(\"image\" \"png\" NIL NIL NIL \"7bit\" 0 NIL NIL NIL NIL)"
         " \"mixed\" (\"boundary\" \"a\") NIL NIL NIL)"},
        {"message", "Content-Type: message/rfc822\n\nSubject: s\n\nin\n",
         "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 15 (NIL \"s\" NIL NIL NIL NIL NIL NIL NIL "
         "NIL) " TEXT_PART "3 1) 3)",
         "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 15 (NIL \"s\" NIL NIL NIL NIL NIL NIL NIL "
         "NIL) " TEXT_PART "3 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)"},
        {"I14 multipart without parts is text", "Content-Type: multipart/mixed; boundary=a\n\nx",
         TEXT_PART "1 0)", TEXT_PART "1 0 NIL NIL NIL NIL)"},
        {"I14 no envelope: no message",
         "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nQQ==",
         "(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 4)",
         "(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 4 NIL NIL NIL NIL)"},
        {"I14 RFC 2231", "Content-Type: application/x; name*0=a; name*1=b; f*=utf-8''%e9%a9%bf\n\n",
         "(\"application\" \"x\" (\"name\" \"ab\" \"f*\" {3}\r\n\xe9\xa9\xbf) NIL NIL \"7bit\" 0)",
         "(\"application\" \"x\" (\"name\" \"ab\" \"f*\" {3}\r\n\xe9\xa9\xbf) NIL NIL \"7bit\" 0 "
         "NIL NIL "
         "NIL NIL)"},
    };
    struct arena a = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct mime m;
        mime_parse(&a, slice_c(rows[i].in), &m);
        slice body = bodystructure_print(&a, &m, 0, false);
        slice structure = bodystructure_print(&a, &m, 0, true);
        if (!slice_eq(body, slice_c(rows[i].body)))
            fail_msg("%s: got\n%.*s\nwant\n%s", rows[i].name, P(body), rows[i].body);
        if (!slice_eq(structure, slice_c(rows[i].structure)))
            fail_msg("%s: got\n%.*s\nwant\n%s", rows[i].name, P(structure), rows[i].structure);
    }
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_envelope),
        cmocka_unit_test(test_structure),
    };
    return TEST_RUN(tests);
}
