/*
 * Any bytes into the IMAP session: before a login, after it, or with a mailbox open.  Properties:
 * the replies do not depend on how the bytes are cut, nor on whether they travel through DEFLATE;
 * they are whole lines and literals; memory is bounded whatever comes.  The first byte says where
 * the session stands and how the bytes travel, and seeds the cuts.
 */
#include <zlib.h>

#include "accounts/fuzz.h"
#include "imap/command.h"
#include "imap/compress.h"
#include "net/harness.h"
#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum how { LOGGED_IN = 1, SELECTED = 2, DEFLATED = 4, RAW = 8 };
enum { MOST_MEMORY = 4 << 20, MOST_SAID = 64 << 20 };

/* ---- a user with two messages ---- */

static enum outcome add_user(struct store_tx *tx, void *arg)
{
    static unsigned users;
    slice why, name = arena_printf(tx->arena, "u%u@north.test", ++users);
    return directory_user_add(tx, name, 0, arg, &why);
}

static enum outcome append(struct store_tx *tx, void *arg)
{
    return mailbox_append(tx, arg);
}

static int64_t new_user(struct store *s)
{
    static const slice messages[] = {{"Subject: \xe9\xa9\xbf\r\n\r\nbody", 20},
                                     {"A: 1\r\n\r\n.\r\n", 11}};
    int64_t account = 0;
    enum outcome o = store_write(s, &(struct store_call){.fn = add_user, .arg = &account});
    for (int i = 0; i < 2; i++) {
        struct store_body body = {.pieces = {messages[i]}, .piece_count = 1, .fd = -1};
        struct mailbox_append m = {
            .account = account, .mailbox = MAILBOX_INBOX, .body_bytes = messages[i].n};
        assert(o == DONE);
        o = store_write(
            s, &(struct store_call){.account = account, .fn = append, .arg = &m, .body = &body});
    }
    assert(o == DONE);
    return account;
}

/* ---- DEFLATE as a client speaks it ---- */

static slice deflated(struct arena *a, slice in)
{
    z_stream z = {0};
    int ok = deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    assert(ok == Z_OK);
    size_t size = deflateBound(&z, in.n) + 64;
    char *to = arena_alloc(a, size);
    z.next_in = (Bytef *)(uintptr_t)in.p;
    z.avail_in = (uInt)in.n;
    z.next_out = (Bytef *)to;
    z.avail_out = (uInt)size;
    ok = deflate(&z, Z_SYNC_FLUSH);
    assert(ok == Z_OK && z.avail_in == 0);
    slice out = {to, size - z.avail_out};
    deflateEnd(&z);
    return out;
}

static void inflated(slice in, struct buf *out)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n};
    int ok = inflateInit2(&z, -15);
    assert(ok == Z_OK);
    do {
        char *to = buf_space(out, 65536);
        assert(to);
        z.next_out = (Bytef *)to;
        z.avail_out = 65536;
        ok = inflate(&z, Z_SYNC_FLUSH);
        assert(ok == Z_OK || ok == Z_BUF_ERROR);
        buf_wrote(out, 65536 - z.avail_out);
    } while (z.avail_out == 0);
    inflateEnd(&z);
}

/* ---- one play ---- */

static void check_memory(const struct imap *p)
{
    size_t used = p->reader.text.size + p->scratch.used + p->s.out.size;
    assert(used <= MOST_MEMORY);
}

static void begin(struct harness *h, const struct imap_options *options, uint8_t how)
{
    struct session *s = imap_server_new(options);
    struct imap *p = (struct imap *)s;
    if (how & (LOGGED_IN | SELECTED)) {
        p->state = IMAP_AUTHENTICATED;
        p->account = new_user(options->login->store);
    }
    harness_start(h, s);
    if (how & SELECTED)
        harness_feed(h, S("x SELECT INBOX\r\n"));
    harness_said(h);
    if (how & (DEFLATED | RAW)) {
        p->compress = compress_new();
        assert(p->compress);
    }
}

/* Plays in, cut into pieces of 1 .. most bytes; what was said, inflated when it was deflated. */
static void play(struct fuzz_post *post, uint8_t how, slice in, size_t most, struct buf *said)
{
    struct imap_options options = {
        .hostname = S("north.test"),
        .login = &post->login,
        .message_size = 65536,
        .tls_available = false, /* what STARTTLS drops does depend on the cuts */
        .password_without_tls = true,
    };
    struct harness h = {.pools_full = true};
    struct arena a = {0};
    unsigned random = how;
    begin(&h, &options, how);
    if (how & DEFLATED)
        in = deflated(&a, in);
    while (in.n && !h.closed) {
        random = random * 1103515245 + 12345;
        slice piece = slice_sub(in, 0, 1 + (random >> 16) % most);
        harness_feed(&h, piece);
        in = slice_skip(in, piece.n);
        check_memory((struct imap *)h.session);
    }
    harness_eof(&h);
    if (how & (DEFLATED | RAW))
        inflated(harness_said(&h), said);
    else
        buf_add(said, harness_said(&h));
    assert(!said->full);
    harness_end(&h);
    arena_end(&a);
}

/* UIDVALIDITY and the time of day differ between two plays: long numbers and colons go. */
static void mask(struct buf *said)
{
    slice all = buf_slice(said);
    char *p = (char *)(uintptr_t)all.p;
    size_t to = 0;
    for (size_t i = 0; i < all.n;) {
        size_t digits = 0;
        while (i + digits < all.n && (ascii_is_digit(p[i + digits]) || p[i + digits] == ':'))
            digits++;
        if (digits >= 7) {
            p[to++] = 'N';
            i += digits;
        } else {
            p[to++] = p[i++];
        }
    }
    buf_cut(said, to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 32768)
        return 0;
    struct fuzz_post *post = fuzz_post_get();
    struct buf whole = {.max = MOST_SAID}, cut = {.max = MOST_SAID}, plain = {.max = MOST_SAID};
    slice in = {(const char *)data + 1, size - 1};
    uint8_t how = data[0];
    if (how & RAW)
        how |= LOGGED_IN;
    if (how & RAW)
        how &= (uint8_t)~DEFLATED;
    if ((how & DEFLATED) && !(how & (LOGGED_IN | SELECTED)))
        how |= LOGGED_IN;
    play(post, how, in, size, &whole);
    play(post, how, in, 1 + how / 2, &cut);
    mask(&whole);
    mask(&cut);
    /* COMPRESS in the middle: what follows is no text, and flushed as the bytes were cut */
    bool compressing = slice_search(buf_slice(&whole), S("OK Compressing")) >= 0;
    bool same_again =
        !compressing && slice_search(in, S("SCRAM")) < 0 && slice_search(in, S("scram")) < 0;
    assert(!same_again || slice_eq(buf_slice(&whole), buf_slice(&cut)));
    assert(compressing || buf_length(&whole) == 0 || slice_ends(buf_slice(&whole), S("\r\n")));
    if (how & DEFLATED) {
        play(post, how & (LOGGED_IN | SELECTED), in, size, &plain);
        mask(&plain);
        bool compress = slice_search(buf_slice(&plain), S("COMPRESS")) >= 0 ||
                        slice_search(buf_slice(&whole), S("COMPRESS")) >= 0;
        assert(compress || slice_eq(buf_slice(&whole), buf_slice(&plain)));
    }
    buf_end(&whole);
    buf_end(&cut);
    buf_end(&plain);
    return 0;
}
