/*
 * The POP3 session over a real store: the transcripts of tests/transcripts/pop3, each whole, byte
 * by byte and cut at every byte; and what a transcript cannot say.  Lines at the head of a
 * transcript: # tls | password | no-tls   encrypted; passwords without TLS; STLS not available #
 * slow                      costs password hashes: cut at a few places only # message TEXT a
 * message of the maildrop; "|" stands for CRLF, \xNN for a byte # after N                   so many
 * messages are left at the end
 */
#include "pop3/server.h"

#include <dirent.h>

#include "base/clock.h"
#include "base/file.h"
#include "message/base64.h"
#include "net/transcript.h"
#include "pop3/fixture.h"
#include "smtp/scram_client.h"
#include "store/fault.h"
#include "base/banned.h"

static struct pop3_post post;

static int set_up(void **state)
{
    (void)state;
    pop3_post_open(&post);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pop3_post_close(&post);
    return 0;
}

/* ---- transcripts ---- */

struct stage {
    slice head;     /* the lines of # */
    int64_t fresh;  /* modseq of the maildrop as the head wants it; 0: not made yet */
    uint64_t after; /* 10,000: not said */
};

static slice message_text(struct arena *a, slice text)
{
    struct buf b = {.max = 1 << 16};
    unsigned char byte;
    while (text.n) {
        if (slice_eat(&text, S("|"))) {
            buf_add(&b, S("\r\n"));
        } else if (slice_starts(text, S("\\x")) && slice_unhex(slice_sub(text, 2, 4), &byte, 1)) {
            buf_add_byte(&b, (char)byte);
            text = slice_skip(text, 4);
        } else {
            buf_add_byte(&b, text.p[0]);
            text = slice_skip(text, 1);
        }
    }
    slice out = arena_dup(a, buf_slice(&b));
    buf_end(&b);
    return out;
}

static bool head_line(const struct stage *st, slice word, slice *rest, size_t *at)
{
    slice all = slice_skip(st->head, *at), line;
    while (slice_next(&all, '\n', &line)) {
        *at = (size_t)(all.p - st->head.p);
        if (slice_eat(&line, S("# ")) && slice_eat(&line, word)) {
            *rest = slice_trim(line);
            return true;
        }
    }
    return false;
}

static bool head_has(const struct stage *st, slice word)
{
    slice rest;
    size_t at = 0;
    return head_line(st, word, &rest, &at);
}

static void fill(struct stage *st)
{
    struct arena a = {0};
    slice text;
    pop3_post_empty(&post);
    for (size_t at = 0; head_line(st, S("message"), &text, &at);)
        pop3_post_append(&post, S(""), message_text(&a, text));
    st->fresh = pop3_post_info(&post).modseq;
    arena_end(&a);
}

static struct session *make(void *ctx)
{
    struct stage *st = ctx;
    if (pop3_post_info(&post).modseq != st->fresh)
        fill(st);
    post.options.tls_available = !head_has(st, S("no-tls"));
    post.options.password_without_tls = head_has(st, S("password"));
    struct session *s = pop3_server_new(&post.options);
    s->peer.tls = head_has(st, S("tls"));
    return s;
}

static void done(void *ctx)
{
    struct stage *st = ctx;
    if (st->after < 10000)
        assert_int_equal(pop3_post_info(&post).count, st->after);
}

/* The number behind a word of the head, or otherwise. */
static uint64_t head_number(const struct stage *st, slice word, uint64_t otherwise)
{
    slice rest;
    uint64_t n;
    size_t at = 0;
    return head_line(st, word, &rest, &at) && slice_u64(rest, 10000, &n) ? n : otherwise;
}

static bool run_file(const char *path)
{
    struct arena a = {0};
    struct stage st = {0};
    struct buf error = {.max = 8192};
    if (file_read(&a, path, 1 << 20, &st.head) < 0)
        fail_msg("cannot read %s", path);
    st.after = head_number(&st, S("after"), 10000);
    struct transcript t = {.make = make, .done = done, .ctx = &st};
    t.cuts_max = head_number(&st, S("cuts"), 300);
    bool ok = transcript_run(&t, st.head, &error);
    if (!ok)
        print_error("%s: %.*s\n", path, P(buf_slice(&error)));
    buf_end(&error);
    arena_end(&a);
    return ok;
}

