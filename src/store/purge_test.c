/*
 * What leaves the store, and what comes back: purge and compaction (P1-P4, K1, K2), check and
 * repair (each damage is found, repaired, and gone), migrations (S1-S3).
 */
#include "store/fixture.h"

#include <fcntl.h>

#include "store/internal.h"
#include "store/schema.h"

static int64_t number(struct store *s, const char *query)
{
    struct db *db = store_read(s);
    int64_t v = sql_number(db, -1, query, "");
    store_read_end(s, db);
    return v;
}

static void append(struct store *s, int64_t account, size_t bytes)
{
    static char text[8192];
    memset(text, 'x', sizeof(text));
    struct mailbox_append m = {.account = account, .mailbox = 1};
    assert_int_equal(fixture_append(s, &m, (slice){text, bytes}), DONE);
}

/* P1, P2, K1, K2: nothing goes early; later message, body and segment go, what lives is readable.
 */
static void test_purge_and_compaction(void **state)
{
    (void)state;
    struct buf error = {.max = 1024};
    struct store_options o = {.dir = fixture_path, .create = true, .segment_bytes = 20000};
    struct store *s = store_open(&o, &error);
    assert_non_null(s);
    int64_t one = fixture_account(s, "one", 0);
    uint32_t gone[7];
    for (uint32_t i = 0; i < 12; i++)
        append(s, one, 4000);
    for (uint32_t i = 0; i < 7; i++)
        gone[i] = i < 4 ? i + 1 : i + 2; /* 1-4, 6-8 */
    assert_int_equal(fixture_expunge(s, one, gone, 7), 7);
    store_purge(s, clock_ms() + 6 * DAY_MS);
    assert_int_equal(number(s, "SELECT count(*) FROM message"), 12);
    store_purge(s, clock_ms() + 8 * DAY_MS);
    assert_int_equal(number(s, "SELECT count(*) FROM message"), 5);
    assert_int_equal(number(s, "SELECT count(*) FROM body"), 5);
    assert_int_equal(number(s, "SELECT count(*) FROM tombstone"), 0);
    assert_int_equal(number(s, "SELECT count(*) FROM segment WHERE id = 1"), 0);
    assert_sound(s); /* reads every body */
    store_close(s);
    s = store_open(&o, &error);
    assert_sound(s);
    store_close(s);
    buf_end(&error);
}

/* P1: a view somebody holds keeps its messages. */
static void test_a_held_view_keeps_its_messages(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0);
    append(s, one, 10);
    struct view *v = view_open(s, one, 1);
    assert_int_equal(fixture_expunge(s, one, (uint32_t[]){1}, 1), 1);
    store_purge(s, clock_ms() + 8 * DAY_MS);
    assert_int_equal(number(s, "SELECT count(*) FROM message"), 1);
    view_release(v);
    store_purge(s, clock_ms() + 8 * DAY_MS);
    assert_int_equal(number(s, "SELECT count(*) FROM message"), 0);
    assert_sound(s);
    store_close(s);
}

static void count_wake(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

/* P3: 2,500 expunged at once leave Recoverable in three steps. */
static void test_purge_in_steps(void **state)
{
    (void)state;
    enum { MANY = 2500, TOGETHER = 100 };
    static uint32_t uids[MANY];
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0), box;
    for (uint32_t i = 0; i < MANY; i += TOGETHER) {
        struct mailbox_append m[TOGETHER] = {0};
        struct store_body bodies[TOGETHER] = {0};
        for (uint32_t k = 0; k < TOGETHER; k++) {
            bodies[k] = (struct store_body){.pieces = {S("x")}, .piece_count = 1, .fd = -1};
            m[k] = (struct mailbox_append){.account = one, .mailbox = 1, .body_bytes = 1};
            uids[i + k] = i + k + 1;
        }
        assert_int_equal(mailbox_append_all(s, m, bodies, TOGETHER), DONE);
    }
    assert_int_equal(fixture_expunge(s, one, uids, MANY), MANY);
    struct db *db = store_read(s);
    box = mailbox_by_role(db, one, ROLE_RECOVERABLE);
    store_read_end(s, db);
    atomic_int wakes = 0;
    struct watch *w = view_watch(s, one, box, count_wake, &wakes);
    store_purge(s, clock_ms() + 8 * DAY_MS);
    view_unwatch(w);
    assert_int_equal(atomic_load(&wakes), 3);
    assert_int_equal(number(s, "SELECT count(*) FROM message"), 0);
    assert_sound(s);
    store_close(s);
}

/* K3: a living record that is damaged keeps its segment where it is. */
static void test_damaged_record_is_not_copied(void **state)
{
    (void)state;
    struct buf error = {.max = 1024};
    struct store_options o = {.dir = fixture_path, .create = true, .segment_bytes = 20000};
    struct store *s = store_open(&o, &error);
    assert_non_null(s);
    int64_t one = fixture_account(s, "one", 0);
    for (uint32_t i = 0; i < 12; i++)
        append(s, one, 4000);
    assert_int_equal(number(s, "SELECT segment FROM body WHERE id = 1"), 1);
    assert_int_equal(fixture_expunge(s, one, (uint32_t[]){2, 3, 4, 5}, 4), 4);
    char path[128];
    snprintf(path, sizeof(path), "%s/segments/000000000001.seg", fixture_path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "!", 1, BODY_HEADER + 50), 1);
    close(fd);
    store_purge(s, clock_ms() + 8 * DAY_MS);
    assert_int_equal(number(s, "SELECT segment FROM body WHERE id = 1"), 1);
    assert_int_equal(access(path, F_OK), 0);
    store_close(s);
    buf_end(&error);
}

