/* RFC 9051 7.5.2: "Extension data is never returned with the BODY fetch"; rule I14. */
#include "base/test.h"

#include "imap/structure.h"
#include "message/bodystructure.h"

static struct arena arena;

static int teardown(void **state)
{
    (void)state;
    arena_end(&arena);
    return 0;
}

static void test_texts(void **state)
{
    static const struct {
        const char *in, *want; /* NULL: refused */
    } rows[] = {
        {"(\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"7bit\" 10 2 NIL NIL NIL NIL)",
         "(\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"7bit\" 10 2)"},
        {"(\"image\" \"png\" NIL \"<a)b>\" \"x\\\")\" \"base64\" 10 NIL (\"inline\" NIL) NIL NIL)",
         "(\"image\" \"png\" NIL \"<a)b>\" \"x\\\")\" \"base64\" 10)"},
        {"(\"image\" \"png\" NIL NIL {3}\r\n(() \"base64\" 10 NIL NIL NIL NIL)",
         "(\"image\" \"png\" NIL NIL {3}\r\n(() \"base64\" 10)"},
        {"((\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1 NIL NIL NIL NIL)"
         "(\"a\" \"b\" NIL NIL NIL \"7bit\" 1 NIL NIL (\"de\" \"en\") NIL)"
         " \"mixed\" (\"boundary\" \"x\") NIL NIL NIL)",
         "((\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1)(\"a\" \"b\" NIL NIL NIL \"7bit\" 1)"
         " \"mixed\")"},
        {"(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 9 (NIL NIL ((NIL NIL \"a\" \"b\")) NIL)"
         " (\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1 NIL NIL NIL NIL) 5 NIL NIL NIL NIL)",
         "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 9 (NIL NIL ((NIL NIL \"a\" \"b\")) NIL)"
         " (\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 1) 5)"},
        {"(\"message\" \"delivery-status\" NIL NIL NIL \"7bit\" 9 NIL NIL NIL NIL)",
         "(\"message\" \"delivery-status\" NIL NIL NIL \"7bit\" 9)"},
        {"", NULL},
        {"()", NULL},
        {"(\"text\" \"plain\"", NULL},
        {"(\"text\" \"plain\" NIL NIL NIL \"7bit\" 10 2) x", NULL},
        {"((((((", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        slice body;
        bool good = structure_short(&arena, slice_c(rows[i].in), &body);
        if (good != (rows[i].want != NULL))
            fail_msg("%s", rows[i].in);
        if (good)
            assert_slice(body, slice_c(rows[i].want));
    }
}

/* As deep as the parser goes. */
static void test_deep(void **state)
{
    struct mime m;
    slice message = S(""), body;
    (void)state;
    for (int i = 0; i < 300; i++)
        message = arena_printf(&arena, "Content-Type: message/rfc822\r\n\r\n%.*s", P(message));
    mime_parse(&arena, message, &m);
    assert_true(structure_short(&arena, bodystructure_print(&arena, &m, 0, true), &body));
    assert_slice(body, bodystructure_print(&arena, &m, 0, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_texts, teardown),
        cmocka_unit_test_teardown(test_deep, teardown),
    };
    return TEST_RUN(tests);
}
