/* Replies (RFC 5321 4.2, RFC 2034): they accumulate in base.out, which is what PIPELINING asks. */
#include "smtp/command.h"

#include <stdio.h>

#include "base/log.h"
#include "base/banned.h"

enum { REPLY_TEXT = 8 * LIMIT_SMTP_REPLY };

/* The length of "5.1.1 " at the start of s, 0 when there is no enhanced code (RFC 3463). */
static size_t enhanced_length(slice s)
{
    slice rest = s, digits;
    uint64_t n;
    for (int i = 0; i < 3; i++) {
        digits = rest;
        while (rest.n && ascii_is_digit(rest.p[0]))
            rest = slice_skip(rest, 1);
        digits.n -= rest.n;
        if (!slice_u64(digits, 999, &n) || !slice_eat(&rest, i < 2 ? S(".") : S(" ")))
            return 0;
    }
    return s.n - rest.n;
}

/* One line: code, "-" or " ", enhanced code with its space, text with nothing but printable ASCII.
 */
static void put_line(struct buf *out, slice code, bool last, slice enhanced, slice text)
{
    text = slice_sub(text, 0, LIMIT_SMTP_REPLY - 2 - 4 - enhanced.n);
    char *p = buf_space(out, LIMIT_SMTP_REPLY);
    if (!p)
        return;
    memcpy(p, code.p, 3);
    p[3] = last ? ' ' : '-';
    memcpy(p + 4, enhanced.p, enhanced.n);
    size_t n = 4 + enhanced.n;
    for (size_t i = 0; i < text.n; i++)
        p[n++] = text.p[i] >= 0x20 && text.p[i] < 0x7f ? text.p[i] : '?';
    p[n++] = '\r';
    p[n++] = '\n';
    buf_wrote(out, n);
}

static int put_reply(struct smtp_session *s, slice all)
{
    slice code = slice_sub(all, 0, 3), text = slice_skip(all, 4), line;
    slice enhanced = slice_sub(text, 0, code.p[0] == '3' ? 0 : enhanced_length(text));
    text = slice_skip(text, enhanced.n);
    do {
        line = S("");
        slice_next(&text, '\n', &line);
        put_line(&s->base.out, code, text.n == 0, enhanced, line);
    } while (text.n);
    return (code.p[0] - '0') * 100 + (code.p[1] - '0') * 10 + (code.p[2] - '0');
}

static int reply_args(struct smtp_session *s, const char *format, va_list args)
{
    char text[REPLY_TEXT];
    int n = vsnprintf(text, sizeof(text), format, args);
    return put_reply(s, slice_sub((slice){text, (size_t)n}, 0, sizeof(text) - 1));
}

int smtp_reply(struct smtp_session *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int code = reply_args(s, format, args);
    va_end(args);
    return code;
}

int smtp_reply_close(struct smtp_session *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int code = reply_args(s, format, args);
    va_end(args);
    s->base.want = SESSION_CLOSE;
    return code;
}

int smtp_reply_answer(struct smtp_session *s, const struct smtp_answer *answer)
{
    if (answer->code < 200 || answer->code > 599 || !answer->enhanced.n)
        return smtp_reply(s, "451 4.3.0 Try again later");
    if (answer->code == 421)
        return smtp_reply_close(s, "421 %.*s %.*s", P(answer->enhanced), P(answer->text));
    return smtp_reply(s, "%d %.*s %.*s", answer->code, P(answer->enhanced), P(answer->text));
}
