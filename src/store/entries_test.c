/*
 * Changing entries as IMAP does: flags, keywords, copy, move, expunge, several appends, \Recent,
 * what vanished, parts (M3, M4, M7-M9, W5, V5, L2, L3, D1, D2, P5, P6; rules I16-I19).
 */
#include "store/fixture.h"

#include "message/derive.h"
#include "store/change.h"
#include "store/folder.h"
#include "store/internal.h"
#include "store/parts.h"

enum { SENT = 3, RECOVERABLE = 7 };

static void append(struct store *s, int64_t account, int count)
{
    for (int i = 0; i < count; i++) {
        struct mailbox_append m = {.account = account, .mailbox = 1, .internaldate_ms = 1000 + i};
        assert_int_equal(fixture_append(s, &m, S("Subject: x\r\n\r\nhello\r\n")), DONE);
    }
}

static struct view_info info(struct store *s, int64_t account, int64_t mailbox)
{
    struct view *v = view_open(s, account, mailbox);
    assert_non_null(v);
    struct view_info i = view_info(v);
    view_release(v);
    return i;
}

static const uint32_t all[] = {1, 2, 3, 4, 5};

/* M8, W5, rule I18: what changes nothing gives no modseq; UNCHANGEDSINCE names who was changed. */
static void test_flags(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0);
    struct arena a = {0};
    append(s, one, 5);
    int64_t before = info(s, one, 1).modseq;
    struct uid_range set = {1, 2};
    struct flags_change x = {.account = one, .mailbox = 1, .uids = &set, .count = 1};
    x.how = FLAGS_ADD;
    x.flags = FLAG_FLAGGED;
    assert_int_equal(mailbox_change_flags(s, &a, &x), DONE);
    assert_int_equal(x.changed_count, 1);
    assert_int_equal(x.changed[0].low, 1);
    assert_int_equal(x.changed[0].high, 2);
    assert_int_equal(x.modseq_before, before);
    assert_int_equal(x.modseq, before + 1);
    assert_int_equal(mailbox_change_flags(s, &a, &x), DONE);
    assert_int_equal(x.changed_count, 0);
    assert_int_equal(x.modseq, 0);
    assert_int_equal(info(s, one, 1).modseq, before + 1);
    set.high = UINT32_MAX; /* what is not there is passed over */
    x.how = FLAGS_REPLACE;
    x.flags = FLAG_SEEN;
    x.conditional = true;
    x.unchanged_since = before;
    assert_int_equal(mailbox_change_flags(s, &a, &x), DONE);
    assert_int_equal(x.changed_entries, 3);
    assert_int_equal(x.changed_count, 1);
    assert_int_equal(x.changed[0].low, 3);
    assert_int_equal(x.modseq_before, before + 1);
    assert_int_equal(x.failed_count, 2);
    assert_int_equal(x.failed[1], 2);
    assert_int_equal(x.modseq, before + 2);
    x.unchanged_since = 0; /* always fails */
    assert_int_equal(mailbox_change_flags(s, &a, &x), DONE);
    assert_int_equal(x.failed_count, 5);
    arena_end(&a);
    assert_sound(s);
    store_close(s);
}

/* M9 */
static void test_keywords(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0);
    struct arena a = {0};
    slice names[KEYWORD_END], words[57];
    append(s, one, 1);
    struct flags_change x = {
        .account = one, .mailbox = 1, .uids = &(struct uid_range){1, 1}, .count = 1};
    x.how = FLAGS_REMOVE;
    x.keywords = (slice[]){S("Work")};
    x.keyword_count = 1;
    assert_int_equal(mailbox_change_flags(s, &a, &x), DONE);
    assert_int_equal(x.mask, 0); /* none was made to take it away */
    x.how = FLAGS_ADD;
    assert_int_equal(mailbox_change_flags(s, &a, &x), DONE);
    assert_int_equal(x.mask, 256);
    x.keywords = (slice[]){S("WORK")};
    assert_int_equal(mailbox_change_flags(s, &a, &x), DONE);
    assert_int_equal(x.mask, 256);
    assert_int_equal(x.changed_count, 0);
    assert_true(keyword_list(s, &a, one, names));
    assert_slice(names[8], S("Work"));
    for (int i = 0; i < 57; i++)
        words[i] = arena_printf(&a, "k%d", i);
    x.keywords = words;
    x.keyword_count = 57;
    assert_int_equal(mailbox_change_flags(s, &a, &x), PERMFAIL);
    assert_int_equal(x.why, REFUSED_LIMIT);
    x.keyword_count = 55;
    assert_int_equal(mailbox_change_flags(s, &a, &x), DONE);
    arena_end(&a);
    store_close(s);
}

