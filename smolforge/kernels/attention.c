/* Causal attention within documents, forward and backward, with the rotary turn built in.
 *
 * Products run over units of 32 bits along the contracted dimension: one float, or a pair of bf16
 * (what the dot-product instructions take); f16 is widened to floats as it is read. The left factor is read unit by unit and broadcast, so its
 * strides are free; the right factor is packed as unit rows of PANEL columns. Blocks of QUERIES rows see
 * their whole key range at once, so softmax is exact and needs no rescaling. One thread does one
 * (sequence, key/value head) with all its query heads, and nothing is shared: no atomics, one order.
 *
 * T time, E head width (even), H query heads, K key/value heads.
 */
#include "lanes.h"
#if KIND_RUNS

#if KIND == BF16
enum { UNIT = 2 };
typedef el inner; /* what the scratch holds */
#else
enum { UNIT = 1 };
typedef float inner;
#endif
enum { QUERIES = 32, PANEL = 2 * LANES, ROWS = LANES == 16 ? 8 : 4 };

typedef struct {
    long batch, length, heads, kv_heads, width;
    long q_row, k_row, v_row;          /* elements between positions; a head is `width` apart */
    long q_batch, k_batch, v_batch;    /* elements between sequences */
    const el *q, *k, *v;
    const float *cosines, *sines;      /* P x E/2, or NULL: no turn */
    const int64_t *positions, *starts; /* B x T, or NULL */
    el *out;                           /* B x T x H x E */
    float *lse;                        /* B x H x T */
    const el *dout;                    /* backward: like out */
    el *dq, *dk, *dv;                  /* strides of q, k, v */
    long threads;
} Attention;

typedef struct {
    long keys, wide, deep; /* T, E, E rounded up: to PANEL, PANEL and UNIT */
    uint32_t *k_turned, *v_turned, *k_rows, *v_rows;
    uint32_t *q_rows, *dout_rows, *p_rows, *p_pairs, *d_pairs;
    inner *q, *dout;
    float *scores, *dscores, *small, *dk, *dv;
} Room;

INLINE long round_up(long x, long step) { return (x + step - 1) / step * step; }

INLINE void store_inner(inner *p, vf x, long left) {
#if KIND == BF16
    store(p, x, left);
#else
    store_float(p, x, left);
#endif
}

INLINE void copy_inner(const el *from, inner *to, long count) {
#if KIND == F16
    EACH(i, count, store_float(to + i, load(from + i, left), left);)
#else
    memcpy(to, from, count * sizeof(el));
#endif
}

INLINE vf times(vf sum, uint32_t left, vu right) {
#if KIND != BF16
    float x;
    memcpy(&x, &left, 4);
    return sum + x * (vf)right;
#elif BF16_INSTRUCTIONS
    return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_epi32(left), (__m512bh)right);
#else
    uint32_t low = left << 16, high = left & 0xffff0000u;
    float a, b;
    memcpy(&a, &low, 4);
    memcpy(&b, &high, 4);
    sum += a * (vf)(right << 16);
    return sum + b * (vf)(right & 0xffff0000u);
#endif
}

/* to[rows][PANEL] (+)= left . right over `depth` units. */
INLINE void tile(const int rows, const int vectors, const uint32_t *left, long row_step, long depth_step,
                 const uint32_t *right, long right_step, long depth, float *to, long to_step, int add) {
    vf sums[ROWS][2];
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < vectors; j++) {
            sums[r][j] = splat(0);
            if (add) sums[r][j] = *(vf_loose *)(to + r * to_step + j * LANES);
        }
    for (long d = 0; d < depth; d++) {
        vu b[2];
        for (int j = 0; j < vectors; j++) b[j] = *(const vu_loose *)(right + d * right_step + j * LANES);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            uint32_t a = left[r * row_step + d * depth_step];
#pragma GCC unroll 2
            for (int j = 0; j < vectors; j++) sums[r][j] = times(sums[r][j], a, b[j]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < vectors; j++) *(vf_loose *)(to + r * to_step + j * LANES) = sums[r][j];
}

