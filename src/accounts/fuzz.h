/*
 * A post for fuzzers: a store and secrets in a directory that goes away at exit, north.test with
 * one@north.test, whose password is "secret".  Included by fuzzers alone.
 */
#ifndef ACCOUNTS_FUZZ_H
#define ACCOUNTS_FUZZ_H

#include <assert.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "accounts/sasl.h"

struct fuzz_post {
    char dir[64];
    struct login_service login; /* no limits */
    int64_t account;
};

static inline int fuzz_remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static inline enum outcome fuzz_users(struct store_tx *tx, void *arg)
{
    struct fuzz_post *p = arg;
    slice why;
    enum outcome o = directory_domain_add(tx, S("north.test"), &why);
    return o == DONE ? directory_user_add(tx, S("one@north.test"), 0, &p->account, &why) : o;
}

/* See below. */
static inline struct fuzz_post *fuzz_post_get(void);

static inline void fuzz_post_end(void)
{
    struct fuzz_post *p = fuzz_post_get();
    secrets_close(p->login.secrets);
    store_close(p->login.store);
    nftw(p->dir, fuzz_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The one post of this process, opened by the first call. */
static inline struct fuzz_post *fuzz_post_get(void)
{
    static struct fuzz_post p;
    if (p.account)
        return &p;
    struct buf error = {.max = 1000};
    memcpy(p.dir, "/dev/shm/yizhan-fuzz-XXXXXX", 28); /* syncs cost nothing there */
    char *dir = mkdtemp(p.dir);
    if (!dir) {
        memcpy(p.dir, "/tmp/yizhan-fuzz-XXXXXX", 24);
        dir = mkdtemp(p.dir);
    }
    assert(dir);
    p.login.store = store_open(&(struct store_options){.dir = dir, .create = true}, &error);
    p.login.secrets = secrets_open(dir, true, &error);
    assert(p.login.store && p.login.secrets);
    enum outcome o = store_write(p.login.store, &(struct store_call){.fn = fuzz_users, .arg = &p});
    assert(o == DONE);
    o = secrets_set_password(p.login.secrets, p.account, S("secret"));
    assert(o == DONE);
    buf_end(&error);
    atexit(fuzz_post_end);
    return &p;
}

/* Hashes the right password when it is not remembered any more. */
static inline void fuzz_remember(struct fuzz_post *p)
{
    struct secrets *s = p->login.secrets;
    if (secrets_check_password(s, p->account, S("secret"), false) == WAIT) {
        enum outcome o = secrets_check_password(s, p->account, S("secret"), true);
        assert(o == DONE);
    }
}

#endif
