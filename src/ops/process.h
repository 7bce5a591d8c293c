/* Who we are: the unprivileged user behind root, the directory we work in, what we give up. */
#ifndef OPS_PROCESS_H
#define OPS_PROCESS_H

#include <sys/types.h>

#include "base/buf.h"

/*
 * The unprivileged user of that name ("": yizhan when it exists, else nobody), or ourselves when we
 * are not root.  False with one line in error.
 */
bool process_user(const char *name, uid_t *uid, gid_t *gid, struct buf *error);

/*
 * Makes an existing post's DIR the current directory.  From then on paths are relative: a directory
 * that only root may reach works for its unprivileged owner, too.
 */
bool process_go(const char *dir, struct buf *error);
/*
 * Whom the post in the current directory belongs to, which must be the user of that name if it is
 * not ""; ourselves when we are not root.  False with one line in error.
 */
bool process_owner(const char *name, uid_t *uid, gid_t *gid, struct buf *error);
/* Becomes this user for good, groups and saved ids too.  Nothing when we are it already. */
bool process_become(uid_t uid, gid_t gid, struct buf *error);
/* process_go and, as root, becomes the owner: no file of a post ever belongs to root. */
bool process_enter(const char *dir, struct buf *error);

/*
 * The worker takes all the descriptors it may have and gives up what it never needs: new
 * privileges.  The one place for Landlock and seccomp.
 */
bool process_confine(struct buf *error);

/* Tells systemd (sd_notify(3)); nothing without $NOTIFY_SOCKET. */
void process_notify(const char *state);

#endif
