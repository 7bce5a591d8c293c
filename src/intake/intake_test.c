/*
 * Stop 5 over a real store, directory, router and queue: what is refused, what is stamped, what is
 * kept. RFC 5321 4.4 (trace), 6.3 (loops), 7.2 (Bcc); RFC 6409 6 and 8 (submission); rules S12,
 * S17, S28, S29, S36, S37.
 */
#include "base/test.h"

#include <ftw.h>

#include "accounts/directory.h"
#include "base/clock.h"
#include "intake/intake.h"
#include "intake/spool.h"
#include "message/header.h"
#include "store/view.h"

static struct {
    char dir[64];
    struct arena arena;
    struct intake x;
    int64_t one, two;
} stage;

static int remove_one(const char *path, const struct stat *s, int flag, struct FTW *f)
{
    (void)s, (void)flag, (void)f;
    return remove(path);
}

static enum outcome make_people(struct store_tx *tx, void *arg)
{
    slice why = S(""), targets[] = {{"two@north.test", 14}, {"out@far.test", 12}};
    (void)arg;
    bool ok = directory_domain_add(tx, S("north.test"), &why) == DONE &&
              directory_user_add(tx, S("one@north.test"), 0, &stage.one, &why) == DONE &&
              directory_user_add(tx, S("two@north.test"), 4000, &stage.two, &why) == DONE &&
              directory_alias_add(tx, S("all@north.test"), targets, 2, &why) == DONE;
    if (!ok)
        print_error("%.*s\n", P(why));
    return ok ? DONE : TEMPFAIL;
}

