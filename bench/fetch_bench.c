/*
 * FETCH and STORE of a session in memory, without a network:
 *   [IMAP_BENCH=fetch_flags] fetch_bench [messages [bytes [runs]]]
 * 100,000 messages of 4 KiB unless said otherwise.  Each row is the best of some runs.
 */
#include <ftw.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "imap/command.h"
#include "message/derive.h"

#include "base/banned.h"

enum { TOGETHER = 100 };

static long runs = 5;

static struct store *store;
static struct arena arena;
static int64_t account;
static struct login_service login;
static struct imap_options options;

static void row(const char *name, double value, const char *unit)
{
    printf("%s\t%.3f\t%s\n", name, value, unit);
    fflush(stdout);
}

static int64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

/* ---- the mailbox ---- */

static enum outcome add_account(struct store_tx *tx, void *arg)
{
    (void)arg;
    account = sql_number(tx->db, 0,
                         "INSERT INTO account(address) VALUES ('one@north.test') RETURNING id", "");
    return account ? mailbox_create_defaults(tx, account) : TEMPFAIL;
}

static slice make_text(long n, size_t bytes)
{
    slice head = arena_printf(
        &arena,
        "Received: from mx.south.test (mx.south.test [192.0.2.7])\r\n"
        "\tby north.test with ESMTPS id %ld; Mon, 23 Nov 2026 20:24:01 +0000\r\n"
        "Date: Mon, 23 Nov 2026 20:24:01 +0000\r\nFrom: Writer %ld <writer%ld@south.test>\r\n"
        "To: One <one@north.test>\r\nSubject: Message number %ld of usual length\r\n"
        "Message-ID: <20261123.%ld@south.test>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
        n, n % 97, n % 97, n, n);
    char *p = arena_alloc(&arena, bytes);
    for (size_t i = 0; i < bytes; i++)
        p[i] = i % 72 == 70 ? '\r' : i % 72 == 71 ? '\n' : (char)('a' + (i * 7 + (size_t)n) % 26);
    memcpy(p, head.p, head.n < bytes ? head.n : bytes);
    return (slice){p, bytes};
}

static bool append(long from, long count, size_t bytes)
{
    struct mailbox_append m[TOGETHER];
    struct store_body bodies[TOGETHER];
    for (long i = 0; i < count; i++) {
        struct derived d;
        slice text = make_text(from + i, bytes);
        message_derive(text, &arena, &d);
        bodies[i] = (struct store_body){.pieces = {text}, .piece_count = 1, .fd = -1};
        m[i] = (struct mailbox_append){
            .account = account,
            .mailbox = MAILBOX_INBOX,
            .body_bytes = text.n,
            .internaldate_ms = INT64_C(1795465441000) + from + i,
            .envelope = d.envelope,
            .bodystructure = d.bodystructure,
            .preview = d.preview,
            .subject = d.subject,
            .message_id = d.message_id,
            .thread_keys = d.thread_keys,
        };
    }
    bool good = mailbox_append_all(store, m, bodies, (size_t)count) == DONE;
    arena_reset(&arena);
    return good;
}

/* ---- a client ---- */

/* Sends a line; what comes back is counted and thrown away. */
static uint64_t say(struct session *s, const char *text)
{
    uint64_t bytes = 0;
    slice in = slice_c(text);
    while (in.n && s->want == SESSION_READ)
        in = slice_skip(in, s->class->feed(s, in));
    for (;;) {
        bytes += buf_length(&s->out);
        buf_eat(&s->out, buf_length(&s->out));
        if (s->want != SESSION_ROOM)
            return bytes;
        s->want = SESSION_READ;
        s->class->resume(s);
    }
}

static struct session *client(void)
{
    struct session *s = imap_server_new(&options);
    struct imap *p = (struct imap *)s;
    s->class->start(s);
    p->state = IMAP_AUTHENTICATED;
    p->account = account;
    say(s, "a SELECT INBOX\r\n");
    return s;
}

