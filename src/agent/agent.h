/* The subcommands of the terminal user agent: rows for the table in main.c. */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "base/command.h"

int send_run(struct call *c);
int fetch_run(struct call *c);
extern const struct option_row send_options[], fetch_options[];
extern const struct command read_verbs[];

#endif
