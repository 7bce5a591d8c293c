/*
 * What an IMAP client costs the store, on one mailbox:
 *   mailbox_bench [messages [bytes]]
 * 100,000 messages of 4 KiB unless said otherwise, appended a hundred a transaction.
 */
#include <ftw.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "store/change.h"
#include "store/folder.h"
#include "store/parts.h"

#include "base/banned.h"

enum { TOGETHER = 100, RUNS = 5 };

static struct store *store;
static struct arena arena;
static int64_t account;
static uint32_t *uids;
static struct entry *entries;

static void row(const char *name, double value, const char *unit)
{
    printf("%s\t%.3f\t%s\n", name, value, unit);
    fflush(stdout);
}

/* Wall time and the CPU time of all threads, from one moment on: on a busy machine they differ. */
struct watch_start {
    int64_t wall_us, cpu_us;
};

static int64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static struct watch_start begin(void)
{
    return (struct watch_start){clock_mono_us(), cpu_us()};
}

static void finish(const char *name, struct watch_start from, double times)
{
    double cpu = (double)(cpu_us() - from.cpu_us) / 1e3 / times;
    row(name, (double)(clock_mono_us() - from.wall_us) / 1e3 / times, "ms");
    row(arena_printf(&arena, "%s.cpu", name).p, cpu, "ms");
}

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "mailbox_bench: %s failed\n", what);
    exit(1);
}

static enum outcome add_account(struct store_tx *tx, void *arg)
{
    (void)arg;
    account = sql_number(tx->db, 0,
                         "INSERT INTO account(address) VALUES ('one@north.test') RETURNING id", "");
    return account ? mailbox_create_defaults(tx, account) : TEMPFAIL;
}

/* count messages into INBOX. */
static void fill(long count, slice text)
{
    struct watch_start start = begin();
    for (long done = 0; done < count; done += TOGETHER) {
        struct mailbox_append m[TOGETHER];
        struct store_body bodies[TOGETHER];
        for (long i = 0; i < TOGETHER; i++) {
            slice id = arena_printf(&arena, "20261123202401.%ld@north.test", done + i);
            bodies[i] = (struct store_body){.pieces = {text}, .piece_count = 1, .fd = -1};
            m[i] = (struct mailbox_append){
                .account = account,
                .mailbox = MAILBOX_INBOX,
                .body_bytes = text.n,
                .internaldate_ms = 1795465441000 + (done + i) * 1000,
                .envelope = arena_printf(
                    &arena,
                    "(\"Mon, 23 Nov 2026 20:24:01 +0000\" \"a subject of usual length\""
                    " ((\"One\" NIL \"one\" \"north.test\")) ((\"One\" NIL \"one\""
                    " \"north.test\")) ((\"One\" NIL \"one\" \"north.test\"))"
                    " ((\"Two\" NIL \"two\" \"south.test\")) NIL NIL NIL \"<%.*s>\")",
                    P(id)),
                .bodystructure = S("(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") NIL NIL \"8BIT\""
                                   " 4000 70 NIL NIL NIL NIL)"),
                .preview = S("The first lines of the message as they are shown in a list, some"
                             " hundred characters of them, so that the row has its usual size."),
                .subject = S("a subject of usual length"),
                .message_id = id,
                .thread_keys = S("0123456789abcdef"),
            };
        }
        must(mailbox_append_all(store, m, bodies, TOGETHER) == DONE, "append");
        arena_reset(&arena);
    }
    finish("mailbox.append", start, 1);
}

static uint32_t read_all(int64_t mailbox)
{
    struct view *v = view_open(store, account, mailbox);
    must(v != NULL, "view");
    uint32_t n = view_list(v, 0, entries, view_info(v).count);
    for (uint32_t i = 0; i < n; i++)
        uids[i] = entries[i].uid;
    view_release(v);
    return n;
}

static bool print_part(void *arg, uint32_t i, const struct message_parts *p)
{
    struct buf *out = arg;
    (void)i;
    buf_printf(out, "* %u FETCH (", i);
    buf_add(out, p->envelope);
    buf_add(out, p->bodystructure);
    buf_add(out, S(")\r\n"));
    return p->message > 0;
}

static void measure_parts(const char *name, unsigned which, uint32_t n)
{
    struct buf out = {.max = 1 << 20};
    for (int run = 0; run < RUNS; run++) {
        struct watch_start start = begin();
        for (uint32_t at = 0; at < n; at += 256) {
            uint32_t step = n - at < 256 ? n - at : 256;
            must(parts_read(store, account, entries + at, step, which, print_part, &out) == step,
                 name);
            buf_clear(&out);
        }
        if (run == 0 || run == RUNS - 1)
            finish(arena_printf(&arena, "%s.%s", name, run ? "again" : "first").p, start, 1);
    }
    buf_end(&out);
}

