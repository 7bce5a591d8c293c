/*
 * Any bytes into the POP3 session, before a login or after one.  Properties: the replies do not
 * depend on how the bytes are cut; nothing is removed
 * without QUIT.  The first byte says whether to log in first and seeds the cuts.
 */
#include "accounts/fuzz.h"
#include "net/harness.h"
#include "pop3/server.h"
#include "store/mailbox.h"
#include "store/view.h"
#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const slice messages[] = {
    {"A: 1\r\n\r\n.\r\n..x\r\n", 16},
    {"Subject: \xe9\xa9\xbf\r\n\r\nbody", 20},
};
enum { MESSAGES = 2 };

static enum outcome append(struct store_tx *tx, void *arg)
{
    return mailbox_append(tx, arg);
}

struct removal {
    int64_t account;
    uint32_t uids[8];
    size_t count, done;
};

static enum outcome expunge(struct store_tx *tx, void *arg)
{
    struct removal *r = arg;
    return mailbox_expunge(tx, r->account, MAILBOX_INBOX, r->uids, r->count, &r->done);
}

static struct view_info look(struct fuzz_post *p, struct removal *r)
{
    struct view *v = view_open(p->login.store, p->account, MAILBOX_INBOX);
    struct entry e[8];
    assert(v);
    r->account = p->account;
    r->count = view_list(v, 0, e, 8);
    for (size_t i = 0; i < r->count; i++)
        r->uids[i] = e[i].uid;
    struct view_info info = view_info(v);
    view_release(v);
    return info;
}

static void must(struct store *s, const struct store_call *call)
{
    enum outcome o = store_write(s, call);
    assert(o == DONE);
}

/* Fills the maildrop when it is not as it should be. */
static void fill(struct fuzz_post *p)
{
    static int64_t fresh;
    struct removal r = {0};
    if (look(p, &r).modseq == fresh)
        return;
    if (r.count)
        must(p->login.store, &(struct store_call){.account = p->account, .fn = expunge, .arg = &r});
    for (size_t i = 0; i < MESSAGES; i++) {
        struct store_body body = {.pieces = {messages[i]}, .piece_count = 1, .fd = -1};
        struct mailbox_append m = {.account = p->account,
                                   .mailbox = MAILBOX_INBOX,
                                   .body_bytes = messages[i].n,
                                   .prefix = S("Return-Path: <>\r\n")};
        must(p->login.store,
             &(struct store_call){.account = p->account, .fn = append, .arg = &m, .body = &body});
    }
    fresh = look(p, &r).modseq;
}

/* Plays in, cut into pieces of 1 .. most bytes. */
static void play(struct fuzz_post *p, uint8_t how, slice in, size_t most, struct buf *said)
{
    struct pop3_options options = {
        .hostname = S("north.test"),
        .login = &p->login,
        .tls_available = false, /* what STLS drops does depend on the cuts */
        .password_without_tls = true,
    };
    struct harness h = {.pools_full = true};
    fill(p);
    harness_start(&h, pop3_server_new(&options));
    if (how & 1)
        harness_feed(&h, S("USER one@north.test\r\nPASS secret\r\n"));
    unsigned random = how;
    while (in.n) {
        random = random * 1103515245 + 12345;
        slice piece = slice_sub(in, 0, 1 + (random >> 16) % most);
        harness_feed(&h, piece);
        in = slice_skip(in, piece.n);
    }
    harness_eof(&h);
    bool kept = buf_add(said, harness_said(&h));
    assert(kept);
    harness_end(&h);
}

static bool has_icase(slice in, slice word)
{
    for (; in.n >= word.n; in = slice_skip(in, 1))
        if (slice_starts_icase(in, word))
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 32768)
        return 0;
    struct fuzz_post *p = fuzz_post_get();
    struct buf whole = {.max = 64 << 20}, cut = {.max = 64 << 20};
    struct removal r;
    slice in = {(const char *)data + 1, size - 1};
    fuzz_remember(p);
    play(p, data[0], in, size, &whole);
    assert(has_icase(in, S("QUIT")) || look(p, &r).count == MESSAGES);
    play(p, data[0], in, 1 + data[0] / 2, &cut);
    /* What was filled again has new unique ids, and SCRAM a new nonce. */
    if (!has_icase(in, S("UIDL")) && !has_icase(in, S("SCRAM")))
        assert(slice_eq(buf_slice(&whole), buf_slice(&cut)));
    assert(slice_starts(buf_slice(&whole), S("+OK north.test")));
    assert(slice_ends(buf_slice(&whole), S("\r\n")));
    buf_end(&whole);
    buf_end(&cut);
    return 0;
}
