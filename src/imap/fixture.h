/*
 * A post with users and mailboxes, and sessions on it in memory, for the tests of IMAP.  Included
 * by them alone.
 */
#ifndef IMAP_FIXTURE_H
#define IMAP_FIXTURE_H

#include "accounts/fixture.h"
#include "imap/command.h"
#include "net/harness.h"

struct imap_post {
    struct post post;
    struct imap_options options;
    int64_t account; /* the user's, who is new after imap_post_fresh */
    unsigned users;
};

/* A new user without a password and with nothing in the mailboxes. */
static inline void imap_post_fresh(struct imap_post *p)
{
    char name[64];
    snprintf(name, sizeof(name), "user%u@north.test", ++p->users);
    p->account = post_user(&p->post, name, NULL);
}

/* With one@north.test, whose password is "secret". */
static inline void imap_post_open(struct imap_post *p)
{
    *p = (struct imap_post){0};
    post_open(&p->post);
    p->account = post_user(&p->post, "one@north.test", "secret");
    p->options = (struct imap_options){.hostname = S("north.test"),
                                       .login = &p->post.login,
                                       .message_size = LIMIT_MESSAGE,
                                       .tls_available = true,
                                       .password_without_tls = true};
}

static inline void imap_post_close(struct imap_post *p)
{
    post_close(&p->post);
}

/* Appends to a mailbox (MAILBOX_INBOX); the uid it got. */
static inline uint32_t imap_post_append(struct imap_post *p, int64_t mailbox, uint64_t flags,
                                        slice text)
{
    struct mailbox_append m = {.account = p->account,
                               .mailbox = mailbox,
                               .flags = flags,
                               .internaldate_ms = INT64_C(1795465441000)}; /* 23 Nov 2026 */
    assert_int_equal(fixture_append(p->post.store, &m, text), DONE);
    return m.uid;
}

/* A session whose client is the user, logged in already. */
static inline struct session *imap_post_session(struct imap_post *p)
{
    struct session *s = imap_server_new(&p->options);
    struct imap *i = (struct imap *)s;
    i->state = IMAP_AUTHENTICATED;
    i->account = p->account;
    return s;
}

/* The same at work, its greeting heard. */
static inline void imap_post_start(struct imap_post *p, struct harness *h)
{
    harness_start(h, imap_post_session(p));
    harness_said(h);
}

/* The post of a test program, for cmocka_unit_test_setup_teardown. */
static struct imap_post post;

static inline int imap_post_set_up(void **state)
{
    (void)state;
    imap_post_open(&post);
    return 0;
}

static inline int imap_post_tear_down(void **state)
{
    (void)state;
    imap_post_close(&post);
    return 0;
}

#endif
