/* Arguments that several commands take: mailbox names and sets of messages. */
#include "imap/command.h"

#include <assert.h>

#include "imap/utf7.h"
#include "base/banned.h"

/* ---- names ---- */

bool imap_mailbox_decode(struct imap *p, slice spelled, slice *name)
{
    if (p->enabled & ENABLED_UTF8) {
        *name = spelled;
        if (slice_is_utf8(spelled))
            return true;
    } else if (utf7_decode(&p->scratch, spelled, name)) {
        return true;
    }
    imap_no(p, "[CANNOT] That is no name in %s",
            p->enabled & ENABLED_UTF8 ? "UTF-8" : "modified UTF-7");
    return false;
}

bool imap_mailbox_name(struct imap *p, slice *args, slice *name)
{
    slice spelled, decoded;
    if (!imap_astring(&p->scratch, args, &spelled)) {
        imap_syntax(p);
        return false;
    }
    if (!imap_mailbox_decode(p, spelled, &decoded))
        return false;
    if (decoded.n > 1 && slice_ends(decoded, S("/")))
        decoded.n--;
    if (folder_name(&p->scratch, decoded, name))
        return true;
    imap_refused(p, PERMFAIL, REFUSED_NAME);
    return false;
}

bool imap_only_mailbox_name(struct imap *p, slice args, slice *name)
{
    if (!imap_mailbox_name(p, &args, name))
        return false;
    if (args.n)
        imap_syntax(p);
    return args.n == 0;
}

void imap_put_mailbox(struct imap *p, slice name)
{
    imap_put_astring(p, p->enabled & ENABLED_UTF8 ? name : utf7_encode(&p->scratch, name));
}

/* ---- sets ---- */

/* Adds positions [low, high) of ascending runs. */
static void add_run(struct imap *p, struct imap_set *set, size_t *size, uint32_t low, uint32_t high)
{
    if (low >= high)
        return;
    imap_set_add(&p->scratch, set, size, low);
    set->ranges[set->count - 1].high = high - 1;
}

static void positions_of_uids(struct imap *p, const struct imap_set *uids, struct imap_set *out)
{
    size_t size = 0;
    *out = (struct imap_set){0};
    for (size_t i = 0; i < uids->count; i++) {
        const struct imap_range *r = &uids->ranges[i];
        uint32_t low = selected_seek(p->selected, r->low);
        uint32_t high = r->high == UINT32_MAX ? selected_count(p->selected)
                                              : selected_seek(p->selected, r->high + 1);
        add_run(p, out, &size, low, high);
    }
}

bool imap_messages(struct imap *p, slice *args, struct imap_set *positions)
{
    struct imap_set set;
    uint32_t count = selected_count(p->selected);
    if (imap_word(args, S("$"))) {
        positions_of_uids(p, &p->selected->saved, positions);
        return true;
    }
    uint32_t max = p->uid ? selected_last_uid(p->selected) : count;
    if (!imap_set(&p->scratch, args, max, &set)) {
        imap_syntax(p);
        return false;
    }
    if (p->uid) {
        positions_of_uids(p, &set, positions);
        return true;
    }
    if (set.ranges[set.count - 1].high > count) {
        imap_bad(p, "There is no message of that number");
        return false;
    }
    for (size_t i = 0; i < set.count; i++) {
        set.ranges[i].low--;
        set.ranges[i].high--;
    }
    *positions = set;
    return true;
}

uint32_t *imap_uids(struct imap *p, const struct imap_set *positions, size_t *count)
{
    enum { SOME = 1024 }; /* a chunk of the view is seldom walked twice */
    struct entry e[SOME];
    size_t n = 0, all = 0;
    for (size_t i = 0; i < positions->count; i++)
        all += positions->ranges[i].high - positions->ranges[i].low + 1;
    uint32_t *uids = arena_array(&p->scratch, all + 1, sizeof(*uids));
    for (size_t i = 0; i < positions->count; i++) {
        uint32_t at = positions->ranges[i].low, end = positions->ranges[i].high + 1;
        while (at < end) {
            uint32_t want = end - at < SOME ? end - at : SOME;
            uint32_t got = selected_list(p->selected, at, e, want);
            for (uint32_t k = 0; k < got; k++)
                uids[n++] = e[k].uid;
            at = got ? at + got : end;
        }
    }
    *count = n;
    return uids;
}

struct uid_range *imap_uid_ranges(struct imap *p, const struct imap_set *positions, size_t *count)
{
    enum { SOME = 64 }; /* positions may be close together */
    struct entry e[SOME];
    uint32_t from = 0, n = 0;
    struct uid_range *uids = arena_array(&p->scratch, positions->count + 1, sizeof(*uids));
    for (size_t i = 0; i < 2 * positions->count; i++) {
        const struct imap_range *r = &positions->ranges[i / 2];
        uint32_t at = i % 2 ? r->high : r->low;
        if (at - from >= n) {
            from = at;
            n = selected_list(p->selected, at, e, SOME);
        }
        assert(at - from < n);
        *(i % 2 ? &uids[i / 2].high : &uids[i / 2].low) = e[at - from].uid;
    }
    *count = positions->count;
    return uids;
}
