/* Mailboxes, a search, a list, a text, flags, a move, an expunge, a wait, a copy. */
#include "agent/imap_client_play.h"

#include "agent/fake_dial.h"
#include "agent/imap_client.h"
#include "base/banned.h"

static bool add_text(void *ctx, slice run)
{
    return buf_add(ctx, run);
}

static ssize_t read_mail(void *ctx, char *to, size_t n)
{
    slice *left = ctx;
    size_t got = n < left->n ? n : left->n;
    memcpy(to, left->p, got);
    *left = slice_skip(*left, got);
    return (ssize_t)got;
}

static void show_folders(const struct imap_folder *f, size_t count, struct buf *seen)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(seen, "%.*s<%.*s>%llu/%llu ", P(f[i].name), P(f[i].role),
                   (unsigned long long)f[i].unseen, (unsigned long long)f[i].messages);
}

static void show_heads(const struct imap_head *h, size_t count, struct buf *seen)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(seen, "%u(%.*s)%llu %.*s ", h[i].uid, P(h[i].flags),
                   (unsigned long long)h[i].size, P(h[i].subject));
}

static bool run(struct imap_client *c, struct arena *a, struct buf *seen, struct buf *error)
{
    struct imap_folder *folders;
    struct imap_head *heads;
    struct imap_numbers found;
    const struct imap_query query = {.text = S("驿站"), .unseen = true};
    uint32_t messages;
    size_t count;
    bool arrived;
    slice into, mail = S("Subject: copy\r\n\r\n");
    if (!imap_client_folders(c, a, true, &folders, &count, error))
        return false;
    show_folders(folders, count, seen);
    if (!imap_client_create(c, S("项目"), S(""), error) ||
        !imap_client_select(c, S("INBOX"), false, &messages, error))
        return false;
    buf_printf(seen, "[%u] ", messages);
    if (!imap_client_search(c, a, &query, &found, error) ||
        !imap_client_heads(c, a, found.items, found.count, &heads, &count, error))
        return false;
    show_heads(heads, count, seen);
    if (!imap_client_text(c, 7, add_text, seen, error) ||
        !imap_client_store(c, found.items, found.count, "+FLAGS", "\\Seen", error) ||
        !imap_client_move(c, a, found.items, found.count, S("项目"), &into, error) ||
        !imap_client_expunge(c, found.items, found.count, error))
        return false;
    buf_printf(seen, "to %.*s ", P(into));
    if (imap_client_offers(c, S("IDLE"))) { /* else it would be asked every few seconds */
        if (!imap_client_wait(c, 60000, &arrived, &messages, error))
            return false;
        buf_printf(seen, "%s %u ", arrived ? "new" : "nothing", messages);
    }
    return imap_client_append(c, S("Sent"), "\\Seen", 0, 0, mail.n, read_mail, &mail, error);
}

void imap_client_play(slice server, size_t step, enum agent_tls tls, struct buf *seen,
                      struct buf *error)
{
    struct arena a = {0};
    const struct agent_account account = {
        .dial = {.host = S("localhost"), .port = 1143}, .tls = tls, .user = S("one@north.test")};
    fake_dial_feed(server, step);
    struct imap_client *c = imap_client_open(&account, S("secret"), error);
    if (c && run(c, &a, seen, error))
        buf_add(seen, S("done"));
    imap_client_close(c);
    arena_end(&a);
}
