/* The header of a composed message (RFC 5322 3.6, RFC 6532; rules M2, M5, M11, M12). */
#include "message/compose_plan.h"

#include <idn2.h>

#include "base/limits.h"
#include "message/address.h"
#include "message/date.h"
#include "message/header.h"
#include "message/word2047.h"

#include "base/banned.h"

enum { LINE_MAX = 78, REFERENCES_MAX = 50 };

/* Fields that compose prints from its own members; a caller must not add them again. */
static const char *const own_fields[] = {
    "date",
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "bcc",
    "subject",
    "message-id",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "content-disposition",
    "return-path",
    "received",
};

static bool refuse(struct arena *a, slice *error, const char *what, slice value)
{
    char *safe = arena_alloc(a, value.n + 1);
    for (size_t i = 0; i < value.n; i++)
        safe[i] = (unsigned char)value.p[i] < ' ' ? '?' : value.p[i];
    *error = arena_printf(a, "%s: %.*s", what, (int)(value.n < 200 ? value.n : 200), safe);
    return false;
}

/* ---- addresses ---- */

static bool domain_to_ascii(struct arena *a, slice domain, slice *out)
{
    char *name = arena_cstr(a, domain), *ascii = NULL;
    if (!name || idn2_to_ascii_8z(name, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return false;
    *out = arena_dup(a, slice_c(ascii));
    idn2_free(ascii);
    return out->n > 0 && out->n <= LIMIT_DOMAIN;
}

bool compose_envelope_address(struct arena *a, slice email, slice *out)
{
    slice local, domain;
    email = slice_trim(email);
    if (!address_is_mailbox(email, &local, &domain))
        return false;
    if (!slice_is_ascii(domain) && !domain_to_ascii(a, domain, &domain))
        return false;
    char *p = arena_alloc(a, local.n + 1 + domain.n + 1);
    memcpy(p, local.p, local.n);
    p[local.n] = '@';
    for (size_t i = 0; i < domain.n; i++)
        p[local.n + 1 + i] = ascii_lower(domain.p[i]);
    *out = (slice){p, local.n + 1 + domain.n};
    return true;
}

/* "Name <local@domain>", folded inside a long name; *column as in word2047_encode_phrase. */
static bool format_address(struct arena *a, const struct compose_address *x, size_t *column,
                           bool *utf8, slice *text, slice *error)
{
    slice email;
    if (!header_value_safe(x->name))
        return refuse(a, error, "a name with a line end", x->name);
    if (!compose_envelope_address(a, x->email, &email))
        return refuse(a, error, "not an address", x->email);
    *utf8 |= !slice_is_ascii(email);
    struct out out = {.arena = a};
    slice name = word2047_encode_phrase(a, x->name, column);
    out_add(&out, name);
    if (name.n) {
        bool fits = *column + 3 + email.n <= LINE_MAX;
        out_add(&out, fits ? S(" ") : S("\r\n "));
        *column = fits ? *column + 1 : 1;
        out_byte(&out, '<');
    }
    out_add(&out, email);
    if (name.n)
        out_byte(&out, '>');
    *column += email.n + (name.n ? 2 : 0);
    *text = out_slice(&out);
    return true;
}

/* How long the first line of text is. */
static size_t first_line(slice text)
{
    ptrdiff_t end = slice_find(text, '\r');
    return end < 0 ? text.n : (size_t)end;
}

bool print_addresses(struct out *out, slice field, const struct compose_addresses *list, bool *utf8,
                     slice *error)
{
    if (list->count == 0)
        return true;
    out_add(out, field);
    size_t column = field.n;
    for (size_t i = 0; i < list->count; i++) {
        slice text;
        size_t here = column + 1, fresh = 1;
        if (!format_address(out->arena, &list->list[i], &here, utf8, &text, error))
            return false;
        bool fits = column + 1 + first_line(text) + 1 <= LINE_MAX;
        if (i && !fits) {
            if (!format_address(out->arena, &list->list[i], &fresh, utf8, &text, error))
                return false;
            out_add(out, S("\r\n"));
            here = fresh;
        }
        out_byte(out, ' ');
        out_add(out, text);
        column = here;
        if (i + 1 < list->count) {
            out_byte(out, ',');
            column++;
        }
    }
    out_add(out, S("\r\n"));
    return true;
}

/* ---- other fields ---- */

void print_date(struct out *out, int64_t ms, int zone_minutes)
{
    out_add(out, S("Date: "));
    out_add(out, date_print(out->arena, ms, zone_minutes));
    out_add(out, S("\r\n"));
}

static bool print_text(struct out *out, slice name, slice value, slice *error)
{
    size_t column = name.n + 2;
    if (!header_value_safe(value))
        return refuse(out->arena, error, "a header field with a line end", value);
    slice text = word2047_encode_text(out->arena, value, &column);
    out_add(out, name);
    out_add(out, S(": "));
    out_add(out, text);
    out_add(out, S("\r\n"));
    return true;
}

/* An id is one word. */
static bool is_id(slice id)
{
    for (size_t i = 0; i < id.n; i++)
        if ((unsigned char)id.p[i] <= ' ' || id.p[i] == 0x7f || id.p[i] == '<' || id.p[i] == '>')
            return false;
    return id.n > 0 && id.n < 900;
}

static bool print_ids(struct out *out, slice name, const slice *ids, size_t count, slice *error)
{
    size_t column = name.n + 1, printed = 0;
    for (size_t i = 0; i < count; i++) {
        /* Of a very long thread the first and the last ones matter (RFC 5322 3.6.4). */
        if (count > REFERENCES_MAX && i && i < count - REFERENCES_MAX + 1)
            continue;
        if (!slice_is_ascii(ids[i])) /* not worth SMTPUTF8: the thread is found without it */
            continue;
        if (!is_id(ids[i]))
            return refuse(out->arena, error, "not a message id", ids[i]);
        if (!printed++) {
            out_add(out, name);
            out_byte(out, ':');
        } else if (column + ids[i].n + 3 > LINE_MAX) {
            out_add(out, S("\r\n"));
            column = 0;
        }
        out_add(out, S(" <"));
        out_add(out, ids[i]);
        out_byte(out, '>');
        column += ids[i].n + 3;
    }
    if (printed)
        out_add(out, S("\r\n"));
    return true;
}

static bool is_field_name(slice name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] >= 0x7f || name.p[i] == ':')
            return false;
    for (size_t i = 0; i < sizeof(own_fields) / sizeof(own_fields[0]); i++)
        if (slice_eq_icase(name, slice_c(own_fields[i])))
            return false;
    return name.n > 0 && name.n <= 76;
}

