#include "base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/banned.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/rand.h"

enum { LOG_LINE = 2048, LOG_BUFFER = 64 * 1024, LOG_DELAY_MS = 200 };

static struct log_options log_now = {
    .fd = 2, .least = LEVEL_WARNING, .node = "-", .narrate_fd = -1};
static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t log_wake = PTHREAD_COND_INITIALIZER;
static struct buf log_lines = {.max = 4 * LOG_BUFFER};
static struct buf trace_lines = {.max = 4 * LOG_BUFFER};
static int trace_fd = -1;
static int64_t trace_day = -1;
static pthread_t log_thread;
static bool log_running;

const struct stop_row stop_table[STOP_LAST] = {
    [STOP_COMPOSE] = {"agent.compose", "src/agent/compose.c:agent_compose",
                      "the user agent writes the mail", "用户代理撰写邮件"},
    [STOP_SUBMIT] = {"smtp.client", "src/smtp/client.c:smtp_client_send",
                     "it speaks SMTP to the next server", "以 SMTP 发往服务器"},
    [STOP_LISTEN] = {"net.accept", "src/net/conn.c:conn_accept",
                     "the server accepts the connection", "服务器接受连接"},
    [STOP_SERVER] = {"smtp.server", "src/smtp/cmd_data.c:smtp_data_end",
                     "commands, envelope and message are in", "命令、信封、正文已收到"},
    [STOP_INTAKE] = {"intake.accept", "src/intake/intake.c:intake_accept",
                     "everything between the dot and 250", "从结束点到 250 之间的一切"},
    [STOP_COMMIT] = {"queue.commit", "src/queue/queue.c:queue_commit", "durable in the queue",
                     "已落盘入队"},
    [STOP_SCHEDULE] = {"queue.schedule", "src/queue/schedule.c:schedule_claim", "its turn has come",
                       "轮到投递"},
    [STOP_ROUTE] = {"deliver.route", "src/deliver/route.c:route_find", "where to", "选择路由"},
    [STOP_DELIVER] = {"deliver.remote", "src/deliver/remote.c:deliver_remote",
                      "handed to the next server", "交给下一台服务器"},
    [STOP_LOCAL] = {"deliver.local", "src/deliver/local.c:deliver_local",
                    "into one of our own mailboxes", "投入本机邮箱"},
    [STOP_MAILBOX] = {"store.mailbox", "src/store/mailbox.c:mailbox_append",
                      "an entry of a mailbox", "成为邮箱中的一条"},
    [STOP_READER] = {"reader.read", "src/imap/cmd_fetch.c:imap_cmd_fetch", "the receiver reads it",
                     "收件人读取"},
};

static const char *const level_names[] = {"debug", "info", "warning", "error"};

/* "2026-11-23T20:24:01.123Z"; the text of the last second is kept, for lines come in bursts. */
static void print_time(char out[32], int64_t at_ms)
{
    static _Thread_local int64_t second = -1;
    static _Thread_local char text[24];
    if (at_ms / 1000 != second) {
        time_t t = (time_t)(second = at_ms / 1000);
        struct tm tm;
        gmtime_r(&t, &tm);
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    }
    int ms = (int)(at_ms % 1000);
    char end[] = {
        '.', (char)('0' + ms / 100), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10), 'Z', '\0'};
    size_t n = strlen(text);
    memcpy(out, text, n);
    memcpy(out + n, end, sizeof(end));
}

/* Escapes control bytes so that one event stays one line. */
static void add_escaped(struct buf *b, slice s)
{
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c != 0x7f)
            continue;
        buf_add(b, slice_sub(s, from, i));
        buf_printf(b, "\\x%02x", c);
        from = i + 1;
    }
    buf_add(b, slice_skip(s, from));
}

static void write_out(int fd, struct buf *b)
{
    if (buf_length(b) && fd >= 0)
        (void)!file_write_all(fd, buf_slice(b));
    buf_clear(b);
}