/* Rule I16, M3, M4, M7, P5, P6 */
static void test_copy_move_and_recover(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 150);
    struct arena a = {0};
    struct quota q;
    append(s, one, 5); /* 21 bytes each */
    struct transfer t = {.account = one, .from = 1, .to = SENT, .uids = (uint32_t[]){2, 4, 9}};
    t.count = 3;
    assert_int_equal(mailbox_transfer(s, &a, &t), DONE);
    assert_int_equal(t.done, 2);
    assert_int_equal(t.source_uids[1], 4);
    assert_int_equal(t.target_uids[1], 2);
    assert_int_equal(t.uidvalidity, info(s, one, SENT).uidvalidity);
    assert_int_equal(mailbox_transfer(s, &a, &t), PERMFAIL); /* a COPY is whole or not at all */
    assert_int_equal(t.why, REFUSED_QUOTA);
    assert_int_equal(info(s, one, SENT).count, 2);
    t.move = true;
    assert_int_equal(mailbox_transfer(s, &a, &t), DONE);
    assert_int_equal(info(s, one, 1).count, 3);
    assert_int_equal(info(s, one, SENT).count, 4);
    struct expunge x = {.account = one, .mailbox = SENT, .uids = all, .count = 4};
    x.only_deleted = true;
    assert_int_equal(mailbox_expunge_uids(s, &a, &x), DONE);
    assert_int_equal(x.expunged_count, 0);
    assert_int_equal(x.modseq, 0);
    x.only_deleted = false;
    assert_int_equal(mailbox_expunge_uids(s, &a, &x), DONE);
    assert_int_equal(x.expunged_count, 4);
    assert_true(folder_quota(s, one, &q));
    assert_int_equal(q.used, 3 * 21);
    assert_int_equal(q.messages, 3);
    assert_int_equal(info(s, one, RECOVERABLE).count, 4);
    t = (struct transfer){.account = one, .from = 1, .to = RECOVERABLE, .uids = all, .count = 1};
    assert_int_equal(mailbox_transfer(s, &a, &t), PERMFAIL);
    assert_int_equal(t.why, REFUSED_READ_ONLY);
    t = (struct transfer){.account = one, .from = RECOVERABLE, .to = 1, .uids = all, .count = 1};
    t.move = true; /* the undelete */
    assert_int_equal(mailbox_transfer(s, &a, &t), DONE);
    x = (struct expunge){.account = one, .mailbox = RECOVERABLE, .uids = all, .count = 4};
    assert_int_equal(mailbox_expunge_uids(s, &a, &x), PERMFAIL);
    assert_int_equal(info(s, one, 1).count, 4);
    assert_sound(s);
    struct view *v = view_open(s, one, RECOVERABLE);
    struct entry e;
    struct message m;
    assert_true(view_at(v, 0, &e));
    store_purge(s, clock_ms() + 8 * DAY_MS);
    assert_int_equal(info(s, one, RECOVERABLE).count, 0);
    assert_true(message_open(s, &a, one, e.message, &m)); /* P5: who looks at it still can */
    view_release(v);
    store_purge(s, clock_ms() + 8 * DAY_MS);
    assert_false(message_open(s, &a, one, e.message, &m));
    assert_int_equal(info(s, one, 1).count, 4);
    assert_sound(s);
    arena_end(&a);
    store_close(s);
}

