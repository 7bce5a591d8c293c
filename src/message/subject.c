/* Base subjects (RFC 5256 2.1) and thread keys (RFC 8621 section 3). */
#include "message/derive.h"

#include "base/limits.h"
#include "base/sha256.h"
#include "message/msgid.h"

#include "base/banned.h"

/* One space for every run of white space; none at the ends. */
static slice one_spaced(struct arena *a, slice s)
{
    char *to = arena_alloc(a, s.n);
    size_t n = 0;
    bool space = false;
    s = slice_trim(s);
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            space = true;
            continue;
        }
        if (space)
            to[n++] = ' ';
        space = false;
        to[n++] = c;
    }
    return (slice){to, n};
}

/* subj-blob: "[text] " */
static bool eat_blob(slice *s)
{
    size_t i = 1;
    if (!s->n || s->p[0] != '[')
        return false;
    while (i < s->n && s->p[i] != ']' && s->p[i] != '[')
        i++;
    if (i == s->n || s->p[i] != ']')
        return false;
    *s = slice_skip(*s, i + 1);
    slice_eat_wsp(s);
    return true;
}

/* subj-refwd: "Re: ", "Fwd [x]: " */
static bool eat_refwd(slice *s)
{
    slice at = *s;
    if (!slice_eat_icase(&at, S("re")) && !slice_eat_icase(&at, S("fwd")) &&
        !slice_eat_icase(&at, S("fw")))
        return false;
    slice_eat_wsp(&at);
    eat_blob(&at);
    if (!slice_eat(&at, S(":")))
        return false;
    *s = at;
    return true;
}

/* subj-leader: any blobs and then subj-refwd, or white space. */
static bool eat_leader(slice *s)
{
    slice at = *s;
    if (slice_eat_wsp(s))
        return true;
    while (eat_blob(&at))
        ;
    if (!eat_refwd(&at))
        return false;
    *s = at;
    return true;
}

static slice without_trailers(slice s)
{
    for (;;) {
        while (s.n && s.p[s.n - 1] == ' ')
            s.n--;
        if (!slice_ends_icase(s, S("(fwd)")))
            return s;
        s.n -= 5;
    }
}

static slice without_prefixes(slice s)
{
    for (;;) {
        while (eat_leader(&s))
            ;
        slice at = s;
        if (!eat_blob(&at) || !at.n)
            return s;
        s = at;
    }
}

slice subject_base(struct arena *a, slice subject)
{
    slice s = one_spaced(a, slice_sub(subject, 0, LIMIT_SUBJECT));
    for (;;) {
        s = without_prefixes(without_trailers(s));
        if (!slice_starts_icase(s, S("[fwd:")) || !slice_ends(s, S("]")))
            return s;
        s = slice_sub(s, 5, s.n - 1);
    }
}

/* What mail programs of other languages put in front of a reply; threads look through it. */
static bool eat_foreign_prefix(slice *s)
{
    static const char *const words[] = {"\xe5\x9b\x9e\xe5\xa4\x8d",
                                        "\xe7\xad\x94\xe5\xa4\x8d",
                                        "\xe8\xbd\xac\xe5\x8f\x91",
                                        "\xe5\x9b\x9e\xe8\xa6\x86",
                                        "\xe8\xbd\x89\xe5\xaf\x84",
                                        "aw",
                                        "wg",
                                        "sv",
                                        "vs",
                                        "vb",
                                        "antw",
                                        "tr",
                                        "rv",
                                        "r",
                                        "i",
                                        "odp",
                                        "pd",
                                        "ynt",
                                        "ilt",
                                        "res",
                                        "enc"};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        slice at = *s;
        if (!slice_eat_icase(&at, slice_c(words[i])))
            continue;
        slice_eat_wsp(&at);
        if (!slice_eat(&at, S(":")) && !slice_eat(&at, S("\xef\xbc\x9a")))
            continue;
        slice_eat_wsp(&at);
        *s = at;
        return true;
    }
    return false;
}

static void add_hash(char *to, slice s)
{
    unsigned char hash[SHA256_BYTES];
    sha256(s, hash);
    memcpy(to, hash, 8);
}

/* The subject as threads compare it: no prefixes, no white space, ASCII in lower case. */
static slice thread_subject(struct arena *a, slice base)
{
    while (eat_foreign_prefix(&base))
        base = without_prefixes(base);
    char *to = arena_alloc(a, base.n);
    size_t n = 0;
    for (size_t i = 0; i < base.n; i++)
        if (base.p[i] != ' ')
            to[n++] = ascii_lower(base.p[i]);
    return (slice){to, n};
}

static size_t add_ids(struct arena *a, char *keys, size_t count, slice value)
{
    struct msgid_list ids;
    msgid_parse(a, value, &ids);
    size_t room = LIMIT_THREAD_KEYS - count;
    size_t from = ids.count > room ? ids.count - room : 0; /* the nearest ones count most */
    for (size_t i = from; i < ids.count; i++) {
        bool twice = false;
        add_hash(keys + 8 * count, ids.list[i]);
        for (size_t j = 1; j < count && !twice; j++)
            twice = memcmp(keys + 8 * j, keys + 8 * count, 8) == 0;
        count += !twice;
    }
    return count;
}

slice thread_keys_make(struct arena *a, slice base_subject, slice message_id, slice in_reply_to,
                       slice references)
{
    char *keys = arena_alloc(a, 8 * (LIMIT_THREAD_KEYS + 1));
    size_t count = 2; /* the subject and the own id */
    add_hash(keys, thread_subject(a, base_subject));
    if (message_id.n)
        add_hash(keys + 8, message_id);
    count = add_ids(a, keys, count, in_reply_to);
    count = add_ids(a, keys, count, references);
    return (slice){keys, 8 * count};
}

static uint64_t key(slice keys, size_t i)
{
    uint64_t v = 0;
    if (8 * i + 8 <= keys.n)
        memcpy(&v, keys.p + 8 * i, 8);
    return v;
}

size_t thread_keys_count(slice keys)
{
    return keys.n >= 8 ? keys.n / 8 - 1 : 0;
}

uint64_t thread_keys_subject(slice keys)
{
    return key(keys, 0);
}

uint64_t thread_keys_id(slice keys, size_t i)
{
    return key(keys, i + 1);
}