static slice domain_of(struct arena *a, const struct compose *c)
{
    slice email;
    if (c->domain.n)
        return c->domain;
    if (c->from.count == 0 || !compose_envelope_address(a, c->from.list[0].email, &email))
        return S("localhost");
    return slice_skip(email, (size_t)slice_rfind(email, '@') + 1);
}

/* Who the message is from: several authors need a Sender (RFC 5322 3.6.2). */
static bool print_originators(struct composer *m, const struct compose *c, slice *error)
{
    struct compose_addresses first = {c->from.list, 1};
    const struct compose_addresses *sender = &c->sender;
    if (c->from.count == 0)
        return refuse(m->arena, error, "a message needs a sender", S("From is empty"));
    if (sender->count == 0 && c->from.count > 1)
        sender = &first;
    return print_addresses(&m->text, S("From:"), &c->from, &m->utf8, error) &&
           print_addresses(&m->text, S("Sender:"), sender, &m->utf8, error) &&
           print_addresses(&m->text, S("Reply-To:"), &c->reply_to, &m->utf8, error);
}

/* To and Cc; Bcc only in the sender's own copy, but it must hold addresses all the same. */
static bool print_destinations(struct composer *m, const struct compose *c, slice *error)
{
    struct out unseen = {.arena = m->arena};
    if (!print_addresses(&m->text, S("To:"), &c->to, &m->utf8, error) ||
        !print_addresses(&m->text, S("Cc:"), &c->cc, &m->utf8, error) ||
        !print_addresses(c->keep_bcc ? &m->text : &unseen, S("Bcc:"), &c->bcc, &m->utf8, error))
        return false;
    if (!c->to.count && !c->cc.count && c->bcc.count && !c->keep_bcc)
        out_add(&m->text, S("To: undisclosed-recipients:;\r\n"));
    return true;
}

bool print_header(struct composer *m, const struct compose *c, slice *error)
{
    struct out *out = &m->text;
    m->message_id = c->message_id;
    if (!m->message_id.n)
        m->message_id = plan_message_id(m->arena, m->seed, domain_of(m->arena, c));
    if (!slice_is_ascii(m->message_id))
        return refuse(m->arena, error, "not a message id", m->message_id);
    print_date(out, c->date_ms, c->zone_minutes);
    if (!print_originators(m, c, error) || !print_destinations(m, c, error))
        return false;
    if (c->subject.n && !print_text(out, S("Subject"), c->subject, error))
        return false;
    if (!print_ids(out, S("Message-ID"), &m->message_id, 1, error) ||
        !print_ids(out, S("In-Reply-To"), &c->in_reply_to, c->in_reply_to.n ? 1 : 0, error) ||
        !print_ids(out, S("References"), c->references, c->reference_count, error))
        return false;
    for (size_t i = 0; i < c->field_count; i++) {
        if (!is_field_name(c->fields[i].name))
            return refuse(m->arena, error, "a field that cannot be added", c->fields[i].name);
        if (!print_text(out, c->fields[i].name, c->fields[i].value, error))
            return false;
    }
    out_add(out, S("MIME-Version: 1.0\r\n"));
    return true;
}

slice *compose_recipients(struct arena *a, const struct compose *c, size_t *count)
{
    const struct compose_addresses *lists[] = {&c->to, &c->cc, &c->bcc};
    slice *out = arena_array(a, c->to.count + c->cc.count + c->bcc.count + 1, sizeof(*out)), one;
    *count = 0;
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < lists[i]->count; k++) {
            if (!compose_envelope_address(a, lists[i]->list[k].email, &one))
                continue;
            size_t seen = 0;
            while (seen < *count && !slice_eq(out[seen], one))
                seen++;
            out[seen] = one;
            *count += seen == *count;
        }
    }
    return out;
}
