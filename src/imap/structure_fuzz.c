/* Any message: its BODYSTRUCTURE cut short is its BODY; and any text is cut short or refused. */
#include <assert.h>

#include "imap/structure.h"
#include "message/bodystructure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    slice any = {(const char *)data, size}, body;
    struct mime m;
    if (structure_short(&a, any, &body))
        assert(body.n <= any.n);
    mime_parse(&a, any, &m);
    slice full = bodystructure_print(&a, &m, 0, true);
    assert(structure_short(&a, full, &body));
    assert(slice_eq(body, bodystructure_print(&a, &m, 0, false)));
    arena_end(&a);
    return 0;
}
