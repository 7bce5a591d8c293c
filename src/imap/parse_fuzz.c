/* Any bytes: elements lie inside the command or the arena; a set prints to a text that reads back
 * the same; what modified UTF-7 decodes to encodes back to the same. */
#include <assert.h>
#include <stdlib.h>

#include "imap/parse.h"
#include "imap/utf7.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    slice all = {(const char *)data, size}, in = all, out;
    struct imap_literal literal;
    struct imap_set set, again;
    bool flag;
    int64_t number;
    int zone;
    imap_literal_at_end(in, &literal);
    imap_string(&a, &in, &out, &flag);
    in = all;
    imap_nstring(&a, &in, &out, &flag);
    in = all;
    imap_date(&in, &number);
    in = all;
    imap_date_time(&in, &number, &zone);
    in = all;
    if (imap_set(&a, &in, 1000, &set)) {
        slice text = imap_set_print(&a, &set), rest = text;
        assert(imap_set(&a, &rest, 1000, &again) && rest.n == 0);
        assert(slice_eq(imap_set_print(&a, &again), text));
    }
    if (utf7_decode(&a, all, &out)) {
        assert(slice_is_utf8(out));
        assert(slice_eq(utf7_encode(&a, out), all));
    }
    in = all;
    while (imap_astring(&a, &in, &out) || imap_space(&in))
        assert(in.n < size);
    arena_end(&a);
    return 0;
}
