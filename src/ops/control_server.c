/*
 * The server's end of the control socket.  The worker's main thread accepts; each client has a
 * thread, at most LIMIT_CONTROL_CLIENTS, and straight blocking code: read a line, run, answer.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "ops/control.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "ops/socket.h"
#include "base/banned.h"

enum { CLIENT_IDLE_S = 30 };

struct client {
    struct control_server *server;
    int fd; /* -1: free */
};

struct control_server {
    struct control_env *env;
    int fd;
    pthread_mutex_t mutex;
    pthread_cond_t idle;
    int running;
    struct client clients[LIMIT_CONTROL_CLIENTS];
};

struct control_server *control_listen(struct control_env *env, struct buf *error)
{
    int fd = socket_listen(env->dir);
    if (fd < 0) {
        buf_printf(error, "%s/run/control.sock: %s", env->dir, strerror(errno));
        return NULL;
    }
    struct control_server *s = mem_alloc(sizeof(*s));
    *s = (struct control_server){.env = env, .fd = fd};
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->idle, NULL);
    for (int i = 0; i < LIMIT_CONTROL_CLIENTS; i++)
        s->clients[i] = (struct client){.server = s, .fd = -1};
    return s;
}

int control_fd(const struct control_server *s)
{
    return s->fd;
}

/* Only our own user and root. */
static bool peer_allowed(int fd)
{
    struct ucred peer;
    socklen_t n = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void set_timeouts(int fd)
{
    struct timeval t = {.tv_sec = CLIENT_IDLE_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

/* Answers one line; false when the client must go. */
static bool answer_line(struct control_server *s, int fd, slice line)
{
    struct arena a = {0};
    json_t *request = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
    json_t *reply = json_is_object(request) ? control_answer(s->env, &a, request)
                                            : control_error("a request is one line of JSON");
    slice op = json_slice_at(request, "op");
    log_event(LEVEL_INFO, "control.request", "op=%s ok=%d", log_quote(op),
              json_flag_at(reply, "ok"));
    char *text = json_dumps(reply, JSON_COMPACT);
    bool sent = file_write_all(fd, slice_c(text)) == 0 && file_write_all(fd, S("\n")) == 0;
    bool keep = sent && json_is_object(request);
    mem_free(text);
    json_decref(reply);
    json_decref(request);
    arena_end(&a);
    return keep;
}

static void *serve_client(void *arg)
{
    struct client *c = arg;
    struct control_server *s = c->server;
    struct buf in = {.max = LIMIT_CONTROL_LINE};
    slice line;
    while (socket_read_line(c->fd, &in, &line) && answer_line(s, c->fd, line))
        buf_eat(&in, line.n + 1);
    buf_end(&in);
    pthread_mutex_lock(&s->mutex);
    close(c->fd);
    c->fd = -1;
    if (--s->running == 0)
        pthread_cond_broadcast(&s->idle);
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

/* A free place for the client; NULL when all are taken.  The mutex is held. */
static struct client *find_place(struct control_server *s)
{
    for (int i = 0; i < LIMIT_CONTROL_CLIENTS; i++)
        if (s->clients[i].fd < 0)
            return &s->clients[i];
    return NULL;
}

static bool start_client(struct control_server *s, int fd)
{
    pthread_t thread;
    pthread_mutex_lock(&s->mutex);
    struct client *c = find_place(s);
    if (c) {
        c->fd = fd;
        if (pthread_create(&thread, NULL, serve_client, c) == 0) {
            pthread_detach(thread);
            s->running++;
        } else {
            c->fd = -1;
            c = NULL;
        }
    }
    pthread_mutex_unlock(&s->mutex);
    return c != NULL;
}

void control_accept(struct control_server *s)
{
    int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    set_timeouts(fd);
    if (!peer_allowed(fd)) {
        log_event(LEVEL_WARNING, "control.refused", "why=\"another user\"");
        close(fd);
    } else if (!start_client(s, fd)) {
        (void)!file_write_all(fd, S("{\"ok\":false,\"error\":\"too many control clients; try "
                                    "again\"}\n"));
        close(fd);
    }
}

void control_close(struct control_server *s)
{
    if (!s)
        return;
    close(s->fd);
    socket_remove(s->env->dir);
    pthread_mutex_lock(&s->mutex);
    for (int i = 0; i < LIMIT_CONTROL_CLIENTS; i++)
        if (s->clients[i].fd >= 0)
            shutdown(s->clients[i].fd, SHUT_RD); /* the answer to what runs still goes out */
    while (s->running)
        pthread_cond_wait(&s->idle, &s->mutex);
    pthread_mutex_unlock(&s->mutex);
    pthread_mutex_destroy(&s->mutex);
    pthread_cond_destroy(&s->idle);
    mem_free(s);
}
