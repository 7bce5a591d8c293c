/* One message of a FETCH: "* 7 FETCH (UID 9 FLAGS (\Seen) BODY[]<0> {5}", the bytes, ")". */
#include "imap/fetch.h"

#include "base/log.h"
#include "imap/structure.h"
#include "message/date.h"

#include "base/banned.h"

/* ---- small values: printed to a place with room enough, there may be a hundred thousand ---- */

static char *print(char *to, slice text)
{
    memcpy(to, text.p, text.n);
    return to + text.n;
}

static void print_pair(char *to, int v)
{
    to[0] = (char)('0' + v / 10 % 10);
    to[1] = (char)('0' + v % 10);
}

/* "\" 1-Nov-2026 20:24:01 +0800\"" */
static char *print_date(char *to, int64_t ms, int zone_minutes)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const char empty[] = "\"00-Mon-0000 00:00:00 +0000\"";
    struct date_fields d;
    int zone = zone_minutes < 0 ? -zone_minutes : zone_minutes;
    date_fields(ms, zone_minutes, &d);
    memcpy(to, empty, sizeof(empty) - 1);
    print_pair(to + 1, d.day);
    if (d.day < 10)
        to[1] = ' ';
    memcpy(to + 4, months + (d.month - 1) * 3, 3);
    print_pair(to + 8, d.year / 100);
    print_pair(to + 10, d.year);
    print_pair(to + 13, d.hour);
    print_pair(to + 16, d.minute);
    print_pair(to + 19, d.second);
    to[22] = zone_minutes < 0 ? '-' : '+';
    print_pair(to + 23, zone / 60);
    print_pair(to + 25, zone % 60);
    return to + sizeof(empty) - 1;
}

static char *print_modseq(char *to, const struct entry *e)
{
    *to++ = '(';
    to = imap_print_number((uint64_t)e->modseq, to);
    *to++ = ')';
    return to;
}

/* What stands before a value. */
static char *print_label(struct fetch *f, char *to, slice label)
{
    if (!f->is_empty)
        *to++ = ' ';
    f->is_empty = false;
    return print(to, label);
}

/* An item that is a short value; texts hold the date. */
static char *print_value(struct imap *p, char *to, enum fetch_kind kind, const struct entry *e,
                         const struct message_parts *texts)
{
    switch (kind) {
    case FETCH_UID:
        return imap_print_number(e->uid, to);
    case FETCH_FLAGS:
        return imap_print_flags(p, e, to);
    case FETCH_SIZE:
        return imap_print_number(e->size, to);
    case FETCH_MODSEQ:
        return print_modseq(to, e);
    default: /* FETCH_INTERNALDATE */
        return print_date(to, texts->internaldate_ms, texts->zone_minutes);
    }
}

/* ---- items ---- */

/* item_room bytes to print into. */
static char *room(struct imap *p, const struct fetch *f)
{
    return buf_space(imap_out(p), f->item_room);
}

static void wrote(struct imap *p, const char *from, const char *to)
{
    buf_wrote(imap_out(p), (size_t)(to - from));
}

static void put_label(struct imap *p, struct fetch *f, slice label)
{
    char *from = room(p, f);
    wrote(p, from, print_label(f, from, label));
}

/* A text of any length: what has no room now follows in steps. */
static void put_text(struct imap *p, struct fetch *f, const struct fetch_item *item, slice text)
{
    if (text.n == 0) { /* nobody could make it: the body is damaged */
        f->failed = true;
        return;
    }
    put_label(p, f, item->label);
    if (text.n <= FETCH_STEP && buf_room(imap_out(p)) >= text.n + f->item_room)
        buf_add(imap_out(p), text);
    else
        f->bytes = fetch_bytes_ready(text);
}

static void put_body(struct imap *p, struct fetch *f, const struct fetch_item *item,
                     slice structure)
{
    slice body = S("");
    if (!structure_short(&f->batch_arena, structure, &body))
        body = S("");
    put_text(p, f, item, body);
}

/* nstring or literal8 (RFC 9051 6.4.5, RFC 3516 4.3), or the size. */
static char *print_bytes(struct fetch *f, char *to, const struct fetch_item *item,
                         const struct fetch_bytes *bytes)
{
    if (item->kind == FETCH_BINARY_SIZE)
        return imap_print_number(bytes->size, to);
    if (bytes->size == 0)
        return print(to, S("\"\""));
    to = print(to, bytes->has_nul ? S("~{") : S("{"));
    to = imap_print_number(bytes->size, to);
    f->bytes = *bytes;
    return print(to, S("}\r\n"));
}

static void put_section(struct imap *p, struct fetch *f, const struct fetch_item *item)
{
    struct fetch_bytes bytes;
    enum fetch_found found = fetch_bytes_open(&f->message, item, &bytes);
    f->unknown_cte |= found == FETCH_UNKNOWN_CTE;
    f->no_memory |= found == FETCH_NO_MEMORY;
    f->failed |= found == FETCH_UNREADABLE;
    if (found != FETCH_FOUND && found != FETCH_MISSING)
        return;
    char *from = room(p, f), *to = print_label(f, from, item->label);
    if (found == FETCH_FOUND)
        to = print_bytes(f, to, item, &bytes);
    else
        to = print(to, item->kind == FETCH_BINARY_SIZE ? S("0") : S("NIL"));
    wrote(p, from, to);
}

