/* NOOP (RFC 1939 section 5). */
#include "pop3/command.h"

#include "base/banned.h"

void pop3_cmd_noop(struct pop3 *p, slice argument)
{
    (void)argument;
    pop3_ok(p, "%s", pop3_say(p, "Here", "在线"));
}
