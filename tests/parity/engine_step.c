/* Two steps of the engine on numbers of its own, for every type of matrix; prints the logits, a line a type. Built for
 * another processor they must be this machine's to rounding; see test_other_processors.py.
 */
#include <stdio.h>
#include "engine.c"

static uint32_t seed = 20261127;

static uint8_t next_byte(void) {
    seed = seed * 1664525u + 1013904223u;
    return seed >> 24;
}

static float next(void) { return (next_byte() - 127.5f) / 256.0f; }

/* A matrix as a file would hold it: small scales, any codes. */
static uint8_t *matrix(int type, long rows, long width) {
    long bytes = rows * row_bytes(type, width), block = file_block(type);
    uint8_t *made = malloc(bytes);
    for (long i = 0; i < bytes; i++) made[i] = next_byte();
    for (long b = 0; in_blocks(type) && b < bytes; b += block) {
        half_bits scale = to_half(0.01f + next() / 100), least = to_half(-0.08f);
        memcpy(made + b, &scale, 2);
        if (type == TYPE_Q4_1) memcpy(made + b + 2, &least, 2);
    }
    for (long i = 0; !in_blocks(type) && i < rows * width; i++) {
        float x = next() / 4;
        half_bits h = to_half(x);
        uint32_t bits;
        memcpy(&bits, &x, 4);
        uint16_t short_bits = bits >> 16;
        if (type == TYPE_F32) memcpy(made + 4 * i, &x, 4);
        if (type == TYPE_F16) memcpy(made + 2 * i, &h, 2);
        if (type == TYPE_BF16) memcpy(made + 2 * i, &short_bits, 2);
    }
    return made;
}

static void vector(Engine *e, int layer, int part, long count, float around) {
    float *values = malloc(count * sizeof(float));
    for (long i = 0; i < count; i++) values[i] = around + next() / 4;
    engine_vector(e, layer, part, values, count);
    free(values);
}

static void run(int type) {
    enum { WIDTH = 64, HEADS = 4, KV = 2, HEAD = 32, INNER = 96, VOCAB = 70, PLACES = 40, COUNT = 23 };
    Shape s = {2, WIDTH, HEADS, KV, HEAD, INNER, VOCAB, 2, PLACES, 1e-5f};
    Engine *e = engine_new(&s, 2, 32);
    long rows[PARTS] = {HEADS * HEAD, KV * HEAD, KV * HEAD, WIDTH, INNER, INNER, WIDTH};
    long widths[PARTS] = {WIDTH, WIDTH, WIDTH, HEADS * HEAD, WIDTH, WIDTH, INNER};
    for (int l = 0; l < 2; l++) {
        for (int p = 0; p < PARTS; p++) engine_matrix(e, l, p, type, rows[p], widths[p], matrix(type, rows[p], widths[p]), NULL);
        vector(e, l, NORM_IN, WIDTH, 1), vector(e, l, NORM_POST, WIDTH, 1);
        vector(e, l, NORM_QUERY, HEAD, 1), vector(e, l, BIAS_KEY, KV * HEAD, 0);
    }
    uint8_t *table = matrix(type, VOCAB, WIDTH);
    engine_matrix(e, -1, 0, type, VOCAB, WIDTH, table, NULL);
    engine_table(e, type, table);
    vector(e, -1, 0, WIDTH, 1), vector(e, -1, 1, PLACES * HEAD / 2, 0.8f), vector(e, -1, 2, PLACES * HEAD / 2, 0.2f);
    int32_t tokens[COUNT], slots[COUNT], places[COUNT];
    uint8_t wanted[COUNT];
    float *logits = malloc(sizeof(float) * COUNT * VOCAB);
    printf("%d", type);
    for (int turn = 0; turn < 2; turn++) {
        for (int n = 0; n < COUNT; n++) {
            tokens[n] = (n * 7 + turn) % VOCAB, slots[n] = n % 2, places[n] = n / 2 + turn * 12, wanted[n] = n % 3 == 0;
        }
        long count = turn ? 2 : COUNT; /* many rows, then one a slot, as when writing */
        if (engine_step(e, count, tokens, slots, places, wanted, logits)) printf(" failed");
        for (long n = 0, kept = 0; n < count; n++)
            for (long v = 0; wanted[n] && v < VOCAB; v++) printf(" %.7g", logits[(kept += v == 0) * VOCAB - VOCAB + v]);
    }
    printf("\n");
    engine_free(e);
}

int main(void) {
    int types[] = {TYPE_F32, TYPE_F16, TYPE_BF16, TYPE_Q8_0, TYPE_Q4_1, TYPE_Q4_0};
    for (int t = 0; t < 6; t++) run(types[t]);
    return 0;
}
