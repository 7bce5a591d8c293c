/* Replies as the client reads them (RFC 5321 4.2, 4.3.2): by count, never by text. */
#include "smtp/client_private.h"

#include <stdio.h>

#include "base/banned.h"

enum { REPLY_LINES_MAX = 200 };

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
        (line.n > 3 && line.p[3] != '-' && line.p[3] != ' ') || x->count >= REPLY_LINES_MAX)
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

void client_lose(struct smtp_client *c, const char *why)
{
    if (c->alive)
        snprintf(c->error, sizeof(c->error), "%s", why);
    c->alive = false;
}

bool client_say(struct smtp_client *c, const char *format, ...)
{
    char line[LIMIT_SMTP_AUTH_LINE];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof(line) - 2, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(line) - 2) {
        client_lose(c, "a command would be longer than SMTP allows");
        return false;
    }
    memcpy(line + n, "\r\n", 2);
    if (c->alive && !dial_write(c->dial, (slice){line, (size_t)n + 2}))
        client_lose(c, dial_error(c->dial));
    return c->alive;
}

/* One line of the text for people: the lines joined by spaces, nothing but what can be printed. */
static void join(struct smtp_reply *r, struct arena *a)
{
    char *p = arena_alloc(a, r->text.n + 1);
    for (size_t i = 0; i < r->text.n; i++) {
        unsigned char ch = (unsigned char)r->text.p[i];
        p[i] = ch == '\n' || ch == '\t' ? ' ' : ch < 0x20 || ch == 0x7f ? '?' : (char)ch;
    }
    r->text.p = p;
}

bool client_hear_lines(struct smtp_client *c, struct arena *a, int64_t wait_ms,
                       struct smtp_reply *r)
{
    struct reply_lines x = {0};
    *r = (struct smtp_reply){0};
    if (c->alive) {
        dial_timeout(c->dial, wait_ms);
        if (!dial_flush(c->dial))
            client_lose(c, dial_error(c->dial));
    }
    while (c->alive) {
        slice line;
        int more;
        if (!dial_line(c->dial, LIMIT_SMTP_AUTH_LINE, &line))
            client_lose(c, dial_error(c->dial));
        else if ((more = reply_take(&x, a, line)) < 0)
            client_lose(c, "the server said something that is no SMTP reply");
        else if (more) {
            *r = x.r;
            if (r->code == 421) /* RFC 5321 3.8: the server closes */
                client_lose(c, arena_printf(a, "%.*s", P(r->text)).p);
            return true;
        }
    }
    r->text = arena_dup(a, slice_c(c->error));
    return false;
}

bool client_hear(struct smtp_client *c, struct arena *a, int64_t wait_ms, struct smtp_reply *r)
{
    bool heard = client_hear_lines(c, a, wait_ms, r);
    join(r, a);
    return heard;
}
