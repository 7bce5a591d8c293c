/* Trace fields: rule S28 (RFC 5321 4.4, RFC 3848). */
#include "message/trace.h"

#include "base/test.h"

static void test_received(void **state)
{
    static const struct {
        const char *name;
        struct received_stamp in;
        const char *want;
    } rows[] = {
        {"submission over TLS",
         {.helo = {"laptop.north.test", 17},
          .rdns = {"host1.north.test", 16},
          .ip = {"192.0.2.1", 9},
          .by = {"mx.north.test", 13},
          .protocol = {"ESMTPSA", 7},
          .tls = {"TLSv1.3 TLS_AES_256_GCM_SHA384", 30},
          .id = {"0abcdefghjkmn", 13},
          .rcpt = {"two@south.test", 14},
          .date_ms = 1795465441000,
          .zone_minutes = 480},
         "Received: from laptop.north.test (host1.north.test [192.0.2.1])\r\n"
         "\tby mx.north.test with ESMTPSA (TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n"
         "\tid 0abcdefghjkmn for <two@south.test>;\r\n"
         "\tTue, 24 Nov 2026 04:24:01 +0800\r\n"},
        {"IPv6, several recipients, no name",
         {.ip = {"2001:db8::1", 11}, .by = {"b", 1}, .protocol = {"ESMTP", 5}, .id = {"x", 1}},
         "Received: from unknown ([IPv6:2001:db8::1])\r\n\tby b with ESMTP\r\n\tid x;\r\n"
         "\tThu, 1 Jan 1970 00:00:00 +0000\r\n"},
        {"made here",
         {.by = {"b", 1}, .id = {"x", 1}},
         "Received: by b\r\n\tid x;\r\n\tThu, 1 Jan 1970 00:00:00 +0000\r\n"},
        {"hostile names",
         {.helo = {"a) by evil; (\r\nX: y\xff", 20},
          .ip = {"192.0.2.1", 9},
          .by = {"b", 1},
          .id = {"x", 1},
          .rcpt = {"a\r\nb@c", 6}},
         "Received: from a??by?evil?????X:?y? ([192.0.2.1])\r\n\tby b\r\n\tid x for <a??b@c>;\r\n"
         "\tThu, 1 Jan 1970 00:00:00 +0000\r\n"},
    };
    struct arena a = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_slice(received_print(&a, &rows[i].in), slice_c(rows[i].want));
    arena_end(&a);
}

static void test_paths(void **state)
{
    struct arena a = {0};
    (void)state;
    assert_slice(return_path_print(&a, S("one@north.test")),
                 S("Return-Path: <one@north.test>\r\n"));
    assert_slice(return_path_print(&a, S("")), S("Return-Path: <>\r\n"));
    assert_slice(delivered_to_print(&a, S("one@north.test")),
                 S("Delivered-To: one@north.test\r\n"));
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_received),
        cmocka_unit_test(test_paths),
    };
    return TEST_RUN(tests);
}