static void trace_open(int64_t now)
{
    int64_t day = now / DAY_MS;
    if (trace_fd >= 0 && day == trace_day)
        return;
    if (trace_fd >= 0) {
        write_out(trace_fd, &trace_lines);
        close(trace_fd);
    }
    char date[32], path[512];
    print_time(date, now);
    snprintf(path, sizeof(path), "%s/trace-%.10s", log_now.trace_dir, date);
    trace_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    trace_day = day;
}

static void flush_locked(void)
{
    write_out(log_now.fd, &log_lines);
    if (trace_fd >= 0)
        write_out(trace_fd, &trace_lines);
}

static bool lines_wait(void)
{
    return buf_length(&log_lines) || buf_length(&trace_lines);
}

/* The first line wakes it; it gathers what comes within LOG_DELAY_MS, so that a busy server pays
 * one write for many lines and no hand-over between threads for each. */
static void *flusher(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&log_mutex);
    while (log_running) {
        if (!lines_wait()) {
            pthread_cond_wait(&log_wake, &log_mutex);
            continue;
        }
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += LOG_DELAY_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        int late = 0;
        while (log_running && late == 0)
            late = pthread_cond_timedwait(&log_wake, &log_mutex, &until);
        flush_locked();
    }
    pthread_mutex_unlock(&log_mutex);
    return NULL;
}

void log_start(const struct log_options *options)
{
    log_stop();
    pthread_mutex_lock(&log_mutex);
    log_now = *options;
    if (!log_now.node)
        log_now.node = "-";
    log_running = pthread_create(&log_thread, NULL, flusher, NULL) == 0;
    pthread_mutex_unlock(&log_mutex);
}

void log_flush(void)
{
    pthread_mutex_lock(&log_mutex);
    flush_locked();
    pthread_mutex_unlock(&log_mutex);
}

void log_stop(void)
{
    pthread_mutex_lock(&log_mutex);
    flush_locked();
    bool join = log_running;
    log_running = false;
    pthread_cond_signal(&log_wake);
    if (trace_fd >= 0)
        close(trace_fd);
    trace_fd = -1;
    log_now = (struct log_options){.fd = 2, .least = LEVEL_WARNING, .node = "-", .narrate_fd = -1};
    pthread_mutex_unlock(&log_mutex);
    if (join)
        pthread_join(log_thread, NULL);
    buf_end(&log_lines);
    buf_end(&trace_lines);
}

/* Adds one line to the log; the mutex is held. */
static void add_line(enum log_level level, int64_t now, const char *event, slice text)
{
    char time[32];
    print_time(time, now);
    bool was_empty = buf_length(&log_lines) == 0;
    buf_printf(&log_lines, "%s %s node=%s event=%s%s", time, level_names[level], log_now.node,
               event, text.n ? " " : "");
    add_escaped(&log_lines, text);
    buf_add_byte(&log_lines, '\n');
    if (level >= LEVEL_WARNING || !log_running || buf_length(&log_lines) > LOG_BUFFER)
        flush_locked();
    else if (was_empty)
        pthread_cond_signal(&log_wake);
}

static slice format_text(char *text, size_t size, const char *format, va_list args)
{
    int n = vsnprintf(text, size, format, args);
    return (slice){text, n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1};
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    if (level >= LEVEL_WARNING)
        metric_add(METRIC_LOG_LINES, 1);
    if (level < log_now.least)
        return;
    char text[LOG_LINE];
    va_list args;
    va_start(args, format);
    slice line = format_text(text, sizeof(text), format, args);
    va_end(args);
    pthread_mutex_lock(&log_mutex);
    add_line(level, clock_ms(), event, line);
    pthread_mutex_unlock(&log_mutex);
}

const char *log_quote(slice s)
{
    static _Thread_local char texts[4][208];
    static _Thread_local unsigned turn;
    char *to = texts[turn++ % 4];
    size_t n = s.n < 200 ? s.n : 200;
    to[0] = '"';
    for (size_t i = 0; i < n; i++)
        to[i + 1] = s.p[i] == '"' ? '\'' : s.p[i] ? s.p[i] : '?';
    to[n + 1] = '"';
    to[n + 2] = '\0';
    return to;
}

bool log_narrates(void)
{
    return log_now.narrate_fd >= 0;
}

