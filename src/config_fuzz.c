/* Any bytes are a configuration or an error that names the file; what is read can be read again. */
#include <assert.h>

#include "config.h"
#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config first, second;
    struct buf error = {.max = 4096};
    slice text = {(const char *)data, size};
    bool good = config_parse(&first, text, "f", &error);
    assert(good ? first.hostname && first.listen.count && first.retry.count
                : slice_starts(buf_slice(&error), S("f:")) &&
                      slice_find(buf_slice(&error), '\n') < 0);
    buf_clear(&error);
    assert(config_parse(&second, text, "f", &error) == good);
    config_end(&first);
    config_end(&second);
    buf_end(&error);
    return 0;
}
