/* Norms, SwiGLU, cross-entropy, embedding gradient, AdamW.
 *
 * All tensors are contiguous. N rows, D width, F feed-forward, V vocabulary. Sums that cross rows are
 * taken over blocks of fixed size and added in order, so no result depends on the number of threads.
 */
#include "lanes.h"
#if KIND_RUNS

enum { NORM_BLOCKS = 64, SUM_BLOCK = 16384 };

/* out = rms_norm(x [+ residual]) * weight; with a residual, total = x + residual is written too.
 * inverse_N keeps 1 / rms for the backward pass. */
EXPORT void NAME(rms_norm)(const el *x, const el *residual, const float *weight, float eps, long rows, long width,
                           el *total, el *out, float *inverse, int threads) {
#pragma omp parallel for schedule(dynamic, at_a_time(rows, threads)) num_threads(threads)
    for (long n = 0; n < rows; n++) {
        const el *from = x + n * width;
        vf squares = {0};
        if (residual) {
            el *sum = total + n * width;
            EACH(i, width, {
                store(sum + i, load(from + i, left) + load(residual + n * width + i, left), left);
                vf a = load(sum + i, left);
                squares += a * a;
            })
            from = sum;
        } else {
            EACH(i, width, {
                vf a = load(from + i, left);
                squares += a * a;
            })
        }
        float scale = 1.0f / sqrtf(add_lanes(squares) / width + eps);
        inverse[n] = scale;
        EACH(i, width, store(out + n * width + i, load(from + i, left) * scale * load_float(weight + i, left), left);)
    }
}

/* dx = gradient through the norm [+ dtotal]; dweight_blocks is NORM_BLOCKS x D scratch. */
EXPORT void NAME(rms_norm_backward)(const el *x, const float *weight, const float *inverse, const el *dout,
                                    const el *dtotal, long rows, long width, el *dx, float *dweight_blocks,
                                    float *dweight, int threads) {
    long step = (rows + NORM_BLOCKS - 1) / NORM_BLOCKS;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (long block = 0; block < NORM_BLOCKS; block++) {
        float *sums = dweight_blocks + block * width;
        memset(sums, 0, width * sizeof(float));
        long end = (block + 1) * step < rows ? (block + 1) * step : rows;
        for (long n = block * step; n < end; n++) {
            const el *row = x + n * width, *dy = dout + n * width;
            float scale = inverse[n];
            vf dots = {0};
            EACH(i, width, {
                vf a = load(row + i, left), g = load(dy + i, left);
                vf ga = g * a;
                dots += ga * load_float(weight + i, left);
                store_float(sums + i, load_float(sums + i, left) + ga * scale, left);
            })
            float shift = add_lanes(dots) * scale * scale * scale / width;
            EACH(i, width, {
                vf g = load(dy + i, left) * load_float(weight + i, left) * scale - load(row + i, left) * shift;
                if (dtotal) g += load(dtotal + n * width + i, left);
                store(dx + n * width + i, g, left);
            })
        }
    }
    for (long i = 0; i < width; i++) {
        float sum = 0;
        for (long block = 0; block < NORM_BLOCKS; block++) sum += dweight_blocks[block * width + i];
        dweight[i] = sum;
    }
}

EXPORT void NAME(swiglu)(const el *gate_up, long rows, long width, el *out, int threads) {
#pragma omp parallel for schedule(dynamic, at_a_time(rows, threads)) num_threads(threads)
    for (long n = 0; n < rows; n++) {
        const el *gate = gate_up + 2 * n * width, *up = gate + width;
        EACH(i, width, {
            vf g = load(gate + i, left);
            store(out + n * width + i, g * inverse(exponential(-g) + 1.0f) * load(up + i, left), left);
        })
    }
}

