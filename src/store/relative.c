/* The default VFS with one function replaced: a path is its own full path. */
#include "store/relative.h"

#include <pthread.h>
#include <sqlite3.h>
#include <string.h>

#include "base/banned.h"

static int full_path(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    (void)vfs;
    size_t n = strlen(name);
    if (n >= (size_t)size)
        return SQLITE_CANTOPEN;
    memcpy(out, name, n + 1);
    return SQLITE_OK;
}

static void begin(void)
{
    static sqlite3_vfs shim;
    shim = *sqlite3_vfs_find(NULL);
    shim.zName = "relative";
    shim.xFullPathname = full_path;
    sqlite3_vfs_register(&shim, 1);
}

void store_relative_paths(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, begin);
}
