/*
 * The bytes of sections of stored messages (RFC 9051 6.4.5, 7.5.2; RFC 3516): what is streamed from
 * the store is what the parser sees in the whole message, in pieces or at once, for messages that
 * fit the head and for large ones.
 */
#include "base/budget.h"
#include "base/limits.h"
#include "imap/fetch_body.h"
#include "message/out.h"
#include "message/qp.h"
#include "store/fixture.h"

static struct arena arena;

struct stored {
    struct store *store;
    int64_t account;
    struct fetch_message message;
};

static void stored_open(struct stored *s, slice prefix, slice text)
{
    struct mailbox_append a = {.mailbox = MAILBOX_INBOX, .prefix = prefix, .internaldate_ms = 1};
    struct message m;
    *s = (struct stored){.store = fixture_open(fixture_path)};
    a.account = s->account = fixture_account(s->store, "one", 0);
    assert_int_equal(fixture_append(s->store, &a, text), DONE);
    assert_true(message_open(s->store, &arena, s->account, a.message, &m));
    fetch_message_begin(&s->message, s->store, &m);
}

static void stored_close(struct stored *s)
{
    fetch_message_end(&s->message);
    store_close(s->store);
    arena_end(&arena);
}

/* What an item gives: its bytes, or why there are none; "~" in front when they hold NUL. */
static slice get(struct stored *s, const char *what)
{
    static const char *const names[] = {"found", "NIL", "UNKNOWN-CTE", "unreadable", "no memory"};
    struct fetch_items items;
    struct fetch_bytes b;
    struct buf out = {.max = 8 << 20};
    assert_true(fetch_items_parse(&arena, slice_c(what), &items));
    enum fetch_found found = fetch_bytes_open(&s->message, &items.items[0], &b);
    if (found != FETCH_FOUND)
        return slice_c(names[found]);
    if (items.items[0].kind == FETCH_BINARY_SIZE)
        return arena_printf(&arena, "%llu", (unsigned long long)b.size);
    uint64_t size = b.size;
    if (b.has_nul)
        buf_add(&out, S("~"));
    while (b.left)
        assert_true(fetch_bytes_write(&s->message, &b, &out));
    assert_int_equal(buf_length(&out), size + b.has_nul);
    slice got = arena_dup(&arena, buf_slice(&out));
    buf_end(&out);
    return got;
}

static void check(struct stored *s, const char *what, slice want)
{
    slice got = get(s, what);
    if (!slice_eq(got, want))
        fail_msg("%s: got %zu \"%.*s\", want %zu \"%.*s\"", what, got.n, P(slice_sub(got, 0, 500)),
                 want.n, P(slice_sub(want, 0, 500)));
}

static void test_small(void **state)
{
    static const struct {
        const char *what, *want;
    } rows[] = {
        {"BODY[]", "Return-Path: <>\r\nFrom: a\r\nSubject: b\r\n\r\nbody\r\n"},
        {"BODY[HEADER]", "Return-Path: <>\r\nFrom: a\r\nSubject: b\r\n\r\n"},
        {"BODY[TEXT]", "body\r\n"},
        {"BODY[1]", "body\r\n"},
        {"BODY[2]", "NIL"},
        {"BODY[HEADER.FIELDS (return-path)]", "Return-Path: <>\r\n\r\n"},
        {"BODY[HEADER.FIELDS (subject)]<9.4>", "b\r\n\r"},
        {"BODY[]<17.4>", "From"},
        {"BODY[]<0.10000>", "Return-Path: <>\r\nFrom: a\r\nSubject: b\r\n\r\nbody\r\n"},
        {"BODY[]<47.1>", ""}, /* beyond the end: an empty string */
        {"BODY[TEXT]<5.1>", "\n"},
        {"BODY[TEXT]<6.1>", ""},
        {"BODY[TEXT]<9223372036854775807.9223372036854775807>", ""},
        {"RFC822.TEXT", "body\r\n"},
        {"BINARY[1]", "body\r\n"},
        {"BINARY[]<17.4>", "From"},
        {"BINARY.SIZE[1]", "6"},
        {"BINARY.SIZE[]", "46"},
        {"BINARY[3]", "NIL"},
    };
    struct stored s;
    (void)state;
    stored_open(&s, S("Return-Path: <>\r\n"), S("From: a\r\nSubject: b\r\n\r\nbody\r\n"));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&s, rows[i].what, slice_c(rows[i].want));
    stored_close(&s);
}

