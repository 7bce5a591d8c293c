/*
 * What transcripts cannot say of FETCH and STORE: sizes, steps, many messages, slow readers,
 * recall.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/budget.h"
#include "base/limits.h"
#include "imap/fixture.h"
#include "message/bodystructure.h"
#include "message/out.h"

#include "base/banned.h"

enum { BATCH = 512 }; /* FETCH_BATCH of fetch.h */

static struct arena arena;

static int tear_down(void **state)
{
    arena_end(&arena);
    return imap_post_tear_down(state);
}

static slice ask(struct harness *h, slice line)
{
    harness_feed(h, line);
    harness_feed(h, S("\r\n"));
    return harness_said(h);
}

static void begin(struct harness *h)
{
    imap_post_start(&post, h);
    assert_true(slice_search(ask(h, S("a SELECT INBOX")), S("a OK")) >= 0);
}

static size_t count_of(slice text, const char *what)
{
    size_t n = 0;
    for (ptrdiff_t at; (at = slice_search(text, slice_c(what))) >= 0; n++)
        text = slice_skip(text, (size_t)at + 1);
    return n;
}

static struct view_info info(void)
{
    struct view *v = view_open(post.post.store, post.account, MAILBOX_INBOX);
    assert_non_null(v);
    struct view_info i = view_info(v);
    view_release(v);
    return i;
}

static slice pattern(size_t n)
{
    char *p = arena_alloc(&arena, n);
    for (size_t i = 0; i < n; i++)
        p[i] = i % 72 == 70 ? '\r' : i % 72 == 71 ? '\n' : (char)('a' + (i / 72 + i) % 26);
    memcpy(p, "Subject: x\r\n\r\n", 14);
    return (slice){p, n};
}

/* design.md section 5: a slow reader costs constant memory, whatever the size. */
static void test_slow_reader(void **state)
{
    struct harness h = {.slow_reader = true};
    struct out got = {.arena = &arena};
    slice text = pattern(20 << 20), said;
    (void)state;
    imap_post_fresh(&post);
    imap_post_append(&post, MAILBOX_INBOX, FLAG_SEEN, text);
    imap_post_start(&post, &h);
    harness_feed(&h, S("a SELECT INBOX\r\n"));
    while (harness_said(&h).n)
        ;
    size_t before = budget_used(), most = 0;
    harness_feed(&h, S("b FETCH 1 BODY[]\r\n"));
    while ((said = harness_said(&h)).n) {
        out_add(&got, said);
        size_t now = buf_length(&h.session->out) + budget_used() - before;
        most = now > most ? now : most;
    }
    assert_true(most <= LIMIT_OUT);
    slice all = out_slice(&got), head = arena_printf(&arena, "* 1 FETCH (BODY[] {%zu}\r\n", text.n);
    assert_true(slice_eat(&all, head));
    assert_true(slice_eq(slice_sub(all, 0, text.n), text));
    assert_slice(slice_skip(all, text.n), S(")\r\nb OK Fetched\r\n"));
    harness_end(&h);
}

/* More than a batch; sets with holes; CHANGEDSINCE leaves out most. */
static void test_many(void **state)
{
    enum { COUNT = 3 * BATCH / 2 + 1 };
    struct harness h = {0};
    struct out set = {.arena = &arena};
    uint32_t uids[] = {3, BATCH + 5, COUNT};
    (void)state;
    imap_post_fresh(&post);
    for (int i = 0; i < COUNT; i++)
        imap_post_append(&post, MAILBOX_INBOX, 0, S("A: b\r\n\r\nc"));
    int64_t modseq = info().modseq;
    begin(&h);
    slice said = ask(&h, S("b UID FETCH 1:* (RFC822.SIZE)"));
    assert_int_equal(count_of(said, " FETCH (UID "), COUNT);
    for (int i = 1; i <= COUNT; i += 2)
        out_printf(&set, i > 1 ? ",%d" : "%d", i);
    said = ask(&h, arena_printf(&arena, "c FETCH %.*s UID", P(out_slice(&set))));
    assert_int_equal(count_of(said, " FETCH (UID "), (COUNT + 1) / 2);
    slice last = arena_printf(&arena, "* %d FETCH (UID %d)\r\nc OK", COUNT, COUNT);
    assert_true(slice_search(said, last) >= 0);
    assert_int_equal(fixture_flags(post.post.store, post.account, uids, 3, FLAG_FLAGGED, 0), 3);
    ask(&h, S("d NOOP"));
    said = ask(
        &h, arena_printf(&arena, "e UID FETCH 1:* (FLAGS) (CHANGEDSINCE %lld)", (long long)modseq));
    assert_int_equal(count_of(said, " FETCH (UID "), 3);
    assert_int_equal(count_of(said, "MODSEQ ("), 3);
    harness_end(&h);
}

