/* Causal attention within documents, forward and backward, with the rotary turn built in.
 *
 * Products run over words of 32 bits along the contracted dimension: one float, a pair of bf16 (what the
 * dot-product instructions and the matrix registers take), or one f16 twice. The left factor is read word by word and broadcast, so its
 * strides are free; the right factor is packed as rows of PANEL columns. Sums of f16 products stay in half precision
 * over CHUNK of them at most, as in products.c. Blocks of QUERIES rows see their whole key range at once, so softmax
 * is exact and needs no rescaling. One thread does one (sequence, key/value head) with all its query heads, and
 * nothing is shared: no atomics, one order.
 *
 * T time, E head width (even), H query heads, K key/value heads.
 */
#include "lanes.h"
#if KIND_RUNS
#include "tiles.h"

/* `unit` is an element of a right factor. */
#if KIND == BF16
enum { UNIT = 2, ABREAST = 1, CHUNK = 1 << 30 };
typedef uint32_t unit;
#elif KIND == F16
enum { UNIT = 1, ABREAST = 2, CHUNK = 128 };
typedef half unit;
#else
enum { UNIT = 1, ABREAST = 1, CHUNK = 1 << 30 };
typedef uint32_t unit;
#endif
enum { QUERIES = 32, PANEL = 2 * LANES, ROWS = LANES == 16 ? 8 : 4 };

/* Slopes of scores are small: halves keep them times this, and the gradients are divided by it at the end. */
#if KIND == F16
#define LIFT(scale) 16.0f
#else
#define LIFT(scale) (scale)
#endif

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
    long step;             /* from row to row of scores: uneven, or all rows would share one set of the cache */
    int tiles;             /* whether products run in matrix registers */
    unit *k_turned, *v_turned, *k_rows, *v_rows, *q_rows, *dout_rows;
    uint32_t *q_words, *dout_words, *p_rows, *p_pairs, *d_pairs;
    uint32_t *q_columns, *dout_columns; /* for matrix registers: q_rows and dout_rows, [wide][QUERIES / UNIT] */
    el *q, *dout;
    float *scores, *dscores, *small, *dk, *dv;
} Room;

INLINE long round_up(long x, long step) { return (x + step - 1) / step * step; }

/* LANES elements of a left factor's row, from element `at` on. */
INLINE void store_left(uint32_t *row, long at, vf x) {
#if KIND == F16
    *(vu_loose *)(row + at) = doubled((vh)narrow_half(x));
#else
    store((el *)row + at, x, LANES);
#endif
}

/* Rows of elements as the words of a left factor: f16 is written out twice into `room`, the others are it already. */
INLINE uint32_t *as_left(const el *rows, long count, uint32_t *room) {
#if KIND == F16
    twice(rows, room, count);
    return room;
#else
    (void)count, (void)room;
    return (uint32_t *)rows;
#endif
}

#if KIND != F16
INLINE vf times(vf sum, uint32_t left, vu right) {
#if KIND == F32
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
INLINE void tile(const int rows, const int panels, const uint32_t *left, long row_step, long depth_step,
                 const unit *right, long right_step, long panel_step, long depth, float *to, long to_step, int add) {
    vf sums[ROWS][2];
    (void)panels, (void)panel_step;
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < 2; j++) {
            sums[r][j] = splat(0);
            if (add) sums[r][j] = *(vf_loose *)(to + r * to_step + j * LANES);
        }
    for (long d = 0; d < depth; d++) {
        vu b[2];
        for (int j = 0; j < 2; j++) b[j] = *(const vu_loose *)(right + d * right_step + j * LANES);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            uint32_t a = left[r * row_step + d * depth_step];
#pragma GCC unroll 2
            for (int j = 0; j < 2; j++) sums[r][j] = times(sums[r][j], a, b[j]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < 2; j++) *(vf_loose *)(to + r * to_step + j * LANES) = sums[r][j];
}
#else
/* to[rows][panels * PANEL] (+)= left . right over depth <= CHUNK. */
INLINE void tile(const int rows, const int panels, const uint32_t *left, long row_step, long depth_step,
                 const unit *right, long right_step, long panel_step, long depth, float *to, long to_step, int add) {
    vw sums[ROWS][ABREAST] = {0};
    for (long d = 0; d < depth; d++) {
        vw b[ABREAST];
        for (int j = 0; j < panels; j++) b[j] = *(const vw_loose *)(right + d * right_step + j * panel_step);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            vw a = (vw)(left[r * row_step + d * depth_step] - (vu){0});
#pragma GCC unroll 2
            for (int j = 0; j < panels; j++) sums[r][j] += a * b[j];
        }
    }
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < panels; j++) put_floats(to + r * to_step + j * PANEL, sums[r][j], add);
}
#endif