static void test_transcripts(void **state)
{
    (void)state;
    static const char dir_name[] = "tests/transcripts/pop3";
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

/* ---- sessions by hand ---- */

static void start(struct harness *h)
{
    harness_start(h, pop3_server_new(&post.options));
    assert_slice(harness_said(h), S("+OK north.test Yizhan POP3 ready\r\n"));
}

static void log_in(struct harness *h)
{
    start(h);
    harness_feed(h, S(POP3_LOGIN));
    slice said = harness_said(h);
    if (slice_search(said, S("octets)\r\n")) < 0)
        fail_msg("login: %.*s", P(said));
}

/* Says a line; the answer must begin with want. */
static void ask(struct harness *h, const char *line, const char *want)
{
    harness_feed(h, slice_c(line));
    harness_feed(h, S("\r\n"));
    slice said = harness_said(h);
    if (!slice_starts(said, slice_c(want)))
        fail_msg("%s: got \"%.*s\", want \"%s\"", line, P(said), want);
}

static void append(const char *text)
{
    pop3_post_append(&post, S(""), slice_c(text));
}

/* Rule P4: one session at a time; released however the first one ends. */
static void test_in_use(void **state)
{
    (void)state;
    struct harness first = {0}, second = {0};
    log_in(&first);
    for (int i = 0; i < 3; i++) {
        start(&second);
        ask(&second, "USER one@north.test", "+OK");
        ask(&second, "PASS secret", "-ERR [IN-USE] ");
        if (i == 0)
            ask(&first, "QUIT", "+OK");
        else if (i == 1)
            harness_eof(&first);
        else
            harness_expire(&first, END_TIMEOUT);
        if (i > 0)
            harness_end(&first);
        ask(&second, "USER one@north.test", "+OK");
        ask(&second, "PASS secret", "+OK 0 messages (0 octets)");
        harness_end(&second);
        log_in(&first);
    }
    harness_end(&first);
}

/* Rule P3: new mail belongs to the next session. */
static void test_new_mail_is_invisible(void **state)
{
    (void)state;
    struct harness h = {0};
    append("A: 1\r\n\r\nx\r\n");
    log_in(&h);
    append("A: 2\r\n\r\ny\r\n");
    ask(&h, "STAT", "+OK 1 11\r\n");
    ask(&h, "LIST", "+OK 1 messages\r\n1 11\r\n.\r\n");
    ask(&h, "RETR 2", "-ERR");
    ask(&h, "QUIT", "+OK");
    log_in(&h);
    ask(&h, "STAT", "+OK 2 22\r\n");
    harness_end(&h);
}

static uint32_t uid_at(uint32_t position)
{
    struct view *v = view_open(post.post.store, post.account, MAILBOX_INBOX);
    struct entry e;
    assert_true(view_at(v, position, &e));
    view_release(v);
    return e.uid;
}

/* Rule P4: IMAP goes on working; what it expunges is an error here, never another message. */
static void test_expunged_by_others(void **state)
{
    (void)state;
    struct harness h = {0};
    append("A: 1\r\n\r\nx\r\n");
    append("A: 2\r\n\r\ny\r\n");
    append("A: 3\r\n\r\nz\r\n");
    uint32_t gone[] = {uid_at(1)};
    log_in(&h);
    assert_int_equal(fixture_expunge(post.post.store, post.account, gone, 1), 1);
    ask(&h, "RETR 1", "+OK 11 octets\r\nA: 1\r\n\r\nx\r\n.\r\n");
    ask(&h, "RETR 2", "-ERR It was removed meanwhile\r\n");
    ask(&h, "TOP 2 0", "-ERR");
    ask(&h, "RETR 3", "+OK 11 octets\r\nA: 3\r\n\r\nz\r\n.\r\n");
    ask(&h, "DELE 2", "+OK");
    ask(&h, "DELE 3", "+OK");
    ask(&h, "QUIT", "+OK Goodbye, 2 removed");
    assert_int_equal(pop3_post_info(&post).count, 1);
    harness_end(&h);
}

/* Rule P5: only QUIT removes. */
static void test_only_quit_removes(void **state)
{
    (void)state;
    struct harness h = {0};
    append("A: 1\r\n\r\nx\r\n");
    for (int i = 0; i < 3; i++) {
        log_in(&h);
        ask(&h, "DELE 1", "+OK");
        if (i == 0)
            harness_eof(&h);
        else
            harness_expire(&h, i == 1 ? END_TIMEOUT : END_SHUTDOWN);
        slice said = harness_said(&h);
        assert_slice(said, i == 2 ? S("-ERR [SYS/TEMP] The server stops, come back in a moment\r\n")
                                  : S(""));
        harness_end(&h);
        assert_int_equal(pop3_post_info(&post).count, 1);
    }
}

/* Rule P5: when the removal fails nothing is gone, and it is said. */
static void test_update_fails_whole(void **state)
{
    (void)state;
    struct harness h = {0};
    char dir[64];
    pop3_post_close(&post);
    fault_arm(FAULT_FULL, 0); /* opens the store through the fault driver */
    pop3_post_open(&post);
    memcpy(dir, post.post.dir, sizeof(dir));
    append("A: 1\r\n\r\nx\r\n");
    append("A: 2\r\n\r\ny\r\n");
    log_in(&h);
    ask(&h, "DELE 1", "+OK");
    ask(&h, "DELE 2", "+OK");
    fault_arm(FAULT_FULL, 1);
    ask(&h, "QUIT", "-ERR [SYS/TEMP] some deleted messages not removed\r\n");
    assert_true(fault_fired());
    fault_arm(FAULT_NONE, 0);
    harness_end(&h);
    assert_int_equal(pop3_post_info(&post).count, 2);
}

/* Rule P6: the ids outlive sessions, restarts and deletions of others. */
static void test_uidl_is_stable(void **state)
{
    (void)state;
    struct harness h = {0};
    char first[64], second[64];
    append("A: 1\r\n\r\nx\r\n");
    append("A: 2\r\n\r\ny\r\n");
    log_in(&h);
    harness_feed(&h, S("UIDL 1\r\n"));
    slice said = slice_trim(harness_said(&h));
    snprintf(first, sizeof(first), "%.*s", P(said));
    harness_feed(&h, S("UIDL 2\r\n"));
    said = slice_skip(slice_trim(harness_said(&h)), 5);
    snprintf(second, sizeof(second), "+OK 1%.*s", P(said));
    assert_true(strlen(first) > 6 && strlen(first) < 75);
    ask(&h, "DELE 1", "+OK");
    ask(&h, "QUIT", "+OK");
    harness_end(&h);
    store_close(post.post.store);
    post.post.store = fixture_open(post.post.dir);
    post.post.login.store = post.post.store;
    append("A: 3\r\n\r\nz\r\n");
    log_in(&h);
    ask(&h, "UIDL 1", second);
    ask(&h, "UIDL 2", "+OK 2 ");
    harness_feed(&h, S("UIDL\r\n"));
    assert_true(slice_search(harness_said(&h), slice_c(first + 6)) < 0); /* never again */
    harness_end(&h);
}

/* Rule P9: a thousand commands in one write, answered in order. */
static void test_pipelining(void **state)
{
    (void)state;
    struct harness h = {0};
    struct buf in = {.max = 1 << 20}, want = {.max = 1 << 20};
    append("A: 1\r\n\r\n.x\r\n");
    log_in(&h);
    for (int i = 0; i < 1000; i++) {
        buf_add(&in, i % 2 ? S("RETR 1\r\n") : S("NOOP\r\n"));
        buf_add(&want, i % 2 ? S("+OK 12 octets\r\nA: 1\r\n\r\n..x\r\n.\r\n") : S("+OK Here\r\n"));
    }
    harness_feed(&h, buf_slice(&in));
    assert_slice(harness_said(&h), buf_slice(&want));
    harness_end(&h);
    buf_end(&in);
    buf_end(&want);
}

/* Rule P2, and design.md 5: any size, any reader, constant memory. */
static void test_a_large_message_to_a_slow_reader(void **state)
{
    (void)state;
    enum { LINES = 60000 };
    struct harness h = {0};
    struct buf text = {.max = 8 << 20}, got = {.max = 16 << 20};
    buf_add(&text, S("Subject: large\r\n\r\n"));
    for (int i = 0; i < LINES; i++)
        buf_printf(&text, "%s line %d of many, some of which begin with a dot\r\n",
                   i % 3 ? "" : ".", i);
    pop3_post_append(&post, S("Return-Path: <two@south.test>\r\n"), buf_slice(&text));
    log_in(&h);
    h.slow_reader = true;
    harness_feed(&h, S("RETR 1\r\nNOOP\r\n"));
    for (slice said; (said = harness_said(&h)).n;) {
        assert_true(h.session->out.size <= 2 * LIMIT_OUT);
        buf_add(&got, said);
    }
    slice in = buf_slice(&got), line;
    struct buf plain = {.max = 16 << 20};
    slice_next(&in, '\n', &line);
    char first[64];
    uint64_t size = 31 + buf_length(&text);
    snprintf(first, sizeof(first), "+OK %llu octets\r", (unsigned long long)size);
    assert_slice(line, slice_c(first));
    while (slice_next(&in, '\n', &line) && !slice_eq(line, S(".\r"))) {
        buf_add(&plain, slice_starts(line, S(".")) ? slice_skip(line, 1) : line);
        buf_add_byte(&plain, '\n');
    }
    assert_slice(in, S("+OK Here\r\n"));
    assert_int_equal(buf_length(&plain), size);
    assert_slice(slice_sub(buf_slice(&plain), 0, 31), S("Return-Path: <two@south.test>\r\n"));
    assert_true(slice_eq(slice_skip(buf_slice(&plain), 31), buf_slice(&text)));
    harness_end(&h);
    buf_end(&text);
    buf_end(&got);
    buf_end(&plain);
}

/* Long lists, too. */
static void test_long_lists(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    struct harness h = {0};
    for (int i = 0; i < COUNT; i++)
        append("A: 1\r\n\r\nx\r\n");
    log_in(&h);
    ask(&h, "DELE 299", "+OK");
    static const char *const commands[] = {"LIST\r\n", "UIDL\r\n"};
    for (int k = 0; k < 2; k++) {
        harness_feed(&h, slice_c(commands[k]));
        slice said = harness_said(&h), line;
        slice_next(&said, '\n', &line);
        uint64_t number;
        for (uint64_t i = 1; i <= COUNT; i++) {
            if (i == 299)
                continue;
            assert_true(slice_next(&said, '\n', &line));
            assert_true(
                slice_u64(slice_sub(line, 0, (size_t)slice_find(line, ' ')), COUNT, &number));
            assert_int_equal(number, i);
        }
        assert_slice(said, S(".\r\n"));
    }
    harness_end(&h);
}

/* Messages are read some ahead: in order, backwards or at random, each is the right one. */
static void test_any_order(void **state)
{
    (void)state;
    enum { COUNT = 50 };
    struct harness h = {0};
    char text[64], line[32], want[64];
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof(text), "A: %d\r\n\r\n", i + 1);
        pop3_post_append(&post, i % 2 ? S("B: prefix\r\n") : S(""), slice_c(text));
    }
    log_in(&h);
    ask(&h, "DELE 20", "+OK");
    for (int step = 1; step < COUNT; step += 6)
        for (int i = 0; i < COUNT; i++) {
            int n = i * step % COUNT + 1;
            const char *prefix = n % 2 ? "" : "B: prefix\r\n";
            size_t size = (n > 9 ? 9u : 8u) + strlen(prefix);
            snprintf(line, sizeof(line), "RETR %d", n);
            snprintf(want, sizeof(want), "+OK %zu octets\r\n%sA: %d\r\n\r\n.\r\n", size, prefix, n);
            ask(&h, line, n == 20 ? "-ERR No such message\r\n" : want);
        }
    harness_end(&h);
}

