/*
 * What the tests of logins share (here and in pop3/): a store and secrets in a fresh directory,
 * with north.test and users in it.  Included by tests alone.
 */
#ifndef ACCOUNTS_FIXTURE_H
#define ACCOUNTS_FIXTURE_H

#include "accounts/sasl.h"
#include "store/fixture.h"

struct post {
    char dir[64];
    struct store *store;
    struct secrets *secrets;
    struct login_service login; /* no limits */
};

/* One change of the directory, as a transaction. */
struct change {
    enum outcome (*fn)(struct store_tx *tx, struct change *c);
    slice name, value; /* value: the target of an alias */
    uint64_t quota;
    struct route route;
    int64_t account; /* out */
    slice why;       /* out */
};

static inline enum outcome change_run(struct store_tx *tx, void *arg)
{
    struct change *c = arg;
    return c->fn(tx, c);
}

static inline enum outcome change_do(struct store *s, struct change *c)
{
    return store_write(s, &(struct store_call){.fn = change_run, .arg = c});
}

static inline enum outcome change_domain(struct store_tx *tx, struct change *c)
{
    return directory_domain_add(tx, c->name, &c->why);
}

static inline enum outcome change_user(struct store_tx *tx, struct change *c)
{
    return directory_user_add(tx, c->name, c->quota, &c->account, &c->why);
}

/* A user with a password; its account. */
static inline int64_t post_user(struct post *p, const char *address, const char *password)
{
    struct change c = {.fn = change_user, .name = slice_c(address)};
    assert_int_equal(change_do(p->store, &c), DONE);
    if (password)
        assert_int_equal(secrets_set_password(p->secrets, c.account, slice_c(password)), DONE);
    return c.account;
}

static inline void post_open(struct post *p)
{
    struct buf error = {.max = 1000};
    fixture_dir(p->dir);
    p->store = fixture_open(p->dir);
    p->secrets = secrets_open(p->dir, true, &error);
    assert_non_null(p->secrets);
    p->login = (struct login_service){.store = p->store, .secrets = p->secrets};
    struct change c = {.fn = change_domain, .name = S("north.test")};
    assert_int_equal(change_do(p->store, &c), DONE);
    buf_end(&error);
}

static inline void post_close(struct post *p)
{
    secrets_close(p->secrets);
    store_close(p->store);
    fixture_remove(p->dir);
}

#endif