/* to[rows][columns] (+)= left . right; columns is a multiple of PANEL, right comes in panels. */
static void product(long rows, long columns, long depth, const uint32_t *left, long row_step, long depth_step,
                    const uint32_t *right, long right_step, long panel_step, float *to, long to_step, int add) {
    for (long c = 0; c < columns; c += PANEL) {
        const uint32_t *panel = right + c / PANEL * panel_step;
        long r = 0;
        for (; r + ROWS <= rows; r += ROWS)
            tile(ROWS, 2, left + r * row_step, row_step, depth_step, panel, right_step, depth, to + r * to_step + c,
                 to_step, add);
        for (; r < rows; r++)
            tile(1, 2, left + r * row_step, row_step, depth_step, panel, right_step, depth, to + r * to_step + c,
                 to_step, add);
    }
}

/* One head's row, turned by its position (or back, sign -1); `left` tail lanes come out as zero. */
INLINE void turn(const Attention *a, long b, long t, const el *from, inner *to) {
    long half = a->width / 2;
    if (!a->cosines) {
        copy_inner(from, to, a->width);
        return;
    }
    long at = (a->positions ? a->positions[b * a->length + t] : t) * half;
    EACH(i, half, {
        vf x = load(from + i, left), y = load(from + half + i, left);
        vf c = load_float(a->cosines + at + i, left), s = load_float(a->sines + at + i, left);
        store_inner(to + i, x * c - y * s, left);
        store_inner(to + half + i, y * c + x * s, left);
    })
}

/* The gradient's way back through `turn`, from float. */
INLINE void unturn(const Attention *a, long b, long t, const float *from, el *to) {
    long half = a->width / 2;
    if (!a->cosines) {
        EACH(i, a->width, store(to + i, load_float(from + i, left), left);)
        return;
    }
    long at = (a->positions ? a->positions[b * a->length + t] : t) * half;
    EACH(i, half, {
        vf x = load_float(from + i, left), y = load_float(from + half + i, left);
        vf c = load_float(a->cosines + at + i, left), s = load_float(a->sines + at + i, left);
        store(to + i, x * c + y * s, left);
        store(to + half + i, y * c - x * s, left);
    })
}

/* rows [count][wide] (zeros beyond) -> units over the width, panels of keys: [keys / PANEL][depth][PANEL]. */
static void pack_turned(const inner *rows, long wide, long depth, long first, uint32_t *to) {
    uint32_t *panel = to + first / PANEL * depth * PANEL;
    for (long d = 0; d < depth; d++)
        for (long j = 0; j < PANEL; j++) memcpy(panel + d * PANEL + j, rows + j * wide + d * UNIT, 4);
}

/* rows [count][wide] -> units over the rows: [count / UNIT][wide]. */
static void pack_rows(const inner *rows, long count, long wide, uint32_t *to) {
#if KIND == BF16
    for (long t = 0; t < count; t += 2)
        for (long e = 0; e < wide; e++)
            to[t / 2 * wide + e] = rows[t * wide + e] | (uint32_t)rows[(t + 1) * wide + e] << 16;
#else
    memcpy(to, rows, count * wide * 4);
#endif
}

/* Packs keys and values of one (sequence, key/value head) PANEL rows at a time; what is NULL is not made. */
static void pack_keys_values(const Attention *a, Room *r, long b, long kv) {
    for (long first = 0; first < r->keys; first += PANEL) {
        inner k[PANEL * r->wide], v[PANEL * r->wide];
        memset(k, 0, sizeof k);
        memset(v, 0, sizeof v);
        for (long j = 0; j < PANEL && first + j < a->length; j++) {
            long t = first + j;
            turn(a, b, t, a->k + b * a->k_batch + t * a->k_row + kv * a->width, k + j * r->wide);
            copy_inner(a->v + b * a->v_batch + t * a->v_row + kv * a->width, v + j * r->wide, a->width);
        }
        pack_turned(k, r->wide, r->deep, first, r->k_turned);
        if (r->v_turned) pack_turned(v, r->wide, r->deep, first, r->v_turned);
        if (r->k_rows) pack_rows(k, PANEL, r->wide, r->k_rows + first / UNIT * r->wide);
        if (r->v_rows) pack_rows(v, PANEL, r->wide, r->v_rows + first / UNIT * r->wide);
    }
}

