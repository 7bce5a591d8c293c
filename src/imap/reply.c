/*
 * Replies.  The end of a command is one list: what it may announce, its tagged line, then all it
 * had is given back.
 */
#include "imap/command.h"

#include <stdio.h>

#include "base/log.h"
#include "imap/announce.h"
#include "imap/compress.h"
#include "imap/reader.h"
#include "base/banned.h"

struct buf *imap_out(struct imap *p)
{
    return p->compress ? compress_out(p->compress) : &p->s.out;
}

bool imap_has_room(struct imap *p, void (*next)(struct imap *p))
{
    size_t waiting = buf_length(&p->s.out) + (p->compress ? buf_length(imap_out(p)) : 0);
    if (waiting <= LIMIT_OUT / 2)
        return true;
    p->next = next;
    p->s.want = SESSION_ROOM;
    return false;
}

/* ---- the end of a command ---- */

static void over(struct imap *p)
{
    void (*release)(struct imap *) = p->release;
    p->release = NULL;
    if (release)
        release(p);
    announce_forget(p);
    p->command = NULL;
    p->tag = p->code = p->reply = S("");
    p->uid = false;
    p->line = NULL;
    p->sink = NULL;
    p->work = NULL;
    arena_end(&p->scratch);
    imap_reader_done(p);
}

static void say(struct imap *p)
{
    if (!announce_step(p)) {
        imap_has_room(p, say);
        return;
    }
    while (p->reply.n) {
        if (!imap_has_room(p, say))
            return;
        slice piece = slice_sub(p->reply, 0, LIMIT_OUT / 4);
        buf_add(imap_out(p), piece);
        p->reply = slice_skip(p->reply, piece.n);
    }
    over(p);
}

/* "a1 OK text" */
static void put_tagged(struct imap *p, struct buf *out, const char *status, const char *format,
                       va_list args)
{
    buf_add(out, p->tag.n ? p->tag : S("*"));
    buf_add_byte(out, ' ');
    buf_add(out, slice_c(status));
    buf_add_byte(out, ' ');
    if (p->code.n) {
        buf_add_byte(out, '[');
        buf_add(out, p->code);
        buf_add(out, S("] "));
    }
    buf_vprintf(out, format, args);
    buf_add(out, S("\r\n"));
}

/* For who watches: "UID MOVE; we say OK Moved". */
static void narrate(const struct imap *p, const char *status, const char *format, va_list args)
{
    struct arena a = {0};
    va_list again;
    if (!p->command || !log_narrates())
        return;
    va_copy(again, args);
    slice text = arena_vprintf(&a, format, again);
    va_end(again);
    ptrdiff_t code = slice_starts(text, S("[CAPABILITY ")) ? slice_find(text, ']') : -1;
    slice rest = slice_trim(slice_skip(text, (size_t)(code + 1)));
    log_step(p->s.who, "transaction", "%s%.*s; we say %s %.*s", p->uid ? "UID " : "",
             P(p->command->name), status, P(rest));
    arena_end(&a);
}

static void end(struct imap *p, const char *status, const char *format, va_list args)
{
    narrate(p, status, format, args);
    enum imap_announces what = p->command ? p->command->announces : ANNOUNCE_NOTHING;
    if (what != ANNOUNCE_NOTHING)
        announce_start(p, what == ANNOUNCE_ALL || p->uid);
    if (announce_step(p) && p->code.n < LIMIT_OUT / 4) {
        put_tagged(p, imap_out(p), status, format, args);
        over(p);
        return;
    }
    struct buf later = {.max = LIMIT_OUT + p->code.n};
    put_tagged(p, &later, status, format, args);
    p->reply = arena_dup(&p->scratch, buf_slice(&later));
    buf_end(&later);
    say(p);
}

void imap_ok(struct imap *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    p->errors = p->state == IMAP_EARLY ? p->errors : 0;
    end(p, "OK", format, args);
    va_end(args);
}

