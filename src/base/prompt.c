/* A line is read byte by byte: what follows it on standard input belongs to others. */
#include "base/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "base/command.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/banned.h"

/* One line of fd without its end, byte by byte: what follows belongs to others. */
static bool read_line(int fd, struct arena *a, slice *line)
{
    char text[LIMIT_PASSWORD + 2];
    size_t n = 0;
    ssize_t got = 0;
    while (n < sizeof(text)) {
        got = read(fd, text + n, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || text[n] == '\n')
            break;
        n++;
    }
    if (n && text[n - 1] == '\r')
        n--;
    *line = arena_dup(a, (slice){text, n});
    explicit_bzero(text, sizeof(text));
    return n > 0 && n <= LIMIT_PASSWORD;
}

static bool ask(int tty, struct arena *a, const char *question, slice *line)
{
    struct termios old, quiet;
    if (tcgetattr(tty, &old) < 0)
        return false;
    quiet = old;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    (void)!file_write_all(tty, slice_c(question));
    tcsetattr(tty, TCSAFLUSH, &quiet);
    bool ok = read_line(tty, a, line);
    tcsetattr(tty, TCSAFLUSH, &old);
    (void)!file_write_all(tty, S("\n"));
    return ok;
}

static bool refuse(struct buf *error, slice password)
{
    if (!password.n) {
        buf_printf(error,
                   "there is no password: type it, or give it as one line on standard input");
        return false;
    }
    buf_printf(error, "the password must have 1 to %d bytes", LIMIT_PASSWORD);
    return false;
}

bool prompt_password(struct arena *a, const char *question, bool twice, slice *password,
                     struct buf *error)
{
    if (!isatty(STDIN_FILENO))
        return read_line(STDIN_FILENO, a, password) || refuse(error, *password);
    return prompt_terminal(a, question, twice, password, error);
}

bool prompt_terminal(struct arena *a, const char *question, bool twice, slice *password,
                     struct buf *error)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty < 0) {
        buf_printf(error, "there is no terminal to ask for the password");
        return false;
    }
    slice again;
    bool ok = ask(tty, a, question, password) || refuse(error, *password);
    if (ok && twice) {
        ok = ask(tty, a, say("Once more: ", "再输入一次："), &again) && slice_eq(*password, again);
        if (!ok)
            buf_printf(error, "the two passwords differ");
    }
    close(tty);
    return ok;
}
