/*
 * What an HTML page says of its own charset, in <meta> or by its mark (HTML standard, 13.2.3.2):
 * looked at when the header of the part says nothing.
 */
#include "message/charset.h"
#include "message/html_token.h"
#include "message/text.h"

#include "base/banned.h"

enum { CHARSET_WITHIN = 16384 };

/* The charset in "text/html; charset=x", or "" (HTML standard, 2.4.5). */
static slice content_charset(slice content)
{
    while (content.n) {
        if (!slice_eat_icase(&content, S("charset"))) {
            content = slice_skip(content, 1);
            continue;
        }
        content = slice_trim(content);
        if (!slice_eat(&content, S("=")))
            continue;
        content = slice_trim(content);
        char quote = content.n && (content.p[0] == '"' || content.p[0] == '\'') ? content.p[0] : 0;
        size_t n = quote != 0;
        while (n < content.n &&
               (quote ? content.p[n] != quote : content.p[n] > ' ' && content.p[n] != ';'))
            n++;
        return quote && n == content.n ? S("") : slice_sub(content, quote != 0, n);
    }
    return S("");
}

/* What one <meta> says of the charset, "" when nothing. */
static slice meta_charset(slice attributes)
{
    slice charset = S(""), content = S(""), name, value;
    bool pragma = false;
    while (html_attribute_next(&attributes, &name, &value)) {
        if (slice_eq_icase(name, S("charset")))
            charset = slice_trim(value);
        else if (slice_eq_icase(name, S("content")) && !content.n)
            content = content_charset(value);
        else if (slice_eq_icase(name, S("http-equiv")))
            pragma |= slice_eq_icase(value, S("content-type"));
    }
    return charset.n ? charset : pragma ? content : S("");
}

slice html_charset(slice html)
{
    struct html_tokens tokens = {.rest = slice_sub(html, 0, CHARSET_WITHIN)};
    struct html_token t;
    if (slice_starts(html, S("\xef\xbb\xbf")))
        return S("utf-8");
    while (html_next(&tokens, &t)) {
        bool meta = t.kind == HTML_START && strcmp(t.name, "meta") == 0;
        slice charset = meta ? meta_charset(t.attributes) : S("");
        const char *known = charset.n ? charset_canonical(charset) : NULL;
        if (known) /* a page that can say UTF-16 in ASCII is not UTF-16 */
            return slice_starts(slice_c(known), S("UTF-16")) ? S("utf-8") : charset;
    }
    return S("");
}
