/*
 * Questions against a real name server (nsd on a free loopback port); skipped when it is not
 * installed.  Plus the pure parts.
 */
#include "net/dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/test.h"

#include "base/buf.h"
#include "base/clock.h"
#include "net/dns_decode.h"
#include "net/name_server.h"
#include "net/rdns.h"

static const char zone_head[] = "@ MX 20 Backup.north.test.\n"
                                "@ MX 10 mail\n"
                                "mail A 192.0.2.1\n"
                                "mail A 192.0.2.2\n"
                                "mail AAAA 2001:db8::1\n"
                                "backup A 192.0.2.3\n"
                                "alias CNAME alias2\n"
                                "alias2 CNAME mail\n"
                                "away CNAME mail.south.test.\n"
                                "dangling CNAME nowhere\n"
                                "loop1 CNAME loop2\n"
                                "loop2 CNAME loop1\n"
                                "null MX 0 .\n"
                                "text TXT \"v=spf1 \" \"-all\"\n"
                                "two TXT \"one\"\n"
                                "two TXT \"two\"\n"
                                "_25._tcp.mail TYPE52 \\# 3 030101\n"
                                "short 0 A 192.0.2.9\n";
static const char zone_south[] = "mail A 198.51.100.7\n";
static const char zone_reverse[] = "1 PTR Mail.North.test.\n"   /* leads back */
                                   "2 PTR nobody.north.test.\n" /* no such name */
                                   "2 PTR alias.north.test.\n"  /* leads back, by a CNAME */
                                   "3 PTR mail.north.test.\n"   /* leads elsewhere */
                                   "4 PTR text.north.test.\n"   /* has no address */
                                   "5 PTR away\\)\\040.north.test.\n"
                                   "6 PTR elsewhere.example.\n" /* cannot be asked */
                                   "7 PTR a1.north.test.\n"
                                   "7 PTR a2.north.test.\n"
                                   "7 PTR a3.north.test.\n"
                                   "7 PTR a4.north.test.\n"
                                   "7 PTR a5.north.test.\n"
                                   "8 PTR short.north.test.\n";
static const char zone_reverse6[] =
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 PTR mail.north.test.\n";

static int begin(void **state)
{
    static char large[8192]; /* 120 addresses of one name: more than fits into a UDP answer */
    size_t n = (size_t)snprintf(large, sizeof(large), "%s", zone_head);
    for (int i = 0; i < 120; i++)
        n += (size_t)snprintf(large + n, sizeof(large) - n, "large AAAA 2001:db8::%x\n", i + 1);
    const struct name_server_zone zones[] = {{"north.test", large},
                                             {"south.test", zone_south},
                                             {"2.0.192.in-addr.arpa", zone_reverse},
                                             {"8.b.d.0.1.0.0.2.ip6.arpa", zone_reverse6}};
    *state = name_server_start(zones, 4);
    return 0;
}

static int finish(void **state)
{
    name_server_stop(*state);
    return 0;
}

static void need_server(void **state)
{
    if (!*state)
        skip();
}

static void print_record(enum dns_type type, const struct dns_record *r, struct buf *out)
{
    char ip[46];
    if (type == DNS_A || type == DNS_AAAA) {
        inet_ntop(type == DNS_A ? AF_INET : AF_INET6, r->data.p, ip, sizeof(ip));
        buf_printf(out, "%s", ip);
    } else if (type == DNS_MX) {
        buf_printf(out, "%u %.*s", r->preference, P(r->data));
    } else if (type == DNS_TLSA) {
        for (size_t i = 0; i < r->data.n; i++)
            buf_printf(out, "%02x", (unsigned char)r->data.p[i]);
    } else {
        buf_printf(out, "%.*s", P(r->data));
    }
    buf_add_byte(out, ' ');
}

static int by_text(const void *a, const void *b)
{
    return slice_cmp(((const struct dns_record *)a)->data, ((const struct dns_record *)b)->data);
}

