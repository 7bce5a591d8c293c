/* Encoded words: RFC 2047 section 8 examples, rule M5, and what real senders write. */
#include "message/word2047.h"

#include "base/rand.h"
#include "base/test.h"

static void test_decode(void **state)
{
    static const struct {
        const char *name, *in, *want;
    } rows[] = {
        {"plain", "Hello, world", "Hello, world"},
        {"2047 8: one word", "=?ISO-8859-1?Q?a?=", "a"},
        {"2047 8: two words, space", "=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"},
        {"2047 8: two words, fold", "=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=", "ab"},
        {"2047 8: word and text", "=?ISO-8859-1?Q?a?= b", "a b"},
        {"2047 8: underscore", "=?ISO-8859-1?Q?a_b?=", "a b"},
        {"2047 8: two charsets", "=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"},
        {"2047 8: B",
         "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n "
         "=?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
         "If you can read this you understand the example."},
        {"keld", "=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?=", "Keld Jørn Simonsen"},
        {"utf-8", "=?utf-8?B?6am/56uZ?=", "驿站"},
        {"M5: split character", "=?utf-8?B?6am/5w==?= =?utf-8?B?q5k=?=", "驿站"},
        {"M5: split character in Q", "=?utf-8?Q?=E9?=\r\n =?utf-8?Q?=A9=BF?=", "驿"},
        {"M5: split, B then Q", "=?utf-8?B?6am/5w==?= =?UTF-8?Q?=AB=99?=", "驿站"},
        {"M5: split GB18030", "=?gb2312?B?1tDO?= =?gb2312?B?xA==?=", "中文"},
        {"M5: language suffix", "=?utf-8*zh-CN?B?6am/56uZ?=", "驿站"},
        {"M5: unknown charset stays", "=?x-nonsense?Q?a=20b?= c", "=?x-nonsense?Q?a=20b?= c"},
        {"no end", "=?utf-8?Q?caf=C3=A9", "café"},
        {"no end, half of it", "=?utf-8?B?6am/56uZ?", "驿站"},
        {"no end, then a word", "=?utf-8?Q?a=?utf-8?Q?b?=", "ab"},
        {"raw spaces inside", "=?utf-8?Q?caf=C3=A9 noir?=", "café noir"},
        {"raw question mark inside", "=?utf-8?Q?what?_yes?=", "what? yes"},
        {"question mark before a code", "=?utf-8?Q?what?=C3=A9?=", "what?é"},
        {"folded in its middle", "=?utf-8?Q?caf\r\n \t =C3=A9_noir?= x", "café noir x"},
        {"folded in its middle, bare LF", "=?utf-8?B?6am\n /56uZ?=", "驿站"},
        {"no end, then folded", "=?utf-8?Q?caf=C3=A9\r\n noir x?=", "café noir x?="},
        {"no end, then a word on the next line", "=?utf-8?Q?a\r\n =?utf-8?Q?b?=", "ab"},
        {"touching text", "Re:=?utf-8?Q?caf=C3=A9?=!", "Re:café!"},
        {"quoted wrongly", "\"=?utf-8?Q?caf=C3=A9?=\"", "\"café\""},
        {"missing padding", "=?utf-8?B?Y2Fmw6k?=", "café"},
        {"bad encoding letter", "=?utf-8?X?abc?=", "=?utf-8?X?abc?="},
        {"no charset", "=??Q?abc?=", "=??Q?abc?="},
        {"raw UTF-8", "驿站 mail", "驿站 mail"},
        {"raw latin-1", "caf\xe9 noir", "café noir"},
        {"raw 8-bit before a word", "驿 =?utf-8?Q?caf=C3=A9?=", "驿 café"},
        {"folding", "a\r\n b\r\n\tc", "a b\tc"},
        {"bare LF folding", "a\n b", "a b"},
        {"line end in a word", "=?utf-8?Q?a=0D=0ABcc:_x?=", "a  Bcc: x"},
        {"NUL in a word", "=?utf-8?Q?a=00b?=", "ab"},
        {"iso-2022-jp", "=?ISO-2022-JP?B?GyRCRnxLXDhsGyhC?=", "日本語"},
        {"raw iso-2022-jp", "\x1b$BF|K\\8l\x1b(B", "日本語"},
        {"not a word", "a =? b ?= c", "a =? b ?= c"},
        {"only marks", "=?=?=?=?", "=?=?=?=?"},
        {"empty word",
         "=?utf-8?Q?"
         "?= x",
         " x"},
        {"empty", "", ""},
        {"lower case b", "=?UTF-8?b?6am/56uZ?=", "驿站"},
    };
    struct arena a = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        slice got = word2047_decode(&a, slice_c(rows[i].in));
        if (!slice_eq(got, slice_c(rows[i].want)))
            fail_msg("%s: got \"%.*s\"", rows[i].name, P(got));
    }
    arena_end(&a);
}

