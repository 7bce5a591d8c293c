/* RFC 5321 4.5.2, 4.1.1.4; rules S3, S4, S5: tables, and every way to cut each row in two. */
#include "smtp/dot.h"

#include "base/buf.h"
#include "base/test.h"
#include "base/limits.h"
#include "base/banned.h"

/* Reads in, cut after cut bytes, into out; returns how many bytes it took. */
static size_t read_cut(struct dot *d, slice in, size_t cut, struct buf *out)
{
    size_t at = 0;
    while (at < in.n && !d->ended) {
        slice piece = at < cut ? slice_sub(in, at, cut) : slice_skip(in, at), run;
        at += dot_read(d, piece, &run);
        buf_add(out, run);
    }
    return at;
}

static void test_read(void **state)
{
    static const struct {
        const char *name, *in, *text;
        size_t left; /* bytes behind the end of the message; SIZE_MAX: it does not end */
        bool bare;
    } rows[] = {
        {"empty", ".\r\n", "", 0, false},
        {"one line", "a\r\n.\r\nQUIT\r\n", "a\r\n", 6, false},
        {"blank lines", "\r\n\r\n.\r\n", "\r\n\r\n", 0, false},
        {"stuffed", "..\r\n...a\r\n.b\r\na.b\r\n.\r\n", ".\r\n..a\r\nb\r\na.b\r\n", 0, false},
        {"dot in mid-line", "a\r\nb.\r\n.\r\n", "a\r\nb.\r\n", 0, false},
        {"dots only", "...\r\n.\r\n", "..\r\n", 0, false},
        {"S3 LF.LF", "a\n.\n", NULL, SIZE_MAX, true},
        {"S3 LF.CRLF", "a\n.\r\n", NULL, SIZE_MAX, true},
        {"S3 CR.CR", "a\r.\r", NULL, SIZE_MAX, true},
        {"S3 CRLF.LF", "a\r\n.\n", NULL, SIZE_MAX, true},
        {"S3 CRLF.CR", "a\r\n.\rb", NULL, SIZE_MAX, true},
        {"S3 CR.CRLF", "a\r.\r\n", NULL, SIZE_MAX, true},
        {"S3 CR.LF", "a\r.\n", NULL, SIZE_MAX, true},
        {"S3 CRLF.CRCRLF", "a\r\n.\r\r\n", NULL, SIZE_MAX, true},
        {"a bare LF, then the true end", "a\nb\r\n.\r\n", NULL, 0, true},
        {"a bare CR, then the true end", "a\rb\r\n.\r\n", NULL, 0, true},
        {"CRCRLF ends a line, and is refused", "a\r\r\n.\r\n", NULL, 0, true},
        {"LF first", "\n.\r\n", NULL, SIZE_MAX, true},
        {"LFCRLF", "\n\r\n.\r\n", NULL, 0, true},
        {"NUL and 8-bit pass", "a\xff\x80\r\n.\r\n", "a\xff\x80\r\n", 0, false},
        {"open", "abc", "abc", SIZE_MAX, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        slice in = slice_c(rows[i].in);
        for (size_t cut = 0; cut <= in.n; cut++) {
            struct dot d = {0};
            struct buf out = {.max = 4096};
            size_t took = read_cut(&d, in, cut, &out);
            if (d.bare != rows[i].bare || d.ended != (rows[i].left != SIZE_MAX) ||
                (d.ended && in.n - took != rows[i].left))
                fail_msg("%s, cut at %zu: bare %d ended %d took %zu", rows[i].name, cut, d.bare,
                         d.ended, took);
            if (rows[i].text)
                assert_slice(buf_slice(&out), slice_c(rows[i].text));
            buf_end(&out);
        }
    }
}

static void test_long_line(void **state)
{
    (void)state;
    static char block[65536];
    memset(block, 'a', sizeof(block));
    struct dot d = {0};
    slice run;
    for (size_t n = 0; n < LIMIT_SMTP_TEXT_LINE; n += sizeof(block))
        assert_int_equal(dot_read(&d, (slice){block, sizeof(block)}, &run), sizeof(block));
    assert_false(d.long_line);
    dot_read(&d, S("a"), &run);
    assert_true(d.long_line);
}

static bool put(void *ctx, slice run)
{
    return buf_add(ctx, run);
}

static void write_cut(slice in, size_t cut, struct buf *out)
{
    struct dot_writer w = {.put = put, .ctx = out};
    assert_true(dot_write(&w, slice_sub(in, 0, cut)));
    assert_true(dot_write(&w, slice_skip(in, cut)));
    assert_true(dot_write_end(&w));
}

static void test_write(void **state)
{
    static const struct {
        const char *name, *in, *want;
    } rows[] = {
        {"empty", "", ".\r\n"},
        {"plain", "a\r\nb\r\n", "a\r\nb\r\n.\r\n"},
        {"S5 the last line is ended", "a", "a\r\n.\r\n"},
        {"S5 but not twice", "a\r\n\r\n", "a\r\n\r\n.\r\n"},
        {"S5 stuffed, the first line too", ".\r\n..a\r\nb.c\r\n.",
         "..\r\n...a\r\nb.c\r\n..\r\n.\r\n"},
        {"S4 bare LF", "a\n.b\n", "a\r\n..b\r\n.\r\n"},
        {"S4 bare CR", "a\r.b\r", "a\r\n..b\r\n.\r\n"},
        {"S4 LFCR", "a\n\rb", "a\r\n\r\nb\r\n.\r\n"},
        {"S4 CRCRLF", "a\r\r\nb", "a\r\n\r\nb\r\n.\r\n"},
        {"S4 CRLFLF", "a\r\n\n.", "a\r\n\r\n..\r\n.\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t cut = 0; cut <= strlen(rows[i].in); cut++) {
            struct buf out = {.max = 4096};
            write_cut(slice_c(rows[i].in), cut, &out);
            if (!slice_eq(buf_slice(&out), slice_c(rows[i].want)))
                fail_msg("%s, cut at %zu: \"%.*s\"", rows[i].name, cut, P(buf_slice(&out)));
            buf_end(&out);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_write),
    };
    return TEST_RUN(tests);
}
