/*
 * What a transcript cannot say of the IMAP session: what many commits, seen through the untagged
 * responses alone, amount to; coming back with QRESYNC; slow readers; memory.
 */
#include "imap/server.h"

#include <zlib.h>

#include "base/clock.h"
#include "imap/compress.h"
#include "imap/fixture.h"
#include "message/base64.h"
#include "smtp/scram_client.h"
#include "base/banned.h"

static struct imap *imap_in(const struct harness *h)
{
    return (struct imap *)h->session;
}

/* Says a line and returns the whole answer. */
static slice ask(struct harness *h, const char *line)
{
    harness_feed(h, slice_c(line));
    harness_feed(h, S("\r\n"));
    return harness_said(h);
}

static void ask_ok(struct harness *h, const char *line, const char *tagged)
{
    slice said = ask(h, line);
    if (slice_search(said, slice_c(tagged)) < 0)
        fail_msg("%s: got \"%.*s\", want \"%s\"", line, P(said), tagged);
}

static uint64_t dice_state = 11;

static uint32_t dice(uint32_t below)
{
    dice_state = dice_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((dice_state >> 33) % below);
}

/* ---- a client that believes what it is told ---- */

enum { MOST = 4000 };

/* What the client knows: uids and flags by number.  uid 0: it did not ask yet. */
struct client {
    struct harness h;
    uint32_t uids[MOST], count;
    uint64_t flags[MOST]; /* bits as the store's; \Recent is not among them */
    unsigned tag;
};

static uint64_t flag_bits(slice words)
{
    static const char *const names[] = {"\\Seen", "\\Answered", "\\Flagged", "\\Deleted",
                                        "\\Draft"};
    uint64_t bits = 0;
    slice word;
    while (slice_next(&words, ' ', &word))
        for (int i = 0; i < 5; i++)
            if (slice_eq(word, slice_c(names[i])))
                bits |= UINT64_C(1) << i;
    return bits;
}

static void forget(struct client *c, uint32_t at)
{
    assert_true(at < c->count);
    c->count--;
    memmove(c->uids + at, c->uids + at + 1, (c->count - at) * sizeof(*c->uids));
    memmove(c->flags + at, c->flags + at + 1, (c->count - at) * sizeof(*c->flags));
}

static void heard_vanished(struct client *c, slice set)
{
    struct arena a = {0};
    struct imap_set uids;
    assert_true(imap_set(&a, &set, 0, &uids));
    for (uint32_t i = c->count; i > 0; i--) {
        assert_true(c->uids[i - 1]); /* a client with QRESYNC knows its uids */
        if (imap_set_has(&uids, c->uids[i - 1]))
            forget(c, i - 1);
    }
    arena_end(&a);
}

static void heard_fetch(struct client *c, uint32_t number, slice items)
{
    uint64_t uid;
    assert_true(number >= 1 && number <= c->count);
    if (slice_eat(&items, S("(UID ")) && imap_number(&items, UINT32_MAX, &uid)) {
        assert_true(c->uids[number - 1] == 0 || c->uids[number - 1] == uid);
        c->uids[number - 1] = (uint32_t)uid;
    }
    ptrdiff_t from = slice_search(items, S("FLAGS (")), to = slice_find(items, ')');
    if (from >= 0 && to > from)
        c->flags[number - 1] = flag_bits(slice_sub(items, (size_t)from + 7, (size_t)to));
}

static void heard(struct client *c, slice line, bool may_shrink)
{
    uint64_t n;
    if (!slice_eat(&line, S("* ")))
        return;
    if (slice_eat(&line, S("VANISHED "))) {
        assert_true(may_shrink);
        if (!slice_starts(line, S("(EARLIER)")))
            heard_vanished(c, line);
        return;
    }
    if (!imap_number(&line, UINT32_MAX, &n) || !imap_space(&line))
        return;
    if (slice_eq(line, S("EXISTS"))) {
        assert_true(n >= c->count && n <= MOST); /* rule I4: it never shrinks */
        for (; c->count < n; c->count++) {
            c->uids[c->count] = 0;
            c->flags[c->count] = 0;
        }
    } else if (slice_eq(line, S("EXPUNGE"))) {
        assert_true(may_shrink); /* rule I3 */
        forget(c, (uint32_t)n - 1);
    } else if (slice_eat(&line, S("FETCH "))) {
        heard_fetch(c, (uint32_t)n, line);
    }
}

