/* HTML to text: the tokenizer's states that matter, blocks, lists, quotes, tables, links. */
#include "message/text.h"

#include "base/test.h"
#include "message/html_token.h"

static void test_html_to_text(void **state)
{
    static const struct {
        const char *name, *in, *want;
        unsigned flags;
    } rows[] = {
        {"plain", "Hello", "Hello\n", 0},
        {"white space", " a \n\t b ", "a b\n", 0},
        {"paragraphs", "<p>a</p><p>b", "a\n\nb\n", 0},
        {"divs", "<div>a</div><div><div>b</div></div>", "a\nb\n", 0},
        {"br", "a<br>b<br/><br />c", "a\nb\n\nc\n", 0},
        {"inline", "<b>a</b><i>b</i> <u>c</u>", "ab c\n", 0},
        {"headings", "<h1>a</h1>b", "a\n\nb\n", 0},
        {"script and style", "a<script>if (a<b) '</p>'</script><style>p{}</style>b", "ab\n", 0},
        {"title", "<head><title>T</title></head><body>a", "a\n", 0},
        {"comment", "a<!-- <p>x</p> -->b<!-->c<!--->d", "abcd\n", 0},
        {"conditional comment", "a<!--[if mso]><p>x</p><![endif]-->b", "ab\n", 0},
        {"downlevel revealed", "<![if !mso]>a<![endif]>b", "ab\n", 0},
        {"doctype", "<!DOCTYPE html><?xml x?>a", "a\n", 0},
        {"entities", "&lt;a&gt; &amp; &quot;b&quot; &euro;&hellip;", "<a> & \"b\" €…\n", 0},
        {"numeric", "&#39532;&#x9A6C;&#0;&#x110000;&#150;", "马马\xef\xbf\xbd\xef\xbf\xbd–\n", 0},
        {"no semicolon", "a&amp b&ampc &notit; &nosuch;", "a& b&c ¬it; &nosuch;\n", 0},
        {"two characters", "&NotEqualTilde;&fjlig;", "≂̸fj\n", 0},
        {"carriage returns", "a\rb\r\nc<pre>d\re\r\nf</pre>", "a b c\n\nd\ne\nf\n", 0},
        {"lone marks", "a < b & c <3 >", "a < b & c <3 >\n", 0},
        {"nbsp", "a&nbsp;&nbsp;b", "a  b\n", 0},
        {"fillers", "a&#847;&shy;&#8203;b", "ab\n", 0},
        {"ul", "<ul><li>a<li>b<ul><li>c</ul></ul>d", "* a\n* b\n  * c\n\nd\n", 0},
        {"ol", "x<ol><li>a</li><li><p>b</p></li></ol>", "x\n\n1. a\n2. b\n", 0},
        {"table", "<table><tr><td>a</td><td>b</td></tr><tr><th>c</th></tr></table>", "a  b\nc\n",
         0},
        {"layout table", "<table><tr><td><div>a</div></td><td><div>b</div></td></table>", "a\nb\n",
         0},
        {"hr", "a<hr>b", "a\n----------\nb\n", 0},
        {"pre", "<pre>a  b\n c</pre>", "a  b\n c\n", 0},
        {"img alt", "<img src=x alt=\"A &amp; B\"><img src=y>", "A & B\n", 0},
        {"hidden", "<div style=\"display: none\">x<div>y</div></div>a<span hidden>z</span>", "a\n",
         0},
        {"hidden p ends at a block", "<p style='display:none'>x<div>a</div>", "a\n", 0},
        {"quote", "a<blockquote><p>b</p><p>c</p></blockquote>d", "a\n\n> b\n>\n> c\n\nd\n",
         HTML_QUOTES},
        {"quote, not wanted", "a<blockquote>b</blockquote>", "a\n\nb\n", 0},
        {"link", "<a href=\"https://north.test/x\">here</a>.", "here <https://north.test/x>.\n",
         HTML_LINKS},
        {"link shown already", "<a href=\"https://north.test/\">north.test</a>", "north.test\n",
         HTML_LINKS},
        {"link to nothing", "<a href=\"javascript:x()\">a</a><a href='#'>b</a>", "ab\n",
         HTML_LINKS},
        {"mailto", "<a href='mailto:one@north.test'>write</a>", "write <mailto:one@north.test>\n",
         HTML_LINKS},
        {"quoted >", "<a title=\"a>b\">c</a>", "c\n", 0},
        {"open quote", "<a title=\"b>c", "c\n", 0},
        {"unclosed tag at the end", "a<b", "a\n", 0},
        {"unclosed tag with a quoted >", "a<b c=\"d>e\" f", "a\n", 0},
        {"case", "<P>a</P><SCRIPT>x</Script>b", "a\n\nb\n", 0},
        {"odd names", "<o:p>a</o:p><averyveryverylongelementname>b", "ab\n", 0},
        {"broken UTF-8", "a\xff\xe9\x82z", "a\xef\xbf\xbd\xef\xbf\xbdz\n", 0},
        {"empty", "", "", 0},
        {"only tags", "<p><br></p>", "", 0},
    };
    struct arena a = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        slice got = html_to_text(&a, slice_c(rows[i].in), rows[i].flags, SIZE_MAX);
        if (!slice_eq(got, slice_c(rows[i].want)))
            fail_msg("%s: got \"%.*s\"", rows[i].name, P(got));
    }
    assert_slice(html_to_text(&a, S("<p>驿站换马"), 0, 7), S("驿站"));
    arena_end(&a);
}

