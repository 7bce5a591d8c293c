/* Who we are: the unprivileged user behind root, and the directory we work in. */
#ifndef OPS_PROCESS_H
#define OPS_PROCESS_H

#include <sys/types.h>

#include "base/buf.h"

/*
 * The unprivileged user of the configuration ("": yizhan when it exists, else nobody), or ourselves
 * when we are not root.  False with one line in error.
 */
bool process_user(const char *name, uid_t *uid, gid_t *gid, struct buf *error);

/* Becomes this user for good, groups and saved ids too.  Nothing when we are it already. */
bool process_become(uid_t uid, gid_t gid, struct buf *error);

/*
 * Makes an existing post's DIR the current directory and, as root, becomes its owner, so that no
 * file in it ever belongs to root.  From then on paths are relative: a directory that only root may
 * reach works too.  False with one line in error: what happened and what to do.
 */
bool process_enter(const char *dir, struct buf *error);

#endif