static void measure_select(void)
{
    for (int run = 0; run < RUNS; run++) {
        struct watch_start start = begin();
        struct folder f;
        must(folder_find(store, &arena, account, S("inbox"), &f) == DONE, "folder_find");
        struct view *v = view_open(store, account, f.mailbox);
        if (run == 0 || run == RUNS - 1)
            finish(run ? "mailbox.select.warm" : "mailbox.select.cold", start, 1);
        view_release(v);
    }
}

static void measure_flags(uint32_t n)
{
    for (int run = 0; run < RUNS; run++) {
        struct watch_start start = begin();
        struct flags_change x = {.account = account,
                                 .mailbox = MAILBOX_INBOX,
                                 .uids = &(struct uid_range){1, UINT32_MAX},
                                 .count = 1,
                                 .how = run % 2 ? FLAGS_REMOVE : FLAGS_ADD,
                                 .flags = FLAG_SEEN};
        must(mailbox_change_flags(store, &arena, &x) == DONE && x.changed_entries == n, "flags");
        finish("mailbox.store_flags", start, 1);
    }
}

static void measure_transfer(const char *name, int64_t from, int64_t to, uint32_t n, bool move)
{
    struct watch_start start = begin();
    struct transfer t = {
        .account = account, .from = from, .to = to, .uids = uids, .count = n, .move = move};
    must(mailbox_transfer(store, &arena, &t) == DONE && t.done == n, name);
    finish(name, start, 1);
}

static void measure_expunge(uint32_t n)
{
    struct watch_start start = begin();
    struct expunge x = {.account = account, .mailbox = 3, .uids = uids, .count = n};
    must(mailbox_expunge_uids(store, &arena, &x) == DONE && x.expunged_count == n, "expunge");
    finish("mailbox.expunge", start, 1);
    struct view *v = view_open(store, account, 3);
    struct uid_range *gone;
    size_t count;
    start = begin();
    must(view_vanished(store, &arena, v, 0, NULL, 0, &gone, &count), "vanished");
    finish("mailbox.vanished", start, 1);
    view_release(v);
}

static enum outcome nothing(struct store_tx *tx, void *arg)
{
    (void)arg;
    sql_exec(tx->db, "UPDATE counter SET next = next + 1 WHERE name = 'bench'", "");
    sql_exec(tx->db, "INSERT OR IGNORE INTO counter VALUES ('bench', 1)", "");
    return DONE;
}

static void measure_sync(void)
{
    struct store_call call = {.fn = nothing};
    struct watch_start start = begin();
    for (int i = 0; i < 50; i++)
        must(store_write(store, &call) == DONE, "commit");
    finish("mailbox.commit", start, 50);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static uint32_t argument(int argc, char **argv, int n, uint32_t otherwise)
{
    uint64_t v;
    return argc > n && slice_u64(slice_c(argv[n]), 10000000, &v) ? (uint32_t)v : otherwise;
}

int main(int argc, char **argv)
{
    uint32_t count = argument(argc, argv, 1, 100000), bytes = argument(argc, argv, 2, 4096);
    char dir[] = "/var/tmp/yizhan-bench-XXXXXX";
    slice text = {arena_alloc(&(struct arena){0}, bytes), bytes};
    struct buf error = {.max = 1024};
    count -= count % TOGETHER;
    must(mkdtemp(dir) != NULL, "mkdtemp");
    uids = mem_alloc(2 * count * sizeof(*uids));
    entries = mem_alloc(2 * count * sizeof(*entries));
    struct store_options o = {.dir = dir, .create = true};
    store = store_open(&o, &error);
    must(store != NULL, "store_open");
    must(store_write(store, &(struct store_call){.fn = add_account}) == DONE, "account");
    fill(count, text);
    store_close(store);
    store = store_open(&o, &error);
    struct quota q;
    measure_sync();
    must(folder_quota(store, account, &q), "quota"); /* a connection to read with */
    measure_select();
    uint32_t n = read_all(MAILBOX_INBOX);
    measure_parts("mailbox.dates", PART_DATE, n);
    measure_parts("mailbox.envelopes", PART_ENVELOPE, n);
    measure_parts("mailbox.structures", PART_ENVELOPE | PART_BODYSTRUCTURE, n);
    measure_flags(n);
    measure_transfer("mailbox.move_10k", MAILBOX_INBOX, 3, n < 10000 ? n : 10000, true);
    n = read_all(MAILBOX_INBOX);
    measure_transfer("mailbox.copy_10k", MAILBOX_INBOX, 3, n < 10000 ? n : 10000, false);
    measure_transfer("mailbox.copy_all", MAILBOX_INBOX, 3, n, false);
    n = read_all(3);
    measure_expunge(n);
    store_close(store);
    arena_end(&arena);
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
