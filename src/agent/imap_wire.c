/*
 * A response is a line, or several that literals join.  It is put together in one buffer; only the
 * text of a message goes past it, in runs.
 */
#include "agent/imap_wire.h"

#include <stdio.h>

#include "imap/parse.h"
#include "base/banned.h"

enum { READ_BYTES = 65536, LITERAL_MINUS = 4096, QUOTED_MAX = 1000 };

void wire_end(struct imap_wire *w)
{
    if (w->dial)
        dial_end(w->dial);
    w->dial = NULL;
    buf_end(&w->in);
    buf_end(&w->response);
    arena_end(&w->arena);
}

bool wire_offers(const struct imap_wire *w, slice capability)
{
    slice list = w->capabilities, word;
    while (slice_next(&list, ' ', &word))
        if (slice_eq_icase(word, capability))
            return true;
    return false;
}

/* ---- Reading ---- */

static bool fill(struct imap_wire *w)
{
    char *to = buf_space(&w->in, READ_BYTES);
    ssize_t got = to && !w->broken ? dial_read(w->dial, to, READ_BYTES) : -1;
    if (got > 0)
        buf_wrote(&w->in, (size_t)got);
    w->closed = w->closed || got == 0;
    return got > 0;
}

bool wire_has_input(const struct imap_wire *w)
{
    return buf_length(&w->in) > 0;
}

static bool broken(struct imap_wire *w)
{
    w->broken = true;
    return false;
}

/* Moves a line, its LF included, from in to the end of response. */
static bool take_line(struct imap_wire *w)
{
    for (size_t looked = 0;;) {
        slice in = buf_slice(&w->in);
        ptrdiff_t end = slice_find(slice_skip(in, looked), '\n');
        size_t n = end >= 0 ? looked + (size_t)end + 1 : in.n;
        if (end >= 0 || n >= READ_BYTES) {
            if (!buf_add(&w->response, slice_sub(in, 0, n)))
                return broken(w);
            buf_eat(&w->in, n);
            n = 0;
        }
        if (end >= 0)
            return true;
        looked = n;
        if (!fill(w))
            return false;
    }
}

/* size bytes of a literal into response, or into body. */
static bool take_literal(struct imap_wire *w, uint64_t size, bool to_body)
{
    if (!to_body && size > buf_room(&w->response))
        return broken(w);
    while (size) {
        if (!buf_length(&w->in) && !fill(w))
            return false;
        slice run = slice_sub(buf_slice(&w->in), 0, size < SIZE_MAX ? (size_t)size : SIZE_MAX);
        if (to_body ? !w->body(w->body_ctx, run) : !buf_add(&w->response, run))
            return broken(w);
        size -= run.n;
        buf_eat(&w->in, run.n);
    }
    return true;
}

static slice without_line_end(slice line)
{
    if (slice_ends(line, S("\n")))
        line.n--;
    if (slice_ends(line, S("\r")))
        line.n--;
    return line;
}

/* A copy of s in to[IMAP_LAST_MAX], cut if it must be. */
static slice keep(char *to, slice s)
{
    s = slice_sub(s, 0, IMAP_LAST_MAX);
    memmove(to, s.p, s.n);
    return (slice){to, s.n};
}

/* A new CAPABILITY list, wherever it stands. */
static void note_capabilities(struct imap_wire *w, slice list)
{
    w->capabilities = keep(w->capabilities_text, list);
    w->capabilities_stale = false;
}

void wire_note(struct imap_wire *w, slice text)
{
    slice list;
    if (wire_code(text, S("CAPABILITY"), &list))
        note_capabilities(w, list);
    w->last = keep(w->last_text, text);
}

bool wire_read(struct imap_wire *w, slice *response)
{
    struct imap_literal literal;
    size_t line_at = 0;
    buf_clear(&w->response);
    if (!dial_flush(w->dial))
        return false;
    for (;;) {
        if (!take_line(w))
            return false;
        slice all = without_line_end(buf_slice(&w->response));
        if (!imap_literal_at_end(slice_skip(all, line_at), &literal)) {
            *response = all;
            return true;
        }
        slice before = slice_sub(all, 0, all.n - literal.length);
        bool to_body = w->body && slice_ends_icase(before, S("BODY[] "));
        if (to_body) {
            buf_cut(&w->response, before.n);
            buf_add(&w->response, S("\"\""));
        }
        if (!take_literal(w, literal.size, to_body))
            return false;
        line_at = buf_length(&w->response);
    }
}

bool wire_code(slice text, slice name, slice *arguments)
{
    ptrdiff_t end = slice_find(text, ']');
    if (!slice_eat(&text, S("[")) || end < 1)
        return false;
    slice code = slice_sub(text, 0, (size_t)end - 1);
    if (!slice_eat_icase(&code, name) || (code.n && !slice_eat(&code, S(" "))))
        return false;
    *arguments = code;
    return true;
}

