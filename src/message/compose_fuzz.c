/*
 * The composer: any strings in any member give either an error or a message the parser finds
 * nothing wrong with, which holds no field and no line it should not.
 */
#include "message/compose.h"

#include <assert.h>
#include <stdlib.h>

#include "message/dsn.h"
#include "message/header.h"
#include "message/parse.h"

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static slice take(slice *in)
{
    slice one;
    return slice_next(in, '|', &one) ? one : S("");
}

static void check(struct arena *a, struct composer *m)
{
    slice all = compose_all(a, m), rest = all, line, value;
    assert(all.n == compose_size(m));
    assert(compose_eight_bit(m) || compose_utf8(m) || slice_is_ascii(all));
    while (slice_next(&rest, '\n', &line))
        assert(line.n > 0 && line.n <= 999 && line.p[line.n - 1] == '\r');
    assert(!header_find(header_of(all), S("Bcc"), &value));
    static const char *const once[] = {"From", "To",         "Subject",
                                       "Date", "Message-ID", "Content-Type"};
    for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++)
        assert(header_count(header_of(all), slice_c(once[i])) <= 1);
    struct mime tree;
    mime_parse(a, all, &tree);
    assert((tree.parts[0].defects & (DEFECT_NO_CLOSE | DEFECT_NO_PARTS | DEFECT_BAD_FIELD)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    slice in = {(const char *)data, size}, error;
    struct compose_address from = {take(&in), S("one@north.test")}, to = {take(&in), take(&in)};
    struct compose_part part = {.type = take(&in), .name = take(&in), .cid = take(&in)};
    struct compose_field field = {take(&in), take(&in)};
    struct compose c = {.from = {&from, 1},
                        .to = {&to, 1},
                        .bcc = {&to, 1},
                        .subject = take(&in),
                        .in_reply_to = take(&in),
                        .fields = &field,
                        .field_count = field.name.n ? 1 : 0,
                        .html = take(&in),
                        .parts = &part,
                        .part_count = 1};
    part.source.bytes = take(&in);
    c.text = in;
    struct composer *m = compose_open(&a, &c, &error);
    if (m)
        check(&a, m);
    else
        assert(error.n && slice_find(error, '\n') < 0);

    struct dsn_recipient r = {.address = to.email,
                              .orcpt = part.name,
                              .status = part.cid,
                              .remote_mta = field.name,
                              .reply = c.subject,
                              .reason = field.value};
    struct dsn d = {.reporting_mta = S("mx.north.test"),
                    .domain = S("north.test"),
                    .to = S("one@north.test"),
                    .envid = to.name,
                    .subject = c.subject,
                    .message_id = c.in_reply_to,
                    .recipients = &r,
                    .recipient_count = 1,
                    .original = {.bytes = c.text},
                    .full = c.text.n % 2};
    m = dsn_open(&a, &d, &error);
    assert(m);
    check(&a, m);
    arena_end(&a);
    return 0;
}
