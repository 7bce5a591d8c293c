/* The fields with a grammar of their own: Received, Authentication-Results, List-*, reports. */
#include "message/authres.h"
#include "message/listing.h"
#include "message/received.h"
#include "message/report.h"

#include "base/test.h"

#include "base/banned.h"

static void test_received(void **state)
{
    (void)state;
    static const struct {
        const char *in, *from, *ip, *by, *with, *id, *for_;
        bool date;
    } rows[] = {
        {"from north.test (mx.north.test [192.0.2.1]) by south.test (Yizhan) with ESMTPS id abc123 "
         "for <two@south.test>; Mon, 23 Nov 2026 20:24:01 +0000",
         "north.test", "192.0.2.1", "south.test", "ESMTPS", "abc123", "two@south.test", true},
        {"from [IPv6:2001:db8::1] ([IPv6:2001:db8::1]) by x with LMTP", "[IPv6:2001:db8::1]",
         "2001:db8::1", "x", "LMTP", "", "", false},
        {"from x (HELO y) (192.0.2.7)\r\n  by z; Mon, 23 Nov 2026 20:24:01 +0000", "x", "192.0.2.7",
         "z", "", "", "", true},
        {"by x with SMTP id 1234; Mon, 23 Nov 2026", "", "", "x", "SMTP", "1234", "", true},
        {"(open from x by y", "x", "", "y", "", "", "", false},
        {"", "", "", "", "", "", "", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct received r;
        assert_int_equal(received_parse(slice_c(rows[i].in), &r), *rows[i].in != '\0');
        assert_slice(r.from, slice_c(rows[i].from));
        assert_slice(r.ip, slice_c(rows[i].ip));
        assert_slice(r.by, slice_c(rows[i].by));
        assert_slice(r.with, slice_c(rows[i].with));
        assert_slice(r.id, slice_c(rows[i].id));
        assert_slice(r.for_, slice_c(rows[i].for_));
        assert_int_equal(r.has_date, rows[i].date);
    }
}

static void test_return_path(void **state)
{
    (void)state;
    slice address;
    assert_true(return_path_parse(S("<>"), &address));
    assert_slice(address, S(""));
    assert_true(return_path_parse(S(" <one@north.test> "), &address));
    assert_slice(address, S("one@north.test"));
    assert_false(return_path_parse(S("<a> <b>"), &address));
    assert_false(return_path_parse(S(""), &address));
}

/* RFC 8601 appendix B. */
static void test_authres(void **state)
{
    (void)state;
    struct arena a = {0};
    struct authres r;
    assert_true(authres_parse(&a, S("example.org 1; none"), &r));
    assert_slice(r.id, S("example.org"));
    assert_slice(r.version, S("1"));
    assert_int_equal(r.result_count, 0);
    assert_true(authres_parse(
        &a,
        S("example.com;\r\n dkim=pass (good signature) header.d=mail-router.example.net;\r\n"
          " dkim/1=fail reason=\"bad \\\"sig\\\"\" header.i=@newyork.example.com\r\n "
          "header.b=oINEO8hg"),
        &r));
    assert_int_equal(r.result_count, 2);
    assert_slice(r.results[0].result, S("pass"));
    assert_slice(r.results[0].properties[0].value, S("mail-router.example.net"));
    assert_slice(r.results[1].version, S("1"));
    assert_slice(r.results[1].reason, S("bad \"sig\""));
    assert_int_equal(r.results[1].property_count, 2);
    assert_slice(r.results[1].properties[1].property, S("b"));
    assert_true(authres_parse(&a,
                              S("foo.example.net (foobar) 1 (baz); dkim (Because I like it) / 1 "
                                "(One yay) = (wait for it) fail policy (A dot can go here) . "
                                "(like that) expired (this surprised me) = (as I wasn't "
                                "expecting it) 1362471462"),
                              &r));
    assert_slice(r.results[0].result, S("fail"));
    assert_slice(r.results[0].properties[0].type, S("policy"));
    assert_slice(r.results[0].properties[0].property, S("expired"));
    assert_slice(r.results[0].properties[0].value, S("1362471462"));
    assert_false(authres_parse(&a, S(""), &r));
    assert_false(authres_parse(&a, S("x; dkim"), &r));
    assert_false(authres_parse(&a, S("x; dkim=\"open"), &r));
    arena_end(&a);
}

static void test_listing(void **state)
{
    (void)state;
    struct arena a = {0};
    struct listing l;
    assert_true(
        listing_parse(&a,
                      S("List-Id: \"=?utf-8?q?T=C3=A4lk?=\" <talk.north.test>\nList-Post: NO "
                        "(posting not allowed)\n"
                        "List-Help: <mailto:help@north.test?subject=\r\n help> (text)\n"
                        "List-Unsubscribe: <mailto:off@north.test>,\n <https://north.test/off>\n"
                        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\n\n"),
                      &l));
    assert_slice(l.id, S("talk.north.test"));
    assert_slice(l.name, S("T\xc3\xa4lk"));
    assert_true(l.post_no && l.one_click);
    assert_slice(l.help, S("mailto:help@north.test?subject=help"));
    assert_slice(l.unsubscribe, S("mailto:off@north.test"));
    assert_slice(l.unsubscribe_https, S("https://north.test/off"));
    assert_false(listing_parse(&a, S("Subject: x\n\nList-Id: y\n"), &l));
    assert_true(auto_answer_forbidden(S("Content-Type: multipart/report; report-type=x\n\n")));
    assert_true(auto_answer_forbidden(S("Precedence: bulk\n\n")));
    assert_false(auto_answer_forbidden(S("Auto-Submitted: no\n\n")));
    arena_end(&a);
}

static void test_delivery_report(void **state)
{
    (void)state;
    struct arena a = {0};
    struct mime m;
    struct report r;
    mime_parse(
        &a,
        S("Content-Type: multipart/report; report-type=delivery-status; boundary=a\n\n"
          "--a\n\nSorry.\n--a\nContent-Type: message/delivery-status\n\n"
          "Reporting-MTA: dns; north.test\nOriginal-Envelope-Id: e1\n\n"
          "Original-Recipient: rfc822;two@south.test\nFinal-Recipient: RFC822; 2@south.test\n"
          "Action: Failed\nStatus: 5.1.1 (bad)\nRemote-MTA: dns; mx.south.test\n"
          "Diagnostic-Code: smtp; 550 5.1.1\n No such user\n"
          "Last-Attempt-Date: Mon, 23 Nov 2026 20:24:01 +0000\n\n"
          "Final-Recipient: rfc822; three@south.test\nAction: delayed\nStatus: 4.0.0\n"
          "--a\nContent-Type: text/rfc822-headers\n\nMessage-ID: <1@north.test>\n--a--\n"),
        &m);
    assert_true(report_parse(&a, &m, &r));
    assert_int_equal(r.kind, REPORT_DELIVERY);
    assert_slice(r.reporting, S("north.test"));
    assert_slice(r.envid, S("e1"));
    assert_slice(r.message_id, S("1@north.test"));
    assert_int_equal(r.recipient_count, 2);
    assert_slice(r.recipients[0].original, S("two@south.test"));
    assert_slice(r.recipients[0].final, S("2@south.test"));
    assert_slice(r.recipients[0].action, S("failed"));
    assert_slice(r.recipients[0].status, S("5.1.1"));
    assert_slice(r.recipients[0].diagnostic, S("550 5.1.1 No such user"));
    assert_true(r.recipients[0].has_last_attempt);
    assert_slice(r.recipients[1].action, S("delayed"));
    mime_parse(&a, S("Subject: x\n\ny"), &m);
    assert_false(report_parse(&a, &m, &r));
    arena_end(&a);
}

static void test_disposition_report(void **state)
{
    (void)state;
    struct arena a = {0};
    struct mime m;
    struct report r;
    mime_parse(&a,
               S("Content-Type: multipart/report; boundary=a\n\n--a\n\nRead.\n--a\n"
                 "Content-Type: message/disposition-notification\n\n"
                 "Reporting-UA: south.test; x\nFinal-Recipient: rfc822;two@south.test\n"
                 "Original-Message-ID: <1@north.test>\n"
                 "Disposition: automatic-action/MDN-sent-automatically; Displayed/error\n--a--\n"),
               &m);
    assert_true(report_parse(&a, &m, &r));
    assert_int_equal(r.kind, REPORT_DISPOSITION);
    assert_slice(r.disposition, S("displayed"));
    assert_slice(r.message_id, S("1@north.test"));
    assert_true(r.automatic);
    assert_slice(r.recipients[0].final, S("two@south.test"));
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_received),        cmocka_unit_test(test_return_path),
        cmocka_unit_test(test_authres),         cmocka_unit_test(test_listing),
        cmocka_unit_test(test_delivery_report), cmocka_unit_test(test_disposition_report),
    };
    return TEST_RUN(tests);
}