/* RFC 5034 with SCRAM: the server's proof is one more challenge. */
static void test_scram(void **state)
{
    (void)state;
    struct harness h = {0};
    struct arena a = {0};
    struct scram_client x = {0};
    for (int wrong = 0; wrong < 2; wrong++) {
        slice reply, last;
        post.options.password_without_tls = false;
        start(&h);
        slice first =
            scram_client_first(&x, &a, S("one@north.test"), wrong ? S("Secret") : S("secret"));
        ask(&h, "AUTH SCRAM-SHA-256", "+ \r\n");
        harness_feed(&h, arena_printf(&a, "%.*s\r\n", P(base64_text(&a, first))));
        slice said = slice_trim(harness_said(&h));
        assert_true(slice_eat(&said, S("+ ")));
        assert_true(base64_decode_strict(&a, said, &reply));
        assert_true(scram_client_final(&x, &a, reply, &last));
        harness_feed(&h, arena_printf(&a, "%.*s\r\n", P(base64_text(&a, last))));
        said = slice_trim(harness_said(&h));
        if (wrong) {
            assert_slice(said, S("-ERR [AUTH] Wrong name or password"));
        } else {
            assert_true(slice_eat(&said, S("+ ")));
            assert_true(base64_decode_strict(&a, said, &reply));
            assert_true(scram_client_verify(&x, &a, reply));
            ask(&h, "", "+OK 0 messages");
        }
        harness_end(&h);
        x = (struct scram_client){0};
    }
    arena_end(&a);
}