static int set_up(void **state)
{
    (void)state;
    struct buf error = {.max = 1000};
    memset(&stage, 0, sizeof(stage));
    snprintf(stage.dir, sizeof(stage.dir), "/tmp/yizhan-intake-XXXXXX");
    if (!mkdtemp(stage.dir))
        return -1;
    struct store_options o = {.dir = stage.dir, .create = true};
    stage.x.store = store_open(&o, &error);
    assert_non_null(stage.x.store);
    struct store_call call = {.fn = make_people};
    assert_int_equal(store_write(stage.x.store, &call), DONE);
    struct deliver_options d = {.store = stage.x.store, .hostname = S("mail.north.test")};
    stage.x.deliver = deliver_new(&d);
    struct queue_options q = {.store = stage.x.store,
                              .hostname = S("mail.north.test"),
                              .deliverer = deliver_functions(stage.x.deliver)};
    stage.x.queue = queue_open(&q);
    stage.x.hostname = S("mail.north.test");
    stage.x.message_size = 10 << 20;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    queue_close(stage.x.queue, 1000);
    deliver_end(stage.x.deliver);
    store_close(stage.x.store);
    arena_end(&stage.arena);
    return nftw(stage.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* One message through the door; the answer as "250 2.0.0". */
static slice take(slice bytes, slice sender, const char *const *to, bool submission)
{
    struct arena *a = &stage.arena;
    struct recipient recipients[8];
    struct smtp_answer answers[8];
    slice id;
    struct envelope e = {.sender = sender,
                         .recipients = recipients,
                         .helo = S("client.test"),
                         .protocol = submission ? S("ESMTPSA") : S("ESMTP"),
                         .peer_ip = S("127.0.0.1"),
                         .peer_name = submission ? S("") : S("mail.client.test"),
                         .submission = submission,
                         .login = submission ? S("one@north.test") : S(""),
                         .account = submission ? stage.one : 0};
    for (; to[e.recipient_count]; e.recipient_count++)
        recipients[e.recipient_count] =
            (struct recipient){.address = slice_c(to[e.recipient_count])};
    struct spool *s = spool_open(stage.x.store, stage.x.message_size, &stage.x);
    assert_non_null(s);
    for (size_t at = 0; at < bytes.n; at += 100000)
        assert_true(spool_add(s, slice_sub(bytes, at, at + 100000)));
    intake_accept(&stage.x, s, a, &e, answers, &id);
    spool_close(s);
    return arena_printf(a, "%d %.*s", answers[0].code, P(answers[0].enhanced));
}

static const char *const to_two[] = {"two@north.test", NULL};
static const char *const to_one[] = {"one@north.test", NULL};

/* The newest message in an INBOX, whole, as its reader gets it; "" when there is none. */
static slice newest(int64_t account)
{
    struct message m;
    struct entry e;
    struct view *v = view_open(stage.x.store, account, MAILBOX_INBOX);
    uint32_t count = view_info(v).count;
    bool has = count && view_at(v, count - 1, &e);
    view_release(v);
    if (!has)
        return S("");
    assert_true(message_open(stage.x.store, &stage.arena, account, e.message, &m));
    assert_int_equal(m.size, e.size);
    char *to = arena_alloc(&stage.arena, (size_t)m.size + 1);
    size_t n = 0;
    ssize_t got;
    while ((got = message_read(stage.x.store, &m, n, to + n, (size_t)m.size - n)) > 0)
        n += (size_t)got;
    assert_int_equal(n, m.size);
    return (slice){to, n};
}

#define MAIL                                                                                       \
    S("From: one@north.test\r\nDate: Mon, 23 Nov 2026 20:24:01 +0000\r\nMessage-ID: "              \
      "<1@x>\r\n\r\nhi\r\n")

/* RFC 5321 4.4, rule S28: Return-Path first, one Received on top, what came unchanged below. */
static void test_stamp(void **state)
{
    (void)state;
    assert_slice(take(MAIL, S("one@north.test"), to_two, false), S("250 2.0.0"));
    slice got = newest(stage.two), value;
    assert_true(slice_starts(got, S("Return-Path: <one@north.test>\r\nDelivered-To: "
                                    "two@north.test\r\nReceived: from client.test "
                                    "(mail.client.test [127.0.0.1])")));
    assert_true(slice_ends(got, MAIL));
    assert_int_equal(header_count(header_of(got), S("Received")), 1);
    assert_true(header_find(header_of(got), S("Received"), &value));
    assert_true(slice_search(value, S("with ESMTP")) > 0);
    assert_true(slice_search(value, S("for <two@north.test>")) > 0);
}

/* RFC 6409 8: what is missing is added; RFC 5321 7.2: Bcc never leaves. */
static void test_submission_completes(void **state)
{
    (void)state;
    slice got, value;
    assert_slice(take(S("Subject: x\r\nBcc: secret@far.test\r\n\r\nhi\r\n"), S("one@north.test"),
                      to_two, true),
                 S("250 2.0.0"));
    got = header_of(newest(stage.two));
    assert_true(header_find(got, S("Date"), &value));
    assert_true(header_find(got, S("Message-ID"), &value) && slice_ends(value, S("@north.test>")));
    assert_true(header_find(got, S("From"), &value));
    assert_slice(value, S("<one@north.test>"));
    assert_false(header_find(got, S("Bcc"), &value));
    assert_true(slice_search(got, S("secret")) < 0);
    /* From elsewhere it is left as it came. */
    take(S("Subject: x\r\nBcc: secret@far.test\r\n\r\nhi\r\n"), S("a@far.test"), to_one, false);
    got = header_of(newest(stage.one));
    assert_true(header_find(got, S("Bcc"), &value));
    assert_false(header_find(got, S("Date"), &value));
}

/* Rule S17: a user writes in his own name. */
static void test_author(void **state)
{
    (void)state;
    assert_slice(take(S("From: two@north.test\r\n\r\nhi\r\n"), S("one@north.test"), to_two, true),
                 S("550 5.7.1"));
    assert_slice(take(S("From: one@north.test\r\nFrom: two@north.test\r\n\r\nhi\r\n"),
                      S("one@north.test"), to_two, true),
                 S("554 5.6.0"));
    assert_slice(take(S("From: \"One\" <one+tag@north.test>\r\n\r\nhi\r\n"), S("one@north.test"),
                      to_two, true),
                 S("250 2.0.0"));
    assert_slice(take(S("From: two@north.test\r\n\r\nhi\r\n"), S("x@far.test"), to_two, false),
                 S("250 2.0.0"));
}

/* RFC 5321 6.3: a hundred hops, or an own Delivered-To (RFC 9228): a loop. */
static void test_loop(void **state)
{
    (void)state;
    slice text = S("");
    for (int i = 0; i < 99; i++)
        text = arena_printf(&stage.arena, "Received: from %d\r\n%.*s", i, P(text));
    assert_slice(
        take(arena_printf(&stage.arena, "%.*s\r\nhi\r\n", P(text)), S("a@far.test"), to_two, false),
        S("250 2.0.0"));
    text = arena_printf(&stage.arena, "Received: from x\r\n%.*s\r\nhi\r\n", P(text));
    assert_slice(take(text, S("a@far.test"), to_two, false), S("554 5.4.6"));
    assert_slice(
        take(S("Delivered-To: two@north.test\r\n\r\nhi\r\n"), S("a@far.test"), to_two, false),
        S("554 5.4.6"));
}

/* A mail without a header must not make its text one (the trace fields stand before it). */
static void test_headless(void **state)
{
    (void)state;
    assert_slice(take(S("just: text?\r\nno header\r\n"), S("a@far.test"), to_two, false),
                 S("250 2.0.0"));
    assert_slice(take(S("only text\r\n"), S("a@far.test"), to_two, false), S("250 2.0.0"));
    slice got = newest(stage.two);
    assert_slice(slice_skip(got, header_length(got)), S("only text\r\n"));
}

/* Aliases fan out; a target named twice gets one copy; the part that goes elsewhere waits in the
 * queue. */
static void test_targets(void **state)
{
    (void)state;
    static const char *const many[] = {"all@north.test", "two@north.test", "TWO+x@north.test",
                                       NULL};
    assert_slice(take(MAIL, S("one@north.test"), many, true), S("250 2.0.0"));
    struct db *db = store_read(stage.x.store);
    assert_int_equal(sql_number(db, 0, "SELECT count(*) FROM q_item", ""), 2);
    assert_int_equal(
        sql_number(db, 0, "SELECT count(*) FROM q_recipient WHERE address LIKE 'two%'", ""), 1);
    store_read_end(stage.x.store, db);
}

/* Rule S36: a full mailbox is said while the sender's server listens. */
static void test_quota(void **state)
{
    (void)state;
    char *big = arena_alloc(&stage.arena, 4000);
    memset(big, 'x', 4000);
    slice text = arena_printf(&stage.arena, "From: a@far.test\r\n\r\n%.*s\r\n", 3900, big);
    assert_slice(take(text, S("a@far.test"), to_two, false), S("552 5.2.2"));
    assert_slice(newest(stage.two), S(""));
}

/* Design section 5: beyond 256 KiB a file, from 1 MiB on a segment of its own; every byte the same.
 */
static void test_large(void **state)
{
    (void)state;
    static const size_t sizes[] = {200 << 10, 300 << 10, (1 << 20) - 1, 1 << 20, 3 << 20};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char *p = arena_alloc(&stage.arena, sizes[i]);
        uint32_t x = (uint32_t)i + 1;
        for (size_t j = 0; j < sizes[i]; j++) {
            x = x * 1664525 + 1013904223;
            p[j] = j % 78 == 76 ? '\r' : j % 78 == 77 ? '\n' : (char)('a' + (x >> 24) % 26);
        }
        memcpy(p, MAIL.p, MAIL.n);
        slice text = {p, sizes[i]};
        assert_slice(take(text, S("a@far.test"), to_one, false), S("250 2.0.0"));
        slice got = newest(stage.one);
        assert_true(got.n > text.n && slice_ends(got, text));
    }
}

static enum outcome remove_people(struct store_tx *tx, void *arg)
{
    slice why;
    (void)arg;
    return directory_alias_remove(tx, S("all@north.test"), &why) == DONE &&
                   directory_user_remove(tx, S("one@north.test"), &why) == DONE &&
                   directory_user_remove(tx, S("two@north.test"), &why) == DONE
               ? DONE
               : TEMPFAIL;
}

static int rcpt(const char *address)
{
    struct smtp_host host = intake_host(&stage.x);
    struct envelope e = {0};
    struct smtp_answer answer;
    host.rcpt(host.ctx, &stage.arena, &e, slice_c(address), &answer);
    return answer.code;
}

/* RFC 5321 4.5.1: postmaster is never refused for good; before the first user he is asked again. */
static void test_postmaster(void **state)
{
    (void)state;
    assert_int_equal(rcpt("Postmaster@north.test"), 250);
    assert_int_equal(rcpt("nobody@north.test"), 550);
    struct store_call call = {.fn = remove_people};
    assert_int_equal(store_write(stage.x.store, &call), DONE);
    assert_int_equal(rcpt("Postmaster@north.test"), 451);
    assert_int_equal(rcpt("one@north.test"), 550);
}

int main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(test_stamp),      ROW(test_submission_completes),
        ROW(test_author),     ROW(test_loop),
        ROW(test_headless),   ROW(test_targets),
        ROW(test_quota),      ROW(test_large),
        ROW(test_postmaster),
    };
    return TEST_RUN(tests);
}
