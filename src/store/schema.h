/* All tables of the program, as ordered migrations. */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include "store/engine.h"

/* Takes a store from format - 1 to format, in one transaction. */
enum { MIGRATION_SCRIPTS = 8 };

struct migration {
    int64_t format;
    const char *scripts[MIGRATION_SCRIPTS]; /* in order */
};

extern const struct migration schema_migrations[];
extern const size_t schema_migration_count;

/*
 * Brings the database to the newest format of the table.  An existing store is first copied to
 * path.before-FORMAT.  False with one line in error when it is newer than this program, or broken.
 */
bool schema_migrate(struct db *db, const char *path, const struct migration *rows, size_t count,
                    struct buf *error);

#endif