/* A full hash pool is a temporary failure (design.md 5), and no failed login. */
static void test_no_thread_to_hash(void **state)
{
    (void)state;
    struct harness h = {.pools_full = true};
    start(&h);
    for (int i = 0; i < 10; i++) {
        ask(&h, "USER one@north.test", "+OK");
        ask(&h, "PASS secret", "-ERR [SYS/TEMP] ");
    }
    h.pools_full = false;
    ask(&h, "USER one@north.test", "+OK");
    ask(&h, "PASS secret", "+OK");
    harness_end(&h);
}

/* A message recalled by its sender in the meantime: no byte of it leaves. */
static enum outcome recall(struct store_tx *tx, void *arg)
{
    slice reason;
    return mailbox_recall(tx, *(int64_t *)arg, 4711, &reason);
}

static void test_recalled_meanwhile(void **state)
{
    (void)state;
    struct harness h = {0};
    struct mailbox_append m = {.account = post.account, .mailbox = MAILBOX_INBOX, .queue_id = 4711};
    assert_int_equal(fixture_append(post.post.store, &m, S("A: 1\r\n\r\nx\r\n")), DONE);
    log_in(&h);
    struct store_call call = {.account = post.account, .fn = recall, .arg = &post.account};
    assert_int_equal(store_write(post.post.store, &call), DONE);
    ask(&h, "RETR 1", "-ERR");
    harness_end(&h);
    /* And the other way: what was read cannot be recalled; LIST, UIDL and STAT read nothing. */
    m.queue_id = 4711;
    assert_int_equal(fixture_append(post.post.store, &m, S("A: 2\r\n\r\nx\r\n")), DONE);
    log_in(&h);
    ask(&h, "LIST", "+OK");
    ask(&h, "UIDL", "+OK");
    ask(&h, "TOP 1 0", "+OK");
    assert_int_equal(store_write(post.post.store, &call), PERMFAIL);
    harness_end(&h);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_transcripts),
        TEST(test_in_use),
        TEST(test_new_mail_is_invisible),
        TEST(test_expunged_by_others),
        TEST(test_only_quit_removes),
        TEST(test_update_fails_whole),
        TEST(test_uidl_is_stable),
        TEST(test_pipelining),
        TEST(test_a_large_message_to_a_slow_reader),
        TEST(test_long_lists),
        TEST(test_any_order),
        TEST(test_scram),
        TEST(test_no_thread_to_hash),
        TEST(test_recalled_meanwhile),
    };
    return TEST_RUN(tests);
}
