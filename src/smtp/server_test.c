/*
 * The server session against a fake host: the transcripts of tests/transcripts/smtp, each whole,
 * byte by byte and cut at every byte; and what a transcript cannot say.  The first line of a
 * transcript chooses the service: "# transfer" or "# submission", then maybe "tls", "password"
 * (passwords without TLS), "no-tls" (STARTTLS not available), "no-disk".
 */
#include "smtp/server.h"

#include <dirent.h>

#include "base/file.h"
#include "base/test.h"
#include "net/transcript.h"
#include "smtp/command.h"
#include "smtp/fake_host.h"
#include "base/banned.h"

struct stage {
    struct fake_host host;
    slice words;
};

static bool has_word(slice words, slice word)
{
    slice w;
    while (slice_next(&words, ' ', &w))
        if (slice_eq(w, word))
            return true;
    return false;
}

static struct session *make(void *ctx)
{
    struct stage *st = ctx;
    fake_host_start(&st->host,
                    has_word(st->words, S("submission")) ? SMTP_SUBMISSION : SMTP_TRANSFER);
    st->host.options.password_without_tls = has_word(st->words, S("password"));
    st->host.options.tls_available = !has_word(st->words, S("no-tls"));
    if (has_word(st->words, S("no-disk")))
        st->host.disk = 0;
    struct session *s = smtp_server_new(&st->host.options);
    s->peer.tls = has_word(st->words, S("tls"));
    return s;
}

static void done(void *ctx)
{
    struct stage *st = ctx;
    fake_host_end(&st->host);
}

static bool run_file(const char *path)
{
    struct arena a = {0};
    struct stage st = {0};
    struct buf error = {.max = 8192};
    slice text, first;
    if (file_read(&a, path, 1 << 20, &text) < 0)
        fail_msg("cannot read %s", path);
    first = text;
    slice_next(&(slice){text.p, text.n}, '\n', &first);
    st.words = first;
    struct transcript t = {.make = make, .done = done, .ctx = &st, .cuts_max = 300};
    bool ok = transcript_run(&t, text, &error);
    if (!ok)
        print_error("%s: %.*s\n", path, P(buf_slice(&error)));
    buf_end(&error);
    arena_end(&a);
    return ok;
}

static void test_transcripts(void **state)
{
    (void)state;
    static const char dir_name[] = "tests/transcripts/smtp";
    DIR *dir = opendir(dir_name);
    assert_non_null(dir);
    unsigned run = 0, failed = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        char path[512];
        snprintf(path, sizeof(path), "%s/%s", dir_name, e->d_name);
        if (!slice_ends(slice_c(path), S(".txt")))
            continue;
        run++;
        failed += !run_file(path);
    }
    closedir(dir);
    assert_true(run > 0);
    assert_int_equal(failed, 0);
}

static const char MAIL_ONE[] = "EHLO client.test\r\nMAIL FROM:<a@south.test>\r\n"
                               "RCPT TO:<one@north.test>\r\nDATA\r\n";

static void start(struct harness *h, struct fake_host *f, enum smtp_service service)
{
    fake_host_start(f, service);
    harness_start(h, smtp_server_new(&f->options));
    harness_said(h);
}

static void stop(struct harness *h, struct fake_host *f)
{
    harness_end(h);
    fake_host_end(f);
}

/*
 * S3: none of these ends DATA; the message is swallowed to CRLF.CRLF, refused, and the door shut.
 * What follows each stands for commands smuggled behind it.
 */
static void test_smuggling(void **state)
{
    (void)state;
    static const char *const ends[] = {
        "\n.\n",     "\n.\r\n",   "\r.\r",       "\r\n.\n",   "\r\n.\r",
        "\r.\r\n",   "\r\n.\r\r", "\r\r\n.\n\r", "\n.\r\r\n", "\r\n.\r\r\n",
        "\r\n.\n\n", "\r.\n",     "\r\n\r.\r\n", "\n\n.\r\n",
    };
    for (size_t i = 0; i < 2 * sizeof(ends) / sizeof(ends[0]); i++) {
        void (*feed)(struct harness *, slice) = i % 2 ? harness_drip : harness_feed;
        struct harness h = {0};
        struct fake_host f;
        start(&h, &f, SMTP_TRANSFER);
        harness_feed(&h, slice_c(MAIL_ONE));
        harness_said(&h);
        feed(&h, S("Subject: x\r\n\r\nbody"));
        feed(&h, slice_c(ends[i / 2]));
        feed(&h, S("MAIL FROM:<evil@south.test>\r\n"));
        assert_slice(harness_said(&h), S(""));
        feed(&h, S("\r\n.\r\nNOOP\r\n"));
        slice said = harness_said(&h);
        if (!slice_starts(said, S("550 5.6.0 ")) || slice_search(said, S("250")) >= 0)
            fail_msg("vector %zu: %.*s", i / 2, P(said));
        assert_true(h.closed);
        assert_int_equal(f.accepted, 0);
        stop(&h, &f);
    }
}