/* QUERIES rows of queries from t0 on, turned; zeros beyond the end. */
static void load_queries(const Attention *a, Room *r, long b, long h, long t0) {
    memset(r->q, 0, QUERIES * r->wide * sizeof(inner));
    for (long j = 0; j < QUERIES && t0 + j < a->length; j++) {
        long t = t0 + j;
        turn(a, b, t, a->q + b * a->q_batch + t * a->q_row + h * a->width, r->q + j * r->wide);
    }
}

INLINE long start_of(const Attention *a, long b, long t) { return a->starts ? a->starts[b * a->length + t] : 0; }

/* The panels of keys that the rows t0 .. t0 + count - 1 can see: from *low to *high. */
INLINE void key_range(const Attention *a, long b, long t0, long count, long *low, long *high) {
    *low = start_of(a, b, t0);
    for (long j = 1; j < count; j++) *low = start_of(a, b, t0 + j) < *low ? start_of(a, b, t0 + j) : *low;
    *low = *low / PANEL * PANEL;
    *high = round_up(t0 + count, PANEL);
}

/* What row t must not see becomes -inf; scores[0] belongs to key `low`. */
INLINE void mask(float *scores, long low, long high, long start, long t) {
    for (long s = low; s < start; s++) scores[s - low] = -INFINITY;
    for (long s = t + 1; s < high; s++) scores[s - low] = -INFINITY;
}

static void forward_block(const Attention *a, Room *r, long b, long h, long t0, float scale) {
    long count = a->length - t0 < QUERIES ? a->length - t0 : QUERIES, low, high;
    float sums[QUERIES];
    key_range(a, b, t0, count, &low, &high);
    long span = high - low, p_step = r->keys / UNIT;
    load_queries(a, r, b, h, t0);
    product(count, span, r->deep, (uint32_t *)r->q, r->wide / UNIT, 1, r->k_turned + low * r->deep, PANEL,
            r->deep * PANEL, r->scores, r->keys, 0);
    for (long j = 0; j < count; j++) {
        float *row = r->scores + j * r->keys;
        inner *p = (inner *)(r->p_rows + j * p_step);
        mask(row, low, high, start_of(a, b, t0 + j), t0 + j);
        vf top = splat(-INFINITY), sum = {0};
        for (long s = 0; s < span; s += LANES) top = larger(*(vf_loose *)(row + s), top);
        float most = max_lanes(top) * scale;
        for (long s = 0; s < span; s += LANES) {
            vf power = exponential(*(vf_loose *)(row + s) * scale - most);
            sum += power;
            store_inner(p + s, power, LANES);
        }
        sums[j] = add_lanes(sum);
        a->lse[(b * a->heads + h) * a->length + t0 + j] = most + logf(sums[j]);
    }
    product(count, r->wide, span / UNIT, r->p_rows, p_step, 1, r->v_rows + low / UNIT * r->wide, r->wide, PANEL,
            r->small, r->wide, 0);
    for (long j = 0; j < count; j++) {
        el *to = a->out + ((b * a->length + t0 + j) * a->heads + h) * a->width;
        float inverse = 1.0f / sums[j];
        EACH(i, a->width, store(to + i, load_float(r->small + j * r->wide + i, left) * inverse, left);)
    }
}

/* Two rows of floats -> units over the two rows (bf16), or one row as it is (float). */
INLINE void store_pair(uint32_t *to, vf first, vf second) {
#if KIND == BF16
    vu low = __builtin_convertvector(narrow(first), vu), high = __builtin_convertvector(narrow(second), vu);
    *(vu_loose *)to = low | high << 16;
#else
    (void)second;
    *(vu_loose *)to = (vu)first;
#endif
}

