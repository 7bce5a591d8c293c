#include "imap/fetch_later.h"

#include <assert.h>

#include "base/banned.h"

bool fetch_later_add(struct fetch_later *l, struct store *s, const struct message *m,
                     struct buf *out)
{
    if (l->count == MESSAGE_LIST && !fetch_later_read(l, s, out))
        return false;
    assert(buf_room(out) >= m->size);
    buf_add(out, m->prefix);
    l->messages[l->count] = *m;
    l->at[l->count++] = buf_length(out);
    buf_space(out, m->body_bytes);
    buf_wrote(out, m->body_bytes);
    return true;
}

bool fetch_later_read(struct fetch_later *l, struct store *s, struct buf *out)
{
    char *to[MESSAGE_LIST];
    size_t n = l->count;
    for (size_t i = 0; i < n; i++)
        to[i] = out->p + out->at + l->at[i];
    l->count = 0;
    if (n == 0 || message_read_bodies(s, l->messages, to, n))
        return true;
    buf_cut(out, l->at[0]);
    return false;
}