static void test_binary(void **state)
{
    static const char text[] = "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
                               "--b\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                               "bGluZQpvbmUNCg==\r\n"
                               "--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
                               "a=3Db=\r\nc=00 \r\n"
                               "--b\r\nContent-Type: application/x\r\n"
                               "Content-Transfer-Encoding: base64\r\n\r\n"
                               "AAoB\r\n"
                               "--b\r\nContent-Transfer-Encoding: x-odd\r\n\r\nodd\r\n"
                               "--b\r\nContent-Type: message/rfc822\r\n\r\nA: b\r\n\r\nc\r\n"
                               "--b\r\nContent-Transfer-Encoding: base64\r\n\r\n\r\n"
                               "--b--\r\n";
    static const struct {
        const char *what, *want;
    } rows[] = {
        {"BINARY[1]", "line\r\none\r\n"}, /* a text has CRLF lines (RFC 9051 7.5.2) */
        {"BINARY.SIZE[1]", "11"},
        {"BINARY[1]<4.3>", "\r\no"},
        {"BINARY[1]<11.3>", ""},
        {"BINARY.SIZE[2]", "5"},
        {"BINARY.SIZE[3]", "3"}, /* not a text: LF stays */
        {"BINARY[4]", "UNKNOWN-CTE"},
        {"BINARY.SIZE[4]", "UNKNOWN-CTE"},
        {"BODY[4]", "odd"},
        {"BINARY[5]", "A: b\r\n\r\nc"},
        {"BINARY[6]", ""},
        {"BINARY.SIZE[6]", "0"},
    };
    struct stored s;
    (void)state;
    stored_open(&s, S(""), slice_c(text));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(&s, rows[i].what, slice_c(rows[i].want));
    check(&s, "BINARY[2]", S("~a=bc\0"));
    check(&s, "BINARY[2]<0.4>", S("a=bc")); /* NUL is not in this piece */
    check(&s, "BINARY[3]", S("~\0\n\1"));
    check(&s, "BINARY[3]<1.9>", S("\n\1"));
    stored_close(&s);
}

/* ---- large ones ---- */

static slice noise(size_t n)
{
    char *p = arena_alloc(&arena, n + 1);
    uint32_t x = 1;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        p[i] = i % 61 == 60 ? '\n' : (char)(x >> 24);
    }
    return (slice){p, n};
}

/* Any piece of a section is that piece of the whole; and all pieces are the whole. */
static void check_pieces(struct stored *s, const char *name, slice want, size_t piece)
{
    check(s, name, want);
    for (size_t at = 0; at <= want.n; at += piece) {
        slice what = arena_printf(&arena, "%s<%zu.%zu>", name, at, piece);
        slice part = slice_sub(want, at, at + piece);
        slice got = get(s, what.p);
        if (!slice_eq(got, part))
            fail_msg("%.*s", P(what));
    }
}

static void test_large(void **state)
{
    struct stored s;
    struct out o = {.arena = &arena};
    (void)state;
    slice bytes = noise(700000), header = S("From: a\r\n"), second;
    char *code = arena_alloc(&arena, base64_lines_length(bytes.n));
    slice encoded = {code, base64_encode_lines(bytes, code)};
    second = qp_encode(&arena, bytes, QP_BINARY);
    out_add(&o, header);
    for (int i = 0; i < 3000; i++) /* a header longer than the head that is read first */
        out_printf(&o, "X-Field-%d: some value\r\n", i);
    out_add(&o, S("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
                  "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n"));
    out_add(&o, encoded);
    out_add(&o, S("\r\n--b\r\nContent-Transfer-Encoding: quoted-printable\r\n"
                  "Content-Type: application/x\r\n\r\n"));
    out_add(&o, second);
    out_add(&o, S("\r\n--b--\r\n"));
    slice all = out_slice(&o);
    stored_open(&s, S(""), all);
    size_t length = header_length(all);
    check_pieces(&s, "BODY[]", all, 100000);
    check(&s, "BODY[HEADER]", slice_sub(all, 0, length));
    check(&s, "BODY[TEXT]", slice_skip(all, length));
    check(&s, "BODY[HEADER.FIELDS (x-field-7)]", S("X-Field-7: some value\r\n\r\n"));
    check_pieces(&s, "BODY[1]", encoded, 99999);
    check_pieces(&s, "BODY[2]", second, 300000);
    check(&s, "BINARY.SIZE[1]", S("700000"));
    check(&s, "BINARY.SIZE[2]", S("700000"));
    slice got = get(&s, "BINARY[1]"), again = get(&s, "BINARY[2]");
    assert_true(slice_eat(&got, S("~")) && slice_eat(&again, S("~")));
    assert_true(slice_eq(got, bytes) && slice_eq(again, bytes));
    check(&s, "BINARY[1]<699990.100>", slice_skip(bytes, 699990));
    stored_close(&s);
}

/* The budget refuses before memory runs out; what needs no tree is still served. */
static void test_budget(void **state)
{
    struct stored s;
    (void)state;
    slice all = S("From: a\r\n\r\n");
    struct out o = {.arena = &arena};
    out_add(&o, all);
    for (int i = 0; i < 2000; i++)
        out_add(&o, S("0123456789012345678901234567890123456789\r\n"));
    stored_open(&s, S(""), out_slice(&o));
    size_t before = budget_used();
    budget_set(before + 1000);
    check(&s, "BODY[1]", S("no memory"));
    check(&s, "BODY[TEXT]", slice_skip(out_slice(&o), all.n));
    budget_set(LIMIT_MEMORY);
    check(&s, "BODY[1]", slice_skip(out_slice(&o), all.n));
    assert_int_equal(budget_used(), before);
    stored_close(&s);
}

