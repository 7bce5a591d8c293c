/*
 * The load generator of ./dev bench: many SMTP clients in one epoll loop, or one fast POP3 reader.
 *   load smtp --port P --sessions 100 --mails 20 --total 2000 --size 4096 --to u%d@north.test
 *             --users 100 [--from A] [--login A --password W] [--pipeline] [--file F]
 *   load slow --port P --sessions 1000 --pause-ms 100     one byte at a time, until it is killed
 *   load pop3 --port P --login A --password W --total 1000 [--window 50]
 * It prints rows "name<TAB>number<TAB>unit".  Anything but the expected reply ends it with exit 1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 1024, REPLY = 8192, POP3_BUFFER = 1 << 20, SESSIONS = 16384 };

static struct {
    const char *to, *from, *login, *password;
    uint16_t port;
    int sessions, mails, total, size, users, window, pause_ms;
    bool pipeline;
} options = {.to = "u%d@north.test",
             .from = "load@load.test",
             .sessions = 1,
             .mails = 20,
             .total = 100,
             .size = 4096,
             .users = 1,
             .window = 1,
             .pause_ms = 100};

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(options.port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        die("cannot connect to port %u: %s", options.port, strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

static void base64(const char *in, size_t n, char *out)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)in;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)(i + 1 < n ? p[i + 1] : 0) << 8 |
                     (uint32_t)(i + 2 < n ? p[i + 2] : 0);
        *out++ = letters[v >> 18];
        *out++ = letters[v >> 12 & 63];
        *out++ = i + 1 < n ? letters[v >> 6 & 63] : '=';
        *out++ = i + 2 < n ? letters[v & 63] : '=';
    }
    *out = '\0';
}

/* ---- SMTP ---- */

/* What a session has sent and waits for. */
enum step { GREETING, EHLO, AUTH, MAIL, RCPT, DATA, BODY, QUIT };

struct client {
    int fd;
    enum step step;
    int mails;       /* sent on this connection */
    int number;      /* of the mail under way, among all */
    int64_t sent_us; /* when the dot left */
    char head[HEAD]; /* commands, or the header of the message */
    struct iovec out[3];
    int out_count;
    char in[REPLY];
    size_t in_n;
};

static int epoll, started, accepted, open_clients;
static char *body; /* the lines of every message and the dot */
static size_t body_n;
static uint32_t *latency_us;

static void make_body(void)
{
    size_t lines = (size_t)(options.size > 400 ? options.size - 330 : 70) / 72;
    body_n = lines * 72 + 3;
    body = malloc(body_n + 1);
    if (!body)
        die("no memory");
    for (size_t i = 0; i < lines; i++) {
        for (size_t j = 0; j < 70; j++)
            body[i * 72 + j] = (char)('a' + (i * 7 + j * j) % 26);
        memcpy(body + i * 72 + 70, "\r\n", 2);
    }
    memcpy(body + lines * 72, ".\r\n", 3);
}

static void push(struct client *c)
{
    while (c->out_count) {
        ssize_t n = writev(c->fd, c->out, c->out_count);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            die("write: %s", strerror(errno));
        while (c->out_count && (size_t)n >= c->out[0].iov_len) {
            n -= (ssize_t)c->out[0].iov_len;
            c->out_count--;
            memmove(c->out, c->out + 1, sizeof(c->out[0]) * 2);
        }
        if (c->out_count) {
            c->out[0].iov_base = (char *)c->out[0].iov_base + n;
            c->out[0].iov_len -= (size_t)n;
        }
    }
}

static void queue_bytes(struct client *c, char *p, size_t n)
{
    c->out[c->out_count++] = (struct iovec){p, n};
}

static void __attribute__((format(printf, 3, 4)))
say(struct client *c, enum step step, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(c->head, HEAD, format, args);
    va_end(args);
    queue_bytes(c, c->head, (size_t)n);
    c->step = step;
    push(c);
}

