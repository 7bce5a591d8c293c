/*
 * Stop 1: addresses of the command line become lists, files become parts that are read while they
 * are sent, and To, Cc and Bcc become the envelope (RFC 5322 3.6.3: Bcc never reaches the message).
 */
#include "agent/compose.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/media.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/rand.h"
#include "message/address.h"
#include "base/banned.h"

/* All mailboxes of "A <a@b>, c@d" texts, added to out. */
static bool add_addresses(struct arena *a, const char *const *texts, size_t count,
                          struct compose_addresses *out, slice *error)
{
    struct compose_address *list = NULL;
    size_t n = 0, capacity = 0;
    for (size_t i = 0; i < count; i++) {
        struct address_list found;
        size_t before = n;
        slice local, domain;
        address_parse(a, slice_c(texts[i]), &found);
        for (size_t k = 0; k < found.count; k++) {
            if (found.list[k].kind != ADDRESS_MAILBOX)
                continue;
            list = arena_grow(a, list, n, &capacity, sizeof(*list));
            list[n] = (struct compose_address){address_name(a, &found.list[k]),
                                               address_email(a, &found.list[k])};
            if (!address_is_mailbox(list[n].email, &local, &domain))
                break;
            n++;
        }
        if (n == before || n - before < found.count) {
            *error = arena_printf(a, "\"%s\" is no address like one@north.test", texts[i]);
            return false;
        }
    }
    *out = (struct compose_addresses){list, n};
    return true;
}

static ssize_t read_file(void *ctx, uint64_t offset, char *to, size_t n)
{
    return pread(*(const int *)ctx, to, n, (off_t)offset);
}

static bool add_attachment(struct arena *a, const char *path, struct agent_letter *l,
                           struct compose_part *part, slice *error)
{
    struct stat st;
    slice name = slice_c(path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0)
        l->files[l->file_count++] = fd;
    if (fd < 0 || fstat(fd, &st) < 0) {
        *error = arena_printf(a, "%s: %s", path, strerror(errno));
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        *error = arena_printf(a, "%s is not a file", path);
        return false;
    }
    ptrdiff_t slash = slice_rfind(name, '/');
    name = slice_skip(name, (size_t)(slash + 1));
    *part = (struct compose_part){.type = media_type(name),
                                  .name = name,
                                  .source = {.size = (uint64_t)st.st_size,
                                             .read = read_file,
                                             .ctx = &l->files[l->file_count - 1]}};
    return true;
}

static bool add_attachments(struct arena *a, const struct agent_mail *mail, struct agent_letter *l,
                            slice *error)
{
    size_t count = mail->attachment_count;
    struct compose_part *parts = arena_array(a, count + 1, sizeof(*parts));
    l->files = arena_array(a, count + 1, sizeof(*l->files));
    for (size_t i = 0; i < count; i++)
        if (!add_attachment(a, mail->attachments[i], l, &parts[i], error))
            return false;
    l->compose.parts = parts;
    l->compose.part_count = count;
    return true;
}

static bool make_envelope(struct arena *a, const struct agent_mail *mail, struct agent_letter *l,
                          slice *error)
{
    size_t count;
    slice *addresses = compose_recipients(a, &l->compose, &count);
    if (count == 0 || count > LIMIT_RECIPIENTS) {
        *error =
            count ? arena_printf(a, "more than %d recipients; send several mails", LIMIT_RECIPIENTS)
                  : S("nobody to send it to: --to two@south.test");
        return false;
    }
    struct recipient *recipients = arena_array(a, count, sizeof(*recipients));
    for (size_t i = 0; i < count; i++)
        recipients[i].address = addresses[i];
    l->envelope = (struct envelope){.recipients = recipients,
                                    .recipient_count = count,
                                    .eight_bit = compose_eight_bit(l->composer),
                                    .hold_until_ms = mail->hold_until_ms};
    if (compose_envelope_address(a, l->compose.from.list[0].email, &l->envelope.sender))
        return true;
    *error = S("the sender is no address like one@north.test");
    return false;
}

bool agent_compose(struct arena *a, const struct agent_mail *mail, struct agent_letter *l,
                   slice *error)
{
    const char *from = arena_cstr(a, mail->from);
    *l = (struct agent_letter){.compose = {.subject = mail->subject,
                                           .text = mail->text,
                                           .html = mail->html,
                                           .date_ms = clock_ms()}};
    struct compose *c = &l->compose;
    c->zone_minutes = clock_zone_minutes(c->date_ms);
    rand_bytes(c->seed, sizeof(c->seed));
    if (!from || !add_addresses(a, &from, 1, &c->from, error) ||
        !add_addresses(a, mail->to, mail->to_count, &c->to, error) ||
        !add_addresses(a, mail->cc, mail->cc_count, &c->cc, error) ||
        !add_addresses(a, mail->bcc, mail->bcc_count, &c->bcc, error) ||
        !add_attachments(a, mail, l, error))
        return false;
    l->composer = compose_open(a, c, error);
    if (!l->composer || !make_envelope(a, mail, l, error))
        return false;
    trace_stop(STOP_COMPOSE, 0, "size=%llu parts=%zu recipients=%zu",
               (unsigned long long)compose_size(l->composer), c->part_count,
               l->envelope.recipient_count);
    return true;
}

void agent_letter_end(struct agent_letter *l)
{
    while (l->file_count)
        close(l->files[--l->file_count]);
}
