/* Vectors of the machine's own width, and the element types a kernel is compiled for.
 *
 * Every kernel file is compiled once for each KIND of element in memory, F32, BF16 and, where the
 * processor multiplies it, F16; registers hold floats. NAME(f) is f_f32, f_bf16 or f_f16. GCC's vector
 * extensions make the same source AVX-512, AVX2 or NEON; only bf16 rounding and dot products, and the
 * broadcast of one half, have an instruction of their own worth naming.
 */
#ifndef LANES_H
#define LANES_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define F32 0
#define BF16 1
#define F16 2

#if defined(__AVX512F__)
#include <immintrin.h>
#endif
#if defined(__AVX512BF16__) && defined(__AVX512F__)
#define BF16_INSTRUCTIONS 1
#else
#define BF16_INSTRUCTIONS 0
#endif
#if defined(__AVX512FP16__) || defined(__ARM_FEATURE_FP16_VECTOR_ARITHMETIC)
#define F16_INSTRUCTIONS 1
#else
#define F16_INSTRUCTIONS 0
#endif
#define KIND_RUNS (KIND != F16 || F16_INSTRUCTIONS) /* a file without it is empty */
#if KIND_RUNS

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif

typedef float vf __attribute__((vector_size(LANES * 4)));
typedef float vf_loose __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef uint32_t vu __attribute__((vector_size(LANES * 4)));
typedef uint32_t vu_loose __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32_t vi __attribute__((vector_size(LANES * 4)));
typedef uint16_t vh __attribute__((vector_size(LANES * 2)));
typedef uint16_t vh_loose __attribute__((vector_size(LANES * 2), aligned(2), may_alias));

#if F16_INSTRUCTIONS
typedef _Float16 half;
typedef half vs __attribute__((vector_size(LANES * 2)));
typedef half vs_loose __attribute__((vector_size(LANES * 2), aligned(2), may_alias));
enum { WIDE = 2 * LANES };
typedef half vw __attribute__((vector_size(WIDE * 2)));
typedef half vw_loose __attribute__((vector_size(WIDE * 2), aligned(2), may_alias));
#endif

#if KIND == BF16
typedef uint16_t el;
#define NAME(f) f##_bf16
#elif KIND == F16
typedef half el;
#define NAME(f) f##_f16
#else
typedef float el;
#define NAME(f) f##_f32
#endif

#define INLINE static inline __attribute__((always_inline))
#define EXPORT __attribute__((visibility("default")))

/* Runs the body for i = 0, LANES, ...; `left` is how many elements are there, a constant but in the tail. */
#define EACH(i, n, ...)                                    \
    {                                                      \
        long i = 0;                                        \
        for (; i + LANES <= (n); i += LANES) {             \
            const long left = LANES;                       \
            __VA_ARGS__                                    \
        }                                                  \
        if (i < (n)) {                                     \
            const long left = (n) - i;                     \
            __VA_ARGS__                                    \
        }                                                  \
    }

/* Rows that a thread takes at a time: 64, or its share where there are few. */
INLINE long at_a_time(long rows, long threads) {
    long share = (rows + threads - 1) / threads;
    return share > 64 ? 64 : share > 0 ? share : 1;
}

INLINE vf splat(float x) { return x - (vf){0}; }

INLINE vf pick(vi mask, vf yes, vf no) { return (vf)(((vi)yes & mask) | ((vi)no & ~mask)); }

/* b where either is NaN. */
INLINE vf larger(vf a, vf b) {
#if defined(__AVX512F__)
    return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#else
    return pick(a > b, a, b);
#endif
}

INLINE vf inverse(vf x) {
#if defined(__AVX512F__)
    vf y = (vf)_mm512_rcp14_ps((__m512)x);
    vf better = y * (2.0f - x * y); /* 1 ulp or two, and a third of the time of a division */
    return pick(better == better, better, y); /* 0 and infinity need no bettering */
#else
    return 1.0f / x;
#endif
}

/* Lane j gets lane j ^ step. */
INLINE vf swap_lanes(vf x, int step) {
#if defined(__clang__)
    vf y;
    for (int j = 0; j < LANES; j++) y[j] = x[j ^ step];
    return y;
#else
    vi from;
    for (int j = 0; j < LANES; j++) from[j] = j ^ step;
    return __builtin_shuffle(x, from);
#endif
}

INLINE float add_lanes(vf x) {
    if (LANES > 8) x += swap_lanes(x, 8);
    if (LANES > 4) x += swap_lanes(x, 4);
    x += swap_lanes(x, 2);
    return x[0] + x[1];
}

INLINE float max_lanes(vf x) {
    if (LANES > 8) x = larger(x, swap_lanes(x, 8));
    if (LANES > 4) x = larger(x, swap_lanes(x, 4));
    x = larger(x, swap_lanes(x, 2));
    return x[0] > x[1] ? x[0] : x[1];
}

INLINE vf load_float(const float *p, long left) {
    if (left == LANES) return *(const vf_loose *)p;
    vf x = {0};
    memcpy(&x, p, 4 * left);
    return x;
}

INLINE void store_float(float *p, vf x, long left) {
    if (left == LANES)
        *(vf_loose *)p = x;
    else
        memcpy(p, &x, 4 * left);
}

