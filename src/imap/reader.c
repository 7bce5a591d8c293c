/*
 * A command is "tag SP [UID SP] name [SP arguments]" and ends with a line that announces no
 * literal.  Its first line is judged before any literal is asked for: an unknown command, or one
 * that is not for now, never gets its "+".  A command that was answered before its end is skipped:
 * the literals its client sends unasked (RFC 7888 section 4) are never read as commands.
 */
#include "imap/reader.h"

#include <openssl/crypto.h>

#include "base/budget.h"
#include "base/log.h"
#include "base/banned.h"

/* Longer than any announcement of a literal: enough of a skipped line to see one at its end. */
enum { SKIP_TAIL = 32 };

static size_t most_text(const struct imap *p)
{
    return p->state == IMAP_EARLY ? LIMIT_IMAP_COMMAND_EARLY : LIMIT_IMAP_COMMAND;
}

void imap_reader_done(struct imap *p)
{
    struct imap_reader *r = &p->reader;
    r->line_from = r->args_from = 0;
    r->has_nul = false;
    budget_give(r->held);
    r->held = 0;
    if (r->text.size > LIMIT_IMAP_IDLE_TEXT)
        buf_end(&r->text);
    else
        buf_clear(&r->text);
}

void imap_reader_end(struct imap *p)
{
    budget_give(p->reader.held);
    buf_end(&p->reader.text);
}

/* ---- the first line ---- */

static const struct imap_command *find(slice name)
{
    for (size_t i = 0; i < imap_table_rows; i++)
        if (imap_table[i].name.n && slice_eq_icase(imap_table[i].name, name))
            return &imap_table[i];
    return NULL;
}

static bool may_run(struct imap *p, const struct imap_command *c)
{
    if (p->state == IMAP_EARLY && ++p->commands > LIMIT_IMAP_COMMANDS_EARLY) {
        imap_bye(p, "Too many commands without a login");
        return false;
    }
    if (!c || (p->uid && !c->uid_form))
        imap_bad(p, "Unknown command");
    else if (c->states & p->state)
        return true;
    else if (p->state == IMAP_EARLY)
        imap_bad(p, "Log in first");
    else if (c->states == IMAP_EARLY)
        imap_bad(p, "Already logged in");
    else if (p->state == IMAP_SELECTED)
        imap_bad(p, "Not while a mailbox is selected");
    else
        imap_bad(p, "Select a mailbox first");
    return false;
}

/* Reads tag and name; false after the answer. */
static bool begin(struct imap *p, slice line)
{
    slice in = line, tag, name;
    if (!imap_tag(&in, &tag) || (in.n && in.p[0] != ' ')) {
        imap_bad(p, "A command begins with a tag");
        return false;
    }
    p->tag = arena_dup(&p->scratch, tag);
    p->uid = false;
    if (!imap_space(&in) || !imap_atom(&in, &name)) {
        imap_bad(p, "A tag and a command, please");
        return false;
    }
    slice uid = in;
    if (slice_eq_icase(name, S("UID")) && imap_space(&uid) && imap_atom(&uid, &name)) {
        p->uid = true;
        in = uid;
    }
    p->command = find(name);
    if (!may_run(p, p->command))
        return false;
    if (in.n && !imap_space(&in)) {
        imap_syntax(p);
        return false;
    }
    p->reader.args_from = line.n - in.n;
    return true;
}

/* ---- literals ---- */

/* The command has been answered; what of it is still to come is thrown away. */
static void skip(struct imap *p, const struct imap_literal *literal)
{
    struct imap_reader *r = &p->reader;
    imap_reader_done(p);
    r->skipping = literal && literal->nonsync;
    if (!r->skipping)
        return;
    uint64_t most = p->state == IMAP_EARLY ? LIMIT_IMAP_COMMAND_EARLY : LIMIT_IMAP_SWALLOW;
    if (literal->size > most) {
        r->skipping = false;
        imap_bye(p, "[TOOBIG] That literal is too large");
    } else if (literal->size) {
        r->mode = READING_SWALLOW;
        r->literal = literal->size;
    }
}

static enum imap_taking place(struct imap *p, const struct imap_literal *literal)
{
    size_t most = most_text(p), had = buf_length(&p->reader.text);
    if (literal->size > most || had + 4 > most - literal->size) {
        imap_bad(p, "[TOOBIG] That literal is too large");
        return TAKE_REFUSED;
    }
    if (!budget_take((size_t)literal->size)) {
        imap_no(p, "[LIMIT] Not enough memory now");
        return TAKE_REFUSED;
    }
    p->reader.held += (size_t)literal->size;
    return TAKE_IN_PLACE;
}

