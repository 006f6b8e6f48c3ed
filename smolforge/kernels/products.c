/* Matrix products of half-precision factors with sums in float: what every linear layer runs on where the
 * processor multiplies halves at twice the rate of floats.
 *
 * A tile of ROWS x PANEL sums is kept in half precision over at most CHUNK products, then added to floats; the
 * rounding stays below what bf16 factors would bring. Halves of the left factor are doubled into words when they
 * are packed, since broadcasting a word is free and broadcasting a half takes the port that multiplies. The right
 * factor comes in panels: PANEL columns wide, one row a depth, padded with zeros.
 *
 * N tokens, D width of the input, M width of the output.
 */
#include "lanes.h"
#if KIND_RUNS

enum { WIDE = 2 * LANES, PANEL = 2 * WIDE, ROWS = 12, CHUNK = 128, BLOCK = 4 * ROWS, TOKENS = 512 };

typedef half vw __attribute__((vector_size(WIDE * 2)));
typedef half vw_loose __attribute__((vector_size(WIDE * 2), aligned(2), may_alias));

INLINE long smaller(long a, long b) { return a < b ? a : b; }

INLINE void put_floats(float *to, vw sum, int add) {
    vs parts[2];
    memcpy(parts, &sum, sizeof sum);
    for (int i = 0; i < 2; i++) {
        vf wide = widen_half(parts[i]);
        if (add) wide += *(vf_loose *)(to + i * LANES);
        *(vf_loose *)(to + i * LANES) = wide;
    }
}

/* to[ROWS][PANEL] = or += left . right over depth <= CHUNK. */
INLINE void tile(const uint32_t *left, const long row_step, const long depth_step, const half *right, long depth,
                 float *to, int add) {
    vw sums[ROWS][2] = {0};
    for (long d = 0; d < depth; d++) {
        vw b0 = *(const vw_loose *)(right + d * PANEL), b1 = *(const vw_loose *)(right + d * PANEL + WIDE);
#pragma GCC unroll 12
        for (int r = 0; r < ROWS; r++) {
            vw a = (vw)(left[r * row_step + d * depth_step] - (vu){0});
            sums[r][0] += a * b0;
            sums[r][1] += a * b1;
        }
    }
    for (int r = 0; r < ROWS; r++) {
        put_floats(to + r * PANEL, sums[r][0], add);
        put_floats(to + r * PANEL + WIDE, sums[r][1], add);
    }
}

/* The two layouts of the left factor, each a function of its own, so that all sums stay in registers. */
static __attribute__((noinline)) void tile_of_rows(const uint32_t *left, const half *right, long depth, float *to,
                                                     int add) {
    tile(left, CHUNK, 1, right, depth, to, add);
}

static __attribute__((noinline)) void tile_of_columns(const uint32_t *left, const half *right, long depth, float *to,
                                                     int add) {
    tile(left, 1, ROWS, right, depth, to, add);
}

/* Each half into both halves of a word. */
INLINE void twice(const half *from, uint32_t *to, long count) {
    long i = 0;
    for (; i + LANES <= count; i += LANES) {
        vu words = __builtin_convertvector(*(const vh_loose *)(from + i), vu);
        *(vu_loose *)(to + i) = words | words << 16;
    }
    for (; i < count; i++) {
        uint16_t bits;
        memcpy(&bits, from + i, 2);
        to[i] = bits * 0x10001u;
    }
}

/* ROWS columns of left [tokens][rows], from `first` on, as [tokens][ROWS] words and some to spare; beyond the end
 * zero. */
static void pack_columns(const half *left, long first, long rows, long tokens, uint32_t *to) {
    enum { READ = (ROWS + LANES - 1) / LANES * LANES };
    long quick = first + ROWS <= rows ? tokens - 1 : 0; /* reads beyond its columns, so not at the very end */
    for (long d = 0; d < quick; d++) twice(left + d * rows + first, to + d * ROWS, READ);
    if (first + ROWS > rows) memset(to, 0, tokens * ROWS * sizeof *to);
    for (long d = quick; d < tokens; d++) twice(left + d * rows + first, to + d * ROWS, smaller(ROWS, rows - first));
}

/* `rows` rows of a weight, at row0 of all `total_rows`, become part of both its packed forms:
 * across, [M / PANEL][D][PANEL], for x . W^T, and along, [D / PANEL][M][PANEL], for dy . W. */