/* The recipient of mail number i: the one "%d" of --to is its user. */
static void recipient(int i, char out[256])
{
    const char *mark = strstr(options.to, "%d");
    if (!mark)
        snprintf(out, 256, "%s", options.to);
    else
        snprintf(out, 256, "%.*s%d%s", (int)(mark - options.to), options.to, i % options.users,
                 mark + 2);
}

/* MAIL, RCPT and DATA in one write. */
static int transaction(char *to, int number)
{
    char rcpt[256];
    recipient(number, rcpt);
    return snprintf(to, HEAD, "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n", options.from, rcpt);
}

static void next_mail(struct client *c)
{
    if (c->mails == options.mails || started == options.total) {
        say(c, QUIT, "QUIT\r\n");
        return;
    }
    c->number = started++;
    c->mails++;
    if (!options.pipeline) {
        say(c, MAIL, "MAIL FROM:<%s>\r\n", options.from);
        return;
    }
    int n = transaction(c->head, c->number);
    queue_bytes(c, c->head, (size_t)n);
    c->step = MAIL;
    push(c);
}

static void send_body(struct client *c)
{
    static int64_t base;
    char rcpt[256];
    if (!base)
        base = now_us();
    recipient(c->number, rcpt);
    int n = snprintf(c->head, HEAD,
                     "From: <%s>\r\nTo: <%s>\r\nSubject: A mail of the load generator\r\n"
                     "Date: Mon, 23 Nov 2026 20:00:00 +0000\r\n"
                     "Message-ID: <%d.%d.%lld@load.test>\r\n"
                     "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
                     options.from, rcpt, c->number, (int)getpid(), (long long)base);
    queue_bytes(c, c->head, (size_t)n);
    queue_bytes(c, body, body_n);
    c->step = BODY;
    c->sent_us = now_us();
    push(c);
}

static void greet(struct client *c)
{
    char plain[512], text[1024];
    if (!options.login) {
        next_mail(c);
        return;
    }
    int n = snprintf(plain, sizeof(plain), "%c%s%c%s", 0, options.login, 0, options.password);
    base64(plain, (size_t)n, text);
    say(c, AUTH, "AUTH PLAIN %s\r\n", text);
}

static void begin(struct client *c)
{
    *c = (struct client){.fd = dial()};
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e) < 0)
        die("epoll_ctl: %s", strerror(errno));
    open_clients++;
}

/* One whole reply has come. */
static void on_reply(struct client *c, int code, const char *line)
{
    static const int wanted[] = {220, 250, 235, 250, 250, 354, 250, 221};
    if (code != wanted[c->step] && !(c->step == RCPT && code == 251))
        die("step %d was answered: %.200s", (int)c->step, line);
    char rcpt[256];
    switch (c->step) {
    case GREETING:
        say(c, EHLO, "EHLO load.test\r\n");
        break;
    case EHLO:
        greet(c);
        break;
    case AUTH:
        next_mail(c);
        break;
    case MAIL:
        recipient(c->number, rcpt);
        if (options.pipeline)
            c->step = RCPT;
        else
            say(c, RCPT, "RCPT TO:<%s>\r\n", rcpt);
        break;
    case RCPT:
        if (options.pipeline)
            c->step = DATA;
        else
            say(c, DATA, "DATA\r\n");
        break;
    case DATA:
        send_body(c);
        break;
    case BODY:
        latency_us[accepted++] = (uint32_t)(now_us() - c->sent_us);
        next_mail(c);
        break;
    case QUIT:
        close(c->fd);
        c->fd = -1;
        open_clients--;
        if (started < options.total)
            begin(c);
        break;
    }
}

