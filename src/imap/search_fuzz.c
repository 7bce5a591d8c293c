/*
 * The first line is a SEARCH, the rest a message.  The tree stays within its limits, an answer
 * given with little known stays when more is known, what is needed next is not known yet, and NOT
 * turns every answer round.
 */
#include <assert.h>

#include "base/limits.h"
#include "imap/search_match.h"
#include "message/bodystructure.h"
#include "message/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t bit_of(void *ctx, slice name)
{
    (void)ctx;
    return name.n % 2 ? 1 << 8 : 0;
}

static enum search_answer ask(const struct search_key *root, slice message, struct arena *a,
                              struct buf *room, enum search_known known, bool turned)
{
    struct search_key not = *root;
    struct search_subject s = {
        .known = known,
        .entry = {.uid = 7, .modseq = 50, .flags = 0x101, .size = message.n},
        .number = 2,
        .now_ms = 1000000,
        .arena = a,
        .room = room,
        .header = header_of(message),
        .message = message,
    };
    s.envelope = message.n % 3 ? envelope_print(a, s.header) : S("");
    not .negate ^= turned;
    return search_match(&not, &s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    struct buf room = {0};
    struct search search;
    struct search_context c = {.messages = 10, .last_uid = 99, .utf8 = size % 2};
    slice message = {(const char *)data, size}, line;
    if (!slice_next(&message, '\n', &line) || search_read(&a, line, &c, &search) != SEARCH_READ)
        goto out;
    search_keywords(&search, bit_of, NULL);
    size_t keys = 0;
    for (const struct search_key *k = search.newest; k; k = k->older)
        keys++;
    assert(keys == search.count && keys <= LIMIT_SEARCH_KEYS && search.results);
    enum search_answer before = SEARCH_NEEDS_ROW;
    for (enum search_known known = KNOWS_ENTRY; known <= KNOWS_MESSAGE; known++) {
        enum search_answer now = ask(search.root, message, &a, &room, known, false);
        enum search_answer not = ask(search.root, message, &a, &room, known, true);
        assert(before > SEARCH_YES || now == before);
        assert(now <= SEARCH_YES || now - SEARCH_NEEDS_ROW >= known);
        assert(now > SEARCH_YES ? not == now : not == (now == SEARCH_YES ? SEARCH_NO : SEARCH_YES));
        before = now;
    }
    assert(before <= SEARCH_YES);
out:
    buf_end(&room);
    arena_end(&a);
    return 0;
}