/* RFC 3502: all or none, and their uids follow one another. */
static void test_append_all(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 10);
    for (int many = 3; many >= 2; many--) {
        struct mailbox_append m[3] = {0};
        struct store_body bodies[3] = {0};
        for (int i = 0; i < many; i++) {
            bodies[i] = (struct store_body){.pieces = {S("1234")}, .piece_count = 1, .fd = -1};
            m[i] = (struct mailbox_append){.account = one, .mailbox = 1, .body_bytes = 4};
        }
        bool fits = many == 2;
        assert_int_equal(mailbox_append_all(s, m, bodies, (size_t)many), fits ? DONE : PERMFAIL);
        assert_int_equal(info(s, one, 1).count, fits ? 2 : 0);
        assert_int_equal(fits ? m[1].uid : m[2].why, fits ? 2 : REFUSED_QUOTA);
    }
    assert_sound(s);
    store_close(s);
}

static void assert_vanished(struct store *s, struct view *v, int64_t since, slice want)
{
    struct arena a = {0};
    struct buf got = {.max = 1000};
    struct uid_range *out, known = {2, 100};
    size_t count;
    assert_true(view_vanished(s, &a, v, since, &known, 1, &out, &count));
    for (size_t i = 0; i < count; i++)
        buf_printf(&got, "%u:%u ", out[i].low, out[i].high);
    assert_slice(buf_slice(&got), want);
    buf_end(&got);
    arena_end(&a);
}

/* L2, L3, rule I19: from the log; and when that is forgotten, everything that is not there. */
static void test_vanished(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0);
    append(s, one, 5);
    assert_int_equal(fixture_expunge(s, one, (uint32_t[]){1, 2}, 2), 2);
    int64_t since = info(s, one, 1).modseq;
    assert_int_equal(fixture_expunge(s, one, (uint32_t[]){4}, 1), 1);
    struct view *v = view_open(s, one, 1);
    assert_int_equal(fixture_expunge(s, one, (uint32_t[]){5}, 1), 1); /* later than the view */
    assert_vanished(s, v, since, S("4:4 "));
    assert_vanished(s, v, 1, S("2:2 4:4 "));
    store_purge(s, clock_ms() + 31 * DAY_MS);
    struct db *db = store_read(s);
    struct arena a = {0};
    assert_int_equal(sql_number(db, 0, "SELECT change_floor > ? FROM account", "i", since), 1);
    store_read_end(s, db);
    assert_vanished(s, v, since, S("2:2 4:4 ")); /* L2: the log says it does not know */
    view_release(v);
    arena_end(&a);
    store_close(s);
}

/* V5 */
static void test_recent(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0);
    append(s, one, 2);
    assert_int_equal(view_recent(s, one, 1, 3, false), 1);
    assert_int_equal(view_recent(s, one, 1, 3, true), 1);
    assert_int_equal(view_recent(s, one, 1, 3, true), 3);
    append(s, one, 1);
    store_close(s);
    s = fixture_open(fixture_path);
    assert_int_equal(view_recent(s, one, 1, 4, true), 3);
    store_close(s);
}

static bool has_subject(void *arg, uint32_t i, const struct message_parts *p)
{
    uint32_t *seen = arg;
    assert_int_equal(p->internaldate_ms, 1000 + (int64_t)i);
    assert_slice(p->subject, S("x"));
    assert_true(slice_search(p->envelope, S("\"x\"")) >= 0);
    ++*seen;
    return true;
}

/* D1, D2: parts nobody made are made when they are read, and then stand there. */
static void test_parts(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0);
    struct entry e[5];
    append(s, one, 5);
    struct view *v = view_open(s, one, 1);
    assert_int_equal(view_list(v, 0, e, 5), 5);
    for (int run = 0; run < 2; run++) {
        uint32_t seen = 0;
        assert_int_equal(
            parts_read(s, one, e, 5, PART_DATE | PART_ENVELOPE | PART_SUBJECT, has_subject, &seen),
            5);
        assert_int_equal(seen, 5);
        struct db *db = store_read(s);
        assert_int_equal(sql_number(db, 0, "SELECT count(*) FROM envelope WHERE parser_version = ?",
                                    "i", (int64_t)DERIVE_VERSION),
                         5);
        store_read_end(s, db);
    }
    view_release(v);
    assert_sound(s);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_flags),
        FIXTURE_TEST(test_keywords),
        FIXTURE_TEST(test_copy_move_and_recover),
        FIXTURE_TEST(test_append_all),
        FIXTURE_TEST(test_vanished),
        FIXTURE_TEST(test_recent),
        FIXTURE_TEST(test_parts),
    };
    return TEST_RUN(tests);
}
