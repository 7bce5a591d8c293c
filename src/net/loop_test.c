/*
 * The threads of loop.h: a wait that is told of, one that is not, many of both, and the end.  Each
 * task reads an eventfd; what it does then is the test's.
 */
#include "net/loop.h"

#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/blocking.h"
#include "base/test.h"
#include "base/banned.h"

enum { TASKS = 40, ROUNDS = 500 };

struct probe {
    struct task task; /* first */
    struct loop *loop;
    int fd;
    void (*then)(struct probe *p);
    atomic_uint turns;
    sem_t done;
};

static sem_t gate, inside;

static enum task_next run_probe(struct task *t, unsigned events, struct worker *w)
{
    struct probe *p = (struct probe *)t;
    uint64_t count;
    (void)w;
    if (events & TASK_STOP) {
        loop_forget(p->loop, p->fd);
        task_dead(t);
        sem_post(&p->done);
        return TASK_GONE;
    }
    if (read(p->fd, &count, sizeof(count)) == sizeof(count)) {
        p->then(p);
        p->turns++;
        sem_post(&p->done);
    }
    if (!loop_arm(p->loop, p->fd, EPOLLIN, t, false))
        abort();
    return TASK_PARK;
}

static void probe_start(struct probe *p, struct loop *loop, void (*then)(struct probe *p))
{
    *p = (struct probe){.task.run = run_probe, .loop = loop, .then = then};
    p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sem_init(&p->done, 0, 0);
    task_dead(&p->task);
    task_born(&p->task);
    assert_true(loop_arm(loop, p->fd, EPOLLIN, &p->task, true));
    p->task.state = 0; /* nobody runs it */
    task_post(loop, &p->task, TASK_IO);
}

static void probe_poke(struct probe *p)
{
    assert_int_equal(write(p->fd, &(uint64_t){1}, sizeof(uint64_t)), sizeof(uint64_t));
}

static void probe_stop(struct probe *p)
{
    task_post(p->loop, &p->task, TASK_STOP);
    sem_wait(&p->done);
    close(p->fd);
    sem_destroy(&p->done);
}

static void nothing(struct probe *p)
{
    (void)p;
}

static void wait_told(struct probe *p)
{
    (void)p;
    blocking_ahead();
    sem_post(&inside);
    sem_wait(&gate);
}

static void wait_untold(struct probe *p)
{
    (void)p;
    sem_post(&inside);
    sem_wait(&gate);
}

static void wait_sometimes(struct probe *p)
{
    if (p->turns % 3 == 0) {
        blocking_ahead();
        usleep(50);
    }
}

/* While all others wait, one more task runs; n of them wait at once. */
static void check_waits(size_t seats, size_t threads_max, int n, void (*how)(struct probe *p))
{
    struct loop loop;
    static struct probe waiting[TASKS], quick;
    sem_init(&gate, 0, 0);
    sem_init(&inside, 0, 0);
    assert_true(loop_start(&loop, seats, threads_max));
    probe_start(&quick, &loop, nothing);
    for (int i = 0; i < n; i++) {
        probe_start(&waiting[i], &loop, how);
        probe_poke(&waiting[i]);
    }
    for (int i = 0; i < n; i++)
        sem_wait(&inside);
    for (int i = 0; i < 100; i++) {
        probe_poke(&quick);
        sem_wait(&quick.done);
    }
    for (int i = 0; i < n; i++)
        sem_post(&gate);
    for (int i = 0; i < n; i++)
        sem_wait(&waiting[i].done);
    for (int i = 0; i < n; i++)
        probe_stop(&waiting[i]);
    probe_stop(&quick);
    loop_stop(&loop);
    sem_destroy(&gate);
    sem_destroy(&inside);
}

static void test_waits_told(void **state)
{
    (void)state;
    check_waits(1, 256, 1, wait_told);
    check_waits(2, 256, TASKS, wait_told);
    check_waits(8, 256, TASKS, wait_told);
}

static void test_waits_untold(void **state)
{
    (void)state;
    check_waits(2, 256, 6, wait_untold);
}

static void test_cap(void **state)
{
    (void)state;
    check_waits(2, 5, 4, wait_told);
    check_waits(2, 2, 1, wait_told);
}

/* No event is lost, however turns that wait and turns that do not mix. */
static void test_mixed(void **state)
{
    (void)state;
    struct loop loop;
    static struct probe p[TASKS];
    assert_true(loop_start(&loop, 2, 16));
    for (int i = 0; i < TASKS; i++)
        probe_start(&p[i], &loop, i % 2 ? wait_sometimes : nothing);
    for (int round = 0; round < ROUNDS; round++) {
        int alone = round % 10 == 0 ? TASKS : 1 + round % TASKS;
        for (int i = 0; i < alone; i++)
            probe_poke(&p[i]);
        for (int i = 0; i < alone; i++)
            sem_wait(&p[i].done);
    }
    for (int i = 0; i < TASKS; i++)
        probe_stop(&p[i]);
    loop_stop(&loop);
}

static void test_end(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct loop loop;
        assert_true(loop_start(&loop, 3, 8));
        loop_stop(&loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_told), cmocka_unit_test(test_waits_untold),
        cmocka_unit_test(test_cap),        cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