/* Message n of those below: a size of its own, every third with a prefix. */
static struct mailbox_append some_message(int n, slice *text)
{
    slice body = pattern(100 + (size_t)n * 97 % 3000);
    *text = arena_printf(&arena, "N: %d\r\n%.*s", n, P(body));
    return (struct mailbox_append){.account = post.account,
                                   .mailbox = n % 10 == 9 ? 2 : MAILBOX_INBOX,
                                   .prefix = n % 3 ? S("") : S("Return-Path: <>\r\n")};
}

/* The answer to FETCH 1:* BODY.PEEK[] of the first of them. */
static void expect_bodies(struct out *out, int count)
{
    for (int n = 0, number = 0; n < count; n++) {
        slice text;
        struct mailbox_append m = some_message(n, &text);
        if (m.mailbox == MAILBOX_INBOX)
            out_printf(out, "* %d FETCH (BODY[] {%zu}\r\n%.*s%.*s)\r\n", ++number,
                       m.prefix.n + text.n, P(m.prefix), P(text));
    }
}

static void append_some(int count)
{
    imap_post_fresh(&post);
    for (int n = 0; n < count; n++) {
        slice text;
        struct mailbox_append m = some_message(n, &text);
        assert_int_equal(fixture_append(post.post.store, &m, text), DONE);
    }
}

/* Neighbours are read together (fetch_later.h): each stands in its own place. */
static void test_bodies(void **state)
{
    enum { COUNT = 300 };
    struct harness h = {0};
    struct out want = {.arena = &arena};
    (void)state;
    append_some(COUNT);
    expect_bodies(&want, COUNT);
    begin(&h);
    slice said = ask(&h, S("b FETCH 1:* BODY.PEEK[]"));
    assert_slice(said, arena_printf(&arena, "%.*sb OK Fetched\r\n", P(out_slice(&want))));
    said = ask(&h, S("c FETCH 2 (UID BODY.PEEK[]<0.4> BODY.PEEK[] BODY.PEEK[TEXT]<0.1>)"));
    assert_true(slice_search(said, S("* 2 FETCH (UID 2 BODY[]<0> {4}\r\nN: 1 BODY[] {")) == 0);
    assert_true(slice_ends(said, S("c OK Fetched\r\n")));
    harness_end(&h);
}

/* Store invariant B5: what stands before a damaged body is sent, of it and what follows nothing. */
static void test_damaged_body(void **state)
{
    enum { COUNT = 60, GOOD = 35 };
    struct harness h = {0};
    struct out want = {.arena = &arena};
    (void)state;
    append_some(COUNT);
    expect_bodies(&want, GOOD);
    char path[128];
    snprintf(path, sizeof(path), "%s/segments/000000000001.seg", post.post.dir);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    off_t size = lseek(fd, 0, SEEK_END);
    char *all = arena_alloc(&arena, (size_t)size);
    assert_int_equal(pread(fd, all, (size_t)size, 0), size);
    slice text;
    some_message(GOOD, &text);
    ptrdiff_t at = slice_search((slice){all, (size_t)size}, text);
    assert_true(at > 0);
    assert_int_equal(pwrite(fd, "!", 1, at + 40), 1);
    close(fd);
    begin(&h);
    slice said = ask(&h, S("b FETCH 1:* BODY.PEEK[]"));
    assert_true(said.n < out_slice(&want).n + 100);
    assert_true(slice_starts(said, out_slice(&want)));
    assert_true(h.closed);
    harness_end(&h);
}

/* Rule I12: \Seen of all, each told once, though one commit marks many. */
static void test_seen(void **state)
{
    enum { COUNT = BATCH + 100 };
    struct harness h = {0};
    (void)state;
    imap_post_fresh(&post);
    for (int i = 0; i < COUNT; i++)
        imap_post_append(&post, MAILBOX_INBOX, i % 3 ? 0 : FLAG_SEEN, S("A: b\r\n\r\nc"));
    uint32_t unseen = info().unseen;
    begin(&h);
    slice said = ask(&h, S("b FETCH 1:* BODY[TEXT]"));
    assert_int_equal(count_of(said, " FETCH ("), COUNT);
    assert_int_equal(count_of(said, "FLAGS (\\Seen"), unseen);
    assert_int_equal(info().unseen, 0);
    said = ask(&h, S("c NOOP"));
    assert_slice(said, S("c OK Done\r\n"));
    harness_end(&h);
}

/* Each commit that marks messages as seen is for 4 MiB at most: what is not sent is not seen. */
static void test_seen_bytes(void **state)
{
    struct harness h = {.slow_reader = true};
    (void)state;
    imap_post_fresh(&post);
    slice text = pattern(3 << 20);
    for (int i = 0; i < 4; i++)
        imap_post_append(&post, MAILBOX_INBOX, 0, text);
    imap_post_start(&post, &h);
    harness_feed(&h, S("a SELECT INBOX\r\n"));
    while (harness_said(&h).n)
        ;
    harness_feed(&h, S("b FETCH 1:4 BODY[]\r\n"));
    assert_int_equal(info().unseen, 3);
    size_t all = 0;
    for (slice said; (said = harness_said(&h)).n;)
        all += said.n;
    assert_true(all > 4 * text.n);
    assert_int_equal(info().unseen, 0);
    harness_end(&h);
}

