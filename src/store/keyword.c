/*
 * Keywords (table keyword): the names of bits 8-63 of an account's flags (RFC 9051 2.3.2).  A bit
 * once given keeps its name (M9 in entries.c).
 */
#include "store/entries.h"
#include "store/internal.h"
#include "base/banned.h"

/* Printable ASCII; the rest of the grammar is IMAP's business. */
static bool name_is_good(slice name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] > '~')
            return false;
    return name.n > 0 && name.n <= LIMIT_KEYWORD;
}

/* The names as the transaction sees them; *free_bit: the lowest without one. */
static void names_read(struct db *db, struct arena *a, int64_t account, slice names[KEYWORD_END],
                       int *free_bit)
{
    memset(names, 0, KEYWORD_END * sizeof(*names));
    struct sql *q = sql_query(db, "SELECT bit, name FROM keyword WHERE account = ?", "i", account);
    while (sql_row(q)) {
        int64_t bit = sql_int(q, 0);
        if (bit >= KEYWORD_FIRST && bit < KEYWORD_END)
            names[bit] = arena_dup(a, sql_bytes(q, 1));
    }
    *free_bit = KEYWORD_FIRST;
    while (*free_bit < KEYWORD_END && names[*free_bit].n)
        ++*free_bit;
}

static int bit_of(const slice names[KEYWORD_END], slice name)
{
    for (int bit = KEYWORD_FIRST; bit < KEYWORD_END; bit++)
        if (slice_eq_icase(names[bit], name))
            return bit;
    return 0;
}

enum outcome keyword_bits(struct store_tx *tx, int64_t account, const slice *names, size_t count,
                          bool create, uint64_t *flags, enum refusal *why)
{
    slice known[KEYWORD_END];
    int free_bit;
    if (!count)
        return DONE;
    names_read(tx->db, tx->arena, account, known, &free_bit);
    for (size_t i = 0; i < count; i++) {
        int bit = names[i].n ? bit_of(known, names[i]) : 0;
        if (!bit && !create)
            continue;
        if (!bit) {
            *why = REFUSED_LIMIT;
            if (free_bit >= KEYWORD_END || !name_is_good(names[i]))
                return PERMFAIL;
            bit = free_bit;
            sql_exec(tx->db, "INSERT INTO keyword VALUES (?, ?, ?)", "iit", account, (int64_t)bit,
                     names[i]);
            known[bit] = names[i];
            while (free_bit < KEYWORD_END && known[free_bit].n)
                free_bit++;
        }
        *flags |= UINT64_C(1) << bit;
    }
    *why = REFUSED_NOT;
    return sql_failed(tx->db) ? TEMPFAIL : DONE;
}

bool keyword_list(struct store *s, struct arena *a, int64_t account, slice names[KEYWORD_END])
{
    int free_bit;
    struct db *db = store_read(s);
    names_read(db, a, account, names, &free_bit);
    bool good = !sql_failed(db);
    store_read_end(s, db);
    return good;
}
