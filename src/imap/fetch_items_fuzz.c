/* Any bytes: what an item is answered with is, asked again, the same item. */
#include <assert.h>

#include "imap/fetch_items.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The item that gives this label. */
static slice asked(struct arena *a, const struct fetch_item *item)
{
    slice label = slice_sub(item->label, 0, item->label.n - 1);
    if (!item->partial)
        return label;
    return arena_printf(a, "%.*s.%llu>", (int)label.n - 1, label.p,
                        (unsigned long long)item->length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    struct fetch_items f, again;
    if (fetch_items_parse(&a, (slice){(const char *)data, size}, &f)) {
        assert(f.count > 0);
        for (size_t i = 0; i < f.count; i++) {
            const struct fetch_item *item = &f.items[i];
            assert(fetch_items_parse(&a, asked(&a, item), &again) && again.count == 1);
            assert(slice_eq(again.items[0].label, item->label));
            assert(again.items[0].kind == item->kind);
            assert(again.items[0].length == item->length);
        }
    }
    arena_end(&a);
    return 0;
}
