/* The engine as a WebAssembly module, and its test: a product that is known beforehand. */
#include "engine.c"

enum { KNOWN_WIDTH = 64, KNOWN_ROWS = 16 };

static int known_product(int type) {
    static uint8_t file[KNOWN_ROWS * KNOWN_WIDTH / BLOCK * 34], panel[KNOWN_ROWS * KNOWN_WIDTH / BLOCK * 34];
    static float row[KNOWN_WIDTH], x[KNOWN_WIDTH], sums[KNOWN_ROWS];
    static Inputs rounded[KNOWN_WIDTH / BLOCK];
    const half_bits half = 0x3800; /* 0.5 */
    const long bytes = row_bytes(type, KNOWN_WIDTH);
    for (long i = 0; i < KNOWN_ROWS * bytes; i++) file[i] = (uint8_t)(i * 37 + i / 7);
    for (long b = 0; b < KNOWN_ROWS * bytes; b += file_block(type)) memcpy(file + b, &half, 2);
    for (long i = 0; i < KNOWN_WIDTH; i++) x[i] = (float)(i * 29 % 64 - 31);
    Matrix m = {type, KNOWN_ROWS, KNOWN_WIDTH, panel};
    pack_panels(file, NULL, m, 0, 1);
    round_row(x, KNOWN_WIDTH, rounded);
    product(m, 0, 1, 1, rounded, x, sums, KNOWN_ROWS, 0);
    for (long r = 0; r < KNOWN_ROWS; r++) {
        float wanted = 0, size = 0;
        unpack_row(type, file + r * bytes, KNOWN_WIDTH, row);
        for (long i = 0; i < KNOWN_WIDTH; i++) wanted += row[i] * x[i], size += fabsf(row[i] * x[i]);
        if (!(fabsf(sums[r] - wanted) <= 1e-4f * size)) return 0;
    }
    return 1;
}

EXPORT int engine_knows(void) { return known_product(TYPE_Q8_0) && known_product(TYPE_Q4_0); }
