/*
 * What transcripts cannot say of APPEND, COPY, MOVE and SEARCH: size, memory, steps, quota, clients
 * that go in the middle.
 */
#include "base/budget.h"
#include "imap/fixture.h"
#include "base/banned.h"

static struct view_info info(int64_t mailbox)
{
    struct view *v = view_open(post.post.store, post.account, mailbox);
    assert_non_null(v);
    struct view_info i = view_info(v);
    view_release(v);
    return i;
}

/* The answer holds the text. */
static void assert_says(struct harness *h, slice command, const char *want)
{
    harness_feed(h, command);
    slice said = harness_said(h);
    if (slice_search(said, slice_c(want)) < 0)
        fail_msg("\"%.*s\": got \"%.*s\", want \"%s\"", P(slice_sub(command, 0, 60)),
                 P(slice_sub(said, 0, 400)), want);
}

static enum outcome quota_fn(struct store_tx *tx, void *arg)
{
    sql_exec(tx->db, "UPDATE account SET quota = ? WHERE id = ?", "ii", *(int64_t *)arg,
             post.account);
    return DONE;
}

static void set_quota(int64_t bytes)
{
    struct store_call call = {.fn = quota_fn, .arg = &bytes};
    assert_int_equal(store_write(post.post.store, &call), DONE);
}

static char *pattern(size_t n)
{
    char *p = mem_alloc(n);
    for (size_t i = 0; i < n; i++)
        p[i] = i % 72 == 70 ? '\r' : i % 72 == 71 ? '\n' : (char)('a' + (i / 72 + i) % 26);
    memcpy(p, "Subject: x\r\n\r\n", 14);
    return p;
}

/* The bytes of the newest message of INBOX. */
static void assert_newest(slice want)
{
    struct arena a = {0};
    struct entry e;
    struct message m;
    struct view *v = view_open(post.post.store, post.account, MAILBOX_INBOX);
    assert_true(view_at(v, view_info(v).count - 1, &e));
    view_release(v);
    assert_int_equal(e.size, want.n);
    assert_true(message_open(post.post.store, &a, post.account, e.message, &m));
    char *got = arena_alloc(&a, want.n);
    for (size_t at = 0; at < want.n;) {
        ssize_t n = message_read(post.post.store, &m, at, got + at, want.n - at);
        assert_true(n > 0);
        at += (size_t)n;
    }
    assert_memory_equal(got, want.p, want.n);
    arena_end(&a);
}

/* Design section 5: in memory, as a file, as a segment of its own; byte for byte. */
static void test_append_sizes(void **state)
{
    static const size_t sizes[] = {14, 4096, 256 * 1024, 256 * 1024 + 1, 1 << 20, 3000000};
    struct harness h = {0};
    (void)state;
    imap_post_start(&post, &h);
    size_t before = budget_used();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        char *p = pattern(sizes[i]), line[64];
        snprintf(line, sizeof(line), "a APPEND INBOX {%zu}\r\n", sizes[i]);
        assert_says(&h, slice_c(line), "+ Go on");
        for (size_t at = 0; at < sizes[i]; at += 50000) {
            harness_feed(&h, slice_sub((slice){p, sizes[i]}, at, at + 50000));
            assert_true(budget_used() - before < 512 * 1024);
        }
        assert_says(&h, S("\r\n"), "a OK [APPENDUID ");
        assert_newest((slice){p, sizes[i]});
        mem_free(p);
    }
    assert_int_equal(budget_used(), before);
    harness_end(&h);
}

/* The client goes inside a literal: nothing was appended, nothing stays behind. */
static void test_append_cut_off(void **state)
{
    struct harness h = {0};
    char *p = pattern(400000);
    size_t before = budget_used();
    (void)state;
    for (size_t sent = 1; sent < 400000; sent += 130000) {
        imap_post_start(&post, &h);
        harness_feed(&h, S("a APPEND INBOX {5+}\r\nA:1\r\n {400000+}\r\n"));
        harness_feed(&h, (slice){p, sent});
        harness_eof(&h);
        harness_end(&h);
        assert_int_equal(info(MAILBOX_INBOX).count, 0);
        assert_int_equal(budget_used(), before);
    }
    mem_free(p);
}

