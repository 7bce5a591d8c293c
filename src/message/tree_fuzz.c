/* Random trees: whatever is composed, the parser finds in it what went in (compose_tree.h). */
#include "message/compose_tree.h"

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tree_round_trip((slice){(const char *)data, size});
    return 0;
}
