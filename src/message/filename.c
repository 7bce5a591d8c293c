/* File names that came by mail made safe (RFC 2183 2.3, rule M8). */
#include "message/param2231.h"

#include "base/limits.h"
#include "message/out.h"
#include "base/banned.h"

enum { EXTENSION_MAX = 16 };

/* Characters that draw nothing but change how the rest is read: C1, direction and other marks. */
static bool is_hidden(uint32_t c)
{
    return (c >= 0x80 && c < 0xa0) || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xfff9 && c <= 0xfffb);
}

/* The UTF-8 character at s[0] and its width; broken bytes are hidden ones. */
static uint32_t character(slice s, size_t *width)
{
    unsigned char c = (unsigned char)s.p[0];
    size_t want = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    uint32_t v = want == 1 ? c : c & (0x7fu >> want);
    *width = 1;
    if ((c >= 0x80 && c < 0xc2) || want > s.n)
        return 0x80;
    for (size_t i = 1; i < want; i++) {
        if (((unsigned char)s.p[i] & 0xc0) != 0x80)
            return 0x80;
        v = v << 6 | ((unsigned char)s.p[i] & 0x3f);
    }
    *width = want;
    return v;
}

static slice last_component(slice name)
{
    for (size_t i = name.n; i > 0; i--)
        if (name.p[i - 1] == '/' || name.p[i - 1] == '\\')
            return slice_skip(name, i);
    return name;
}

static bool is_dot_or_space(char c)
{
    return c == '.' || c == ' ';
}

static slice trim_end(slice s)
{
    while (s.n && is_dot_or_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

static slice cut_at_character(slice s, size_t max)
{
    if (s.n <= max)
        return s;
    while (max && ((unsigned char)s.p[max] & 0xc0) == 0x80)
        max--;
    return slice_sub(s, 0, max);
}

slice filename_safe(struct arena *a, slice name)
{
    struct out out = {.arena = a};
    for (slice rest = last_component(slice_trim(name)); rest.n;) {
        size_t width;
        uint32_t c = character(rest, &width);
        if (c >= ' ' && c != 0x7f && !is_hidden(c))
            out_add(&out, slice_sub(rest, 0, width));
        rest = slice_skip(rest, width);
    }
    slice safe = out_slice(&out);
    while (safe.n && is_dot_or_space(safe.p[0]))
        safe = slice_skip(safe, 1);
    safe = trim_end(safe);
    if (safe.n <= LIMIT_FILENAME)
        return safe;
    ptrdiff_t dot = slice_rfind(safe, '.');
    slice extension = dot < 0 ? S("") : slice_skip(safe, (size_t)dot);
    if (extension.n > EXTENSION_MAX)
        extension = S("");
    slice stem = cut_at_character(safe, LIMIT_FILENAME - extension.n);
    if (!extension.n)
        return trim_end(stem);
    struct out cut = {.arena = a};
    out_add(&cut, stem);
    out_add(&cut, extension);
    return out_slice(&cut);
}
