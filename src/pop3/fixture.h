/*
 * A post with one user and a maildrop, for the tests and fuzzers of POP3.  Included by them alone.
 */
#ifndef POP3_FIXTURE_H
#define POP3_FIXTURE_H

#include "accounts/fixture.h"
#include "net/harness.h"
#include "pop3/server.h"

#define POP3_LOGIN "USER one@north.test\r\nPASS secret\r\n"

struct pop3_post {
    struct post post;
    int64_t account;
    struct pop3_options options;
};

static inline void pop3_post_open(struct pop3_post *p)
{
    post_open(&p->post);
    p->account = post_user(&p->post, "one@north.test", "secret");
    p->options = (struct pop3_options){.hostname = S("north.test"),
                                       .login = &p->post.login,
                                       .tls_available = true,
                                       .password_without_tls = true};
}

static inline void pop3_post_close(struct pop3_post *p)
{
    post_close(&p->post);
}

static inline void pop3_post_append(struct pop3_post *p, slice prefix, slice text)
{
    struct mailbox_append m = {
        .account = p->account, .mailbox = MAILBOX_INBOX, .prefix = prefix, .internaldate_ms = 1};
    assert_int_equal(fixture_append(p->post.store, &m, text), DONE);
}

static inline struct view_info pop3_post_info(struct pop3_post *p)
{
    struct view *v = view_open(p->post.store, p->account, MAILBOX_INBOX);
    assert_non_null(v);
    struct view_info info = view_info(v);
    view_release(v);
    return info;
}

static inline void pop3_post_empty(struct pop3_post *p)
{
    uint32_t uids[64];
    struct entry e[64];
    struct view *v = view_open(p->post.store, p->account, MAILBOX_INBOX);
    uint32_t n = view_list(v, 0, e, 64);
    for (uint32_t i = 0; i < n; i++)
        uids[i] = e[i].uid;
    view_release(v);
    if (n)
        assert_int_equal(fixture_expunge(p->post.store, p->account, uids, n), n);
}

#endif