/* "OK text", "NO text", "BAD text" at the front of *in; IMAP_LOST when it is none of them. */
static enum imap_reply take_status(slice *in)
{
    static const struct {
        slice word;
        enum imap_reply reply;
    } rows[] = {{{"OK", 2}, IMAP_OK}, {{"NO", 2}, IMAP_NO}, {{"BAD", 3}, IMAP_BAD}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (imap_word(in, rows[i].word)) {
            slice_eat(in, S(" "));
            return rows[i].reply;
        }
    return IMAP_LOST;
}

/* What every untagged response may say; the rest is for on_data. */
static bool take_untagged(struct imap_wire *w, slice data, wire_data_fn *on_data, void *ctx)
{
    slice rest = data, list;
    if (imap_word(&rest, S("CAPABILITY"))) {
        slice_eat(&rest, S(" "));
        note_capabilities(w, rest);
    } else if (imap_word(&rest, S("BYE"))) {
        wire_note(w, slice_trim(rest));
        w->closed = true;
    } else if (take_status(&rest) == IMAP_OK && wire_code(rest, S("CAPABILITY"), &list)) {
        note_capabilities(w, list);
    }
    return !on_data || on_data(ctx, data) || broken(w);
}

/* Reads to the tagged response of the last command, or to a "+". */
static enum imap_reply await(struct imap_wire *w, wire_data_fn *on_data, void *ctx)
{
    char tag_text[16];
    int tag_n = snprintf(tag_text, sizeof(tag_text), "a%u ", w->tag);
    slice response, tag = {tag_text, (size_t)tag_n};
    while (wire_read(w, &response)) {
        if (slice_eat(&response, S("* "))) {
            if (!take_untagged(w, response, on_data, ctx))
                return IMAP_LOST;
            continue;
        }
        if (slice_eat(&response, S("+"))) {
            slice_eat(&response, S(" "));
            wire_note(w, response);
            return IMAP_MORE;
        }
        enum imap_reply r = IMAP_LOST;
        if (slice_eat(&response, tag))
            r = take_status(&response);
        if (r != IMAP_LOST)
            wire_note(w, response);
        else
            w->broken = true;
        return r;
    }
    return IMAP_LOST;
}

/* ---- Writing ---- */

void wire_begin(struct imap_wire *w, const char *format, ...)
{
    struct arena a = {0};
    va_list args;
    va_start(args, format);
    slice text = arena_vprintf(&a, format, args);
    va_end(args);
    w->refused = false;
    w->tag++;
    wire_put(w, arena_printf(&a, "a%u ", w->tag));
    wire_put(w, text);
    arena_end(&a);
}

void wire_put(struct imap_wire *w, slice text)
{
    if (!w->refused)
        dial_write(w->dial, text); /* a failure shows when the answer is read */
}

bool wire_put_literal(struct imap_wire *w, uint64_t size)
{
    struct arena a = {0};
    bool now = wire_offers(w, S("LITERAL+")) ||
               (size <= LITERAL_MINUS &&
                (wire_offers(w, S("LITERAL-")) || wire_offers(w, S("IMAP4rev2"))));
    wire_put(w, arena_printf(&a, " {%llu%s}\r\n", (unsigned long long)size, now ? "+" : ""));
    arena_end(&a);
    if (now || w->refused)
        return !w->refused;
    w->refusal = await(w, NULL, NULL);
    w->refused = w->refusal != IMAP_MORE;
    return !w->refused;
}

static bool can_quote(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || (unsigned char)s.p[i] >= 0x7f)
            return false;
    return s.n <= QUOTED_MAX;
}

void wire_put_string(struct imap_wire *w, slice s)
{
    if (!can_quote(s)) {
        if (wire_put_literal(w, s.n))
            wire_put(w, s);
        return;
    }
    wire_put(w, S(" \""));
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            wire_put(w, S("\\"));
        wire_put(w, (slice){s.p + i, 1});
    }
    wire_put(w, S("\""));
}

enum imap_reply wire_finish(struct imap_wire *w, wire_data_fn *on_data, void *ctx)
{
    if (w->refused)
        return w->refusal;
    return wire_continue(w, S(""), on_data, ctx);
}

enum imap_reply wire_continue(struct imap_wire *w, slice line, wire_data_fn *on_data, void *ctx)
{
    w->last = S("");
    if (!dial_write(w->dial, line) || !dial_write(w->dial, S("\r\n")))
        return IMAP_LOST;
    return await(w, on_data, ctx);
}

enum imap_reply wire_ask(struct imap_wire *w, const char *format, ...)
{
    struct arena a = {0};
    va_list args;
    va_start(args, format);
    slice text = arena_vprintf(&a, format, args);
    va_end(args);
    wire_begin(w, "%.*s", P(text));
    arena_end(&a);
    return wire_finish(w, NULL, NULL);
}

bool wire_fail(struct imap_wire *w, enum imap_reply r, const char *what, struct buf *error)
{
    slice host = w->account->dial.host;
    unsigned port = w->account->dial.port;
    const char *why = dial_error(w->dial); /* names the server */
    if (r == IMAP_NO || r == IMAP_BAD)
        buf_printf(error, "%.*s:%u refused %s: %.*s", P(host), port, what, P(w->last));
    else if (*why)
        buf_printf(error, "%s%s", why,
                   strstr(why, "certificate") ? "; trust it with --ca-file FILE" : "");
    else if (w->closed)
        buf_printf(error, "%.*s:%u: the server closed the connection%s%.*s", P(host), port,
                   w->last.n ? ": " : "", P(w->last));
    else
        buf_printf(error, "%.*s:%u: no IMAP answer came", P(host), port);
    return false;
}
