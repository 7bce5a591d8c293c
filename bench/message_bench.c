/*
 * How fast src/message reads mail, beside this machine's memcpy: header scan, whole parse, what a
 * delivery derives; and whether bad input stays linear: each hostile shape at n and at 4n, where 4
 * is the right answer for the ratio of the times.  Figures are the best of several runs.
 */
#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/rand.h"
#include "message/address.h"
#include "message/base64.h"
#include "message/bodystructure.h"
#include "message/derive.h"
#include "message/out.h"

enum { RUNS = 7, MAILS = 64, SMALL = 100 };

static volatile size_t sink; /* keeps the compiler from leaving the work out */

/* Best time of fn over RUNS runs, in microseconds. */
static double best_us(void (*fn)(slice in), slice in)
{
    double best = 1e18;
    for (int i = 0; i < RUNS; i++) {
        int64_t start = clock_mono_us();
        fn(in);
        double us = (double)(clock_mono_us() - start);
        best = us < best ? us : best;
    }
    return best > 0 ? best : 0.5;
}

static void run_memcpy(slice in)
{
    static char to[64 << 20];
    memcpy(to, in.p, in.n < sizeof(to) ? in.n : sizeof(to));
    sink += (size_t)to[in.n / 2];
}

static void run_headers(slice in)
{
    struct header_field f;
    for (int i = 0; i < SMALL; i++)
        for (slice rest = in; header_next(&rest, &f);)
            sink += f.value.n;
}

static void run_parse(slice in)
{
    struct arena a = {0};
    struct mime m;
    mime_parse(&a, in, &m);
    sink += m.count;
    arena_end(&a);
}

static void run_derive(slice in)
{
    struct arena a = {0};
    struct derived d;
    message_derive(in, &a, &d);
    sink += d.search.n;
    arena_end(&a);
}

static void run_addresses(slice in)
{
    struct arena a = {0};
    struct address_list l;
    address_parse(&a, in, &l);
    sink += l.count;
    arena_end(&a);
}

static void add_header(struct out *o, unsigned i)
{
    for (unsigned hop = 0; hop < 4; hop++)
        out_printf(o,
                   "Received: from mx%u.north.test (mx%u.north.test [192.0.2.%u])\r\n"
                   "\tby mail.south.test (Yizhan) with ESMTPS (TLSv1.3)\r\n\tid %08x%08x\r\n"
                   "\tfor <two@south.test>; Mon, 23 Nov 2026 20:24:%02u +0000\r\n",
                   hop, hop, hop, i * 77777u, hop * 99991u, i % 60);
    out_printf(o,
               "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=north.test; s=k%u;\r\n"
               "\th=from:to:subject:date:message-id:mime-version:content-type;\r\n"
               "\tbh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n"
               "\tb=Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4\r\n"
               "From: =?utf-8?B?6am/56uZ?= <one@north.test>\r\nTo: Two <two@south.test>\r\n"
               "Subject: =?utf-8?Q?caf=C3=A9_%u?= and more words for a subject\r\n"
               "Date: Mon, 23 Nov 2026 20:24:01 +0000\r\nMessage-ID: <%u@north.test>\r\n"
               "In-Reply-To: <%u@south.test>\r\nReferences: <1@x.test> <2@x.test>\r\n"
               "MIME-Version: 1.0\r\nX-Mailer: bench\r\nList-Id: <talk.north.test>\r\n",
               i, i, i, i + 1);
}

static void add_base64(struct out *o, size_t n)
{
    char *raw = arena_alloc(o->arena, n);
    rand_bytes(raw, n);
    size_t length = base64_lines_length(n);
    char *to = out_space(o, length);
    out_wrote(o, base64_encode_lines((slice){raw, n}, to));
}

/* A mail as most are: text and HTML of some KiB, one attachment of n bytes. */
static slice typical(struct arena *a, unsigned i, size_t n)
{
    struct out o = {.arena = a};
    add_header(&o, i);
    out_add(&o, S("Content-Type: multipart/mixed; boundary=\"=_mixed\"\r\n\r\n--=_mixed\r\n"
                  "Content-Type: multipart/alternative; boundary=\"=_alt\"\r\n\r\n--=_alt\r\n"
                  "Content-Type: text/plain; charset=utf-8\r\n\r\n"));
    for (unsigned line = 0; line < 60; line++)
        out_printf(&o, "Line %u of a letter that says what letters say, some words long.\r\n",
                   line);
    out_add(&o, S("--=_alt\r\nContent-Type: text/html; charset=utf-8\r\n"
                  "Content-Transfer-Encoding: quoted-printable\r\n\r\n"));
    for (unsigned line = 0; line < 60; line++)
        out_printf(&o, "<p class=3D\"x\">Line %u of a letter that says what letters say.</p>\r\n",
                   line);
    out_add(&o, S("--=_alt--\r\n--=_mixed\r\nContent-Type: application/pdf; name=\"a.pdf\"\r\n"
                  "Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; "
                  "filename=\"a.pdf\"\r\n\r\n"));
    add_base64(&o, n);
    out_add(&o, S("--=_mixed--\r\n"));
    return out_slice(&o);
}

static slice mails[MAILS];

