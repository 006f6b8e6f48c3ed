/* What a model that only reads and writes needs beside its products: norms of the residual stream, heads turned and
 * put into a cache, and attention of few new positions over that cache. Nothing is kept for a way back.
 *
 * R rows, T new positions, S cached positions, H query heads, K key/value heads, E head width. The residual stream is in
 * floats, everything else in elements; a row's position t lies at cache index t.
 */
#include "lanes.h"
#if KIND_RUNS

enum { ABREAST = 4 }; /* queries that share a pass over the keys */

typedef struct {
    long rows, length, heads, kv_heads, width; /* R, T, H, K, E */
    long capacity, table;                      /* S; positions that the tables hold */
    el *packed;                                /* R x T x (H + 2K) x E: queries, keys, values */
    const float *cosines, *sines;              /* table x E/2, or NULL: no turn */
    const float *q_norm, *k_norm;              /* E, or NULL: heads are not normed */
    const int64_t *first;                      /* R: cache index of each row's first new position; NULL: 0 */
    el *keys, *values;                         /* R x K x S x E, or NULL */
    el *out;                                   /* R x T x H x E */
    float eps;
    long threads;
} Reading;

/* stream += delta (where there is one); out = rms_norm(stream) * weight. */
EXPORT int NAME(stream_norm)(float *stream, const el *delta, const float *weight, float eps, long rows, long width,
                             el *out, int threads) {
#pragma omp parallel for schedule(dynamic, at_a_time(rows, threads)) num_threads(threads)
    for (long n = 0; n < rows; n++) {
        float *row = stream + n * width;
        vf squares = {0};
        EACH(i, width, {
            vf a = load_float(row + i, left);
            if (delta) {
                a += load(delta + n * width + i, left);
                store_float(row + i, a, left);
            }
            squares += a * a;
        })
        float scale = 1.0f / sqrtf(add_lanes(squares) / width + eps);
        EACH(i, width, store(out + n * width + i, load_float(row + i, left) * scale * load_float(weight + i, left), left);)
    }
    return 0;
}

/* A head, normed and turned in place. */
INLINE void turn_head(el *head, const float *cosines, const float *sines, const float *norm, long width, float eps) {
    float scale = 1;
    if (norm) {
        vf squares = {0};
        EACH(i, width, {
            vf a = load(head + i, left);
            squares += a * a;
        })
        scale = 1.0f / sqrtf(add_lanes(squares) / width + eps);
    }
    long half = width / 2;
    EACH(i, half, {
        vf a = load(head + i, left);
        vf b = load(head + half + i, left);
        if (norm) {
            a = a * scale * load_float(norm + i, left);
            b = b * scale * load_float(norm + half + i, left);
        }
        if (cosines) {
            vf c = load_float(cosines + i, left), s = load_float(sines + i, left);
            vf turned = a * c - b * s;
            b = b * c + a * s;
            a = turned;
        }
        store(head + i, a, left);
        store(head + half + i, b, left);
    })
}

/* Queries and keys are normed and turned where they lie; keys and values go into the cache, where there is one. */
EXPORT int NAME(place_heads)(const Reading *r) {
    long heads = r->heads + 2 * r->kv_heads, positions = r->rows * r->length;
#pragma omp parallel for schedule(dynamic, at_a_time(positions, r->threads)) num_threads(r->threads)
    for (long n = 0; n < positions; n++) {
        long row = n / r->length, at = (r->first ? r->first[row] : 0) + n % r->length;
        long known = at < r->table ? at : r->table - 1; /* beyond the end of a row: never looked at */
        const float *cosines = r->cosines ? r->cosines + known * (r->width / 2) : NULL;
        const float *sines = r->cosines ? r->sines + known * (r->width / 2) : NULL;
        el *head = r->packed + n * heads * r->width;
        for (long h = 0; h < r->heads + r->kv_heads; h++)
            turn_head(head + h * r->width, cosines, sines, h < r->heads ? r->q_norm : r->k_norm, r->width, r->eps);
        if (!r->keys || at >= r->capacity) continue;
        for (long k = 0; k < r->kv_heads; k++) {
            size_t to = ((size_t)(row * r->kv_heads + k) * r->capacity + at) * r->width;
            memcpy(r->keys + to, head + (r->heads + k) * r->width, r->width * sizeof(el));
            memcpy(r->values + to, head + (r->heads + r->kv_heads + k) * r->width, r->width * sizeof(el));
        }
    }
    return 0;
}

