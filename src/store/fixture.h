/*
 * What the store's tests share: a fresh directory, a store with an account, a message.  Included
 * by tests alone.
 */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include "base/test.h"

#include <ftw.h>
#include <openssl/sha.h>

#include "store/mailbox.h"
#include "store/view.h"

static inline int fixture_remove_one(const char *path, const struct stat *st, int type,
                                     struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static inline void fixture_remove(const char *dir)
{
    nftw(dir, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A new empty directory, where syncs cost nothing if there is such a place; the name is in dir. */
static inline void fixture_dir(char dir[64])
{
    memcpy(dir, "/dev/shm/yizhan-store-XXXXXX", 29);
    if (mkdtemp(dir))
        return;
    memcpy(dir, "/tmp/yizhan-store-XXXXXX", 25);
    assert_non_null(mkdtemp(dir));
}

/* For cmocka_unit_test_setup_teardown: each test has a new empty directory. */
static char fixture_path[64];

static inline int fixture_setup(void **state)
{
    (void)state;
    fixture_dir(fixture_path);
    return 0;
}

static inline int fixture_teardown(void **state)
{
    (void)state;
    fixture_remove(fixture_path);
    return 0;
}

#define FIXTURE_TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

/* Fails with the report unless the store is sound. */
static inline void assert_sound(struct store *s)
{
    struct buf report = {.max = 1 << 20};
    if (store_check(s, false, &report) != 0)
        fail_msg("%.*s", P(buf_slice(&report)));
    buf_end(&report);
}

static inline struct store *fixture_open(const char *dir)
{
    struct buf error = {.max = 1024};
    struct store *s = store_open(&(struct store_options){.dir = dir, .create = true}, &error);
    if (!s)
        fail_msg("store_open: %.*s", P(buf_slice(&error)));
    buf_end(&error);
    return s;
}

struct fixture_account {
    char address[64];
    int64_t quota, id;
};

static inline enum outcome fixture_account_fn(struct store_tx *tx, void *arg)
{
    struct fixture_account *a = arg;
    a->id = sql_number(tx->db, 0,
                       "INSERT INTO account(address, quota, created) VALUES (?, ?, ?) RETURNING id",
                       "tii", slice_c(a->address), a->quota, tx->now_ms);
    return a->id ? mailbox_create_defaults(tx, a->id) : TEMPFAIL;
}

/* Makes an account "NAME@north.test"; returns its id, or 0 when the store could not. */
static inline int64_t fixture_account(struct store *s, const char *name, int64_t quota)
{
    struct fixture_account a = {.quota = quota};
    snprintf(a.address, sizeof(a.address), "%s@north.test", name);
    struct store_call call = {.fn = fixture_account_fn, .arg = &a};
    return store_write(s, &call) == DONE ? a.id : 0;
}

static inline enum outcome fixture_append_fn(struct store_tx *tx, void *arg)
{
    return mailbox_append(tx, arg);
}

/* Appends text to a mailbox; m may hold more wishes and gets the results. */
static inline enum outcome fixture_append(struct store *s, struct mailbox_append *m, slice text)
{
    struct store_body body = {.pieces = {text}, .piece_count = 1, .fd = -1, .date_ms = 1};
    SHA256((const unsigned char *)text.p, text.n, body.sha256);
    struct store_call call = {
        .account = m->account, .fn = fixture_append_fn, .arg = m, .body = &body};
    m->body = 0;
    m->body_bytes = text.n;
    return store_write(s, &call);
}

struct fixture_uids {
    int64_t account, mailbox;
    const uint32_t *uids;
    size_t count, done;
};

static inline enum outcome fixture_expunge_fn(struct store_tx *tx, void *arg)
{
    struct fixture_uids *x = arg;
    return mailbox_expunge(tx, x->account, x->mailbox, x->uids, x->count, &x->done);
}

/* Expunges uids of INBOX; returns how many there were, or -1. */
static inline int fixture_expunge(struct store *s, int64_t account, const uint32_t *uids,
                                  size_t count)
{
    struct fixture_uids x = {.account = account, .mailbox = 1, .uids = uids, .count = count};
    struct store_call call = {.account = account, .fn = fixture_expunge_fn, .arg = &x};
    return store_write(s, &call) == DONE ? (int)x.done : -1;
}

/* Adds and removes flags of uids of INBOX; returns how often an entry changed, or -1. */
static inline int fixture_flags(struct store *s, int64_t account, const uint32_t *uids,
                                size_t count, uint64_t add, uint64_t remove)
{
    struct arena a = {0};
    int changed = 0;
    struct uid_range *ranges = arena_array(&a, count + 1, sizeof(*ranges));
    for (size_t i = 0; i < count; i++)
        ranges[i] = (struct uid_range){uids[i], uids[i]};
    for (int how = FLAGS_ADD; how <= FLAGS_REMOVE && changed >= 0; how++) {
        struct flags_change x = {.account = account,
                                 .mailbox = 1,
                                 .uids = ranges,
                                 .count = count,
                                 .how = (enum flags_how)how,
                                 .flags = how == FLAGS_ADD ? add : remove};
        bool done = !x.flags || mailbox_change_flags(s, &a, &x) == DONE;
        changed = done ? changed + (int)x.changed_entries : -1;
    }
    arena_end(&a);
    return changed;
}

#endif
