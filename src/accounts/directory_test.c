/* The directory over a real store: resolving, changing, IDN, routes, audit. */
#include "accounts/directory.h"

#include "accounts/fixture.h"
#include "base/banned.h"

static struct post post;

static int set_up(void **state)
{
    (void)state;
    post_open(&post);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    post_close(&post);
    return 0;
}

/* ---- changes as rows ---- */

static enum outcome domain_remove(struct store_tx *tx, struct change *c)
{
    return directory_domain_remove(tx, c->name, &c->why);
}

static enum outcome user_remove(struct store_tx *tx, struct change *c)
{
    return directory_user_remove(tx, c->name, &c->why);
}

static enum outcome user_quota(struct store_tx *tx, struct change *c)
{
    return directory_user_quota(tx, c->name, c->quota, &c->why);
}

static enum outcome alias_add(struct store_tx *tx, struct change *c)
{
    return directory_alias_add(tx, c->name, &c->value, 1, &c->why);
}

static enum outcome alias_remove(struct store_tx *tx, struct change *c)
{
    return directory_alias_remove(tx, c->name, &c->why);
}

static enum outcome route_add(struct store_tx *tx, struct change *c)
{
    return directory_route_add(tx, &c->route, &c->why);
}

static enum outcome route_remove(struct store_tx *tx, struct change *c)
{
    return directory_route_remove(tx, c->name, &c->why);
}

typedef enum outcome (*change_fn)(struct store_tx *tx, struct change *c);

static void must(change_fn fn, const char *name, const char *value)
{
    struct change c = {.fn = fn, .name = slice_c(name), .value = slice_c(value)};
    if (change_do(post.store, &c) != DONE)
        fail_msg("%s %s: %.*s", name, value ? value : "", P(c.why));
}

static void refused(change_fn fn, const char *name, const char *value, const char *why)
{
    struct change c = {.fn = fn, .name = slice_c(name), .value = slice_c(value)};
    assert_int_equal(change_do(post.store, &c), PERMFAIL);
    if (slice_search(c.why, slice_c(why)) < 0)
        fail_msg("%s: \"%.*s\" does not say \"%s\"", name, P(c.why), why);
}

/* ---- resolving, as text: "foreign", "unknown", or the targets, "!" before those elsewhere ---- */

static slice resolved(struct arena *a, const char *address)
{
    struct directory_target *targets;
    size_t count;
    struct db *db = store_read(post.store);
    enum directory_kind kind = directory_resolve(db, a, slice_c(address), &targets, &count);
    assert_false(sql_failed(db));
    store_read_end(post.store, db);
    if (kind == DIRECTORY_FOREIGN)
        return S("foreign");
    if (kind == DIRECTORY_UNKNOWN)
        return S("unknown");
    slice all = S("");
    for (size_t i = 0; i < count; i++)
        all = arena_printf(a, "%.*s%s%s%.*s", P(all), i ? " " : "", targets[i].account ? "" : "!",
                           P(targets[i].address));
    return all;
}

static void check(const char *address, const char *want)
{
    struct arena a = {0};
    slice got = resolved(&a, address);
    if (!slice_eq(got, slice_c(want)))
        fail_msg("%s: got \"%.*s\", want \"%s\"", address, P(got), want);
    arena_end(&a);
}