/* RFC 5321 4.5.2, S5: what the client stuffed comes out; the envelope is what was said. */
static void test_message(void **state)
{
    (void)state;
    struct harness h = {0};
    struct fake_host f;
    start(&h, &f, SMTP_TRANSFER);
    harness_feed(&h, S("EHLO Client.test\r\nMAIL FROM:<A@SOUTH.test> BODY=8BITMIME SIZE=9\r\n"
                       "RCPT TO:<One@North.test>\r\nRCPT TO:<@a.test:two@north.test>\r\n"
                       "RCPT TO:<two@north.test>\r\nRCPT TO:<Postmaster>\r\nDATA\r\n"));
    harness_feed(&h, S("..\r\n...x\r\n.a\r\n\r\n\xff\0b\r\n.\r\nQUIT\r\n"));
    assert_slice(buf_slice(&f.last), S(".\r\n..x\r\na\r\n\r\n\xff\0b\r\n"));
    assert_slice(f.envelope.sender, S("A@south.test"));
    assert_int_equal(f.envelope.recipient_count, 3);
    assert_slice(f.envelope.recipients[0].address, S("One@north.test"));
    assert_slice(f.envelope.recipients[1].address, S("two@north.test"));
    assert_slice(f.envelope.recipients[2].address, S("postmaster@north.test"));
    assert_true(f.envelope.eight_bit);
    assert_false(f.envelope.submission);
    assert_slice(f.envelope.helo, S("Client.test"));
    assert_slice(f.envelope.protocol, S("ESMTP"));
    assert_true(h.closed);
    stop(&h, &f);
}

/* RFC 6152: what needs 8BITMIME on the way is known whether the client said it or not. */
static void test_eight_bit(void **state)
{
    static const struct {
        const char *param, *text;
        bool want;
    } rows[] = {{"", "a\r\n", false},
                {"", "a\xe9\r\n", true},
                {" BODY=7BIT", "\xc3\xa9\r\n", true},
                {" BODY=8BITMIME", "a\r\n", true}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct harness h = {0};
        struct fake_host f;
        char text[256];
        start(&h, &f, SMTP_TRANSFER);
        snprintf(text, sizeof(text),
                 "EHLO x\r\nMAIL FROM:<>%s\r\nRCPT TO:<one@north.test>\r\nDATA\r\n%s.\r\n",
                 rows[i].param, rows[i].text);
        harness_drip(&h, slice_c(text));
        assert_int_equal(f.accepted, 1);
        assert_int_equal(f.envelope.eight_bit, rows[i].want);
        stop(&h, &f);
    }
}

/* RFC 3848, RFC 4865: the facts of a submission. */
static void test_submission_envelope(void **state)
{
    (void)state;
    struct harness h = {0};
    struct fake_host f;
    start(&h, &f, SMTP_SUBMISSION);
    harness_feed(&h, S("EHLO x\r\nSTARTTLS\r\n"));
    harness_feed(&h, S("EHLO x\r\nAUTH PLAIN AG9uZUBub3J0aC50ZXN0AHNlY3JldA==\r\n"
                       "MAIL FROM:<one@north.test> HOLDFOR=60\r\nRCPT TO:<x@far.test>\r\nDATA\r\n"
                       "a\r\n.\r\n"));
    assert_int_equal(f.accepted, 1);
    assert_slice(f.envelope.protocol, S("ESMTPSA"));
    assert_slice(f.envelope.login, S("one@north.test"));
    assert_slice(f.envelope.tls, S("TLSv1.3 TLS_AES_256_GCM_SHA384"));
    assert_true(f.envelope.submission);
    assert_true(f.envelope.hold_until_ms > 0);
    stop(&h, &f);
}

/* S2: at least 100, and 452 beyond LIMIT_RECIPIENTS; the accepted ones stay. */
static void test_many_recipients(void **state)
{
    (void)state;
    struct harness h = {0};
    struct fake_host f;
    start(&h, &f, SMTP_TRANSFER);
    harness_feed(&h, S("EHLO x\r\nMAIL FROM:<>\r\n"));
    harness_said(&h);
    for (int i = 0; i <= LIMIT_RECIPIENTS; i++) {
        char line[64];
        snprintf(line, sizeof(line), "RCPT TO:<user%d@north.test>\r\n", i);
        harness_feed(&h, slice_c(line));
        slice said = harness_said(&h);
        assert_true(slice_starts(said, i < LIMIT_RECIPIENTS ? S("250 2.1.5 ") : S("452 4.5.3 ")));
    }
    harness_feed(&h, S("DATA\r\nx\r\n.\r\n"));
    assert_int_equal(f.envelope.recipient_count, LIMIT_RECIPIENTS);
    stop(&h, &f);
}

/* S14: a thousand commands in one write; the replies come in order, and memory stays bounded. */
static void test_slow_reader(void **state)
{
    (void)state;
    struct harness h = {.slow_reader = true};
    struct fake_host f;
    fake_host_start(&f, SMTP_TRANSFER);
    harness_start(&h, smtp_server_new(&f.options));
    for (int i = 0; i < 5000; i++)
        harness_feed(&h, S("HELP\r\n"));
    size_t lines = 0;
    for (slice said; (said = harness_said(&h)).n;) {
        assert_true(h.session->out.size <= 2 * LIMIT_OUT);
        for (size_t i = 0; i + 4 < said.n; i++)
            lines += memcmp(said.p + i, "\n214 ", 5) == 0;
    }
    assert_int_equal(lines, 5000);
    stop(&h, &f);
}

