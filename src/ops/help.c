/* yizhan help [COMMAND...|config]: everything is printed from the tables. */
#include "ops/ops.h"
#include "base/banned.h"

enum { HELP_MAX = 256 * 1024 };

int help_run(struct call *c)
{
    struct buf out = {.max = HELP_MAX};
    slice name = S("");
    for (size_t i = 0; i < c->operand_count; i++)
        name = arena_printf(c->arena, "%.*s%s%s", P(name), i ? " " : "", c->operands[i]);
    if (!name.n) {
        command_print_list(c->commands, &out);
    } else if (slice_eq(name, S("config"))) {
        config_print_docs(&out);
    } else if (!command_print_help(c->commands, name, &out)) {
        buf_end(&out);
        return call_usage(c, "there is no command \"%.*s\"", P(name));
    }
    return print_out(&out);
}
