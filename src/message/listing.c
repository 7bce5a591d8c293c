#include "message/listing.h"

#include "message/header.h"

#include "base/banned.h"

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