void log_step(const char *who, const char *phase, const char *format, ...)
{
    if (!log_narrates())
        return;
    char text[LOG_LINE], time[32];
    va_list args;
    va_start(args, format);
    slice line = format_text(text, sizeof(text), format, args);
    va_end(args);
    print_time(time, clock_ms());
    struct buf b = {.max = 2 * LOG_LINE};
    buf_printf(&b, "%.12s  %-44s  %-14s  ", time + 11, who, phase);
    for (slice one, rest = line; slice_next(&rest, '\n', &one);) { /* the lines of a reply */
        add_escaped(&b, one);
        if (rest.n)
            buf_add(&b, S(", "));
    }
    buf_add_byte(&b, '\n');
    pthread_mutex_lock(&log_mutex);
    write_out(log_now.narrate_fd, &b);
    pthread_mutex_unlock(&log_mutex);
    buf_end(&b);
}

void trace_stop(enum stop stop, int64_t msg, const char *format, ...)
{
    metric_add((enum metric)(METRIC_STOPS + (int)stop), 1);
    if (!(log_now.trace_dir && msg) && log_now.least > LEVEL_INFO)
        return;
    char text[LOG_LINE], id[ID_TEXT];
    va_list args;
    va_start(args, format);
    int head = 0;
    if (msg) {
        id_text(msg, id);
        head = snprintf(text, sizeof(text), "msg=%.*s ", ID_TEXT, id);
    }
    slice tail = format_text(text + head, sizeof(text) - (size_t)head, format, args);
    va_end(args);
    slice line = {text, (size_t)head + tail.n};
    int64_t now = clock_ms();
    pthread_mutex_lock(&log_mutex);
    if (LEVEL_INFO >= log_now.least)
        add_line(LEVEL_INFO, now, stop_table[stop].event, line);
    if (log_now.trace_dir && msg) {
        char time[32];
        trace_open(now);
        print_time(time, now);
        bool was_empty = buf_length(&trace_lines) == 0;
        int tens = (int)stop / 10;
        char number[] = {' ', tens ? (char)('0' + tens) : ' ', (char)('0' + (int)stop % 10), ' '};
        buf_add(&trace_lines, (slice){id, ID_TEXT});
        buf_add_byte(&trace_lines, ' ');
        buf_add(&trace_lines, slice_c(time));
        buf_add(&trace_lines, (slice){number, sizeof(number)});
        add_escaped(&trace_lines, tail);
        buf_add_byte(&trace_lines, '\n');
        if (!log_running || buf_length(&trace_lines) > LOG_BUFFER)
            flush_locked();
        else if (was_empty)
            pthread_cond_signal(&log_wake);
    }
    pthread_mutex_unlock(&log_mutex);
}

static _Atomic int64_t metrics[METRIC_LAST];

void metric_add(enum metric m, int64_t n)
{
    atomic_fetch_add_explicit(&metrics[m], n, memory_order_relaxed);
}

void metric_set(enum metric m, int64_t n)
{
    atomic_store_explicit(&metrics[m], n, memory_order_relaxed);
}

int64_t metric_get(enum metric m)
{
    return atomic_load_explicit(&metrics[m], memory_order_relaxed);
}

void metric_print(struct buf *out)
{
    static const struct {
        const char *name, *kind, *help;
    } rows[] = {
#define METRIC_ROW(name, text, kind, help) {text, kind, help},
        METRIC_ROWS(METRIC_ROW)
#undef METRIC_ROW
    };
    for (int i = 0; i < METRIC_STOPS; i++)
        buf_printf(out, "# HELP yizhan_%s %s\n# TYPE yizhan_%s %s\nyizhan_%s %lld\n", rows[i].name,
                   rows[i].help, rows[i].name, rows[i].kind, rows[i].name,
                   (long long)metric_get((enum metric)i));
    buf_printf(out, "# HELP yizhan_stop_total Messages that passed a stop of their journey\n"
                    "# TYPE yizhan_stop_total counter\n");
    for (int i = 1; i < STOP_LAST; i++)
        buf_printf(out, "yizhan_stop_total{stop=\"%s\"} %lld\n", stop_table[i].event,
                   (long long)metric_get((enum metric)(METRIC_STOPS + i)));
}