EXPORT void NAME(swiglu_backward)(const el *gate_up, const el *dout, long rows, long width, el *dgate_up,
                                  int threads) {
#pragma omp parallel for schedule(dynamic, at_a_time(rows, threads)) num_threads(threads)
    for (long n = 0; n < rows; n++) {
        const el *gate = gate_up + 2 * n * width, *up = gate + width;
        el *dgate = dgate_up + 2 * n * width, *dup = dgate + width;
        EACH(i, width, {
            vf g = load(gate + i, left), dy = load(dout + n * width + i, left);
            vf sigmoid = inverse(exponential(-g) + 1.0f);
            vf silu = g * sigmoid;
            store(dgate + i, dy * load(up + i, left) * (sigmoid + silu * (1.0f - sigmoid)), left);
            store(dup + i, dy * silu, left);
        })
    }
}

/* A row of logits becomes cap * tanh(row / cap); with cap 0 it stays. */
INLINE void soft_cap(el *row, long vocab, float cap) {
    if (cap == 0) return;
    EACH(i, vocab, {
        vf power = exponential(load(row + i, left) * (2.0f / cap));
        store(row + i, cap - inverse(power + 1.0f) * (2.0f * cap), left);
    })
}

/* The slope of `soft_cap` where it gave x. */
INLINE vf soft_cap_slope(vf x, float cap) {
    if (cap == 0) return splat(1);
    x = x * (1.0f / cap);
    return 1.0f - x * x;
}

/* lse_N = log sum exp of each row (soft-capped) and picked_N = the target's logit; rows of weight 0 are skipped.
 * With `gradient`, the row is overwritten by weight * ((1 + 2 z lse) softmax - onehot), back through the cap.
 * Returns 1 when a target is outside 0..V-1. scratch is threads x V. */
EXPORT int NAME(cross_entropy)(el *logits, const int64_t *targets, const float *weights, float z_loss, float cap,
                               long rows, long vocab, int gradient, float *scratch, float *lse, float *picked, int threads) {
    int wrong = 0;
    long step = (rows + threads - 1) / threads;
#pragma omp parallel for schedule(static) num_threads(threads) reduction(| : wrong)
    for (int part = 0; part < threads; part++) {
        float *powers = scratch + (size_t)part * vocab;
        long end = (part + 1) * step < rows ? (part + 1) * step : rows;
        for (long n = part * step; n < end; n++) {
            el *row = logits + n * vocab;
            float weight = weights ? weights[n] : 1.0f;
            lse[n] = picked[n] = 0;
            if (weight == 0) {
                if (gradient) memset(row, 0, vocab * sizeof(el));
                continue;
            }
            if (targets[n] < 0 || targets[n] >= vocab) {
                wrong = 1;
                continue;
            }
            soft_cap(row, vocab, cap);
            vf top = splat(-INFINITY);
            long i0 = 0;
            for (; i0 + LANES <= vocab; i0 += LANES) top = larger(load(row + i0, LANES), top);
            float most = max_lanes(top);
            for (; i0 < vocab; i0++) most = load_one(row + i0) > most ? load_one(row + i0) : most;
            vf sums = {0};
            for (i0 = 0; i0 + LANES <= vocab; i0 += LANES) {
                vf power = exponential(load(row + i0, LANES) - most);
                store_float(powers + i0, power, LANES);
                sums += power;
            }
            float sum = add_lanes(sums);
            for (; i0 < vocab; i0++) sum += powers[i0] = exponential(splat(load_one(row + i0) - most))[0];
            lse[n] = most + logf(sum);
            picked[n] = load_one(row + targets[n]);
            if (!gradient) continue;
            float scale = weight * (1.0f + 2.0f * z_loss * lse[n]) / sum;
            vf wanted = (powers[targets[n]] * scale - weight) * soft_cap_slope(splat(picked[n]), cap);
            EACH(i, vocab, {
                vf slope = soft_cap_slope(load(row + i, left), cap) * scale;
                store(row + i, load_float(powers + i, left) * slope, left);
            })
            store(row + targets[n], wanted, 1);
        }
    }
    return wrong;
}

