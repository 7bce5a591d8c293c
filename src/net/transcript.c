/*
 * Reads a transcript into a list of lines, then plays the list: once whole, once byte by byte, and
 * once for each place to cut the client's bytes in two.
 */
#include "net/transcript.h"

#include <errno.h>

#include "base/file.h"
#include "base/banned.h"

enum { TRANSCRIPT_MAX = 4 << 20, TRANSCRIPT_CUTS = 2000 };
#define NO_CUT   SIZE_MAX
#define ALL_CUTS (SIZE_MAX - 1)

enum line_kind {
    LINE_SEND,    /* C: C> C*N; bytes */
    LINE_SAY,     /* S: S>; bytes */
    LINE_PATTERN, /* S:*; a glob over one line */
    LINE_ANY,     /* S:... */
    LINE_EXPIRE,
    LINE_NOTIFY,
    LINE_ACT,
    LINE_TLS,
    LINE_EOF,
    LINE_CLOSED,
};

struct line {
    enum line_kind kind;
    size_t number;
    slice bytes;
    enum session_end why;
};

struct script {
    struct arena arena;
    struct line *lines;
    size_t count, capacity;
    size_t sent; /* bytes the client sends in all */
};

/* One play of the script. */
struct play {
    struct harness h;
    size_t cut, fed;
    slice said;   /* not yet matched */
    unsigned tls; /* TLS lines passed */
    struct buf *error;
    size_t line;
};

static const struct {
    const char *word;
    enum line_kind kind;
    enum session_end why;
} words[] = {
    {"TLS", LINE_TLS, 0},
    {"NOTIFY", LINE_NOTIFY, 0},
    {"TIMEOUT", LINE_EXPIRE, END_TIMEOUT},
    {"SHUTDOWN", LINE_EXPIRE, END_SHUTDOWN},
    {"LIMIT", LINE_EXPIRE, END_LIMIT},
    {"EOF", LINE_EOF, 0},
    {"CLOSED", LINE_CLOSED, 0},
};

/* \xNN, \r, \n and \\; any other backslash stands for itself (IMAP has \Seen). */
static slice unescape(struct arena *a, slice text, bool crlf)
{
    char *to = arena_alloc(a, text.n + 2);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '\\') {
            to[n++] = text.p[i];
            continue;
        }
        char c = i + 1 < text.n ? text.p[i + 1] : '\0';
        to[n] = c == 'r' ? '\r' : c == 'n' ? '\n' : '\\';
        if (c == 'r' || c == 'n' || c == '\\')
            i++;
        else if (c == 'x' && slice_unhex(slice_sub(text, i + 2, i + 4), to + n, 1))
            i += 3;
        n++;
    }
    if (crlf) {
        to[n++] = '\r';
        to[n++] = '\n';
    }
    return (slice){to, n};
}

/* "N text": the text N times. */
static bool repeat(struct arena *a, slice in, slice *out)
{
    slice digits;
    uint64_t times;
    if (!slice_next(&in, ' ', &digits) || !slice_u64(digits, TRANSCRIPT_MAX, &times))
        return false;
    slice once = unescape(a, in, false);
    if (once.n && times > TRANSCRIPT_MAX / once.n)
        return false;
    char *to = arena_alloc(a, once.n * times + 1);
    for (uint64_t i = 0; i < times && once.n; i++)
        memcpy(to + i * once.n, once.p, once.n);
    *out = (slice){to, once.n * times};
    return true;
}

