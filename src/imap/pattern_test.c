/* Patterns of LIST (RFC 9051 6.3.9, rule I20). */
#include "imap/pattern.h"

#include "base/limits.h"
#include "base/test.h"

static bool match(slice text, slice name)
{
    struct arena a = {0};
    struct imap_pattern pattern;
    bool good = imap_pattern(&a, text, &pattern) && imap_pattern_matches(&pattern, name);
    arena_end(&a);
    return good;
}

static void test_patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *name;
        bool want;
    } rows[] = {
        {"*", "a", true},
        {"*", "a/b/c", true},
        {"%", "a", true},
        {"%", "a/b", false},
        {"%/%", "a/b", true},
        {"%/%", "a/b/c", false},
        {"a*", "a", true},
        {"a*", "a/b", true},
        {"a%", "a/b", false},
        {"a%", "abc", true},
        {"*b", "a/b", true},
        {"*b", "a/bc", false},
        {"%b", "a/b", false},
        {"a", "A", false},
        {"inbox", "INBOX", true},
        {"iNb%", "INBOX", true},
        {"in*/x", "INBOX/x", true},
        {"in*/X", "INBOX/x", false},
        {"inboxes", "INBOX", false},
        {"inbox", "Inboxes", false},
        {"", "a", false},
        {"a/", "a", false},
        {"*/", "a", false},
        {"**", "a/b", true},
        {"%*", "a/b", true},
        {"*%", "a/b", true},
        {"%%", "a/b", false},
        {"*a*b*", "xaxbx", true},
        {"*a*b*", "xbxax", false},
        {"已%", "已发送", true},
        {"%/*x", "a/b/x", true},
        {"%x/*", "a/x/b", false},
        {"*%x", "a/b/x", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (match(slice_c(rows[i].pattern), slice_c(rows[i].name)) != rows[i].want)
            fail_msg("%s on %s", rows[i].pattern, rows[i].name);
}

/* A pattern made to take long takes name x pattern, and one longer than any name none at all. */
static void test_long_patterns(void **state)
{
    (void)state;
    static char name[LIMIT_MAILBOX_NAME], pattern[2 * LIMIT_MAILBOX_NAME];
    memset(name, 'a', sizeof(name));
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = i % 2 ? 'a' : '*';
    assert_true(match((slice){pattern, sizeof(pattern)}, (slice){name, sizeof(name)}));
    pattern[sizeof(pattern) - 1] = 'b';
    assert_false(match((slice){pattern, sizeof(pattern)}, (slice){name, sizeof(name)}));
    static char longer[4 * LIMIT_MAILBOX_NAME];
    memset(longer, 'a', sizeof(longer));
    assert_false(match((slice){longer, sizeof(longer)}, (slice){name, sizeof(name)}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_long_patterns),
    };
    return TEST_RUN(tests);
}
