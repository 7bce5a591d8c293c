/*
 * IMAP sessions in this process, without a network: what a command itself costs.
 *   imap_bench [messages [seconds]]
 * APPEND of 4 KiB by one and by ten clients beside what the disk can do; SEARCH over the messages;
 * MOVE, COPY and EXPUNGE of a tenth of them.
 */
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "imap/command.h"
#include "message/charset.h"
#include "net/harness.h"

#include "base/banned.h"

enum { CLIENTS = 10, BYTES = 4096, AT_ONCE = 100 };

static struct store *store;
static struct login_service login;
static struct imap_options options;
static int64_t accounts[CLIENTS];
static atomic_bool stop;
static atomic_long appended;

static void row(const char *name, double value, const char *unit)
{
    printf("%s\t%.1f\t%s\n", name, value, unit);
    fflush(stdout);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static enum outcome add_account(struct store_tx *tx, void *arg)
{
    int64_t *id = arg;
    slice address = arena_printf(tx->arena, "u%lld@north.test", (long long)*id);
    *id =
        sql_number(tx->db, 0, "INSERT INTO account(address) VALUES (?) RETURNING id", "t", address);
    return *id ? mailbox_create_defaults(tx, *id) : TEMPFAIL;
}

/* Appends of 4 KiB with fdatasync that the disk does in a second. */
static double append_rate(const char *dir)
{
    char path[256], block[BYTES] = {0};
    snprintf(path, sizeof(path), "%s/probe", dir);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    long n = 0;
    int64_t start = clock_mono_us();
    while (clock_mono_us() - start < 1000000)
        n += write(fd, block, sizeof(block)) == BYTES && fdatasync(fd) == 0;
    close(fd);
    remove(path);
    return (double)n * 1e6 / (double)(clock_mono_us() - start);
}

static void begin(struct harness *h, int64_t account)
{
    struct session *s = imap_server_new(&options);
    struct imap *p = (struct imap *)s;
    *h = (struct harness){0};
    p->state = IMAP_AUTHENTICATED;
    p->account = account;
    harness_start(h, s);
    harness_said(h);
}

/* Runs a command, which must end well. */
static void command(struct harness *h, slice text)
{
    harness_feed(h, text);
    slice said = harness_said(h);
    slice tail = slice_skip(said, said.n > 400 ? said.n - 400 : 0);
    if (slice_search(tail, S("x OK")) < 0) {
        fprintf(stderr, "%.*s: %.*s\n", P(slice_sub(text, 0, 60)), P(tail));
        exit(1);
    }
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void timed(struct harness *h, const char *name, const char *text)
{
    int64_t start = clock_mono_us();
    double cpu = cpu_seconds();
    command(h, slice_c(text));
    row(name, (double)(clock_mono_us() - start) / 1e3, "ms");
    row("  of it", (cpu_seconds() - cpu) * 1e3, "ms cpu");
}

/* A letter of BYTES, the n-th of its kind. */
static void letter(struct buf *b, long n)
{
    static const char *const words[] = {"meeting", "invoice", "holiday",
                                        "report",  "驿站",    "letter"};
    size_t end = buf_length(b) + BYTES;
    buf_printf(
        b,
        "Received: from far.test by mail.north.test; Mon, 23 Nov 2026 20:24:01 +0000\r\n"
        "From: \"Sender %ld\" <s%ld@south.test>\r\nTo: one@north.test\r\n"
        "Subject: =?utf-8?Q?about_the_%s?= no. %ld\r\nDate: Mon, 23 Nov 2026 20:24:01 +0000\r\n"
        "Message-ID: <%ld.bench@south.test>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\n",
        n % 100, n % 100, n % 6 == 4 ? "=E9=A9=BF" : words[n % 6], n, n);
    while (buf_length(b) + 80 < end)
        buf_printf(b, "Line of the %s with the number %ld, as long as lines of letters are.\r\n",
                   words[(n + (long)buf_length(b)) % 6], n);
    while (buf_length(b) + 2 < end)
        buf_add_byte(b, '.');
    buf_add(b, S("\r\n"));
}

static void *appender(void *arg)
{
    struct harness h;
    struct buf b = {.max = 1 << 20};
    begin(&h, *(int64_t *)arg);
    for (long n = 0; !atomic_load(&stop); n++) {
        buf_clear(&b);
        buf_printf(&b, "x APPEND Archive (\\Seen) {%d+}\r\n", BYTES);
        letter(&b, n);
        buf_add(&b, S("\r\n"));
        command(&h, buf_slice(&b));
        atomic_fetch_add(&appended, 1);
    }
    harness_end(&h);
    buf_end(&b);
    return NULL;
}

static void run_appenders(const char *name, int clients, long seconds)
{
    pthread_t threads[CLIENTS];
    atomic_store(&stop, false);
    atomic_store(&appended, 0);
    int64_t start = clock_mono_us();
    double cpu = cpu_seconds();
    for (int i = 0; i < clients; i++)
        pthread_create(&threads[i], NULL, appender, &accounts[i]);
    sleep((unsigned)seconds);
    atomic_store(&stop, true);
    for (int i = 0; i < clients; i++)
        pthread_join(threads[i], NULL);
    long n = atomic_load(&appended);
    row(name, (double)n * 1e6 / (double)(clock_mono_us() - start), "per s");
    row("imap.append.cpu", (cpu_seconds() - cpu) * 1e6 / (double)(n ? n : 1), "us a message");
}

static void fill(struct harness *h, long messages)
{
    struct buf b = {.max = 4 << 20};
    int64_t start = clock_mono_us();
    for (long n = 0; n < messages;) {
        buf_clear(&b);
        buf_add(&b, S("x APPEND INBOX"));
        for (int i = 0; i < AT_ONCE && n < messages; i++, n++) {
            buf_printf(&b, " %s{%d+}\r\n", n % 3 ? "(\\Seen) " : "", BYTES);
            letter(&b, n);
        }
        buf_add(&b, S("\r\n"));
        command(h, buf_slice(&b));
    }
    row("imap.multiappend", (double)messages * 1e6 / (double)(clock_mono_us() - start), "per s");
    buf_end(&b);
}

static void run_searches(struct harness *h)
{
    command(h, S("x SELECT INBOX\r\n"));
    timed(h, "imap.search.all", "x SEARCH ALL\r\n");
    timed(h, "imap.search.unseen", "x SEARCH UNSEEN\r\n");
    timed(h, "imap.search.count", "x SEARCH RETURN (COUNT) UNSEEN LARGER 100\r\n");
    timed(h, "imap.search.since", "x SEARCH SINCE 1-Jan-2027\r\n");
    timed(h, "imap.search.subject", "x SEARCH SUBJECT invoice\r\n");
    timed(h, "imap.search.from", "x SEARCH FROM nobody\r\n");
    timed(h, "imap.search.header", "x SEARCH HEADER Message-ID nothing\r\n");
    timed(h, "imap.search.body", "x SEARCH BODY nowhere\r\n");
    timed(h, "imap.search.text", "x SEARCH TEXT nowhere\r\n");
}

static void run_changes(struct harness *h, long messages)
{
    char text[100];
    long n = messages / 10;
    command(h, S("x SELECT INBOX\r\n"));
    snprintf(text, sizeof(text), "x COPY 1:%ld Sent\r\n", n);
    timed(h, "imap.copy", text);
    snprintf(text, sizeof(text), "x MOVE 1:%ld Archive\r\n", n);
    timed(h, "imap.move", text);
    snprintf(text, sizeof(text), "x MOVE 1:%ld Archive\r\n", n);
    timed(h, "imap.move.again", text);
    snprintf(text, sizeof(text), "x APPEND INBOX (\\Deleted) {3+}\r\na:b\r\n");
    for (int i = 0; i < 10; i++)
        command(h, slice_c(text));
    timed(h, "imap.expunge.10", "x EXPUNGE\r\n");
}

int main(int argc, char **argv)
{
    long messages = argc > 1 ? strtol(argv[1], NULL, 10) : 100000;
    long seconds = argc > 2 ? strtol(argv[2], NULL, 10) : 3;
    char dir[] = "/var/tmp/yizhan-bench-XXXXXX";
    struct buf error = {.max = 1024};
    struct harness h;
    charset_preload();
    if (!mkdtemp(dir))
        return 1;
    store = store_open(&(struct store_options){.dir = dir, .create = true}, &error);
    if (!store)
        return 1;
    login = (struct login_service){.store = store};
    options = (struct imap_options){
        .hostname = S("north.test"), .login = &login, .message_size = LIMIT_MESSAGE};
    for (int i = 0; i < CLIENTS; i++) {
        accounts[i] = i;
        struct store_call call = {.fn = add_account, .arg = &accounts[i]};
        if (store_write(store, &call) != DONE)
            return 1;
    }
    row("disk.append_sync.before", append_rate(dir), "per s");
    run_appenders("imap.append.1", 1, seconds);
    row("disk.append_sync.between", append_rate(dir), "per s");
    run_appenders("imap.append.10", CLIENTS, seconds);
    begin(&h, accounts[0]);
    fill(&h, messages);
    run_searches(&h);
    run_changes(&h, messages);
    harness_end(&h);
    store_close(store);
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
