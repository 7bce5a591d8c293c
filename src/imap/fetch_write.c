/* One message of a FETCH: "* 7 FETCH (UID 9 FLAGS (\Seen) BODY[]<0> {5}", the bytes, ")". */
#include "imap/fetch.h"

#include "base/log.h"
#include "imap/structure.h"
#include "message/date.h"

#include "base/banned.h"

/* ---- small things, without printf: there may be a hundred thousand of them ---- */

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

static void put_number(struct buf *out, uint64_t v)
{
    char text[20], *p = text + sizeof(text);
    for (; v >= 100; v /= 100)
        memcpy(p -= 2, pairs + v % 100 * 2, 2);
    if (v >= 10)
        memcpy(p -= 2, pairs + v * 2, 2);
    else
        *--p = (char)('0' + v);
    buf_add(out, (slice){p, (size_t)(text + sizeof(text) - p)});
}

static void put_pair(char *to, int v)
{
    memcpy(to, pairs + v % 100 * 2, 2);
}

/* "\" 1-Nov-2026 20:24:01 +0800\"" */
static void put_date(struct buf *out, int64_t ms, int zone_minutes)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char text[] = "\"00-Mon-0000 00:00:00 +0000\"";
    struct date_fields d;
    int zone = zone_minutes < 0 ? -zone_minutes : zone_minutes;
    date_fields(ms, zone_minutes, &d);
    put_pair(text + 1, d.day);
    if (d.day < 10)
        text[1] = ' ';
    memcpy(text + 4, months + (d.month - 1) * 3, 3);
    put_pair(text + 8, d.year / 100);
    put_pair(text + 10, d.year);
    put_pair(text + 13, d.hour);
    put_pair(text + 16, d.minute);
    put_pair(text + 19, d.second);
    text[22] = zone_minutes < 0 ? '-' : '+';
    put_pair(text + 23, zone / 60);
    put_pair(text + 25, zone % 60);
    buf_add(out, (slice){text, sizeof(text) - 1});
}

/* The text of the flags, made anew only when they differ from the last ones. */
static slice flags_text(struct imap *p, struct fetch *f, const struct entry *e)
{
    bool recent = selected_is_recent(p->selected, e->uid);
    if (!buf_length(&f->flags) || e->flags != f->flags_of || recent != f->flags_recent) {
        buf_clear(&f->flags);
        imap_put_flags(p, &f->flags, e);
        f->flags_of = e->flags;
        f->flags_recent = recent;
    }
    return buf_slice(&f->flags);
}

static void put_modseq(struct buf *out, const struct entry *e)
{
    buf_add(out, S("("));
    put_number(out, (uint64_t)e->modseq);
    buf_add(out, S(")"));
}

/* ---- items ---- */

/* What stands before the value. */
static void put_label(struct fetch *f, struct buf *out, slice label)
{
    if (!f->is_empty)
        buf_add(out, S(" "));
    f->is_empty = false;
    buf_add(out, label);
}

/* A text of any length: what has no room now follows in steps. */
static void put_text(struct fetch *f, struct buf *out, const struct fetch_item *item, slice text)
{
    if (text.n == 0) { /* nobody could make it: the body is damaged */
        f->failed = true;
        return;
    }
    put_label(f, out, item->label);
    f->bytes = fetch_bytes_ready(text);
}

static void put_short_structure(struct fetch *f, struct buf *out, const struct fetch_item *item,
                                slice structure)
{
    slice body = S("");
    if (!structure_short(&f->batch_arena, structure, &body))
        body = S("");
    put_text(f, out, item, body);
}

/* nstring or literal8 (RFC 9051 6.4.5, RFC 3516 4.3). */
static void put_section(struct fetch *f, struct buf *out, const struct fetch_item *item)
{
    struct fetch_bytes bytes;
    switch (fetch_bytes_open(&f->message, item, &bytes)) {
    case FETCH_FOUND:
        break;
    case FETCH_MISSING:
        put_label(f, out, item->label);
        buf_add(out, item->kind == FETCH_BINARY_SIZE ? S("0") : S("NIL"));
        return;
    case FETCH_UNKNOWN_CTE:
        f->unknown_cte = true;
        return;
    case FETCH_NO_MEMORY:
        f->no_memory = true;
        return;
    case FETCH_UNREADABLE:
        f->failed = true;
        return;
    }
    put_label(f, out, item->label);
    if (item->kind == FETCH_BINARY_SIZE) {
        put_number(out, bytes.size);
        return;
    }
    if (bytes.size == 0) {
        buf_add(out, S("\"\""));
        return;
    }
    buf_add(out, bytes.has_nul ? S("~{") : S("{"));
    put_number(out, bytes.size);
    buf_add(out, S("}\r\n"));
    f->bytes = bytes;
}