/* Rule I1: over the limit, the synchronising literal gets no "+"; what comes unasked is thrown
 * away. */
static void test_append_limits(void **state)
{
    struct harness h = {0};
    (void)state;
    post.options.message_size = 1000;
    imap_post_start(&post, &h);
    assert_says(&h, S("a APPEND INBOX {1001}\r\n"), "a NO [TOOBIG]");
    assert_says(&h, S("b NOOP\r\n"), "b OK");
    harness_feed(&h, S("c APPEND INBOX {1001+}\r\n"));
    char *p = pattern(1001);
    harness_feed(&h, (slice){p, 1001});
    assert_says(&h, S("\r\nd NOOP\r\n"), "d OK");
    /* line ends count as they are stored */
    memset(p, '\n', 900);
    harness_feed(&h, S("e APPEND INBOX {900}\r\n"));
    harness_feed(&h, (slice){p, 900});
    assert_says(&h, S("\r\n"), "e NO [TOOBIG]");
    /* a hundred messages, and no more */
    harness_feed(&h, S("f APPEND INBOX"));
    for (int i = 0; i < LIMIT_APPEND_MESSAGES; i++)
        harness_feed(&h, S(" {5+}\r\nA:1\r\n"));
    assert_says(&h, S(" {5}\r\n"), "f NO [LIMIT]");
    harness_feed(&h, S("g APPEND INBOX"));
    for (int i = 0; i < LIMIT_APPEND_MESSAGES; i++)
        harness_feed(&h, S(" {5+}\r\nA:1\r\n"));
    assert_says(&h, S("\r\n"), "1:100] 100 appended");
    mem_free(p);
    harness_end(&h);
}

/* Rule I29, RFC 9208: refused before the "+" or when it is stored. */
static void test_quota(void **state)
{
    struct harness h = {0};
    (void)state;
    set_quota(400000);
    imap_post_start(&post, &h);
    assert_says(&h, S("a APPEND INBOX {400001}\r\n"), "a NO [OVERQUOTA]"); /* before "+" */
    char *p = pattern(200000);
    harness_feed(&h, S("b APPEND INBOX {200000+}\r\n"));
    harness_feed(&h, (slice){p, 200000});
    assert_says(&h, S("\r\n"), "b OK [APPENDUID");
    assert_says(&h, S("c APPEND INBOX {5+}\r\nA:1\r\n {199000}\r\n"), "+ Go on");
    harness_feed(&h, (slice){p, 199000});
    assert_says(&h, S("\r\n"), "c OK [APPENDUID");
    assert_says(&h, S("c APPEND INBOX {2000+}\r\n"), "");
    harness_feed(&h, (slice){p, 2000});
    assert_says(&h, S("\r\n"), "c NO [OVERQUOTA]"); /* small: when it is stored */
    assert_says(&h, S("d SELECT INBOX\r\n"), "* 3 EXISTS");
    assert_says(&h, S("e COPY 2 Archive\r\n"), "e OK [COPYUID");
    assert_says(&h, S("f COPY 1:2 Archive\r\n"), "f NO [OVERQUOTA]"); /* neither */
    assert_says(&h, S("g MOVE 1 Archive\r\n"), "g OK");               /* takes no room */
    mem_free(p);
    harness_end(&h);
}

/* ---- steps ---- */

static void fill(int count)
{
    for (int i = 0; i < count; i++)
        imap_post_append(&post, MAILBOX_INBOX, 0, S("Subject: a\r\n\r\nsome body\r\n"));
}

/* Steps of a session until it reads again; at most max. */
static int steps(struct session *s, int max)
{
    int n = 0;
    for (; s->want == SESSION_ROOM && n < max; n++) {
        buf_clear(&s->out);
        s->want = SESSION_READ;
        s->class->resume(s);
    }
    return n;
}

/* A search over bodies comes back after each message, so that others have their turn; a client that
 * goes in the middle leaves nothing behind (AddressSanitizer would say so). */
