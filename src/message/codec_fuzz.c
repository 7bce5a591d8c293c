/*
 * The codecs: what they encode they decode to the same bytes, within their line lengths; what they
 * decode does not depend on how the input is cut; both kernels of base64 agree.
 */
#include <assert.h>
#include <stdlib.h>

#include "message/base64.h"
#include "message/base64_kernel.h"
#include "message/cte.h"
#include "message/qp.h"
#include "message/uuencode.h"

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_base64(struct arena *a, slice in, size_t cut)
{
    char *lines = arena_alloc(a, base64_lines_length(in.n) + 1);
    size_t n = base64_encode_lines(in, lines);
    assert(n == base64_lines_length(in.n));
    char *back = arena_alloc(a, base64_decode_room(n));
    bool damaged;
    size_t got = base64_decode((slice){lines, n}, back, &damaged);
    assert(slice_eq((slice){back, got}, in) && !damaged);
    slice strict;
    assert(base64_decode_strict(a, base64_text(a, in), &strict) && slice_eq(strict, in));

    char *whole = arena_alloc(a, base64_decode_room(in.n));
    char *parts = arena_alloc(a, base64_decode_room(in.n) + base64_decode_room(0));
    size_t want = base64_decode(in, whole, &damaged);
    struct base64_stream s = {0};
    got = base64_decode_step(&s, slice_sub(in, 0, cut), parts);
    got += base64_decode_step(&s, slice_skip(in, cut), parts + got);
    got += base64_decode_end(&s, parts + got);
    assert(slice_eq((slice){parts, got}, (slice){whole, want}) && s.damaged == damaged);

    size_t one, two;
    char *other = arena_alloc(a, base64_decode_room(in.n));
    if (base64_has_avx2()) {
        assert(base64_groups_portable(in, whole, &one) == base64_groups_avx2(in, other, &two));
        assert(one == two && slice_eq((slice){whole, one}, (slice){other, two}));
    }
}

static void check_lines(slice code)
{
    slice line;
    while (slice_next(&code, '\n', &line)) {
        if (slice_ends(line, S("\r")))
            line.n--;
        assert(line.n <= 76 && !slice_ends(line, S(" ")) && !slice_ends(line, S("\t")));
        assert(!slice_starts(line, S("From ")) && !slice_eq(line, S(".")));
    }
}

static void check_qp(struct arena *a, slice in, size_t cut)
{
    slice code = qp_encode(a, in, QP_BINARY);
    char *out = arena_alloc(a, code.n + in.n + 1);
    bool damaged;
    check_lines(code);
    assert(code.n == qp_length(in, QP_BINARY));
    assert(slice_eq((slice){out, qp_decode(code, out, &damaged)}, in) && !damaged);
    code = qp_encode(a, in, QP_TEXT);
    check_lines(code);
    assert(code.n == qp_length(in, QP_TEXT));

    char *whole = arena_alloc(a, in.n + 1), *parts = arena_alloc(a, in.n + 1);
    size_t want = qp_decode(in, whole, &damaged), used, more;
    bool one = false, two = false;
    size_t got = qp_decode_step(slice_sub(in, 0, cut), cut == in.n, parts, &used, &one);
    got += qp_decode_step(slice_skip(in, used), true, parts + got, &more, &two);
    assert(slice_eq((slice){parts, got}, (slice){whole, want}) && (one || two) == damaged);
}

static void check_uuencode(struct arena *a, slice in)
{
    struct uu_file f;
    bool damaged = false;
    for (size_t at = 0; uu_find(in, at, &f);) {
        assert(f.all.p >= in.p + at && f.all.p + f.all.n <= in.p + in.n);
        assert(f.lines.p >= f.all.p && f.lines.p + f.lines.n <= f.all.p + f.all.n);
        assert(uu_decode(a, f.lines, &damaged).n <= f.lines.n * 3 / 2 + 64);
        at = (size_t)(f.all.p + f.all.n - in.p);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    slice in = {(const char *)data, size};
    size_t cut = size ? data[0] % (size + 1) : 0;
    bool damaged;
    check_base64(&a, in, cut);
    check_qp(&a, in, cut);
    check_uuencode(&a, in);
    for (enum cte e = CTE_7BIT; e <= CTE_UNKNOWN; e++)
        cte_decode(&a, e, in, &damaged);
    if (cte_choose(in, true) == CTE_7BIT)
        assert(slice_is_ascii(in));
    arena_end(&a);
    return 0;
}
