/*
 * Reading the directory: what an address resolves to, who a login name is, which route a domain
 * has, and the lists.  Every key is in lower case, domains as A-labels (directory_key.h).
 */
#include "accounts/directory.h"

#include <idn2.h>

#include "accounts/directory_key.h"
#include "base/limits.h"
#include "base/map.h"
#include "store/memo.h"
#include "store/varint.h"
#include "base/banned.h"

enum { ALIAS_DEPTH = 10 };

/* ---- keys ---- */

slice directory_lower(struct arena *a, slice s)
{
    char *p = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        p[i] = ascii_lower(s.p[i]);
    return (slice){p, s.n};
}

slice directory_domain_key(struct arena *a, slice domain)
{
    char *text = slice_is_ascii(domain) ? NULL : arena_cstr(a, domain);
    uint8_t *ascii = NULL;
    if (text && idn2_lookup_u8((const uint8_t *)text, &ascii,
                               IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK)
        domain = arena_dup(a, slice_c((const char *)ascii));
    idn2_free(ascii);
    return directory_lower(a, domain);
}

bool directory_address_key(struct arena *a, slice address, slice *key, slice *local, slice *domain)
{
    ptrdiff_t at = slice_rfind(address, '@');
    if (at < 0)
        return false;
    slice host = directory_domain_key(a, slice_skip(address, (size_t)at + 1));
    slice name = directory_lower(a, slice_sub(address, 0, (size_t)at));
    *key = arena_printf(a, "%.*s@%.*s", P(name), P(host));
    *local = slice_sub(*key, 0, name.n);
    *domain = slice_skip(*key, name.n + 1);
    return slice_find(address, 0) < 0;
}

/* ---- resolving ---- */

struct resolver {
    struct db *db;
    struct arena *arena;
    struct map seen; /* addresses expanded and accounts taken */
    struct directory_target *targets;
    size_t count, capacity;
};

/* Marks a key; false when it was marked before. */
static bool first_time(struct resolver *r, slice key)
{
    return map_set(&r->seen, key, r) == NULL;
}

static void add_target(struct resolver *r, int64_t account, slice address)
{
    slice mark = account ? arena_printf(r->arena, "#%lld", (long long)account) : address;
    if (r->count == LIMIT_RECIPIENTS || (account && !first_time(r, mark)))
        return;
    r->targets = arena_grow(r->arena, r->targets, r->count, &r->capacity, sizeof(*r->targets));
    r->targets[r->count++] = (struct directory_target){account, address};
}

static bool add_account(struct resolver *r, int64_t account)
{
    slice address = account ? directory_address(r->db, r->arena, account) : S("");
    if (address.n)
        add_target(r, account, address);
    return address.n > 0;
}

static bool expand(struct resolver *r, slice address, int depth);

/* Expands an alias; false when there is no such alias.  Its rows are read before the next query. */
static bool expand_alias(struct resolver *r, slice alias, int depth)
{
    slice *rows = NULL;
    size_t n = 0, capacity = 0;
    struct sql *q =
        sql_query(r->db, "SELECT target FROM alias WHERE alias = ? ORDER BY target", "t", alias);
    while (sql_row(q) && n < LIMIT_RECIPIENTS) {
        rows = arena_grow(r->arena, rows, n, &capacity, sizeof(*rows));
        rows[n++] = arena_dup(r->arena, sql_bytes(q, 0));
    }
    sql_end(q);
    for (size_t i = 0; i < n && depth < ALIAS_DEPTH; i++)
        (void)expand(r, rows[i], depth + 1);
    return n > 0;
}

static bool expand_exact(struct resolver *r, slice key, int depth)
{
    int64_t account =
        sql_number(r->db, 0, "SELECT account FROM address WHERE address = ?", "t", key);
    return add_account(r, account) || expand_alias(r, key, depth);
}

static int64_t oldest_account(struct db *db, slice domain)
{
    int64_t account =
        sql_number(db, 0,
                   "SELECT min(account.id) FROM account JOIN domain ON domain.id = account.domain"
                   " WHERE domain.name = ?",
                   "t", domain);
    return account ? account : sql_number(db, 0, "SELECT min(id) FROM account", "");
}

/* Adds all an address leads to; false when nobody has it. */
static bool expand(struct resolver *r, slice address, int depth)
{
    slice key, local, domain;
    if (!directory_address_key(r->arena, address, &key, &local, &domain))
        return false;
    if (!first_time(r, key))
        return true;
    if (!directory_domain_is_local(r->db, domain)) {
        add_target(r, 0, address);
        return true;
    }
    if (expand_exact(r, key, depth))
        return true;
    ptrdiff_t plus = slice_find(local, '+');
    if (plus > 0) {
        local = slice_sub(local, 0, (size_t)plus);
        if (expand_exact(r, arena_printf(r->arena, "%.*s@%.*s", P(local), P(domain)), depth))
            return true;
    }
    if (slice_eq(local, S("postmaster")) && add_account(r, oldest_account(r->db, domain)))
        return true;
    return expand_alias(r, arena_printf(r->arena, "@%.*s", P(domain)), depth);
}

/* A memo's key: what was asked, then of whom. */
static slice memo_key(struct arena *a, char question, slice of)
{
    return arena_printf(a, "%c%.*s", question, P(of));
}

/* Targets as bytes: for each the account, the address's length and the address. */
static slice targets_pack(struct arena *a, const struct directory_target *targets, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += 2 * (size_t)VARINT_MAX + targets[i].address.n;
    unsigned char *p = arena_alloc(a, n + 1);
    n = 0;
    for (size_t i = 0; i < count; i++) {
        n += varint_put(p + n, (uint64_t)targets[i].account);
        n += varint_put(p + n, targets[i].address.n);
        memcpy(p + n, targets[i].address.p, targets[i].address.n);
        n += targets[i].address.n;
    }
    return (slice){(const char *)p, n};
}

static void targets_unpack(struct arena *a, slice packed, struct directory_target **targets,
                           size_t *count)
{
    size_t capacity = 0;
    uint64_t account, n;
    while (varint_take(&packed, &account) && varint_take(&packed, &n)) {
        *targets = arena_grow(a, *targets, *count, &capacity, sizeof(**targets));
        (*targets)[(*count)++] =
            (struct directory_target){(int64_t)account, slice_sub(packed, 0, (size_t)n)};
        packed = slice_skip(packed, (size_t)n);
    }
}

enum directory_kind directory_resolve(struct db *db, struct arena *a, slice address,
                                      struct directory_target **targets, size_t *count)
{
    struct memo *memo = db_memo(db);
    uint64_t version = memo_version(memo);
    struct resolver r = {.db = db, .arena = a};
    slice key, local, domain, packed;
    *targets = NULL;
    *count = 0;
    if (!directory_address_key(a, address, &key, &local, &domain) ||
        !directory_domain_is_local(db, domain))
        return DIRECTORY_FOREIGN;
    slice question = memo_key(a, 'r', key);
    if (memo_get(memo, a, question, &packed)) {
        targets_unpack(a, packed, targets, count);
        return DIRECTORY_LOCAL;
    }
    (void)expand(&r, address, 0);
    map_end(&r.seen);
    *targets = r.targets;
    *count = r.count;
    if (r.count && memo && !sql_failed(db))
        memo_put(memo, version, question, targets_pack(a, r.targets, r.count));
    return r.count ? DIRECTORY_LOCAL : DIRECTORY_UNKNOWN;
}

enum directory_kind directory_postmaster(struct db *db, struct arena *a, slice host,
                                         struct directory_target **targets, size_t *count)
{
    slice domain = directory_domain_key(a, host);
    while (domain.n && !directory_domain_is_local(db, domain)) {
        ptrdiff_t dot = slice_find(domain, '.');
        domain = dot < 0 ? S("") : slice_skip(domain, (size_t)dot + 1);
    }
    if (domain.n == 0 &&
        !sql_slice(db, a, &domain, "SELECT name FROM domain ORDER BY id LIMIT 1", ""))
        domain = S("");
    return directory_resolve(db, a, arena_printf(a, "postmaster@%.*s", P(domain)), targets, count);
}

/* ---- questions ---- */

/* A number the directory holds: remembered, or read. */
static int64_t number_of(struct db *db, struct arena *a, char question, slice of, const char *text)
{
    struct memo *memo = db_memo(db);
    uint64_t version = memo_version(memo), known;
    slice key = memo_key(a, question, of), packed;
    if (memo_get(memo, a, key, &packed) && varint_take(&packed, &known))
        return (int64_t)known;
    int64_t number = sql_number(db, 0, text, "t", of);
    if (memo && !sql_failed(db)) {
        unsigned char bytes[VARINT_MAX];
        memo_put(memo, version, key, (slice){(char *)bytes, varint_put(bytes, (uint64_t)number)});
    }
    return number;
}

bool directory_domain_is_local(struct db *db, slice domain)
{
    struct arena a = {0};
    slice key = directory_domain_key(&a, domain);
    bool found = number_of(db, &a, 'd', key, "SELECT id FROM domain WHERE name = ?");
    arena_end(&a);
    return found;
}

int64_t directory_login(struct db *db, slice address)
{
    struct arena a = {0};
    slice key, local, domain;
    int64_t account = 0;
    if (directory_address_key(&a, address, &key, &local, &domain))
        account = number_of(db, &a, 'l', key, "SELECT account FROM address WHERE address = ?");
    arena_end(&a);
    return account;
}

bool directory_has_quota(struct db *db, int64_t account)
{
    struct arena a = {0};
    slice key = arena_printf(&a, "%lld", (long long)account);
    bool has = number_of(db, &a, 'q', key, "SELECT quota FROM account WHERE id = ?");
    arena_end(&a);
    return has;
}

slice directory_address(struct db *db, struct arena *a, int64_t account)
{
    slice address;
    if (!sql_slice(db, a, &address, "SELECT address FROM account WHERE id = ?", "i", account))
        return S("");
    return address;
}

bool directory_may_send_as(struct db *db, int64_t account, slice address)
{
    struct arena a = {0};
    struct directory_target *targets;
    size_t count;
    bool may = false;
    if (directory_resolve(db, &a, address, &targets, &count) == DIRECTORY_LOCAL)
        for (size_t i = 0; i < count; i++)
            may |= targets[i].account == account;
    arena_end(&a);
    return may && account != 0;
}

static bool read_route(struct db *db, struct arena *a, slice domain, struct route *r)
{
    struct sql *q = sql_query(
        db, "SELECT domain, host, port, gather_ms, gather_count FROM route WHERE domain = ?", "t",
        domain);
    bool found = sql_row(q);
    if (found)
        *r = (struct route){arena_dup(a, sql_bytes(q, 0)), arena_dup(a, sql_bytes(q, 1)),
                            (uint16_t)sql_int(q, 2), (int)sql_int(q, 3), (int)sql_int(q, 4)};
    sql_end(q);
    return found;
}

/* A route as bytes: its numbers, then domain, a space, host; "" is none. */
static slice route_pack(struct arena *a, const struct route *r)
{
    return arena_printf(a, "%u %d %d %.*s %.*s", r->port, r->gather_ms, r->gather_count,
                        P(r->domain), P(r->host));
}

static bool route_unpack(slice packed, struct route *r)
{
    uint64_t n[3] = {0};
    slice word;
    for (int i = 0; i < 3; i++)
        if (!slice_next(&packed, ' ', &word) || !slice_u64(word, INT32_MAX, &n[i]))
            return false;
    if (!slice_next(&packed, ' ', &word))
        return false;
    *r = (struct route){word, packed, (uint16_t)n[0], (int)n[1], (int)n[2]};
    return true;
}

bool directory_route(struct db *db, struct arena *a, slice domain, struct route *r)
{
    struct memo *memo = db_memo(db);
    uint64_t version = memo_version(memo);
    slice name = directory_domain_key(a, domain), key = memo_key(a, 'n', name), packed;
    if (memo_get(memo, a, key, &packed))
        return route_unpack(packed, r);
    bool found = read_route(db, a, name, r) || read_route(db, a, S("."), r);
    if (memo && !sql_failed(db))
        memo_put(memo, version, key, found ? route_pack(a, r) : S(""));
    return found;
}

/* ---- lists ---- */

void directory_domains(struct db *db, void (*fn)(void *ctx, slice domain), void *ctx)
{
    struct sql *q = sql_query(db, "SELECT name FROM domain ORDER BY name", "");
    while (sql_row(q))
        fn(ctx, sql_bytes(q, 0));
    sql_end(q);
}

void directory_users(struct db *db,
                     void (*fn)(void *ctx, slice address, int64_t account, uint64_t quota,
                                uint64_t used),
                     void *ctx)
{
    struct sql *q =
        sql_query(db, "SELECT address, id, quota, used FROM account ORDER BY address", "");
    while (sql_row(q))
        fn(ctx, sql_bytes(q, 0), sql_int(q, 1), (uint64_t)sql_int(q, 2), (uint64_t)sql_int(q, 3));
    sql_end(q);
}

void directory_aliases(struct db *db, void (*fn)(void *ctx, slice alias, slice target), void *ctx)
{
    struct sql *q = sql_query(db, "SELECT alias, target FROM alias ORDER BY alias, target", "");
    while (sql_row(q))
        fn(ctx, sql_bytes(q, 0), sql_bytes(q, 1));
    sql_end(q);
}

void directory_routes(struct db *db, void (*fn)(void *ctx, const struct route *r), void *ctx)
{
    struct sql *q = sql_query(
        db, "SELECT domain, host, port, gather_ms, gather_count FROM route ORDER BY domain", "");
    while (sql_row(q)) {
        struct route r = {sql_bytes(q, 0), sql_bytes(q, 1), (uint16_t)sql_int(q, 2),
                          (int)sql_int(q, 3), (int)sql_int(q, 4)};
        fn(ctx, &r);
    }
    sql_end(q);
}
