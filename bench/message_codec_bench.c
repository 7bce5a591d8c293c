/*
 * How fast the codecs of src/message are, beside this machine's memcpy.  Figures are GB/s of the
 * larger side (the encoded text), best of 60 runs over 1 MiB.
 */
#include <stdio.h>
#include <time.h>

#include "base/arena.h"
#include "base/rand.h"
#include "message/base64.h"
#include "message/base64_kernel.h"
#include "message/qp.h"

enum { SIZE = 1 << 20, RUNS = 60 };

struct job {
    const char *name;
    size_t (*run)(slice in, char *out); /* returns bytes written */
    slice in;
    double goal; /* GB/s; 0: none is set */
};

static size_t run_memcpy(slice in, char *out)
{
    memcpy(out, in.p, in.n);
    return in.n;
}

static size_t run_groups(slice in, char *out)
{
    size_t written;
    base64_groups_portable(in, out, &written);
    return written;
}

static size_t run_decode(slice in, char *out)
{
    return base64_decode(in, out, NULL);
}

static size_t run_qp_decode(slice in, char *out)
{
    return qp_decode(in, out, NULL);
}

static struct arena work;

static size_t run_qp_encode(slice in, char *out)
{
    (void)out;
    arena_reset(&work);
    return qp_encode(&work, in, QP_TEXT).n;
}

static size_t run_qp_length(slice in, char *out)
{
    (void)out;
    return qp_length(in, QP_TEXT);
}

static double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void measure(const struct job *j, char *out)
{
    double best = 0;
    for (int i = 0; i < RUNS; i++) {
        double start = cpu_us();
        size_t n = j->run(j->in, out);
        double us = cpu_us() - start;
        double bytes = (double)(n > j->in.n ? n : j->in.n);
        double rate = bytes / (us > 0 ? us : 1) / 1e3;
        best = rate > best ? rate : best;
    }
    printf("%s\t%.2f\tGB/s", j->name, best);
    if (j->goal > 0)
        printf("\tgoal >= %.2f", j->goal);
    putchar('\n');
}

int main(void)
{
    struct arena a = {0};
    char *out = arena_alloc(&a, (size_t)SIZE * 4), *p;
    char *raw = arena_alloc(&a, SIZE);
    rand_bytes(raw, SIZE);
    slice bytes = {raw, SIZE}, lines, one;
    p = arena_alloc(&a, base64_lines_length(SIZE));
    lines = (slice){p, base64_encode_lines(bytes, p)};
    one = base64_text(&a, bytes);
    char *english = arena_alloc(&a, SIZE), *chinese = arena_alloc(&a, SIZE);
    static const char *const sentence[] = {
        "The horse was changed at the relay station, and the letter went on = north.\r\n",
        "驿站换马，书信继续北行；天明之前，必达京城。\r\n"};
    for (size_t i = 0, n = strlen(sentence[0]); i < SIZE; i++)
        english[i] = sentence[0][i % n];
    for (size_t i = 0, n = strlen(sentence[1]); i < SIZE; i++)
        chinese[i] = sentence[1][i % n];
    char *plain = arena_alloc(&a, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        plain[i] =
            "The horse was changed at the relay station, and the letter went on.\r\n"[i % 69];
    slice qp_english = qp_encode(&a, (slice){english, SIZE}, QP_TEXT);
    slice qp_chinese = qp_encode(&a, (slice){chinese, SIZE / 3}, QP_TEXT);
    const struct job jobs[] = {
        {"memcpy", run_memcpy, lines, 0},
        {"base64 decode, lines", run_decode, lines, 3},
        {"base64 decode, one line", run_decode, one, 3},
        {"base64 decode, portable kernel", run_groups, lines, 0},
        {"base64 encode, lines", base64_encode_lines, bytes, 3},
        {"base64 encode, one line", base64_encode, bytes, 3},
        {"base64 encode, portable kernel", base64_lines_portable, bytes, 0},
        {"qp decode, plain lines", run_qp_decode, {plain, SIZE}, 0},
        {"qp decode, English", run_qp_decode, qp_english, 0},
        {"qp decode, Chinese", run_qp_decode, qp_chinese, 0},
        {"qp encode, plain lines", run_qp_encode, {plain, SIZE}, 0},
        {"qp encode, English", run_qp_encode, {english, SIZE}, 0},
        {"qp encode, Chinese", run_qp_encode, {chinese, SIZE / 3}, 0},
        {"qp length, Chinese", run_qp_length, {chinese, SIZE / 3}, 0},
    };
    for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++)
        measure(&jobs[i], out);
    arena_end(&work);
    arena_end(&a);
    return 0;
}