/* Says a command; the answer must end with its OK. */
static void say(struct client *c, const char *command, bool may_shrink)
{
    char text[256], ok[32];
    snprintf(text, sizeof(text), "t%u %s", ++c->tag, command);
    snprintf(ok, sizeof(ok), "t%u OK", c->tag);
    slice said = ask(&c->h, text), line;
    bool good = false;
    for (slice all = said; slice_next(&all, '\n', &line);) {
        line = slice_trim(line);
        heard(c, line, may_shrink);
        good = good || slice_starts(line, slice_c(ok));
    }
    if (!good)
        fail_msg("%s: %.*s", text, P(slice_sub(said, 0, 300)));
}

static void connect_client(struct client *c, bool qresync)
{
    *c = (struct client){0};
    imap_post_start(&post, &c->h);
    if (qresync)
        say(c, "ENABLE QRESYNC", false);
    say(c, "SELECT INBOX", true);
    say(c, "UID FETCH 1:* (FLAGS)", true);
}

/* The client knows exactly what is there. */
static void assert_knows(struct client *c)
{
    struct view *v = view_open(post.post.store, post.account, MAILBOX_INBOX);
    struct entry e;
    assert_int_equal(c->count, view_info(v).count);
    for (uint32_t i = 0; i < c->count; i++) {
        assert_true(view_at(v, i, &e));
        assert_int_equal(c->uids[i], e.uid);
        assert_true(c->flags[i] == e.flags);
    }
    view_release(v);
}

/* Something happens elsewhere. */
static void happen(void)
{
    uint32_t uids[40];
    size_t n = 0;
    struct entry e;
    struct view *v = view_open(post.post.store, post.account, MAILBOX_INBOX);
    uint32_t count = view_info(v).count, step = 1 + dice(9);
    for (uint32_t at = dice(count + 1); n < 1 + dice(39) && view_at(v, at, &e); at += step)
        uids[n++] = e.uid;
    view_release(v);
    uint32_t what = dice(10);
    if (what < 4 && count < MOST - 200)
        for (uint32_t i = dice(12); i > 0; i--)
            imap_post_append(&post, MAILBOX_INBOX, dice(32), S("A: b\r\n\r\n"));
    else if (what < 6)
        fixture_expunge(post.post.store, post.account, uids, n);
    else
        fixture_flags(post.post.store, post.account, uids, n, dice(32), dice(32));
}

/* Rules I3, I4, I19: after each command that may tell all, the client knows all. */
static void test_untagged(void **state)
{
    (void)state;
    struct client plain, qresync;
    imap_post_fresh(&post);
    connect_client(&plain, false);
    connect_client(&qresync, true);
    for (int round = 0; round < 1500; round++) {
        happen();
        struct client *c = dice(2) ? &plain : &qresync;
        char text[64];
        switch (dice(4)) {
        case 0:
            say(c, "NOOP", true);
            if (c->count && c->uids[c->count - 1] == 0) /* it asks for what it does not know */
                say(c, "UID FETCH 1:* (FLAGS)", true);
            assert_knows(c);
            break;
        case 1:
            if (c->count == 0)
                break;
            snprintf(text, sizeof(text), "FETCH %u:* (UID FLAGS)", 1 + dice(c->count));
            say(c, text, false);
            if (c == &qresync) /* so that VANISHED finds every uid */
                say(c, "FETCH 1:* (UID FLAGS)", false);
            break;
        case 2:
            say(c, "UID FETCH 1:* (FLAGS)", true);
            if (c->count && c->uids[c->count - 1] == 0)
                say(c, "UID FETCH 1:* (FLAGS)", true);
            break;
        default:
            break;
        }
        if (c == &qresync && c->count && c->uids[c->count - 1] == 0)
            say(c, "FETCH 1:* (UID FLAGS)", false);
        for (uint32_t i = 0; c == &qresync && i < c->count; i++)
            assert_true(c->uids[i]);
    }
    harness_end(&plain.h);
    harness_end(&qresync.h);
}

