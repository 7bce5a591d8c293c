/* RFC 9051 6.4.4 and section 9, RFC 3501, 4731, 5032, 5182, 7162 3.1.5; rule I11. */
#include "base/test.h"

#include "base/buf.h"
#include "base/limits.h"
#include "imap/search_key.h"

static struct arena arena;

/* ---- the tree as text ---- */

static const char *const names[] = {
    [SEARCH_ALL] = "all",         [SEARCH_AND] = "and",
    [SEARCH_OR] = "or",           [SEARCH_NUMBERS] = "n",
    [SEARCH_UIDS] = "uid",        [SEARCH_SAVED] = "$",
    [SEARCH_FLAGS] = "flags",     [SEARCH_KEYWORD] = "keyword",
    [SEARCH_RECENT] = "recent",   [SEARCH_LARGER] = "larger",
    [SEARCH_SMALLER] = "smaller", [SEARCH_MODSEQ] = "modseq",
    [SEARCH_BEFORE] = "before",   [SEARCH_ON] = "on",
    [SEARCH_SINCE] = "since",     [SEARCH_OLDER] = "older",
    [SEARCH_YOUNGER] = "younger", [SEARCH_SENTBEFORE] = "sentbefore",
    [SEARCH_SENTON] = "senton",   [SEARCH_SENTSINCE] = "sentsince",
    [SEARCH_SUBJECT] = "subject", [SEARCH_FROM] = "from",
    [SEARCH_TO] = "to",           [SEARCH_CC] = "cc",
    [SEARCH_BCC] = "bcc",         [SEARCH_HEADER] = "header",
    [SEARCH_BODY] = "body",       [SEARCH_TEXT] = "text",
};

static void print(struct buf *out, const struct search_key *k)
{
    buf_printf(out, "%s%s", k->negate ? "!" : "", names[k->kind]);
    if (k->kind == SEARCH_AND || k->kind == SEARCH_OR) {
        buf_add(out, S("("));
        for (const struct search_key *c = k->child; c; c = c->next) {
            print(out, c);
            buf_add(out, c->next ? S(" ") : S(""));
        }
        buf_add(out, S(")"));
        return;
    }
    if (k->set.count)
        buf_printf(out, "=%.*s", P(imap_set_print(&arena, &k->set)));
    if (k->kind >= SEARCH_FLAGS && k->kind <= SEARCH_SENTSINCE && k->kind != SEARCH_KEYWORD &&
        k->kind != SEARCH_RECENT)
        buf_printf(out, "=%llu", (unsigned long long)k->number);
    if (k->name.n)
        buf_printf(out, "=%.*s", P(k->name));
    if (k->kind >= SEARCH_SUBJECT)
        buf_printf(out, "=\"%.*s\"", P(k->text));
}

static const struct search_context ten = {.messages = 10, .last_uid = 99};

static enum search_reading read_it(slice in, struct search *s, struct buf *out)
{
    enum search_reading r = search_read(&arena, in, &ten, s);
    if (r == SEARCH_READ)
        print(out, s->root);
    return r;
}

