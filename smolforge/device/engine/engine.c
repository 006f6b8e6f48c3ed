/* A Llama-like decoder that reads and writes: weights as a GGUF file has them, many sequences in one step.
 *
 * N rows of a step (tokens, of any sequences), D model width, H query heads, K key/value heads, E head width,
 * F feed-forward width, V vocabulary, S positions a slot holds. A slot is a sequence's place in the cache.
 * The residual stream, norms, attention and logits are in floats, keys and values in halves.
 * A step is one piece of work for all threads, which meet six to nine times in a layer.
 */
#include "products.h"
#include "team.h"

typedef struct {
    int32_t layers, width, heads, kv_heads, head_width, inner, vocabulary, slots, capacity;
    float eps;
} Shape;

enum { HEADS = 4, WIDE_VALUES = 4 }; /* heads that share a pass over the cache, and vectors of their width at a time */
enum { QUERY, KEY, VALUE, OUT, GATE, UP, DOWN, PARTS };
enum { NORM_IN, NORM_POST, NORM_QUERY, NORM_KEY, BIAS_QUERY, BIAS_KEY, BIAS_VALUE, VECTORS };

typedef struct {
    Matrix parts[PARTS];
    float *vectors[VECTORS]; /* NULL where the family has none */
    int turns;               /* whether queries and keys are turned by their positions */
    half_bits *keys, *values; /* slots x K x S/16 x E x 16, and slots x K x S x E */
} Layer;

typedef struct {
    Shape s;
    Team team;
    Layer *layers;
    Matrix output;
    float *norm, *cosines, *sines; /* D; S x E/2 */
    int table_type;
    const uint8_t *table; /* the file's own embedding, V x D */
    long room; /* rows that the buffers below hold */
    float *x, *normed, *mixed, *gate, *up, *qkv, *scores;
    Inputs *rounded;
    /* of the step at hand */
    long count;
    const int32_t *tokens, *slots, *places;
    const uint8_t *wanted;
    float *logits;
    /* of a matrix being packed */
    const uint8_t *file;
    const int32_t *order;
    Matrix packing;
} Engine;

INLINE long panels(long rows) { return (rows + PANEL - 1) / PANEL; }
INLINE long share(long all, int me, int of) { return all * me / of; }

static void *aligned(size_t bytes) { return aligned_alloc(64, (bytes + 63) / 64 * 64); }

