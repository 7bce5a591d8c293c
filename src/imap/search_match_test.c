/* RFC 9051 6.4.4, rule I11: what matches, and how little is read to know it. */
#include "base/test.h"

#include "base/clock.h"
#include "base/limits.h"
#include "imap/search_match.h"
#include "message/bodystructure.h"
#include "message/header.h"

static struct arena arena;
static struct buf room;

/* INTERNALDATE 1994-02-01 23:30 -0800 (already the 2nd in UTC), flags \Seen and bit 8. */
static struct search_subject subject_of(slice message, enum search_known known)
{
    static const struct imap_range range = {7, 7};
    static struct imap_set saved;
    struct search_subject s = {
        .known = known,
        .entry = {.uid = 7, .message = 3, .modseq = 50, .flags = 0x101, .size = message.n},
        .number = 2,
        .recent = true,
        .now_ms = (8798 * 86400 + 27000 + 3600) * SECOND_MS,
        .internaldate_ms = (8798 * 86400 + 27000) * SECOND_MS,
        .zone_minutes = -480,
        .header = header_of(message),
        .message = message,
        .arena = &arena,
        .room = &room,
    };
    saved.ranges = (struct imap_range *)arena_alloc(&arena, sizeof(range));
    saved.ranges[0] = range;
    saved.count = 1;
    s.saved = &saved;
    s.envelope = envelope_print(&arena, s.header);
    return s;
}

static enum search_answer ask_known(slice keys, slice message, enum search_known known)
{
    struct search search;
    struct search_context c = {.messages = 10, .last_uid = 99};
    struct search_subject s = subject_of(message, known);
    if (search_read(&arena, keys, &c, &search) != SEARCH_READ)
        fail_msg("%.*s", P(keys));
    for (struct search_key *k = search.newest; k; k = k->older)
        if (k->kind == SEARCH_KEYWORD)
            k->number = slice_eq(k->name, S("Work"))   ? 0x100
                        : slice_eq(k->name, S("Home")) ? 0x200
                                                       : 0;
    return search_match(search.root, &s);
}

#define HEADER                                                                                     \
    "Received: from far.test by near.test; Tue, 1 Feb 1994 07:30:00 +0000\r\n"                     \
    "From: =?utf-8?B?546L5bCP5piO?= <wang@north.test>, \"Smith, J.\" <j@x.test>\r\n"               \
    "To: team: one@north.test, two@north.test;\r\n"                                                \
    "Cc: =?iso-8859-1?Q?J=FCrgen?= <j@y.test>\r\n"                                                 \
    "Subject: =?gb2312?B?5uTVvg==?= and a very\r\n long one\r\n"                                   \
    "Date: Tue, 1 Feb 1994 01:00:00 +0800\r\n" /* the 31st in UTC */                               \
    "X-Empty:\r\n"                                                                                 \
    "Message-ID: <id.1@north.test>\r\n"

static const char plain[] = HEADER "\r\nHello  Body,\r\n\xe9\xa9\xbf\xe7\xab\x99 is here.\r\n";

static const char parts[] = HEADER
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    "preamble\r\n--b\r\nContent-Type: text/plain; charset=gb18030\r\n"
    "Content-Transfer-Encoding: base64\r\nContent-Description: a letter\r\n\r\n"
    "1tDOxNPKvP4=\r\n" /* 中文邮件 */
    "--b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    "<style>hidden</style><p>Sh<b>own</b> <a href=3D\"x\">caf=C3=A9</a> &amp; more</p>\r\n"
    "--b\r\nContent-Type: message/rfc822\r\n\r\n"
    "Subject: =?utf-8?Q?inner_=C3=9Cbung?=\r\nX-Inner: value\r\n\r\ninner text\r\n"
    "--b\r\nContent-Type: application/octet-stream; name*=utf-8''%E5%90%88%E5%90%8C.doc\r\n\r\n"
    "binary rubbish\r\n--b--\r\n";

struct row {
    const char *keys;
    bool want;
    enum search_known enough; /* this much must be known, and no more */
};

