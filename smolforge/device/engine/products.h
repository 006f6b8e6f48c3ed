/* Products of packed matrices with a few rows of inputs.
 *
 * Inputs to four- and eight-bit matrices become whole numbers of 15 bits, a block of 32 with one scale: outliers, which
 * language models have, would leave 8 bits nothing for the other 31. Such a number goes through the processor's dot
 * products of bytes in two parts, 128 high + low, and the sums are exact. Memory is what decoding waits for, so the second
 * part costs it little.
 */
#ifndef PRODUCTS_H
#define PRODUCTS_H

#include "formats.h"

enum { TOGETHER = 8 }; /* rows of inputs that share a pass over a panel */

typedef struct {
    union {
        struct {
            int8_t high[BLOCK], low[BLOCK];
        };
        int16_t whole[BLOCK]; /* WebAssembly multiplies these at once */
    };
    float scale;
    int32_t sum; /* of the whole numbers */
    int32_t unused[14];
} Inputs; /* a block of a row: 192 bytes */

typedef int8_t vb __attribute__((vector_size(LANES)));

/* A row of `width` floats as blocks; width is a multiple of BLOCK. */
static void round_row(const float *x, long width, Inputs *to) {
    const vf whole = splat(12582912.0f); /* 1.5 * 2^23: added, it leaves the nearest whole number in the low bits */
    for (long b = 0; b < width / BLOCK; b++, x += BLOCK, to++) {
        vf most = splat(0);
        for (int i = 0; i < BLOCK; i += LANES) {
            vf a = load_float(x + i, LANES);
            most = larger(most, larger(a, -a));
        }
        float top = max_lanes(most), by = top > 0 ? 16256.0f / top : 0.0f;
        vi sums = {0};
        to->scale = top / 16256.0f;
        for (int i = 0; i < BLOCK; i += LANES) {
            vi v = (vi)(load_float(x + i, LANES) * by + whole) - (vi)whole;
#if defined(__wasm_simd128__)
            for (int j = 0; j < LANES; j++) to->whole[i + j] = (int16_t)v[j];
#else
            vi high = (v + 64) >> 7;
            *(vb *)(to->high + i) = __builtin_convertvector(high, vb);
            *(vb *)(to->low + i) = __builtin_convertvector(v - high * 128, vb);
#endif
            sums += v;
        }
        int32_t sum = 0;
        for (int j = 0; j < LANES; j++) sum += sums[j];
        to->sum = sum;
    }
}

