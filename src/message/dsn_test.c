/* Delivery status notifications: rule S34, RFC 3464, RFC 6533. */
#include "message/dsn.h"

#include "base/test.h"
#include "message/header.h"
#include "message/parse.h"

static const char original[] = "From: one@north.test\r\nSubject: x\r\n\r\nbody\r\n";

static struct dsn sample(const struct dsn_recipient *r, size_t count)
{
    return (struct dsn){.reporting_mta = S("mx.north.test"),
                        .domain = S("north.test"),
                        .to = S("one@north.test"),
                        .envid = S("E1"),
                        .queue_id = S("0abc"),
                        .subject = S("书信"),
                        .message_id = S("m@north.test"),
                        .arrival_ms = 1795465441000,
                        .date_ms = 1795469041000,
                        .retry_until_ms = 1795897441000,
                        .recipients = r,
                        .recipient_count = count,
                        .original = {.bytes = slice_c(original)}};
}

static slice print(struct arena *a, const struct dsn *d, struct mime *m)
{
    slice error;
    struct composer *c = dsn_open(a, d, &error);
    if (!c)
        fail_msg("%.*s", P(error));
    slice all = compose_all(a, c);
    assert_int_equal(all.n, compose_size(c));
    mime_parse(a, all, m);
    return all;
}

static slice type_of(struct arena *a, const struct mime *m, size_t part)
{
    struct mime_content c;
    mime_content(a, m, part, &c);
    return c.type.value;
}

static void test_failure(void **state)
{
    static const struct dsn_recipient r = {.address = {"Two@south.test", 14},
                                           .orcpt = {"rfc822;two@south.test", 21},
                                           .action = DSN_FAILED,
                                           .status = {"5.1.1", 5},
                                           .remote_mta = {"mx.south.test", 13},
                                           .reply = {"550 5.1.1 No such user", 22},
                                           .last_attempt_ms = 1795465500000};
    struct arena a = {0};
    struct dsn d = sample(&r, 1);
    struct mime m;
    struct mime_content c;
    slice value;
    (void)state;
    slice all = print(&a, &d, &m);
    assert_int_equal(m.count, 4);
    mime_content(&a, &m, 0, &c);
    assert_slice(c.type.value, S("multipart/report"));
    assert_slice(params_get(&c.type, S("report-type")), S("delivery-status"));
    assert_true(header_find(all, S("Auto-Submitted"), &value));
    assert_slice(value, S("auto-replied"));
    assert_true(header_find(all, S("References"), &value));
    assert_slice(value, S("<m@north.test>"));
    assert_true(header_find(all, S("To"), &value));
    assert_slice(value, S("one@north.test"));

    mime_content(&a, &m, 1, &c);
    slice text = mime_text(&a, &m, 1, &c, &(uint32_t){0});
    assert_true(slice_search(text, S("could not be delivered")) > 0);
    assert_true(slice_search(text, S("邮件未能送达")) > 0);
    assert_true(slice_search(text, S("address does not exist")) > 0);
    assert_true(slice_search(text, S("550 5.1.1 No such user")) > 0);
    assert_true(slice_search(text, S("书信")) > 0);

    assert_slice(type_of(&a, &m, 2), S("message/delivery-status"));
    assert_slice(mime_body(&m, 2), S("Reporting-MTA: dns; mx.north.test\r\n"
                                     "Original-Envelope-Id: E1\r\n"
                                     "X-Queue-Id: 0abc\r\n"
                                     "Arrival-Date: Mon, 23 Nov 2026 20:24:01 +0000\r\n"
                                     "\r\n"
                                     "Original-Recipient: rfc822; two@south.test\r\n"
                                     "Final-Recipient: rfc822; Two@south.test\r\n"
                                     "Action: failed\r\n"
                                     "Status: 5.1.1\r\n"
                                     "Remote-MTA: dns; mx.south.test\r\n"
                                     "Diagnostic-Code: smtp; 550 5.1.1 No such user\r\n"
                                     "Last-Attempt-Date: Mon, 23 Nov 2026 20:25:00 +0000\r\n"));
    assert_slice(type_of(&a, &m, 3), S("text/rfc822-headers"));
    assert_slice(mime_body(&m, 3), S("From: one@north.test\r\nSubject: x\r\n"));
    assert_true(slice_is_ascii(all));
    arena_end(&a);
}

