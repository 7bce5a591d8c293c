/*
 * Messages as their readers see them: prefix, then body (table message), and deliveries.
 */
#include <openssl/evp.h>

#include <assert.h>

#include "store/internal.h"
#include "base/banned.h"

bool message_open(struct store *s, struct arena *a, int64_t account, int64_t id, struct message *m)
{
    struct db *db = store_read(s);
    if (!db)
        return false;
    struct sql *q =
        sql_query(db,
                  "SELECT m.body, m.size, m.prefix, m.internaldate, m.zone, b.segment,"
                  " b.at, b.length, m.queue_id FROM message m JOIN body b ON b.id = m.body"
                  " WHERE m.id = ? AND m.account = ?",
                  "ii", id, account);
    bool found = sql_row(q);
    if (found)
        *m = (struct message){.account = account,
                              .id = id,
                              .body = sql_int(q, 0),
                              .size = (uint64_t)sql_int(q, 1),
                              .prefix = arena_dup(a, sql_bytes(q, 2)),
                              .internaldate_ms = sql_int(q, 3),
                              .zone_minutes = (int)sql_int(q, 4),
                              .segment = sql_int(q, 5),
                              .segment_at = (uint64_t)sql_int(q, 6),
                              .body_bytes = (uint64_t)sql_int(q, 7),
                              .queue_id = sql_int(q, 8)};
    sql_end(q);
    store_read_end(s, db);
    return found && !message_is_recalled(s, id);
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
    ssize_t got = body_read_at(&s->segments, m->body, &place, at, to + head, n - head);
    if (got < 0) /* moved meanwhile by the compactor, or damaged */
        got = body_read(s, m->body, at, to + head, n - head);
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
