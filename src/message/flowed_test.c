/* format=flowed: RFC 3676 section 4, rule M9. */
#include "message/flowed.h"

#include "base/rand.h"
#include "base/test.h"

static void test_decode(void **state)
{
    static const struct {
        const char *name, *in, *want;
        bool delsp;
    } rows[] = {
        {"fixed lines", "a\r\nb\r\n", "a\nb\n", false},
        {"4.1 soft line", "one \r\ntwo\r\n", "one two\n", false},
        {"4.1 DelSp", "驿站 \r\n换马\r\n", "驿站换马\n", true},
        {"4.2 DelSp keeps one of two", "one  \r\ntwo\r\n", "one two\n", true},
        {"4.3 signature never flows", "a \r\n-- \r\nme\r\n", "a \n-- \nme\n", false},
        {"4.4 stuffed space", " From me\r\n  two\r\n", "From me\n two\n", false},
        {"4.4 stuffed quote", " > no quote\r\n", "> no quote\n", false},
        {"4.5 quoted", "> one \r\n> two\r\n>> deep\r\nout\r\n", "> one two\n>> deep\nout\n", false},
        {"4.5 depth changes end a paragraph", "> one \r\ntwo\r\n", "> one \ntwo\n", false},
        {"quoted without stuffing", ">one \r\n>two\r\n", "> one two\n", false},
        {"quoted signature", "> a\r\n> -- \r\n> b\r\n", "> a\n> -- \n> b\n", false},
        {"empty line ends a paragraph", "a \r\n\r\nb\r\n", "a \nb\n", false},
        {"LF lines", "one \ntwo\n", "one two\n", false},
        {"no end", "one \r\ntwo", "one two", false},
        {"empty", "", "", false},
    };
    struct arena a = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        slice got = flowed_decode(&a, slice_c(rows[i].in), rows[i].delsp);
        if (!slice_eq(got, slice_c(rows[i].want)))
            fail_msg("%s: got \"%.*s\"", rows[i].name, P(got));
    }
    arena_end(&a);
}

static void test_encode(void **state)
{
    static const struct {
        const char *name, *in, *want;
        bool delsp;
    } rows[] = {
        {"short", "Hello\n", "Hello\r\n", false},
        {"trailing spaces go", "Hello  \n", "Hello\r\n", false},
        {"signature", "a\n-- \nme\n", "a\r\n-- \r\nme\r\n", false},
        {"stuffing", " x\nFrom y\n", "  x\r\n From y\r\n", false},
        {"quoted", ">> deep\n>less\n", ">> deep\r\n> less\r\n", false},
        {"wraps at 72",
         "aaaaaaaaa bbbbbbbbb ccccccccc ddddddddd eeeeeeeee fffffffff ggggggggg hhhhhhhhh iii\n",
         "aaaaaaaaa bbbbbbbbb ccccccccc ddddddddd eeeeeeeee fffffffff ggggggggg \r\nhhhhhhhhh "
         "iii\r\n",
         false},
        {"a long word stays",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaa\n",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aa\r\n",
         false},
        {"Chinese with DelSp",
         "驿站换马书信继续北行天明之前必达京城驿站换马书信继续北行天明之前必达京城驿站\n",
         "驿站换马书信继续北行天明之前必达京城驿站换马书信继续北行天明之前必达京城 \r\n驿站\r\n",
         true},
        {"empty lines", "\n\na\n", "\r\n\r\na\r\n", false},
        {"stray carriage returns at the end", "a \r \r\r\n", "a\r\n", false},
    };
    struct arena a = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        slice got = flowed_encode(&a, slice_c(rows[i].in), rows[i].delsp);
        if (!slice_eq(got, slice_c(rows[i].want)))
            fail_msg("%s: got \"%.*s\"", rows[i].name, P(got));
    }
    arena_end(&a);
}

/* What is written is read back, and no line is long while there is a place to break it. */
static void test_round_trip(void **state)
{
    static const char *const words[] = {"a",  "letter", "驿站", "-- ",   "From ", " ",      "  ",
                                        "x.", "\n",     "\n> ", "\n>> ", "north", "\n-- \n"};
    struct arena a = {0};
    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        char text[1000];
        size_t n = 0;
        bool delsp = round % 2;
        for (size_t k = rand_below(100); k; k--) {
            slice word = slice_c(words[rand_below(sizeof(words) / sizeof(words[0]))]);
            memcpy(text + n, word.p, word.n);
            n += word.n;
        }
        text[n++] = '\n';
        slice once = flowed_decode(&a, flowed_encode(&a, (slice){text, n}, delsp), delsp);
        slice twice = flowed_decode(&a, flowed_encode(&a, once, delsp), delsp);
        assert_slice(twice, once);
        /* The same letters as before; only spaces at line ends and before quotes may differ. */
        size_t i = 0, k = 0;
        for (;; i++, k++) {
            while (i < n && (text[i] == ' ' || text[i] == '\n'))
                i++;
            while (k < once.n && (once.p[k] == ' ' || once.p[k] == '\n'))
                k++;
            if (i >= n || k >= once.n)
                break;
            assert_int_equal(text[i], once.p[k]);
        }
        assert_true(i >= n && k >= once.n);
        arena_reset(&a);
    }
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_round_trip),
    };
    return TEST_RUN(tests);
}
