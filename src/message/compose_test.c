/* The composer: rules M2, M4-M6, M11, M12 and S34, and what it writes read back by the parser. */
#include "message/compose.h"

#include "base/rand.h"
#include "base/test.h"
#include "message/flowed.h"
#include "message/header.h"
#include "message/out.h"
#include "message/parse.h"

static const struct compose_address ONE = {{"One", 3}, {"one@north.test", 14}};
static const struct compose_address TWO = {{"", 0}, {"two@south.test", 14}};

static struct compose simple(void)
{
    return (struct compose){
        .from = {&ONE, 1}, .to = {&TWO, 1}, .date_ms = 1795465441000, .zone_minutes = 480};
}

static slice compose_text(struct arena *a, const struct compose *c)
{
    slice error;
    struct composer *m = compose_open(a, c, &error);
    if (!m)
        fail_msg("%.*s", P(error));
    slice all = compose_all(a, m);
    assert_int_equal(all.n, compose_size(m));
    return all;
}

static slice field(struct arena *a, slice message, slice name)
{
    slice value;
    return header_find(header_of(message), name, &value) ? header_unfold(a, value) : S("(none)");
}

static void test_plain(void **state)
{
    struct arena a = {0};
    struct compose c = simple();
    (void)state;
    c.subject = S("Hello");
    c.text = S("Hi\nthere");
    c.message_id = S("x@north.test");
    assert_slice(compose_text(&a, &c), S("Date: Tue, 24 Nov 2026 04:24:01 +0800\r\n"
                                         "From: One <one@north.test>\r\n"
                                         "To: two@south.test\r\n"
                                         "Subject: Hello\r\n"
                                         "Message-ID: <x@north.test>\r\n"
                                         "MIME-Version: 1.0\r\n"
                                         "Content-Type: text/plain; charset=us-ascii\r\n"
                                         "Content-Transfer-Encoding: 7bit\r\n"
                                         "\r\n"
                                         "Hi\r\nthere\r\n"));
    arena_end(&a);
}

/* M12: unique, on our domain; the same seed gives the same. */
static void test_message_id(void **state)
{
    struct arena a = {0};
    struct compose c = simple(), other = simple();
    slice error;
    (void)state;
    c.seed[0] = 1;
    struct composer *one = compose_open(&a, &c, &error);
    struct composer *two = compose_open(&a, &other, &error);
    assert_true(slice_ends(compose_message_id(one), S("@north.test")));
    assert_false(slice_eq(compose_message_id(one), compose_message_id(two)));
    arena_end(&a);
}

static void test_bcc(void **state)
{
    static const struct compose_address hidden = {{"", 0}, {"hidden@north.test", 17}};
    struct arena a = {0};
    struct compose c = simple();
    (void)state;
    c.bcc = (struct compose_addresses){&hidden, 1};
    assert_int_equal(slice_search(compose_text(&a, &c), S("hidden")), -1);
    size_t count;
    slice *to = compose_recipients(&a, &c, &count);
    assert_int_equal(count, 2);
    assert_slice(to[1], S("hidden@north.test"));
    c.to.count = 0;
    assert_slice(field(&a, compose_text(&a, &c), S("To")), S("undisclosed-recipients:;"));
    c.keep_bcc = true;
    assert_slice(field(&a, compose_text(&a, &c), S("Bcc")), S("hidden@north.test"));
    arena_end(&a);
}

static void test_addresses(void **state)
{
    static const struct {
        const char *in, *want; /* want NULL: refused */
    } rows[] = {
        {"one@north.test", "one@north.test"},
        {"One@NORTH.test", "One@north.test"},
        {"x@münchen.test", "x@xn--mnchen-3ya.test"},
        {"x@MÜNCHEN.test", "x@xn--mnchen-3ya.test"},
        {"驿@驿站.test", "驿@xn--5tz216d.test"},
        {"\"a b\"@north.test", "\"a b\"@north.test"},
        {"x@[192.0.2.1]", "x@[192.0.2.1]"},
        {"no-at", NULL},
        {"a b@c.test", NULL},
        {"a@b@c.test", NULL},
        {"a@", NULL},
        {"a@b\r\nBcc: c@d", NULL},
        {"", NULL},
    };
    struct arena a = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        slice got = S("");
        bool ok = compose_envelope_address(&a, slice_c(rows[i].in), &got);
        if (ok != (rows[i].want != NULL) || (ok && !slice_eq(got, slice_c(rows[i].want))))
            fail_msg("\"%s\": got \"%.*s\"", rows[i].in, P(got));
    }
    arena_end(&a);
}