static void test_encode_text(void **state)
{
    static const struct {
        const char *name, *in, *want;
        size_t column;
    } rows[] = {
        {"plain", "Hello, world", "Hello, world", 9},
        {"one word of several", "The café is open", "The =?utf-8?B?Y2Fmw6k=?= is open", 9},
        {"neighbours are one run", "é à b", "=?utf-8?B?w6kgw6A=?= b", 9},
        {"mostly ASCII is Q", "Straßenverkehrsordnung, b",
         "=?utf-8?Q?Stra=C3=9Fenverkehrsordnung,?= b", 9},
        {"Chinese is B", "驿站", "=?utf-8?B?6am/56uZ?=", 9},
        {"looks encoded", "=?utf-8?Q?a?=", "=?utf-8?B?PT91dGYtOD9RP2E/PQ==?=", 9},
        {"folds at a space",
         "one two three four five six seven eight nine ten eleven twelve thirteen",
         "one two three four five six seven eight nine ten eleven twelve\r\n thirteen", 9},
        {"controls are spaces", "a\r\nBcc: b", "a  Bcc: b", 9},
        {"not UTF-8: detected", "caf\xe9", "=?utf-8?B?Y2Fmw6k=?=", 9},
        {"empty", "", "", 9},
        {"long", "驿站换马，书信继续北行；天明之前，必达京城。驿站换马，书信继续北行。",
         "=?utf-8?B?6am/56uZ5o2i6ams77yM5Lmm5L+h57un57ut5YyX6KGM77yb5aSp?=\r\n "
         "=?utf-8?B?5piO5LmL5YmN77yM5b+F6L6+5Lqs5Z+O44CC6am/56uZ5o2i6ams77yM5Lmm?=\r\n "
         "=?utf-8?B?5L+h57un57ut5YyX6KGM44CC?=",
         9},
    };
    struct arena a = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t column = rows[i].column;
        slice got = word2047_encode_text(&a, slice_c(rows[i].in), &column);
        if (!slice_eq(got, slice_c(rows[i].want)))
            fail_msg("%s: got \"%.*s\"", rows[i].name, P(got));
    }
    arena_end(&a);
}

static void test_encode_phrase(void **state)
{
    static const char *const rows[][2] = {
        {"One Two", "One Two"},
        {"J. Smith", "\"J. Smith\""},
        {"a \"b\" \\c", "\"a \\\"b\\\" \\\\c\""},
        {"Zoë (home)", "=?utf-8?B?Wm/DqyAoaG9tZSk=?="},
        {"张三", "=?utf-8?B?5byg5LiJ?="},
        {"Jørn", "=?utf-8?B?SsO4cm4=?="},
    };
    struct arena a = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_slice(word2047_encode_phrase(&a, slice_c(rows[i][0]), NULL), slice_c(rows[i][1]));
    arena_end(&a);
}

/* M5: words of at most 75, lines of at most 76, no character split, and the text comes back. */
static void test_round_trip(void **state)
{
    static const char *const pieces[] = {"a",  "Zz9", "-", "=?", "?=", "é", "驿", "𠮷",    "\"",
                                         "ß ", " ",   ",", "_",  ".",  "=", "?",  "word ", "站"};
    struct arena a = {0};
    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        char text[400];
        size_t n = 0;
        for (size_t k = rand_below(90); k; k--) {
            slice piece = slice_c(pieces[rand_below(sizeof(pieces) / sizeof(pieces[0]))]);
            if (piece.p[0] == ' ' && (n == 0 || text[n - 1] == ' '))
                continue;
            memcpy(text + n, piece.p, piece.n);
            n += piece.n;
        }
        while (n && text[n - 1] == ' ')
            n--;
        size_t column = 9;
        slice code = word2047_encode_text(&a, (slice){text, n}, &column), rest = code, line, word;
        assert_slice(word2047_decode(&a, code), ((slice){text, n}));
        bool first = true;
        while (slice_next(&rest, '\n', &line)) {
            line = slice_trim(line);
            if (slice_search(line, S("=?utf-8?")) >= 0)
                assert_true(line.n + (first ? 9 : 1) <= 76);
            first = false;
            while (slice_next(&line, ' ', &word))
                if (slice_starts(word, S("=?utf-8?"))) {
                    assert_true(word.n <= 75);
                    assert_true(slice_is_utf8(word2047_decode(&a, word)));
                }
        }
        slice phrase = word2047_encode_phrase(&a, (slice){text, n}, NULL);
        if (slice_starts(phrase, S("=?utf-8?")))
            assert_slice(word2047_decode(&a, phrase), ((slice){text, n}));
        arena_reset(&a);
    }
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_encode_text),
        cmocka_unit_test(test_encode_phrase),
        cmocka_unit_test(test_round_trip),
    };
    return TEST_RUN(tests);
}
