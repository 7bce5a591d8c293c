#include "ops/process.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/banned.h"

bool process_user(const char *name, uid_t *uid, gid_t *gid, struct buf *error)
{
    *uid = geteuid();
    *gid = getegid();
    if (*uid != 0)
        return true;
    const char *wanted = *name ? name : "yizhan";
    const struct passwd *user = getpwnam(wanted);
    if (!user && !*name)
        user = getpwnam("nobody");
    if (!user) {
        buf_printf(error, "there is no user \"%s\": make it, or set \"user\" in yizhan.conf",
                   wanted);
        return false;
    }
    *uid = user->pw_uid;
    *gid = user->pw_gid;
    return true;
}

bool process_become(uid_t uid, gid_t gid, struct buf *error)
{
    if (geteuid() == uid)
        return true;
    if (setgroups(0, NULL) == 0 && setresgid(gid, gid, gid) == 0 && setresuid(uid, uid, uid) == 0)
        return true;
    buf_printf(error, "cannot become user %u: %s; run this as root or as that user", (unsigned)uid,
               strerror(errno));
    return false;
}

bool process_enter(const char *dir, struct buf *error)
{
    struct stat st;
    if (chdir(dir) < 0) {
        buf_printf(error, "%s: %s; make a post with: yizhan init --dir DIR --domain example.com",
                   dir, strerror(errno));
        return false;
    }
    if (stat("yizhan.conf", &st) < 0) {
        buf_printf(error,
                   "%s holds no post (yizhan.conf: %s); make one with: yizhan init --dir %s "
                   "--domain example.com",
                   dir, strerror(errno), dir);
        return false;
    }
    if (stat(".", &st) < 0) {
        buf_printf(error, "%s: %s", dir, strerror(errno));
        return false;
    }
    return geteuid() != 0 || process_become(st.st_uid, st.st_gid, error);
}
