/*
 * The SMTP server session alone, without network and disk: octets of DATA per second through it,
 * and whole mails per second, of processor time.  Rows "name<TAB>number<TAB>unit".
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "net/harness.h"
#include "smtp/server.h"
#include "base/banned.h"

enum { BLOCK = 64 * 1024, BLOCKS = 16 * 1024, MAILS = 20000, MAIL_BYTES = 4096 };

/* A host that takes everything and keeps nothing. */
static enum outcome take_mail(void *ctx, struct arena *a, const struct envelope *e, uint64_t size,
                              struct smtp_answer *answer)
{
    (void)ctx, (void)a, (void)e, (void)size, (void)answer;
    return DONE;
}

static enum outcome take_rcpt(void *ctx, struct arena *a, const struct envelope *e, slice rcpt,
                              struct smtp_answer *answer)
{
    (void)ctx, (void)a, (void)e, (void)rcpt, (void)answer;
    return DONE;
}

static void *open_body(void *ctx)
{
    return ctx;
}

static bool add_body(void *body, slice bytes)
{
    *(uint64_t *)body += bytes.n;
    return true;
}

static enum outcome accept_body(void *body, struct arena *a, const struct envelope *e,
                                struct smtp_answer *answers, slice *queue_id)
{
    (void)body, (void)a;
    for (size_t i = 0; i < e->recipient_count; i++)
        answers[i] = (struct smtp_answer){250, S("2.0.0"), S("Ok")};
    *queue_id = S("0000000000001");
    return DONE;
}

static void close_body(void *body)
{
    (void)body;
}

static uint64_t body_bytes;
static struct smtp_host host = {.ctx = &body_bytes,
                                .mail = take_mail,
                                .rcpt = take_rcpt,
                                .body_open = open_body,
                                .body_add = add_body,
                                .body_accept = accept_body,
                                .body_close = close_body};
static struct smtp_options options = {
    .service = SMTP_TRANSFER, .message_size = UINT64_MAX / 2, .host = &host};

/* text lines of width octets, every dots-th of which begins with a stuffed dot (0: none). */
static void fill(char *block, size_t width, size_t dots)
{
    for (size_t at = 0, line = 0; at < BLOCK; line++) {
        size_t n = BLOCK - at < width + 3 ? BLOCK - at : width;
        memset(block + at, 'x', n);
        if (dots && line % dots == 0)
            memcpy(block + at, "..", 2);
        memcpy(block + at + n - 2, "\r\n", 2);
        at += n;
    }
}

/* Processor time: what else runs on the machine does not count. */
static int64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static const char begin[] =
    "EHLO bench.test\r\nMAIL FROM:<>\r\nRCPT TO:<one@north.test>\r\nDATA\r\n";

static void feed_all(struct session *s, slice in)
{
    while (in.n) {
        size_t n = s->class->feed(s, in);
        if (!n)
            abort();
        in = slice_skip(in, n);
        buf_clear(&s->out);
    }
}

static void bench_data(const char *name, size_t width, size_t dots)
{
    char *block = malloc(BLOCK);
    struct session *s = smtp_server_new(&options);
    s->class->start(s);
    fill(block, width, dots);
    feed_all(s, slice_c(begin));
    int64_t from = cpu_us();
    for (int i = 0; i < BLOCKS; i++)
        feed_all(s, (slice){block, BLOCK});
    int64_t us = cpu_us() - from;
    feed_all(s, S(".\r\n"));
    s->class->end(s);
    free(block);
    printf("smtp DATA %s\t%.0f\tMB/s\n", name, (double)BLOCK * BLOCKS / (double)(us ? us : 1));
}

static void bench_mails(void)
{
    static const char head[] = "MAIL FROM:<a@south.test>\r\nRCPT TO:<one@north.test>\r\nDATA\r\n";
    char text[sizeof(head) + MAIL_BYTES + 8];
    size_t n = sizeof(head) - 1;
    memcpy(text, head, n);
    for (size_t i = 0; i < MAIL_BYTES; i++)
        text[n++] = i % 64 == 62 ? '\r' : i % 64 == 63 ? '\n' : 'x';
    memcpy(text + n, ".\r\n", 3);
    slice in = {text, n + 3};
    int64_t us = 0;
    for (int i = 0; i < MAILS; i += 1000) { /* a session takes 10,000 commands */
        struct session *s = smtp_server_new(&options);
        s->class->start(s);
        feed_all(s, S("EHLO bench.test\r\n"));
        int64_t from = cpu_us();
        for (int j = 0; j < 1000; j++)
            feed_all(s, in);
        us += cpu_us() - from;
        s->class->end(s);
    }
    printf("smtp mails of 4 KiB, session only\t%.0f\tper s\n", MAILS * 1e6 / (double)(us ? us : 1));
}

int main(void)
{
    bench_data("lines of 78", 78, 0);
    bench_data("lines of 78, every tenth stuffed", 78, 10);
    bench_data("lines of 998", 998, 0);
    bench_mails();
    return 0;
}
