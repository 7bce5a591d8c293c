/* Dot-stuffing and TOP (RFC 1939 section 3 and 7; rules P2, P7, P11): whole and cut at every byte.
 */
#include "pop3/stuff.h"

#include "base/test.h"
#include "base/banned.h"

#define ALL UINT64_MAX

#define T(text)                                                                                    \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static const struct row {
    const char *name;
    slice in;
    uint64_t lines;
    bool ascii;
    slice want;
} rows[] = {
    {"plain", T("A: b\r\n\r\nx\r\n"), ALL, true, T("A: b\r\n\r\nx\r\n.\r\n")},
    {"empty", T(""), ALL, true, T(".\r\n")},
    {"dot first", T(".\r\n"), ALL, true, T("..\r\n.\r\n")},
    {"dots in header and body", T("A: b\r\n.c\r\n\r\n.\r\n..\r\na.b\r\n"), ALL, true,
     T("A: b\r\n..c\r\n\r\n..\r\n...\r\na.b\r\n.\r\n")},
    {"no CRLF at the end", T("A: b\r\n\r\nx"), ALL, true, T("A: b\r\n\r\nx\r\n.\r\n")},
    {"CR at the end", T("A: b\r\n\r\nx\r"), ALL, true, T("A: b\r\n\r\nx\r\r\n.\r\n")},
    {"a dot behind a bare LF", T("A: b\n\n.\nx\n"), ALL, true, T("A: b\n\n..\nx\n.\r\n")},
    {"8-bit header masked", T("A: \xe9\xa9\xbf\r\n\r\n\xe9\xa9\xbf\r\n"), ALL, true,
     T("A: ???\r\n\r\n\xe9\xa9\xbf\r\n.\r\n")},
    {"8-bit header in UTF8 mode", T("A: \xe9\xa9\xbf\r\n\r\n\xe9\xa9\xbf\r\n"), ALL, false,
     T("A: \xe9\xa9\xbf\r\n\r\n\xe9\xa9\xbf\r\n.\r\n")},
    {"a fold of a space is not the end", T("A: b\r\n \r\nB: \xff\r\n\r\n"), ALL, true,
     T("A: b\r\n \r\nB: ?\r\n\r\n.\r\n")},
    {"no header", T("\r\n\xff\r\n"), ALL, true, T("\r\n\xff\r\n.\r\n")},
    {"TOP 0", T("A: b\r\n\r\n1\r\n2\r\n"), 0, true, T("A: b\r\n\r\n.\r\n")},
    {"TOP 1", T("A: b\r\n\r\n1\r\n2\r\n"), 1, true, T("A: b\r\n\r\n1\r\n.\r\n")},
    {"TOP 1 of a dot", T("A: b\r\n\r\n.\r\n2\r\n"), 1, true, T("A: b\r\n\r\n..\r\n.\r\n")},
    {"TOP counts blank lines", T("A: b\r\n\r\n\r\n\r\n2\r\n"), 2, true,
     T("A: b\r\n\r\n\r\n\r\n.\r\n")},
    {"TOP beyond the end", T("A: b\r\n\r\n1\r\n2"), 9, true, T("A: b\r\n\r\n1\r\n2\r\n.\r\n")},
    {"TOP without a body", T("A: b\r\n"), 9, true, T("A: b\r\n.\r\n")},
};

/* In pieces that end at first, then every step bytes. */
static void check(const struct row *row, size_t first, size_t step)
{
    struct stuffing t = {.ascii_header = row->ascii, .body_lines = row->lines};
    struct buf out = {.max = 4096};
    size_t from = 0, to = first;
    while (from < row->in.n) {
        stuff_add(&t, slice_sub(row->in, from, to), &out);
        from = to;
        to += step;
    }
    stuff_end(&t, &out);
    if (!slice_eq(buf_slice(&out), row->want))
        fail_msg("%s (cut at %zu, every %zu): got \"%.*s\"", row->name, first, step,
                 P(buf_slice(&out)));
    buf_end(&out);
}

static void test_rows_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check(&rows[i], rows[i].in.n + 1, 1);
        check(&rows[i], 1, 1);
        for (size_t cut = 1; cut < rows[i].in.n; cut++)
            check(&rows[i], cut, rows[i].in.n);
    }
}

/* The worst growth is known, so that one step always fits into out. */
static void test_growth_is_bounded(void **state)
{
    (void)state;
    char in[3000];
    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = i % 2 ? '\n' : '.';
    struct stuffing t = {.body_lines = ALL};
    struct buf out = {.max = sizeof(in) * 3 / 2 + 2};
    stuff_add(&t, (slice){in, sizeof(in)}, &out);
    assert_false(out.full);
    buf_end(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_cut_anywhere),
        cmocka_unit_test(test_growth_is_bounded),
    };
    return TEST_RUN(tests);
}
