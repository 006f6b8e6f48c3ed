/* Matrix products of half-precision factors with sums in float: what every linear layer runs on where the
 * processor multiplies halves at twice the rate of floats.
 *
 * A tile of ROWS x PANEL sums is kept in half precision over at most CHUNK products, then added to floats; the
 * rounding stays below what bf16 factors would bring. Halves of the left factor are doubled into words when they
 * are packed, since broadcasting a word is free and broadcasting a half takes the port that multiplies. The right
 * factor comes in rows of PANEL columns, one a depth: a weight packed beforehand, or activations as they lie.
 * Threads take blocks as they become free; what a block computes does not depend on who takes it.
 *
 * N tokens, D width of the input, M width of the output.
 */
#include "lanes.h"
#if KIND_RUNS

enum { PANEL = 2 * WIDE, ROWS = 12, CHUNK = 128, BLOCK = 4 * ROWS };

INLINE long smaller(long a, long b) { return a < b ? a : b; }

typedef struct {
    vw at[ROWS][2];
} Sums;

/* left . right over depth <= CHUNK, for left[r * row_step + d * depth_step] and right[d * right_step ...]. */
INLINE Sums multiply(const uint32_t *left, const long row_step, const long depth_step, const half *right,
                     long right_step, long depth) {
    vw sums[ROWS][2] = {0};
    for (long d = 0; d < depth; d++) {
        vw b0 = *(const vw_loose *)(right + d * right_step), b1 = *(const vw_loose *)(right + d * right_step + WIDE);
#pragma GCC unroll 12
        for (int r = 0; r < ROWS; r++) {
            vw a = (vw)(left[r * row_step + d * depth_step] - (vu){0});
            sums[r][0] += a * b0;
            sums[r][1] += a * b1;
        }
    }
    Sums all;
    memcpy(&all, sums, sizeof all);
    return all;
}

/* The three ways to end a tile, each a function of its own, so that all sums stay in registers. */

/* to[ROWS][PANEL] = or += rows of a packed left factor . right */
static __attribute__((noinline)) void tile_of_rows(const uint32_t *left, const half *right, long depth, float *to,
                                                   int add) {
    Sums sums = multiply(left, CHUNK, 1, right, PANEL, depth);
    for (int r = 0; r < ROWS; r++)
        for (int j = 0; j < 2; j++) put_floats(to + r * PANEL + j * WIDE, sums.at[r][j], add);
}

/* out[ROWS][PANEL], `out_step` apart, = the same, with nothing to add to */
static __attribute__((noinline)) void tile_at_once(const uint32_t *left, const half *right, long depth, half *out,
                                                   long out_step) {
    Sums sums = multiply(left, CHUNK, 1, right, PANEL, depth);
    for (int r = 0; r < ROWS; r++)
        for (int j = 0; j < 2; j++) *(vw_loose *)(out + r * out_step + j * WIDE) = sums.at[r][j];
}

/* to[ROWS][PANEL], `to_step` apart, += columns of a left factor . right */
static __attribute__((noinline)) void tile_of_columns(const uint32_t *left, const half *right, long right_step,
                                                      long depth, float *to, long to_step) {
    Sums sums = multiply(left, 1, ROWS, right, right_step, depth);
    for (int r = 0; r < ROWS; r++)
        for (int j = 0; j < 2; j++) put_floats(to + r * to_step + j * WIDE, sums.at[r][j], 1);
}

enum { COLUMN_TILE = CHUNK * ROWS + LANES }; /* words, with some to spare */

/* BLOCK columns of left [tokens][rows], from `first` on, as tiles of [tokens][ROWS] words, COLUMN_TILE apart; beyond
 * the end zero. */