static void each_mail(void (*fn)(slice in))
{
    for (size_t i = 0; i < MAILS; i++)
        fn(mails[i]);
}

static void parse_all(slice in)
{
    (void)in;
    each_mail(run_parse);
}

static void derive_all(slice in)
{
    (void)in;
    each_mail(run_derive);
}

static void print_rate(const char *name, size_t bytes, double us)
{
    printf("%s\t%.2f\tGB/s\n", name, (double)bytes / us / 1000);
}

static void bench_typical(struct arena *a, const char *name, size_t attachment)
{
    size_t total = 0;
    char row[80];
    for (unsigned i = 0; i < MAILS; i++) {
        mails[i] = typical(a, i, attachment);
        total += mails[i].n;
    }
    snprintf(row, sizeof(row), "parse of %s", name);
    print_rate(row, total, best_us(parse_all, S("")));
    snprintf(row, sizeof(row), "all that delivery derives of %s", name);
    print_rate(row, total, best_us(derive_all, S("")));
}

/* The hostile shapes: one piece repeated, between a start and an end. */
static const struct shape {
    const char *name;
    const char *start, *piece, *end;
    size_t count;
    void (*run)(slice in);
} SHAPES[] = {
    {"25,000 fields", "", "X-Field: some value\r\n", "\r\nbody", 25000, run_derive},
    {"25,000 parts", "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\r\n\r\nx\r\n",
     "--b--", 25000, run_derive},
    {"nested multiparts 25,000 deep", "",
     "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", "", 25000, run_derive},
    {"nested messages 25,000 deep", "", "Content-Type: message/rfc822\r\n\r\n", "", 25000,
     run_derive},
    {"10,000 nested comments", "", "(", "a@b", 10000, run_addresses},
    {"25,000 addresses", "", "a@b.test, ", "", 25000, run_addresses},
    {"25,000 open quotes", "", "\"", "", 25000, run_addresses},
    {"25,000 angles", "", "<", "", 25000, run_addresses},
    {"25,000 lines that begin with --",
     "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n", "--------------------\r\n",
     "--b--", 25000, run_derive},
    {"25,000 encoded words", "Subject: ", "=?utf-8?q?a?= ", "\r\n\r\n", 25000, run_derive},
    {"25,000 parameters", "Content-Type: text/plain", "; a*0*=b", "\r\n\r\n", 25000, run_derive},
    {"25,000 references", "References: ", "<a@b> ", "\r\n\r\n", 25000, run_derive},
    {"12 MB line of text", "A: b\r\n\r\n", "xxxxxxxxxxxx", "", 1000000, run_derive},
    {"12 MB field", "Subject: ", "x xxxxxxxxxx", "\r\n\r\n", 1000000, run_derive},
    {"12 MB header without a colon", "", "xxxxxxxxxxxx", "\r\n\r\n", 1000000, run_derive},
    {"12 MB of line ends", "A: b\r\n\r\n", "\r\n", "", 6000000, run_derive},
    {"12 MB of base64", "Content-Transfer-Encoding: base64\r\n\r\n", "QUJDREVGR0hJ", "", 1000000,
     run_derive},
};

static slice repeat(struct arena *a, const struct shape *s, size_t count)
{
    struct out o = {.arena = a};
    out_add(&o, slice_c(s->start));
    for (size_t i = 0; i < count; i++)
        out_add(&o, slice_c(s->piece));
    out_add(&o, slice_c(s->end));
    return out_slice(&o);
}

static void bench_shape(const struct shape *s)
{
    struct arena a = {0};
    slice one = repeat(&a, s, s->count), four = repeat(&a, s, 4 * s->count);
    double us_one = best_us(s->run, one), us_four = best_us(s->run, four);
    printf("%s\t%.3f\tms\n", s->name, us_one / 1000);
    printf("%s, four times as much\t%.2f\ttimes as long\n", s->name, us_four / us_one);
    arena_end(&a);
}

/* Arena bytes of a parse, beside the input. */
static void bench_memory(const char *name, slice in)
{
    struct arena a = {0};
    struct mime m;
    mime_parse(&a, in, &m);
    printf("memory of the tree of %s\t%.1f\tbytes a part\n", name,
           (double)a.used / (double)m.count);
    arena_end(&a);
}

int main(void)
{
    struct arena a = {0};
    struct out headers = {.arena = &a};
    for (unsigned i = 0; i < 50; i++)
        add_header(&headers, i);
    slice header = out_slice(&headers), large = typical(&a, 1, 40 << 20);
    print_rate("memcpy", large.n, best_us(run_memcpy, large));
    print_rate("header scan", header.n * SMALL, best_us(run_headers, header));
    bench_typical(&a, "mail of 15 KiB", 4 << 10);
    bench_typical(&a, "mail of 150 KiB", 100 << 10);
    print_rate("parse of one of 55 MB", large.n, best_us(run_parse, large));
    print_rate("all that delivery derives of it", large.n, best_us(run_derive, large));
    bench_memory("a typical mail", mails[0]);
    bench_memory("25,000 parts", repeat(&a, &SHAPES[1], SHAPES[1].count));
    for (size_t i = 0; i < sizeof(SHAPES) / sizeof(*SHAPES); i++)
        bench_shape(&SHAPES[i]);
    arena_end(&a);
    return 0;
}