#if defined(__AVX512VNNI__)
typedef __m512i Sums; /* of 16 rows */
INLINE Sums no_sums(void) { return _mm512_setzero_si512(); }
INLINE Sums codes_at(const uint8_t *p) { return _mm512_loadu_si512(p); }
INLINE Sums low_codes(Sums w) { return _mm512_and_si512(w, _mm512_set1_epi8(15)); }
INLINE Sums high_codes(Sums w) { return _mm512_and_si512(_mm512_srli_epi16(w, 4), _mm512_set1_epi8(15)); }
/* sums += for each row four unsigned weights . the same four inputs */
INLINE Sums dot(Sums sums, Sums w, const int8_t *four) {
    /* In words, since compilers broadcast by an instruction of its own: that is a quarter slower. */
    __asm__("vpdpbusd %1%{1to16%}, %2, %0" : "+v"(sums) : "m"(*(const int32_t *)four), "v"(w));
    return sums;
}
/* 128 high + low - shift, as floats: rows LANES j and on */
INLINE vf in_floats(Sums high, Sums low, int32_t shift, int j) {
    (void)j;
    Sums all = _mm512_add_epi32(_mm512_slli_epi32(high, 7), low);
    return (vf)_mm512_cvtepi32_ps(_mm512_sub_epi32(all, _mm512_set1_epi32(shift)));
}
#elif defined(__wasm_simd128__)
typedef struct {
    v128_t of[8]; /* two rows each, two sums a row; or 64 codes in the first four */
} Sums;
INLINE Sums no_sums(void) { return (Sums){0}; }
INLINE Sums codes_at(const uint8_t *p) {
    Sums w = {0};
    for (int i = 0; i < 4; i++) w.of[i] = wasm_v128_load(p + 16 * i);
    return w;
}
INLINE Sums low_codes(Sums w) {
    for (int i = 0; i < 4; i++) w.of[i] = wasm_v128_and(w.of[i], wasm_i8x16_splat(15));
    return w;
}
INLINE Sums high_codes(Sums w) {
    for (int i = 0; i < 4; i++) w.of[i] = wasm_u8x16_shr(w.of[i], 4);
    return w;
}
INLINE Sums dot(Sums sums, Sums w, const int16_t *four) {
    const v128_t inputs = wasm_v128_load64_splat(four);
    for (int i = 0; i < 4; i++) {
        v128_t first = wasm_i32x4_dot_i16x8(wasm_u16x8_extend_low_u8x16(w.of[i]), inputs);
        v128_t second = wasm_i32x4_dot_i16x8(wasm_u16x8_extend_high_u8x16(w.of[i]), inputs);
        sums.of[2 * i] = wasm_i32x4_add(sums.of[2 * i], first);
        sums.of[2 * i + 1] = wasm_i32x4_add(sums.of[2 * i + 1], second);
    }
    return sums;
}
INLINE vf in_floats(Sums whole, int32_t shift, int j) {
    v128_t a = whole.of[2 * j], b = whole.of[2 * j + 1];
    v128_t all = wasm_i32x4_add(wasm_i32x4_shuffle(a, b, 0, 2, 4, 6), wasm_i32x4_shuffle(a, b, 1, 3, 5, 7));
    return (vf)wasm_f32x4_convert_i32x4(wasm_i32x4_sub(all, wasm_i32x4_splat(shift)));
}
#else
typedef uint8_t codes64 __attribute__((vector_size(64)));
typedef struct {
    int32_t of[PANEL];
    codes64 codes;
} Sums;
INLINE Sums no_sums(void) { return (Sums){0}; }
INLINE Sums codes_at(const uint8_t *p) {
    Sums w;
    memcpy(&w.codes, p, 64);
    return w;
}
INLINE Sums low_codes(Sums w) {
    w.codes &= 15;
    return w;
}
INLINE Sums high_codes(Sums w) {
    w.codes >>= 4;
    return w;
}
INLINE Sums dot(Sums sums, Sums w, const int8_t *four) {
#if defined(__AVX2__)
    int32_t word;
    memcpy(&word, four, 4);
    const __m256i inputs = _mm256_cvtepi8_epi16(_mm_set1_epi32(word)); /* bytes would saturate in pairs */
    for (int half = 0; half < 4; half++) {
        __m128i bytes;
        memcpy(&bytes, (const uint8_t *)&w.codes + 16 * half, 16);
        __m256i pairs = _mm256_madd_epi16(_mm256_cvtepu8_epi16(bytes), inputs);
        __m128i fours = _mm_hadd_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
        __m128i so_far;
        memcpy(&so_far, sums.of + 4 * half, 16);
        so_far = _mm_add_epi32(so_far, fours);
        memcpy(sums.of + 4 * half, &so_far, 16);
    }
#else
    for (int r = 0; r < PANEL; r++)
        for (int c = 0; c < 4; c++) sums.of[r] += (int32_t)w.codes[4 * r + c] * four[c];
#endif
    return sums;
}
INLINE vf in_floats(Sums high, Sums low, int32_t shift, int j) {
    float to[LANES];
    for (int r = 0; r < LANES; r++) to[r] = (float)(high.of[j * LANES + r] * 128 + low.of[j * LANES + r] - shift);
    return load_float(to, LANES);
}
#endif

#if defined(__wasm_simd128__)
typedef Sums Products; /* of 15-bit inputs */
INLINE Products no_products(void) { return no_sums(); }
INLINE Products dots(Products p, Sums w, const Inputs *x, int at) { return dot(p, w, x->whole + at); }
INLINE vf products_in_floats(Products p, int32_t shift, int j) { return in_floats(p, shift, j); }
#else
typedef struct {
    Sums high, low;
} Products;
INLINE Products no_products(void) { return (Products){no_sums(), no_sums()}; }
INLINE Products dots(Products p, Sums w, const Inputs *x, int at) {
    return (Products){dot(p.high, w, x->high + at), dot(p.low, w, x->low + at)};
}
INLINE vf products_in_floats(Products p, int32_t shift, int j) { return in_floats(p.high, p.low, shift, j); }
#endif