static void test_commands_limit(void **state)
{
    (void)state;
    struct harness h = {0};
    struct fake_host f;
    start(&h, &f, SMTP_TRANSFER);
    for (int i = 0; i < LIMIT_COMMANDS; i++)
        harness_feed(&h, S("NOOP\r\n"));
    assert_false(h.closed);
    harness_said(&h);
    harness_feed(&h, S("NOOP\r\n"));
    assert_true(slice_starts(harness_said(&h), S("421 4.7.0 ")));
    assert_true(h.closed);
    stop(&h, &f);
}

/* Address harvesting: after LIMIT_REFUSED_RECIPIENTS without an accepted message, 421. */
static void test_refusals_limit(void **state)
{
    (void)state;
    struct harness h = {0};
    struct fake_host f;
    start(&h, &f, SMTP_TRANSFER);
    harness_feed(&h, S("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<nobody@north.test>\r\n"));
    harness_feed(&h, S("RCPT TO:<one@north.test>\r\nDATA\r\n.\r\nMAIL FROM:<>\r\n"));
    for (int i = 0; i < LIMIT_REFUSED_RECIPIENTS; i++)
        harness_feed(&h, S("RCPT TO:<nobody@north.test>\r\n"));
    assert_false(h.closed);
    harness_said(&h);
    harness_feed(&h, S("RCPT TO:<one@north.test>\r\n"));
    assert_true(slice_starts(harness_said(&h), S("421 4.7.0 ")));
    assert_true(h.closed);
    stop(&h, &f);
}

/* Too many connections: 421 in place of the greeting (net/session.h: expire before start). */
static void test_refused_at_once(void **state)
{
    (void)state;
    struct fake_host f;
    fake_host_start(&f, SMTP_TRANSFER);
    struct session *s = smtp_server_new(&f.options);
    s->class->expire(s, END_LIMIT);
    assert_slice(buf_slice(&s->out), S("421 4.3.2 Too busy; try again later\r\n"));
    assert_int_equal(s->want, SESSION_CLOSE);
    s->class->end(s);
    fake_host_end(&f);
}

/* A full pool of hashing threads is a temporary failure, and the session goes on. */
static void test_pool_full(void **state)
{
    (void)state;
    struct harness h = {.pools_full = true};
    struct fake_host f;
    fake_host_start(&f, SMTP_SUBMISSION);
    f.options.password_without_tls = true;
    harness_start(&h, smtp_server_new(&f.options));
    harness_feed(&h, S("EHLO x\r\n"));
    harness_said(&h);
    harness_feed(&h, S("AUTH PLAIN AG9uZUBub3J0aC50ZXN0AHNlY3JldA==\r\nNOOP\r\n"));
    assert_slice(harness_said(&h),
                 S("454 4.7.0 Too many logins at once; try again soon\r\n250 2.0.0 Ok\r\n"));
    stop(&h, &f);
}

/* S19: SIZE is never used to find the end; what is too large is read to its end, then refused. */
static void test_too_large(void **state)
{
    (void)state;
    struct harness h = {0};
    struct fake_host f;
    start(&h, &f, SMTP_TRANSFER);
    harness_feed(&h, slice_c(MAIL_ONE));
    harness_said(&h);
    char line[1002];
    memset(line, 'x', 1000);
    line[1000] = '\r', line[1001] = '\n';
    for (int i = 0; i < 200; i++)
        harness_feed(&h, (slice){line, sizeof(line)});
    assert_slice(harness_said(&h), S(""));
    harness_feed(&h, S(".\r\nNOOP\r\n"));
    assert_true(slice_starts(harness_said(&h), S("552 5.3.4 ")));
    assert_false(h.closed);
    harness_feed(&h, slice_c(MAIL_ONE)); /* 90,000 fit on the fake disk, 100,000 are allowed */
    harness_said(&h);
    for (int i = 0; i < 95; i++)
        harness_feed(&h, (slice){line, sizeof(line)});
    harness_feed(&h, S(".\r\n"));
    assert_true(slice_starts(harness_said(&h), S("452 4.3.1 ")));
    assert_int_equal(f.accepted, 0);
    stop(&h, &f);
}

static void test_idle_memory(void **state)
{
    (void)state;
    assert_true(sizeof(struct smtp_session) < 2048 - 64); /* with its arena's first block */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transcripts),
        cmocka_unit_test(test_smuggling),
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_eight_bit),
        cmocka_unit_test(test_submission_envelope),
        cmocka_unit_test(test_many_recipients),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_commands_limit),
        cmocka_unit_test(test_refusals_limit),
        cmocka_unit_test(test_refused_at_once),
        cmocka_unit_test(test_pool_full),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_idle_memory),
    };
    return TEST_RUN(tests);
}
