/* Opens what operations work on, for a process that is alone with the store. */
#ifndef OPS_ENV_H
#define OPS_ENV_H

#include "ops/control.h"

/*
 * Opens store, secrets and queue of the current directory (process_enter); false with one line in
 * error.  env_close() in both cases.
 */
bool env_open(struct control_env *env, const struct config *config, struct buf *error);
/* The queue of an open store as the configuration wants it; NULL with one line in error. */
struct queue *env_open_queue(struct control_env *env, const struct queue_deliverer *deliverer,
                             struct buf *error);
void env_close(struct control_env *env);

#endif
