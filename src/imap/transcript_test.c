/*
 * The IMAP session over a real store: the transcripts of tests/transcripts/imap, each whole, byte
 * by byte and cut at many bytes, every time as a new user.  Lines at the head of a transcript:
 *
 *   # early              not logged in yet; one@north.test has the password "secret"
 *   # remote | tls | no-tls   the peer is not on loopback; encrypted; STARTTLS not available
 *   # message TEXT       a message in INBOX; "|" stands for CRLF, \xNN for a byte
 *   # seen TEXT          the same with \Seen
 *   # mailbox NAME       a mailbox
 *   # quota BYTES        what the mailboxes may hold
 *   # cuts N             cut at so many places (60)
 *
 * and what happens elsewhere meanwhile, in INBOX:
 *
 *   DO append TEXT    DO expunge UID…    DO +flags UID…    DO -flags UID…
 *
 * with flags one or more of SAFDT (seen, answered, flagged, deleted, draft).
 */
#include <dirent.h>

#include "base/file.h"
#include "imap/fixture.h"
#include "net/transcript.h"
#include "base/banned.h"

/* ---- the head ---- */

static slice unescape(struct arena *a, slice text)
{
    struct buf b = {.max = 1 << 20};
    unsigned char byte;
    while (text.n) {
        if (slice_eat(&text, S("|"))) {
            buf_add(&b, S("\r\n"));
        } else if (slice_starts(text, S("\\x")) && slice_unhex(slice_sub(text, 2, 4), &byte, 1)) {
            buf_add_byte(&b, (char)byte);
            text = slice_skip(text, 4);
        } else {
            buf_add_byte(&b, text.p[0]);
            text = slice_skip(text, 1);
        }
    }
    slice out = arena_dup(a, buf_slice(&b));
    buf_end(&b);
    return out;
}

/* The next line "# word rest" of the text from *at on. */
static bool head_line(slice text, slice word, slice *rest, size_t *at)
{
    slice all = slice_skip(text, *at), line;
    while (slice_next(&all, '\n', &line)) {
        *at = (size_t)(all.p - text.p);
        if (slice_eat(&line, S("# ")) && slice_eat(&line, word) &&
            (line.n == 0 || line.p[0] == ' ')) {
            *rest = slice_trim(line);
            return true;
        }
    }
    return false;
}

static bool head_has(slice text, slice word)
{
    slice rest;
    size_t at = 0;
    return head_line(text, word, &rest, &at);
}

struct limit {
    int64_t account;
    uint64_t bytes;
};

static enum outcome limit_fn(struct store_tx *tx, void *arg)
{
    const struct limit *l = arg;
    sql_exec(tx->db, "UPDATE account SET quota = ? WHERE id = ?", "ii", (int64_t)l->bytes,
             l->account);
    return DONE;
}

static void limit(slice bytes)
{
    struct limit l = {.account = post.account};
    struct store_call call = {.fn = limit_fn, .arg = &l};
    assert_true(slice_u64(bytes, INT64_MAX, &l.bytes));
    assert_int_equal(store_write(post.post.store, &call), DONE);
}

static void fill(slice head)
{
    static const struct {
        slice word;
        uint64_t flags;
    } kinds[] = {{{"message", 7}, 0}, {{"seen", 4}, FLAG_SEEN}};
    struct arena a = {0};
    slice rest, why;
    size_t at = 0;
    int64_t mailbox;
    enum refusal refusal;
    for (size_t i = 0; i < 2; i++)
        for (at = 0; head_line(head, kinds[i].word, &rest, &at);)
            imap_post_append(&post, MAILBOX_INBOX, kinds[i].flags, unescape(&a, rest));
    for (at = 0; head_line(head, S("quota"), &rest, &at);)
        limit(rest);
    for (at = 0; head_line(head, S("mailbox"), &why, &at);)
        assert_int_equal(
            folder_create(post.post.store, post.account, why, ROLE_NONE, &mailbox, &refusal), DONE);
    arena_end(&a);
}

static struct session *make(void *ctx)
{
    const slice *head = ctx;
    struct session *s;
    post.options.tls_available = !head_has(*head, S("no-tls"));
    post.options.password_without_tls = !head_has(*head, S("remote"));
    if (head_has(*head, S("early"))) {
        s = imap_server_new(&post.options);
    } else {
        imap_post_fresh(&post);
        fill(*head);
        s = imap_post_session(&post);
    }
    s->peer.tls = head_has(*head, S("tls"));
    return s;
}

/* ---- what happens elsewhere ---- */

static uint64_t letters(slice text)
{
    uint64_t flags = 0;
    for (size_t i = 0; i < text.n; i++) {
        ptrdiff_t at = slice_find(S("SAFDT"), text.p[i]);
        if (at >= 0)
            flags |= UINT64_C(1) << at;
    }
    return flags;
}

static bool act(void *ctx, slice what)
{
    (void)ctx;
    struct arena a = {0};
    uint32_t uids[64];
    size_t n = 0;
    slice verb, word;
    uint64_t uid;
    int done = 0;
    slice_next(&what, ' ', &verb);
    if (slice_eq(verb, S("append"))) {
        imap_post_append(&post, MAILBOX_INBOX, 0, unescape(&a, what));
        arena_end(&a);
        return true;
    }
    while (n < 64 && slice_next(&what, ' ', &word) && slice_u64(word, UINT32_MAX, &uid))
        uids[n++] = (uint32_t)uid;
    if (slice_eq(verb, S("expunge")))
        done = fixture_expunge(post.post.store, post.account, uids, n);
    else if (verb.n && verb.p[0] == '+')
        done = fixture_flags(post.post.store, post.account, uids, n, letters(verb), 0);
    else if (verb.n && verb.p[0] == '-')
        done = fixture_flags(post.post.store, post.account, uids, n, 0, letters(verb));
    return done == (int)n;
}

/* ---- the runs ---- */

static bool run_file(const char *path)
{
    struct arena a = {0};
    struct buf error = {.max = 8192};
    slice text, rest;
    uint64_t cuts = 60;
    size_t at = 0;
    if (file_read(&a, path, 1 << 20, &text) < 0)
        fail_msg("cannot read %s", path);
    if (head_line(text, S("cuts"), &rest, &at))
        assert_true(slice_u64(rest, 10000, &cuts));
    struct transcript t = {.make = make, .act = act, .ctx = &text, .cuts_max = cuts};
    bool ok = transcript_run(&t, text, &error);
    if (!ok)
        print_error("%s: %.*s\n", path, P(buf_slice(&error)));
    buf_end(&error);
    arena_end(&a);
    return ok;
}

/* One file by name in IMAP_TRANSCRIPT, or all. */
static void test_transcripts(void **state)
{
    (void)state;
    static const char dir_name[] = "tests/transcripts/imap";
    const char *only = getenv("IMAP_TRANSCRIPT");
    DIR *dir = opendir(dir_name);
    assert_non_null(dir);
    unsigned run = 0, failed = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        char path[512];
        snprintf(path, sizeof(path), "%s/%s", dir_name, e->d_name);
        if (!slice_ends(slice_c(path), S(".txt")) || (only && !strstr(path, only)))
            continue;
        run++;
        failed += !run_file(path);
    }
    closedir(dir);
    assert_true(run > 0);
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_transcripts, imap_post_set_up, imap_post_tear_down)};
    return TEST_RUN(tests);
}