/* RFC 7162 3.2.5: who comes back is told what went and what changed, and then knows all. */
static void test_resync(void **state)
{
    (void)state;
    struct client c;
    imap_post_fresh(&post);
    for (int i = 0; i < 300; i++)
        imap_post_append(&post, MAILBOX_INBOX, 0, S("A: b\r\n\r\n"));
    connect_client(&c, true);
    for (int round = 0; round < 60; round++) {
        struct view_info info = imap_in(&c.h)->selected->info;
        struct client next = {.count = c.count};
        harness_end(&c.h);
        for (uint32_t i = dice(6); i > 0; i--)
            happen();
        char text[128];
        imap_post_start(&post, &next.h);
        ask_ok(&next.h, "x ENABLE QRESYNC", "x OK");
        snprintf(text, sizeof(text), "y SELECT INBOX (QRESYNC (%u %lld 1:%u))", info.uidvalidity,
                 (long long)info.modseq, info.uidnext);
        slice all = ask(&next.h, text), line;
        uint32_t exists = 0;
        /* VANISHED first, by uid; then the new count; then what changed, by uid too */
        for (slice s = all; slice_next(&s, '\n', &line);) {
            line = slice_trim(line);
            if (slice_eat(&line, S("* VANISHED (EARLIER) ")))
                heard_vanished(&c, line);
            else if (slice_ends(line, S(" EXISTS")))
                exists = (uint32_t)imap_in(&next.h)->selected->info.count;
        }
        for (; c.count < exists; c.count++)
            c.uids[c.count] = 0;
        assert_int_equal(c.count, exists);
        for (slice s = all; slice_next(&s, '\n', &line);)
            if (slice_search(line, S(" FETCH (UID ")) > 0)
                heard(&c, slice_trim(line), false);
        c.h = next.h;
        if (c.count && c.uids[c.count - 1] == 0)
            say(&c, "UID FETCH 1:* (FLAGS)", true);
        assert_knows(&c);
    }
    harness_end(&c.h);
}

/* RFC 7162 3.2.5.2: below a number that still has its uid, the client knows what went. */
static void test_match_data(void **state)
{
    (void)state;
    static const struct {
        const char *known, *vanished;
    } cases[] = {
        {"", "1:2,5,8"},       {" 1:10", "1:2,5,8"},       {" 4:6", "5"},
        {" (1 3)", "5,8"},     {" 1:10 (1:3 3:5)", "5,8"}, {" 1:10 (1,3 3,6)", "8"},
        {" (2 3)", "1:2,5,8"}, {" (1,3,5 3,6,9)", NULL},
    };
    struct harness h = {0};
    uint32_t gone[] = {1, 2, 5, 8};
    imap_post_fresh(&post);
    for (int i = 0; i < 10; i++)
        imap_post_append(&post, MAILBOX_INBOX, 0, S("A: b\r\n\r\n"));
    fixture_expunge(post.post.store, post.account, gone, 4);
    imap_post_start(&post, &h);
    ask_ok(&h, "a ENABLE QRESYNC", "a OK");
    ask_ok(&h, "b SELECT INBOX", "b OK");
    uint32_t uidvalidity = imap_in(&h)->selected->info.uidvalidity;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[128], want[64];
        snprintf(text, sizeof(text), "c SELECT INBOX (QRESYNC (%u 1%s))", uidvalidity,
                 cases[i].known);
        snprintf(want, sizeof(want), "* VANISHED (EARLIER) %s\r\n",
                 cases[i].vanished ? cases[i].vanished : "");
        slice said = ask(&h, text);
        assert_true(slice_search(said, S("c OK")) > 0);
        bool told = slice_search(said, cases[i].vanished ? slice_c(want) : S("VANISHED")) >= 0;
        if (told != (cases[i].vanished != NULL))
            fail_msg("%s: %.*s", text, P(said));
    }
    harness_end(&h);
}

/* A mailbox deleted or renamed under a session: its messages go, or stay. */
static void test_deleted_under_it(void **state)
{
    (void)state;
    struct harness h = {0}, other = {0};
    imap_post_fresh(&post);
    imap_post_start(&post, &h);
    imap_post_start(&post, &other);
    ask_ok(&h, "a CREATE box", "a OK");
    struct folder f;
    struct arena a = {0};
    assert_int_equal(folder_find(post.post.store, &a, post.account, S("box"), &f), DONE);
    imap_post_append(&post, f.mailbox, 0, S("A: b\r\n\r\n"));
    imap_post_append(&post, f.mailbox, 0, S("A: c\r\n\r\n"));
    ask_ok(&h, "b SELECT box", "b OK");
    ask_ok(&other, "c RENAME box bin", "c OK");
    assert_slice(ask(&h, "d NOOP"), S("d OK Done\r\n"));
    ask_ok(&h, "e UID FETCH 1 BODY[]", "e OK");
    ask_ok(&other, "f DELETE bin", "f OK");
    ask_ok(&h, "g FETCH 1:2 (UID BODY.PEEK[HEADER])", "A: b\r\n");
    assert_slice(ask(&h, "h NOOP"), S("* 1 EXPUNGE\r\n* 1 EXPUNGE\r\nh OK Done\r\n"));
    ask_ok(&h, "i UID STORE 1:* +FLAGS (\\Seen)", "i ");
    ask_ok(&h, "j CLOSE", "j OK");
    arena_end(&a);
    harness_end(&h);
    harness_end(&other);
}