static void put_item(struct imap *p, struct fetch *f, const struct fetch_item *item,
                     const struct message_parts *texts)
{
    char *from, *to;
    switch (item->kind) {
    case FETCH_ENVELOPE:
        put_text(p, f, item, texts->envelope);
        return;
    case FETCH_BODYSTRUCTURE:
        put_text(p, f, item, texts->bodystructure);
        return;
    case FETCH_BODY:
        put_body(p, f, item, texts->bodystructure);
        return;
    case FETCH_PREVIEW:
        put_label(p, f, item->label);
        imap_put_string(p, texts->preview);
        return;
    case FETCH_SECTION:
    case FETCH_BINARY:
    case FETCH_BINARY_SIZE:
        put_section(p, f, item);
        return;
    default:
        from = room(p, f);
        to = print_label(f, from, item->label);
        wrote(p, from, print_value(p, to, item->kind, &f->entries[f->at], texts));
    }
}

/* After \Seen was set: FLAGS, and with CONDSTORE UID and MODSEQ (RFC 7162 3.2.4), if not asked. */
static char *print_seen(struct imap *p, struct fetch *f, char *to)
{
    static const struct {
        enum fetch_kind kind;
        slice label;
        bool condstore;
    } rows[] = {
        {FETCH_UID, {"UID ", 4}, true},
        {FETCH_FLAGS, {"FLAGS ", 6}, false},
        {FETCH_MODSEQ, {"MODSEQ ", 7}, true},
    };
    const struct entry *e = &f->entries[f->at];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (!fetch_has(&f->items, rows[i].kind) &&
            (!rows[i].condstore || p->enabled & ENABLED_CONDSTORE)) {
            to = print_label(f, to, rows[i].label);
            to = print_value(p, to, rows[i].kind, e, NULL);
        }
    imap_told(p, e);
    return to;
}

/* ---- the line ---- */

static char *print_begin(struct fetch *f, char *to)
{
    f->is_empty = true;
    to = print(to, S("* "));
    to = imap_print_number(f->rows[f->at].position + UINT64_C(1), to);
    return print(to, S(" FETCH ("));
}

static char *print_end(struct imap *p, struct fetch *f, char *to)
{
    if (f->rows[f->at].newly_seen)
        to = print_seen(p, f, to);
    if (f->is_empty) { /* the grammar wants one */
        to = print_label(f, to, S("UID "));
        to = imap_print_number(f->entries[f->at].uid, to);
    }
    return print(to, S(")\r\n"));
}

/* Short values alone, of which VALUE_ROOM takes all there are but FLAGS. */
static void put_short_line(struct imap *p, struct fetch *f, const struct message_parts *texts)
{
    char *from = room(p, f), *to = print_begin(f, from);
    for (size_t i = 0; i < f->items.count; i++) {
        const struct fetch_item *item = &f->items.items[i];
        to = print_label(f, to, item->label);
        to = print_value(p, to, item->kind, &f->entries[f->at], texts);
    }
    wrote(p, from, print_end(p, f, to));
}

static void begin(struct imap *p, struct fetch *f)
{
    char *from = room(p, f);
    wrote(p, from, print_begin(f, from));
    f->is_open = true;
    f->item = 0;
}

static void end(struct imap *p, struct fetch *f)
{
    char *from = room(p, f);
    wrote(p, from, print_end(p, f, from));
    f->is_open = false;
}

/* Bytes that were announced and cannot be read: nothing true can follow. */
static enum fetch_step lost(struct imap *p, struct fetch *f)
{
    /* What stands before them is true. */
    fetch_later_read(&f->later, p->selected->store, imap_out(p));
    log_event(LEVEL_ERROR, "imap.unreadable", "session=%s account=%lld", p->s.id,
              (long long)p->account); /* which body it is, the store has said */
    p->s.want = SESSION_CLOSE;
    return FETCH_LOST;
}

bool fetch_settle(struct imap *p, struct fetch *f)
{
    return fetch_later_read(&f->later, p->selected->store, imap_out(p)) || (lost(p, f), false);
}

/* The next bytes of a text or section. */
static bool put_bytes(struct imap *p, struct fetch *f)
{
    if (!fetch_bytes_whole(&f->message, &f->bytes))
        return fetch_bytes_write(&f->message, &f->bytes, imap_out(p));
    f->bytes.left = 0;
    return fetch_later_add(&f->later, p->selected->store, &f->message.message, imap_out(p));
}

bool fetch_fits(struct imap *p, const struct fetch *f, const struct message_parts *texts)
{
    size_t need = texts->envelope.n + 2 * texts->bodystructure.n;
    return buf_room(imap_out(p)) >= need + FETCH_STEP + 2 * f->item_room;
}

enum fetch_step fetch_write(struct imap *p, struct fetch *f, const struct message_parts *texts)
{
    struct buf *out = imap_out(p);
    if (buf_room(out) < f->item_room)
        return FETCH_PAUSED;
    if (f->is_short) {
        put_short_line(p, f, texts);
        return FETCH_WRITTEN;
    }
    if (!f->is_open)
        begin(p, f);
    for (;;) {
        while (f->bytes.left) {
            if (buf_room(out) < FETCH_STEP + f->item_room)
                return FETCH_PAUSED;
            if (!put_bytes(p, f))
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