static void test_search_steps(void **state)
{
    (void)state;
    fill(300);
    for (int cut = 0; cut < 2; cut++) {
        struct session *s = imap_post_session(&post);
        s->out.max = LIMIT_OUT;
        s->class->start(s);
        s->class->feed(s, S("a SELECT INBOX\r\n"));
        steps(s, 1000);
        buf_clear(&s->out);
        s->class->feed(s, S("b SEARCH RETURN (COUNT) BODY some\r\n"));
        assert_int_equal(s->want, SESSION_ROOM);
        int n = steps(s, cut ? 150 : 100000);
        if (cut) {
            assert_int_equal(s->want, SESSION_ROOM);
        } else {
            assert_true(n >= 300);
            assert_slice(buf_slice(&s->out),
                         S("* ESEARCH (TAG \"b\") COUNT 300\r\nb OK Searched\r\n"));
        }
        buf_end(&s->out);
        s->class->end(s);
    }
}

/* Two sessions at once; what one expunges while the other searches stays numbered there. */
static void test_search_among_changes(void **state)
{
    struct harness h = {0};
    (void)state;
    fill(300);
    struct session *s = imap_post_session(&post);
    s->out.max = LIMIT_OUT;
    s->class->start(s);
    s->class->feed(s, S("a SELECT INBOX\r\n"));
    steps(s, 1000);
    buf_clear(&s->out);
    s->class->feed(s, S("b SEARCH RETURN (COUNT MIN MAX) BODY some\r\n"));
    steps(s, 100);
    imap_post_start(&post, &h);
    assert_says(&h, S("a SELECT INBOX\r\n"), "* 300 EXISTS");
    assert_says(&h, S("b MOVE 1:250 Archive\r\n"), "b OK");
    assert_says(&h, S("c SEARCH BODY some\r\n"), "* SEARCH 1 2 3");
    steps(s, 100000);
    assert_slice(buf_slice(&s->out),
                 S("* ESEARCH (TAG \"b\") MIN 1 MAX 300 COUNT 300\r\nb OK Searched\r\n"));
    buf_end(&s->out);
    s->class->end(s);
    harness_end(&h);
}

/* ---- SEARCH against a reference ---- */

enum { LETTERS = 60 };

/* A SEARCH being made up; each part of it returns the letters it matches, bit i for letter i. */
struct question {
    struct buf text;
    uint32_t dice;
};

static uint32_t roll(struct question *q, uint32_t sides)
{
    q->dice = q->dice * 1103515245 + 12345;
    return q->dice / 65536 % sides;
}

/* Letter i: \Seen when 2 divides it, \Flagged when 3 does; its words say what 5 and 7 do. */
static uint64_t letters_where(uint32_t divisor)
{
    uint64_t bits = 0;
    for (uint32_t i = 1; i <= LETTERS; i++)
        bits |= (uint64_t)(i % divisor == 0) << i;
    return bits;
}

static const uint64_t all_letters = ((UINT64_C(1) << LETTERS) - 1) << 1;

static uint64_t ask_leaf(struct question *q)
{
    static const struct {
        const char *text;
        uint32_t divisor;
    } keys[] = {{"SEEN", 2},
                {"FLAGGED", 3},
                {"SUBJECT five", 5},
                {"BODY SEVEN", 7},
                {"TEXT \"seven!\"", 7},
                {"HEADER X-Eleven \"\"", 11},
                {"FROM Thirteen@", 13},
                {"ALL", 1},
                {"DELETED", 1000}};
    uint32_t kind = roll(q, 12), low = 1 + roll(q, LETTERS),
             high = low + roll(q, 1 + LETTERS - low);
    if (kind < 9) {
        buf_printf(&q->text, "%s", keys[kind].text);
        return letters_where(keys[kind].divisor);
    }
    buf_printf(&q->text,
               kind == 9    ? "UID %u:%u"
               : kind == 10 ? "%u:%u"
                            : "NOT UID %u:%u",
               low, high);
    uint64_t set = ((UINT64_C(2) << (high - low)) - 1) << low;
    return kind == 11 ? all_letters & ~set : set;
}

