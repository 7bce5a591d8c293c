/*
 * Who exists: domains (tenants), accounts, aliases, catch-all, plus-addressing, quota, routes. Rows
 * of the store (tables domain, account, address, alias, route, audit).  Addresses are compared with
 * the domain in lower case (U-labels turned to A-labels) and the local part case-insensitively for
 * ASCII.  Functions that read say "no" when the store fails: sql_failed(db) tells the two apart.
 */
#ifndef ACCOUNTS_DIRECTORY_H
#define ACCOUNTS_DIRECTORY_H

#include "store/store.h"

struct directory_target {
    int64_t account; /* 0: an address elsewhere (an alias may point outside) */
    slice address;   /* the account's or foreign address */
};

enum directory_kind {
    DIRECTORY_UNKNOWN, /* the domain is ours, nobody has it: 550 5.1.1 */
    DIRECTORY_FOREIGN, /* not our domain */
    DIRECTORY_LOCAL,   /* targets hold 1..n accounts or addresses */
};

/*
 * Resolves an address: user or alias, the same without "+tag", postmaster (of an own domain it
 * always resolves: without a user or alias of that name, to the domain's oldest account, else the
 * oldest of all), catch-all.  Aliases are followed to depth 10, loops ignored, targets unique, at
 * most LIMIT_RECIPIENTS.
 */
enum directory_kind directory_resolve(struct db *db, struct arena *a, slice address,
                                      struct directory_target **targets, size_t *count);

/*
 * The postmaster of this machine, for "postmaster@" + host name or an address literal: that of the
 * own domain the host stands in, else of the first domain.
 */
enum directory_kind directory_postmaster(struct db *db, struct arena *a, slice host,
                                         struct directory_target **targets, size_t *count);

/* The account of a login name (full address, any case); 0: none. */
int64_t directory_login(struct db *db, slice address);
/* The account's primary address; "" when it is gone. */
slice directory_address(struct db *db, struct arena *a, int64_t account);
/* May the account use this sender address (its own, an alias or catch-all of it, with +tag)? */
bool directory_may_send_as(struct db *db, int64_t account, slice address);
/* Whether the account's mail is limited at all. */
bool directory_has_quota(struct db *db, int64_t account);
bool directory_domain_is_local(struct db *db, slice domain);

/*
 * Changes, inside store_write(); each leaves a row in audit.  PERMFAIL with one line in *why: what
 * is wrong and what to do (static text, it outlives the transaction).
 */
enum outcome directory_domain_add(struct store_tx *tx, slice domain, slice *why);
enum outcome directory_domain_remove(struct store_tx *tx, slice domain, slice *why);
enum outcome directory_user_add(struct store_tx *tx, slice address, uint64_t quota_bytes,
                                int64_t *account, slice *why);
/* Removes the account and the aliases that lead to it; its mail is purged after retention.  Its
 * credentials are secrets_forget's. */
enum outcome directory_user_remove(struct store_tx *tx, slice address, slice *why);
enum outcome directory_user_quota(struct store_tx *tx, slice address, uint64_t quota_bytes,
                                  slice *why);
/* Adds targets to an alias, which is made when new; "@north.test" is the catch-all of a domain. */
enum outcome directory_alias_add(struct store_tx *tx, slice alias, const slice *targets,
                                 size_t count, slice *why);
enum outcome directory_alias_remove(struct store_tx *tx, slice alias, slice *why);

/* Next hop for a domain, or "." for the smart host. */
struct route {
    slice domain;
    slice host; /* name or address */
    uint16_t port;
    int gather_ms;    /* wait to batch: at most this long … */
    int gather_count; /* … or until so many wait; 0: no gathering */
};
enum outcome directory_route_add(struct store_tx *tx, const struct route *r, slice *why);
enum outcome directory_route_remove(struct store_tx *tx, slice domain, slice *why);
/* The route of a domain: its own, else the smart host, else false. */
bool directory_route(struct db *db, struct arena *a, slice domain, struct route *r);

/* Lists, in order of name: fn is called per row. */
void directory_domains(struct db *db, void (*fn)(void *ctx, slice domain), void *ctx);
void directory_users(struct db *db,
                     void (*fn)(void *ctx, slice address, int64_t account, uint64_t quota,
                                uint64_t used),
                     void *ctx);
void directory_aliases(struct db *db, void (*fn)(void *ctx, slice alias, slice target), void *ctx);
void directory_routes(struct db *db, void (*fn)(void *ctx, const struct route *r), void *ctx);

#endif