void imap_no(struct imap *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    end(p, "NO", format, args);
    va_end(args);
}

void imap_bad(struct imap *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    p->command = NULL; /* nothing is announced with it */
    end(p, "BAD", format, args);
    va_end(args);
    if (++p->errors < LIMIT_COMMAND_ERRORS)
        return;
    log_event(LEVEL_INFO, "imap.nonsense", "session=%s ip=%s errors=%u", p->s.id, p->s.peer.ip,
              p->errors);
    imap_bye(p, "Too many errors");
}

void imap_bye(struct imap *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_add(imap_out(p), S("* BYE "));
    buf_vprintf(imap_out(p), format, args);
    buf_add(imap_out(p), S("\r\n"));
    va_end(args);
    p->s.want = SESSION_CLOSE;
}

void imap_syntax(struct imap *p)
{
    imap_bad(p, "These arguments cannot be read");
}

void imap_refused(struct imap *p, enum outcome outcome, enum refusal why)
{
    static const char *const text[] = {
        [REFUSED_NOT] = "[UNAVAILABLE] Not now, try again later",
        [REFUSED_MISSING] = "[NONEXISTENT] No such mailbox",
        [REFUSED_QUOTA] = "[OVERQUOTA] No room left",
        [REFUSED_LIMIT] = "[LIMIT] Too many",
        [REFUSED_NAME] = "[CANNOT] No mailbox may be called so",
        [REFUSED_EXISTS] = "[ALREADYEXISTS] There is one of that name",
        [REFUSED_CHILDREN] = "[HASCHILDREN] There are mailboxes below it",
        [REFUSED_ROLE] = "[USEATTR] Another mailbox has that use",
        [REFUSED_READ_ONLY] = "[CANNOT] This cannot be changed",
        [REFUSED_GONE] = "[EXPUNGEISSUED] Some of them have been expunged: nothing is copied",
    };
    imap_no(p, "%s", text[outcome == PERMFAIL ? why : REFUSED_NOT]);
}

/* ---- other lines ---- */

void imap_untagged(struct imap *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_add(imap_out(p), S("* "));
    buf_vprintf(imap_out(p), format, args);
    buf_add(imap_out(p), S("\r\n"));
    va_end(args);
}

void imap_continue(struct imap *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_add(imap_out(p), S("+ "));
    buf_vprintf(imap_out(p), format, args);
    buf_add(imap_out(p), S("\r\n"));
    va_end(args);
}

/* ---- strings ---- */

/* Quoted: no CR, LF, NUL; 8-bit only when the client takes UTF-8 there (RFC 6855 section 3). */
static bool fits_quotes(const struct imap *p, slice s)
{
    if (s.n > LIMIT_IMAP_QUOTED)
        return false;
    bool ascii = true;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
            return false;
        ascii = ascii && (unsigned char)s.p[i] < 0x80;
    }
    return ascii || ((p->enabled & ENABLED_UTF8) && slice_is_utf8(s));
}

void imap_put_string(struct imap *p, slice s)
{
    struct buf *out = imap_out(p);
    if (!fits_quotes(p, s)) {
        buf_printf(out, "{%zu}\r\n", s.n);
        buf_add(out, s);
        return;
    }
    buf_add_byte(out, '"');
    for (size_t from = 0, i = 0; i <= s.n; i++) {
        if (i < s.n && s.p[i] != '"' && s.p[i] != '\\')
            continue;
        buf_add(out, slice_sub(s, from, i));
        if (i < s.n)
            buf_add_byte(out, '\\');
        from = i;
    }
    buf_add_byte(out, '"');
}

void imap_put_astring(struct imap *p, slice s)
{
    slice rest = s, atom;
    if (imap_atom(&rest, &atom) && rest.n == 0 && !slice_eq_icase(s, S("NIL")))
        buf_add(imap_out(p), s);
    else
        imap_put_string(p, s);
}
