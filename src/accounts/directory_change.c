/* What an administrator changes: domains, users, aliases, routes; each with a row in audit. */
#include "accounts/directory.h"

#include <arpa/inet.h>

#include "accounts/directory_key.h"
#include "base/limits.h"
#include "message/address.h"
#include "store/mailbox.h"
#include "base/banned.h"

static enum outcome refuse(slice *why, slice text)
{
    *why = text;
    return PERMFAIL;
}

/* The end of a change: what was done, to whom. */
static enum outcome note(struct store_tx *tx, slice action, slice object)
{
    sql_exec(tx->db,
             "INSERT INTO audit(at, actor, action, object, origin) VALUES(?, 'admin', ?, ?, '')",
             "itt", tx->now_ms, action, object);
    return sql_failed(tx->db) ? TEMPFAIL : DONE;
}

static int64_t domain_id(struct store_tx *tx, slice domain)
{
    return sql_number(tx->db, 0, "SELECT id FROM domain WHERE name = ?", "t", domain);
}

/* ---- domains ---- */

enum outcome directory_domain_add(struct store_tx *tx, slice domain, slice *why)
{
    slice key = directory_domain_key(tx->arena, domain);
    if (!address_is_domain(key) || !slice_is_ascii(key) || key.n > LIMIT_DOMAIN)
        return refuse(why, S("not a domain name: write it like north.test"));
    if (sql_exec(tx->db, "INSERT INTO domain(name) VALUES(?)", "t", key) == -1)
        return refuse(why, S("this domain exists already"));
    return note(tx, S("domain.add"), key);
}

enum outcome directory_domain_remove(struct store_tx *tx, slice domain, slice *why)
{
    slice key = directory_domain_key(tx->arena, domain);
    int64_t id = domain_id(tx, key);
    if (!id)
        return refuse(why, S("no such domain: see 'domain list'"));
    if (sql_number(tx->db, 0, "SELECT 1 FROM account WHERE domain = ? LIMIT 1", "i", id))
        return refuse(why, S("it still has users: remove them first, see 'user list'"));
    slice suffix = arena_printf(tx->arena, "@%.*s", P(key));
    if (sql_number(tx->db, 0, "SELECT 1 FROM alias WHERE substr(alias, -length(?1)) = ?1 LIMIT 1",
                   "t", suffix))
        return refuse(why, S("it still has aliases: remove them first, see 'alias list'"));
    sql_exec(tx->db, "DELETE FROM domain WHERE id = ?", "i", id);
    return note(tx, S("domain.remove"), key);
}

/* ---- users ---- */

static bool address_taken(struct store_tx *tx, slice key)
{
    return sql_number(tx->db, 0, "SELECT 1 FROM address WHERE address = ?", "t", key) ||
           sql_number(tx->db, 0, "SELECT 1 FROM alias WHERE alias = ? LIMIT 1", "t", key);
}

/* An address in a domain of ours: its key and the domain's id; else why not. */
static enum outcome own_address(struct store_tx *tx, slice address, slice *key, int64_t *domain,
                                slice *why)
{
    slice local, host;
    if (!directory_address_key(tx->arena, address, key, &local, &host) ||
        !address_is_mailbox(*key, &local, &host) || local.p[0] == '"')
        return refuse(why, S("not an address: write it like one@north.test"));
    *domain = domain_id(tx, host);
    return *domain ? DONE : refuse(why, S("its domain is not ours: 'domain add' it first"));
}

/* The account whose primary address this is, or 0. */
static int64_t user_find(struct store_tx *tx, slice address, slice *key)
{
    slice local, domain;
    if (!directory_address_key(tx->arena, address, key, &local, &domain))
        return 0;
    return sql_number(tx->db, 0, "SELECT id FROM account WHERE address = ?", "t", *key);
}

enum outcome directory_user_add(struct store_tx *tx, slice address, uint64_t quota_bytes,
                                int64_t *account, slice *why)
{
    slice key;
    int64_t domain;
    enum outcome o = own_address(tx, address, &key, &domain, why);
    if (o != DONE)
        return o;
    if (address_taken(tx, key))
        return refuse(why, S("this address is taken: see 'user list' and 'alias list'"));
    if (quota_bytes > INT64_MAX)
        return refuse(why, S("the quota is too large"));
    sql_exec(tx->db, "INSERT INTO account(domain, address, quota, created) VALUES(?, ?, ?, ?)",
             "itii", domain, key, (int64_t)quota_bytes, tx->now_ms);
    *account = sql_number(tx->db, 0, "SELECT id FROM account WHERE address = ?", "t", key);
    sql_exec(tx->db, "INSERT INTO address(address, account, kind) VALUES(?, ?, ?)", "tii", key,
             *account, (int64_t)OWN_PRIMARY);
    if (sql_failed(tx->db))
        return TEMPFAIL;
    o = mailbox_create_defaults(tx, *account);
    return o == DONE ? note(tx, S("user.add"), key) : o;
}

enum outcome directory_user_remove(struct store_tx *tx, slice address, slice *why)
{
    slice key;
    int64_t account = user_find(tx, address, &key);
    if (!account)
        return refuse(why, S("no such user: see 'user list'"));
    sql_exec(tx->db,
             "DELETE FROM alias WHERE target IN (SELECT address FROM address WHERE account = ?)",
             "i", account);
    sql_exec(tx->db, "DELETE FROM address WHERE account = ?", "i", account);
    sql_exec(tx->db, "DELETE FROM account WHERE id = ?", "i", account);
    return note(tx, S("user.remove"), key);
}