/* One column of tiles, `panels` panels wide. */
INLINE void column(const int panels, long rows, long depth, const uint32_t *left, long row_step, long depth_step,
                   const unit *right, long right_step, long panel_step, float *to, long to_step, int add) {
    for (long d = 0; d < depth; d += CHUNK) {
        long deep = depth - d < CHUNK ? depth - d : CHUNK, r = 0;
        const uint32_t *words = left + d * depth_step;
        const unit *panel = right + d * right_step;
        for (; r + ROWS <= rows; r += ROWS)
            tile(ROWS, panels, words + r * row_step, row_step, depth_step, panel, right_step, panel_step, deep,
                 to + r * to_step, to_step, add || d);
        for (; r < rows; r++)
            tile(1, panels, words + r * row_step, row_step, depth_step, panel, right_step, panel_step, deep,
                 to + r * to_step, to_step, add || d);
    }
}

/* to[rows][columns] (+)= left . right; columns is a multiple of PANEL, right comes in panels. */
static void product(const Room *room, long rows, long columns, long depth, const uint32_t *left, long row_step,
                    long depth_step, const unit *right, long right_step, long panel_step, float *to, long to_step,
                    int add) {
    long c = 0;
#if TILES && KIND == BF16
    if (room->tiles && depth_step == 1) {
        tiles_product(round_up(rows, PANEL), columns, depth, left, row_step, right, right_step, panel_step, to, to_step, add);
        return;
    }
#else
    (void)room;
#endif
    for (; c + ABREAST * PANEL <= columns; c += ABREAST * PANEL)
        column(ABREAST, rows, depth, left, row_step, depth_step, right + c / PANEL * panel_step, right_step,
               panel_step, to + c, to_step, add);
    for (; c < columns; c += PANEL)
        column(1, rows, depth, left, row_step, depth_step, right + c / PANEL * panel_step, right_step, panel_step,
               to + c, to_step, add);
}

/* One head's row, turned by its position (or back, sign -1); `left` tail lanes come out as zero. */
INLINE void turn(const Attention *a, long b, long t, const el *from, el *to) {
    long half = a->width / 2;
    if (!a->cosines) {
        memcpy(to, from, a->width * sizeof(el));
        return;
    }
    long at = (a->positions ? a->positions[b * a->length + t] : t) * half;
    EACH(i, half, {
        vf x = load(from + i, left), y = load(from + half + i, left);
        vf c = load_float(a->cosines + at + i, left), s = load_float(a->sines + at + i, left);
        store(to + i, x * c - y * s, left);
        store(to + half + i, y * c + x * s, left);
    })
}

/* The gradient's way back through `turn`, from float, times `factor`. */
INLINE void unturn(const Attention *a, long b, long t, float factor, const float *from, el *to) {
    long half = a->width / 2;
    if (!a->cosines) {
        EACH(i, a->width, store(to + i, load_float(from + i, left) * factor, left);)
        return;
    }
    long at = (a->positions ? a->positions[b * a->length + t] : t) * half;
    EACH(i, half, {
        vf x = load_float(from + i, left) * factor, y = load_float(from + half + i, left) * factor;
        vf c = load_float(a->cosines + at + i, left), s = load_float(a->sines + at + i, left);
        store(to + i, x * c + y * s, left);
        store(to + half + i, y * c - x * s, left);
    })
}

/* rows [count][wide] (zeros beyond) -> units over the width, panels of keys: [keys / PANEL][depth][PANEL]. */
static void pack_turned(const el *rows, long wide, long depth, long first, unit *to) {
    unit *panel = to + first / PANEL * depth * PANEL;
    for (long d = 0; d < depth; d++)
        for (long j = 0; j < PANEL; j++) memcpy(panel + d * PANEL + j, rows + j * wide + d * UNIT, sizeof *to);
}

/* rows [count][wide] -> units over the rows: [count / UNIT][wide]. */
static void pack_rows(const el *rows, long count, long wide, unit *to) {
#if KIND == BF16
    for (long t = 0; t < count; t += 2)
        for (long e = 0; e < wide; e++)
            to[t / 2 * wide + e] = rows[t * wide + e] | (uint32_t)rows[(t + 1) * wide + e] << 16;
#else
    memcpy(to, rows, count * wide * sizeof *to);
#endif
}

