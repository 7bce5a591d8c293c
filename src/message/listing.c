/* Fields of mailing lists and of automatic mail (RFC 2369, 2919, 3834, 8058), and bulk mail's own.
 */
#include "message/listing.h"

#include "message/header.h"

#include "base/banned.h"

enum { LISTING_URLS_MAX = 20 };

/* The first word of a value: up to white space, ";" or a comment. */
static slice first_word(slice value)
{
    value = slice_trim(value);
    size_t n = 0;
    while (n < value.n && value.p[n] > ' ' && value.p[n] != ';' && value.p[n] != '(')
        n++;
    return slice_sub(value, 0, n);
}

bool listing_is_automatic(slice name, slice value)
{
    return slice_eq_icase(name, S("Auto-Submitted")) && !slice_eq_icase(first_word(value), S("no"));
}

bool listing_is_bulk(slice name, slice value)
{
    static const slice words[] = {{"bulk", 4}, {"list", 4}, {"junk", 4}};
    if (slice_starts_icase(name, S("List-")))
        return true;
    if (!slice_eq_icase(name, S("Precedence")))
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (slice_eq_icase(first_word(value), words[i]))
            return true;
    return false;
}

/* multipart/report, and the media types of the reports themselves. */
static bool is_report(slice content_type)
{
    return slice_starts_icase(content_type, S("multipart/report")) ||
           slice_starts_icase(content_type, S("message/delivery-status")) ||
           slice_starts_icase(content_type, S("message/disposition-notification"));
}

bool auto_answer_forbidden(slice header)
{
    struct header_field f;
    for (slice rest = header_of(header); header_next(&rest, &f);)
        if (listing_is_automatic(f.name, f.value) || listing_is_bulk(f.name, f.value) ||
            (slice_eq_icase(f.name, S("Content-Type")) && is_report(f.value)) ||
            (slice_eq_icase(f.name, S("Return-Path")) && slice_eq(slice_trim(f.value), S("<>"))) ||
            slice_eq_icase(f.name, S("X-Auto-Response-Suppress")))
            return true;
    return false;
}

/* The list's own words on its subject: "Talk <talk.north.test>". */
static void read_id(struct arena *a, slice value, struct listing *out)
{
    ptrdiff_t from = slice_rfind(value, '<'), to = slice_rfind(value, '>');
    if (from < 0 || to < from) {
        out->id = header_unfold(a, value);
        return;
    }
    out->id = slice_trim(header_unfold(a, slice_sub(value, (size_t)from + 1, (size_t)to)));
    slice name = slice_trim(slice_sub(value, 0, (size_t)from));
    if (name.n >= 2 && name.p[0] == '"' && name.p[name.n - 1] == '"')
        name = slice_sub(name, 1, name.n - 1);
    out->name = header_text(a, name);
}

size_t listing_urls(struct arena *a, slice value, slice **urls)
{
    slice *list = NULL;
    size_t count = 0, capacity = 0;
    for (ptrdiff_t at; (at = slice_find(value, '<')) >= 0;) {
        value = slice_skip(value, (size_t)at + 1);
        ptrdiff_t end = slice_find(value, '>');
        if (end < 0 || count == LISTING_URLS_MAX)
            break;
        char *to = arena_alloc(a, (size_t)end);
        size_t n = 0;
        for (size_t i = 0; i < (size_t)end; i++)
            if (value.p[i] > ' ')
                to[n++] = value.p[i];
        value = slice_skip(value, (size_t)end + 1);
        if (!n)
            continue;
        list = arena_grow(a, list, count, &capacity, sizeof(*list));
        list[count++] = (slice){to, n};
    }
    *urls = list;
    return count;
}

static void read_unsubscribe(struct arena *a, slice value, struct listing *out)
{
    slice *urls;
    size_t count = listing_urls(a, value, &urls);
    for (size_t i = 0; i < count; i++) {
        if (slice_starts_icase(urls[i], S("https:")) && !out->unsubscribe_https.n)
            out->unsubscribe_https = urls[i];
        if (slice_starts_icase(urls[i], S("mailto:")) && !out->unsubscribe_mailto.n)
            out->unsubscribe_mailto = urls[i];
    }
}

static slice first_url(struct arena *a, slice value)
{
    slice *urls;
    return listing_urls(a, value, &urls) ? urls[0] : S("");
}

/* The fields whose first URL is all that is asked. */
static slice *url_field(struct listing *out, slice name)
{
    const struct {
        slice name;
        slice *value;
    } rows[] = {{S("Post"), &out->post},           {S("Help"), &out->help},
                {S("Subscribe"), &out->subscribe}, {S("Unsubscribe"), &out->unsubscribe},
                {S("Owner"), &out->owner},         {S("Archive"), &out->archive}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (slice_eq_icase(name, rows[i].name))
            return rows[i].value;
    return NULL;
}

bool listing_parse(struct arena *a, slice header, struct listing *out)
{
    struct header_field f;
    bool found = false, post_field = false;
    const slice none = S("");
    *out =
        (struct listing){none, none, none, false, none, none, none, none, none, none, none, false};
    for (slice rest = header_of(header); header_next(&rest, &f);) {
        if (!slice_starts_icase(f.name, S("List-")))
            continue;
        slice name = slice_skip(f.name, 5);
        slice *url = url_field(out, name);
        found = true;
        if (slice_eq_icase(name, S("Id")) && !out->id.n)
            read_id(a, f.value, out);
        if (slice_eq_icase(name, S("Unsubscribe")) && !out->unsubscribe.n)
            read_unsubscribe(a, f.value, out);
        if (slice_eq_icase(name, S("Post")) && slice_eq_icase(first_word(f.value), S("NO")))
            out->post_no = true;
        post_field |= slice_eq_icase(name, S("Unsubscribe-Post")) &&
                      slice_eq_icase(f.value, S("List-Unsubscribe=One-Click"));
        if (url && !url->n)
            *url = first_url(a, f.value);
    }
    out->one_click = post_field && out->unsubscribe_https.n;
    return found;
}