/* A line longer than all the room there ever is. */
static void test_large_envelope(void **state)
{
    struct harness h = {0};
    struct out text = {.arena = &arena};
    (void)state;
    imap_post_fresh(&post);
    out_add(&text, S("Subject: x\r\nTo: a@b.test"));
    for (int i = 0; i < 15000; i++)
        out_printf(&text, ",\r\n \"Reader %d\" <reader%d@north.test>", i, i);
    out_add(&text, S("\r\n\r\nbody\r\n"));
    for (int i = 0; i < 3; i++)
        imap_post_append(&post, MAILBOX_INBOX, FLAG_SEEN,
                         i == 1 ? out_slice(&text) : S("Subject: y\r\n\r\nz\r\n"));
    slice envelope = envelope_print(&arena, out_slice(&text));
    slice small = envelope_print(&arena, S("Subject: y\r\n\r\n"));
    assert_true(envelope.n > LIMIT_OUT);
    begin(&h);
    slice said = ask(&h, S("b FETCH 1:3 (UID ENVELOPE RFC822.SIZE)"));
    slice want = arena_printf(&arena,
                              "* 1 FETCH (UID 1 ENVELOPE %.*s RFC822.SIZE 17)\r\n"
                              "* 2 FETCH (UID 2 ENVELOPE %.*s RFC822.SIZE %zu)\r\n"
                              "* 3 FETCH (UID 3 ENVELOPE %.*s RFC822.SIZE 17)\r\nb OK Fetched\r\n",
                              P(small), P(envelope), out_slice(&text).n, P(small));
    assert_slice(said, want);
    harness_end(&h);
}

static enum outcome recall_fn(struct store_tx *tx, void *arg)
{
    slice why;
    return mailbox_recall(tx, post.account, *(int64_t *)arg, &why);
}

static uint32_t append_queued(int64_t queue_id)
{
    struct mailbox_append m = {
        .account = post.account, .mailbox = MAILBOX_INBOX, .queue_id = queue_id};
    assert_int_equal(fixture_append(post.post.store, &m, S("A: b\r\n\r\nc")), DONE);
    return m.uid;
}

static enum outcome recall(int64_t queue_id)
{
    struct store_call call = {.account = post.account, .fn = recall_fn, .arg = &queue_id};
    return store_write(post.post.store, &call);
}

/* design.md section 7: body and preview are a fetch, ENVELOPE and the header are not. */
static void test_recall(void **state)
{
    static const struct {
        const char *item;
        bool reads;
    } rows[] = {
        {"ENVELOPE", false},
        {"FLAGS", false},
        {"BODY.PEEK[HEADER]", false},
        {"RFC822.HEADER", false},
        {"BINARY.SIZE[1]", false},
        {"BODYSTRUCTURE", false},
        {"BODY.PEEK[]", true},
        {"BODY.PEEK[TEXT]<0.1>", true},
        {"BODY.PEEK[1]", true},
        {"BINARY.PEEK[1]", true},
        {"PREVIEW", true},
    };
    (void)state;
    imap_post_fresh(&post);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct harness h = {0};
        int64_t queue_id = (int64_t)i + 1000;
        uint32_t uid = append_queued(queue_id);
        begin(&h);
        ask(&h, arena_printf(&arena, "b UID FETCH %u %s", uid, rows[i].item));
        if (recall(queue_id) != (rows[i].reads ? PERMFAIL : DONE))
            fail_msg("%s", rows[i].item);
        harness_end(&h);
    }
}

/* Rule I3: what was recalled is gone, and said so; what an entry holds is still told. */
static void test_recalled(void **state)
{
    struct harness h = {0};
    (void)state;
    imap_post_fresh(&post);
    append_queued(1);
    append_queued(2);
    begin(&h);
    assert_int_equal(recall(1), DONE);
    slice said = ask(&h, S("b FETCH 1:2 (UID BODY.PEEK[TEXT])"));
    assert_true(slice_starts(said, S("* 2 FETCH (UID 2 BODY[TEXT] {1}\r\nc)\r\n"
                                     "b NO [EXPUNGEISSUED] ")));
    said = ask(&h, S("c FETCH 1 ENVELOPE"));
    assert_true(slice_starts(said, S("c NO [EXPUNGEISSUED] ")));
    said = ask(&h, S("d FETCH 1 UID"));
    assert_slice(said, S("* 1 FETCH (UID 1)\r\nd OK Fetched\r\n"));
    said = ask(&h, S("e NOOP"));
    assert_true(slice_starts(said, S("* 1 EXPUNGE\r\n")));
    harness_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_slow_reader, imap_post_set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many, imap_post_set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bodies, imap_post_set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_body, imap_post_set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_seen, imap_post_set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_seen_bytes, imap_post_set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_large_envelope, imap_post_set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_recall, imap_post_set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_recalled, imap_post_set_up, tear_down),
    };
    return TEST_RUN(tests);
}