static void test_keys(void **state)
{
    static const struct {
        const char *in, *want; /* want NULL: BAD */
    } rows[] = {
        {"ALL", "and(all)"},
        {"all seen", "and(all flags=1)"},
        {"ANSWERED DELETED DRAFT FLAGGED SEEN", "and(flags=2 flags=8 flags=16 flags=4 flags=1)"},
        {"UNANSWERED UNDELETED UNDRAFT UNFLAGGED UNSEEN",
         "and(!flags=2 !flags=8 !flags=16 !flags=4 !flags=1)"},
        {"NEW", "and(and(recent !flags=1))"},
        {"OLD", "and(!recent)"},
        {"RECENT NOT NEW", "and(recent !and(recent !flags=1))"},
        {"KEYWORD $Junk UNKEYWORD Work", "and(keyword=$Junk !keyword=Work)"},
        {"LARGER 0 SMALLER 9223372036854775807", "and(larger=0 smaller=9223372036854775807)"},
        {"1:3,5", "and(n=1:3,5)"},
        {"*", "and(n=10)"},
        {"4:*", "and(n=4:10)"},
        {"UID 5:7,400", "and(uid=5:7,400)"},
        {"UID 500:*", "and(uid=99:500)"}, /* rule I6: the last one, always */
        {"$", "and($)"},
        {"UID $ SMALLER 4096", "and($ smaller=4096)"},
        {"(OR $ 1,3:5) TEXT {8+}\r\n\xd0\xbc\xd0\xb0\xd1\x82\xd1\x8c",
         "and(and(or($ n=1,3:5)) text=\"мать\")"},
        {"MODSEQ 620162338", "and(modseq=620162338)"},
        {"MODSEQ \"/flags/\\\\draft\" all 620162338", "and(modseq=620162338)"},
        {"OR NOT MODSEQ 720162338 LARGER 50000", "and(or(!modseq=720162338 larger=50000))"},
        {"BEFORE 1-Feb-1994", "and(before=8797)"},
        {"ON \"1-Feb-1994\" SINCE 01-feb-1994", "and(on=8797 since=8797)"},
        {"SENTBEFORE 1-Feb-1994 SENTON 2-Feb-1994 SENTSINCE 3-Feb-1994",
         "and(sentbefore=8797 senton=8798 sentsince=8799)"},
        {"OLDER 3600 YOUNGER 1", "and(older=3600 younger=1)"},
        {"FROM Smith", "and(from=\"smith\")"},
        {"SUBJECT \"A  \\\"B\\\"\" TO x CC y BCC z",
         "and(subject=\"a \"b\"\" to=\"x\" cc=\"y\" bcc=\"z\")"},
        {"HEADER Message-ID \"<A@B>\"", "and(header=Message-ID=\"<a@b>\")"},
        {"HEADER X-Spam: \"\"", "and(header=X-Spam=\"\")"},
        {"BODY {6}\r\n驿站 TEXT ÄPFEL", "and(body=\"驿站\" text=\"a\xcc\x88pfel\")"},
        {"NOT NOT SEEN", "and(flags=1)"},
        {"NOT UNSEEN", "and(flags=1)"},
        {"NOT (SEEN DRAFT)", "and(!and(flags=1 flags=16))"},
        {"OR SEEN DRAFT", "and(or(flags=1 flags=16))"},
        {"OR SEEN OR DRAFT OR ALL DELETED", "and(or(flags=1 flags=16 all flags=8))"},
        {"OR OR SEEN DRAFT (ALL DELETED)", "and(or(or(flags=1 flags=16) and(all flags=8)))"},
        {"NOT OR SEEN NOT OR DRAFT ALL", "and(!or(flags=1 !or(flags=16 all)))"},
        {"CHARSET UTF-8 FROM x", "and(from=\"x\")"},
        {"CHARSET \"us-ascii\" ALL", "and(all)"},
        {"CHARSET GB2312 SUBJECT {4}\r\n\xe6\xe4\xd5\xbe", "and(subject=\"驿站\")"},
        {"CHARSET BIG5 BODY {4}\r\n\xc5\xe6\xaf\xb8", "and(body=\"驛站\")"},
        {"CHARSET KOI8-R TEXT {4}\r\n\xcd\xc1\xd4\xd8", "and(text=\"мать\")"},

        {"", NULL},
        {" ALL", NULL},
        {"ALL ", NULL},
        {"ALL  SEEN", NULL},
        {"ALLE", NULL},
        {"FUZZY SUBJECT x", NULL},
        {"X-GM-RAW x", NULL},
        {"NOT", NULL},
        {"NOT ", NULL},
        {"OR SEEN", NULL},
        {"OR SEEN ", NULL},
        {"OR", NULL},
        {"()", NULL},
        {"(SEEN", NULL},
        {"SEEN)", NULL},
        {"(SEEN )", NULL},
        {"FROM", NULL},
        {"FROM ", NULL},
        {"FROM (x)", NULL},
        {"FROM {3}\r\nab", NULL},
        {"FROM \"a", NULL},
        {"FROM {1}\r\n\xff", NULL}, /* not UTF-8, no CHARSET */
        {"HEADER From", NULL},
        {"KEYWORD", NULL},
        {"KEYWORD \\Seen", NULL},
        {"KEYWORD (a)", NULL},
        {"LARGER", NULL},
        {"LARGER x", NULL},
        {"LARGER -1", NULL},
        {"LARGER 9223372036854775808", NULL},
        {"OLDER 0", NULL},
        {"BEFORE 31-Feb-1994", NULL},
        {"BEFORE 1994-02-01", NULL},
        {"BEFORE", NULL},
        {"0", NULL},
        {"11", NULL}, /* there are ten */
        {"4:11", NULL},
        {"1:", NULL},
        {"1x", NULL},
        {"UID", NULL},
        {"UID 0", NULL},
        {"UID a", NULL},
        {"UID 4294967296", NULL},
        {"$x", NULL},
        {"MODSEQ", NULL},
        {"MODSEQ 9223372036854775808", NULL},
        {"MODSEQ \"/flags/x\" 5", NULL},
        {"MODSEQ \"/flags/x\" some 5", NULL},
        {"CHARSET UTF-8", NULL},
        {"CHARSET", NULL},
        {"RETURN ALL", NULL},
        {"RETURN (", NULL},
        {"RETURN ()", NULL},
        {"RETURN (MIN) ", NULL},
        {"RETURN (MIN", NULL},
        {"RETURN (MIN MIDDLE) ALL", NULL},
        {"RETURN (PARTIAL 1:5 ALL) ALL", NULL},
        {"RETURN  (MIN) ALL", NULL},
        {"CHARSET UTF-8 RETURN (ALL) ALL", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct search s;
        struct buf out = {.max = 1000};
        enum search_reading r = read_it(slice_c(rows[i].in), &s, &out);
        if (r != (rows[i].want ? SEARCH_READ : SEARCH_BAD))
            fail_msg("%s: %d", rows[i].in, r);
        if (rows[i].want)
            assert_slice(buf_slice(&out), slice_c(rows[i].want));
        buf_end(&out);
    }
}

static void test_results(void **state)
{
    static const struct {
        const char *in;
        bool extended;
        unsigned want;
    } rows[] = {
        {"ALL", false, RESULT_ALL},
        {"RETURN () ALL", true, RESULT_ALL},
        {"return (min) ALL", true, RESULT_MIN},
        {"RETURN (MIN MAX COUNT ALL) ALL", true,
         RESULT_MIN | RESULT_MAX | RESULT_COUNT | RESULT_ALL},
        {"RETURN (SAVE) CHARSET UTF-8 ALL", true, RESULT_SAVE},
        {"RETURN (SAVE MIN) ALL", true, RESULT_SAVE | RESULT_MIN},
    };
    struct search s;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_int_equal(search_read(&arena, slice_c(rows[i].in), &ten, &s), SEARCH_READ);
        assert_int_equal(s.extended, rows[i].extended);
        assert_int_equal(s.results, rows[i].want);
    }
    /* what fails after RETURN still says whether SAVE was wanted (RFC 9051 6.4.4.1) */
    assert_int_equal(search_read(&arena, S("RETURN (SAVE) CHARSET X-NONE ALL"), &ten, &s),
                     SEARCH_BADCHARSET);
    assert_int_equal(s.results, RESULT_SAVE);
    assert_int_equal(search_read(&arena, S("SEEN MODSEQ 1"), &ten, &s), SEARCH_READ);
    assert_true(s.modseq);
}

