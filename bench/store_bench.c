/*
 * How many deliveries a second the store commits, beside what the disk can do:
 *   store_bench [callers [bytes [seconds [accounts]]]]
 * Each caller is a thread that delivers one message after the other through store_write(), with a
 * delivery id and a full set of derived fields, waiting for the commit each time.
 */
#include <fcntl.h>
#include <ftw.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "store/view.h"

#include "base/banned.h"

static struct store *store;
static atomic_bool stop;
static atomic_long delivered, failed;
static slice text;
static int64_t accounts[10000];
static size_t account_count = 1000;

static enum outcome add_account(struct store_tx *tx, void *arg)
{
    int64_t *id = arg;
    slice address = arena_printf(tx->arena, "u%lld@north.test", (long long)*id);
    *id =
        sql_number(tx->db, 0, "INSERT INTO account(address) VALUES (?) RETURNING id", "t", address);
    return *id ? mailbox_create_defaults(tx, *id) : TEMPFAIL;
}

static enum outcome deliver(struct store_tx *tx, void *arg)
{
    return mailbox_append(tx, arg);
}

static void *caller(void *arg)
{
    (void)arg;
    unsigned char id[32];
    while (!atomic_load(&stop)) {
        rand_bytes(id, sizeof(id));
        struct store_body body = {.pieces = {text}, .piece_count = 1, .fd = -1};
        struct mailbox_append m = {
            .account = accounts[rand_below(account_count)],
            .mailbox = MAILBOX_INBOX,
            .body_bytes = text.n,
            .prefix = S("Return-Path: <one@north.test>\r\nDelivered-To: two@south.test\r\n"),
            .envelope = S("(\"Mon, 23 Nov 2026 20:24:01 +0000\" \"a subject of usual length\" "
                          "((NIL NIL \"one\" \"north.test\")) NIL NIL ((NIL NIL \"two\" "
                          "\"south.test\")) NIL NIL NIL \"<20261123202401.1@north.test>\")"),
            .bodystructure = S("(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") NIL NIL \"8BIT\" 4000 "
                               "70 NIL NIL NIL NIL)"),
            .preview = S("The first lines of the message as they are shown in a list, some hundred "
                         "characters of them, so that the row has its usual size."),
            .subject = S("a subject of usual length"),
            .message_id = S("20261123202401.1@north.test"),
            .thread_keys = S("0123456789abcdef"),
            .delivery_id = {(const char *)id, sizeof(id)},
            .queue_id = id_new(),
        };
        struct store_call call = {.fn = deliver, .arg = &m, .body = &body};
        atomic_fetch_add(store_write(store, &call) == DONE ? &delivered : &failed, 1);
    }
    return NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

/* Appends and syncs one message after the other, alone: what the disk gives. */
static double append_rate(const char *dir)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/append", dir);
    int fd = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    int64_t start = clock_mono_us(), now = start;
    long n = 0;
    for (; fd >= 0 && now - start < 1000000; n++, now = clock_mono_us())
        if (write(fd, text.p, text.n) < 0 || fdatasync(fd) < 0)
            break;
    close(fd);
    return (double)n * 1e6 / (double)(now - start + 1);
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static long argument(int argc, char **argv, int n, long otherwise)
{
    uint64_t v;
    return argc > n && slice_u64(slice_c(argv[n]), 1 << 20, &v) ? (long)v : otherwise;
}

static void row(const char *name, double value, const char *unit)
{
    printf("%s\t%.1f\t%s\n", name, value, unit);
}

static void run(long callers, long seconds)
{
    pthread_t *threads = mem_alloc((size_t)callers * sizeof(*threads));
    for (long i = 0; i < callers; i++)
        pthread_create(&threads[i], NULL, caller, NULL);
    sleep(1); /* caches fill */
    long before = atomic_load(&delivered);
    int64_t commits = metric_get(METRIC_STORE_COMMITS), start = clock_mono_us();
    double cpu = cpu_seconds();
    sleep((unsigned)seconds);
    double took = (double)(clock_mono_us() - start) / 1e6;
    long n = atomic_load(&delivered) - before;
    commits = metric_get(METRIC_STORE_COMMITS) - commits;
    cpu = cpu_seconds() - cpu;
    atomic_store(&stop, true);
    for (long i = 0; i < callers; i++)
        pthread_join(threads[i], NULL);
    mem_free(threads);
    row("store.deliveries", (double)n / took, "per s");
    row("store.callers", (double)callers, "threads");
    row("store.failed", (double)atomic_load(&failed), "calls");
    row("store.commits", (double)commits / took, "per s");
    row("store.batch", (double)n / (double)(commits ? commits : 1), "messages");
    row("store.cpu", cpu * 1e6 / (double)(n ? n : 1), "us a message");
}

int main(int argc, char **argv)
{
    long callers = argument(argc, argv, 1, 100), bytes = argument(argc, argv, 2, 4096);
    long seconds = argument(argc, argv, 3, 4);
    account_count = (size_t)argument(argc, argv, 4, 1000);
    char dir[] = "/var/tmp/yizhan-bench-XXXXXX";
    char *p = mem_alloc((size_t)bytes);
    for (long i = 0; i < bytes; i++)
        p[i] = i % 72 == 70 ? '\r' : i % 72 == 71 ? '\n' : (char)('a' + i % 26);
    text = (slice){p, (size_t)bytes};
    struct buf error = {.max = 1024};
    if (!mkdtemp(dir) || account_count > 10000)
        return 1;
    row("disk.append_sync.before", append_rate(dir), "per s");
    store = store_open(&(struct store_options){.dir = dir, .create = true}, &error);
    if (!store) {
        fprintf(stderr, "%.*s\n", P(buf_slice(&error)));
        return 1;
    }
    for (size_t i = 0; i < account_count; i++) {
        accounts[i] = (int64_t)i;
        struct store_call call = {.fn = add_account, .arg = &accounts[i]};
        if (store_write(store, &call) != DONE)
            return 1;
    }
    run(callers, seconds);
    int64_t closing = clock_mono_us();
    store_close(store);
    row("store.close", (double)(clock_mono_us() - closing) / 1e3, "ms");
    row("disk.append_sync.after", append_rate(dir), "per s");
    mem_free(p);
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