static void pack_columns(const half *left, long first, long rows, long tokens, uint32_t *to) {
    enum { READ = (ROWS + LANES - 1) / LANES * LANES };
    long quick = first + BLOCK <= rows ? tokens - 1 : 0; /* reads beyond its columns, so not at the very end */
    for (long d = 0; d < quick; d++)
        for (long t = 0; t < BLOCK / ROWS; t++)
            twice(left + d * rows + first + t * ROWS, to + t * COLUMN_TILE + d * ROWS, READ);
    for (long t = 0; t < BLOCK / ROWS && first + t * ROWS < rows; t++) {
        long from = first + t * ROWS, count = smaller(ROWS, rows - from);
        uint32_t *tile = to + t * COLUMN_TILE;
        for (long d = quick; d < tokens; d++) {
            if (count < ROWS) memset(tile + d * ROWS, 0, ROWS * sizeof *to);
            twice(left + d * rows + from, tile + d * ROWS, count);
        }
    }
}

/* PANEL columns of right [depth][width], of which `wide` are there; the others zero. */
static void pack_panel(const half *right, long width, long depth, long wide, half *to) {
    for (long d = 0; d < depth; d++) {
        half *row = to + d * PANEL;
        if (wide == PANEL) {
            for (long i = 0; i < PANEL; i += WIDE) *(vw_loose *)(row + i) = *(vw_loose *)(right + d * width + i);
            continue;
        }
        memcpy(row, right + d * width, wide * sizeof(half));
        memset(row + wide, 0, (PANEL - wide) * sizeof(half));
    }
}

/* `rows` rows of a weight, at row0 of all `total_rows`, become part of both its packed forms:
 * across, [M / PANEL][D][PANEL], for x . W^T, and (unless NULL) along, [D / PANEL][M][PANEL], for dy . W. */
EXPORT int pack_weight(const float *weight, long rows, long width, long row0, long total_rows, half *across,
                       half *along, int threads) {
#pragma omp parallel for schedule(static) num_threads(threads) if (rows * width > 65536)
    for (long r = 0; r < rows; r++) {
        long m = row0 + r;
        half *column = across + m / PANEL * width * PANEL + m % PANEL;
        half apart[PANEL];
        for (long d = 0; d < width; d += PANEL) {
            half *row = along ? along + (d / PANEL * total_rows + m) * PANEL : apart;
            const float *from = weight + r * width + d;
            long wide = smaller(PANEL, width - d);
            EACH(i, wide, store(row + i, load_float(from + i, left), left);)
            for (long i = 0; i < wide; i++) column[(d + i) * PANEL] = row[i];
        }
    }
    return 0;
}

/* Packs of `count` rows of left [.][depth]: for each CHUNK of depth [BLOCK][CHUNK], missing rows zero. */
static void pack_left(const half *left, long count, long depth, uint32_t *to) {
    for (long d = 0; d < depth; d += CHUNK)
        for (long r = 0; r < BLOCK; r++) {
            uint32_t *row = to + d * BLOCK + r * CHUNK;
            if (r < count)
                twice(left + r * depth + d, row, smaller(CHUNK, depth - d));
            else
                memset(row, 0, CHUNK * sizeof *row);
        }
}

/* Rows of sums become halves; `wide` <= PANEL columns are there. */
static void put_halves(const float *from, long rows, long wide, half *out, long out_step) {
    for (long r = 0; r < rows; r++)
        EACH(i, wide, store(out + r * out_step + i, load_float(from + r * PANEL + i, left), left);)
}

/* Rows of sums as they are. */
static void put_rows(const float *from, long rows, long wide, float *out, long out_step) {
    for (long r = 0; r < rows; r++) memcpy(out + r * out_step, from + r * PANEL, wide * sizeof *out);
}

/* out [N][columns] = left [N][depth] . panels, in halves, or in floats where `wide_out` is given instead of `out`.
 * Few rows are not enough blocks for all threads: then each takes a part of the columns. 0, or 1: out of memory. */
