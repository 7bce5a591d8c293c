/*
 * Any bytes as a message: a header and the text behind it are the whole; a part lies in what holds
 * it; the fields a list names and those it does not name are all fields.
 */
#include <assert.h>

#include "imap/section.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct section_range of_part(const struct mime *m, slice part, enum section_text text)
{
    struct section_range r;
    struct section s = {.part = part, .text = text};
    bool found = section_of_part(m, &s, &r);
    assert(found && r.from <= r.to && r.to <= m->message.n);
    return r;
}

static void check_part(struct arena *a, const struct mime *m, size_t at)
{
    slice number = mime_number(a, m, at);
    if (slice_ends(number, S("TEXT"))) /* the root of a message: no number of its own */
        return;
    struct section_range body = of_part(m, number, SECTION_ALL);
    struct section_range mime = of_part(m, number, SECTION_MIME);
    assert(mime.to == body.from);
    struct section_range r;
    struct section s = {.part = number, .text = SECTION_HEADER};
    size_t part;
    assert(mime_by_number(m, number, &part));
    if (m->parts[part].kind != MIME_MESSAGE) {
        assert(!section_of_part(m, &s, &r));
        return;
    }
    struct section_range header = of_part(m, number, SECTION_HEADER);
    struct section_range text = of_part(m, number, SECTION_TEXT);
    assert(header.from == body.from && header.to == text.from && text.to <= body.to);
}

static size_t length_of_fields(slice header)
{
    struct header_field f;
    size_t n = 0;
    for (slice rest = header; header_next(&rest, &f);)
        n += f.whole.n;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    slice message = {(const char *)data, size}, names[] = {S("From"), S("Content-Type")};
    struct section s = {.text = SECTION_FIELDS, .names = names, .name_count = 2};
    struct mime m;
    mime_parse(&a, message, &m);
    slice header = header_of(message);
    assert(header.n == m.parts[0].body);
    for (size_t i = 0; i < m.count && i < 300; i++)
        check_part(&a, &m, i);
    bool body = header.n < message.n;
    slice some = section_fields(&a, &s, header, body);
    s.text = SECTION_FIELDS_NOT;
    slice rest = section_fields(&a, &s, header, body);
    s.name_count = 0;
    slice all = section_fields(&a, &s, header, body);
    size_t fields = length_of_fields(header), line = all.n - fields;
    assert(line == 0 || line == 2);
    assert(some.n + rest.n == fields + 2 * line);
    arena_end(&a);
    return 0;
}
