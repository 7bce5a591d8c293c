/*
 * Messages as their readers see them: prefix, then body (table message), and deliveries.
 */
#include <openssl/evp.h>

#include <assert.h>

#include "store/internal.h"
#include "base/banned.h"

#define MESSAGE_COLUMNS                                                                            \
    "SELECT m.id, m.body, m.size, m.prefix, m.internaldate, m.zone, b.segment, b.at, b.length,"    \
    " m.queue_id FROM message m JOIN body b ON b.id = m.body WHERE m.account = ? AND "

static struct message message_row(struct sql *q, struct arena *a, int64_t account)
{
    return (struct message){.account = account,
                            .id = sql_int(q, 0),
                            .body = sql_int(q, 1),
                            .size = (uint64_t)sql_int(q, 2),
                            .prefix = arena_dup(a, sql_bytes(q, 3)),
                            .internaldate_ms = sql_int(q, 4),
                            .zone_minutes = (int)sql_int(q, 5),
                            .segment = sql_int(q, 6),
                            .segment_at = (uint64_t)sql_int(q, 7),
                            .body_bytes = (uint64_t)sql_int(q, 8),
                            .queue_id = sql_int(q, 9)};
}

bool message_open(struct store *s, struct arena *a, int64_t account, int64_t id, struct message *m)
{
    struct db *db = store_read(s);
    struct sql *q = sql_query(db, MESSAGE_COLUMNS "m.id = ?", "ii", account, id);
    bool found = sql_row(q);
    if (found)
        *m = message_row(q, a, account);
    sql_end(q);
    store_read_end(s, db);
    return found && !message_is_recalled(s, id);
}

void message_open_list(struct store *s, struct arena *a, int64_t account, const int64_t *ids,
                       size_t n, struct message *out)
{
    int64_t x[MESSAGE_LIST] = {0};
    assert(n <= MESSAGE_LIST);
    memcpy(x, ids, n * sizeof(*ids));
    memset(out, 0, n * sizeof(*out));
    struct db *db = store_read(s);
    struct sql *q =
        sql_query(db, MESSAGE_COLUMNS "m.id IN (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  "iiiiiiiiiiiiiiiii", account, x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7],
                  x[8], x[9], x[10], x[11], x[12], x[13], x[14], x[15]);
    while (sql_row(q)) {
        struct message m = message_row(q, a, account);
        for (size_t i = 0; i < n && !message_is_recalled(s, m.id); i++)
            if (ids[i] == m.id)
                out[i] = m;
    }
    sql_end(q);
    store_read_end(s, db);
}

ssize_t message_read(struct store *s, const struct message *m, uint64_t offset, char *to, size_t n)
{
    if (offset >= m->size)
        return 0;
    slice prefix = slice_skip(m->prefix, (size_t)offset);
    size_t head = prefix.n < n ? prefix.n : n;
    memcpy(to, prefix.p ? prefix.p : "", head);
    if (head == n)
        return (ssize_t)n;
    uint64_t at = offset + head - m->prefix.n;
    struct body_place place = {m->segment, m->segment_at, m->body_bytes};
    ssize_t got = body_read_found(s, m->body, &place, at, to + head, n - head);
    return got < 0 ? -1 : got + (ssize_t)head;
}

void delivery_id(slice recipient, slice sender, const unsigned char sha256[32],
                 unsigned char out[32])
{
    /* Lengths in front: no two triples give the same bytes. */
    uint64_t lengths[2] = {recipient.n, sender.n};
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert(ctx);
    int good = EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) &&
               EVP_DigestUpdate(ctx, lengths, sizeof(lengths)) &&
               EVP_DigestUpdate(ctx, recipient.p ? recipient.p : "", recipient.n) &&
               EVP_DigestUpdate(ctx, sender.p ? sender.p : "", sender.n) &&
               EVP_DigestUpdate(ctx, sha256, 32) && EVP_DigestFinal_ex(ctx, out, NULL);
    assert(good);
    EVP_MD_CTX_free(ctx);
}

bool delivery_find(struct db *db, int64_t account, slice delivery_id, int64_t since_ms)
{
    return sql_number(db, 0,
                      "SELECT 1 FROM delivery WHERE account = ? AND delivery_id = ? AND at >= ?",
                      "ibi", account, delivery_id, since_ms) == 1;
}