/* out[n][0..16] of a panel in blocks, for `rows` <= TOGETHER rows of inputs, `stride` blocks apart. */
INLINE void panel_of_blocks(const int rows, const int type, const uint8_t *panel, long blocks, const Inputs *inputs,
                            long stride, float out[TOGETHER][PANEL]) {
    vf totals[TOGETHER][PANEL / LANES];
#pragma GCC unroll 8
    for (int n = 0; n < rows; n++)
#pragma GCC unroll 8
        for (int j = 0; j < PANEL / LANES; j++) totals[n][j] = splat(0);
    for (long b = 0; b < blocks; b++, inputs++) {
        const half_bits *scales = (const half_bits *)panel, *minima = scales + PANEL;
        const uint8_t *codes = panel + 2 * PANEL * (type == TYPE_Q4_1 ? 2 : 1);
        Products products[TOGETHER];
#pragma GCC unroll 8
        for (int n = 0; n < rows; n++) products[n] = no_products();
        for (int g = 0; g < (type == TYPE_Q8_0 ? 8 : 4); g++) {
            Sums w = codes_at(codes + 64 * g);
            Sums first = type == TYPE_Q8_0 ? w : low_codes(w), second = high_codes(w);
#pragma GCC unroll 8
            for (int n = 0; n < rows; n++) {
                const Inputs *x = inputs + n * stride;
                products[n] = dots(products[n], first, x, 4 * g);
                if (type != TYPE_Q8_0) products[n] = dots(products[n], second, x, 16 + 4 * g);
            }
        }
#pragma GCC unroll 8
        for (int n = 0; n < rows; n++) {
            const Inputs *x = inputs + n * stride;
            int32_t shift = type == TYPE_Q8_0 ? 128 * x->sum : type == TYPE_Q4_0 ? 8 * x->sum : 0;
#pragma GCC unroll 8
            for (int j = 0; j < PANEL / LANES; j++) {
                vf scaled = products_in_floats(products[n], shift, j) * load_half(scales + j * LANES);
                if (type == TYPE_Q4_1) scaled += load_half(minima + j * LANES) * (float)x->sum;
                totals[n][j] += scaled * x->scale;
            }
        }
        panel += PANEL * file_block(type);
    }
#pragma GCC unroll 8
    for (int n = 0; n < rows; n++)
#pragma GCC unroll 8
        for (int j = 0; j < PANEL / LANES; j++) store_float(out[n] + j * LANES, totals[n][j], LANES);
}

INLINE vf column(int type, const uint8_t *panel, long k, int j) {
    if (type == TYPE_F32) return load_float((const float *)panel + k * PANEL + j * LANES, LANES);
    const uint16_t *bits = (const uint16_t *)panel + k * PANEL + j * LANES;
    return type == TYPE_F16 ? load_half(bits) : widen(*(const vh_loose *)bits);
}

/* The same of a panel of floats or halves, for inputs in floats, `stride` apart. */
INLINE void panel_of_floats(const int rows, const int type, const uint8_t *panel, long width, const float *inputs,
                            long stride, float out[TOGETHER][PANEL]) {
    for (int j = 0; j < PANEL / LANES; j++) {
        vf totals[TOGETHER];
        for (int n = 0; n < rows; n++) totals[n] = splat(0);
        for (long k = 0; k < width; k++) {
            vf w = column(type, panel, k, j);
            for (int n = 0; n < rows; n++) totals[n] += w * inputs[n * stride + k];
        }
        for (int n = 0; n < rows; n++) store_float(out[n] + j * LANES, totals[n], LANES);
    }
}

#define PANELS(name, rows)                                                                                           \
    static void name(int type, const uint8_t *panel, long width, const Inputs *rounded, const float *x,             \
                     float out[TOGETHER][PANEL]) {                                                                  \
        switch (type) {                                                                                             \
            case TYPE_Q4_0: panel_of_blocks(rows, TYPE_Q4_0, panel, width / BLOCK, rounded, width / BLOCK, out); break; \
            case TYPE_Q4_1: panel_of_blocks(rows, TYPE_Q4_1, panel, width / BLOCK, rounded, width / BLOCK, out); break; \
            case TYPE_Q8_0: panel_of_blocks(rows, TYPE_Q8_0, panel, width / BLOCK, rounded, width / BLOCK, out); break; \
            case TYPE_F16: panel_of_floats(rows, TYPE_F16, panel, width, x, width, out); break;                     \
            case TYPE_BF16: panel_of_floats(rows, TYPE_BF16, panel, width, x, width, out); break;                   \
            default: panel_of_floats(rows, TYPE_F32, panel, width, x, width, out);                                  \
        }                                                                                                           \
    }
PANELS(panel_1, 1)
PANELS(panel_2, 2)
PANELS(panel_4, 4)
PANELS(panel_8, 8)

/* out [N][step] = or += inputs [N][width] . matrix^T, for panels first to end. */
static void product(Matrix m, long first, long end, long count, const Inputs *rounded, const float *x, float *out,
                    long step, int add) {
    for (long p = first; p < end; p++) {
        const uint8_t *panel = m.data + p * panel_bytes(m.type, m.width);
        long there = m.rows - p * PANEL < PANEL ? m.rows - p * PANEL : PANEL;
        for (long n = 0, rows; n < count; n += rows) {
            float sums[TOGETHER][PANEL];
            const Inputs *blocks = rounded + n * (m.width / BLOCK);
            const float *row = x + n * m.width;
            long left = count - n;
            rows = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
            switch (rows) {
                case 1: panel_1(m.type, panel, m.width, blocks, row, sums); break;
                case 2: panel_2(m.type, panel, m.width, blocks, row, sums); break;
                case 4: panel_4(m.type, panel, m.width, blocks, row, sums); break;
                default: panel_8(m.type, panel, m.width, blocks, row, sums);
            }
            for (long r = 0; r < rows; r++) {
                float *to = out + (n + r) * step + p * PANEL;
                for (long i = 0; i < there; i++) to[i] = add ? to[i] + sums[r][i] : sums[r][i];
            }
        }
    }
}
#endif