/* line is the text so far, without its CRLF. */
static void take_literal(struct imap *p, slice text, const struct imap_literal *literal)
{
    struct imap_reader *r = &p->reader;
    slice so_far = slice_sub(text, r->args_from, text.n - literal->length);
    enum imap_taking taking = TAKE_IN_PLACE;
    if (p->command->literal)
        taking = p->command->literal(p, so_far, literal);
    if (taking == TAKE_IN_PLACE)
        taking = place(p, literal);
    if (taking == TAKE_REFUSED) {
        skip(p, literal);
        return;
    }
    if (taking == TAKE_STREAM) {
        buf_clear(&r->text);
        r->args_from = 0;
    } else {
        buf_cut(&r->text, text.n);
        buf_add(&r->text, S("\r\n"));
    }
    r->line_from = buf_length(&r->text) + (taking == TAKE_STREAM ? 0 : (size_t)literal->size);
    r->literal = literal->size;
    if (literal->size)
        r->mode = taking == TAKE_STREAM ? READING_STREAM : READING_LITERAL;
    if (!literal->nonsync)
        imap_continue(p, "Go on");
}

/* ---- lines ---- */

static void run(struct imap *p, slice text)
{
    slice args = slice_skip(text, p->reader.args_from);
    metric_add(METRIC_IMAP_COMMANDS, 1);
    if (p->reader.has_nul)
        imap_bad(p, "A NUL stands only in a literal8");
    else if (p->command->no_args && slice_trim(args).n)
        imap_bad(p, "No arguments expected");
    else
        p->command->run(p, args);
    if (p->line) /* it goes on with lines of their own */
        imap_reader_done(p);
}

/* A whole line has come; without its end it is the end of text. */
static void take_line(struct imap *p, slice text)
{
    struct imap_reader *r = &p->reader;
    struct imap_literal literal;
    slice line = slice_skip(text, r->line_from);
    void (*to)(struct imap *, slice) = p->line;
    if (to) {
        p->line = NULL;
        line = arena_dup(&p->scratch, line);
        OPENSSL_cleanse(r->text.p, r->text.size); /* it may have been a password */
        imap_reader_done(p);
        to(p, line);
        return;
    }
    bool more = imap_literal_at_end(line, &literal);
    if (r->skipping)
        skip(p, more ? &literal : NULL);
    else if (!p->command && !begin(p, text))
        skip(p, more ? &literal : NULL);
    else if (more)
        take_literal(p, text, &literal);
    else
        run(p, text);
}

/* The line does not end within the cap. */
static void take_too_long(struct imap *p)
{
    struct imap_reader *r = &p->reader;
    r->skipping = true;
    p->line = NULL;
    if (p->command || begin(p, slice_sub(buf_slice(&r->text), 0, LIMIT_IMAP_TAG + 64)))
        imap_bad(p, "Too long");
    imap_reader_done(p);
}

/* Of a line that is skipped only its end counts, where a literal may be announced. */
static void keep_tail(struct imap *p, slice piece)
{
    struct imap_reader *r = &p->reader;
    r->swallowed += piece.n;
    if (r->swallowed > LIMIT_IMAP_SWALLOW)
        imap_bye(p, "Too long");
    if (piece.n > SKIP_TAIL)
        piece = slice_skip(piece, piece.n - SKIP_TAIL);
    buf_add(&r->text, piece);
    if (buf_length(&r->text) > SKIP_TAIL)
        buf_eat(&r->text, buf_length(&r->text) - SKIP_TAIL);
}

/* A bare LF ends a line, too: people type IMAP by hand, and nothing hides behind it here. */
static size_t read_line(struct imap *p, slice in)
{
    struct imap_reader *r = &p->reader;
    size_t most = most_text(p), had = buf_length(&r->text);
    if (!r->skipping && had >= most)
        take_too_long(p);
    slice piece = r->skipping ? in : slice_sub(in, 0, most - had);
    ptrdiff_t end = slice_find(piece, '\n');
    size_t n = end >= 0 ? (size_t)end + 1 : piece.n;
    if (end >= 0)
        piece.n = (size_t)end;
    r->text.max = SIZE_MAX;
    if (r->skipping)
        keep_tail(p, piece);
    else
        buf_add(&r->text, piece);
    if (end < 0)
        return n;
    r->swallowed = 0;
    if (slice_ends(slice_skip(buf_slice(&r->text), r->line_from), S("\r")))
        buf_cut(&r->text, buf_length(&r->text) - 1);
    take_line(p, buf_slice(&r->text));
    return n;
}

static size_t read_literal(struct imap *p, slice in)
{
    struct imap_reader *r = &p->reader;
    slice piece = slice_sub(in, 0, r->literal < in.n ? (size_t)r->literal : in.n);
    enum imap_reading mode = (enum imap_reading)r->mode;
    r->literal -= piece.n;
    if (r->literal == 0)
        r->mode = READING_LINE;
    if (mode == READING_LITERAL) {
        r->has_nul = r->has_nul || slice_find(piece, '\0') >= 0;
        buf_add(&r->text, piece);
    } else if (mode == READING_STREAM) {
        p->sink(p, piece);
    }
    return piece.n;
}

size_t imap_read(struct imap *p, slice in)
{
    return p->reader.mode == READING_LINE ? read_line(p, in) : read_literal(p, in);
}