/* RFC 6531: UTF-8 in a local part makes the message internationalised; a domain does not. */
static void test_utf8(void **state)
{
    static const struct compose_address idn = {{"", 0}, {"x@m\xc3\xbcnchen.test", 15}};
    static const struct compose_address local = {{"", 0}, {"m\xc3\xbcller@south.test", 18}};
    struct arena a = {0};
    struct compose c = simple();
    slice error;
    (void)state;
    c.to.list = &idn;
    assert_false(compose_utf8(compose_open(&a, &c, &error)));
    assert_true(slice_is_ascii(compose_text(&a, &c)));
    c.to.list = &local;
    assert_true(compose_utf8(compose_open(&a, &c, &error)));
    assert_slice(field(&a, compose_text(&a, &c), S("To")), S("m\xc3\xbcller@south.test"));
    arena_end(&a);
}

/* M11: CR, LF and NUL in what goes into a field are refused; so are fields that are ours. */
static void test_refused(void **state)
{
    static const struct compose_address bad_name = {{"a\r\nBcc: x", 9}, {"a@b.test", 8}};
    static const struct compose_address bad_email = {{"", 0}, {"a@b.test>, <c@d.test", 20}};
    static const struct compose_field fields[] = {
        {{"X-A", 3}, {"a\nb", 3}}, {{"X A", 3}, {"a", 1}}, {{"Bcc", 3}, {"a@b.test", 8}},
        {{"X:", 2}, {"a", 1}},     {{"", 0}, {"a", 1}},    {{"content-type", 12}, {"a/b", 3}}};
    static const struct compose_part bad_cid = {.cid = {"a>\r\nX: y", 8}};
    struct arena a = {0};
    struct compose c = simple();
    slice error;
    (void)state;
    c.subject = S("a\r\nBcc: x@y.test");
    assert_null(compose_open(&a, &c, &error));
    assert_true(error.n > 0 && slice_find(error, '\n') < 0);
    c = simple();
    c.to.list = &bad_name;
    assert_null(compose_open(&a, &c, &error));
    c.to.list = &bad_email;
    assert_null(compose_open(&a, &c, &error));
    c = simple();
    c.bcc = (struct compose_addresses){&bad_email, 1};
    assert_null(compose_open(&a, &c, &error));
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        c = simple();
        c.fields = &fields[i];
        c.field_count = 1;
        assert_null(compose_open(&a, &c, &error));
    }
    c = simple();
    c.in_reply_to = S("a@b>\r\nX: <c");
    assert_null(compose_open(&a, &c, &error));
    c = simple();
    c.parts = &bad_cid;
    c.part_count = 1;
    assert_null(compose_open(&a, &c, &error));
    c = simple();
    c.from.count = 0;
    assert_null(compose_open(&a, &c, &error));
    arena_end(&a);
}

/* ---- the encodings, as the parser sees them ---- */

static void test_text_encodings(void **state)
{
    static const struct {
        const char *name, *text, *encoding, *charset;
        bool flowed;
    } rows[] = {
        {"short ASCII", "Hello\n", "7bit", "us-ascii", false},
        {"long ASCII lines flow",
         "one two three four five six seven eight nine ten eleven twelve thirteen fourteen\n",
         "7bit", "us-ascii", true},
        {"a little UTF-8", "Caf\xc3\xa9 in the north, with letters and letters and letters\n",
         "quoted-printable", "utf-8", false},
        {"much UTF-8", "驿站换马\n", "base64", "utf-8", false},
        {"a line that says From", "a\nFrom b\n", "7bit", "us-ascii", true},
    };
    struct arena a = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct compose c = simple();
        c.text = slice_c(rows[i].text);
        struct mime m;
        struct mime_content content;
        mime_parse(&a, compose_text(&a, &c), &m);
        mime_content(&a, &m, 0, &content);
        bool flowed = slice_eq(params_get(&content.type, S("format")), S("flowed"));
        if (!slice_eq(content.encoding_name, slice_c(rows[i].encoding)) ||
            !slice_eq(content.charset, slice_c(rows[i].charset)) || flowed != rows[i].flowed)
            fail_msg("%s: %.*s %.*s %d", rows[i].name, P(content.encoding_name), P(content.charset),
                     flowed);
    }
    arena_end(&a);
}

