/* Users, directories and privileges, by system calls that are checked one by one. */
#include "ops/process.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "store/vfs.h"
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
        buf_printf(error, "there is no user \"%s\"; make it: useradd -r %s", wanted, wanted);
        return false;
    }
    *uid = user->pw_uid;
    *gid = user->pw_gid;
    return true;
}

bool process_go(const char *dir, struct buf *error)
{
    struct stat st;
    if (chdir(dir) < 0)
        buf_printf(error, "%s: %s; make a post with: yizhan init --dir DIR --domain example.com",
                   dir, strerror(errno));
    else if (stat("yizhan.conf", &st) < 0)
        buf_printf(error,
                   "%s holds no post (yizhan.conf: %s); make one with: yizhan init --dir %s "
                   "--domain example.com",
                   dir, strerror(errno), dir);
    else {
        store_relative_paths();
        return true;
    }
    return false;
}

bool process_owner(const char *name, uid_t *uid, gid_t *gid, struct buf *error)
{
    struct stat st;
    const struct passwd *user;
    *uid = geteuid();
    *gid = getegid();
    if (*uid != 0)
        return true;
    if (stat(".", &st) < 0) {
        buf_printf(error, "the post's directory: %s", strerror(errno));
        return false;
    }
    if (*name && (!(user = getpwnam(name)) || user->pw_uid != st.st_uid)) {
        buf_printf(error,
                   "the post does not belong to user \"%s\" of yizhan.conf; run in its "
                   "directory: chown -R %s .",
                   name, name);
        return false;
    }
    if (!*name && st.st_uid == 0) {
        buf_printf(error, "the post belongs to root; give it to the unprivileged user: chown -R "
                          "yizhan, in its directory");
        return false;
    }
    *uid = st.st_uid;
    *gid = st.st_gid;
    return true;
}

bool process_become(uid_t uid, gid_t gid, struct buf *error)
{
    umask(0077); /* a post's files are its own */
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
    uid_t uid;
    gid_t gid;
    return process_go(dir, error) && process_owner("", &uid, &gid, error) &&
           process_become(uid, gid, error);
}

bool process_confine(struct buf *error)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        return true;
    buf_printf(error, "no_new_privs: %s", strerror(errno));
    return false;
}

void process_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(address.sun_path))
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address, n);
    close(fd);
}