/* The best wall time of some runs, and its CPU time, in ms; the bytes of the answer. */
static double measure(const char *name, const char *const *lines, size_t count, uint64_t *bytes)
{
    struct session *s = client();
    double best = 1e18, cpu = 0;
    for (size_t i = 0; i < (size_t)runs; i++) {
        int64_t wall_us = clock_mono_us(), used_us = cpu_us();
        uint64_t got = say(s, lines[i % count]);
        double ms = (double)(clock_mono_us() - wall_us) / 1000;
        if (i == 0)
            row(arena_printf(&arena, "imap.%s_first", name).p, ms, "ms");
        if (ms < best) {
            best = ms;
            cpu = (double)(cpu_us() - used_us) / 1000;
        }
        if (bytes)
            *bytes = got;
    }
    row(arena_printf(&arena, "imap.%s", name).p, best, "ms");
    row(arena_printf(&arena, "imap.%s_cpu", name).p, cpu, "ms");
    s->class->end(s);
    return best;
}

/* IMAP_BENCH=store: only the rows whose name begins so. */
static bool wanted(const char *name)
{
    const char *only = getenv("IMAP_BENCH");
    return !only || slice_starts(slice_c(name), slice_c(only));
}

static void measure_all(long messages)
{
    static const struct {
        const char *name, *lines[2];
        size_t count;
    } rows[] = {
        {"fetch_flags", {"b FETCH 1:* FLAGS\r\n"}, 1},
        {"fetch_uid_flags", {"b UID FETCH 1:* (FLAGS)\r\n"}, 1},
        {"fetch_envelope", {"b FETCH 1:* ENVELOPE\r\n"}, 1},
        {"fetch_all", {"b FETCH 1:* ALL\r\n"}, 1},
        {"fetch_structure", {"b FETCH 1:* (UID BODYSTRUCTURE)\r\n"}, 1},
        {"fetch_fields",
         {"b UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE "
          "BODY.PEEK[HEADER.FIELDS (From To Subject Date Message-ID)])\r\n"},
         1},
        {"store", {"b STORE 1:* +FLAGS (\\Flagged)\r\n", "b STORE 1:* -FLAGS (\\Flagged)\r\n"}, 2},
        {"store_silent",
         {"b STORE 1:* +FLAGS.SILENT (\\Seen)\r\n", "b STORE 1:* -FLAGS.SILENT (\\Seen)\r\n"},
         2},
        {"store_again", {"b STORE 1:* -FLAGS (\\Flagged)\r\n"}, 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (wanted(rows[i].name))
            measure(rows[i].name, rows[i].lines, rows[i].count, NULL);
    uint64_t bytes = 0;
    slice some =
        arena_printf(&arena, "b FETCH 1:%ld BODY.PEEK[]\r\n", messages < 10000 ? messages : 10000L);
    if (wanted("bodies")) {
        double ms = measure("bodies", &some.p, 1, &bytes);
        row("imap.bodies_rate", (double)bytes / 1000 / ms, "MB/s");
    }
    slice parts = arena_printf(&arena, "b FETCH 1:%ld BODY.PEEK[1]\r\n",
                               messages < 10000 ? messages : 10000L);
    if (wanted("parts"))
        measure("parts", &parts.p, 1, NULL);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static long argument(int argc, char **argv, int n, long otherwise)
{
    uint64_t v;
    return argc > n && slice_u64(slice_c(argv[n]), 1 << 24, &v) ? (long)v : otherwise;
}

int main(int argc, char **argv)
{
    long messages = argument(argc, argv, 1, 100000), bytes = argument(argc, argv, 2, 4096);
    runs = argument(argc, argv, 3, runs);
    char dir[] = "/var/tmp/yizhan-bench-XXXXXX";
    struct buf error = {.max = 1000};
    if (!mkdtemp(dir) ||
        !(store = store_open(&(struct store_options){.dir = dir, .create = true}, &error)))
        return 1;
    store_write(store, &(struct store_call){.fn = add_account});
    for (long i = 0; i < messages; i += TOGETHER)
        if (!append(i, messages - i < TOGETHER ? messages - i : TOGETHER, (size_t)bytes))
            return 1;
    login = (struct login_service){.store = store};
    options = (struct imap_options){.hostname = S("north.test"), .login = &login};
    measure_all(messages);
    store_close(store);
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    arena_end(&arena);
    buf_end(&error);
    return 0;
}
