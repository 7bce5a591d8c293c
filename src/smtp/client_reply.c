/* Replies as the client reads them (RFC 5321 4.2, 4.3.2): by count, never by text. */
#include "smtp/client_private.h"

#include "base/banned.h"

enum { REPLY_LINES_MAX = 200, REPLY_TEXT_MAX = 32 * 1024 };

/* "5.1.1 " at the start of text, when its class is that of the code (RFC 2034). */
static slice eat_enhanced(slice *text, int code)
{
    slice rest = *text, word;
    if (!slice_next(&rest, ' ', &word) || word.n < 5 || word.p[1] != '.' ||
        word.p[0] != '0' + code / 100)
        return S("");
    size_t dots = 0;
    for (size_t i = 0; i < word.n; i++) {
        dots += word.p[i] == '.';
        if (word.p[i] == '.' ? word.p[i - 1] == '.' || i + 1 == word.n : !ascii_is_digit(word.p[i]))
            return S("");
    }
    if (dots != 2)
        return S("");
    *text = rest;
    return word;
}

int reply_take(struct reply_lines *x, struct arena *a, slice line)
{
    uint64_t code;
    if (line.n < 3 || !slice_u64(slice_sub(line, 0, 3), 999, &code) || code < 100 ||
        (line.n > 3 && line.p[3] != '-' && line.p[3] != ' ') || x->count >= REPLY_LINES_MAX ||
        x->r.text.n + line.n > REPLY_TEXT_MAX)
        return -1;
    slice text = slice_skip(line, 4);
    slice enhanced = eat_enhanced(&text, (int)code);
    x->r.code = (int)code; /* RFC 5321 4.2.1: all the same; where they are not, the last counts */
    if (x->count++ == 0) {
        x->r.enhanced = arena_dup(a, enhanced);
        x->r.text = arena_dup(a, text);
    } else {
        x->r.text = arena_printf(a, "%.*s\n%.*s", P(x->r.text), P(text));
    }
    return line.n > 3 && line.p[3] == '-' ? 0 : 1;
}

void reply_settle(struct smtp_reply *r, struct arena *a, bool of_rcpt)
{
    int class = r->code / 100;
    if (of_rcpt && r->code == 552) { /* RFC 5321 4.5.3.1.10: too many recipients, of old */
        r->code = 452;
        r->enhanced = S("4.5.3");
    } else if (class != 2 && class != 4 && class != 5) {
        r->text = arena_printf(a, "reply not expected here: %d %.*s", r->code, P(r->text));
        r->code = 451;
        r->enhanced = S("4.5.0");
    }
}
