/*
 * The client's name in the envelope (RFC 5321 4.4), against a real name server (nsd on a free
 * loopback port; skipped when it is not installed).
 */
#include "smtp/server.h"

#include "base/test.h"
#include "base/clock.h"
#include "net/dns.h"
#include "net/harness.h"
#include "net/name_server.h"
#include "smtp/fake_host.h"
#include "base/banned.h"

static const char zone_north[] = "mail A 192.0.2.1\nhome A 127.0.0.9\n";
static const char zone_reverse[] = "1 PTR mail.north.test.\n2 PTR mail.north.test.\n";
static const char zone_loopback[] = "9.0.0 PTR home.north.test.\n";

static int begin(void **state)
{
    static const struct name_server_zone zones[] = {{"north.test", zone_north},
                                                    {"2.0.192.in-addr.arpa", zone_reverse},
                                                    {"127.in-addr.arpa", zone_loopback}};
    *state = name_server_start(zones, 3);
    return 0;
}

static int finish(void **state)
{
    name_server_stop(*state);
    return 0;
}

#define MAIL "MAIL FROM:<a@south.test>\r\nRCPT TO:<one@north.test>\r\n"
#define BODY "DATA\r\nSubject: x\r\n\r\nhi\r\n.\r\n"

struct stage {
    struct fake_host host;
    struct harness h;
};

static void connect_from(struct stage *st, const char *ip, enum smtp_reverse reverse)
{
    *st = (struct stage){0};
    fake_host_start(&st->host, SMTP_TRANSFER);
    st->host.options.reverse = reverse;
    struct session *s = smtp_server_new(&st->host.options);
    snprintf(s->peer.ip, sizeof(s->peer.ip), "%s", ip);
    harness_start(&st->h, s);
    harness_feed(&st->h, S("EHLO client.test\r\n"));
    harness_said(&st->h);
}

static void leave(struct stage *st)
{
    harness_end(&st->h);
    fake_host_end(&st->host);
}

static void test_names(void **state)
{
    if (!*state)
        skip();
    static const struct {
        const char *ip;
        enum smtp_reverse reverse;
        const char *want;
    } rows[] = {
        {"192.0.2.1", SMTP_REVERSE_AUTO, "mail.north.test"},
        {"192.0.2.1", SMTP_REVERSE_NO, ""},
        {"192.0.2.2", SMTP_REVERSE_AUTO, "unknown"},    /* another's name */
        {"192.0.2.3", SMTP_REVERSE_AUTO, "unknown"},    /* no name */
        {"198.51.100.1", SMTP_REVERSE_AUTO, "unknown"}, /* the server refuses */
        {"127.0.0.9", SMTP_REVERSE_AUTO, ""},
        {"127.0.0.9", SMTP_REVERSE_ALL, "home.north.test"},
        {"::1", SMTP_REVERSE_AUTO, ""},
    };
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        void (*feed)(struct harness *, slice) = i % 2 ? harness_drip : harness_feed;
        struct stage st;
        connect_from(&st, rows[i / 2].ip, rows[i / 2].reverse);
        for (unsigned mails = 1; mails <= 2; mails++) {
            feed(&st.h, S(MAIL BODY));
            slice said = harness_said(&st.h);
            assert_true(slice_starts(said, S("250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n"
                                             "354 Send the message;")));
            assert_int_equal(st.host.accepted, mails);
            assert_slice(st.host.envelope.peer_name, slice_c(rows[i / 2].want));
        }
        leave(&st);
    }
}

/* Nobody is asked about who names no recipient, or logged in; and a full pool costs no mail. */
static void test_not_asked(void **state)
{
    if (!*state)
        skip();
    struct stage st;
    connect_from(&st, "192.0.2.1", SMTP_REVERSE_AUTO);
    st.h.pools_full = true;
    harness_feed(&st.h, S(MAIL BODY));
    assert_int_equal(st.host.accepted, 1);
    assert_slice(st.host.envelope.peer_name, S("unknown"));
    leave(&st);

    connect_from(&st, "192.0.2.1", SMTP_REVERSE_AUTO);
    st.h.pools_full = true; /* would be remembered as "unknown" */
    harness_feed(&st.h, S("MAIL FROM:<a@south.test>\r\nDATA\r\n"));
    st.h.pools_full = false;
    harness_feed(&st.h, S("RCPT TO:<one@north.test>\r\n" BODY));
    assert_slice(st.host.envelope.peer_name, S("mail.north.test"));
    leave(&st);

    connect_from(&st, "192.0.2.1", SMTP_REVERSE_ALL);
    st.host.options.service = SMTP_SUBMISSION;
    st.host.options.password_without_tls = true;
    harness_feed(&st.h, S("AUTH PLAIN AG9uZUBub3J0aC50ZXN0AHNlY3JldA==\r\n"
                          "MAIL FROM:<one@north.test>\r\nRCPT TO:<two@north.test>\r\n" BODY));
    assert_int_equal(st.host.accepted, 1);
    assert_slice(st.host.envelope.peer_name, S(""));
    leave(&st);
}

/* A dead server: the mail is taken in time, and the next one does not wait. */
static void test_no_answer(void **state)
{
    if (!*state)
        skip();
    name_server_kill(*state);
    for (unsigned i = 0; i < 2; i++) {
        struct stage st;
        connect_from(&st, "192.0.2.77", SMTP_REVERSE_AUTO);
        int64_t start = clock_mono_ms();
        harness_feed(&st.h, S(MAIL BODY));
        assert_true(clock_mono_ms() - start < (i ? 500 : 2 * LIMIT_RDNS_MS));
        assert_int_equal(st.host.accepted, 1);
        assert_slice(st.host.envelope.peer_name, S("unknown"));
        leave(&st);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_not_asked),
        cmocka_unit_test(test_no_answer),
    };
    return cmocka_run_group_tests(tests, begin, finish);
}