static void test_html_charset(void **state)
{
    (void)state;
    assert_slice(html_charset(S("<meta charset=gbk>")), S("gbk"));
    assert_slice(html_charset(S("<META http-equiv=Content-Type content=\"text/html; "
                                "charset=big5\">")),
                 S("big5"));
    assert_slice(html_charset(S("<!-- <meta charset=gbk> --><p>")), S(""));
    assert_slice(html_charset(S("")), S(""));
    assert_slice(html_charset(S("<meta name=x content=\"text/html; charset=big5\">")), S(""));
    assert_slice(html_charset(S("<meta charset=bogus><meta charset=gbk>")), S("gbk"));
    assert_slice(html_charset(S("<meta charset=utf-16>")), S("utf-8"));
    assert_slice(html_charset(S("\xef\xbb\xbf<meta charset=gbk>")), S("utf-8"));
}

static void test_text_to_html(void **state)
{
    struct arena a = {0};
    (void)state;
    assert_slice(text_to_html(&a, S("a <b> & \"c\"\nsee https://north.test/?a=1&b=2.")),
                 S("<div style=\"white-space: pre-wrap\">a &lt;b&gt; &amp; &quot;c&quot;<br>\n"
                   "see <a href=\"https://north.test/?a=1&amp;b=2\">"
                   "https://north.test/?a=1&amp;b=2</a>.</div>\n"));
    arena_end(&a);
}

/* The table of references is searched by halves: it must be in order, and each be found. */
static void test_entities(void **state)
{
    struct arena a = {0};
    slice before = S("");
    size_t count = 0;
    (void)state;
    for (size_t i = 0; i < html_entity_rows; i++) {
        slice row = slice_c(html_entities[i]), one;
        while (slice_next(&row, ' ', &one)) {
            size_t n = strcspn(one.p, "=:");
            slice name = slice_sub(one, 0, n), text = slice_skip(one, n + 1), got;
            slice in = arena_printf(&a, "&%.*s;", P(name));
            uint32_t c;
            assert_true(slice_cmp(before, name) < 0);
            assert_true(html_reference(&in, false, &got, &c) && in.n == 0);
            assert_slice(got, text);
            before = name;
            count++;
        }
    }
    assert_int_equal(count, 2125);
    assert_slice(html_decode(&a, S("?a=1&copy=2&amp;lt=&lt"), true), S("?a=1&copy=2&lt=<"));
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_html_to_text),
        cmocka_unit_test(test_html_charset),
        cmocka_unit_test(test_text_to_html),
        cmocka_unit_test(test_entities),
    };
    return TEST_RUN(tests);
}
