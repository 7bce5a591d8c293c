/*
 * RETR (RFC 1939 section 5), stop 12 of the journey: the stored bytes, prefix and body, in steps of
 * 64 KiB as the reader takes them; a slow one costs constant memory.  Stored messages end in CRLF
 * (intake sees to it); one that does not gets it here, uncounted.
 */
#include "pop3/command.h"

#include "base/log.h"
#include "base/rand.h"
#include "base/banned.h"

enum { RETR_STEP = 64 * 1024 };

bool pop3_message_open(struct pop3 *p, slice argument, uint64_t lines)
{
    uint32_t position;
    struct entry e;
    if (!pop3_number(p, argument, &position, &e))
        return false;
    struct store *store = p->options->login->store;
    if (maildrop_is_gone(&p->drop, &e)) {
        pop3_err(p, "%s", pop3_say(p, "It was removed meanwhile", "邮件已被删除"));
        return false;
    }
    /* Once message_fetched is true it cannot be recalled any more: not a byte leaves before. */
    if (!maildrop_message(&p->drop, position, &p->message) ||
        !message_fetched(store, p->drop.account, e.message)) {
        pop3_err(p, "[SYS/TEMP] %s", pop3_say(p, "It cannot be read now", "暂时无法读取"));
        return false;
    }
    p->offset = 0;
    p->stuffing = (struct stuffing){.ascii_header = !p->utf8, .body_lines = lines};
    return true;
}

/* A read failed inside the answer: nothing true can follow, so the connection ends without ".". */
static void give_up(struct pop3 *p)
{
    log_event(LEVEL_ERROR, "pop3.unreadable", "session=%s account=%lld message=%lld offset=%llu",
              p->s.id, (long long)p->message.account, (long long)p->message.id,
              (unsigned long long)p->offset);
    p->s.want = SESSION_CLOSE;
}

void pop3_message_send(struct pop3 *p)
{
    char block[RETR_STEP] __attribute__((uninitialized)); /* zeroing it costs more than reading */
    struct store *store = p->options->login->store;
    while (p->offset < p->message.size && !p->stuffing.done) {
        if (!pop3_has_room(p, pop3_message_send))
            return;
        ssize_t n = message_read(store, &p->message, p->offset, block, sizeof(block));
        if (n <= 0) {
            give_up(p);
            return;
        }
        stuff_add(&p->stuffing, (slice){block, (size_t)n}, &p->s.out);
        p->offset += (uint64_t)n;
    }
    stuff_end(&p->stuffing, &p->s.out);
}

void pop3_cmd_retr(struct pop3 *p, slice argument)
{
    if (!pop3_message_open(p, argument, UINT64_MAX))
        return;
    p->retrieved++;
    p->retrieved_bytes += p->message.size;
    metric_add(METRIC_POP3_RETRIEVED, 1);
    log_step(p->s.who, "transaction", "RETR %.*s: %llu octets", P(argument),
             (unsigned long long)p->message.size);
    trace_stop(STOP_READER, p->message.queue_id,
               "account=%lld message=%lld bytes=%llu protocol=pop3", (long long)p->message.account,
               (long long)p->message.id, (unsigned long long)p->message.size);
    pop3_ok(p, pop3_say(p, "%llu octets", "%llu 字节"), (unsigned long long)p->message.size);
    pop3_message_send(p);
}