INLINE vf widen(vh x) { return (vf)(__builtin_convertvector(x, vu) << 16); }

/* Round to nearest, ties to even; a NaN stays one. */
INLINE vh narrow(vf x) {
#if BF16_INSTRUCTIONS
    return (vh)_mm512_cvtneps_pbh((__m512)x);
#else
    vu bits = (vu)x;
    vu rounded = bits + 0x7fff + ((bits >> 16) & 1);
    vu nan = (vu)(x != x);
    rounded = (rounded & ~nan) | (nan & 0x7fc00000u);
    return __builtin_convertvector(rounded >> 16, vh);
#endif
}

#if F16_INSTRUCTIONS
/* GCC 12 converts some of these lane by lane if left to itself. */
INLINE vf widen_half(vs x) {
#if defined(__AVX512FP16__)
    return (vf)_mm512_cvtxph_ps((__m256h)x);
#else
    return __builtin_convertvector(x, vf);
#endif
}

INLINE vs narrow_half(vf x) {
#if defined(__AVX512FP16__)
    return (vs)_mm512_cvtxps_ph((__m512)x);
#else
    return __builtin_convertvector(x, vs);
#endif
}

/* Sums kept in halves, stored as or added to floats. */
INLINE void put_floats(float *to, vw sums, int add) {
    vs parts[2];
    memcpy(parts, &sums, sizeof sums);
    for (int i = 0; i < 2; i++) {
        vf wide = widen_half(parts[i]);
        if (add) wide += *(vf_loose *)(to + i * LANES);
        *(vf_loose *)(to + i * LANES) = wide;
    }
}

/* Each of 16 bits into both halves of a word. */
INLINE vu doubled(vh x) {
#if defined(__AVX512BW__)
    const __m512i pairs = {0x0001000100000000, 0x0003000300020002, 0x0005000500040004, 0x0007000700060006,
                           0x0009000900080008, 0x000b000b000a000a, 0x000d000d000c000c, 0x000f000f000e000e};
    return (vu)_mm512_permutexvar_epi16(pairs, _mm512_castsi256_si512((__m256i)x));
#else
    vu words = __builtin_convertvector(x, vu);
    return words | words << 16;
#endif
}

/* The same of a row. */
INLINE void twice(const half *from, uint32_t *to, long count) {
    long i = 0;
    for (; i + LANES <= count; i += LANES) *(vu_loose *)(to + i) = doubled(*(const vh_loose *)(from + i));
    for (; i < count; i++) {
        uint16_t bits;
        memcpy(&bits, from + i, 2);
        to[i] = bits * 0x10001u;
    }
}
#endif

INLINE vf load(const el *p, long left) {
#if KIND == BF16
    if (left == LANES) return widen(*(const vh_loose *)p);
    vh x = {0};
    memcpy(&x, p, 2 * left);
    return widen(x);
#elif KIND == F16
    if (left == LANES) return widen_half(*(const vs_loose *)p);
    vs x = {0};
    memcpy(&x, p, 2 * left);
    return widen_half(x);
#else
    return load_float(p, left);
#endif
}

INLINE void store(el *p, vf x, long left) {
#if KIND == BF16
    vh y = narrow(x);
    if (left == LANES)
        *(vh_loose *)p = y;
    else
        memcpy(p, &y, 2 * left);
#elif KIND == F16
    vs y = narrow_half(x);
    if (left == LANES)
        *(vs_loose *)p = y;
    else
        memcpy(p, &y, 2 * left);
#else
    store_float(p, x, left);
#endif
}

INLINE float load_one(const el *p) {
#if KIND == BF16
    uint32_t bits = (uint32_t)*p << 16;
    float x;
    memcpy(&x, &bits, 4);
    return x;
#else
    return *p;
#endif
}

/* e^r for r within half of ln 2. Source: the Cephes single-precision polynomial. */
INLINE vf exponential_near_0(vf r) {
    vf p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    return p * r * r + r + 1.0f;
}

/* e^x to 2 ulp; 0 below -87.3 (so for -inf), about 2.4e38 from 88.3 up, NaN for NaN. */
INLINE vf exponential(vf x) {
#if defined(__AVX512F__)
    __mmask16 alive = _mm512_cmp_ps_mask((__m512)x, (__m512)splat(-87.3f), _CMP_NLT_UQ);
    x = (vf)_mm512_min_ps((__m512)splat(88.3f), (__m512)x); /* the second where one is NaN */
    vf n = (vf)_mm512_roundscale_ps((__m512)(x * 1.44269504f), _MM_FROUND_TO_NEAREST_INT);
    vf y = exponential_near_0(x - n * 0.693359375f + n * 2.12194440e-4f);
    return (vf)_mm512_maskz_scalef_ps(alive, (__m512)y, (__m512)n);
#else
    vi tiny = x < splat(-87.3f);
    x = pick(x > splat(88.3f), splat(88.3f), x);
    vf shifted = x * 1.44269504f + 12582912.0f; /* the nearest whole number sits in the low bits */
    vf n = shifted - 12582912.0f;
    vf p = exponential_near_0(x - n * 0.693359375f + n * 2.12194440e-4f);
    vf y = (vf)((vi)p + ((vi)shifted << 23));
    y = pick(x == x, y, x);
    return (vf)((vi)y & ~tiny);
#endif
}

#endif
#endif