EXPORT void engine_free(Engine *e) {
    if (!e) return;
    if (e->team.size) dismiss(&e->team);
    for (long l = 0; e->layers && l < e->s.layers; l++) {
        for (int p = 0; p < PARTS; p++) free(e->layers[l].parts[p].data);
        for (int v = 0; v < VECTORS; v++) free(e->layers[l].vectors[v]);
        free(e->layers[l].keys), free(e->layers[l].values);
    }
    void *all[] = {e->layers, e->output.data, e->norm, e->cosines, e->sines, e->x, e->normed, e->mixed,
                   e->gate, e->up, e->qkv, e->scores, e->rounded, e};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* NULL: no memory. Keys and values take memory as positions are used. */
EXPORT Engine *engine_new(const Shape *shape, int threads, long room) {
    Engine *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    e->s = *shape;
    e->s.capacity = (shape->capacity + PANEL - 1) / PANEL * PANEL;
    Shape s = e->s;
    gather(&e->team, threads);
    e->room = room;
    e->layers = calloc(s.layers, sizeof *e->layers);
    long heads = (s.heads + 2 * s.kv_heads) * s.head_width, widest = s.heads * s.head_width;
    long most = widest > s.inner ? widest : s.inner;
    most = most > s.width ? most : s.width;
    e->x = aligned(sizeof(float) * room * s.width);
    e->normed = aligned(sizeof(float) * room * s.width);
    e->mixed = aligned(sizeof(float) * room * widest);
    e->gate = aligned(sizeof(float) * room * s.inner);
    e->up = aligned(sizeof(float) * room * s.inner);
    e->qkv = aligned(sizeof(float) * room * heads);
    e->rounded = aligned(sizeof(Inputs) * room * (most / BLOCK + 1));
    e->scores = aligned(sizeof(float) * e->team.size * HEADS * s.capacity);
    e->norm = calloc(s.width, sizeof(float));
    e->cosines = calloc((size_t)s.capacity * (s.head_width / 2), sizeof(float));
    e->sines = calloc((size_t)s.capacity * (s.head_width / 2), sizeof(float));
    int whole = e->layers && e->x && e->normed && e->mixed && e->gate && e->up && e->qkv && e->rounded && e->scores &&
                e->norm && e->cosines && e->sines;
    size_t kept = (size_t)s.slots * s.kv_heads * s.capacity * s.head_width;
    for (long l = 0; whole && l < s.layers; l++) {
        e->layers[l].turns = 1;
        e->layers[l].keys = calloc(kept, sizeof(half_bits));
        e->layers[l].values = calloc(kept, sizeof(half_bits));
        whole = e->layers[l].keys && e->layers[l].values;
    }
    if (whole) return e;
    engine_free(e);
    return NULL;
}

static void pack_share(void *what, int me) {
    Engine *e = what;
    long all = panels(e->packing.rows);
    pack_panels(e->file, e->order, e->packing, share(all, me, e->team.size), share(all, me + 1, e->team.size));
}

/* Takes in a matrix [rows][width]; layer -1 is the output. 1: no memory, 2: a type or width that is not read. */
EXPORT int engine_matrix(Engine *e, int layer, int part, int type, long rows, long width, const uint8_t *file,
                         const int32_t *order) {
    if (!file_block(type) || width % BLOCK) return 2;
    Matrix *m = layer < 0 ? &e->output : &e->layers[layer].parts[part];
    *m = (Matrix){type, rows, width, aligned(panels(rows) * panel_bytes(type, width))};
    if (!m->data) return 1;
    e->file = file, e->order = order, e->packing = *m;
    together(&e->team, pack_share, e);
    return 0;
}

/* Takes in `count` floats: of a layer, or with layer -1 the last norm (0), cosines (1) and sines (2). 1: no memory. */
EXPORT int engine_vector(Engine *e, int layer, int part, const float *values, long count) {
    float *own[] = {e->norm, e->cosines, e->sines};
    float **to = layer < 0 ? &own[part] : &e->layers[layer].vectors[part];
    if (layer >= 0) *to = malloc(count * sizeof(float));
    if (!*to) return 1;
    memcpy(*to, values, count * sizeof(float));
    return 0;
}

EXPORT void engine_table(Engine *e, int type, const uint8_t *file) { e->table_type = type, e->table = file; }
EXPORT void engine_still(Engine *e, int layer) { e->layers[layer].turns = 0; }

/* ---------------------------------------------------------------- a layer's parts */

static void norm_row(const float *x, const float *weight, float eps, long width, float *out) {
    vf squares = {0};
    EACH(i, width, {
        vf a = load_float(x + i, left);
        squares += a * a;
    })
    float scale = 1.0f / sqrtf(add_lanes(squares) / width + eps);
    EACH(i, width, store_float(out + i, load_float(x + i, left) * scale * load_float(weight + i, left), left);)
}

/* Rows of `from` become inputs: normed where there is a weight. All threads have them when it returns. */
static void ready(Engine *e, int me, const float *from, long width, const float *weight) {
    for (long n = share(e->count, me, e->team.size); n < share(e->count, me + 1, e->team.size); n++) {
        const float *row = from + n * width;
        if (weight) {
            norm_row(row, weight, e->s.eps, width, e->normed + n * width);
            row = e->normed + n * width;
        }
        round_row(row, width, e->rounded + n * (width / BLOCK));
    }
    meet(&e->team);
}

static void multiply(Engine *e, int me, Matrix m, const float *x, float *out, long step, int add) {
    long all = panels(m.rows);
    product(m, share(all, me, e->team.size), share(all, me + 1, e->team.size), e->count, e->rounded, x, out, step, add);
}

static void turn_row(float *head, const float *cosines, const float *sines, long width) {
    long half = width / 2;
    EACH(i, half, {
        vf a = load_float(head + i, left);
        vf b = load_float(head + half + i, left);
        vf c = load_float(cosines + i, left), s = load_float(sines + i, left);
        store_float(head + i, a * c - b * s, left);
        store_float(head + half + i, b * c + a * s, left);
    })
}

static void add_bias(float *head, const float *bias, long width) {
    if (bias) EACH(i, width, store_float(head + i, load_float(head + i, left) + load_float(bias + i, left), left);)
}

INLINE half_bits *cached(half_bits *cache, Shape s, long slot, long k, long place) {
    return cache + (((size_t)slot * s.kv_heads + k) * s.capacity + place) * s.head_width;
}

/* Queries and keys get their biases, norms and positions; keys and values go into the cache. */
static void place_heads(Engine *e, Layer *l, int me) {
    Shape s = e->s;
    long each = s.heads + 2 * s.kv_heads, width = s.head_width;
    for (long task = share(e->count * each, me, e->team.size); task < share(e->count * each, me + 1, e->team.size); task++) {
        long n = task / each, h = task % each, place = e->places[n];
        float *head = e->qkv + task * width;
        int kind = h < s.heads ? QUERY : h < s.heads + s.kv_heads ? KEY : VALUE;
        long k = h - s.heads - (kind == VALUE ? s.kv_heads : 0);
        const float *bias = l->vectors[BIAS_QUERY + kind];
        add_bias(head, bias ? bias + (kind == QUERY ? h : k) * width : NULL, width);
        const float *norm = kind == VALUE ? NULL : l->vectors[NORM_QUERY + kind];
        if (norm) norm_row(head, norm, s.eps, width, head);
        if (kind != VALUE && l->turns)
            turn_row(head, e->cosines + place * (width / 2), e->sines + place * (width / 2), width);
        if (kind == QUERY) continue;
        half_bits *to = cached(kind == KEY ? l->keys : l->values, s, e->slots[n], k, kind == KEY ? place / PANEL * PANEL : place);
        for (long i = 0; i < width; i++)
            if (kind == KEY)
                to[i * PANEL + place % PANEL] = to_half(head[i]);
            else
                to[i] = to_half(head[i]);
    }
}

/* A row of scores becomes powers of e; returns one over their sum. */
static float soften(float *scores, long count, float scale) {
    float top = -INFINITY, sum = 0;
    for (long t = 0; t < count; t++) top = scores[t] > top ? scores[t] : top;
    vf sums = splat(0);
    EACH(t, count, {
        vf power = exponential((load_float(scores + t, left) - top) * scale);
        store_float(scores + t, power, left);
        if (left == LANES)
            sums += power;
        else
            for (long j = 0; j < left; j++) sum += power[j];
    })
    return 1.0f / (sum + add_lanes(sums));
}

/* Queries of `heads` heads in a row, all of one key/value head, over the positions of a row's slot up to its own. */
INLINE void attend(const int heads, Engine *e, Layer *l, long n, long h, float *scores) {
    Shape s = e->s;
    long width = s.head_width, count = e->places[n] + 1, k = h / (s.heads / s.kv_heads);
    const float *query = e->qkv + (n * (s.heads + 2 * s.kv_heads) + h) * width;
    const half_bits *keys = cached(l->keys, s, e->slots[n], k, 0), *values = cached(l->values, s, e->slots[n], k, 0);
    float shares[HEADS];
    for (long t = 0; t < count; t += PANEL, keys += PANEL * width)
        for (int j = 0; j < PANEL; j += LANES) {
            vf dots[HEADS];
            for (int g = 0; g < heads; g++) dots[g] = splat(0);
            for (long i = 0; i < width; i++) {
                vf key = load_half(keys + i * PANEL + j);
#pragma GCC unroll 4
                for (int g = 0; g < heads; g++) dots[g] += key * query[g * width + i];
            }
            for (int g = 0; g < heads; g++) store_float(scores + g * s.capacity + t + j, dots[g], LANES);
        }
    for (int g = 0; g < heads; g++) shares[g] = soften(scores + g * s.capacity, count, 1.0f / sqrtf((float)width));
    float *out = e->mixed + (n * s.heads + h) * width;
    for (long i = 0; i < width; i += WIDE_VALUES * LANES) {
        vf totals[HEADS][WIDE_VALUES];
        long wide = (width - i) / LANES < WIDE_VALUES ? (width - i) / LANES : WIDE_VALUES;
        for (int g = 0; g < heads; g++)
            for (int j = 0; j < WIDE_VALUES; j++) totals[g][j] = splat(0);
        for (long t = 0; t < count; t++)
#pragma GCC unroll 4
            for (int j = 0; j < WIDE_VALUES; j++) {
                vf value = j < wide ? load_half(values + t * width + i + j * LANES) : splat(0);
#pragma GCC unroll 4
                for (int g = 0; g < heads; g++) totals[g][j] += value * scores[g * s.capacity + t];
            }
        for (int g = 0; g < heads; g++)
            for (int j = 0; j < wide; j++) store_float(out + g * width + i + j * LANES, totals[g][j] * shares[g], LANES);
    }
}

/* A task is a row's heads of one key/value head, up to HEADS of them; with one row every head is a task of its own, for
 * key/value heads are few and would leave threads without work. */
static void attention(Engine *e, Layer *l, int me) {
    Shape s = e->s;
    long group = s.heads / s.kv_heads, most = e->count == 1 ? 1 : HEADS, pieces = (group + most - 1) / most;
    float *scores = e->scores + (long)me * HEADS * s.capacity;
    for (long task = me; task < e->count * s.kv_heads * pieces; task += e->team.size) {
        long n = task / (s.kv_heads * pieces), piece = task % pieces, k = task / pieces % s.kv_heads;
        long first = piece * most, heads = group - first < most ? group - first : most, h = k * group + first;
        switch (heads) {
            case 1: attend(1, e, l, n, h, scores); break;
            case 2: attend(2, e, l, n, h, scores); break;
            case 3: attend(3, e, l, n, h, scores); break;
            default: attend(4, e, l, n, h, scores);
        }
    }
}

static void run_layer(Engine *e, Layer *l, int me) {
    Shape s = e->s;
    long heads = (s.heads + 2 * s.kv_heads) * s.head_width, first_key = s.heads * s.head_width;
    ready(e, me, e->x, s.width, l->vectors[NORM_IN]);
    multiply(e, me, l->parts[QUERY], e->normed, e->qkv, heads, 0);
    multiply(e, me, l->parts[KEY], e->normed, e->qkv + first_key, heads, 0);
    multiply(e, me, l->parts[VALUE], e->normed, e->qkv + first_key + s.kv_heads * s.head_width, heads, 0);
    meet(&e->team);
    place_heads(e, l, me);
    meet(&e->team);
    attention(e, l, me);
    meet(&e->team);
    ready(e, me, e->mixed, s.heads * s.head_width, NULL);
    multiply(e, me, l->parts[OUT], e->mixed, e->x, s.width, 1);
    meet(&e->team);
    ready(e, me, e->x, s.width, l->vectors[NORM_POST]);
    multiply(e, me, l->parts[GATE], e->normed, e->gate, s.inner, 0);
    multiply(e, me, l->parts[UP], e->normed, e->up, s.inner, 0);
    long from = share(panels(s.inner), me, e->team.size) * PANEL, to = share(panels(s.inner), me + 1, e->team.size) * PANEL;
    to = to < s.inner ? to : s.inner;
    for (long n = 0; n < e->count; n++) {
        float *gate = e->gate + n * s.inner + from, *up = e->up + n * s.inner + from;
        EACH(i, to - from, {
            vf g = load_float(gate + i, left);
            store_float(gate + i, g / (1.0f + exponential(-g)) * load_float(up + i, left), left);
        })
    }
    meet(&e->team);
    ready(e, me, e->gate, s.inner, NULL);
    multiply(e, me, l->parts[DOWN], e->gate, e->x, s.width, 1);
    meet(&e->team);
}

/* Logits of the rows that are wanted, one after the other. */
static void put_logits(Engine *e, int me) {
    long width = e->s.width, kept = 0;
    for (long n = 0; n < e->count; n++) kept += e->wanted[n];
    if (!kept) return;
    if (me == 0) {
        long to = 0;
        for (long n = 0; n < e->count; n++)
            if (e->wanted[n]) {
                norm_row(e->x + n * width, e->norm, e->s.eps, width, e->normed + to * width);
                round_row(e->normed + to * width, width, e->rounded + to * (width / BLOCK));
                to++;
            }
    }
    meet(&e->team);
    long all = panels(e->output.rows);
    product(e->output, share(all, me, e->team.size), share(all, me + 1, e->team.size), kept, e->rounded, e->normed,
            e->logits, e->s.vocabulary, 0);
}

static void step_share(void *what, int me) {
    Engine *e = what;
    long width = e->s.width, bytes = row_bytes(e->table_type, width);
    for (long n = share(e->count, me, e->team.size); n < share(e->count, me + 1, e->team.size); n++)
        unpack_row(e->table_type, e->table + e->tokens[n] * bytes, width, e->x + n * width);
    meet(&e->team);
    for (long l = 0; l < e->s.layers; l++) run_layer(e, &e->layers[l], me);
    put_logits(e, me);
}

/* Reads `count` <= room tokens, each at its place of its slot; logits [wanted][V] of those marked.
 * Rows of one slot stand in the order of their places. 0, or 1: a number is out of range. */
EXPORT int engine_step(Engine *e, long count, const int32_t *tokens, const int32_t *slots, const int32_t *places,
                       const uint8_t *wanted, float *logits) {
    if (count < 1 || count > e->room) return 1;
    for (long n = 0; n < count; n++)
        if (tokens[n] < 0 || tokens[n] >= e->s.vocabulary || slots[n] < 0 || slots[n] >= e->s.slots || places[n] < 0 ||
            places[n] >= e->s.capacity)
            return 1;
    e->count = count, e->tokens = tokens, e->slots = slots, e->places = places, e->wanted = wanted, e->logits = logits;
    together(&e->team, step_share, e);
    return 0;
}

/* The first `count` positions of one slot become those of another. */
EXPORT void engine_copy(Engine *e, long from, long to, long count) {
    for (long l = 0; l < e->s.layers; l++)
        for (long k = 0; k < e->s.kv_heads; k++) {
            long whole = (count + PANEL - 1) / PANEL * PANEL; /* keys lie 16 positions together */
            size_t bytes = sizeof(half_bits) * whole * e->s.head_width;
            Layer *layer = &e->layers[l];
            memmove(cached(layer->keys, e->s, to, k, 0), cached(layer->keys, e->s, from, k, 0), bytes);
            memmove(cached(layer->values, e->s, to, k, 0), cached(layer->values, e->s, from, k, 0), bytes);
        }
}

EXPORT int engine_threads(const Engine *e) { return e->team.size; }
EXPORT int engine_vnni(void) {
#if defined(__AVX512VNNI__)
    return 1;
#else
    return 0;
#endif
}
