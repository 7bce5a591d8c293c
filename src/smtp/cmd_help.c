/* HELP (RFC 5321 4.1.1.8): printed from the table of commands. */
#include "smtp/command.h"

#include "base/banned.h"

int smtp_cmd_help(struct smtp_session *s, slice arg)
{
    struct buf b = {.max = 8 * LIMIT_SMTP_REPLY};
    unsigned offered = smtp_offered(s);
    for (size_t i = 0; i < smtp_command_count; i++) {
        const struct smtp_command *c = &smtp_commands[i];
        if ((offered & 1U << c->extension) && (!arg.n || slice_eq_icase(arg, c->verb)))
            buf_printf(&b, "\n%s: %s", c->syntax, c->help);
    }
    int code = buf_length(&b) ? smtp_reply(s, "214 2.0.0 Yizhan understands%.*s", P(buf_slice(&b)))
                              : smtp_reply(s, "504 5.5.4 No such command");
    buf_end(&b);
    return code;
}
