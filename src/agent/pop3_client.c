/*
 * Straight code: write a command, read its answer.  Input is buffered here, not in dial.h, because
 * a message is taken in runs of any length and what follows it must stay.
 */
#include "agent/pop3_client.h"

#include "base/limits.h"
#include "base/log.h"
#include "message/base64.h"
#include "smtp/dot.h"
#include "smtp/scram_client.h"
#include "base/banned.h"

enum {
    REPLY_MAX = 16384,
    WINDOW = 32,
    READ_BYTES = 65536,
    REPLY_MS = 60000,
    UIDL_MAX = 70,
    LAST_MAX = 4096
};

struct pop3_client {
    struct arena arena;
    struct dial *dial;
    const struct agent_account *account;
    bool pipelining, stls, uidl, user;
    slice mechanisms; /* of SASL: "SCRAM-SHA-256 PLAIN" */
    slice last;       /* text of the last reply */
    char last_text[LAST_MAX];
    struct buf in;     /* read, not yet understood */
    size_t line_bytes; /* of the line read last, still at its front */
    bool closed;       /* the server ended the connection */
};

static const char *who(struct pop3_client *c)
{
    return arena_printf(&c->arena, "agent -> %.*s:%u", P(c->account->dial.host),
                        c->account->dial.port)
        .p;
}

static bool fail_dial(struct pop3_client *c, struct buf *error)
{
    const char *why = dial_error(c->dial); /* names the server */
    if (*why)
        buf_printf(error, "%s%s", why,
                   strstr(why, "certificate") ? "; trust it with --ca-file FILE" : "");
    else
        buf_printf(error, "%.*s:%u: %s", P(c->account->dial.host), c->account->dial.port,
                   c->closed ? "the server closed the connection" : "no POP3 answer came");
    return false;
}

/* Says what the server answered to what. */
static bool fail_reply(struct pop3_client *c, const char *what, struct buf *error)
{
    buf_printf(error, "%.*s:%u refused %s: %.*s", P(c->account->dial.host), c->account->dial.port,
               what, P(c->last));
    return false;
}

