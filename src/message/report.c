/*
 * Reading delivery status (RFC 3464, 6533) and disposition (RFC 8098) notifications: the second
 * part of a multipart/report holds groups of fields, the first about the message, then one a
 * recipient.
 */
#include "message/report.h"

#include "message/date.h"
#include "message/msgid.h"

#include "base/banned.h"

enum { RECIPIENTS_MAX = 10000 };

static slice lower(struct arena *a, slice s)
{
    char *to = arena_alloc(a, s.n);
    for (size_t i = 0; i < s.n; i++)
        to[i] = ascii_lower(s.p[i]);
    return (slice){to, s.n};
}

/* "rfc822; one@north.test": what stands behind the type; all of it without one. */
static slice untyped(struct arena *a, slice value)
{
    value = header_unfold(a, value);
    ptrdiff_t at = slice_find(value, ';');
    return slice_trim(slice_skip(value, (size_t)(at + 1)));
}

static slice first_word(slice s)
{
    size_t n = 0;
    s = slice_trim(s);
    while (n < s.n && s.p[n] > ' ' && s.p[n] != '(' && s.p[n] != ';')
        n++;
    return slice_sub(s, 0, n);
}

/* A field of the recipient r (RFC 3464 2.3, RFC 8098 3.2). */
static void recipient_field(struct arena *a, struct report_recipient *r,
                            const struct header_field *f)
{
    const struct {
        slice name;
        slice *value;
    } typed[] = {{S("Original-Recipient"), &r->original},
                 {S("Final-Recipient"), &r->final},
                 {S("Remote-MTA"), &r->remote_mta},
                 {S("Diagnostic-Code"), &r->diagnostic}};
    int zone;
    for (size_t i = 0; i < sizeof(typed) / sizeof(*typed); i++)
        if (slice_eq_icase(f->name, typed[i].name))
            *typed[i].value = untyped(a, f->value);
    if (slice_eq_icase(f->name, S("Action")))
        r->action = lower(a, first_word(f->value));
    if (slice_eq_icase(f->name, S("Status")))
        r->status = first_word(f->value);
    if (slice_eq_icase(f->name, S("Last-Attempt-Date")))
        r->has_last_attempt = date_parse(f->value, &r->last_attempt_ms, &zone);
}

/* "manual-action/MDN-sent-manually; displayed/error" */
static void disposition(struct arena *a, slice value, struct report *out)
{
    out->automatic = slice_search(lower(a, value), S("automatic")) >= 0;
    slice type = untyped(a, value);
    ptrdiff_t slash = slice_find(type, '/');
    out->disposition = lower(a, first_word(slice_sub(type, 0, slash < 0 ? type.n : (size_t)slash)));
}

static void message_field(struct arena *a, struct report *out, const struct header_field *f)
{
    if (slice_eq_icase(f->name, S("Reporting-MTA")))
        out->reporting = untyped(a, f->value);
    else if (slice_eq_icase(f->name, S("Reporting-UA")))
        out->reporting = header_unfold(a, f->value);
    else if (slice_eq_icase(f->name, S("Original-Envelope-Id")))
        out->envid = header_unfold(a, f->value);
    else if (slice_eq_icase(f->name, S("Original-Message-ID")))
        out->message_id = msgid_first(a, f->value);
    else if (slice_eq_icase(f->name, S("Disposition")))
        disposition(a, f->value, out);
}

/* Groups of fields with empty lines between them: the message's first, then one a recipient. */
static void read_groups(struct arena *a, slice body, struct report *out)
{
    size_t capacity = 0;
    const slice none = S("");
    while (body.n && out->recipient_count < RECIPIENTS_MAX) {
        struct report_recipient r = {none, none, none, none, none, none, false, 0};
        struct header_field f;
        size_t n = header_length(body);
        for (slice rest = slice_sub(body, 0, n); header_next(&rest, &f);) {
            message_field(a, out, &f);
            recipient_field(a, &r, &f);
        }
        if (r.final.n || r.original.n || r.action.n) {
            out->recipients = arena_grow(a, out->recipients, out->recipient_count, &capacity,
                                         sizeof(*out->recipients));
            out->recipients[out->recipient_count++] = r;
        }
        if (!n)
            return;
        body = slice_skip(body, n);
    }
}

static enum report_kind kind_of(slice type)
{
    if (slice_eq(type, S("message/delivery-status")) ||
        slice_eq(type, S("message/global-delivery-status")))
        return REPORT_DELIVERY;
    if (slice_eq(type, S("message/disposition-notification")) ||
        slice_eq(type, S("message/global-disposition-notification")))
        return REPORT_DISPOSITION;
    return REPORT_NONE;
}

/* The Message-ID of the message that comes back, whole or its header. */
static void returned_id(struct arena *a, const struct mime *m, size_t part, slice type,
                        struct report *out)
{
    slice header, id;
    struct mime_content c;
    if (out->message_id.n)
        return;
    mime_content(a, m, part, &c);
    if (m->parts[part].kind == MIME_MESSAGE)
        header = mime_header(m, mime_child(m, part));
    else if (slice_eq(type, S("text/rfc822-headers")) ||
             slice_eq(type, S("message/global-headers")))
        header = mime_decode(a, m, part, &c, NULL);
    else
        return;
    if (header_find(header, S("Message-ID"), &id))
        out->message_id = msgid_first(a, id);
}

bool report_parse(struct arena *a, const struct mime *m, struct report *out)
{
    const slice none = S("");
    *out =
        (struct report){.reporting = none, .envid = none, .message_id = none, .disposition = none};
    for (size_t i = 0; i < m->count;
         i = m->parts[i].kind == MIME_MESSAGE ? mime_after(m, i) : i + 1) {
        struct mime_content c;
        mime_content(a, m, i, &c);
        enum report_kind kind = kind_of(c.type.value);
        if (kind && !out->kind) {
            out->kind = kind;
            read_groups(a, mime_decode(a, m, i, &c, NULL), out);
        } else if (out->kind) {
            returned_id(a, m, i, c.type.value, out);
        }
    }
    return out->kind != REPORT_NONE;
}
