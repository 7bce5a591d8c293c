/*
 * Charsets, encoded words, parameters and file names: well-formed UTF-8 without NUL comes out of
 * any bytes and any label, and what is written is read back.
 */
#include "message/charset.h"

#include <assert.h>
#include <stdlib.h>

#include "base/limits.h"
#include "message/charset_table.h"
#include "message/param2231.h"
#include "message/word2047.h"

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_word(struct arena *a, slice in)
{
    slice text = word2047_decode(a, in);
    assert(slice_is_utf8(text) && slice_find(text, 0) < 0);
    assert(text.n <= in.n * 5 + 16);
    slice clean = word2047_decode(a, word2047_encode_text(a, text, NULL));
    size_t column = 9;
    slice code = word2047_encode_text(a, clean, &column);
    assert(slice_is_ascii(code));
    /* Once cleaned (controls, spaces at the ends) the text comes back exactly; but a byte order
     * mark is dropped wherever a word begins with one. */
    assert(slice_search(text, S("\xef\xbb\xbf")) >= 0 || slice_eq(word2047_decode(a, code), clean));
    slice phrase = word2047_encode_phrase(a, clean, NULL);
    assert(slice_is_ascii(phrase));
}

static void check_params(struct arena *a, slice in)
{
    struct params p, again;
    params_parse(a, in, &p);
    assert(p.count <= LIMIT_PARAMS);
    for (size_t i = 0; i < p.count; i++) {
        const struct param *x = &p.params[i];
        assert(slice_is_utf8(x->value) && params_find(&p, x->name) == x);
        assert(x->raw.n == 0 || (x->raw.p >= in.p && x->raw.p + x->raw.n <= in.p + in.n));
        slice safe = filename_safe(a, x->value);
        assert(safe.n <= LIMIT_FILENAME && slice_find(safe, '/') < 0 && slice_find(safe, '\\') < 0);
        assert(slice_is_utf8(safe) && !slice_starts(safe, S(".")));
        assert(slice_eq(filename_safe(a, safe), safe));
        size_t column = 20;
        slice code = params_print(a, S("name"), safe, PARAM_2231, &column);
        params_parse(a, arena_printf(a, "a/b%.*s", P(code)), &again);
        assert(slice_eq(params_get(&again, S("name")), safe));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    slice in = {(const char *)data, size};
    if (size) {
        struct charset_text t;
        slice bytes = slice_skip(in, 1);
        charset_to_utf8(&a, slice_c(charset_table[data[0] % charset_count].name), bytes, &t);
        assert(slice_is_utf8(t.text) && slice_find(t.text, 0) < 0);
        assert(charset_canonical(slice_c(t.charset)) || !*t.charset);
        charset_to_utf8(&a, bytes, bytes, &t);
        assert(slice_is_utf8(t.text));
    }
    check_word(&a, in);
    check_params(&a, in);

    arena_end(&a);
    return 0;
}