/* Rows of logits become slope_N * (onehot - softmax), for a known lse_N, back through the cap. */
EXPORT void NAME(logprob_backward)(el *logits, const int64_t *targets, const float *lse, const float *slope,
                                   float cap, long rows, long vocab, int threads) {
#pragma omp parallel for schedule(dynamic, at_a_time(rows, threads)) num_threads(threads)
    for (long n = 0; n < rows; n++) {
        el *row = logits + n * vocab;
        soft_cap(row, vocab, cap);
        vf picked = splat(load_one(row + targets[n]));
        vf wanted = (1.0f - exponential(picked - lse[n])) * slope[n] * soft_cap_slope(picked, cap);
        EACH(i, vocab, {
            vf x = load(row + i, left);
            store(row + i, exponential(x - lse[n]) * -slope[n] * soft_cap_slope(x, cap), left);
        })
        store(row + targets[n], wanted, 1);
    }
}

/* dweight_VD, zero on entry, gets the sum of the rows that looked each token up, in the order of rows.
 * Each thread owns every threads-th token. Tokens were checked by the look-up. */
EXPORT void NAME(embedding_backward)(const int64_t *tokens, const el *dout, long rows, long width, float *dweight,
                                     int threads) {
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int part = 0; part < threads; part++)
        for (long n = 0; n < rows; n++) {
            if (tokens[n] % threads != part) continue;
            float *to = dweight + tokens[n] * width;
            const el *from = dout + n * width;
            EACH(i, width, store_float(to + i, load_float(to + i, left) + load(from + i, left), left);)
        }
}

#if KIND == F32
/* AdamW in place. decay = 1 - lr * weight decay, rate = lr / (1 - beta1^t), root = 1 / sqrt(1 - beta2^t). */
EXPORT void adamw(float *weight, const float *grad, float *mean, float *square, long count, float grad_scale,
                  float beta1, float beta2, float eps, float decay, float rate, float root, int threads) {
    long blocks = (count + SUM_BLOCK - 1) / SUM_BLOCK;
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (blocks > 1)
    for (long block = 0; block < blocks; block++) {
        long at = block * SUM_BLOCK, size = count - at < SUM_BLOCK ? count - at : SUM_BLOCK;
        for (long i = at; i < at + size; i++) {
            float g = grad[i] * grad_scale;
            float m = mean[i] += (1.0f - beta1) * (g - mean[i]);
            float s = square[i] = beta2 * square[i] + (1.0f - beta2) * g * g;
            weight[i] = weight[i] * decay - rate * m / (sqrtf(s) * root + eps);
        }
    }
}

/* Sum of squares of each block of SUM_BLOCK numbers; the caller adds them in order. */
EXPORT void square_sums(const float *x, long count, double *sums, int threads) {
    long blocks = (count + SUM_BLOCK - 1) / SUM_BLOCK;
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (blocks > 1)
    for (long block = 0; block < blocks; block++) {
        long at = block * SUM_BLOCK, size = count - at < SUM_BLOCK ? count - at : SUM_BLOCK;
        double parts[LANES] = {0};
        for (long i = 0; i + LANES <= size; i += LANES)
            for (int j = 0; j < LANES; j++) parts[j] += (double)x[at + i + j] * x[at + i + j];
        double sum = 0;
        for (int j = 0; j < LANES; j++) sum += parts[j];
        for (long i = size / LANES * LANES; i < size; i++) sum += (double)x[at + i] * x[at + i];
        sums[block] = sum;
    }
}

EXPORT int lanes(void) { return LANES; }
EXPORT int bf16_instructions(void) { return BF16_INSTRUCTIONS; }
EXPORT int f16_instructions(void) { return F16_INSTRUCTIONS; }
#ifdef _OPENMP
EXPORT int has_threads(void) { return 1; }
#else
EXPORT int has_threads(void) { return 0; }
#endif
#endif
#endif