/* RFC 2046 5.2.1: a forwarded message is 7bit or 8bit; what can be neither becomes a file. */
static void test_forward(void **state)
{
    static const struct {
        const char *name, *message, *type, *encoding;
        bool eight_bit;
    } rows[] = {
        {"7-bit", "Subject: x\r\n\r\nhi\r\n", "message/rfc822", "7bit", false},
        {"8-bit", "Subject: x\r\n\r\ncaf\xe9\r\n", "message/rfc822", "8bit", true},
        {"bare LF", "Subject: x\n\nhi\n", "application/octet-stream", "base64", false},
    };
    struct arena a = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct compose c = simple();
        struct compose_part part = {.type = S("message/rfc822"),
                                    .source = {.bytes = slice_c(rows[i].message)}};
        slice error;
        c.parts = &part;
        c.part_count = 1;
        struct mime m;
        struct mime_content content;
        mime_parse(&a, compose_text(&a, &c), &m);
        mime_content(&a, &m, 2, &content);
        if (!slice_eq(content.type.value, slice_c(rows[i].type)) ||
            !slice_eq(content.encoding_name, slice_c(rows[i].encoding)) ||
            compose_eight_bit(compose_open(&a, &c, &error)) != rows[i].eight_bit)
            fail_msg("%s: %.*s %.*s", rows[i].name, P(content.type.value),
                     P(content.encoding_name));
        if (content.encoding != CTE_BASE64)
            assert_slice(mime_body(&m, 2), slice_c(rows[i].message));
    }
    arena_end(&a);
}

/* ---- sources ---- */

struct big {
    uint64_t fail_at; /* 0: never */
    size_t most;      /* bytes a call gives */
};

static ssize_t read_big(void *ctx, uint64_t offset, char *to, size_t n)
{
    struct big *b = ctx;
    if (b->fail_at && offset >= b->fail_at)
        return -1;
    n = n < b->most ? n : b->most;
    for (size_t i = 0; i < n; i++)
        to[i] = (char)((offset + i) * 7 >> 3);
    return (ssize_t)n;
}

/* 64 MiB through a few kilobytes: the size is known before, the memory does not grow. */
static void test_streaming(void **state)
{
    struct arena a = {0};
    struct compose c = simple();
    struct big big = {.most = 1000};
    struct compose_part part = {.name = S("big.bin"),
                                .source = {.size = 64 << 20, .read = read_big, .ctx = &big}};
    slice error;
    char block[5000];
    (void)state;
    c.parts = &part;
    c.part_count = 1;
    struct composer *m = compose_open(&a, &c, &error);
    uint64_t total = 0;
    ssize_t n;
    while ((n = compose_read(m, block, sizeof(block))) > 0)
        total += (uint64_t)n;
    assert_int_equal(n, 0);
    assert_int_equal(total, compose_size(m));
    assert_true(total > (UINT64_C(64) << 20) * 4 / 3);
    assert_true(a.used < 128 * 1024);
    big.fail_at = 1 << 20;
    compose_rewind(m);
    while ((n = compose_read(m, block, sizeof(block))) > 0)
        ;
    assert_int_equal(n, -1);
    arena_end(&a);
}

/* ---- random trees come back ---- */

static slice random_text(struct arena *a, bool lines)
{
    static const char *const words[] = {"letter", "驿站",  "é",  "=",  "From ", ".",
                                        " ",      "north", "--", "𠮷", "a"};
    char *p = arena_alloc(a, 2000);
    size_t n = 0;
    bool ascii = rand_below(3) == 0;
    for (size_t k = rand_below(150); k; k--) {
        slice w = slice_c(words[rand_below(sizeof(words) / sizeof(words[0]))]);
        if (ascii && !slice_is_ascii(w))
            continue;
        memcpy(p + n, w.p, w.n);
        n += w.n;
        if (lines && rand_below(6) == 0)
            p[n++] = '\n';
        else if (rand_below(2))
            p[n++] = ' ';
    }
    while (n && (p[n - 1] == ' ' || p[n - 1] == '\n'))
        n--;
    return (slice){p, n};
}

static slice with_crlf(struct arena *a, slice text)
{
    struct out out = {.arena = a};
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\n')
            out_byte(&out, '\r');
        out_byte(&out, text.p[i]);
    }
    return out_slice(&out);
}

static slice without_last_end(slice text)
{
    while (slice_ends(text, S("\n")) || slice_ends(text, S("\r")))
        text.n--;
    return text;
}

