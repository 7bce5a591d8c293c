#include "ops/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/file.h"

static _Noreturn void become(const char *const *words, int in, int out, int error)
{
    const char *argv[CHILD_WORDS + 2] = {"yizhan"};
    char program[4096]; /* its real name, for ps */
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
    program[n > 0 ? n : 0] = '\0';
    for (size_t i = 0; words[i] && i < CHILD_WORDS; i++)
        argv[i + 1] = words[i];
    setpgid(0, 0); /* ^C is for the parent, which ends us in good order */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(error, 2) < 0)
        _exit(127);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(n > 0 ? program : "/proc/self/exe", (char *const *)(uintptr_t)argv);
    _exit(127);
}

int child_wait(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* What a child wrote into a memory file, copied into the arena. */
static slice read_back(struct arena *a, int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    size_t n = size < 0 ? 0 : size < CHILD_OUTPUT ? (size_t)size : CHILD_OUTPUT;
    char *p = arena_alloc(a, n + 1);
    ssize_t got = pread(fd, p, n, 0);
    return (slice){p, got < 0 ? 0 : (size_t)got};
}

int child_run(struct arena *a, const char *const *words, slice input, slice *out, slice *error)
{
    int in_fd = memfd_create("in", MFD_CLOEXEC), out_fd = memfd_create("out", MFD_CLOEXEC),
        error_fd = memfd_create("error", MFD_CLOEXEC);
    int code = -1;
    if (in_fd < 0 || out_fd < 0 || error_fd < 0 || file_write_all(in_fd, input) < 0 ||
        lseek(in_fd, 0, SEEK_SET) < 0)
        goto end;
    pid_t pid = fork();
    if (pid == 0)
        become(words, in_fd, out_fd, error_fd);
    code = pid < 0 ? -1 : child_wait(pid);
    if (out)
        *out = read_back(a, out_fd);
    if (error)
        *error = read_back(a, error_fd);
end:
    close(in_fd);
    close(out_fd);
    close(error_fd);
    return code;
}

pid_t child_start(const char *const *words, const char *error_path, int *out)
{
    int pipe_fds[2];
    int in_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int error_fd = open(error_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (in_fd < 0 || error_fd < 0 || pipe2(pipe_fds, O_CLOEXEC) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0)
        become(words, in_fd, pipe_fds[1], error_fd);
    close(in_fd);
    close(error_fd);
    close(pipe_fds[1]);
    *out = pipe_fds[0];
    if (pid < 0)
        close(pipe_fds[0]);
    return pid;
}

int child_stop(pid_t pid)
{
    kill(pid, SIGTERM);
    return child_wait(pid);
}