EXPORT int pack_weight(const float *weight, long rows, long width, long row0, long total_rows, half *across,
                       half *along, int threads) {
#pragma omp parallel for schedule(static) num_threads(threads) if (rows * width > 65536)
    for (long r = 0; r < rows; r++) {
        long m = row0 + r;
        half *column = across + m / PANEL * width * PANEL + m % PANEL;
        for (long d = 0; d < width; d++) column[d * PANEL] = weight[r * width + d];
        for (long d = 0; d < width; d += PANEL) {
            half *row = along + (d / PANEL * total_rows + m) * PANEL;
            for (long i = 0; i < smaller(PANEL, width - d); i++) row[i] = weight[r * width + d + i];
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

/* out [N][columns] = left [N][depth] . panels. 0, or 1: out of memory. */
EXPORT int product(const half *left, const half *panels, long rows, long depth, long columns, half *out,
                   int threads) {
    int failed = 0;
#pragma omp parallel num_threads(threads) reduction(| : failed)
    {
        size_t packed_bytes = (size_t)(depth + CHUNK) * BLOCK * sizeof(uint32_t);
        uint32_t *packed = aligned_alloc(64, packed_bytes / 64 * 64);
        float sums[BLOCK * PANEL] __attribute__((aligned(64)));
        failed = !packed;
#pragma omp for schedule(static)
        for (long first = 0; first < rows; first += BLOCK) {
            if (!packed) continue;
            long count = smaller(BLOCK, rows - first);
            pack_left(left + first * depth, count, depth, packed);
            for (long c = 0; c < columns; c += PANEL) {
                long wide = smaller(PANEL, columns - c);
                for (long d = 0; d < depth; d += CHUNK)
                    for (long r = 0; r < count; r += ROWS)
                        tile_of_rows(packed + d * BLOCK + r * CHUNK, panels + c * depth + d * PANEL,
                                     smaller(CHUNK, depth - d), sums + r * PANEL, d > 0);
                for (long r = 0; r < count; r++) {
                    half *to = out + (first + r) * columns + c;
                    const float *from = sums + r * PANEL;
                    EACH(i, wide, store(to + i, load_float(from + i, left), left);)
                }
            }
        }
        free(packed);
    }
    return failed;
}

/* total [M][D] += left [N][M]^T . right [N][D]; blocks of tokens in order, whatever the number of threads.
 * 0, or 1: out of memory. */
EXPORT int outer_product(const half *left, const half *right, long tokens, long rows, long width, float *total,
                         int threads) {
    int failed = 0;
    long tiles = (rows + ROWS - 1) / ROWS, panels = (width + PANEL - 1) / PANEL;
#pragma omp parallel num_threads(threads) reduction(| : failed)
    {
        half *packed = aligned_alloc(64, (size_t)panels * TOKENS * PANEL * sizeof(half));
        uint32_t doubled[TOKENS * ROWS + LANES] __attribute__((aligned(64)));
        float sums[ROWS * PANEL] __attribute__((aligned(64)));
        failed = !packed;
        for (long n = 0; n < tokens; n += TOKENS) {
            long depth = smaller(TOKENS, tokens - n);
            for (long p = 0; p < panels && packed; p++)
                for (long d = 0; d < depth; d++) {
                    long wide = smaller(PANEL, width - p * PANEL);
                    half *to = packed + (p * TOKENS + d) * PANEL;
                    memcpy(to, right + (n + d) * width + p * PANEL, wide * sizeof(half));
                    if (wide < PANEL) memset(to + wide, 0, (PANEL - wide) * sizeof(half));
                }
#pragma omp for schedule(static) nowait
            for (long i = 0; i < tiles; i++) {
                if (!packed) continue;
                long count = smaller(ROWS, rows - i * ROWS);
                pack_columns(left + n * rows, i * ROWS, rows, depth, doubled);
                for (long p = 0; p < panels; p++) {
                    for (long d = 0; d < depth; d += CHUNK)
                        tile_of_columns(doubled + d * ROWS, packed + (p * TOKENS + d) * PANEL,
                                        smaller(CHUNK, depth - d), sums, d > 0);
                    for (long r = 0; r < count; r++) {
                        float *to = total + (i * ROWS + r) * width + p * PANEL;
                        const float *from = sums + r * PANEL;
                        EACH(j, smaller(PANEL, width - p * PANEL),
                             store_float(to + j, load_float(to + j, left) + load_float(from + j, left), left);)
                    }
                }
            }
        }
        free(packed);
    }
    return failed;
}
#endif