/* Packs keys and values of one (sequence, key/value head) PANEL rows at a time; what is NULL is not made. */
static void pack_keys_values(const Attention *a, Room *r, long b, long kv) {
    for (long first = 0; first < r->keys; first += PANEL) {
        el k[PANEL * r->wide], v[PANEL * r->wide];
        memset(k, 0, sizeof k);
        memset(v, 0, sizeof v);
        for (long j = 0; j < PANEL && first + j < a->length; j++) {
            long t = first + j;
            turn(a, b, t, a->k + b * a->k_batch + t * a->k_row + kv * a->width, k + j * r->wide);
            memcpy(v + j * r->wide, a->v + b * a->v_batch + t * a->v_row + kv * a->width, a->width * sizeof(el));
        }
        pack_turned(k, r->wide, r->deep, first, r->k_turned);
        if (r->v_turned) pack_turned(v, r->wide, r->deep, first, r->v_turned);
        if (r->k_rows) pack_rows(k, PANEL, r->wide, r->k_rows + first / UNIT * r->wide);
        if (r->v_rows) pack_rows(v, PANEL, r->wide, r->v_rows + first / UNIT * r->wide);
    }
}

/* QUERIES rows of queries from t0 on, turned; zeros beyond the end. */
static void load_queries(const Attention *a, Room *r, long b, long h, long t0) {
    memset(r->q, 0, QUERIES * r->wide * sizeof(el));
    for (long j = 0; j < QUERIES && t0 + j < a->length; j++) {
        long t = t0 + j;
        turn(a, b, t, a->q + b * a->q_batch + t * a->q_row + h * a->width, r->q + j * r->wide);
    }
    r->q_words = as_left(r->q, QUERIES * r->wide, r->q_words);
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
    long span = high - low, p_step = r->step / UNIT;
    load_queries(a, r, b, h, t0);
    product(r, count, span, r->deep, r->q_words, r->wide / UNIT, 1, r->k_turned + low * r->deep, PANEL,
            r->deep * PANEL, r->scores, r->step, 0);
    for (long j = 0; j < count; j++) {
        float *row = r->scores + j * r->step;
        mask(row, low, high, start_of(a, b, t0 + j), t0 + j);
        vf top = splat(-INFINITY), sum = {0};
        for (long s = 0; s < span; s += LANES) top = larger(*(vf_loose *)(row + s), top);
        float most = max_lanes(top) * scale;
        for (long s = 0; s < span; s += LANES) {
            vf power = exponential(*(vf_loose *)(row + s) * scale - most);
            sum += power;
            store_left(r->p_rows + j * p_step, s, power);
        }
        sums[j] = add_lanes(sum);
        a->lse[(b * a->heads + h) * a->length + t0 + j] = most + logf(sums[j]);
    }
    product(r, count, r->wide, span / UNIT, r->p_rows, p_step, 1, r->v_rows + low / UNIT * r->wide, r->wide, PANEL,
            r->small, r->wide, 0);
    for (long j = 0; j < count; j++) {
        el *to = a->out + ((b * a->length + t0 + j) * a->heads + h) * a->width;
        float inverse = 1.0f / sums[j];
        EACH(i, a->width, store(to + i, load_float(r->small + j * r->wide + i, left) * inverse, left);)
    }
}

#if KIND == BF16
/* Two rows of floats -> units over the two rows. */
INLINE void store_pair(uint32_t *to, vf first, vf second) {
    vu low = __builtin_convertvector(narrow(first), vu), high = __builtin_convertvector(narrow(second), vu);
    *(vu_loose *)to = low | high << 16;
}
#endif