/* Takes whole replies out of what has come: lines "250-…" and a last one "250 …". */
static void on_bytes(struct client *c)
{
    size_t at = 0;
    for (char *end; (end = memchr(c->in + at, '\n', c->in_n - at));) {
        char *line = c->in + at;
        at = (size_t)(end - c->in) + 1;
        *end = '\0';
        if (end - line < 4 || line[3] != '-')
            on_reply(c, (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0', line);
        if (c->fd < 0 || c->step == GREETING)
            return; /* closed, or a new connection */
    }
    c->in_n -= at;
    memmove(c->in, c->in + at, c->in_n);
}

/* A short read has emptied the socket; what comes later is another event. */
static void on_event(struct client *c)
{
    push(c);
    for (size_t room = 0, n = 0; n == room && c->fd >= 0;) {
        room = REPLY - c->in_n;
        ssize_t got = read(c->fd, c->in + c->in_n, room);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0)
            die("the server closed a connection at step %d after %d mails", (int)c->step, c->mails);
        n = (size_t)got;
        c->in_n += n;
        on_bytes(c);
    }
}

static int compare(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void load_smtp(void)
{
    make_body();
    latency_us = calloc((size_t)options.total, sizeof(*latency_us));
    struct client *clients = calloc((size_t)options.sessions, sizeof(*clients));
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!latency_us || !clients || epoll < 0)
        die("no memory");
    int64_t start = now_us();
    for (int i = 0; i < options.sessions; i++)
        begin(&clients[i]);
    int64_t done = 0;
    while (open_clients) {
        struct epoll_event events[256];
        int n = epoll_wait(epoll, events, 256, 30000);
        if (n == 0)
            die("nothing came for 30 s: %d of %d accepted", accepted, options.total);
        for (int i = 0; i < n; i++)
            on_event(events[i].data.ptr);
        if (accepted == options.total && !done)
            done = now_us();
    }
    double seconds = (double)(done - start) / 1e6;
    qsort(latency_us, (size_t)accepted, sizeof(*latency_us), compare);
    printf("accepted\t%d\tmessages\nseconds\t%.6f\ts\nrate\t%.1f\tper s\n", accepted, seconds,
           accepted / seconds);
    printf("p50\t%.3f\tms\np99\t%.3f\tms\nmax\t%.3f\tms\n", latency_us[accepted / 2] / 1e3,
           latency_us[(int)((double)accepted * 0.99)] / 1e3, latency_us[accepted - 1] / 1e3);
}

/* ---- Slow clients: one byte at a time ---- */

static void load_slow(void)
{
    static int fds[SESSIONS];
    static size_t at[SESSIONS];
    const char text[] = "EHLO a-slow-client.test\r\nNOOP\r\nRSET\r\n";
    for (int i = 0; i < options.sessions; i++) {
        fds[i] = dial();
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
    }
    printf("open\t%d\tconnections\n", options.sessions);
    fflush(stdout);
    for (int64_t sent = 0;; sent++) {
        int i = (int)(sent % options.sessions);
        if (i == 0 && sent)
            usleep((useconds_t)options.pause_ms * 1000);
        char drop[4096];
        while (read(fds[i], drop, sizeof(drop)) > 0)
            ;
        if (write(fds[i], text + at[i], 1) < 0 && errno != EAGAIN) {
            close(fds[i]); /* it was told to go: come back */
            fds[i] = dial();
            fcntl(fds[i], F_SETFL, O_NONBLOCK);
        }
        at[i] = (at[i] + 1) % (sizeof(text) - 1);
    }
}

/* ---- POP3 ---- */

struct reader {
    int fd;
    char *in;
    size_t at, n; /* unread bytes are in[at..n) */
    uint64_t bytes;
};

/* Takes a line; it is valid until the next call. */
static char *read_line(struct reader *r, size_t *length)
{
    for (;;) {
        char *end = memchr(r->in + r->at, '\n', r->n - r->at);
        if (end) {
            char *line = r->in + r->at;
            *length = (size_t)(end - line) + 1;
            r->at += *length;
            r->bytes += *length;
            return line;
        }
        memmove(r->in, r->in + r->at, r->n - r->at);
        r->n -= r->at;
        r->at = 0;
        ssize_t n = read(r->fd, r->in + r->n, POP3_BUFFER - r->n);
        if (n <= 0)
            die("the server closed the POP3 connection");
        r->n += (size_t)n;
    }
}

static char *command(struct reader *r, const char *format, const char *argument)
{
    char text[600];
    size_t length;
    int n = snprintf(text, sizeof(text), "%s%s\r\n", format, argument);
    if (write(r->fd, text, (size_t)n) != n)
        die("write: %s", strerror(errno));
    char *line = read_line(r, &length);
    if (line[0] != '+')
        die("%s was answered: %.*s", format, (int)length, line);
    return line;
}

/* RETR of messages 1..total, window of them under way at a time. */
static void retrieve(struct reader *r, int total)
{
    int asked = 0;
    for (int got = 0; got < total; got++) {
        char text[4096];
        int n = 0;
        if (asked == got) { /* the window is empty: fill it again */
            for (; asked < total && asked - got < options.window && n < 4000; asked++)
                n += snprintf(text + n, sizeof(text) - (size_t)n, "RETR %d\r\n", asked + 1);
            if (write(r->fd, text, (size_t)n) != n)
                die("write: %s", strerror(errno));
        }
        size_t length;
        char *line = read_line(r, &length);
        if (line[0] != '+')
            die("RETR %d was answered: %.*s", got + 1, (int)length, line);
        do
            line = read_line(r, &length);
        while (length != 3 || line[0] != '.');
    }
}

static void load_pop3(void)
{
    struct reader r = {.fd = dial(), .in = malloc(POP3_BUFFER)};
    size_t length;
    if (!r.in || read_line(&r, &length)[0] != '+')
        die("no POP3 greeting");
    command(&r, "USER ", options.login);
    int64_t start = now_us();
    command(&r, "PASS ", options.password);
    double login = (double)(now_us() - start) / 1e3;
    start = now_us();
    char *line = command(&r, "STAT", "");
    double stat = (double)(now_us() - start) / 1e3;
    int count = (int)strtol(line + 4, NULL, 10);
    int total = options.total < count ? options.total : count;
    printf("count\t%d\tmessages\nlogin\t%.3f\tms\nstat\t%.3f\tms\n", count, login, stat);
    if (total > 0) {
        r.bytes = 0;
        start = now_us();
        retrieve(&r, total);
        double seconds = (double)(now_us() - start) / 1e6;
        printf("retr\t%.1f\tper s\nbytes\t%.1f\tMB/s\n", total / seconds,
               (double)r.bytes / seconds / 1e6);
    }
    command(&r, "QUIT", "");
    free(r.in);
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"port", 1, NULL, 'p'},     {"sessions", 1, NULL, 's'}, {"mails", 1, NULL, 'm'},
        {"total", 1, NULL, 't'},    {"size", 1, NULL, 'b'},     {"to", 1, NULL, 'r'},
        {"from", 1, NULL, 'f'},     {"users", 1, NULL, 'u'},    {"login", 1, NULL, 'l'},
        {"password", 1, NULL, 'w'}, {"pipeline", 0, NULL, 'P'}, {"window", 1, NULL, 'W'},
        {"pause-ms", 1, NULL, 'z'}, {NULL, 0, NULL, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        int number = optarg ? (int)strtol(optarg, NULL, 10) : 0;
        switch (c) {
        case 'p':
            options.port = (uint16_t)number;
            break;
        case 's':
            options.sessions = number;
            break;
        case 'm':
            options.mails = number;
            break;
        case 't':
            options.total = number;
            break;
        case 'b':
            options.size = number;
            break;
        case 'r':
            options.to = optarg;
            break;
        case 'f':
            options.from = optarg;
            break;
        case 'u':
            options.users = number;
            break;
        case 'l':
            options.login = optarg;
            break;
        case 'w':
            options.password = optarg;
            break;
        case 'P':
            options.pipeline = true;
            break;
        case 'W':
            options.window = number;
            break;
        case 'z':
            options.pause_ms = number;
            break;
        default:
            return 2;
        }
    }
    const char *mode = optind < argc ? argv[optind] : "";
    if (options.sessions < 1 || options.sessions > SESSIONS || options.users < 1 ||
        options.total < 0 || options.window < 1 || options.mails < 1)
        die("a number is out of range");
    if (strcmp(mode, "smtp") == 0)
        load_smtp();
    else if (strcmp(mode, "slow") == 0)
        load_slow();
    else if (strcmp(mode, "pop3") == 0)
        load_pop3();
    else
        die("say smtp, slow or pop3");
    return 0;
}