/* Will-Retry-Until only for delayed ones; no Diagnostic-Code unless a remote spoke. */
static void test_delay(void **state)
{
    static const struct dsn_recipient r = {.address = {"two@south.test", 14},
                                           .action = DSN_DELAYED,
                                           .reason = {"connection refused", 18}};
    struct arena a = {0};
    struct dsn d = sample(&r, 1);
    struct mime m;
    (void)state;
    print(&a, &d, &m);
    slice body = mime_body(&m, 2);
    assert_true(
        slice_search(body, S("\r\nAction: delayed\r\nStatus: 4.0.0\r\nWill-Retry-Until: ")) > 0);
    assert_int_equal(slice_search(body, S("Diagnostic-Code")), -1);
    assert_int_equal(slice_search(body, S("Remote-MTA")), -1);
    arena_end(&a);
}

/* RET=FULL returns every byte; an 8-bit original needs 8BITMIME. */
static void test_full(void **state)
{
    static const struct dsn_recipient r = {.address = {"two@south.test", 14}};
    struct arena a = {0};
    struct dsn d = sample(&r, 1);
    struct mime m;
    slice error;
    (void)state;
    d.full = true;
    print(&a, &d, &m);
    assert_slice(type_of(&a, &m, 3), S("message/rfc822"));
    assert_slice(mime_body(&m, 3), slice_c(original));
    assert_false(compose_eight_bit(dsn_open(&a, &d, &error)));
    d.original.bytes = S("Subject: x\r\n\r\ncaf\xe9\r\n");
    print(&a, &d, &m);
    assert_slice(mime_body(&m, 3), d.original.bytes);
    assert_true(compose_eight_bit(dsn_open(&a, &d, &error)));
    d.original.bytes = S("Subject: x\r\nX: a\rb\r\n\r\n\0");
    print(&a, &d, &m);
    assert_slice(type_of(&a, &m, 3), S("text/rfc822-headers"));
    assert_slice(mime_body(&m, 3), S("Subject: x\r\nX: a b\r\n"));
    arena_end(&a);
}

/* RFC 6533: an internationalised address makes it message/global-delivery-status, type utf-8. */
static void test_global(void **state)
{
    static const struct dsn_recipient r = {.address = {"m\xc3\xbcller@south.test", 15}};
    struct arena a = {0};
    struct dsn d = sample(&r, 1);
    struct mime m;
    (void)state;
    print(&a, &d, &m);
    assert_slice(type_of(&a, &m, 2), S("message/global-delivery-status"));
    assert_true(slice_search(mime_body(&m, 2), S("Final-Recipient: utf-8; m\xc3\xbcller@south.t")) >
                0);
    arena_end(&a);
}

/* Nothing a stranger chose can add a field or a part. */
static void test_hostile(void **state)
{
    static const struct dsn_recipient r = {.address = {"two@south.test", 14},
                                           .remote_mta = {"a\r\nAction: delivered", 20},
                                           .reply = {"550 x\r\n\r\nAction: delivered\r\n--b", 30},
                                           .status = {"5.1.1\r\nX: y", 11},
                                           .orcpt = {"a\nb;c\r\nd", 8}};
    struct arena a = {0};
    struct dsn d = sample(&r, 1);
    struct mime m;
    (void)state;
    d.envid = S("a\r\nX: b");
    d.subject = S("a\r\nBcc: c@d");
    d.message_id = S("a> b\r\nBcc: <c");
    slice all = print(&a, &d, &m), value;
    assert_int_equal(m.count, 4);
    assert_false(header_find(all, S("Bcc"), &value));
    assert_int_equal(header_count(mime_body(&m, 2), S("X")), 0);
    assert_int_equal(slice_search(mime_body(&m, 2), S("\nAction: delivered")), -1);
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failure), cmocka_unit_test(test_delay),   cmocka_unit_test(test_full),
        cmocka_unit_test(test_global),  cmocka_unit_test(test_hostile),
    };
    return TEST_RUN(tests);
}