/* P and dS of the block, from the scores and dP: in place, rows and pairs. */
static void score_gradients(const Attention *a, Room *r, long b, long h, long t0, long count, long low, long high,
                            float scale) {
    long span = high - low, step = r->step, rows = r->tiles ? QUERIES : round_up(count, UNIT);
    for (long j = count; j < rows; j++) /* the missing partners add nothing */
        for (long s = 0; s < span; s++) r->scores[j * step + s] = r->dscores[j * step + s] = 0;
    for (long j = 0; j < count; j++) {
        float lse = a->lse[(b * a->heads + h) * a->length + t0 + j];
        float *p = r->scores + j * step, *d = r->dscores + j * step;
        vf dots = {0};
        mask(p, low, high, start_of(a, b, t0 + j), t0 + j);
        for (long s = 0; s < span; s += LANES)
            *(vf_loose *)(p + s) = exponential(*(vf_loose *)(p + s) * scale - lse);
#if KIND == F16 /* dP was rounded to halves: its mean must be taken of the same numbers, or the two do not cancel */
        for (long s = 0; s < span; s += LANES) dots += *(vf_loose *)(p + s) * *(vf_loose *)(d + s);
#else
        long at = ((b * a->length + t0 + j) * a->heads + h) * a->width;
        EACH(i, a->width, dots += load(a->dout + at + i, left) * load(a->out + at + i, left);)
#endif
        float delta = add_lanes(dots);
        for (long s = 0; s < span; s += LANES) {
            vf power = *(vf_loose *)(p + s);
            vf slope = power * (*(vf_loose *)(d + s) - delta) * LIFT(scale);
#if KIND == BF16
            *(vf_loose *)(d + s) = slope;
            store_left(r->p_rows + j * (step / UNIT), s, slope);
#else
            store_left((uint32_t *)p, s, power);
            store_left((uint32_t *)d, s, slope);
#endif
        }
    }
#if KIND == BF16
    for (long j = 0; j < rows; j += UNIT)
        for (long s = 0; s < span; s += LANES) {
            float *p = r->scores + j * step + s, *d = r->dscores + j * step + s;
            store_pair(r->p_pairs + j / UNIT * step + s, *(vf_loose *)p, *(vf_loose *)(p + step));
            store_pair(r->d_pairs + j / UNIT * step + s, *(vf_loose *)d, *(vf_loose *)(d + step));
        }
#endif
}

/* dK += dS . Q and dV += P . dO over the queries of a block; matrix registers want, and make, both the other way round. */
static void key_value_gradients(const Room *r, long low, long span, long pairs) {
    long wide = r->wide, step = r->step, deep = QUERIES / UNIT;
    if (r->tiles) {
        product(r, wide, span, deep, r->q_columns, deep, 1, (unit *)r->d_pairs, step, PANEL, r->dk + low, r->keys, 1);
        product(r, wide, span, deep, r->dout_columns, deep, 1, (unit *)r->p_pairs, step, PANEL, r->dv + low, r->keys, 1);
        return;
    }
    product(r, span, wide, pairs, r->d_pairs, 1, step, r->q_rows, wide, PANEL, r->dk + low * wide, wide, 1);
    product(r, span, wide, pairs, r->p_pairs, 1, step, r->dout_rows, wide, PANEL, r->dv + low * wide, wide, 1);
}

/* [rows][columns] -> [columns][rows]. */
static void transpose(const uint32_t *from, long rows, long columns, uint32_t *to) {
    for (long r = 0; r < rows; r++)
        for (long c = 0; c < columns; c++) to[c * rows + r] = from[r * columns + c];
}

