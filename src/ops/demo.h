/*
 * yizhan demo: two posts on this machine that mail each other, and the journey one can watch.
 * demo.c sets them up and tells what to try; demo_play.c plays the journey by itself (--once).
 */
#ifndef OPS_DEMO_H
#define OPS_DEMO_H

#include <pthread.h>

#include "base/command.h"

enum { DEMO_POSTS = 2, DEMO_USERS = 2 };

struct demo_user {
    const char *address;
    slice password;
};

struct demo_post {
    const char *name, *dir; /* "north.test" and where it lives */
    int port_base;
    struct demo_user users[DEMO_USERS]; /* the person, and who catches what is for elsewhere */
    pid_t pid;
    int narration;
    pthread_t reader;
    bool reading, ready, ended;
};

struct demo {
    struct arena *arena;
    struct call *call;
    const char *dir;
    struct demo_post posts[DEMO_POSTS];
    bool colour;
    pthread_mutex_t mutex; /* over standard output and the flags of the posts */
    pthread_cond_t changed;
};

int demo_run(struct call *c);
extern const struct option_row demo_options[];

/* Runs "yizhan words…", shown as a line "$ yizhan …" when show is set; its exit code.  Standard
 * output in *out (may be NULL); what it says on standard error is printed when it fails. */
int demo_command(struct demo *d, bool show, slice input, slice *out, const char *const *words);
#define DEMO_WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* One line of ours on standard output, between those of the posts. */
void demo_say(struct demo *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The journey by itself; true when every byte arrived. */
bool demo_play(struct demo *d);

#endif
