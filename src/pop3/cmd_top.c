/* TOP (RFC 1939 section 7): the header, the blank line, and n lines of the body. */
#include "pop3/command.h"

#include "base/banned.h"

void pop3_cmd_top(struct pop3 *p, slice argument)
{
    ptrdiff_t space = slice_find(argument, ' ');
    slice number = space < 0 ? argument : slice_sub(argument, 0, (size_t)space);
    uint64_t lines;
    if (space < 0 ||
        !slice_u64(slice_trim(slice_skip(argument, (size_t)space)), UINT32_MAX, &lines)) {
        pop3_bad(p, "%s", pop3_say(p, "Write TOP message lines", "请写 TOP 编号 行数"));
        return;
    }
    if (!pop3_message_open(p, number, lines))
        return;
    pop3_ok(p, "%s", pop3_say(p, "The top follows", "邮件开头如下"));
    pop3_message_send(p);
}