static void backward_block(const Attention *a, Room *r, long b, long h, long t0, float scale) {
    long count = a->length - t0 < QUERIES ? a->length - t0 : QUERIES, low, high, wide = r->wide;
    key_range(a, b, t0, count, &low, &high);
    long span = high - low, step = r->step;
    load_queries(a, r, b, h, t0);
    memset(r->dout, 0, QUERIES * wide * sizeof(el));
    for (long j = 0; j < count; j++)
        memcpy(r->dout + j * wide, a->dout + ((b * a->length + t0 + j) * a->heads + h) * a->width,
               a->width * sizeof(el));
    r->dout_words = as_left(r->dout, QUERIES * wide, r->dout_words);
    pack_rows(r->q, QUERIES, wide, r->q_rows);
    pack_rows(r->dout, QUERIES, wide, r->dout_rows);
    if (r->tiles) {
        transpose((uint32_t *)r->q_rows, QUERIES / UNIT, wide, r->q_columns);
        transpose((uint32_t *)r->dout_rows, QUERIES / UNIT, wide, r->dout_columns);
    }
    product(r, count, span, r->deep, r->q_words, wide / UNIT, 1, r->k_turned + low * r->deep, PANEL,
            r->deep * PANEL, r->scores, step, 0);
    product(r, count, span, r->deep, r->dout_words, wide / UNIT, 1, r->v_turned + low * r->deep, PANEL,
            r->deep * PANEL, r->dscores, step, 0);
    score_gradients(a, r, b, h, t0, count, low, high, scale);
    product(r, count, wide, span / UNIT, r->p_rows, step / UNIT, 1, r->k_rows + low / UNIT * wide, wide, PANEL,
            r->small, wide, 0);
    key_value_gradients(r, low, span, round_up(count, UNIT) / UNIT);
    for (long j = 0; j < count; j++)
        unturn(a, b, t0 + j, scale / LIFT(scale), r->small + j * wide, a->dq + b * a->q_batch + (t0 + j) * a->q_row + h * a->width);
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
    r->step = r->keys + PANEL;
    r->tiles = KIND == BF16 && TILES && r->deep % 16 == 0 && tiles_allowed();
    size_t turned = r->keys * r->deep * 4, rows = r->keys * r->wide / UNIT * 4, block = QUERIES * r->step * 4;
    size_t small = QUERIES * r->wide * 4, sums = r->keys * r->wide * 4;
    char *at = scratch(2 * turned + 2 * rows + 5 * block + 9 * small + 2 * sums + 32 * 128);
    if (!at) return 1;
    r->k_turned = (unit *)take(&at, turned);
    r->q = (el *)take(&at, small);
    if (KIND == F16) r->q_words = (uint32_t *)take(&at, small);
    r->scores = (float *)take(&at, block);
    r->p_rows = (uint32_t *)take(&at, block);
    r->small = (float *)take(&at, small);
    if (!backward) {
        r->v_rows = (unit *)take(&at, rows);
        return 0;
    }
    r->v_turned = (unit *)take(&at, turned);
    r->k_rows = (unit *)take(&at, rows);
    r->dout = (el *)take(&at, small);
    if (KIND == F16) r->dout_words = (uint32_t *)take(&at, small);
    r->dscores = (float *)take(&at, block);
    r->dk = (float *)take(&at, sums);
    r->dv = (float *)take(&at, sums);
    r->q_rows = (unit *)take(&at, small);
    r->dout_rows = (unit *)take(&at, small);
    r->q_columns = (uint32_t *)take(&at, small);
    r->dout_columns = (uint32_t *)take(&at, small);
    r->p_pairs = KIND == BF16 ? (uint32_t *)take(&at, block) : (uint32_t *)r->scores;
    r->d_pairs = KIND == BF16 ? (uint32_t *)take(&at, block) : (uint32_t *)r->dscores;
    if (KIND != BF16) r->p_rows = (uint32_t *)r->dscores;
    return 0;
}

/* 0, or 1: out of memory. Positions and starts were checked by the caller (see `attention_check`). */
EXPORT int NAME(attention)(const Attention *a) {
    int failed = 0;
    float scale = 1.0f / sqrtf(a->width);
#pragma omp parallel for schedule(dynamic) num_threads(a->threads) reduction(| : failed)
    for (long task = 0; task < a->batch * a->kv_heads; task++) {
        long b = task / a->kv_heads, kv = task % a->kv_heads, group = a->heads / a->kv_heads;
        Room r;
        if (make_room(a, &r, 0)) {
            failed = 1;
            continue;
        }
        pack_keys_values(a, &r, b, kv);
        if (r.tiles) tiles_begin();
        for (long h = kv * group; h < (kv + 1) * group; h++)
            for (long t0 = 0; t0 < a->length; t0 += QUERIES) forward_block(a, &r, b, h, t0, scale);
        if (r.tiles) tiles_end();
    }
    return failed;
}

/* Key t's row of dK or dV, put together in `room` where it lies in a column. */
INLINE const float *sums_of(const Room *r, const float *sums, long t, float *room) {
    if (!r->tiles) return sums + t * r->wide;
    for (long e = 0; e < r->wide; e++) room[e] = sums[e * r->keys + t];
    return room;
}

EXPORT int NAME(attention_backward)(const Attention *a) {
    int failed = 0;
    float scale = 1.0f / sqrtf(a->width);
#pragma omp parallel for schedule(dynamic) num_threads(a->threads) reduction(| : failed)
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
        if (r.tiles) tiles_begin();
        for (long h = kv * group; h < (kv + 1) * group; h++)
            for (long t0 = 0; t0 < a->length; t0 += QUERIES) backward_block(a, &r, b, h, t0, scale);
        if (r.tiles) tiles_end();
        for (long t = 0; t < a->length; t++) {
            el *dv = a->dv + b * a->v_batch + t * a->v_row + kv * a->width;
            const float *dk_row = sums_of(&r, r.dk, t, r.small), *dv_row = sums_of(&r, r.dv, t, r.small + r.wide);
            unturn(a, b, t, scale / LIFT(scale), dk_row, a->dk + b * a->k_batch + t * a->k_row + kv * a->width);
            EACH(i, a->width, store(dv + i, load_float(dv_row + i, left), left);)
        }
    }
    return failed;
}

#if KIND == F32
EXPORT int matrix_registers(void) { return tiles_allowed(); }

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
