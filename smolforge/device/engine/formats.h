/* Numbers as GGUF files store them, and as products read them.
 *
 * A matrix is repacked once, at load, into panels of 16 rows: for each block of 32 columns the 16 scales (and minima)
 * as halves, then four columns of each row in turn, so that one instruction multiplies 16 rows by the same 4 inputs.
 * Four-bit codes stay two to a byte, columns k and k + 16 together, as the file has them; eight-bit ones are moved by
 * 128, since the instruction takes unsigned weights. Matrices of floats and halves keep their type, a column of 16 rows
 * after the other. Nothing is rounded.
 */
#ifndef FORMATS_H
#define FORMATS_H

#define KIND 0 /* of lanes.h: plain floats */
#include "lanes.h"
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__wasm_simd128__)
#include <wasm_simd128.h>
#endif

enum { PANEL = 16, BLOCK = 32 };
enum { TYPE_F32 = 0, TYPE_F16 = 1, TYPE_Q4_0 = 2, TYPE_Q4_1 = 3, TYPE_Q8_0 = 8, TYPE_BF16 = 30 }; /* ggml's numbers */

typedef uint16_t half_bits;

INLINE float from_half(half_bits h) {
#if defined(__F16C__)
    return _cvtsh_ss(h);
#elif defined(__wasm__) /* halves are no numbers of its own there */
    uint32_t size = (uint32_t)(h & 0x7fff) << 13, bits;
    float x;
    memcpy(&x, &size, 4);
    x *= 0x1p112f;
    memcpy(&bits, &x, 4);
    bits |= (size >= 0x7c00u << 13 ? 0x7f800000u : 0) | (uint32_t)(h & 0x8000) << 16;
    memcpy(&x, &bits, 4);
    return x;
#else
    _Float16 x;
    memcpy(&x, &h, 2);
    return (float)x;
#endif
}

INLINE half_bits to_half(float x) {
#if defined(__F16C__)
    return _cvtss_sh(x, 0);
#elif defined(__wasm__)
    const uint32_t magic = 126u << 23; /* 0.5: added, it leaves a number too small for a half's exponent in its low bits */
    uint32_t bits, sign;
    float small;
    memcpy(&bits, &x, 4);
    sign = bits & 0x80000000u;
    bits ^= sign;
    if (bits >= 143u << 23) {
        bits = bits > 0x7f800000u ? 0x7e00 : 0x7c00;
    } else if (bits < 113u << 23) {
        memcpy(&small, &bits, 4);
        small += 0.5f;
        memcpy(&bits, &small, 4);
        bits -= magic;
    } else {
        bits = (bits - (112u << 23) + 0xfff + (bits >> 13 & 1)) >> 13;
    }
    return (half_bits)(bits | sign >> 16);
#else
    _Float16 y = (_Float16)x;
    half_bits h;
    memcpy(&h, &y, 2);
    return h;
#endif
}

INLINE vf load_half(const half_bits *p) {
#if defined(__AVX512F__)
    return (vf)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
#elif defined(__F16C__) && LANES == 8
    return (vf)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
#elif defined(__wasm__)
    const vu bits = __builtin_convertvector(*(const vh_loose *)p, vu), size = bits & 0x7fff;
    const vf finite = (vf)(size << 13) * 0x1p112f;
    const vu beyond = (vu)(size >= 0x7c00) & 0x7f800000u; /* infinities, and what is no number */
    return (vf)((vu)finite | beyond | (bits & 0x8000) << 16);
#else
    vf x;
    for (int j = 0; j < LANES; j++) x[j] = from_half(p[j]);
    return x;
#endif
}

INLINE void store_half(half_bits *p, vf x) {
#if defined(__AVX512F__)
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph((__m512)x, 0));
#else
    for (int j = 0; j < LANES; j++) p[j] = to_half(x[j]);
#endif
}

