/*
 * The command reader alone (rules I1, I2), with a table and replies of its own: any bytes, cut
 * anywhere, are the same commands as in one piece; a command's text never holds more than its cap,
 * and of a literal that is streamed, swallowed or refused nothing at all; each literal arrives
 * whole.
 *
 * The first byte seeds the cuts and says whether the client has logged in; in the rest "\xff" N C
 * stands for C 1024 * N times, so that a short input may be a large literal.
 */
#include <assert.h>

#include "base/budget.h"
#include "imap/reader.h"
#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_INPUT = 1 << 20, MOST_RECORD = 8 << 20, SMALL = 32768, REFUSED_AT = 300000 };

/* What was read, as a text; the session first. */
struct reading {
    struct imap p;
    struct buf record;
    uint64_t announced, streamed; /* of the literals of this command */
    bool began;                   /* a literal of this command was streamed */
};

static struct reading *of(struct imap *p)
{
    return (struct reading *)(void *)p;
}

/* ---- replies, as reply.c gives them ---- */

static void over(struct imap *p, const char *status)
{
    buf_printf(&of(p)->record, "%s %.*s\n", status, P(p->tag));
    of(p)->announced = of(p)->streamed = 0;
    of(p)->began = false;
    p->command = NULL;
    p->tag = S("");
    p->uid = false;
    p->line = NULL;
    p->sink = NULL;
    arena_end(&p->scratch);
    imap_reader_done(p);
}

void imap_ok(struct imap *p, const char *format, ...)
{
    (void)format;
    over(p, "OK");
}

void imap_no(struct imap *p, const char *format, ...)
{
    (void)format;
    over(p, "NO");
}

void imap_bad(struct imap *p, const char *format, ...)
{
    (void)format;
    over(p, "BAD");
}

void imap_syntax(struct imap *p)
{
    over(p, "BAD");
}

void imap_bye(struct imap *p, const char *format, ...)
{
    (void)format;
    buf_add(&of(p)->record, S("BYE\n"));
    p->s.want = SESSION_CLOSE;
}

void imap_continue(struct imap *p, const char *format, ...)
{
    (void)format;
    buf_add(&of(p)->record, S("+\n"));
}

/* ---- commands ---- */

static void run(struct imap *p, slice args)
{
    struct reading *r = of(p);
    assert(r->streamed == r->announced);
    buf_printf(&r->record, "%s%.*s ", p->uid ? "UID " : "", P(p->command->name));
    buf_add(&r->record, args);
    over(p, "OK");
}

static void log_in(struct imap *p, slice args)
{
    p->state = IMAP_AUTHENTICATED;
    run(p, args);
}

static void take_line(struct imap *p, slice line)
{
    buf_add(&of(p)->record, line);
    if (line.n > 1)
        p->line = take_line;
    else
        over(p, "OK");
}

static void lines(struct imap *p, slice args)
{
    (void)args;
    p->line = take_line;
}

static void sink(struct imap *p, slice bytes)
{
    of(p)->streamed += bytes.n;
    assert(of(p)->streamed <= of(p)->announced);
    buf_add(&of(p)->record, bytes);
}

/* The first in place, the others streamed, as APPEND does; a large one is refused. */
static enum imap_taking literal(struct imap *p, slice so_far, const struct imap_literal *announced)
{
    struct reading *r = of(p);
    assert(r->streamed == r->announced);
    buf_printf(&r->record, "%s%llu ", announced->binary ? "~" : "",
               (unsigned long long)announced->size);
    buf_add(&r->record, so_far);
    if (!r->began && so_far.n == 0)
        return TAKE_IN_PLACE;
    if (announced->size > REFUSED_AT) {
        imap_no(p, "Too large");
        return TAKE_REFUSED;
    }
    p->sink = sink;
    r->began = true;
    r->announced += announced->size;
    return TAKE_STREAM;
}

/* clang-format off */
const struct imap_command imap_table[] = {
    {.name = {"NOOP", 4}, .states = IMAP_ANY, .no_args = true, .run = run},
    {.name = {"LOGIN", 5}, .states = IMAP_EARLY, .run = log_in},
    {.name = {"LINES", 5}, .states = IMAP_ANY, .no_args = true, .run = lines},
    {.name = {"FETCH", 5}, .states = IMAP_LOGGED_IN, .uid_form = true, .run = run},
    {.name = {"APPEND", 6}, .states = IMAP_LOGGED_IN, .run = run, .literal = literal},
    {.name = {"CLOSE", 5}, .states = IMAP_SELECTED, .run = run},
    {.capability = "IMAP4rev1"},
};
/* clang-format on */
const size_t imap_table_rows = sizeof(imap_table) / sizeof(imap_table[0]);

/* ---- one play ---- */

static void check_memory(const struct imap *p)
{
    size_t most = p->state == IMAP_EARLY ? LIMIT_IMAP_COMMAND_EARLY : LIMIT_IMAP_COMMAND;
    size_t text = buf_length(&p->reader.text);
    assert(text <= most + 4);
    assert(p->reader.text.size <= 4 * most);
    assert(p->reader.held <= most);
    assert(p->scratch.used <= 2 * most);
    if (p->reader.mode == READING_STREAM || p->reader.mode == READING_SWALLOW)
        assert(text == 0 && p->reader.literal > 0);
}

/* Cut into pieces of 1 .. most bytes, 0: whole. */
static void play(slice in, enum imap_states state, unsigned random, size_t most, struct buf *record)
{
    struct reading r = {.p.state = state, .record.max = MOST_RECORD};
    size_t before = budget_used();
    while (in.n && r.p.s.want == SESSION_READ) {
        random = random * 1103515245 + 12345;
        slice piece = most ? slice_sub(in, 0, 1 + (random >> 16) % most) : in;
        size_t n = imap_read(&r.p, piece);
        assert(n > 0 && n <= piece.n);
        in = slice_skip(in, n);
        check_memory(&r.p);
    }
    assert(!r.record.full);
    imap_reader_end(&r.p);
    arena_end(&r.p.scratch);
    assert(budget_used() == before);
    *record = r.record;
}

static void expand(slice in, struct buf *text)
{
    char run_of[1024];
    for (size_t i = 0; i < in.n; i++) {
        if ((unsigned char)in.p[i] != 0xff || in.n - i < 3) {
            buf_add_byte(text, in.p[i]);
            continue;
        }
        memset(run_of, in.p[i + 2], sizeof(run_of));
        for (int n = (unsigned char)in.p[i + 1]; n > 0; n--)
            buf_add(text, (slice){run_of, sizeof(run_of)});
        i += 2;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 65536)
        return 0;
    struct buf text = {.max = MOST_INPUT}, whole, cut;
    enum imap_states state = data[0] & 1 ? IMAP_SELECTED : IMAP_EARLY;
    expand((slice){(const char *)data + 1, size - 1}, &text);
    play(buf_slice(&text), state, data[0], 0, &whole);
    size_t most = data[0] & 2 ? 1 + (size_t)data[0] / 4 : 5000;
    if (buf_length(&text) > SMALL)
        most *= 64;
    play(buf_slice(&text), state, data[0], most, &cut);
    assert(slice_eq(buf_slice(&whole), buf_slice(&cut)));
    buf_end(&text);
    buf_end(&whole);
    buf_end(&cut);
    return 0;
}