/* P4 */
static void test_change_floor(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0);
    append(s, one, 10);
    store_purge(s, clock_ms() + 31 * DAY_MS);
    assert_int_equal(number(s, "SELECT count(*) FROM change"), 0);
    assert_int_equal(number(s, "SELECT change_floor = modseq FROM account"), 1);
    store_close(s);
}

static void damage(const char *script)
{
    struct buf error = {.max = 1024};
    char path[96];
    snprintf(path, sizeof(path), "%s/store.db", fixture_path);
    struct db *db = db_open(&(struct db_options){path, false, false, 1 << 20}, &error);
    assert_non_null(db);
    if (!db_script(db, script))
        fail_msg("%s: %s", script, db_error(db));
    db_close(db);
    buf_end(&error);
}

static void test_check_and_repair(void **state)
{
    (void)state;
    static const struct {
        const char *name, *script;
    } rows[] = {
        {"counters of a mailbox", "UPDATE mailbox SET total = 9, size = 1 WHERE mailbox = 1"},
        {"uidnext too low", "UPDATE mailbox SET uidnext = 1 WHERE mailbox = 1"},
        {"used bytes", "UPDATE account SET used = 1"},
        {"a chunk", "UPDATE entry_chunk SET data = x'01ff'"},
        {"a lost chunk", "DELETE FROM entry_chunk"},
        {"a lost message", "DELETE FROM message WHERE id = 2; DELETE FROM body_doubt"},
        {"live bytes", "UPDATE segment SET live = 3"},
        {"a counter", "UPDATE counter SET next = 1"},
        {"holders", "INSERT INTO copy VALUES (1, 4)"},
        {"a lost envelope", "DELETE FROM envelope WHERE id = 2"},
        {"Recoverable for ever", "DELETE FROM tombstone"},
        {"an orphan record", "DELETE FROM body WHERE id = 3; DELETE FROM segment;"
                             "DELETE FROM message; DELETE FROM body; DELETE FROM body_doubt"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        fixture_remove(fixture_path);
        struct store *s = fixture_open(fixture_path);
        int64_t one = fixture_account(s, "one", 0);
        for (int k = 0; k < 3; k++)
            append(s, one, 100);
        assert_int_equal(fixture_expunge(s, one, (uint32_t[]){1}, 1), 1);
        store_close(s);
        damage(rows[i].script);
        s = fixture_open(fixture_path);
        struct buf report = {.max = 1 << 16};
        if (store_check(s, false, &report) == 0)
            fail_msg("%s: not found", rows[i].name);
        buf_clear(&report);
        if (store_check(s, true, &report) != 0)
            fail_msg("%s: %.*s", rows[i].name, P(buf_slice(&report)));
        /* No body was thrown away: three messages, whatever mailbox they are in now. */
        assert_int_equal(number(s, "SELECT count(*) FROM message"), 3);
        append(s, one, 50);
        assert_sound(s);
        buf_end(&report);
        store_close(s);
    }
}

/* B5: a body that does not fit its checksum is not served, and check names it. */
static void test_damaged_body(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0);
    append(s, one, 100);
    char path[128], got[200];
    snprintf(path, sizeof(path), "%s/segments/000000000001.seg", fixture_path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "!", 1, BODY_HEADER + 50), 1);
    close(fd);
    assert_int_equal(body_read(s, 1, 0, got, sizeof(got)), -1);
    struct buf report = {.max = 1 << 16};
    assert_int_equal(store_check(s, true, &report), 1);
    assert_true(slice_search(buf_slice(&report), S("body 1 ")) >= 0);
    buf_end(&report);
    store_close(s);
}

/* S1-S3 */
static void test_migrations(void **state)
{
    (void)state;
    static const struct migration rows[] = {
        {1, {"CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"}},
        {2, {"CREATE TABLE second(a);", "INSERT INTO second VALUES (7);"}},
        {3, {"CREATE TABLE broken(;"}},
    };
    struct buf error = {.max = 1024};
    char path[96], copy[120];
    snprintf(path, sizeof(path), "%s/m.db", fixture_path);
    snprintf(copy, sizeof(copy), "%s.before-2", path);
    struct db *db = db_open(&(struct db_options){path, true, false, 1 << 20}, &error);
    assert_true(schema_migrate(db, path, rows, 1, &error));
    assert_int_not_equal(access(copy, F_OK), 0);
    assert_true(schema_migrate(db, path, rows, 2, &error));
    assert_int_equal(access(copy, F_OK), 0);
    assert_int_equal(sql_number(db, 0, "SELECT a FROM second", ""), 7);
    assert_false(schema_migrate(db, path, rows, 1, &error)); /* downgrade */
    assert_true(slice_search(buf_slice(&error), S("has format 2")) > 0);
    assert_int_equal(slice_find(buf_slice(&error), '\n'), -1);
    assert_false(schema_migrate(db, path, rows, 3, &error));
    db_rollback(db);
    assert_int_equal(sql_number(db, 0, "SELECT value FROM meta WHERE key = 'storeFormat'", ""), 2);
    db_close(db);
    buf_end(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_purge_and_compaction),
        FIXTURE_TEST(test_a_held_view_keeps_its_messages),
        FIXTURE_TEST(test_change_floor),
        FIXTURE_TEST(test_check_and_repair),
        FIXTURE_TEST(test_damaged_body),
        FIXTURE_TEST(test_purge_in_steps),
        FIXTURE_TEST(test_damaged_record_is_not_copied),
        FIXTURE_TEST(test_migrations),
    };
    return TEST_RUN(tests);
}