enum outcome directory_user_quota(struct store_tx *tx, slice address, uint64_t quota_bytes,
                                  slice *why)
{
    slice key;
    int64_t account = user_find(tx, address, &key);
    if (!account)
        return refuse(why, S("no such user: see 'user list'"));
    if (quota_bytes > INT64_MAX)
        return refuse(why, S("the quota is too large"));
    sql_exec(tx->db, "UPDATE account SET quota = ? WHERE id = ?", "ii", (int64_t)quota_bytes,
             account);
    return note(tx, S("user.quota"), key);
}

/* ---- aliases ---- */

/* "sales@north.test" or "@north.test", in a domain of ours and nobody's address. */
static enum outcome alias_key(struct store_tx *tx, slice alias, slice *key, slice *why)
{
    int64_t domain;
    if (alias.n && alias.p[0] == '@') {
        slice host = directory_domain_key(tx->arena, slice_skip(alias, 1));
        *key = arena_printf(tx->arena, "@%.*s", P(host));
        return domain_id(tx, host)
                   ? DONE
                   : refuse(why, S("its domain is not ours: 'domain add' it first"));
    }
    enum outcome o = own_address(tx, alias, key, &domain, why);
    if (o != DONE)
        return o;
    if (sql_number(tx->db, 0, "SELECT 1 FROM address WHERE address = ?", "t", *key))
        return refuse(why, S("this address is a user's: see 'user list'"));
    return DONE;
}

/* A target as it is kept: an own one as its key; of a foreign one the local part as written. */
static bool target_text(struct store_tx *tx, slice target, slice *text)
{
    slice key, local, domain, l, d;
    if (!directory_address_key(tx->arena, target, &key, &local, &domain) ||
        !address_is_mailbox(key, &l, &d))
        return false;
    *text = key;
    if (!domain_id(tx, domain)) {
        slice as_written = slice_sub(target, 0, (size_t)slice_rfind(target, '@'));
        *text = arena_printf(tx->arena, "%.*s@%.*s", P(as_written), P(domain));
    }
    return true;
}

enum outcome directory_alias_add(struct store_tx *tx, slice alias, const slice *targets,
                                 size_t count, slice *why)
{
    slice key, text;
    enum outcome o = alias_key(tx, alias, &key, why);
    if (o != DONE)
        return o;
    if (count == 0 || count > LIMIT_RECIPIENTS)
        return refuse(why, S("an alias needs 1 to 1,000 targets"));
    for (size_t i = 0; i < count; i++) {
        if (!target_text(tx, targets[i], &text))
            return refuse(why, S("a target is not an address: write it like one@north.test"));
        if (slice_eq(text, key))
            return refuse(why, S("an alias cannot lead to itself"));
        sql_exec(tx->db, "INSERT OR IGNORE INTO alias(alias, target) VALUES(?, ?)", "tt", key,
                 text);
    }
    return note(tx, S("alias.add"), key);
}

enum outcome directory_alias_remove(struct store_tx *tx, slice alias, slice *why)
{
    slice host = directory_domain_key(tx->arena, slice_skip(alias, 1)), key, local, domain;
    if (alias.n && alias.p[0] == '@')
        key = arena_printf(tx->arena, "@%.*s", P(host));
    else if (!directory_address_key(tx->arena, alias, &key, &local, &domain))
        return refuse(why, S("not an address: write it like sales@north.test"));
    if (sql_exec(tx->db, "DELETE FROM alias WHERE alias = ?", "t", key) == 0)
        return refuse(why, S("no such alias: see 'alias list'"));
    return note(tx, S("alias.remove"), key);
}

/* ---- routes ---- */

static bool is_ip(struct arena *a, slice host)
{
    unsigned char bytes[16];
    char *text = arena_cstr(a, host);
    return text && (inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1);
}

enum outcome directory_route_add(struct store_tx *tx, const struct route *r, slice *why)
{
    slice domain = directory_domain_key(tx->arena, r->domain);
    slice host = directory_domain_key(tx->arena, r->host);
    if (!slice_eq(domain, S(".")) && (!address_is_domain(domain) || !slice_is_ascii(domain)))
        return refuse(why, S("not a domain: write south.test, or . for the smart host"));
    if (!is_ip(tx->arena, host) && (!address_is_domain(host) || !slice_is_ascii(host)))
        return refuse(why, S("not a host: write HOST:PORT, like 192.0.2.1:25"));
    if (r->port == 0 || r->gather_ms < 0 || r->gather_count < 0)
        return refuse(why, S("not a port: write HOST:PORT, like 192.0.2.1:25"));
    sql_exec(tx->db,
             "INSERT OR REPLACE INTO route(domain, host, port, gather_ms, gather_count)"
             " VALUES(?, ?, ?, ?, ?)",
             "ttiii", domain, host, (int64_t)r->port, (int64_t)r->gather_ms,
             (int64_t)r->gather_count);
    return note(tx, S("route.add"), domain);
}

enum outcome directory_route_remove(struct store_tx *tx, slice domain, slice *why)
{
    slice key = directory_domain_key(tx->arena, domain);
    if (sql_exec(tx->db, "DELETE FROM route WHERE domain = ?", "t", key) == 0)
        return refuse(why, S("no such route: see 'route list'"));
    return note(tx, S("route.remove"), key);
}