static void test_answers(void **state)
{
    need_server(state);
    static const struct {
        const char *name;
        enum dns_type type;
        enum dns_status status;
        const char *want, *canonical;
    } rows[] = {
        {"north.test", DNS_MX, DNS_OK, "20 backup.north.test 10 mail.north.test ", "north.test"},
        {"NORTH.Test.", DNS_MX, DNS_OK, "20 backup.north.test 10 mail.north.test ", "north.test"},
        {"mail.north.test", DNS_A, DNS_OK, "192.0.2.1 192.0.2.2 ", "mail.north.test"},
        {"mail.north.test", DNS_AAAA, DNS_OK, "2001:db8::1 ", "mail.north.test"},
        {"alias.north.test", DNS_A, DNS_OK, "192.0.2.1 192.0.2.2 ", "mail.north.test"},
        {"alias.north.test", DNS_CNAME, DNS_OK, "alias2.north.test ", "alias.north.test"},
        {"away.north.test", DNS_A, DNS_OK, "198.51.100.7 ", "mail.south.test"},
        {"away.north.test", DNS_MX, DNS_NODATA, "", "mail.south.test"},
        {"dangling.north.test", DNS_A, DNS_NXDOMAIN, "", "nowhere.north.test"},
        {"loop1.north.test", DNS_A, DNS_TEMPFAIL, "", NULL},
        {"null.north.test", DNS_MX, DNS_OK, "0 . ", "null.north.test"},
        {"text.north.test", DNS_TXT, DNS_OK, "v=spf1 -all ", "text.north.test"},
        {"two.north.test", DNS_TXT, DNS_OK, "one two ", "two.north.test"},
        {"1.2.0.192.in-addr.arpa", DNS_PTR, DNS_OK, "mail.north.test ", NULL},
        {"_25._tcp.mail.north.test", DNS_TLSA, DNS_OK, "030101 ", NULL},
        {"nothing.north.test", DNS_A, DNS_NXDOMAIN, "", NULL},
        {"text.north.test", DNS_A, DNS_NODATA, "", NULL},
        {"elsewhere.example", DNS_A, DNS_TEMPFAIL, "", NULL}, /* nsd refuses what it has not */
        {"a..b", DNS_A, DNS_NXDOMAIN, "", NULL},
        {"with space.test", DNS_A, DNS_NXDOMAIN, "", NULL},
    };
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        size_t k = i / 2; /* each twice: asked, and from the cache */
        struct arena a = {0};
        struct buf text = {.max = 10000};
        struct dns_answer answer;
        dns_query(&a, slice_c(rows[k].name), rows[k].type, clock_mono_ms() + 5000, &answer);
        if (answer.status != rows[k].status)
            fail_msg("%s %d: status %d", rows[k].name, rows[k].type, answer.status);
        if (rows[k].status == DNS_OK)
            qsort(answer.records, answer.count, sizeof(*answer.records), by_text);
        for (size_t r = 0; r < answer.count; r++)
            print_record(rows[k].type, &answer.records[r], &text);
        assert_slice(buf_slice(&text), slice_c(rows[k].want));
        if (rows[k].canonical)
            assert_slice(answer.canonical, slice_c(rows[k].canonical));
        if (answer.status == DNS_OK)
            assert_in_range(answer.ttl_s, 1, 60);
        buf_end(&text);
        arena_end(&a);
    }
}

/* More than fits: TC, then TCP (RFC 7766 section 5). */
static void test_truncated(void **state)
{
    need_server(state);
    struct arena a = {0};
    struct dns_answer answer;
    dns_query(&a, S("large.north.test"), DNS_AAAA, clock_mono_ms() + 5000, &answer);
    assert_int_equal(answer.status, DNS_OK);
    assert_int_equal(answer.count, 120);
    arena_end(&a);
}

