/* Calls every kernel once, on numbers of its own and at odd sizes, and prints what comes out, a line a result:
 * its name, then the values. Built for another processor and run there or in an emulator, its lines must be those of
 * this machine's build to rounding; see test_other_processors.py. Compiled for one KIND at a time, beside the kernels.
 */
#include <stdio.h>
#include "lanes.h"
#if KIND_RUNS

typedef struct {
    long batch, length, heads, kv_heads, width, q_row, k_row, v_row, q_batch, k_batch, v_batch;
    const el *q, *k, *v;
    const float *cosines, *sines;
    const int64_t *positions, *starts;
    el *out;
    float *lse;
    const el *dout;
    el *dq, *dk, *dv;
    long threads;
} Attention;

typedef struct {
    long rows, length, heads, kv_heads, width, capacity, table;
    el *packed;
    const float *cosines, *sines, *q_norm, *k_norm;
    const int64_t *first;
    el *keys, *values, *out;
    float eps;
    long threads;
} Reading;

void NAME(rms_norm)(const el *, const el *, const float *, float, long, long, el *, el *, float *, int);
void NAME(rms_norm_backward)(const el *, const float *, const float *, const el *, const el *, long, long, el *, float *,
                             float *, int);
void NAME(swiglu)(const el *, long, long, el *, int);
void NAME(swiglu_backward)(const el *, const el *, long, long, el *, int);
int NAME(cross_entropy)(el *, const int64_t *, const float *, float, float, long, long, int, float *, float *, float *, int);
void NAME(logprob_backward)(el *, const int64_t *, const float *, const float *, float, long, long, int);
void NAME(embedding_backward)(const int64_t *, const el *, long, long, float *, int);
int NAME(attention)(const Attention *);
int NAME(attention_backward)(const Attention *);
int NAME(stream_norm)(float *, const el *, const float *, float, long, long, el *, int);
int NAME(place_heads)(const Reading *);
int NAME(cached_attention)(const Reading *);
#if KIND == F32
void adamw(float *, const float *, float *, float *, long, float, float, float, float, float, float, float, int);
void square_sums(const float *, long, double *, int);
#elif KIND == F16
int pack_weight(const float *, long, long, long, long, half *, half *, int);
int product(const half *, const half *, long, long, long, half *, float *, int);
int outer_product(const half *, const half *, long, long, long, float *, int);
#endif

enum { ROWS = 5, WIDTH = 37, VOCAB = 101, LENGTH = 45, HEADS = 4, KV = 2, HEAD = 24, KEPT = 60, MOST = 1 << 16 };

static float next(void) { /* -1 to 1, the same on every machine */
    static uint32_t seed = 20261127;
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / (1 << 23) - 1.0f;
}

static float *floats(long count) {
    float *made = calloc(MOST, sizeof *made);
    for (long i = 0; i < count; i++) made[i] = next();
    return made;
}

static el *elements(long count) {
    el *made = calloc(MOST, sizeof *made);
    for (long i = 0; i < count; i++) store(made + i, splat(next()), 1);
    return made;
}

static void show_floats(const char *name, const float *x, long count) {
    printf("%s", name);
    for (long i = 0; i < count; i++) printf(" %.7g", x[i]);
    printf("\n");
}

static void show(const char *name, const el *x, long count) {
    printf("%s", name);
    for (long i = 0; i < count; i++) printf(" %.7g", load(x + i, 1)[0]);
    printf("\n");
}

static void layers(void) {
    el *x = elements(ROWS * WIDTH), *more = elements(ROWS * WIDTH), *dout = elements(ROWS * WIDTH);
    el *total = elements(0), *out = elements(0), *dx = elements(0);
    float *weight = floats(WIDTH), *inverse = floats(0), *blocks = floats(0), *dweight = floats(0);
    NAME(rms_norm)(x, more, weight, 1e-5f, ROWS, WIDTH, total, out, inverse, 1);
    show("rms_norm", out, ROWS * WIDTH);
    NAME(rms_norm_backward)(total, weight, inverse, dout, more, ROWS, WIDTH, dx, blocks, dweight, 1);
    show("rms_norm_dx", dx, ROWS * WIDTH);
    show_floats("rms_norm_dweight", dweight, WIDTH);

    el *gate_up = elements(2 * ROWS * WIDTH);
    NAME(swiglu)(gate_up, ROWS, WIDTH, out, 1);
    show("swiglu", out, ROWS * WIDTH);
    NAME(swiglu_backward)(gate_up, dout, ROWS, WIDTH, dx, 1);
    show("swiglu_dx", dx, 2 * ROWS * WIDTH);

    float *stream = floats(ROWS * WIDTH);
    NAME(stream_norm)(stream, x, weight, 1e-5f, ROWS, WIDTH, out, 1);
    show("stream_norm", out, ROWS * WIDTH);

    int64_t tokens[ROWS] = {3, 0, 3, 7, 9};
    float *table = floats(0);
    NAME(embedding_backward)(tokens, dout, ROWS, WIDTH, table, 1);
    show_floats("embedding_dweight", table, 10 * WIDTH);
}