static bool command(struct pop3_client *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Queues one command line. */
static bool command(struct pop3_client *c, const char *format, ...)
{
    struct arena a = {0};
    va_list args;
    va_start(args, format);
    slice line = arena_vprintf(&a, format, args);
    va_end(args);
    bool ok = dial_write(c->dial, line) && dial_write(c->dial, S("\r\n"));
    arena_end(&a);
    return ok;
}

/* Reads some more; false at the end or on failure. */
static bool fill(struct pop3_client *c)
{
    char *to = buf_space(&c->in, READ_BYTES);
    ssize_t got = to ? dial_read(c->dial, to, READ_BYTES) : -1;
    if (got > 0)
        buf_wrote(&c->in, (size_t)got);
    c->closed = got == 0;
    return got > 0;
}

/* The next line without its end, in the buffer until the next call; false when none comes. */
static bool read_line(struct pop3_client *c, slice *line)
{
    buf_eat(&c->in, c->line_bytes);
    c->line_bytes = 0;
    for (;;) {
        ptrdiff_t end = slice_find(buf_slice(&c->in), '\n');
        if (end >= 0) {
            *line = slice_sub(buf_slice(&c->in), 0, (size_t)end);
            c->line_bytes = (size_t)end + 1;
            if (slice_ends(*line, S("\r")))
                line->n--;
            return true;
        }
        if (buf_length(&c->in) > REPLY_MAX || !fill(c))
            return false;
    }
}

enum reply { REPLY_OK, REPLY_ERR, REPLY_MORE, REPLY_LOST };

/* The next status line; its text is c->last. */
static enum reply read_reply(struct pop3_client *c)
{
    slice line;
    c->last = S("");
    if (!dial_flush(c->dial) || !read_line(c, &line))
        return REPLY_LOST;
    enum reply r = slice_eat(&line, S("+OK"))    ? REPLY_OK
                   : slice_eat(&line, S("-ERR")) ? REPLY_ERR
                   : slice_eat(&line, S("+"))    ? REPLY_MORE
                                                 : REPLY_LOST;
    slice_eat_wsp(&line);
    c->last = (slice){c->last_text, line.n < LAST_MAX ? line.n : LAST_MAX};
    memcpy(c->last_text, line.p, c->last.n);
    return r;
}

/* One command and its status line; false with the reason in error. */
static bool ask(struct pop3_client *c, const char *text, const char *what, struct buf *error)
{
    enum reply r = command(c, "%s", text) ? read_reply(c) : REPLY_LOST;
    if (r == REPLY_OK)
        return true;
    return r == REPLY_ERR ? fail_reply(c, what, error) : fail_dial(c, error);
}

/* The next line of a multi-line reply; false at its end or when the connection is lost. */
static bool next_line(struct pop3_client *c, slice *line, bool *lost)
{
    if (!read_line(c, line)) {
        *lost = true;
        return false;
    }
    if (slice_eq(*line, S(".")))
        return false;
    slice_eat(line, S(".")); /* byte-stuffed */
    return true;
}

static bool read_capabilities(struct pop3_client *c, struct buf *error)
{
    slice line;
    bool lost = false;
    c->pipelining = c->stls = c->uidl = c->user = false;
    c->mechanisms = S("");
    enum reply r = command(c, "CAPA") ? read_reply(c) : REPLY_LOST;
    if (r == REPLY_ERR) { /* a server older than RFC 2449 */
        c->user = c->uidl = true;
        return true;
    }
    while (r == REPLY_OK && next_line(c, &line, &lost)) {
        c->pipelining = c->pipelining || slice_eq_icase(line, S("PIPELINING"));
        c->stls = c->stls || slice_eq_icase(line, S("STLS"));
        c->uidl = c->uidl || slice_eq_icase(line, S("UIDL"));
        c->user = c->user || slice_eq_icase(line, S("USER"));
        if (slice_eat_icase(&line, S("SASL ")))
            c->mechanisms = arena_dup(&c->arena, line);
    }
    return r == REPLY_OK && !lost ? true : fail_dial(c, error);
}

static bool has_mechanism(slice list, slice name)
{
    slice word;
    while (slice_next(&list, ' ', &word))
        if (slice_eq_icase(word, name))
            return true;
    return false;
}

/* Sends a SASL message and reads the answer, decoded into *challenge when it goes on. */
static enum reply exchange(struct pop3_client *c, slice message, slice *challenge)
{
    slice text = base64_text(&c->arena, message);
    enum reply r = command(c, "%.*s", P(text)) ? read_reply(c) : REPLY_LOST;
    if (r == REPLY_MORE && !base64_decode_strict(&c->arena, c->last, challenge))
        return REPLY_LOST;
    return r;
}

static bool login_failed(struct pop3_client *c, enum reply r, struct buf *error)
{
    if (r == REPLY_LOST)
        return fail_dial(c, error);
    buf_printf(error, "%.*s:%u refused the login of %.*s: %.*s; check --user and the password",
               P(c->account->dial.host), c->account->dial.port, P(c->account->user), P(c->last));
    return false;
}

static bool login_scram(struct pop3_client *c, slice password, struct buf *error)
{
    struct scram_client scram = {0};
    slice challenge = S(""), message;
    slice first = scram_client_first(&scram, &c->arena, c->account->user, password);
    slice text = base64_text(&c->arena, first);
    enum reply r = command(c, "AUTH SCRAM-SHA-256 %.*s", P(text)) ? read_reply(c) : REPLY_LOST;
    if (r == REPLY_MORE && base64_decode_strict(&c->arena, c->last, &challenge)) {
        if (!scram_client_final(&scram, &c->arena, challenge, &message)) {
            buf_printf(error, "the server's SCRAM message makes no sense; is it the right server?");
            return false;
        }
        r = exchange(c, message, &challenge);
    }
    if (r == REPLY_MORE) { /* the server proves that it knows us */
        if (!scram_client_verify(&scram, &c->arena, challenge)) {
            buf_printf(error, "the server does not know the password; somebody stands between");
            return false;
        }
        r = exchange(c, S(""), &challenge);
    }
    return r == REPLY_OK || login_failed(c, r, error);
}

static bool login_plain(struct pop3_client *c, slice password, struct buf *error)
{
    slice message = arena_printf(&c->arena, "%c%.*s%c%.*s", 0, P(c->account->user), 0, P(password));
    slice text = base64_text(&c->arena, message);
    enum reply r = command(c, "AUTH PLAIN %.*s", P(text)) ? read_reply(c) : REPLY_LOST;
    return r == REPLY_OK || login_failed(c, r, error);
}

static bool login_user(struct pop3_client *c, slice password, struct buf *error)
{
    enum reply r = command(c, "USER %.*s", P(c->account->user)) ? read_reply(c) : REPLY_LOST;
    if (r == REPLY_OK)
        r = command(c, "PASS %.*s", P(password)) ? read_reply(c) : REPLY_LOST;
    return r == REPLY_OK || login_failed(c, r, error);
}

static bool log_in(struct pop3_client *c, slice password, struct buf *error)
{
    bool scram = has_mechanism(c->mechanisms, S("SCRAM-SHA-256"));
    bool plain = has_mechanism(c->mechanisms, S("PLAIN"));
    bool safe = dial_is_tls(c->dial) || strncmp(dial_remote(c->dial), "127.", 4) == 0;
    if (!scram && !safe) {
        buf_printf(error, "the password would travel in plain text; use --tls starttls");
        return false;
    }
    log_step(who(c), "authentication", "%s as %.*s",
             scram   ? "SCRAM-SHA-256"
             : plain ? "PLAIN"
                     : "USER",
             P(c->account->user));
    return scram   ? login_scram(c, password, error)
           : plain ? login_plain(c, password, error)
                   : login_user(c, password, error);
}

static bool start_tls(struct pop3_client *c, struct buf *error)
{
    if (buf_length(&c->in) > c->line_bytes) { /* RFC 2595: it may come from a stranger */
        buf_printf(error, "%.*s:%u sent more than it may before TLS; somebody stands between",
                   P(c->account->dial.host), c->account->dial.port);
        return false;
    }
    if (!dial_start_tls(c->dial, c->account->verify))
        return fail_dial(c, error);
    log_step(who(c), "TLS", "%s %s", dial_tls_version(c->dial), dial_tls_cipher(c->dial));
    return true;
}

/* Greeting, capabilities, TLS, login. */
static bool greet(struct pop3_client *c, slice password, struct buf *error)
{
    enum agent_tls tls = c->account->tls;
    if (tls == AGENT_IMPLICIT && !start_tls(c, error))
        return false;
    enum reply r = read_reply(c);
    if (r != REPLY_OK)
        return r == REPLY_ERR ? fail_reply(c, "the connection", error) : fail_dial(c, error);
    log_step(who(c), "handshake", "%.*s", P(c->last));
    if (!read_capabilities(c, error))
        return false;
    if (tls == AGENT_STARTTLS) {
        if (!c->stls) {
            buf_printf(error,
                       "%.*s:%u offers no TLS (STLS); use port 995, or --tls none on "
                       "loopback",
                       P(c->account->dial.host), c->account->dial.port);
            return false;
        }
        if (!ask(c, "STLS", "STLS", error) || !start_tls(c, error) || !read_capabilities(c, error))
            return false;
    }
    return log_in(c, password, error);
}

struct pop3_client *pop3_client_open(const struct agent_account *account, slice password,
                                     struct buf *error)
{
    struct dial *d = dial_open(&account->dial, error);
    if (!d)
        return NULL;
    struct pop3_client *c = mem_alloc(sizeof(*c));
    *c = (struct pop3_client){.dial = d, .account = account, .in = {.max = 4 * READ_BYTES}};
    dial_timeout(d, REPLY_MS);
    if (greet(c, password, error))
        return c;
    pop3_client_abort(c);
    return NULL;
}

void pop3_client_abort(struct pop3_client *c)
{
    if (!c)
        return;
    dial_end(c->dial);
    buf_end(&c->in);
    arena_end(&c->arena);
    mem_free(c);
}

bool pop3_client_quit(struct pop3_client *c, struct buf *error)
{
    bool ok = ask(c, "QUIT", "to end (nothing may be deleted)", error);
    log_step(who(c), "closure", "QUIT");
    pop3_client_abort(c);
    return ok;
}

/* "3 whqtswO00WBw418f9t5JxYwZ": the number, the rest. */
static bool read_scan(slice line, uint32_t *number, slice *rest)
{
    slice word;
    uint64_t n;
    if (!slice_next(&line, ' ', &word) || !slice_u64(word, UINT32_MAX, &n) || n == 0)
        return false;
    *number = (uint32_t)n;
    slice_eat_wsp(&line);
    *rest = slice_trim(line);
    return rest->n > 0;
}

static bool read_uidls(struct pop3_client *c, struct arena *a, struct pop3_item **items,
                       size_t *count, struct buf *error)
{
    slice line, rest;
    bool lost = false;
    size_t capacity = 0;
    *count = 0;
    *items = NULL;
    if (!ask(c, "UIDL", "UIDL", error))
        return false;
    while (next_line(c, &line, &lost)) {
        uint32_t number;
        if (!read_scan(line, &number, &rest) || rest.n > UIDL_MAX || *count >= LIMIT_POP3_MESSAGES)
            continue;
        *items = arena_grow(a, *items, *count, &capacity, sizeof(**items));
        (*items)[(*count)++] = (struct pop3_item){.number = number, .uidl = arena_dup(a, rest)};
    }
    return lost ? fail_dial(c, error) : true;
}

bool pop3_client_list(struct pop3_client *c, struct arena *a, struct pop3_item **items,
                      size_t *count, struct buf *error)
{
    slice line, rest, size;
    bool lost = false;
    size_t at = 0;
    if (!read_uidls(c, a, items, count, error) || !ask(c, "LIST", "LIST", error))
        return false;
    while (next_line(c, &line, &lost)) { /* both lists come in the same order */
        uint32_t number;
        if (!read_scan(line, &number, &rest) || !slice_next(&rest, ' ', &size))
            continue;
        while (at < *count && (*items)[at].number < number)
            at++;
        if (at < *count && (*items)[at].number == number)
            slice_u64(size, INT64_MAX, &(*items)[at].size);
    }
    return lost ? fail_dial(c, error) : true;
}

/* The text of one message into the sink. */
static bool read_message(struct pop3_client *c, const struct pop3_sink *sink, bool *stopped,
                         struct buf *error)
{
    struct dot dot = {0};
    buf_eat(&c->in, c->line_bytes);
    c->line_bytes = 0;
    while (!dot.ended) {
        if (!buf_length(&c->in) && !fill(c))
            return fail_dial(c, error);
        slice in = buf_slice(&c->in);
        size_t used = 0;
        while (used < in.n && !dot.ended) {
            slice run;
            used += dot_read(&dot, slice_skip(in, used), &run);
            if (run.n && !sink->bytes(sink->ctx, run)) {
                *stopped = true;
                return false;
            }
        }
        buf_eat(&c->in, used);
    }
    return true;
}

static bool retrieve_one(struct pop3_client *c, const struct pop3_item *item,
                         const struct pop3_sink *sink, bool *stopped, struct buf *error)
{
    enum reply r = read_reply(c);
    if (r == REPLY_ERR) {
        *stopped = !sink->refused(sink->ctx, item, c->last);
        return !*stopped;
    }
    if (r != REPLY_OK)
        return fail_dial(c, error);
    *stopped = !sink->begin(sink->ctx, item);
    if (*stopped || !read_message(c, sink, stopped, error))
        return false;
    *stopped = !sink->end(sink->ctx, item);
    return !*stopped;
}

bool pop3_client_retrieve(struct pop3_client *c, const struct pop3_item *items, size_t count,
                          const struct pop3_sink *sink, struct buf *error)
{
    size_t asked = 0, window = c->pipelining ? WINDOW : 1;
    bool stopped = false;
    for (size_t i = 0; i < count; i++) {
        while (asked < count && asked < i + window)
            if (!command(c, "RETR %u", items[asked++].number))
                return fail_dial(c, error);
        if (!retrieve_one(c, &items[i], sink, &stopped, error))
            return false;
    }
    return true;
}

bool pop3_client_delete(struct pop3_client *c, const struct pop3_item *items, size_t count,
                        size_t *marked, struct buf *error)
{
    size_t asked = 0, window = c->pipelining ? WINDOW : 1;
    *marked = 0;
    for (size_t i = 0; i < count; i++) {
        while (asked < count && asked < i + window)
            if (!command(c, "DELE %u", items[asked++].number))
                return fail_dial(c, error);
        enum reply r = read_reply(c);
        if (r != REPLY_OK && r != REPLY_ERR)
            return fail_dial(c, error);
        *marked += r == REPLY_OK;
    }
    return true;
}
