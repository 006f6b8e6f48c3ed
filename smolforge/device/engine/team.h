/* Threads that work on one step together and meet at barriers: they spin a moment for each other, then sleep, so that
 * other work on the same cores does not bring them to a halt.
 */
#ifndef TEAM_H
#define TEAM_H

#if defined(__wasm__)
/* A browser's module has one thread. */
typedef struct {
    int size;
} Team;
typedef void Work(void *what, int me);

INLINE void meet(Team *t) { (void)t; }
static void together(Team *t, Work *work, void *what) { (void)t, work(what, 0); }
static void gather(Team *t, int size) { (void)size, t->size = 1; }
static void dismiss(Team *t) { (void)t; }
#else
#include <pthread.h>
#include <stdatomic.h>

#if defined(__x86_64__)
#define PAUSE() __builtin_ia32_pause()
#else
#define PAUSE() ((void)0)
#endif

enum { SPINS = 3000 }; /* some tens of microseconds */

typedef struct Team Team;
typedef void Work(void *what, int me);

struct Team {
    int size;
    atomic_int arrived, turn, ending;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t *threads;
    Work *work;
    void *what;
};

typedef struct {
    Team *team;
    int me;
} Member;

/* Returns when every thread of the team has come here. */
static void meet(Team *t) {
    if (t->size == 1) return;
    int turn = atomic_load_explicit(&t->turn, memory_order_relaxed);
    if (atomic_fetch_add(&t->arrived, 1) == t->size - 1) {
        atomic_store_explicit(&t->arrived, 0, memory_order_relaxed);
        pthread_mutex_lock(&t->lock);
        atomic_store(&t->turn, turn + 1);
        pthread_cond_broadcast(&t->changed);
        pthread_mutex_unlock(&t->lock);
        return;
    }
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&t->turn, memory_order_acquire) != turn) return;
        PAUSE();
    }
    pthread_mutex_lock(&t->lock);
    while (atomic_load(&t->turn) == turn) pthread_cond_wait(&t->changed, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

static void *member(void *given) {
    Member m = *(Member *)given;
    free(given);
    for (;;) {
        meet(m.team); /* for work */
        if (atomic_load(&m.team->ending)) return NULL;
        m.team->work(m.team->what, m.me);
        meet(m.team); /* all done */
    }
}

/* Everybody, the caller too, does the work; returns when all have. */
static void together(Team *t, Work *work, void *what) {
    t->work = work, t->what = what;
    meet(t);
    work(what, 0);
    meet(t);
}

/* Starts size - 1 threads; the team is smaller where the system gives fewer. */
static void gather(Team *t, int size) {
    *t = (Team){.size = size > 0 ? size : 1};
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
    t->threads = calloc(t->size, sizeof *t->threads);
    int started = 1;
    for (; t->threads && started < t->size; started++) {
        Member *m = malloc(sizeof *m);
        if (!m) break;
        *m = (Member){t, started};
        if (pthread_create(&t->threads[started], NULL, member, m)) {
            free(m);
            break;
        }
    }
    t->size = t->threads ? started : 1; /* nobody has met yet but waits for `size` to come: see `meet` */
}

static void dismiss(Team *t) {
    atomic_store(&t->ending, 1);
    meet(t);
    for (int i = 1; i < t->size; i++) pthread_join(t->threads[i], NULL);
    free(t->threads);
}
#endif
#endif
