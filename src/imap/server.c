/*
 * The session: bytes go to the reader (reader.c), which runs commands (cmd_*.c); a long answer goes
 * on in resume() when out has drained.
 */
#include "imap/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "imap/command.h"
#include "imap/compress.h"
#include "imap/fetch_body.h"
#include "imap/reader.h"
#include "base/banned.h"

/* RFC 9051 5.4: at least 30 minutes once logged in; before, who says nothing is nobody. */
#define EARLY_MS (3 * MINUTE_MS)

enum { PIECES_A_TURN = 8 }; /* inflated before others come first */

static struct imap *imap_of(struct session *s)
{
    return (struct imap *)s;
}

static bool reads(const struct imap *p)
{
    return p->s.want == SESSION_READ || p->s.want == SESSION_NOTICE;
}

/* ---- input ---- */

/* Reads what was inflated; the rest waits for room, for the end of a step, or for others. */
static void read_pieces(struct imap *p)
{
    for (int pieces = 0; reads(p);) {
        slice piece = compress_piece(p->compress);
        if (piece.n == 0 && !compress_has_more(p->compress))
            return;
        if (!imap_has_room(p, NULL))
            return;
        if (piece.n) {
            compress_read(p->compress, imap_read(p, piece));
        } else if (++pieces > PIECES_A_TURN) {
            p->s.want = SESSION_ROOM;
        } else if (compress_take(p->compress, S("")) < 0) {
            imap_bye(p, "This is no DEFLATE");
        }
    }
}

static size_t read_deflated(struct imap *p, slice in)
{
    ssize_t n = compress_take(p->compress, in);
    if (n < 0) {
        imap_bye(p, "This is no DEFLATE");
        return in.n;
    }
    read_pieces(p);
    return (size_t)n;
}

/* What was said in this turn goes out. */
static void turn_done(struct imap *p)
{
    if (p->idling && p->s.want == SESSION_READ)
        p->s.want = SESSION_NOTICE;
    if (!p->compress)
        return;
    compress_flush(p->compress, &p->s.out);
    if (p->idling)
        compress_rest(p->compress);
}

static size_t imap_feed(struct session *s, slice in)
{
    struct imap *p = imap_of(s);
    size_t n = p->compress ? read_deflated(p, in) : imap_read(p, in);
    turn_done(p);
    return n;
}

static void imap_resume(struct session *s)
{
    struct imap *p = imap_of(s);
    void (*next)(struct imap *) = p->next;
    p->next = NULL;
    if (next)
        next(p);
    else if (p->idling)
        imap_idle_noticed(p);
    if (p->compress)
        read_pieces(p);
    turn_done(p);
}

/* ---- the session ---- */

static void imap_start(struct session *s)
{
    struct imap *p = imap_of(s);
    s->timeout_ms = EARLY_MS;
    log_step(s->who, "handshake", "IMAP session %s from %s", s->id, s->peer.ip);
    slice can = imap_capabilities(p);
    imap_untagged(p, "OK [CAPABILITY %.*s] %.*s Yizhan IMAP ready", P(can),
                  P(p->options->hostname));
    arena_end(&p->scratch);
}

static void imap_tls_started(struct session *s)
{
    log_step(s->who, "TLS", "the connection is now encrypted: %s, %s", s->peer.tls_version,
             s->peer.tls_cipher);
}

static void imap_expire(struct session *s, enum session_end why)
{
    struct imap *p = imap_of(s);
    static const char *const text[] = {
        [END_TIMEOUT] = "Nothing heard for too long",
        [END_SHUTDOWN] = "[UNAVAILABLE] The server stops, come back in a moment",
        [END_LIMIT] = "[UNAVAILABLE] Too busy, try again later",
    };
    if (why == END_TIMEOUT && p->idling && imap_idle_goes_on(p)) {
        turn_done(p);
        return;
    }
    log_step(s->who, "closure", why == END_TIMEOUT ? "nothing heard for too long" : "not now");
    imap_bye(p, "%s", text[why]);
    turn_done(p);
}

static void imap_end(struct session *s)
{
    struct imap *p = imap_of(s);
    if (p->state != IMAP_EARLY)
        log_event(LEVEL_INFO, "imap.end", "session=%s account=%lld", s->id, (long long)p->account);
    if (p->release)
        p->release(p);
    imap_unselect(p);
    compress_end(p->compress);
    imap_reader_end(p);
    arena_end(&p->keyword_arena);
    arena_end(&p->scratch);
    if (p->tree)
        fetch_tree_end(p->tree);
    struct arena arena = p->arena;
    arena_end(&arena);
}

struct session *imap_server_new(const struct imap_options *options)
{
    static const struct session_class class = {
        .name = "imap",
        .start = imap_start,
        .feed = imap_feed,
        .resume = imap_resume,
        .tls_started = imap_tls_started,
        .expire = imap_expire,
        .end = imap_end,
    };
    struct arena arena = {0};
    struct imap *p = arena_new(&arena, struct imap);
    p->arena = arena;
    p->s.class = &class;
    p->s.out.max = LIMIT_OUT;
    p->options = options;
    p->state = IMAP_EARLY;
    return &p->s;
}
