/* What the files of yizhan read share: a login, an open mailbox, the messages that were named. */
#ifndef AGENT_READ_H
#define AGENT_READ_H

#include "agent/agent.h"
#include "agent/imap_client.h"
#include "base/json.h"

struct reading {
    struct call *call;
    struct agent_account account;
    struct imap_client *client;
    slice mailbox;     /* the open one */
    uint32_t messages; /* in it */
    struct buf error;
};

/* Logs in.  EXIT_DONE, or the code after one line on standard error; read_end in both cases. */
int read_begin(struct call *c, struct reading *r);
/* Logs in and opens --mailbox (INBOX). */
int read_begin_mailbox(struct call *c, struct reading *r, bool read_only);
void read_end(struct reading *r);
/* One line: what r->error says, with advice where there is some. */
int read_failed(struct reading *r);

/* The messages that the operands name ("12", "12:15", "4,7"), at least one. */
int read_named(struct reading *r, struct imap_numbers *uids);

/* A message of a list as JSON. */
json_t *read_head_json(struct arena *a, const struct imap_head *h);

int read_show_run(struct call *c);
extern const struct option_row read_show_options[];

#define READ_MAILBOX_OPTION                                                                        \
    {                                                                                              \
        "mailbox", "NAME", OPTION_TEXT, 0, "the mailbox (else INBOX)", "邮箱（默认 INBOX）"  \
    }
#define READ_JSON_OPTION                                                                           \
    {                                                                                              \
        "json", NULL, OPTION_FLAG, 0, "print it as JSON", "以 JSON 输出"                        \
    }

#endif