/* scores[q][j] = query q . key j. Scores of a query are `step` apart. */
INLINE void score(const int queries, const float *query, const el *keys, long count, long width, float *scores, long step) {
    for (long j = 0; j < count; j++) {
        const el *key = keys + j * width;
        vf sums[ABREAST];
        for (int q = 0; q < queries; q++) sums[q] = splat(0);
        EACH(i, width, {
            vf k = load(key + i, left);
            for (int q = 0; q < queries; q++) sums[q] += k * load_float(query + q * width + i, left);
        })
        for (int q = 0; q < queries; q++) scores[q * step + j] = add_lanes(sums[q]);
    }
}

/* out[q] = sum over j of scores[q][j] * value j, two vectors of the width at a time. */
INLINE void mix(const int queries, const float *scores, long step, const el *values, long count, long width, el *out) {
    for (long i = 0; i < width; i += 2 * LANES) {
        long left = width - i < LANES ? width - i : LANES;
        long more = width - i - left < LANES ? width - i - left : LANES;
        vf sums[ABREAST][2];
        for (int q = 0; q < queries; q++) sums[q][0] = sums[q][1] = splat(0);
        for (long j = 0; j < count; j++) {
            const el *value = values + j * width + i;
            vf a = load(value, left);
            vf b = load(value + left, more);
            for (int q = 0; q < queries; q++) {
                float weight = scores[q * step + j];
                sums[q][0] += weight * a;
                sums[q][1] += weight * b;
            }
        }
        for (int q = 0; q < queries; q++) {
            store(out + q * width + i, sums[q][0], left);
            store(out + q * width + i + left, sums[q][1], more);
        }
    }
}

/* A row of scores becomes their softmax; e^-87 and less count as nothing. */
INLINE void softmax(float *scores, long count, float scale) {
    vf most = splat(-INFINITY), sums = {0};
    float top = -INFINITY;
    EACH(i, count, {
        if (left == LANES)
            most = larger(most, load_float(scores + i, left));
        else
            for (long j = i; j < count; j++) top = scores[j] > top ? scores[j] : top;
    })
    float lanes = max_lanes(most);
    top = lanes > top ? lanes : top;
    float sum = 0;
    EACH(i, count, {
        vf power = exponential((load_float(scores + i, left) - top) * scale);
        store_float(scores + i, power, left);
        if (left == LANES)
            sums += power;
        else
            for (long j = 0; j < left; j++) sum += power[j];
    })
    float share = 1.0f / (sum + add_lanes(sums));
    EACH(i, count, store_float(scores + i, load_float(scores + i, left) * share, left);)
}

INLINE void attend(const int queries, const float *query, const el *keys, const el *values, long count, long width,
                   float *scores, long step, float scale, el *out) {
    score(queries, query, keys, count, width, scores, step);
    for (int q = 0; q < queries; q++) softmax(scores + q * step, count, scale);
    mix(queries, scores, step, values, count, width, out);
}

/* Every new position over the cache up to itself; the heads are placed before. A (row, key/value head) is one thread's.
 * Returns 1 where there was no memory. */
EXPORT int NAME(cached_attention)(const Reading *r) {
    long group = r->heads / r->kv_heads, width = r->width, heads = r->heads + 2 * r->kv_heads, failed = 0;
    float scale = 1.0f / sqrtf((float)width);
#pragma omp parallel num_threads(r->threads) reduction(| : failed)
    {
        long step = (r->capacity + LANES - 1) / LANES * LANES;
        float *scores = malloc(sizeof(float) * ABREAST * (step + width));
        if (!scores) failed = 1;
#pragma omp for schedule(dynamic)
        for (long task = 0; task < r->rows * r->kv_heads; task++) {
            long row = task / r->kv_heads, k = task % r->kv_heads, first = r->first ? r->first[row] : 0;
            const el *keys = r->keys + (size_t)task * r->capacity * width;
            const el *values = r->values + (size_t)task * r->capacity * width;
            for (long t = 0; t < r->length && !failed; t++) {
                long count = first + t + 1 < r->capacity ? first + t + 1 : r->capacity;
                for (long h = 0; h < group; h += ABREAST) {
                    const el *from = r->packed + ((row * r->length + t) * heads + k * group + h) * width;
                    el *out = r->out + ((row * r->length + t) * r->heads + k * group + h) * width;
                    long queries = group - h < ABREAST ? group - h : ABREAST;
                    float *query = scores + ABREAST * step;
                    EACH(i, queries * width, store_float(query + i, load(from + i, left), left);)
                    switch (queries) {
                        case 1: attend(1, query, keys, values, count, width, scores, step, scale, out); break;
                        case 2: attend(2, query, keys, values, count, width, scores, step, scale, out); break;
                        case 3: attend(3, query, keys, values, count, width, scores, step, scale, out); break;
                        default: attend(4, query, keys, values, count, width, scores, step, scale, out);
                    }
                }
            }
        }
        free(scores);
    }
    return failed;
}
#endif
