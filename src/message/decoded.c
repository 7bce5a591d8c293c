/* Header text for people: the one place where fields and addresses meet encoded words. */
#include "message/address.h"
#include "message/header.h"
#include "message/word2047.h"

#include "base/banned.h"

slice header_text(struct arena *a, slice value)
{
    return word2047_decode(a, value);
}

slice address_name(struct arena *a, const struct address *x)
{
    return word2047_decode(a, x->name);
}
