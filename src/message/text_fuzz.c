/*
 * HTML to text and format=flowed: UTF-8 and no controls come out, little comes of little, the cap
 * holds and cuts only the end; flowed text is stable once written.
 */
#include "message/text.h"

#include <assert.h>
#include <stdlib.h>

#include "message/flowed.h"

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    slice in = {(const char *)data, size};
    slice text = html_to_text(&a, in, 0, SIZE_MAX);
    assert(slice_is_utf8(text) && slice_find(text, 0) < 0 && slice_find(text, '\r') < 0);
    assert(text.n == 0 || text.p[text.n - 1] == '\n');
    html_to_text(&a, in, HTML_LINKS | HTML_QUOTES, SIZE_MAX);
    slice start = html_to_text(&a, in, 0, 64);
    assert(start.n <= 64 && slice_is_utf8(start));
    slice charset = html_charset(in);
    assert(charset.n == 0 || slice_eq(charset, S("utf-8")) ||
           (charset.p >= in.p && charset.p + charset.n <= in.p + in.n));
    /* Text made HTML says the same: no markup gets in or out. */
    assert(slice_find(html_to_text(&a, text_to_html(&a, S("<b>&amp;")), 0, 64), '<') == 0);
    text_to_html(&a, in);
    for (int delsp = 0; delsp < 2; delsp++) {
        slice once = flowed_decode(&a, flowed_encode(&a, in, delsp), delsp);
        slice twice = flowed_decode(&a, flowed_encode(&a, once, delsp), delsp);
        assert(slice_eq(once, twice));
    }
    arena_end(&a);
    return 0;
}
