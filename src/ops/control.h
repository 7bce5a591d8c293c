/*
 * Administration, one mechanism: every operation is a function from a JSON request to a JSON reply,
 * a row of control_rows.  A subcommand calls control_call(): through DIR/run/control.sock when a
 * server runs on DIR, else it opens the store itself and runs the same function in its own process.
 *
 * On the socket a request is one line {"op":"user.add","address":"one@north.test",…}, the reply one
 * line {"ok":true,…} or {"ok":false,"error":"one line for people"}.  The socket has mode 0600 and
 * serves only the server's own user and root.
 */
#ifndef OPS_CONTROL_H
#define OPS_CONTROL_H

#include <jansson.h>

#include "accounts/secrets.h"
#include "base/command.h"
#include "base/json.h"
#include "config.h"
#include "queue/queue.h"
#include "store/store.h"

/* What an operation works on. */
struct control_env {
    const char *dir;
    const struct config *config;
    struct store *store;
    struct secrets *secrets;
    struct queue *queue;
    bool live; /* inside a running server */
};

/* arena lives until the reply is printed. */
typedef json_t *(*control_fn)(struct control_env *env, struct arena *a, const json_t *request);

struct control_row {
    const char *op;
    control_fn run;
};
extern const struct control_row control_rows[]; /* ends with a row without op */

/* {"ok":true} to add to, and {"ok":false,"error":…}. */
json_t *control_done(void);
json_t *control_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The reply to one request, whatever it is. */
json_t *control_answer(struct control_env *env, struct arena *a, const json_t *request);

/*
 * For subcommands: the reply to request (whose reference is taken), or NULL after one line on
 * standard error.  Release it with json_decref.  The directory is that of --dir, $YIZHAN_DIR or
 * /var/lib/yizhan.
 */
json_t *control_call(const struct call *call, json_t *request);
const char *control_dir(const struct call *call);
#define CONTROL_DIR_OPTION                                                                         \
    {                                                                                              \
        "dir", "DIR", OPTION_TEXT, 0, "the post's directory (else $YIZHAN_DIR, /var/lib/yizhan)",  \
            "驿站目录（默认 $YIZHAN_DIR 或 /var/lib/yizhan）"                             \
    }
#define CONTROL_JSON_OPTION                                                                        \
    {                                                                                              \
        "json", NULL, OPTION_FLAG, 0, "print JSON", "输出 JSON"                                  \
    }

/* The server's side: listens on DIR/run/control.sock; a thread for each client. */
struct control_server;
struct control_server *control_listen(struct control_env *env, struct buf *error);
int control_fd(const struct control_server *s); /* readable: call control_accept */
void control_accept(struct control_server *s);
/* Cuts clients off, waits for running operations, removes the socket.  NULL is fine. */
void control_close(struct control_server *s);

#endif