static void losses(void) {
    el *logits = elements(ROWS * VOCAB), *again = elements(ROWS * VOCAB);
    int64_t targets[ROWS] = {3, 100, 0, 55, 7};
    float *weights = floats(ROWS), *scratch = floats(0), *lse = floats(0), *picked = floats(0), *slope = floats(ROWS);
    NAME(cross_entropy)(logits, targets, weights, 1e-4f, 0, ROWS, VOCAB, 1, scratch, lse, picked, 1);
    show_floats("lse", lse, ROWS);
    show_floats("picked", picked, ROWS);
    show("cross_entropy_dx", logits, ROWS * VOCAB);
    NAME(cross_entropy)(again, targets, NULL, 0, 30, ROWS, VOCAB, 0, scratch, lse, picked, 1);
    show_floats("lse_capped", lse, ROWS);
    NAME(logprob_backward)(again, targets, lse, slope, 0, ROWS, VOCAB, 1);
    show("logprob_dx", again, ROWS * VOCAB);
}

static void whole_attention(void) {
    long q_row = HEADS * HEAD, k_row = KV * HEAD;
    int64_t starts[2 * LENGTH] = {0}, positions[2 * LENGTH];
    for (long n = 0; n < 2 * LENGTH; n++) positions[n] = n % LENGTH, starts[n] = n % LENGTH > 20 ? 21 : 0;
    Attention a = {2, LENGTH, HEADS, KV, HEAD, q_row, k_row, k_row, LENGTH * q_row, LENGTH * k_row, LENGTH * k_row};
    a.q = elements(2 * LENGTH * q_row), a.k = elements(2 * LENGTH * k_row), a.v = elements(2 * LENGTH * k_row);
    a.cosines = floats(LENGTH * HEAD / 2), a.sines = floats(LENGTH * HEAD / 2);
    a.positions = positions, a.starts = starts, a.out = elements(0), a.lse = floats(0), a.threads = 1;
    a.dout = elements(2 * LENGTH * q_row), a.dq = elements(0), a.dk = elements(0), a.dv = elements(0);
    if (NAME(attention)(&a) || NAME(attention_backward)(&a)) printf("attention failed\n");
    show("attention", a.out, 2 * LENGTH * q_row);
    show("attention_dq", a.dq, 2 * LENGTH * q_row);
    show("attention_dk", a.dk, 2 * LENGTH * k_row);
    show("attention_dv", a.dv, 2 * LENGTH * k_row);
}

static void reading(void) {
    long new = 3;
    int64_t first[2] = {40, 7};
    Reading r = {2, new, HEADS, KV, HEAD, KEPT, KEPT};
    r.packed = elements(2 * new * (HEADS + 2 * KV) * HEAD);
    r.cosines = floats(KEPT * HEAD / 2), r.sines = floats(KEPT * HEAD / 2);
    r.q_norm = floats(HEAD), r.k_norm = floats(HEAD), r.first = first, r.eps = 1e-5f, r.threads = 1;
    r.keys = elements(2 * KV * KEPT * HEAD), r.values = elements(2 * KV * KEPT * HEAD), r.out = elements(0);
    NAME(place_heads)(&r);
    if (NAME(cached_attention)(&r)) printf("cached_attention failed\n");
    show("placed_keys", r.keys, 2 * KV * KEPT * HEAD);
    show("cached_attention", r.out, 2 * new * HEADS * HEAD);
}

static void of_one_kind(void) {
#if KIND == F32
    float *weight = floats(500), *grad = floats(500), *mean = floats(500), *square = floats(0);
    double sums[1] = {0};
    adamw(weight, grad, mean, square, 500, 0.5f, 0.9f, 0.95f, 1e-8f, 0.1f, 1e-3f, 1.0f, 1);
    show_floats("adamw", weight, 500);
    square_sums(grad, 500, sums, 1);
    printf("square_sums %.7g\n", sums[0]);
#elif KIND == F16
    long rows = 50, depth = 150, columns = 70;
    float *weight = floats(columns * depth), *total = floats(0);
    half *across = elements(0), *left = elements(rows * depth), *out = elements(0), *right = elements(rows * columns);
    pack_weight(weight, columns, depth, 0, columns, across, NULL, 1);
    if (product(left, across, rows, depth, columns, out, NULL, 1)) printf("product failed\n");
    show("product", out, rows * columns);
    outer_product(left, right, rows, depth, columns, total, 1);
    show_floats("outer_product", total, depth * columns);
#endif
}

int main(void) {
    layers();
    losses();
    whole_attention();
    reading();
    of_one_kind();
    return 0;
}
#else
int main(void) { return 77; } /* this processor does not multiply halves */
#endif
