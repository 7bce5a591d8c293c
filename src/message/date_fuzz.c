/* Dates: what is read is printed and read again as the same moment, in every form. */
#include "message/date.h"

#include <assert.h>
#include <stdlib.h>

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    int64_t ms, again;
    int zone, zone_again;
    slice in = {(const char *)data, size};
    if (date_parse(in, &ms, &zone)) {
        assert(zone > -24 * 60 && zone < 24 * 60 && ms % 1000 == 0);
        struct date_fields f;
        date_fields(ms, zone, &f);
        if (f.year >= 1000 && f.year <= 9998) {
            assert(date_parse(date_print(&a, ms, zone), &again, &zone_again));
            assert(again == ms && zone_again == zone);
            assert(date_parse_imap(date_print_imap(&a, ms, zone), &again, &zone_again));
            assert(again == ms && zone_again == zone);
            assert(date_parse_3339(date_print_3339(&a, ms, zone, true), &again, &zone_again));
            assert(again == ms && zone_again == 0);
        }
    }
    date_parse_imap(in, &ms, &zone);
    date_parse_3339(in, &ms, &zone);
    arena_end(&a);
    return 0;
}
