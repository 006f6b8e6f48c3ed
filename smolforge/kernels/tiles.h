/* Products of bf16 in matrix registers (AMX), 32 by 32 results at a time.
 *
 * A register holds 16 rows of 16 words, a word being a pair of bf16 along the contracted dimension: the layout that
 * attention packs its factors in anyway. `tiles_allowed` asks the kernel once for the use of the registers;
 * each thread sets their shape before its products (`tiles_begin`) and gives them up after (`tiles_end`), because other
 * libraries in the same thread set shapes of their own.
 * Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18; Linux, Documentation/arch/x86/xstate.rst.
 */
#ifndef TILES_H
#define TILES_H

#if defined(__AMX_BF16__) && defined(__AMX_TILE__) && defined(__linux__) && defined(__AVX512F__)
#define TILES 1
#include <sys/syscall.h>
#include <unistd.h>

enum { TILE_ROWS = 16, TILE_WORDS = 16, REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };

static int tiles_allowed(void) {
    static int asked, allowed; /* two threads that ask at once get the same answer */
    if (!asked) {
        allowed = syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
        asked = 1;
    }
    return allowed;
}

INLINE void tiles_begin(void) {
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } shape = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        shape.row_bytes[i] = TILE_WORDS * 4;
        shape.rows[i] = TILE_ROWS;
    }
    _tile_loadconfig(&shape);
}

INLINE void tiles_end(void) { _tile_release(); }

/* to[rows][columns] (+)= left . right; rows and columns are multiples of 32, depth of 16 words; left's words lie side by side,
 * right comes in panels of 32 columns. */
static void tiles_product(long rows, long columns, long depth, const uint32_t *left, long row_step,
                          const uint32_t *right, long right_step, long panel_step, float *to, long to_step, int add) {
    enum { SIDE = 2 * TILE_ROWS };
    for (long c = 0; c < columns; c += SIDE)
        for (long r = 0; r < rows; r += SIDE) {
            float *sums = to + r * to_step + c;
            if (add) {
                _tile_loadd(0, sums, to_step * 4);
                _tile_loadd(1, sums + TILE_WORDS, to_step * 4);
                _tile_loadd(2, sums + TILE_ROWS * to_step, to_step * 4);
                _tile_loadd(3, sums + TILE_ROWS * to_step + TILE_WORDS, to_step * 4);
            } else {
                _tile_zero(0);
                _tile_zero(1);
                _tile_zero(2);
                _tile_zero(3);
            }
            for (long d = 0; d < depth; d += TILE_WORDS) {
                const uint32_t *a = left + r * row_step + d, *b = right + c / SIDE * panel_step + d * right_step;
                _tile_loadd(4, a, row_step * 4);
                _tile_loadd(6, b, right_step * 4);
                _tile_loadd(7, b + TILE_WORDS, right_step * 4);
                _tile_loadd(5, a + TILE_ROWS * row_step, row_step * 4);
                _tile_dpbf16ps(0, 4, 6);
                _tile_dpbf16ps(1, 4, 7);
                _tile_dpbf16ps(2, 5, 6);
                _tile_dpbf16ps(3, 5, 7);
            }
            _tile_stored(0, sums, to_step * 4);
            _tile_stored(1, sums + TILE_WORDS, to_step * 4);
            _tile_stored(2, sums + TILE_ROWS * to_step, to_step * 4);
            _tile_stored(3, sums + TILE_ROWS * to_step + TILE_WORDS, to_step * 4);
        }
}
#else
#define TILES 0
static int tiles_allowed(void) { return 0; }
INLINE void tiles_begin(void) {}
INLINE void tiles_end(void) {}
#endif
#endif