/* P and dS of the block, from the scores and dP: in place, rows and pairs. */
static void score_gradients(const Attention *a, Room *r, long b, long h, long t0, long count, long low, long high,
                            float scale) {
    long span = high - low, step = r->keys;
    for (long j = count; j < round_up(count, UNIT); j++) /* the odd row's missing partner adds nothing */
        for (long s = 0; s < span; s++) r->scores[j * step + s] = r->dscores[j * step + s] = 0;
    for (long j = 0; j < count; j++) {
        long at = ((b * a->length + t0 + j) * a->heads + h) * a->width;
        float lse = a->lse[(b * a->heads + h) * a->length + t0 + j];
        float *p = r->scores + j * step, *d = r->dscores + j * step;
        vf dots = {0};
        EACH(i, a->width, dots += load(a->dout + at + i, left) * load(a->out + at + i, left);)
        float delta = add_lanes(dots);
        mask(p, low, high, start_of(a, b, t0 + j), t0 + j);
        for (long s = 0; s < span; s += LANES) {
            vf power = exponential(*(vf_loose *)(p + s) * scale - lse);
            vf slope = power * (*(vf_loose *)(d + s) - delta) * scale;
            *(vf_loose *)(p + s) = power;
            *(vf_loose *)(d + s) = slope;
#if KIND == BF16
            store((el *)(r->p_rows + j * (step / UNIT)) + s, slope, LANES);
#endif
        }
    }
#if KIND == BF16
    for (long j = 0; j < count; j += UNIT)
        for (long s = 0; s < span; s += LANES) {
            float *p = r->scores + j * step + s, *d = r->dscores + j * step + s;
            store_pair(r->p_pairs + j / UNIT * step + s, *(vf_loose *)p, *(vf_loose *)(p + step));
            store_pair(r->d_pairs + j / UNIT * step + s, *(vf_loose *)d, *(vf_loose *)(d + step));
        }
#endif
}

static void backward_block(const Attention *a, Room *r, long b, long h, long t0, float scale) {
    long count = a->length - t0 < QUERIES ? a->length - t0 : QUERIES, low, high, wide = r->wide;
    key_range(a, b, t0, count, &low, &high);
    long span = high - low, step = r->keys, pairs = round_up(count, UNIT) / UNIT;
    load_queries(a, r, b, h, t0);
    memset(r->dout, 0, QUERIES * wide * sizeof(inner));
    for (long j = 0; j < count; j++)
        copy_inner(a->dout + ((b * a->length + t0 + j) * a->heads + h) * a->width, r->dout + j * wide, a->width);
    pack_rows(r->q, QUERIES, wide, r->q_rows);
    pack_rows(r->dout, QUERIES, wide, r->dout_rows);
    product(count, span, r->deep, (uint32_t *)r->q, wide / UNIT, 1, r->k_turned + low * r->deep, PANEL,
            r->deep * PANEL, r->scores, step, 0);
    product(count, span, r->deep, (uint32_t *)r->dout, wide / UNIT, 1, r->v_turned + low * r->deep, PANEL,
            r->deep * PANEL, r->dscores, step, 0);
    score_gradients(a, r, b, h, t0, count, low, high, scale);
    product(count, wide, span / UNIT, r->p_rows, step / UNIT, 1, r->k_rows + low / UNIT * wide, wide, PANEL, r->small,
            wide, 0);
    product(span, wide, pairs, r->d_pairs, 1, step, r->q_rows, wide, PANEL, r->dk + low * wide, wide, 1);
    product(span, wide, pairs, r->p_pairs, 1, step, r->dout_rows, wide, PANEL, r->dv + low * wide, wide, 1);
    for (long j = 0; j < count; j++)
        unturn(a, b, t0 + j, r->small + j * wide, a->dq + b * a->q_batch + (t0 + j) * a->q_row + h * a->width);
}

/* Scratch that a thread keeps from call to call; NULL when memory ran out. */
static void *scratch(size_t bytes) {
    static _Thread_local void *held;
    static _Thread_local size_t held_bytes;
    if (bytes > held_bytes) {
        free(held);
        held = aligned_alloc(64, (bytes + 63) / 64 * 64);
        held_bytes = held ? bytes : 0;
    }
    return held;
}

static char *take(char **from, size_t bytes) {
    char *at = *from;
    *from += (bytes + 63) / 64 * 64 + 64; /* one line more, so that rows of equal length do not share sets */
    return at;
}

