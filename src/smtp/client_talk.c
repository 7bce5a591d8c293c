/* Lines to and from the server: every loss of the connection is noticed here, once. */
#include "smtp/client_private.h"

#include <stdio.h>

#include "base/banned.h"

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

void reply_join(struct smtp_reply *r, struct arena *a)
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
    reply_join(r, a);
    return heard;
}