static bool parse_line(struct arena *a, slice in, struct line *line)
{
    if (slice_eq(in, S("S:...")))
        return line->kind = LINE_ANY, true;
    if (slice_eat(&in, S("S:* "))) {
        line->kind = LINE_PATTERN;
        line->bytes = unescape(a, in, false);
        return true;
    }
    if (slice_eat(&in, S("C*"))) {
        line->kind = LINE_SEND;
        return repeat(a, in, &line->bytes);
    }
    if (in.n >= 2 && (in.p[0] == 'C' || in.p[0] == 'S') && (in.p[1] == ':' || in.p[1] == '>')) {
        line->kind = in.p[0] == 'C' ? LINE_SEND : LINE_SAY;
        bool crlf = in.p[1] == ':';
        in = slice_skip(in, 2);
        if (!slice_eat(&in, S(" ")) && in.n)
            return false;
        line->bytes = unescape(a, in, crlf);
        return true;
    }
    if (slice_eat(&in, S("DO "))) {
        line->kind = LINE_ACT;
        line->bytes = in;
        return true;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (slice_eq(in, slice_c(words[i].word))) {
            line->kind = words[i].kind;
            line->why = words[i].why;
            return true;
        }
    return false;
}

static bool parse(struct script *s, slice text, struct buf *error)
{
    slice in;
    for (size_t number = 1; slice_next(&text, '\n', &in); number++) {
        if (slice_ends(in, S("\r")))
            in.n--;
        if (in.n == 0 || in.p[0] == '#')
            continue;
        struct line line = {.number = number};
        if (!parse_line(&s->arena, in, &line)) {
            buf_printf(error, "line %zu: not a line of a transcript: %.*s", number, P(in));
            return false;
        }
        if (line.kind == LINE_SEND)
            s->sent += line.bytes.n;
        s->lines = arena_grow(&s->arena, s->lines, s->count, &s->capacity, sizeof(line));
        s->lines[s->count++] = line;
    }
    return true;
}

static bool glob(slice pattern, slice s)
{
    size_t p = 0, i = 0, star = SIZE_MAX, from = 0;
    while (i < s.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            from = i;
        } else if (p < pattern.n && pattern.p[p] == s.p[i]) {
            p++;
            i++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            i = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

static bool fail(struct play *p, const char *what, slice want)
{
    const char *how = "";
    buf_printf(p->error, "line %zu", p->line);
    if (p->cut == ALL_CUTS)
        how = " (byte by byte)";
    else if (p->cut != NO_CUT)
        buf_printf(p->error, " (cut at byte %zu)", p->cut);
    buf_printf(p->error, "%s: %s \"%.*s\", the server said \"%.*s\"", how, what, P(want),
               P(slice_sub(p->said, 0, 400)));
    return false;
}

/* Adds what was said since the last look to what is unmatched. */
static void listen_to(struct play *p, struct arena *a)
{
    slice more = harness_said(&p->h);
    if (!more.n)
        return;
    char *all = arena_alloc(a, p->said.n + more.n);
    if (p->said.n)
        memcpy(all, p->said.p, p->said.n);
    memcpy(all + p->said.n, more.p, more.n);
    p->said = (slice){all, p->said.n + more.n};
}

static bool match_here(const struct line *line, slice said, size_t *n)
{
    if (line->kind == LINE_SAY) {
        *n = line->bytes.n;
        return slice_starts(said, line->bytes);
    }
    ptrdiff_t end = slice_search(said, S("\r\n"));
    if (end < 0)
        return false;
    *n = (size_t)end + 2;
    return glob(line->bytes, slice_sub(said, 0, (size_t)end));
}

/* Matches an S line; skip: after "S:...". */
static bool match(struct play *p, const struct line *line, bool skip)
{
    slice at = p->said;
    size_t n;
    while (!match_here(line, at, &n)) {
        ptrdiff_t end = slice_search(at, S("\r\n"));
        if (!skip || end < 0)
            return fail(p, "expected", line->bytes);
        at = slice_skip(at, (size_t)end + 2);
    }
    p->said = slice_skip(at, n);
    return true;
}

/* Sends lines[from, to) as one piece, cut where this play cuts. */
static void send_group(struct play *p, struct arena *a, const struct line *lines, size_t count)
{
    size_t n = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        n += lines[i].bytes.n;
    char *all = arena_alloc(a, n + 1);
    for (size_t i = 0; i < count; i++) {
        memcpy(all + at, lines[i].bytes.p, lines[i].bytes.n);
        at += lines[i].bytes.n;
    }
    slice group = {all, n};
    size_t step = n;
    if (p->cut == ALL_CUTS)
        step = 1;
    else if (p->cut > p->fed && p->cut < p->fed + n)
        step = p->cut - p->fed;
    /* What was sent together with STARTTLS was sent before the hand-shake, however it is cut. */
    for (unsigned before = p->h.handshakes; group.n && p->h.handshakes == before;) {
        harness_feed(&p->h, slice_sub(group, 0, step));
        group = slice_skip(group, step);
        if (p->cut != ALL_CUTS)
            step = group.n;
    }
    p->fed += n;
}

static bool play_line(struct play *p, const struct transcript *t, const struct line *line)
{
    switch (line->kind) {
    case LINE_ACT:
        return (t->act && t->act(t->ctx, line->bytes)) || fail(p, "cannot do", line->bytes);
    case LINE_TLS:
        return p->h.handshakes >= ++p->tls || fail(p, "no hand-shake;", S(""));
    case LINE_NOTIFY:
        harness_notify(&p->h);
        return true;
    case LINE_EXPIRE:
        harness_expire(&p->h, line->why);
        return true;
    case LINE_EOF:
        harness_eof(&p->h);
        return true;
    case LINE_CLOSED:
        return p->h.closed || fail(p, "not closed;", S(""));
    default:
        return true;
    }
}

static bool is_say(enum line_kind kind)
{
    return kind == LINE_SAY || kind == LINE_PATTERN || kind == LINE_ANY;
}

static bool play_lines(struct play *p, struct arena *a, const struct transcript *t,
                       const struct script *s)
{
    bool skip = false;
    for (size_t i = 0; i < s->count; i++) {
        const struct line *line = &s->lines[i];
        p->line = line->number;
        listen_to(p, a);
        if (line->kind == LINE_ANY) {
            skip = true;
        } else if (is_say(line->kind)) {
            if (!match(p, line, skip))
                return false;
            skip = false;
        } else if (line->kind == LINE_SEND) {
            if (p->said.n && !skip)
                return fail(p, "before", line->bytes);
            if (p->h.closed)
                return fail(p, "closed before", line->bytes);
            p->said = (slice){0};
            skip = false;
            size_t from = i;
            while (i + 1 < s->count && s->lines[i + 1].kind == LINE_SEND)
                i++;
            send_group(p, a, s->lines + from, i - from + 1);
        } else if (!play_line(p, t, line)) {
            return false;
        }
    }
    listen_to(p, a);
    if (p->said.n && !skip)
        return fail(p, "after the end", S(""));
    return p->tls == p->h.handshakes || fail(p, "a hand-shake more than expected", S(""));
}

static bool play(const struct transcript *t, const struct script *s, size_t cut, struct buf *error)
{
    struct play p = {.cut = cut, .error = error};
    struct arena a = {0};
    harness_start(&p.h, t->make(t->ctx));
    bool ok = play_lines(&p, &a, t, s);
    harness_end(&p.h);
    if (t->done)
        t->done(t->ctx);
    arena_end(&a);
    return ok;
}

bool transcript_run(const struct transcript *t, slice text, struct buf *error)
{
    struct script s = {0};
    bool ok = parse(&s, text, error) && play(t, &s, NO_CUT, error) && play(t, &s, ALL_CUTS, error);
    size_t max = t->cuts_max ? t->cuts_max : TRANSCRIPT_CUTS;
    size_t each = s.sent / max + 1;
    for (size_t cut = 1; ok && cut < s.sent; cut += each)
        ok = play(t, &s, cut, error);
    arena_end(&s.arena);
    return ok;
}

bool transcript_run_file(const struct transcript *t, const char *path, struct buf *error)
{
    struct arena a = {0};
    slice text;
    bool ok = file_read(&a, path, TRANSCRIPT_MAX, &text) == 0;
    if (!ok)
        buf_printf(error, "%s: %s", path, strerror(errno));
    else
        ok = transcript_run(t, text, error);
    arena_end(&a);
    return ok;
}