static int make_room(const Attention *a, Room *r, int backward) {
    memset(r, 0, sizeof *r);
    r->keys = round_up(a->length, PANEL);
    r->wide = round_up(a->width, PANEL);
    r->deep = a->width / UNIT;
    size_t turned = r->keys * r->deep * 4, rows = r->keys * r->wide / UNIT * 4, block = QUERIES * r->keys * 4;
    size_t small = QUERIES * r->wide * 4, sums = r->keys * r->wide * 4;
    char *at = scratch(2 * turned + 2 * rows + 5 * block + 5 * small + 2 * sums + 32 * 128);
    if (!at) return 1;
    r->k_turned = (uint32_t *)take(&at, turned);
    r->q = (inner *)take(&at, small);
    r->scores = (float *)take(&at, block);
    r->p_rows = (uint32_t *)take(&at, block);
    r->small = (float *)take(&at, small);
    if (!backward) {
        r->v_rows = (uint32_t *)take(&at, rows);
        return 0;
    }
    r->v_turned = (uint32_t *)take(&at, turned);
    r->k_rows = (uint32_t *)take(&at, rows);
    r->dout = (inner *)take(&at, small);
    r->dscores = (float *)take(&at, block);
    r->dk = (float *)take(&at, sums);
    r->dv = (float *)take(&at, sums);
    r->q_rows = (uint32_t *)take(&at, small);
    r->dout_rows = (uint32_t *)take(&at, small);
    r->p_pairs = KIND == BF16 ? (uint32_t *)take(&at, block) : (uint32_t *)r->scores;
    r->d_pairs = KIND == BF16 ? (uint32_t *)take(&at, block) : (uint32_t *)r->dscores;
    if (KIND != BF16) r->p_rows = (uint32_t *)r->dscores;
    return 0;
}

/* 0, or 1: out of memory. Positions and starts were checked by the caller (see `attention_check`). */
EXPORT int NAME(attention)(const Attention *a) {
    int failed = 0;
    float scale = 1.0f / sqrtf(a->width);
#pragma omp parallel for schedule(static) num_threads(a->threads) reduction(| : failed)
    for (long task = 0; task < a->batch * a->kv_heads; task++) {
        long b = task / a->kv_heads, kv = task % a->kv_heads, group = a->heads / a->kv_heads;
        Room r;
        if (make_room(a, &r, 0)) {
            failed = 1;
            continue;
        }
        pack_keys_values(a, &r, b, kv);
        for (long h = kv * group; h < (kv + 1) * group; h++)
            for (long t0 = 0; t0 < a->length; t0 += QUERIES) forward_block(a, &r, b, h, t0, scale);
    }
    return failed;
}

EXPORT int NAME(attention_backward)(const Attention *a) {
    int failed = 0;
    float scale = 1.0f / sqrtf(a->width);
#pragma omp parallel for schedule(static) num_threads(a->threads) reduction(| : failed)
    for (long task = 0; task < a->batch * a->kv_heads; task++) {
        long b = task / a->kv_heads, kv = task % a->kv_heads, group = a->heads / a->kv_heads;
        Room r;
        if (make_room(a, &r, 1)) {
            failed = 1;
            continue;
        }
        pack_keys_values(a, &r, b, kv);
        memset(r.dk, 0, r.keys * r.wide * 4);
        memset(r.dv, 0, r.keys * r.wide * 4);
        for (long h = kv * group; h < (kv + 1) * group; h++)
            for (long t0 = 0; t0 < a->length; t0 += QUERIES) backward_block(a, &r, b, h, t0, scale);
        for (long t = 0; t < a->length; t++) {
            el *dv = a->dv + b * a->v_batch + t * a->v_row + kv * a->width;
            unturn(a, b, t, r.dk + t * r.wide, a->dk + b * a->k_batch + t * a->k_row + kv * a->width);
            EACH(i, a->width, store(dv + i, load_float(r.dv + t * r.wide + i, left), left);)
        }
    }
    return failed;
}

#if KIND == F32
/* 0, or 1: a start beyond its own position or before the row, 2: a position outside the rotary table. */
EXPORT int attention_check(const int64_t *starts, const int64_t *positions, long batch, long length, long table) {
    for (long n = 0; n < batch * length; n++) {
        if (starts && (starts[n] < 0 || starts[n] > n % length)) return 1;
        if (positions && (positions[n] < 0 || positions[n] >= table)) return 2;
    }
    return 0;
}
#endif
#endif
