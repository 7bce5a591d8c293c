/*
 * Texts that are not UTF-8 are mended on the way out, so that every reply is JSON (RFC 8259 8.1).
 */
#include "base/json.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/banned.h"

void json_begin(void)
{
    json_set_alloc_funcs(mem_alloc, mem_free);
}

/* Bytes of the well-formed character at the start of s; 0 when there is none. */
static size_t character(slice s)
{
    for (size_t n = 1; n <= 4 && n <= s.n; n++)
        if (slice_is_utf8(slice_sub(s, 0, n)))
            return n;
    return 0;
}

json_t *json_slice(slice s)
{
    if (slice_is_utf8(s))
        return json_stringn(s.n ? s.p : "", s.n);
    struct buf b = {.max = s.n * 3};
    while (s.n) {
        size_t n = character(s);
        buf_add(&b, n ? slice_sub(s, 0, n) : S("\xef\xbf\xbd"));
        s = slice_skip(s, n ? n : 1);
    }
    json_t *text = json_stringn(buf_slice(&b).p, buf_length(&b));
    buf_end(&b);
    return text;
}

slice json_slice_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return (slice){json_string_value(value), json_string_length(value)};
}

bool json_flag_at(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

int64_t json_number_at(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

void json_print(const json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    putchar('\n');
}