INLINE float from_bf16(uint16_t bits) {
    uint32_t wide = (uint32_t)bits << 16;
    float x;
    memcpy(&x, &wide, 4);
    return x;
}

typedef struct {
    int type;
    long rows, width;
    uint8_t *data; /* panels, one after the other */
} Matrix;

/* Bytes of `BLOCK` columns of a row in the file, and of a panel; 0 for a type that is not read. */
INLINE long file_block(int type) {
    switch (type) {
        case TYPE_Q4_0: return 18;
        case TYPE_Q4_1: return 20;
        case TYPE_Q8_0: return 34;
        case TYPE_F16:
        case TYPE_BF16: return 2 * BLOCK;
        case TYPE_F32: return 4 * BLOCK;
        default: return 0;
    }
}

INLINE int in_blocks(int type) { return type == TYPE_Q4_0 || type == TYPE_Q4_1 || type == TYPE_Q8_0; }
INLINE long row_bytes(int type, long width) { return file_block(type) * width / BLOCK; }
INLINE long panel_bytes(int type, long width) { return PANEL * row_bytes(type, width); }

/* Rows `order[0..]` (NULL: as they are) of a file's matrix, as panels at `to`; missing rows of the last are zero. */
static void pack_panels(const uint8_t *file, const int32_t *order, Matrix m, long first, long end) {
    long bytes = row_bytes(m.type, m.width), size = panel_bytes(m.type, m.width);
    long heads = m.type == TYPE_Q4_1 ? 2 : 1, codes = file_block(m.type) - 2 * heads;
    for (long p = first; p < end; p++) {
        uint8_t *panel = m.data + p * size;
        memset(panel, 0, size);
        for (long r = 0; r < PANEL && p * PANEL + r < m.rows; r++) {
            const uint8_t *row = file + (order ? order[p * PANEL + r] : p * PANEL + r) * bytes;
            if (!in_blocks(m.type)) {
                long item = bytes / m.width;
                for (long k = 0; k < m.width; k++) memcpy(panel + (k * PANEL + r) * item, row + k * item, item);
                continue;
            }
            for (long b = 0; b < m.width / BLOCK; b++, row += file_block(m.type)) {
                uint8_t *block = panel + b * PANEL * file_block(m.type);
                for (long h = 0; h < heads; h++) memcpy(block + h * 2 * PANEL + 2 * r, row + 2 * h, 2);
                uint8_t *to = block + heads * 2 * PANEL + 4 * r;
                for (long i = 0; i < codes; i++)
                    to[i / 4 * 4 * PANEL + i % 4] = row[2 * heads + i] ^ (m.type == TYPE_Q8_0 ? 0x80 : 0);
            }
        }
    }
}

/* One row of a file's matrix as floats. */
static void unpack_row(int type, const uint8_t *row, long width, float *to) {
    for (long k = 0; k < width; k++) {
        const uint8_t *block = row + k / BLOCK * file_block(type);
        long i = k % BLOCK;
        half_bits h[2];
        switch (type) {
            case TYPE_F32: memcpy(to + k, row + 4 * k, 4); break;
            case TYPE_F16:
                memcpy(h, row + 2 * k, 2);
                to[k] = from_half(h[0]);
                break;
            case TYPE_BF16:
                memcpy(h, row + 2 * k, 2);
                to[k] = from_bf16(h[0]);
                break;
            case TYPE_Q8_0:
                memcpy(h, block, 2);
                to[k] = from_half(h[0]) * (int8_t)block[2 + i];
                break;
            default: {
                int heads = type == TYPE_Q4_1 ? 2 : 1;
                memcpy(h, block, 2 * heads);
                int code = block[2 * heads + i % 16] >> (i < 16 ? 0 : 4) & 15;
                to[k] = heads == 2 ? from_half(h[0]) * code + from_half(h[1]) : from_half(h[0]) * (code - 8);
            }
        }
    }
}
#endif