static void test_resolve(void **state)
{
    (void)state;
    must(change_domain, "South.Test", NULL);
    post_user(&post, "one@north.test", NULL);
    post_user(&post, "Two@North.test", NULL);
    post_user(&post, "three@south.test", NULL);
    post_user(&post, "tag+ged@north.test", NULL);
    must(alias_add, "sales@north.test", "one@north.test");
    must(alias_add, "sales@north.test", "two@north.test");
    must(alias_add, "sales@north.test", "Buyer@Elsewhere.Test");
    must(alias_add, "all@north.test", "sales@north.test");
    must(alias_add, "all@north.test", "one+list@north.test");
    must(alias_add, "loop1@north.test", "loop2@north.test");
    must(alias_add, "loop2@north.test", "loop1@north.test");
    must(alias_add, "loop2@north.test", "one@north.test");
    must(alias_add, "dead@north.test", "nobody@north.test");
    must(alias_add, "@south.test", "three@south.test");
    const struct {
        const char *address, *want;
    } rows[] = {
        {"one@north.test", "one@north.test"},
        {"ONE@NORTH.TEST", "one@north.test"},
        {"two@north.test", "two@north.test"},
        {"one+anything@north.test", "one@north.test"},
        {"one+@north.test", "one@north.test"},
        {"+one@north.test", "unknown"},
        {"tag+ged@north.test", "tag+ged@north.test"},
        {"tag+other@north.test", "unknown"},
        {"nobody@north.test", "unknown"},
        {"one@elsewhere.test", "foreign"},
        {"one@sub.north.test", "foreign"},
        {"one", "foreign"},
        {"", "foreign"},
        {"sales@north.test", "!Buyer@elsewhere.test one@north.test two@north.test"},
        {"sales+x@north.test", "!Buyer@elsewhere.test one@north.test two@north.test"},
        {"all@north.test", "one@north.test !Buyer@elsewhere.test two@north.test"},
        {"loop1@north.test", "one@north.test"},
        {"loop2@north.test", "one@north.test"},
        {"dead@north.test", "unknown"},
        {"any@south.test", "three@south.test"},
        {"any+tag@south.test", "three@south.test"},
        {"postmaster@north.test", "one@north.test"},
        {"PostMaster@north.test", "one@north.test"},
        {"postmaster@south.test", "three@south.test"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(rows[i].address, rows[i].want);
    must(alias_add, "postmaster@north.test", "two@north.test");
    check("postmaster@north.test", "two@north.test");
}

/* RFC 5321 4.5.1: postmaster always exists, also in a domain without users. */
static void test_postmaster(void **state)
{
    (void)state;
    check("postmaster@north.test", "unknown"); /* nobody at all */
    must(change_domain, "empty.test", NULL);
    post_user(&post, "one@north.test", NULL);
    check("postmaster@empty.test", "one@north.test");
    static const char *const hosts[] = {"mail.north.test", "localhost", "[127.0.0.1]",
                                        "a.b.empty.test", ""};
    struct arena a = {0};
    for (size_t i = 0; i < 5; i++) {
        struct directory_target *targets;
        size_t count;
        struct db *db = store_read(post.store);
        assert_int_equal(directory_postmaster(db, &a, slice_c(hosts[i]), &targets, &count),
                         DIRECTORY_LOCAL);
        store_read_end(post.store, db);
        assert_int_equal(count, 1);
        assert_slice(targets[0].address, S("one@north.test"));
    }
    arena_end(&a);
}

/* Deeper than 10 is cut; a wide one keeps each target once. */
static void test_depth_and_width(void **state)
{
    (void)state;
    char from[40], to[40];
    post_user(&post, "one@north.test", NULL);
    for (int i = 0; i < 12; i++) {
        snprintf(from, sizeof(from), "a%d@north.test", i);
        snprintf(to, sizeof(to), "a%d@north.test", i + 1);
        must(alias_add, from, i == 11 ? "one@north.test" : to);
    }
    check("a2@north.test", "one@north.test");
    check("a0@north.test", "unknown");
    for (int i = 0; i < 300; i++) {
        snprintf(to, sizeof(to), "one+%d@north.test", i);
        must(alias_add, "wide@north.test", to);
    }
    check("wide@north.test", "one@north.test");
}

static void test_may_send_as(void **state)
{
    (void)state;
    int64_t one = post_user(&post, "one@north.test", NULL);
    int64_t two = post_user(&post, "two@north.test", NULL);
    must(alias_add, "sales@north.test", "one@north.test");
    must(change_domain, "own.test", NULL);
    must(alias_add, "@own.test", "two@north.test");
    const struct {
        int64_t account;
        const char *address;
        bool may;
    } rows[] = {
        {one, "one@north.test", true},        {one, "One+tag@North.Test", true},
        {one, "sales@north.test", true},      {one, "two@north.test", false},
        {two, "sales@north.test", false},     {two, "anything@own.test", true},
        {one, "one@elsewhere.test", false},   {one, "", false},
        {one, "nobody@north.test", false},    {0, "nobody@north.test", false},
        {one, "postmaster@north.test", true}, {two, "postmaster@north.test", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct db *db = store_read(post.store);
        if (directory_may_send_as(db, rows[i].account, slice_c(rows[i].address)) != rows[i].may)
            fail_msg("row %zu: %s", i, rows[i].address);
        store_read_end(post.store, db);
    }
}

static void test_login(void **state)
{
    (void)state;
    int64_t one = post_user(&post, "one@north.test", NULL);
    struct arena a = {0};
    struct db *db = store_read(post.store);
    assert_int_equal(directory_login(db, S("ONE@north.test")), one);
    assert_int_equal(directory_login(db, S("one")), 0);
    assert_int_equal(directory_login(db, S("one+tag@north.test")), 0);
    assert_int_equal(directory_login(db, S("one@north.test\0")), 0);
    assert_slice(directory_address(db, &a, one), S("one@north.test"));
    assert_slice(directory_address(db, &a, one + 1), S(""));
    store_read_end(post.store, db);
    arena_end(&a);
}

static void test_changes_refused(void **state)
{
    (void)state;
    post_user(&post, "one@north.test", NULL);
    must(alias_add, "sales@north.test", "one@north.test");
    refused(change_domain, "north.test", NULL, "exists already");
    refused(change_domain, "north test", NULL, "not a domain");
    refused(change_domain, "", NULL, "not a domain");
    refused(change_domain, "-a.test", NULL, "not a domain");
    refused(change_user, "one@north.test", NULL, "taken");
    refused(change_user, "ONE@NORTH.test", NULL, "taken");
    refused(change_user, "sales@north.test", NULL, "taken");
    refused(change_user, "new@elsewhere.test", NULL, "domain add");
    refused(change_user, "new", NULL, "not an address");
    refused(change_user, "a b@north.test", NULL, "not an address");
    refused(change_user, "\"a b\"@north.test", NULL, "not an address");
    refused(change_user, "@north.test", NULL, "not an address");
    refused(alias_add, "one@north.test", "two@south.test", "is a user's");
    refused(alias_add, "x@elsewhere.test", "one@north.test", "domain add");
    refused(alias_add, "x@north.test", "x@north.test", "itself");
    refused(alias_add, "x@north.test", "nonsense", "not an address");
    refused(alias_remove, "x@north.test", NULL, "no such alias");
    refused(user_remove, "two@north.test", NULL, "no such user");
    refused(user_remove, "sales@north.test", NULL, "no such user");
    refused(user_quota, "two@north.test", NULL, "no such user");
    refused(domain_remove, "elsewhere.test", NULL, "no such domain");
    refused(domain_remove, "north.test", NULL, "users");
    refused(route_remove, "south.test", NULL, "no such route");
}

static void test_removing(void **state)
{
    (void)state;
    int64_t one = post_user(&post, "one@north.test", NULL);
    must(alias_add, "sales@north.test", "one@north.test");
    must(alias_add, "sales@north.test", "two@elsewhere.test");
    must(user_remove, "One@north.test", NULL);
    check("one@north.test", "unknown");
    check("sales@north.test", "!two@elsewhere.test");
    int64_t again = post_user(&post, "one@north.test", NULL);
    assert_true(again > one); /* an id never returns: neither do its mail and passwords */
    must(user_remove, "one@north.test", NULL);
    refused(domain_remove, "north.test", NULL, "aliases");
    must(alias_remove, "Sales@north.test", NULL);
    must(domain_remove, "north.test", NULL);
    check("one@north.test", "foreign");
}

/* U-labels and A-labels are one domain. */
static void test_idn(void **state)
{
    (void)state;
    must(change_domain, "北.test", NULL);
    post_user(&post, "one@北.test", NULL);
    check("one@xn--djr.test", "one@xn--djr.test");
    check("one@北.TEST", "one@xn--djr.test");
    refused(change_domain, "xn--djr.test", NULL, "exists already");
}

static void add_route(const char *domain, const char *host, uint16_t port, enum outcome want)
{
    struct change c = {.fn = route_add};
    c.route = (struct route){slice_c(domain), slice_c(host), port, 30000, 50};
    if (change_do(post.store, &c) != want)
        fail_msg("route %s %s:%u: %.*s", domain, host, port, P(c.why));
}

static void test_routes(void **state)
{
    (void)state;
    struct arena a = {0};
    struct route r;
    add_route("south.test", "127.0.0.1", 2025, DONE);
    add_route("bad test", "127.0.0.1", 25, PERMFAIL);
    add_route("west.test", "127.0.0.1", 0, PERMFAIL);
    add_route("west.test", "no host", 25, PERMFAIL);
    add_route("west.test", "::1", 25, DONE);
    struct db *db = store_read(post.store);
    assert_true(directory_route(db, &a, S("South.Test"), &r));
    assert_slice(r.host, S("127.0.0.1"));
    assert_int_equal(r.port, 2025);
    assert_int_equal(r.gather_ms, 30000);
    assert_int_equal(r.gather_count, 50);
    assert_false(directory_route(db, &a, S("other.test"), &r));
    store_read_end(post.store, db);
    add_route("South.test", "mail.south.test", 25, DONE); /* replaces */
    add_route(".", "smart.test", 587, DONE);
    db = store_read(post.store);
    assert_true(directory_route(db, &a, S("south.test"), &r));
    assert_slice(r.host, S("mail.south.test"));
    assert_true(directory_route(db, &a, S("other.test"), &r));
    assert_slice(r.domain, S("."));
    assert_slice(r.host, S("smart.test"));
    store_read_end(post.store, db);
    arena_end(&a);
}

static void test_each_change_leaves_an_audit_row(void **state)
{
    (void)state;
    post_user(&post, "one@north.test", NULL);
    must(alias_add, "sales@north.test", "one@north.test");
    refused(change_user, "one@north.test", NULL, "taken");
    struct db *db = store_read(post.store);
    assert_int_equal(sql_number(db, 0, "SELECT count(*) FROM audit", ""), 3);
    assert_int_equal(sql_number(db, 0,
                                "SELECT count(*) FROM audit WHERE action = 'user.add'"
                                " AND object = 'one@north.test' AND at > 0",
                                ""),
                     1);
    store_read_end(post.store, db);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static bool has_route(const char *domain)
{
    struct arena a = {0};
    struct route r;
    struct db *db = store_read(post.store);
    bool found = directory_route(db, &a, slice_c(domain), &r);
    store_read_end(post.store, db);
    arena_end(&a);
    return found;
}

static bool has_quota(int64_t account)
{
    struct db *db = store_read(post.store);
    bool has = directory_has_quota(db, account);
    store_read_end(post.store, db);
    return has;
}

/* What was read is remembered, and never told after a change was answered (N1 of store/memo.c). */
static void test_answers_follow_changes(void **state)
{
    (void)state;
    int64_t one = post_user(&post, "one@north.test", NULL);
    for (int round = 0; round < 3; round++) {
        check("any@south.test", "foreign");
        must(change_domain, "south.test", NULL);
        check("any@south.test", "unknown");
        must(alias_add, "@south.test", "one@north.test");
        check("any@south.test", "one@north.test");
        must(alias_add, "@south.test", "two@west.test");
        check("any@south.test", "one@north.test !two@west.test");
        must(alias_remove, "@south.test", NULL);
        check("any@south.test", "unknown");
        must(domain_remove, "south.test", NULL);
        assert_false(has_route("south.test"));
        add_route("south.test", "127.0.0.1", 2025, DONE);
        assert_true(has_route("south.test"));
        must(route_remove, "south.test", NULL);
        assert_false(has_quota(one));
        struct change quota = {.fn = user_quota, .name = S("one@north.test"), .quota = 1 << 20};
        assert_int_equal(change_do(post.store, &quota), DONE);
        assert_true(has_quota(one));
        quota.quota = 0;
        assert_int_equal(change_do(post.store, &quota), DONE);
    }
    check("one@north.test", "one@north.test");
    must(user_remove, "one@north.test", NULL);
    check("one@north.test", "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_resolve),
        TEST(test_postmaster),
        TEST(test_depth_and_width),
        TEST(test_may_send_as),
        TEST(test_login),
        TEST(test_changes_refused),
        TEST(test_removing),
        TEST(test_idn),
        TEST(test_routes),
        TEST(test_each_change_leaves_an_audit_row),
        TEST(test_answers_follow_changes),
    };
    return TEST_RUN(tests);
}
