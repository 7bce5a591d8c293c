/* Rule I15: what an APPEND keeps exactly, what it converts, what it refuses. */
#include "store/fixture.h"

#include "imap/incoming.h"
#include "message/header.h"

static struct store *store;
static struct arena arena;

/* The bytes as they would be stored; sent in pieces of step. */
static slice come(struct incoming *m, slice in, size_t step, bool utf8)
{
    static struct mailbox_append append;
    static struct store_body body;
    slice bytes = S("");
    m->internaldate_ms = 5;
    assert_true(incoming_open(m, store, 1000));
    for (size_t i = 0; i < in.n; i += step)
        incoming_add(m, slice_sub(in, i, i + step));
    memset(&append, 0, sizeof(append));
    incoming_finish(m, &arena, utf8, &append, &body);
    if (m->fault == INCOMING_GOOD) {
        assert_true(spool_bytes(m->spool, &bytes));
        assert_int_equal(append.body_bytes, bytes.n);
        assert_int_equal(append.internaldate_ms, 5);
        bytes = arena_dup(&arena, bytes);
    }
    incoming_close(m);
    incoming_close(m);
    return bytes;
}

static void test_line_ends(void **state)
{
    static const struct {
        const char *in, *want;
        bool binary;
    } rows[] = {
        {"Subject: a\r\n\r\nb\r\n", "Subject: a\r\n\r\nb\r\n", false},
        {"Subject: a\n\nb\n", "Subject: a\r\n\r\nb\r\n", false},
        {"Subject: a\n\nb", "Subject: a\r\n\r\nb", false},
        {"Subject: a\n\nb\r\nc\n", "Subject: a\r\n\r\nb\r\nc\r\n", false},
        /* CRLF in front: exactly, also where a lone LF or CR stands */
        {"Subject: a\r\n\r\nb\nc\rd\r\n", "Subject: a\r\n\r\nb\nc\rd\r\n", false},
        {"\nb\n", "\r\nb\r\n", false},
        {"no line end", "no line end", false},
        {"a\rb\n", "a\rb\r\n", false},
        /* a literal8 is exact */
        {"Subject: a\n\nb\n", "Subject: a\n\nb\n", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (size_t step = 1; step < 20; step++) {
            struct incoming m = {.binary = rows[i].binary};
            assert_slice(come(&m, slice_c(rows[i].in), step, false), slice_c(rows[i].want));
        }
}

static void test_faults(void **state)
{
    static const struct {
        slice in;
        bool binary, utf8;
        enum incoming_fault want;
    } rows[] = {
        {{"A: b\r\n\r\nx\0y", 11}, false, false, INCOMING_NUL},
        {{"A: b\r\n\r\nx\0y", 11}, true, false, INCOMING_GOOD},
        {{"A: \xc3\xa9\r\n\r\nx", 10}, false, false, INCOMING_8BIT},
        {{"A: \xc3\xa9\r\n\r\nx", 10}, true, false, INCOMING_8BIT},
        {{"A: \xc3\xa9\r\n\r\nx", 10}, false, true, INCOMING_GOOD},
        {{"A: b\r\n\r\n\xc3\xa9", 10}, false, false, INCOMING_GOOD}, /* the body may */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct incoming m = {.binary = rows[i].binary};
        come(&m, rows[i].in, 3, rows[i].utf8);
        if (m.fault != rows[i].want)
            fail_msg("row %zu: %d", i, m.fault);
    }
    /* 900 line ends as LF fit into 1,000 bytes, as CRLF they do not */
    char lf[900];
    memset(lf, '\n', sizeof(lf));
    struct incoming m = {0};
    come(&m, (slice){lf, sizeof(lf)}, 64, false);
    assert_int_equal(m.fault, INCOMING_TOO_BIG);
}

static int set_up(void **state)
{
    fixture_setup(state);
    store = fixture_open(fixture_path);
    return 0;
}

static int tear_down(void **state)
{
    store_close(store);
    arena_end(&arena);
    return fixture_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_line_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_faults, set_up, tear_down),
    };
    return TEST_RUN(tests);
}
