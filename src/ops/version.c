/* yizhan version */
#include <stdio.h>

#include "ops/ops.h"
#include "base/banned.h"

int version_run(struct call *c)
{
    (void)c;
    printf("yizhan %s\n", YIZHAN_VERSION);
    return EXIT_DONE;
}