/* A part fetched in many pieces: the message is taken apart once. */
static void test_kept(void **state)
{
    struct stored s;
    struct fetch_tree kept = {0};
    struct out o = {.arena = &arena};
    (void)state;
    out_add(&o, S("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"));
    size_t from = out_slice(&o).n;
    for (int i = 0; i < 2000; i++)
        out_add(&o, S("0123456789012345678901234567890123456789\r\n"));
    out_add(&o, S("\r\n--b--\r\n"));
    slice all = out_slice(&o);
    stored_open(&s, S(""), all);
    s.message.kept = &kept;
    check(&s, "BODY[1]<0.5>", S("01234"));
    struct message m = s.message.message;
    fetch_message_begin(&s.message, s.store, &m);
    budget_set(budget_used() + 1000); /* not enough to do it again */
    check(&s, "BODY[1]<5.5>", S("56789"));
    check(&s, "BODY[1]", slice_sub(all, from, all.n - 9));
    check(&s, "BINARY.SIZE[1]", S("84000"));
    m.id++;
    fetch_message_begin(&s.message, s.store, &m);
    check(&s, "BODY[1]", S("no memory"));
    budget_set(LIMIT_MEMORY);
    fetch_tree_end(&kept);
    stored_close(&s);
}

/* Pieces of decoded parts in any order, some of them one behind the other: each goes on where the
 * last one ended (its decoder has not begun again), and is that piece of the whole. */
static void test_decoded_pieces(void **state)
{
    enum { SIZE = 300000, MARGIN = 64 * 1024 };
    struct stored s;
    struct fetch_tree kept = {0};
    struct out o = {.arena = &arena};
    unsigned random = 1;
    (void)state;
    slice bytes = noise(SIZE), text = slice_sub(bytes, 0, SIZE / 2);
    char *code = arena_alloc(&arena, base64_lines_length(bytes.n));
    out_add(&o, S("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
                  "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n"));
    out_add(&o, (slice){code, base64_encode_lines(bytes, code)});
    out_add(&o, S("\r\n--b\r\nContent-Type: image/png\r\n"
                  "Content-Transfer-Encoding: quoted-printable\r\n\r\n"));
    out_add(&o, qp_encode(&arena, bytes, QP_BINARY));
    out_add(&o, S("\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n"));
    out_add(&o, (slice){code, base64_encode_lines(text, code)});
    out_add(&o, S("\r\n--b--\r\n"));
    stored_open(&s, S(""), out_slice(&o));
    s.message.kept = &kept;
    for (int part = 1; part <= 3; part++) {
        slice name = arena_printf(&arena, "BINARY[%d]", part), whole = get(&s, name.p);
        slice_eat(&whole, S("~"));
        for (size_t at = 0; at < whole.n;) {
            random = random * 1103515245 + 12345;
            size_t n = 1 + (random >> 16) % 40000;
            if (random % 7 == 0)
                at = at > n ? at - n : 0; /* back */
            slice what = arena_printf(&arena, "BINARY[%d]<%zu.%zu>", part, at, n);
            slice want = slice_sub(whole, at, at + n), got = get(&s, what.p);
            slice_eat(&got, S("~"));
            if (!slice_eq(got, want))
                fail_msg("%.*s", P(what));
            at += want.n;
            assert_int_equal(kept.decoded_message, s.message.message.id);
            assert_true(kept.decoder.done <= at && kept.decoder.done + MARGIN >= at);
        }
        slice what = arena_printf(&arena, "BINARY[%d]<100000.5>", part);
        check(&s, what.p, slice_sub(whole, 100000, 100005));
        kept.decoder.encoding = CTE_8BIT; /* to see that the next piece goes on from there */
        what = arena_printf(&arena, "BINARY[%d]<100005.5>", part);
        assert_false(slice_eq(get(&s, what.p), slice_sub(whole, 100005, 100010)));
        kept.decoded_message = 0;
        check(&s, what.p, slice_sub(whole, 100005, 100010));
    }
    fetch_tree_end(&kept);
    stored_close(&s);
}

/* No header: all of it is body (message/header.h). */
static void test_odd(void **state)
{
    struct stored s;
    struct out o = {.arena = &arena};
    (void)state;
    for (int i = 0; i < 3000; i++)
        out_add(&o, S("no field and no empty line\r\n"));
    stored_open(&s, S(""), out_slice(&o));
    check(&s, "BODY[HEADER]", S(""));
    check(&s, "BODY[TEXT]", out_slice(&o));
    check(&s, "BODY[1]", out_slice(&o));
    stored_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_small),          FIXTURE_TEST(test_binary), FIXTURE_TEST(test_large),
        FIXTURE_TEST(test_budget),         FIXTURE_TEST(test_odd),    FIXTURE_TEST(test_kept),
        FIXTURE_TEST(test_decoded_pieces),
    };
    return TEST_RUN(tests);
}