/* A slow reader costs constant memory: 3,000 EXPUNGE lines and more wait in the store, not in out.
 */
static void test_slow_reader(void **state)
{
    (void)state;
    static uint32_t uids[12000];
    struct harness h = {0};
    imap_post_fresh(&post);
    for (uint32_t i = 0; i < 3000; i++)
        uids[i] = imap_post_append(&post, MAILBOX_INBOX, 0, S("A: b\r\n\r\n"));
    imap_post_start(&post, &h);
    ask_ok(&h, "a SELECT INBOX", "a OK");
    fixture_flags(post.post.store, post.account, uids, 3000, FLAG_SEEN | FLAG_FLAGGED, 0);
    h.slow_reader = true;
    harness_feed(&h, S("b NOOP\r\nc UID FETCH 1:* (FLAGS)\r\nd NOOP\r\n"));
    size_t lines = 0, waiting = 0;
    for (slice said; (said = harness_said(&h)).n > 0;) {
        waiting = buf_length(&h.session->out) > waiting ? buf_length(&h.session->out) : waiting;
        for (size_t i = 0; i < said.n; i++)
            lines += said.p[i] == '\n';
    }
    assert_int_equal(lines, 3000 + 1 + 3000 + 1 + 1);
    assert_true(waiting <= LIMIT_OUT);
    h.slow_reader = false;
    harness_end(&h);
}

/* ---- memory ---- */

static size_t memory(const struct harness *h)
{
    const struct imap *p = imap_in(h);
    return p->reader.text.size + p->scratch.used + p->s.out.size;
}

/* Rule I2: 100 MB nobody asked for pass through without being kept. */
static void test_swallowed_literal(void **state)
{
    (void)state;
    static char block[65536];
    struct harness h = {0};
    imap_post_start(&post, &h);
    harness_feed(&h, S("a SELECT {104857600+}\r\n"));
    for (int i = 0; i < 1600; i++) {
        harness_feed(&h, (slice){block, sizeof(block)});
        assert_true(memory(&h) < 64 * 1024);
    }
    harness_feed(&h, S("\r\nb NOOP\r\n"));
    slice said = harness_said(&h);
    assert_true(slice_starts(said, S("a BAD [TOOBIG]")) && slice_ends(said, S("b OK Done\r\n")));
    harness_end(&h);
}

/* A literal within the cap is kept once, and given back with its command. */
static void test_literal_in_place(void **state)
{
    (void)state;
    static char block[200000];
    struct harness h = {0};
    memset(block, 'x', sizeof(block));
    imap_post_start(&post, &h);
    harness_feed(&h, S("a SELECT {200000+}\r\n"));
    harness_feed(&h, (slice){block, sizeof(block) - 1});
    assert_true(memory(&h) < 2 * LIMIT_IMAP_COMMAND);
    harness_feed(&h, S("x\r\n"));
    assert_true(slice_starts(harness_said(&h), S("a NO")));
    assert_true(memory(&h) < 16 * 1024);
    harness_end(&h);
}

/* What is said, inflated; until the next call. */
static slice inflated(slice said)
{
    static char out[4096];
    z_stream z = {.next_in = (Bytef *)(uintptr_t)said.p,
                  .avail_in = (uInt)said.n,
                  .next_out = (Bytef *)out,
                  .avail_out = sizeof(out)};
    assert_int_equal(inflateInit2(&z, -15), Z_OK);
    inflate(&z, Z_SYNC_FLUSH);
    slice plain = {out, sizeof(out) - z.avail_out};
    inflateEnd(&z);
    return plain;
}

/* Rule I27, RFC 4978 section 3: once, and nothing offers it again. */
static void test_compress_twice(void **state)
{
    (void)state;
    static const char again[] = "b COMPRESS DEFLATE\r\nc CAPABILITY\r\n";
    Bytef packed[200];
    struct harness h = {0};
    z_stream z = {.next_in = (Bytef *)(uintptr_t)again,
                  .avail_in = sizeof(again) - 1,
                  .next_out = packed,
                  .avail_out = sizeof(packed)};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_SYNC_FLUSH), Z_OK);
    deflateEnd(&z);
    imap_post_start(&post, &h);
    ask_ok(&h, "x COMPRESS GZIP", "x BAD");
    ask_ok(&h, "y CAPABILITY", "COMPRESS=DEFLATE");
    ask_ok(&h, "a COMPRESS DEFLATE", "a OK");
    harness_feed(&h, (slice){(char *)packed, sizeof(packed) - z.avail_out});
    slice plain = inflated(harness_said(&h));
    assert_true(slice_starts(plain, S("b NO [COMPRESSIONACTIVE] ")));
    assert_true(slice_ends(plain, S("c OK That is all\r\n")));
    assert_int_equal(slice_search(plain, S("COMPRESS=")), -1);
    harness_end(&h);
}