EXPORT int product(const half *left, const half *panels, long rows, long depth, long columns, half *out,
                   float *wide_out, int threads) {
    int failed = 0;
    long blocks = (rows + BLOCK - 1) / BLOCK, parts = blocks < 2 * threads ? threads : 1;
    long part = ((columns + parts - 1) / parts + PANEL - 1) / PANEL * PANEL;
#pragma omp parallel num_threads(threads) reduction(| : failed)
    {
        size_t packed_bytes = (size_t)(depth + CHUNK) * BLOCK * sizeof(uint32_t);
        uint32_t *packed = aligned_alloc(64, packed_bytes / 64 * 64);
        float sums[ROWS * PANEL] __attribute__((aligned(64)));
        failed = !packed;
#pragma omp for schedule(dynamic)
        for (long piece = 0; piece < blocks * parts; piece++) {
            if (!packed) continue;
            long first = piece / parts * BLOCK, count = smaller(BLOCK, rows - first);
            long from = piece % parts * part, until = smaller(columns, from + part);
            pack_left(left + first * depth, count, depth, packed);
            for (long c = from; c < until; c += PANEL) {
                const half *panel = panels + c * depth;
                for (long r = 0; r < count; r += ROWS) {
                    long to = (first + r) * columns + c, here = smaller(ROWS, count - r), wide = smaller(PANEL, columns - c);
                    if (out && depth <= CHUNK && here == ROWS && wide == PANEL) {
                        tile_at_once(packed + r * CHUNK, panel, depth, out + to, columns);
                        continue;
                    }
                    for (long d = 0; d < depth; d += CHUNK)
                        tile_of_rows(packed + d * BLOCK + r * CHUNK, panel + d * PANEL, smaller(CHUNK, depth - d), sums,
                                     d > 0);
                    if (out)
                        put_halves(sums, here, wide, out + to, columns);
                    else
                        put_rows(sums, here, wide, wide_out + to, columns);
                }
            }
        }
        free(packed);
    }
    return failed;
}

/* total [rows][wide] += from [ROWS][PANEL] */
static void add_floats(const float *from, long rows, long wide, float *total, long step) {
    for (long r = 0; r < rows; r++)
        EACH(j, wide, {
            float *to = total + r * step + j;
            store_float(to, load_float(to, left) + load_float(from + r * PANEL + j, left), left);
        })
}

/* total [M][D] += left [N][M]^T . right [N][D], tokens in order. */
EXPORT int outer_product(const half *left, const half *right, long tokens, long rows, long width, float *total,
                         int threads) {
    int crowded = width % 256 == 0; /* rows so far apart share too few sets of the first cache */
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (long first = 0; first < rows; first += BLOCK) {
        uint32_t doubled[BLOCK / ROWS * COLUMN_TILE] __attribute__((aligned(64)));
        half packed[CHUNK * PANEL] __attribute__((aligned(64)));
        float sums[ROWS * PANEL] __attribute__((aligned(64)));
        long count = smaller(BLOCK, rows - first);
        for (long n = 0; n < tokens; n += CHUNK) {
            long depth = smaller(CHUNK, tokens - n);
            pack_columns(left + n * rows, first, rows, depth, doubled);
            for (long c = 0; c < width; c += PANEL) {
                const half *panel = right + n * width + c;
                long wide = smaller(PANEL, width - c), step = width;
                if (crowded || wide < PANEL) {
                    pack_panel(panel, width, depth, wide, packed);
                    panel = packed, step = PANEL;
                }
                for (long r = 0; r < count; r += ROWS) {
                    const uint32_t *tile = doubled + r / ROWS * COLUMN_TILE;
                    float *to = total + (first + r) * width + c;
                    if (wide == PANEL && r + ROWS <= count) {
                        tile_of_columns(tile, panel, step, depth, to, width);
                        continue;
                    }
                    memset(sums, 0, sizeof sums);
                    tile_of_columns(tile, panel, step, depth, sums, PANEL);
                    add_floats(sums, smaller(ROWS, count - r), wide, to, width);
                }
            }
        }
    }
    return 0;
}
#endif