static uint64_t ask_any(struct question *q, int depth)
{
    uint32_t kind = depth > 4 ? 0 : roll(q, 5);
    uint64_t bits;
    if (kind < 2)
        return ask_leaf(q);
    if (kind == 2) {
        buf_printf(&q->text, "NOT ");
        return all_letters & ~ask_any(q, depth + 1);
    }
    buf_printf(&q->text, kind == 3 ? "OR " : "(");
    bits = ask_any(q, depth + 1);
    buf_printf(&q->text, " ");
    if (kind == 3)
        return bits | ask_any(q, depth + 1);
    bits &= ask_any(q, depth + 1);
    buf_printf(&q->text, ")");
    return bits;
}

static void fill_letters(void)
{
    char text[300];
    for (uint32_t i = 1; i <= LETTERS; i++) {
        snprintf(text, sizeof(text), "From: <%s@north.test>\r\nSubject: %s\r\n%s\r\nword %s\r\n",
                 i % 13 ? "one" : "thirteen", i % 5 ? "none" : "five",
                 i % 11 ? "" : "X-Eleven: yes\r\n", i % 7 ? "none" : "seven!");
        imap_post_append(&post, MAILBOX_INBOX,
                         (i % 2 ? 0u : FLAG_SEEN) | (i % 3 ? 0u : FLAG_FLAGGED), slice_c(text));
    }
}

static void test_search_random(void **state)
{
    struct harness h = {0};
    struct question q = {.text.max = 1 << 16, .dice = 20261123};
    struct buf want = {.max = 1 << 16};
    (void)state;
    fill_letters();
    imap_post_start(&post, &h);
    harness_feed(&h, S("a SELECT INBOX\r\n"));
    harness_said(&h);
    for (int round = 0; round < 400; round++) {
        buf_clear(&q.text);
        buf_clear(&want);
        buf_printf(&q.text, "b SEARCH ");
        uint64_t bits = ask_any(&q, 0);
        buf_printf(&q.text, "\r\n");
        buf_printf(&want, "* SEARCH");
        for (uint32_t i = 1; i <= LETTERS; i++)
            if (bits >> i & 1)
                buf_printf(&want, " %u", i);
        buf_printf(&want, "\r\nb OK Searched\r\n");
        harness_feed(&h, buf_slice(&q.text));
        slice said = harness_said(&h);
        if (!slice_eq(said, buf_slice(&want)))
            fail_msg("%.*s: got %.*s, want %.*s", P(buf_slice(&q.text)), P(said),
                     P(buf_slice(&want)));
    }
    buf_end(&q.text);
    buf_end(&want);
    harness_end(&h);
}

/* An answer larger than out goes in steps; a slow reader costs no more memory. */
static void test_long_answer(void **state)
{
    enum { COUNT = 3000 };
    struct harness h = {0};
    struct buf text = {.max = 8 << 20}, all = {.max = 8 << 20};
    (void)state;
    fill(2);
    imap_post_start(&post, &h);
    for (int i = 0; i < COUNT; i++)
        imap_post_append(&post, MAILBOX_INBOX, i % 2 ? FLAG_SEEN : 0, S("a:b\r\n\r\n"));
    harness_feed(&h, S("a SELECT INBOX\r\n"));
    harness_said(&h);
    h.slow_reader = true;
    for (int i = 0; i < 20; i++)
        buf_printf(&text, "b%d UID SEARCH SEEN\r\nc%d SEARCH RETURN (ALL) SEEN\r\n", i, i);
    harness_feed(&h, buf_slice(&text));
    for (slice said; (said = harness_said(&h)).n;) {
        assert_true(said.n <= LIMIT_OUT);
        buf_add(&all, said);
    }
    slice rest = buf_slice(&all), line;
    unsigned lines = 0, ends = 0;
    while (slice_next(&rest, '\n', &line)) {
        lines++;
        ends += slice_ends(line, S(" 3002\r")) || slice_ends(line, S(",3002\r"));
    }
    assert_int_equal(lines, 80);
    assert_int_equal(ends, 40);
    buf_end(&text);
    buf_end(&all);
    harness_end(&h);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, imap_post_set_up, imap_post_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_append_sizes),  TEST(test_append_cut_off), TEST(test_append_limits),
        TEST(test_quota),         TEST(test_search_steps),   TEST(test_search_among_changes),
        TEST(test_search_random), TEST(test_long_answer),
    };
    return TEST_RUN(tests);
}
