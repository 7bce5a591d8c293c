/* RFC 9051 6.4.5 and 9, RFC 3501 6.4.5, RFC 7162 3.1.4 and 3.2.6, RFC 3516 4.2, RFC 8970 3 and 4.
 */
#include "base/test.h"

#include "base/limits.h"
#include "imap/fetch_items.h"
#include "message/out.h"

static struct arena arena;

static int teardown(void **state)
{
    (void)state;
    arena_end(&arena);
    return 0;
}

/* "BODY[TEXT]<0>=7! " for each item: "=" the length of a partial, "!" when \Seen is set. */
static slice show(const struct fetch_items *f)
{
    struct out o = {.arena = &arena};
    for (size_t i = 0; i < f->count; i++) {
        const struct fetch_item *item = &f->items[i];
        assert_true(slice_ends(item->label, S(" ")));
        out_add(&o, i ? S(" ") : S(""));
        out_add(&o, slice_sub(item->label, 0, item->label.n - 1));
        if (item->partial)
            out_printf(&o, "=%llu", (unsigned long long)item->length);
        assert_true(fetch_has(f, item->kind));
    }
    if (f->marks_seen)
        out_add(&o, S(" !"));
    if (f->has_changedsince)
        out_printf(&o, " since %llu", (unsigned long long)f->changedsince);
    if (f->vanished)
        out_add(&o, S(" vanished"));
    return out_slice(&o);
}