/* The text of part n as the parser gives it, paragraphs joined. */
static slice text_of(struct arena *a, const struct mime *m, size_t n)
{
    struct mime_content content;
    uint32_t defects = 0;
    mime_content(a, m, n, &content);
    slice text = mime_text(a, m, n, &content, &defects);
    assert_int_equal(defects, 0);
    if (slice_eq(params_get(&content.type, S("format")), S("flowed")))
        text = with_crlf(a, flowed_decode(a, text, false));
    return without_last_end(text);
}

static void check_lines(slice all, bool ascii)
{
    slice header = header_of(all), line;
    assert_int_equal(slice_is_ascii(all), ascii);
    while (slice_next(&all, '\n', &line)) {
        assert_true(line.n <= 999 && line.n > 0 && slice_find(line, '\r') == (ptrdiff_t)line.n - 1);
        if (line.p < header.p + header.n)
            assert_true(line.n <= 79 || slice_find(line, ' ') < 0 || slice_starts(line, S("To:")));
    }
}

/* Reads the composer in random pieces: the same bytes. */
static void check_pieces(struct arena *a, struct composer *m, slice all)
{
    char *out = arena_alloc(a, all.n + 1);
    size_t n = 0;
    ssize_t got;
    compose_rewind(m);
    while ((got = compose_read(m, out + n, 1 + rand_below(200))) > 0)
        n += (size_t)got;
    assert_int_equal(got, 0);
    assert_slice(((slice){out, n}), all);
}

static void random_message(struct arena *a)
{
    struct compose c = simple();
    struct compose_part parts[4] = {0};
    slice error;
    c.text = random_text(a, true);
    c.subject = random_text(a, false);
    slice html = random_text(a, true);
    if (rand_below(2))
        c.html = arena_printf(a, "<p>%.*s</p>", P(html));
    c.parts = parts;
    c.part_count = rand_below(5);
    rand_bytes(c.seed, sizeof(c.seed));
    for (size_t i = 0; i < c.part_count; i++) {
        size_t n = rand_below(3) ? rand_below(3000) : 0;
        char *bytes = arena_alloc(a, n + 1);
        rand_bytes(bytes, n);
        parts[i].source.bytes = (slice){bytes, n};
        parts[i].type = rand_below(2) ? S("image/png") : S("text/x-y");
        if (rand_below(2))
            parts[i].source.bytes = with_crlf(a, random_text(a, true));
        parts[i].name =
            arena_printf(a, "%s%zu.bin", rand_below(2) ? "驿站 换马 书信继续北行" : "a \"b", i);
        if (rand_below(3) == 0)
            parts[i].cid = arena_printf(a, "c%zu@north.test", i);
    }
    struct composer *m = compose_open(a, &c, &error);
    if (!m)
        fail_msg("%.*s", P(error));
    slice all = compose_all(a, m);
    assert_int_equal(all.n, compose_size(m));
    check_lines(all, true);
    check_pieces(a, m, all);

    struct mime tree;
    mime_parse(a, all, &tree);
    slice raw;
    if (c.subject.n) {
        assert_true(header_find(all, S("Subject"), &raw));
        assert_slice(header_text(a, raw), slice_trim(c.subject));
    }
    size_t texts = 0, files = 0;
    for (size_t i = 0; i < tree.count; i++) {
        struct mime_content content;
        assert_int_equal(tree.parts[i].defects, 0);
        if (tree.parts[i].kind != MIME_LEAF)
            continue;
        mime_content(a, &tree, i, &content);
        if (content.name.n) {
            const struct compose_part *p = NULL;
            for (size_t k = 0; k < c.part_count; k++)
                if (slice_eq(c.parts[k].name, content.name))
                    p = &c.parts[k];
            assert_non_null(p);
            bool damaged;
            assert_slice(mime_decode(a, &tree, i, &content, &damaged), p->source.bytes);
            files++;
        } else if (slice_eq(content.minor, S("plain")) && c.text.n) {
            assert_slice(text_of(a, &tree, i), with_crlf(a, c.text));
            texts++;
        } else if (slice_eq(content.minor, S("html"))) {
            assert_slice(text_of(a, &tree, i), with_crlf(a, c.html));
            texts++;
        }
    }
    assert_int_equal(files, c.part_count);
    assert_int_equal(texts, (size_t)(c.text.n > 0) + (c.html.n > 0));
}

static void test_round_trip(void **state)
{
    struct arena a = {0};
    (void)state;
    for (unsigned round = 0; round < 400; round++) {
        random_message(&a);
        arena_reset(&a);
    }
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_message_id),
        cmocka_unit_test(test_bcc),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_text_encodings),
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_streaming),
        cmocka_unit_test(test_round_trip),
    };
    return TEST_RUN(tests);
}