/* Rule I27, RFC 4978 section 3: a bomb costs no memory; what follows it is read. */
static void test_bomb(void **state)
{
    (void)state;
    static char zeros[1 << 20];
    unsigned char *packed = mem_alloc(1 << 20);
    struct harness h = {0};
    z_stream z = {.next_out = packed, .avail_out = 1 << 20};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    static const char first[] = "a SELECT {104857600+}\r\n", last[] = "\r\nb NOOP\r\n";
    z.next_in = (Bytef *)(uintptr_t)first;
    z.avail_in = sizeof(first) - 1;
    assert_int_equal(deflate(&z, Z_NO_FLUSH), Z_OK);
    for (int i = 0; i < 100; i++) {
        z.next_in = (Bytef *)zeros;
        z.avail_in = sizeof(zeros);
        assert_int_equal(deflate(&z, Z_NO_FLUSH), Z_OK);
    }
    z.next_in = (Bytef *)(uintptr_t)last;
    z.avail_in = sizeof(last) - 1;
    assert_int_equal(deflate(&z, Z_SYNC_FLUSH), Z_OK);
    slice bomb = {(char *)packed, (1 << 20) - z.avail_out};
    deflateEnd(&z);
    imap_post_start(&post, &h);
    ask_ok(&h, "c COMPRESS DEFLATE", "c OK");
    while (bomb.n) {
        harness_feed(&h, slice_sub(bomb, 0, 1000));
        bomb = slice_skip(bomb, 1000);
        assert_true(memory(&h) < 128 * 1024);
    }
    slice plain = inflated(harness_said(&h));
    assert_true(slice_starts(plain, S("a BAD [TOOBIG]")) && slice_ends(plain, S("b OK Done\r\n")));
    mem_free(packed);
    harness_end(&h);
}

static slice base64_line(struct arena *a, const char *before, slice raw)
{
    return arena_printf(a, "%s%.*s\r\n", before, P(base64_text(a, raw)));
}

/* RFC 4959 and SCRAM, where no password may travel: the server's proof is one more challenge. */
static void test_scram(void **state)
{
    (void)state;
    for (int wrong = 0; wrong < 2; wrong++) {
        struct harness h = {0};
        struct arena a = {0};
        struct scram_client x = {0};
        slice reply, last, said;
        post.options.password_without_tls = false;
        harness_start(&h, imap_server_new(&post.options));
        harness_said(&h);
        slice first =
            scram_client_first(&x, &a, S("one@north.test"), wrong ? S("Secret") : S("secret"));
        harness_feed(&h, base64_line(&a, "a AUTHENTICATE SCRAM-SHA-256 ", first));
        said = slice_trim(harness_said(&h));
        assert_true(slice_eat(&said, S("+ ")) && base64_decode_strict(&a, said, &reply));
        assert_true(scram_client_final(&x, &a, reply, &last));
        harness_feed(&h, base64_line(&a, "", last));
        said = slice_trim(harness_said(&h));
        if (wrong) {
            assert_slice(said, S("a NO [AUTHENTICATIONFAILED] Wrong name or password"));
        } else {
            assert_true(slice_eat(&said, S("+ ")) && base64_decode_strict(&a, said, &reply));
            assert_true(scram_client_verify(&x, &a, reply));
            ask_ok(&h, "", "a OK [CAPABILITY IMAP4rev1");
            ask_ok(&h, "b SELECT INBOX", "b OK");
        }
        post.options.password_without_tls = true;
        harness_end(&h);
        arena_end(&a);
    }
}

/* A full pool of hashing threads is a temporary failure. */
static void test_busy(void **state)
{
    (void)state;
    struct harness h = {.pools_full = true};
    harness_start(&h, imap_server_new(&post.options));
    harness_said(&h);
    assert_slice(ask(&h, "a LOGIN one@north.test other"),
                 S("a NO [UNAVAILABLE] Too busy, try again later\r\n"));
    harness_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_untagged),
        cmocka_unit_test(test_resync),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_swallowed_literal),
        cmocka_unit_test(test_literal_in_place),
        cmocka_unit_test(test_compress_twice),
        cmocka_unit_test(test_bomb),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_scram),
        cmocka_unit_test(test_deleted_under_it),
        cmocka_unit_test(test_match_data),
    };
    return cmocka_run_group_tests(tests, imap_post_set_up, imap_post_tear_down);
}
