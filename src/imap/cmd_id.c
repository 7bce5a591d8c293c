/* ID (RFC 2971): who is it?  What clients say goes to the log, for the operator who looks for the
 * one that misbehaves. */
#include "imap/command.h"

#include "base/log.h"
#include "base/banned.h"

enum { PAIRS = 30, NAME = 30, VALUE = 1024 }; /* section 3.3 */

static bool pairs(struct imap *p, slice *in, struct buf *said)
{
    slice name, value;
    bool nil;
    for (int n = 0; !slice_eat(in, S(")")); n++) {
        if ((n && !imap_space(in)) || n >= PAIRS || !imap_string(&p->scratch, in, &name, NULL) ||
            !imap_space(in) || !imap_nstring(&p->scratch, in, &value, &nil) || name.n > NAME ||
            value.n > VALUE)
            return false;
        buf_printf(said, "%s%.*s=%.*s", n ? " " : "", P(name), P(value));
    }
    return true;
}

void imap_cmd_id(struct imap *p, slice args)
{
    struct buf said = {.max = PAIRS * (NAME + VALUE + 2)};
    bool good = imap_word(&args, S("NIL")) || (slice_eat(&args, S("(")) && pairs(p, &args, &said));
    if (!good || args.n) {
        imap_syntax(p);
    } else {
        log_event(LEVEL_INFO, "imap.id", "session=%s client=%s", p->s.id,
                  log_quote(buf_slice(&said)));
        imap_untagged(p, "ID (\"name\" \"Yizhan\" \"version\" \"%s\")", YIZHAN_VERSION);
        imap_ok(p, "Pleased to meet you");
    }
    buf_end(&said);
}
