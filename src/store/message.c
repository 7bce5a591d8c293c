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

/* Ids that rise and are close together: one scan passes over few rows of others. */
static bool is_dense(const int64_t *ids, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (ids[i] <= ids[i - 1])
            return false;
    return n > 1 && ids[n - 1] - ids[0] < (int64_t)n * 4;
}

static void open_rows(struct store *s, struct sql *q, struct arena *a, int64_t account,
                      const int64_t *ids, size_t n, struct message *out)
{
    for (size_t i = 0; i < n && sql_row(q);) {
        int64_t id = sql_int(q, 0);
        while (i < n && ids[i] < id)
            i++;
        if (i < n && ids[i] == id && !message_is_recalled(s, id))
            out[i] = message_row(q, a, account);
    }
    sql_end(q);
}

void message_open_list(struct store *s, struct arena *a, int64_t account, const int64_t *ids,
                       size_t n, struct message *out)
{
    assert(n <= MESSAGE_LIST);
    memset(out, 0, n * sizeof(*out));
    struct db *db = store_read(s);
    if (is_dense(ids, n))
        open_rows(s,
                  sql_query(db, MESSAGE_COLUMNS "m.id BETWEEN ? AND ? ORDER BY m.id", "iii",
                            account, ids[0], ids[n - 1]),
                  a, account, ids, n, out);
    else
        for (size_t i = 0; i < n; i++)
            open_rows(s, sql_query(db, MESSAGE_COLUMNS "m.id = ?", "ii", account, ids[i]), a,
                      account, &ids[i], 1, &out[i]);
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

/* A run in one call; where that fails, each alone: it may have been moved. */
static bool read_run(struct store *s, const struct body_run *run, size_t n)
{
    if (n == 0 || body_run_read(&s->segments, run, n))
        return true;
    for (size_t i = 0; i < n; i++) {
        uint64_t length = run[i].place.length;
        if (body_read_found(s, run[i].body, &run[i].place, 0, run[i].to, length) != (ssize_t)length)
            return false;
    }
    return true;
}

bool message_read_bodies(struct store *s, const struct message *m, char *const *to, size_t n)
{
    struct body_run run[BODY_RUN];
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        struct body_run next = {m[i].body, {m[i].segment, m[i].segment_at, m[i].body_bytes}, to[i]};
        if (count == BODY_RUN || (count && !body_run_follows(&run[count - 1], &next))) {
            if (!read_run(s, run, count))
                return false;
            count = 0;
        }
        run[count++] = next;
    }
    return read_run(s, run, count);
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
