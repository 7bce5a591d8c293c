/*
 *   body     = "(" 1*body SP subtype [extension] ")"                     a multipart
 *            / "(" 7 values [SP lines] [extension] ")"                   a leaf; text has lines
 *            / "(" 7 values SP envelope SP body SP lines [extension] ")" a message
 *   value    = string / number / NIL / "(" *value ")"
 */
#include "imap/structure.h"

#include "base/limits.h"
#include "imap/parse.h"
#include "message/out.h"

#include "base/banned.h"

/* Passes over one value: what parentheses hold is skipped as a whole. */
static bool eat_value(struct arena *a, slice *in)
{
    size_t open = 0;
    slice ignored;
    do {
        imap_space(in);
        if (slice_eat(in, S("("))) {
            open++;
        } else if (open && slice_eat(in, S(")"))) {
            open--;
        } else if (!imap_string(a, in, &ignored, NULL) && !imap_atom(in, &ignored)) {
            return false;
        }
    } while (open);
    return true;
}

/* Copies " value" or "value". */
static bool copy_value(struct out *o, slice *in)
{
    slice before = *in;
    if (!eat_value(o->arena, in))
        return false;
    out_add(o, slice_sub(before, 0, before.n - in->n));
    return true;
}

static bool copy_body(struct out *o, slice *in, unsigned depth);

static bool copy_multipart(struct out *o, slice *in, unsigned depth)
{
    while (slice_starts(*in, S("(")))
        if (!copy_body(o, in, depth + 1))
            return false;
    return copy_value(o, in);
}

static bool copy_leaf(struct out *o, slice *in, unsigned depth)
{
    slice rest = *in, type, subtype;
    if (!imap_string(o->arena, &rest, &type, NULL) || !imap_space(&rest) ||
        !imap_string(o->arena, &rest, &subtype, NULL))
        return false;
    bool text = slice_eq_icase(type, S("text"));
    bool message = slice_eq_icase(type, S("message")) &&
                   (slice_eq_icase(subtype, S("rfc822")) || slice_eq_icase(subtype, S("global")));
    for (int i = 0; i < 7; i++)
        if (!copy_value(o, in))
            return false;
    if (message) {
        if (!copy_value(o, in) || !imap_space(in))
            return false;
        out_byte(o, ' ');
        if (!copy_body(o, in, depth + 1))
            return false;
    }
    return !(text || message) || copy_value(o, in);
}

static bool copy_body(struct out *o, slice *in, unsigned depth)
{
    if (depth > 2 * LIMIT_MIME_DEPTH || !slice_eat(in, S("(")))
        return false;
    out_byte(o, '(');
    if (!(slice_starts(*in, S("(")) ? copy_multipart : copy_leaf)(o, in, depth))
        return false;
    while (!slice_eat(in, S(")")))
        if (!eat_value(o->arena, in))
            return false;
    out_byte(o, ')');
    return true;
}

bool structure_short(struct arena *a, slice bodystructure, slice *body)
{
    struct out o = {.arena = a};
    if (!copy_body(&o, &bodystructure, 0) || bodystructure.n)
        return false;
    *body = out_slice(&o);
    return true;
}