static void test_items(void **state)
{
    static const struct {
        const char *in, *want; /* NULL: refused */
    } rows[] = {
        {"FLAGS", "FLAGS"},
        {"flags", "FLAGS"},
        {"(FLAGS)", "FLAGS"},
        {"(UID FLAGS UID)", "UID FLAGS"},
        {"(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE UID MODSEQ PREVIEW)",
         "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE UID MODSEQ PREVIEW"},
        {"ALL", "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE"},
        {"fast", "FLAGS INTERNALDATE RFC822.SIZE"},
        {"FULL", "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY"},
        {"(ALL)", NULL}, /* "must be used by itself" */
        {"ALL FLAGS", NULL},
        {"RFC822", "RFC822 !"},
        {"RFC822.HEADER", "RFC822.HEADER"},
        {"RFC822.TEXT", "RFC822.TEXT !"},
        {"RFC822.PEEK", NULL},
        {"BODY[]", "BODY[] !"},
        {"body.peek[]", "BODY[]"},
        {"(BODY.PEEK[HEADER] BODY[TEXT])", "BODY[HEADER] BODY[TEXT] !"},
        {"BODY[1]", "BODY[1] !"},
        {"BODY.PEEK[1.2.3.mime]", "BODY[1.2.3.MIME]"},
        {"BODY.PEEK[4.2.HEADER]", "BODY[4.2.HEADER]"},
        {"BODY.PEEK[4.2.TEXT]", "BODY[4.2.TEXT]"},
        {"BODY.PEEK[header.fields (From to)]", "BODY[HEADER.FIELDS (From to)]"},
        {"BODY.PEEK[2.HEADER.FIELDS.NOT (\"Subject\" {4}\r\nDate)]<3.5>",
         "BODY[2.HEADER.FIELDS.NOT (Subject Date)]<3>=5"},
        {"BODY.PEEK[HEADER.FIELDS (\"a b\\\"\")]", "BODY[HEADER.FIELDS (\"a b\\\"\")]"},
        {"BODY[]<0.2048>", "BODY[]<0>=2048 !"},
        {"BODY[]<9223372036854775807.9223372036854775807>",
         "BODY[]<9223372036854775807>=9223372036854775807 !"},
        {"BODY[]<9223372036854775808.1>", NULL},
        {"BODY[]<0.0>", NULL}, /* nz-number64 */
        {"BODY[]<0>", NULL},
        {"BODY[]<0.1", NULL},
        {"BODY<0.1>", NULL},
        {"BODY[", NULL},
        {"BODY[]]", NULL},
        {"BODY[0]", NULL},
        {"BODY[01]", NULL},
        {"BODY[1.]", NULL},
        {"BODY[.1]", NULL},
        {"BODY[1..2]", NULL},
        {"BODY[4294967295]", "BODY[4294967295] !"},
        {"BODY[4294967296]", NULL},
        {"BODY[MIME]", NULL}, /* "MUST be prefixed by one or more numeric part specifiers" */
        {"BODY[HEADER.1]", NULL},
        {"BODY[HEADER.FIELDS]", NULL},
        {"BODY[HEADER.FIELDS ()]", NULL},
        {"BODY[HEADER.FIELDS (a) ]", NULL},
        {"BODY[HEADER.FIELDS (\"\")]", NULL},
        {"BODY[HEADER.FIELDS (\"a\xc3\xa4\")]", NULL},
        {"BODY[HEADERS]", NULL},
        {"BODY [TEXT]", NULL},
        {"BINARY[]", "BINARY[] !"},
        {"BINARY[1.2]", "BINARY[1.2] !"},
        {"BINARY.PEEK[2]<10.20>", "BINARY[2]<10>=20"},
        {"BINARY.SIZE[2]", "BINARY.SIZE[2]"},
        {"BINARY.SIZE[2]<0.1>", NULL},
        {"BINARY[TEXT]", NULL},
        {"BINARY[1.MIME]", NULL},
        {"BINARY", NULL},
        {"PREVIEW (LAZY)", "PREVIEW"},
        {"(PREVIEW (LAZY) UID)", "PREVIEW UID"},
        {"PREVIEW (EAGER)", NULL},
        {"PREVIEW (LAZY", NULL},
        {"X-GM-LABELS", NULL},
        {"", NULL},
        {"()", NULL},
        {"(FLAGS ", NULL},
        {"(FLAGS )", NULL},
        {"(FLAGS  UID)", NULL},
        {"(FLAGS) ", NULL},
        {"((FLAGS))", NULL},
        {"FLAGS UID", NULL},
        {"FLAGS (CHANGEDSINCE 12345)", "FLAGS MODSEQ since 12345"},
        {"(MODSEQ FLAGS) (changedsince 9223372036854775807)",
         "MODSEQ FLAGS since 9223372036854775807"},
        {"FLAGS (CHANGEDSINCE 9223372036854775808)", NULL},
        {"FLAGS (CHANGEDSINCE)", NULL},
        {"FLAGS (CHANGEDSINCE 1 CHANGEDSINCE 2)", NULL},
        {"FLAGS (CHANGEDSINCE 12345 VANISHED)", "FLAGS MODSEQ since 12345 vanished"},
        {"FLAGS (VANISHED CHANGEDSINCE 12345)", "FLAGS MODSEQ since 12345 vanished"},
        {"FLAGS (VANISHED VANISHED)", NULL},
        {"FLAGS (VANISHED)", "FLAGS vanished"}, /* the command refuses it */
        {"FLAGS (UNCHANGEDSINCE 1)", NULL},
        {"FLAGS ()", NULL},
        {"ALL (CHANGEDSINCE 1)", "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE MODSEQ since 1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fetch_items f;
        bool good = fetch_items_parse(&arena, slice_c(rows[i].in), &f);
        if (good != (rows[i].want != NULL))
            fail_msg("%s", rows[i].in);
        if (good)
            assert_slice(show(&f), slice_c(rows[i].want));
    }
}

/* base/limits.h: LIMIT_IMAP_FETCH, LIMIT_IMAP_FIELDS, LIMIT_IMAP_PART. */
static void test_caps(void **state)
{
    static const struct {
        const char *head, *middle, *tail;
        size_t most;
    } rows[] = {
        {"(BODY[]", " BODY[]", ")", LIMIT_IMAP_FETCH},
        {"BODY[HEADER.FIELDS (a", " b", ")]", LIMIT_IMAP_FIELDS},
        {"BODY[1", ".1", "]", LIMIT_IMAP_PART / 2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t over = 0; over < 2; over++) {
            struct out o = {.arena = &arena};
            struct fetch_items f;
            out_add(&o, slice_c(rows[i].head));
            for (size_t n = 1; n < rows[i].most + over; n++)
                out_add(&o, slice_c(rows[i].middle));
            out_add(&o, slice_c(rows[i].tail));
            assert_int_equal(fetch_items_parse(&arena, out_slice(&o), &f), over == 0);
        }
}

static void test_lead(void **state)
{
    struct fetch_items f;
    (void)state;
    assert_true(fetch_items_parse(&arena, S("(FLAGS ENVELOPE)"), &f));
    fetch_items_lead(&arena, &f, FETCH_UID);
    fetch_items_lead(&arena, &f, FETCH_FLAGS);
    fetch_items_add(&arena, &f, FETCH_MODSEQ);
    assert_slice(show(&f), S("UID FLAGS ENVELOPE MODSEQ"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_items, teardown),
        cmocka_unit_test_teardown(test_caps, teardown),
        cmocka_unit_test_teardown(test_lead, teardown),
    };
    return TEST_RUN(tests);
}