static void put_item(struct imap *p, struct fetch *f, const struct fetch_item *item,
                     const struct message_parts *texts)
{
    struct buf *out = imap_out(p);
    const struct entry *e = &f->entries[f->at];
    switch (item->kind) {
    case FETCH_ENVELOPE:
        put_text(f, out, item, texts->envelope);
        return;
    case FETCH_BODYSTRUCTURE:
        put_text(f, out, item, texts->bodystructure);
        return;
    case FETCH_BODY:
        put_short_structure(f, out, item, texts->bodystructure);
        return;
    case FETCH_SECTION:
    case FETCH_BINARY:
    case FETCH_BINARY_SIZE:
        put_section(f, out, item);
        return;
    default:
        put_label(f, out, item->label);
    }
    switch (item->kind) {
    case FETCH_UID:
        put_number(out, e->uid);
        return;
    case FETCH_FLAGS:
        buf_add(out, flags_text(p, f, e));
        return;
    case FETCH_SIZE:
        put_number(out, e->size);
        return;
    case FETCH_MODSEQ:
        put_modseq(out, e);
        return;
    case FETCH_INTERNALDATE:
        put_date(out, texts->internaldate_ms, texts->zone_minutes);
        return;
    default: /* FETCH_PREVIEW */
        imap_put_string(p, texts->preview);
    }
}

/* After \Seen was set: FLAGS, and with CONDSTORE UID and MODSEQ (RFC 7162 3.2.4), if not asked. */
static void put_seen(struct imap *p, struct fetch *f)
{
    struct buf *out = imap_out(p);
    const struct entry *e = &f->entries[f->at];
    bool condstore = p->enabled & (ENABLED_CONDSTORE | ENABLED_QRESYNC);
    if (condstore && !fetch_has(&f->items, FETCH_UID)) {
        put_label(f, out, S("UID "));
        put_number(out, e->uid);
    }
    if (!fetch_has(&f->items, FETCH_FLAGS)) {
        put_label(f, out, S("FLAGS "));
        buf_add(out, flags_text(p, f, e));
    }
    if (condstore && !fetch_has(&f->items, FETCH_MODSEQ)) {
        put_label(f, out, S("MODSEQ "));
        put_modseq(out, e);
    }
    imap_told(p, e);
}

/* ---- the line ---- */

static void begin(struct imap *p, struct fetch *f)
{
    struct buf *out = imap_out(p);
    buf_add(out, S("* "));
    put_number(out, f->rows[f->at].position + UINT64_C(1));
    buf_add(out, S(" FETCH ("));
    f->is_open = true;
    f->is_empty = true;
    f->item = 0;
    f->bytes = (struct fetch_bytes){0};
}

static void end(struct imap *p, struct fetch *f)
{
    struct buf *out = imap_out(p);
    if (f->rows[f->at].newly_seen)
        put_seen(p, f);
    if (f->is_empty) { /* the grammar wants one */
        put_label(f, out, S("UID "));
        put_number(out, f->entries[f->at].uid);
    }
    buf_add(out, S(")\r\n"));
    f->is_open = false;
}

/* Bytes that were announced and cannot be read: nothing true can follow. */
static enum fetch_step lost(struct imap *p, struct fetch *f)
{
    log_event(LEVEL_ERROR, "imap.unreadable", "session=%s account=%lld message=%lld", p->s.id,
              (long long)f->message.message.account, (long long)f->message.message.id);
    p->s.want = SESSION_CLOSE;
    return FETCH_LOST;
}

bool fetch_fits(struct imap *p, const struct fetch *f, const struct message_parts *texts)
{
    size_t need = texts->envelope.n + 2 * texts->bodystructure.n;
    return buf_room(imap_out(p)) >= need + FETCH_STEP + 2 * f->item_room;
}

enum fetch_step fetch_write(struct imap *p, struct fetch *f, const struct message_parts *texts)
{
    struct buf *out = imap_out(p);
    if (!f->is_open)
        begin(p, f);
    for (;;) {
        while (f->bytes.left) {
            if (buf_room(out) < FETCH_STEP + f->item_room)
                return FETCH_PAUSED;
            if (!fetch_bytes_write(&f->message, &f->bytes, out))
                return lost(p, f);
        }
        if (buf_room(out) < f->item_room)
            return FETCH_PAUSED;
        if (f->item == f->items.count)
            break;
        put_item(p, f, &f->items.items[f->item++], texts);
    }
    end(p, f);
    return FETCH_WRITTEN;
}