static void check(const struct row *r, slice message)
{
    enum search_answer want = r->want ? SEARCH_YES : SEARCH_NO;
    for (enum search_known known = KNOWS_ENTRY; known <= KNOWS_MESSAGE; known++) {
        enum search_answer got = ask_known(slice_c(r->keys), message, known);
        if (known >= r->enough ? got != want : got <= SEARCH_YES)
            fail_msg("%s: %d when %d is known", r->keys, got, known);
    }
    slice turned = arena_printf(&arena, "NOT (%s)", r->keys);
    enum search_answer not = ask_known(turned, message, r->enough);
    if (not != (r->want ? SEARCH_NO : SEARCH_YES))
        fail_msg("%.*s: %d", P(turned), not );
}

static void test_plain(void **state)
{
    static const struct row rows[] = {
        {"ALL", true, KNOWS_ENTRY},
        {"SEEN", true, KNOWS_ENTRY},
        {"UNSEEN", false, KNOWS_ENTRY},
        {"DELETED", false, KNOWS_ENTRY},
        {"KEYWORD Work", true, KNOWS_ENTRY},
        {"KEYWORD Home", false, KNOWS_ENTRY},
        {"KEYWORD None", false, KNOWS_ENTRY},
        {"UNKEYWORD None", true, KNOWS_ENTRY},
        {"RECENT", true, KNOWS_ENTRY},
        {"NEW", false, KNOWS_ENTRY},
        {"OLD", false, KNOWS_ENTRY},
        {"2", true, KNOWS_ENTRY},
        {"1,3:10", false, KNOWS_ENTRY},
        {"UID 7", true, KNOWS_ENTRY},
        {"UID 2", false, KNOWS_ENTRY},
        {"$", true, KNOWS_ENTRY},
        {"LARGER 100 SMALLER 10000", true, KNOWS_ENTRY},
        {"MODSEQ 50", true, KNOWS_ENTRY},
        {"MODSEQ 51", false, KNOWS_ENTRY},
        /* what is cheap decides first */
        {"BODY x UNSEEN", false, KNOWS_ENTRY},
        {"OR BODY x SEEN", true, KNOWS_ENTRY},
        {"BODY x FROM nobody", false, KNOWS_ROW},
        {"OR HEADER X-Empty \"\" SUBJECT long", true, KNOWS_ROW},
        /* INTERNALDATE: as its own zone says */
        {"ON 1-Feb-1994", true, KNOWS_ROW},
        {"BEFORE 1-Feb-1994", false, KNOWS_ROW},
        {"BEFORE 2-Feb-1994", true, KNOWS_ROW},
        {"SINCE 1-Feb-1994", true, KNOWS_ROW},
        {"SINCE 2-Feb-1994", false, KNOWS_ROW},
        {"OLDER 3600", true, KNOWS_ROW},
        {"OLDER 3601", false, KNOWS_ROW},
        {"YOUNGER 3600", true, KNOWS_ROW},
        {"YOUNGER 3599", false, KNOWS_ROW},
        /* Date: likewise */
        {"SENTON 1-Feb-1994", true, KNOWS_ROW},
        {"SENTBEFORE 1-Feb-1994", false, KNOWS_ROW},
        {"SENTSINCE 1-Feb-1994", true, KNOWS_ROW},
        {"SENTSINCE 2-Feb-1994", false, KNOWS_ROW},
        /* the envelope, decoded */
        {"SUBJECT 驿站", true, KNOWS_ROW},
        {"SUBJECT \"AND A VERY LONG\"", true, KNOWS_ROW},
        {"SUBJECT gb2312", false, KNOWS_ROW},
        {"SUBJECT \"\"", true, KNOWS_ROW},
        {"FROM 王小明", true, KNOWS_ROW},
        {"FROM wang@NORTH", true, KNOWS_ROW},
        {"FROM \"smith, j. <j@x\"", true, KNOWS_ROW},
        {"TO team", true, KNOWS_ROW},
        {"TO two@north.test", true, KNOWS_ROW},
        {"TO wang", false, KNOWS_ROW},
        {"CC jürgen", true, KNOWS_ROW},
        {"CC JÜRGEN", true, KNOWS_ROW},
        {"BCC \"\"", false, KNOWS_ROW},
        /* any field */
        {"HEADER X-Empty \"\"", true, KNOWS_HEADER},
        {"HEADER X-None \"\"", false, KNOWS_HEADER},
        {"HEADER message-id <ID.1@", true, KNOWS_HEADER},
        {"HEADER Received far.test", true, KNOWS_HEADER},
        {"HEADER From 小明", true, KNOWS_HEADER},
        {"HEADER Subject 驿站", true, KNOWS_HEADER},
        /* text */
        {"TEXT near.test", true, KNOWS_HEADER},
        {"TEXT \"x-empty:\"", true, KNOWS_HEADER},
        {"TEXT nowhere", false, KNOWS_MESSAGE},
        {"BODY \"hello body\"", true, KNOWS_MESSAGE},
        {"BODY 驿站", true, KNOWS_MESSAGE},
        {"BODY near.test", false, KNOWS_MESSAGE},
        {"BODY \"\"", true, KNOWS_MESSAGE},
        {"TEXT \"BODY, 驿站 IS\"", true, KNOWS_MESSAGE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        check(&rows[i], slice_c(plain));
}

static void test_parts(void **state)
{
    static const struct row rows[] = {
        {"BODY 中文邮件", true, KNOWS_MESSAGE},
        {"BODY \"a letter\"", false, KNOWS_MESSAGE},
        {"TEXT \"a letter\"", true, KNOWS_MESSAGE},
        {"BODY \"shown café & more\"", true, KNOWS_MESSAGE},
        {"BODY CAFÉ", true, KNOWS_MESSAGE},
        {"BODY hidden", false, KNOWS_MESSAGE},
        {"BODY \"inner übung\"", true, KNOWS_MESSAGE},
        {"BODY \"x-inner: value\"", true, KNOWS_MESSAGE},
        {"BODY \"inner text\"", true, KNOWS_MESSAGE},
        {"SUBJECT inner", false, KNOWS_ROW},
        {"HEADER X-Inner \"\"", false, KNOWS_HEADER},
        {"BODY rubbish", false, KNOWS_MESSAGE},
        {"BODY 合同", false, KNOWS_MESSAGE},
        {"TEXT 合同.doc", true, KNOWS_MESSAGE},
        {"BODY 中文邮件 BODY \"inner text\" BODY shown", true, KNOWS_MESSAGE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        check(&rows[i], slice_c(parts));
}

/* Fields that are not there match nothing, and their negation everything. */
static void test_bare(void **state)
{
    static const struct row rows[] = {
        {"SUBJECT \"\"", false, KNOWS_ROW},         {"FROM \"\"", false, KNOWS_ROW},
        {"SENTSINCE 1-Jan-1970", false, KNOWS_ROW}, {"SENTBEFORE 1-Jan-2100", false, KNOWS_ROW},
        {"TEXT \"\"", true, KNOWS_MESSAGE},         {"BODY only", true, KNOWS_MESSAGE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        check(&rows[i], S("\r\nonly a body\r\n"));
}

/* A row without a ready-made envelope: the header says it. */
static void test_no_envelope(void **state)
{
    struct search search;
    struct search_context c = {0};
    struct search_subject s = subject_of(slice_c(plain), KNOWS_ROW);
    (void)state;
    s.envelope = S("");
    assert_int_equal(search_read(&arena, S("SUBJECT 驿站"), &c, &search), SEARCH_READ);
    assert_int_equal(search_match(search.root, &s), SEARCH_NEEDS_HEADER);
    s.known = KNOWS_HEADER;
    assert_int_equal(search_match(search.root, &s), SEARCH_YES);
}

static int end_all(void **state)
{
    (void)state;
    arena_end(&arena);
    buf_end(&room);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_bare),
        cmocka_unit_test(test_no_envelope),
    };
    return cmocka_run_group_tests(tests, NULL, end_all);
}
