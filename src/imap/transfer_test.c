/* COPYUID (RFC 4315 section 3; rule I16): pairs in order, none lost however many there are. */
#include "base/test.h"
#include "imap/fixture.h"
#include "imap/transfer.h"
#include "base/banned.h"

enum { MANY = 1000 };

/* The numbers of a set, added up to all. */
static void read_set(struct arena *a, slice *in, uint32_t *all, size_t *count)
{
    struct imap_set set;
    assert_true(imap_set(a, in, 0, &set));
    for (size_t i = 0; i < set.count; i++)
        for (uint32_t n = set.ranges[i].low; n <= set.ranges[i].high; n++)
            all[(*count)++] = n;
}

static void test_split(void **state)
{
    static const size_t rooms[] = {40, 60, 100, 1000, 1 << 20};
    static uint32_t from[MANY], to[MANY], got_from[MANY], got_to[MANY];
    (void)state;
    for (uint32_t i = 0; i < MANY; i++) {
        from[i] = 2 * i + i / 100 + 1;
        to[i] = UINT32_C(4000000000) + i + i / 7;
    }
    struct transfer t = {
        .uidvalidity = 7, .source_uids = from, .target_uids = to, .done = MANY, .count = MANY};
    for (size_t k = 0; k < sizeof(rooms) / sizeof(rooms[0]); k++) {
        struct arena a = {0};
        size_t at = 0, froms = 0, tos = 0, lines = 0;
        for (slice code; (code = imap_copyuid(&a, &t, rooms[k], &at)).n; lines++) {
            assert_true(code.n <= rooms[k] + sizeof("COPYUID 7 ") + 22);
            assert_true(slice_eat(&code, S("COPYUID 7 ")));
            read_set(&a, &code, got_from, &froms);
            assert_true(imap_space(&code));
            read_set(&a, &code, got_to, &tos);
            assert_int_equal(code.n, 0);
            assert_int_equal(froms, at);
            assert_int_equal(tos, at);
        }
        assert_int_equal(at, MANY);
        assert_memory_equal(got_from, from, sizeof(from));
        assert_memory_equal(got_to, to, sizeof(to));
        assert_true(rooms[k] > 100000 ? lines == 1 : lines > 10);
        arena_end(&a);
    }
}

/* ---- larger than out: the client takes it in steps ---- */

static struct buf text, all;

static slice ask(struct harness *h, const char *command)
{
    buf_clear(&all);
    h->slow_reader = true;
    harness_feed(h, slice_c(command));
    harness_feed(h, S("\r\n"));
    for (slice said; (said = harness_said(h)).n;) {
        assert_true(said.n <= LIMIT_OUT);
        buf_add(&all, said);
    }
    return buf_slice(&all);
}

/* All numbers of the COPYUID in what was said. */
static size_t pairs(struct arena *a, slice said, const char *before, uint32_t uids[])
{
    size_t sources = 0, targets = 0;
    uint64_t uidvalidity;
    ptrdiff_t at = slice_search(said, slice_c(before));
    assert_true(at >= 0);
    slice in = slice_skip(said, (size_t)at + slice_c(before).n);
    assert_true(imap_number(&in, UINT32_MAX, &uidvalidity) && imap_space(&in));
    read_set(a, &in, uids, &sources);
    assert_true(imap_space(&in));
    read_set(a, &in, uids + sources, &targets);
    assert_true(slice_starts(in, S("] ")));
    assert_int_equal(sources, targets);
    return sources;
}

static void test_long(void **state)
{
    enum { FIRST = 24, ALL = FIRST << 11, HALF = ALL / 2 };
    struct harness h = {0};
    struct arena a = {0};
    static uint32_t uids[2 * ALL];
    (void)state;
    text.max = all.max = 8 << 20;
    for (int i = 0; i < FIRST; i++)
        imap_post_append(&post, MAILBOX_INBOX, 0, S("a:b\r\n\r\n"));
    imap_post_start(&post, &h);
    ask(&h, "a SELECT INBOX");
    for (int n = FIRST; n < ALL; n *= 2)
        ask(&h, "b COPY 1:* INBOX");
    ask(&h, "c CREATE box");
    /* every second one, so that each is a range of its own; the command holds no more than so many
     */
    buf_printf(&text, "d UID STORE 2");
    for (uint32_t uid = 4; uid <= 30000; uid += 2)
        buf_printf(&text, ",%u", uid);
    buf_printf(&text, " +FLAGS.SILENT (\\Flagged)%c", '\0');
    ask(&h, buf_slice(&text).p);
    buf_clear(&text);
    buf_printf(&text, "d UID STORE 30002");
    for (uint32_t uid = 30004; uid <= ALL; uid += 2)
        buf_printf(&text, ",%u", uid);
    buf_printf(&text, " +FLAGS.SILENT (\\Flagged)%c", '\0');
    ask(&h, buf_slice(&text).p);
    ask(&h, "e UID SEARCH RETURN (SAVE) FLAGGED");
    slice said = ask(&h, "f UID COPY $ box");
    assert_true(said.n > LIMIT_OUT / 2);
    assert_int_equal(pairs(&a, said, "f OK [COPYUID ", uids), HALF);
    assert_true(uids[0] == 2 && uids[HALF - 1] == ALL && uids[HALF] == 1 && uids[ALL - 1] == HALF);
    said = ask(&h, "g UID MOVE $ box");
    assert_int_equal(pairs(&a, said, "* OK [COPYUID ", uids), HALF);
    assert_true(slice_ends(said, S("\r\ng OK Done\r\n")));
    assert_true(slice_ends(ask(&h, "h STATUS box (MESSAGES)"), S("h OK That is its status\r\n")));
    assert_true(slice_starts(buf_slice(&all), S("* STATUS box (MESSAGES 49152)\r\n")));
    buf_end(&text);
    buf_end(&all);
    harness_end(&h);
    arena_end(&a);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, imap_post_set_up, imap_post_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_split), TEST(test_long)};
    return TEST_RUN(tests);
}