static void test_context(void **state)
{
    struct search s;
    struct search_context utf8 = {.messages = 1, .last_uid = 1, .utf8 = true}, empty = {0};
    (void)state;
    assert_int_equal(search_read(&arena, S("CHARSET UTF-8 ALL"), &utf8, &s), SEARCH_BAD);
    assert_int_equal(search_read(&arena, S("FROM \"驿站\""), &utf8, &s), SEARCH_READ);
    assert_int_equal(search_read(&arena, S("1:*"), &empty, &s), SEARCH_READ);
    assert_int_equal(search_read(&arena, S("UID 1:*"), &empty, &s), SEARCH_READ);
    assert_int_equal(search_read(&arena, S("1"), &empty, &s), SEARCH_BAD);
}

static struct buf repeat(const char *what, size_t n, const char *end)
{
    struct buf b = {.max = 1 << 20};
    while (n--)
        buf_add(&b, slice_c(what));
    buf_add(&b, slice_c(end));
    return b;
}

static void test_limits(void **state)
{
    static const struct {
        const char *what;
        size_t n;
        const char *end;
        enum search_reading want;
    } rows[] = {
        {"SEEN ", LIMIT_SEARCH_KEYS - 2, "ALL", SEARCH_READ},
        {"SEEN ", LIMIT_SEARCH_KEYS - 1, "ALL", SEARCH_TOO_MUCH},
        {"OR SEEN ", LIMIT_SEARCH_KEYS - 3, "ALL", SEARCH_READ}, /* a chain is not deep */
        {"OR SEEN ", LIMIT_SEARCH_KEYS, "ALL", SEARCH_TOO_MUCH},
        {"BODY x TEXT y ", LIMIT_SEARCH_TEXTS / 2, "ALL", SEARCH_READ},
        {"OR BODY x ", LIMIT_SEARCH_TEXTS, "TEXT y", SEARCH_TOO_MUCH},
        {"NOT ", 30000, "ALL", SEARCH_READ},
        {"(", LIMIT_SEARCH_DEPTH, "ALL", SEARCH_TOO_MUCH},
        {"(", 200000, "ALL", SEARCH_TOO_MUCH},
        {"OR NOT ", 50000, "ALL", SEARCH_TOO_MUCH},
        {"OR OR ", 50000, "ALL", SEARCH_TOO_MUCH},
        {"TEXT \"", 1, "", SEARCH_BAD},
    };
    struct search s;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct buf b = repeat(rows[i].what, rows[i].n, rows[i].end);
        enum search_reading r = search_read(&arena, buf_slice(&b), &ten, &s);
        if (r != rows[i].want)
            fail_msg("%zu times %s: %d", rows[i].n, rows[i].what, r);
        buf_end(&b);
    }
    struct buf b = {.max = 1 << 20}, long_string = repeat("x", LIMIT_SEARCH_STRING + 1, "");
    buf_printf(&b, "TEXT %.*s", P(buf_slice(&long_string)));
    assert_int_equal(search_read(&arena, buf_slice(&b), &ten, &s), SEARCH_TOO_MUCH);
    buf_end(&b);
    buf_end(&long_string);
}

static uint64_t bit_of(void *ctx, slice name)
{
    (void)ctx;
    return slice_eq_icase(name, S("Work")) ? 1 << 8 : 0;
}

static void test_keywords(void **state)
{
    struct search s;
    struct buf out = {.max = 1000};
    (void)state;
    assert_int_equal(search_read(&arena, S("OR KEYWORD work UNKEYWORD None"), &ten, &s),
                     SEARCH_READ);
    search_keywords(&s, bit_of, NULL);
    const struct search_key * or = s.root->child;
    assert_int_equal(or->child->number, 1 << 8);
    assert_int_equal(or->child->next->number, 0);
    buf_end(&out);
}

static int end_arena(void **state)
{
    (void)state;
    arena_end(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),     cmocka_unit_test(test_results),
        cmocka_unit_test(test_context),  cmocka_unit_test(test_limits),
        cmocka_unit_test(test_keywords),
    };
    return cmocka_run_group_tests(tests, NULL, end_arena);
}