/* The name of an address counts only when it leads back (RFC 8601 2.7.3). */
static void test_confirmed_names(void **state)
{
    need_server(state);
    static const struct {
        const char *ip, *want;
    } rows[] = {
        {"192.0.2.1", "mail.north.test"},
        {"192.0.2.2", "alias.north.test"}, /* the second of its names */
        {"192.0.2.3", ""},                 /* somebody else's name */
        {"192.0.2.4", ""},                 /* a name without address */
        {"192.0.2.5", ""},                 /* not a host name */
        {"192.0.2.6", ""},                 /* confirmation fails */
        {"192.0.2.7", ""},                 /* too many names */
        {"192.0.2.8", ""},                 /* an address, but not this one */
        {"192.0.2.99", ""},                /* no name */
        {"198.51.100.1", ""},              /* refused */
        {"2001:db8::1", "mail.north.test"},
        {"2001:db8::2", ""},
        {"north.test", ""},
        {"", ""},
    };
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a = {0};
        slice name = rdns_name(&a, slice_c(rows[i / 2].ip), clock_mono_ms() + 5000);
        if (!slice_eq(name, slice_c(rows[i / 2].want)))
            fail_msg("%s: \"%.*s\"", rows[i / 2].ip, P(name));
        arena_end(&a);
    }
}

/* After the server is gone: what is cached still answers, the rest fails in time. */
static void test_no_server(void **state)
{
    need_server(state);
    struct arena a = {0};
    struct dns_answer answer;
    dns_query(&a, S("mail.north.test"), DNS_A, clock_mono_ms() + 5000, &answer);
    name_server_kill(*state);
    dns_query(&a, S("mail.north.test"), DNS_A, clock_mono_ms() + 5000, &answer);
    assert_int_equal(answer.status, DNS_OK);
    int64_t start = clock_mono_ms();
    dns_query(&a, S("other.north.test"), DNS_A, start + 5000, &answer);
    assert_int_equal(answer.status, DNS_TEMPFAIL);
    assert_true(clock_mono_ms() - start < 6500);
    arena_end(&a);
}

/* A server that never answers: the deadline holds. */
static void test_silent_server(void **state)
{
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t n = sizeof(at);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    getsockname(fd, (struct sockaddr *)&at, &n);
    dns_configure(&(struct dns_options){.server = "127.0.0.1", .port = ntohs(at.sin_port)});
    struct arena a = {0};
    struct dns_answer answer;
    int64_t start = clock_mono_ms();
    dns_query(&a, S("mail.north.test"), DNS_A, start + 1000, &answer);
    assert_int_equal(answer.status, DNS_TEMPFAIL);
    assert_in_range(clock_mono_ms() - start, 500, 3000);

    /* A name that does not come in time: none; and the next who asks does not wait (RFC 9520). */
    start = clock_mono_ms();
    assert_slice(rdns_name(&a, S("192.0.2.1"), start + 1000), S(""));
    assert_in_range(clock_mono_ms() - start, 500, 3000);
    start = clock_mono_ms();
    assert_slice(rdns_name(&a, S("192.0.2.1"), start + 5000), S(""));
    assert_true(clock_mono_ms() - start < 400);
    assert_slice(rdns_name(&a, S("192.0.2.2"), clock_mono_ms() - 1), S("")); /* too late already */
    close(fd);
    arena_end(&a);
}

static void test_reverse_name(void **state)
{
    (void)state;
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"192.0.2.1", "1.2.0.192.in-addr.arpa"},
        {"2001:db8::1", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"},
        {"north.test", ""},
        {"", ""},
    };
    struct arena a = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_slice(dns_reverse_name(&a, slice_c(rows[i].in)), slice_c(rows[i].want));
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),         cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_confirmed_names), cmocka_unit_test(test_no_server),
        cmocka_unit_test(test_silent_server),   cmocka_unit_test(test_reverse_name),
    };
    return cmocka_run_group_tests(tests, begin, finish);
}
