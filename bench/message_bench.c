/*
 * How fast src/message reads mail, beside this machine's memcpy and what issue and design demand:
 * header scan, whole parse, what a delivery derives; whether bad input stays linear: each hostile
 * shape at n and at 4n, where 4 is the right answer for the ratio of the times (less where a limit
 * ends the work); and the memory it takes.  Times are CPU times, the best of several runs.
 */
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <time.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/rand.h"
#include "message/address.h"
#include "message/base64.h"
#include "message/bodystructure.h"
#include "message/derive.h"
#include "message/out.h"
#include "message/qp.h"
#include "message/text.h"

enum { RUNS = 5, MAILS = 64, SMALL = 100 };

static volatile size_t sink; /* keeps the compiler from leaving the work out */

static double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Best time of fn over RUNS runs, in microseconds. */
static double best_us(void (*fn)(slice in), slice in)
{
    double best = 1e18;
    for (int i = 0; i < RUNS; i++) {
        double start = cpu_us();
        fn(in);
        double us = cpu_us() - start;
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

/* The tree, what each part is, and its bytes without their encoding. */
static void run_decode(slice in)
{
    struct arena a = {0}, scratch = {0};
    struct mime m;
    mime_parse(&a, in, &m);
    for (size_t i = 0; i < m.count; i++) {
        struct mime_content c;
        mime_content(&scratch, &m, i, &c);
        sink += mime_decode(&scratch, &m, i, &c, NULL).n;
        arena_reset(&scratch);
    }
    arena_end(&scratch);
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

static void run_page(slice in)
{
    struct arena a = {0};
    sink += html_to_text(&a, in, HTML_LINKS, SIZE_MAX).n;
    arena_end(&a);
}

static void run_base64(slice in)
{
    struct arena a = {0};
    sink += base64_decode(in, arena_alloc(&a, base64_decode_room(in.n)), NULL);
    arena_end(&a);
}

static void run_qp(slice in)
{
    struct arena a = {0};
    sink += qp_decode(in, arena_alloc(&a, in.n + 1), NULL);
    sink += qp_encode(&a, in, QP_TEXT).n;
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

static void add_encoded(struct out *o, const char *line, unsigned lines)
{
    struct out text = {.arena = o->arena};
    for (unsigned i = 0; i < lines; i++)
        out_add(&text, slice_c(line));
    out_add(o, qp_encode(o->arena, out_slice(&text), QP_TEXT));
}

/* A short plain answer, in ASCII or in 8-bit UTF-8. */
static slice note(struct arena *a, unsigned i)
{
    struct out o = {.arena = a};
    add_header(&o, i);
    out_add(&o, S("Content-Type: text/plain; charset=utf-8\r\n\r\n"));
    for (unsigned line = 0; line < 30; line++)
        out_add(&o, line % 3 ? S("> what was written before, quoted as people do it.\r\n")
                    : i % 2 ? S("驿站换马，书信继续北行；天明之前，必达京城。\r\n")
                            : S("A sentence that answers what was asked, in some words.\r\n"));
    return out_slice(&o);
}

/* What companies send: HTML of some 30 KiB in quoted-printable, text beside it. */
static slice newsletter(struct arena *a, unsigned i)
{
    struct out o = {.arena = a};
    add_header(&o, i);
    out_add(&o, S("Content-Type: multipart/alternative; boundary=\"=_alt\"\r\n\r\n--=_alt\r\n"
                  "Content-Type: text/plain; charset=utf-8\r\n\r\n"));
    for (unsigned line = 0; line < 60; line++)
        out_add(&o, S("An offer that nobody can refuse <https://north.test/offer>\r\n"));
    out_add(&o, S("--=_alt\r\nContent-Type: text/html; charset=utf-8\r\n"
                  "Content-Transfer-Encoding: quoted-printable\r\n\r\n"));
    add_encoded(&o,
                "<tr><td style=\"font-family: Arial; padding: 4px\"><a "
                "href=\"https://north.test/o?u=1&amp;n=2\">An offer that nobody – nobody – can "
                "refuse</a></td></tr>\r\n",
                200);
    out_add(&o, S("\r\n--=_alt--\r\n"));
    return out_slice(&o);
}

/* Text and HTML, one attachment of n bytes. */
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

static void decode_all(slice in)
{
    (void)in;
    each_mail(run_decode);
}

/* goal 0: none is set. */
static void print_rate(const char *name, size_t bytes, double us, double goal)
{
    printf("%s\t%.2f\tGB/s", name, (double)bytes / us / 1000);
    if (goal > 0)
        printf("\tgoal >= %.2f", goal);
    putchar('\n');
}

static void bench_mails(const char *name)
{
    size_t total = 0;
    char row[120];
    for (unsigned i = 0; i < MAILS; i++)
        total += mails[i].n;
    snprintf(row, sizeof(row), "whole parse of %s, %zu KiB each", name, total / MAILS / 1024);
    print_rate(row, total, best_us(parse_all, S("")), 0.8);
    print_rate("  and every part decoded", total, best_us(decode_all, S("")), 0);
    print_rate("  and all that a delivery derives", total, best_us(derive_all, S("")), 0);
}

/* Mail as it comes in a day: notes, newsletters, letters with files. */
static void bench_typical(struct arena *a)
{
    for (unsigned i = 0; i < MAILS; i++)
        mails[i] = i % 4 == 0   ? newsletter(a, i)
                   : i % 4 == 1 ? typical(a, i, i % 8 == 1 ? 100 << 10 : 4 << 10)
                                : note(a, i);
    bench_mails("mixed mail");
    for (unsigned i = 0; i < MAILS; i++)
        mails[i] = note(a, i);
    bench_mails("short notes");
    for (unsigned i = 0; i < MAILS; i++)
        mails[i] = newsletter(a, i);
    bench_mails("newsletters");
    for (unsigned i = 0; i < MAILS; i++)
        mails[i] = typical(a, i, 100 << 10);
    bench_mails("mail with a file");
}

/* The hostile shapes: one piece repeated, between a start and an end; 4n of it. */
static const struct shape {
    const char *name;
    const char *start, *piece, *end;
    size_t count; /* 4n */
    void (*run)(slice in);
} SHAPES[] = {
    {"100,000 fields", "", "X-Field: some value\r\n", "\r\nbody", 100000, run_derive},
    {"100,000 parts", "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\r\n\r\nx\r\n",
     "--b--", 100000, run_derive},
    {"100,000 nested multiparts", "", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
     "", 100000, run_derive},
    {"100,000 nested messages", "", "Content-Type: message/rfc822\r\n\r\n", "", 100000, run_derive},
    {"10,000 nested comments", "", "(", "a@b", 10000, run_addresses},
    {"100,000 nested comments", "", "(", "a@b", 100000, run_addresses},
    {"100,000 addresses", "", "a@b.test, ", "", 100000, run_addresses},
    {"100,000 open quotes", "", "\"", "", 100000, run_addresses},
    {"100,000 angles", "", "<", "", 100000, run_addresses},
    {"100,000 lines that begin with --",
     "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n", "--------------------\r\n",
     "--b--", 100000, run_derive},
    {"100,000 encoded words", "Subject: ", "=?utf-8?q?a?= ", "\r\n\r\n", 100000, run_derive},
    {"100,000 parameters", "Content-Type: text/plain", "; a*0*=b", "\r\n\r\n", 100000, run_derive},
    {"100,000 references", "References: ", "<a@b> ", "\r\n\r\n", 100000, run_derive},
    {"50 MB line of text", "A: b\r\n\r\n", "xxxxx xxxxxx", "", 50000000 / 12, run_derive},
    {"50 MB line of Chinese", "A: b\r\n\r\n", "驿站换马", "", 50000000 / 12, run_derive},
    {"50 MB field", "Subject: ", "x xxxxxxxxxx", "\r\n\r\n", 50000000 / 12, run_derive},
    {"50 MB header without a colon", "", "xxxxxxxxxxxx", "\r\n\r\n", 50000000 / 12, run_derive},
    {"50 MB of line ends", "A: b\r\n\r\n", "\r\n", "", 25000000, run_derive},
    {"50 MB line of base64", "Content-Transfer-Encoding: base64\r\n\r\n", "QUJDREVGR0hJ", "",
     50000000 / 12, run_derive},
    {"100,000 open tags", "", "<a href=\"", "", 100000, run_page},
    {"100,000 open comments", "", "<!--", "", 100000, run_page},
    {"100,000 nested lists", "", "<ul><li>", "", 100000, run_page},
    {"100,000 ampersands", "", "&amp&#", "", 100000, run_page},
    {"50 MB line through base64 decode", "", "QUJDREVGR0hJ", "", 50000000 / 12, run_base64},
    {"50 MB of = through base64 decode", "", "A===========", "", 50000000 / 12, run_base64},
    {"50 MB line through qp decode and encode", "", "xxxxx xxxxxx", "", 50000000 / 12, run_qp},
    {"50 MB of signs through qp decode and encode", "", "=C3=A9=\r\n==", "", 50000000 / 11, run_qp},
    {"50 MB of spaces through qp decode and encode", "", "            ", "", 50000000 / 12, run_qp},
};

static slice repeat(struct arena *a, const struct shape *s, size_t count)
{
    struct out o = {.arena = a};
    size_t n = strlen(s->piece);
    out_add(&o, slice_c(s->start));
    char *to = out_space(&o, n * count);
    for (size_t i = 0; i < count; i++)
        memcpy(to + i * n, s->piece, n);
    out_wrote(&o, n * count);
    out_add(&o, slice_c(s->end));
    return out_slice(&o);
}

static void bench_shape(const struct shape *s)
{
    struct arena a = {0};
    slice one = repeat(&a, s, s->count / 4), four = repeat(&a, s, s->count);
    double us_one = best_us(s->run, one), us_four = best_us(s->run, four);
    printf("%s\t%.3f\tms\tof a quarter %.3f ms: %.2f times\n", s->name, us_four / 1000,
           us_one / 1000, us_four / us_one);
    arena_end(&a);
}

/* Arena bytes of a parse and of a derivation, beside the input. */
static void bench_memory(const char *name, slice in)
{
    struct arena a = {0}, b = {0};
    struct mime m;
    struct derived d;
    mime_parse(&a, in, &m);
    message_derive(in, &b, &d);
    printf(
        "memory of the tree of %s\t%.1f\tbytes a part\tgoal <= 64; derived: %.2f times the mail\n",
        name, (double)a.used / (double)m.count, (double)b.used / (double)in.n);
    arena_end(&b);
    arena_end(&a);
}

int main(void)
{
    struct arena a = {0};
    struct out headers = {.arena = &a};
    mallopt(M_MMAP_MAX, 0); /* or a large text would pay for fresh pages each time, a small not */
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    for (unsigned i = 0; i < 50; i++)
        add_header(&headers, i);
    slice header = out_slice(&headers), large = typical(&a, 1, 40 << 20);
    print_rate("memcpy", large.n, best_us(run_memcpy, large), 0);
    print_rate("header scan", header.n * SMALL, best_us(run_headers, header), 1);
    bench_typical(&a);
    print_rate("whole parse of one of 55 MB", large.n, best_us(run_parse, large), 0.8);
    print_rate("  and all that a delivery derives", large.n, best_us(run_derive, large), 0);
    bench_memory("mail with a file", mails[0]);
    bench_memory("10,000 parts", repeat(&a, &SHAPES[1], 10000));
    for (size_t i = 0; i < sizeof(SHAPES) / sizeof(*SHAPES); i++)
        bench_shape(&SHAPES[i]);
    arena_end(&a);
    return 0;
}
