/* Trace fields: Received, Return-Path, Delivered-To. */
#include "message/trace.h"

#include "base/limits.h"
#include "message/date.h"
#include "message/out.h"

#include "base/banned.h"

/* A name a peer chose, as one word that cannot end a comment, a clause or the field. */
static slice harmless(struct arena *a, slice s)
{
    s = slice_sub(s, 0, LIMIT_DOMAIN);
    char *p = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++) {
        bool fine = s.p[i] > ' ' && s.p[i] < 0x7f && slice_find(S("()<>;,\\\""), s.p[i]) < 0;
        p[i] = fine ? s.p[i] : '?';
    }
    return (slice){p, s.n};
}

/* An address as it stands but for what would break the line. */
static void add_path(struct out *o, slice address)
{
    out_byte(o, '<');
    for (size_t i = 0; i < address.n; i++) {
        unsigned char c = (unsigned char)address.p[i];
        out_byte(o, c < ' ' || c == 0x7f ? '?' : address.p[i]);
    }
    out_byte(o, '>');
}

/* "from helo (rdns [192.0.2.1])" */
static void add_from(struct out *o, const struct received_stamp *r)
{
    slice helo = harmless(o->arena, r->helo);
    out_add(o, S("from "));
    out_add(o, helo.n ? helo : S("unknown"));
    out_add(o, S(" ("));
    if (r->rdns.n) {
        out_add(o, harmless(o->arena, r->rdns));
        out_byte(o, ' ');
    }
    out_add(o, slice_find(r->ip, ':') >= 0 ? S("[IPv6:") : S("["));
    out_add(o, harmless(o->arena, r->ip));
    out_add(o, S("])\r\n\t"));
}

slice received_print(struct arena *a, const struct received_stamp *r)
{
    struct out o = {.arena = a};
    out_add(&o, S("Received: "));
    if (r->ip.n)
        add_from(&o, r);
    out_add(&o, S("by "));
    out_add(&o, harmless(a, r->by));
    if (r->protocol.n) {
        out_add(&o, S(" with "));
        out_add(&o, harmless(a, r->protocol));
    }
    if (r->tls.n) {
        slice rest = r->tls, word;
        for (bool first = true; slice_next(&rest, ' ', &word); first = false) {
            out_add(&o, first ? S(" (") : S(" "));
            out_add(&o, harmless(a, word));
        }
        out_byte(&o, ')');
    }
    out_add(&o, S("\r\n\tid "));
    out_add(&o, harmless(a, r->id));
    if (r->rcpt.n) {
        out_add(&o, S(" for "));
        add_path(&o, r->rcpt);
    }
    out_add(&o, S(";\r\n\t"));
    out_add(&o, date_print(a, r->date_ms, r->zone_minutes));
    out_add(&o, S("\r\n"));
    return out_slice(&o);
}

static slice path_field(struct arena *a, slice name, slice address, bool brackets)
{
    struct out o = {.arena = a}, path = {.arena = a};
    add_path(&path, address);
    slice text = out_slice(&path);
    out_add(&o, name);
    out_add(&o, brackets ? text : slice_sub(text, 1, text.n - 1));
    out_add(&o, S("\r\n"));
    return out_slice(&o);
}

slice return_path_print(struct arena *a, slice sender)
{
    return path_field(a, S("Return-Path: "), sender, true);
}

slice delivered_to_print(struct arena *a, slice address)
{
    return path_field(a, S("Delivered-To: "), address, false);
}
