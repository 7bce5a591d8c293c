#include "base/outcome.h"

#include "base/banned.h"

const char *outcome_name(enum outcome o)
{
    static const char *const names[] = {
        [DONE] = "done", [WAIT] = "wait", [TEMPFAIL] = "tempfail", [PERMFAIL] = "permfail"};
    return names[o];
}
