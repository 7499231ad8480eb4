// The end of a language model: log-probabilities of targets, and the gradient of the logits.
//   lse_r = log sum_v exp z_rv,  logp_r = z_r,target - lse_r
//   dz_rv = u_r (exp(z_rv - lse_r) - [v = target]),  u_r = -dL/dlogp_r
// The sum runs in 16 fp32 lanes over 256 elements at a time, those in fp64.
#include "elementary.h"
#include "lanes.h"

INLINE float maximum(const float *x_V, size_t V) {
    f32x16 best = SPLAT(-__builtin_inff()), x;
    size_t v = 0;
    for (; v + LANES <= V; v += LANES) best = MAX(best, LOAD(x_V + v));
    if (v < V) {
        load_tail(&x, x_V + v, V - v, -__builtin_inff());
        best = MAX(best, x);
    }
    return __builtin_reduce_max(best);
}

// Replaces x by exp(x - shift) and returns the sum.
INLINE double exponentiate(float *x_V, float shift, size_t V) {
    f64x16 total = (f64x16)(0.0);
    for (size_t start = 0; start < V; start += 256) {
        const size_t end = start + 256 < V ? start + 256 : V;
        f32x16 part = SPLAT(0.0f), x;
        size_t v = start;
        for (; v + LANES <= end; v += LANES) {
            x = LOAD(x_V + v) - SPLAT(shift);
            exp_lanes(&x);
            STORE(x_V + v, x);
            part += x;
        }
        if (v < end) {
            load_tail(&x, x_V + v, end - v, -__builtin_inff());
            x -= SPLAT(shift);
            exp_lanes(&x);
            store_tail(x_V + v, &x, end - v);
            part += x;
        }
        total += __builtin_convertvector(part, f64x16);
    }
    return sum_lanes_f64(&total);
}

// Overwrites the logits: by their gradient where u is given. A target that is no token gives 0.
DISPATCHED void head_logp_RV(
    double *logp_R, float *logits_RV, size_t stride, const int32_t *target_R, const float *u_R,
    size_t R, size_t V) {
    for (size_t r = 0; r < R; r++) {
        float *z_V = logits_RV + r * stride;
        const size_t target = (size_t)(int64_t)target_R[r];
        const float shift = maximum(z_V, V);
        const float z = target < V ? z_V[target] : 0.0f;
        const double sum = exponentiate(z_V, shift, V);
        const double lse = (double)shift + log_f64(sum) + (sum - sum);  // NaN where the sum is
        logp_R[r] = target < V ? (double)z - lse : 0.0;
        if (!u_R) continue;
        const float factor = (float)((double)u_R[r] / sum);
        for (size_t v = 0; v < V; v++) z_V[v] *= factor;
        if (target < V) z_V[target] -= u_R[r];
    }
}

INLINE double total(const float *x_V, size_t V) {
    f64x16 sum = (f64x16)(0.0);
    for (size_t start = 0; start < V; start += 256) {
        const size_t end = start + 256 < V ? start + 256 : V;
        f32x16 part = SPLAT(0.0f), x;
        size_t v = start;
        for (; v + LANES <= end; v += LANES) part += LOAD(x_V + v);
        if (v < end) {
            load_tail(&x, x_V + v, end - v, 0.0f);
            part += x;
        }
        sum += __builtin_convertvector(part, f64x16);
    }
    return sum_lanes_f64(&sum);
}

// Forward KL from what a teacher said of its K most probable tokens, mixed with the target's loss. What
// the teacher left unsaid is one event more, the tail: its mass q_t = 1 - sum_k q_k is compared with
// p_t, the student's own sum over all other tokens, and nothing is renormalised.
//   kl_r = sum_k q_k log(q_k / p_k) + q_t log(q_t / p_t)
//   score_r = -(mix kl_r + (1 - mix) (-log p_target))
//   dz_rv = u_r (p_v - (1 - mix) [v = target] - mix (q_v for v in top, else p_v q_t / p_t))
// Rows without a teacher's (K = 0) have the target's loss alone. Overwrites the logits, by their gradient
// where u is given. first_R1: where each row's K tokens begin, and their end; K is 64 at most.
DISPATCHED void head_distill_RV(
    double *score_R, float *logits_RV, size_t stride, const int32_t *target_R, const float *u_R,
    const int32_t *first_R1, const int32_t *top_K, const float *logq_K, float mix, size_t R, size_t V) {
    for (size_t r = 0; r < R; r++) {
        float *z_V = logits_RV + r * stride;
        const size_t target = (size_t)(int64_t)target_R[r], K = (size_t)(first_R1[r + 1] - first_R1[r]);
        const int32_t *top = top_K + first_R1[r];
        const float *logq = logq_K + first_R1[r];
        const float shift = maximum(z_V, V), z = target < V ? z_V[target] : 0.0f;
        float z_K[64], e_K[64];
        for (size_t k = 0; k < K; k++) z_K[k] = z_V[top[k]];
        const double sum = exponentiate(z_V, shift, V);
        const double lse = (double)shift + log_f64(sum) + (sum - sum);  // NaN where the sum is
        const double part = K > 0 ? (double)mix : 0.0;
        double kl = 0.0, tail = 1.0;
        for (size_t k = 0; k < K; k++) {
            const double q = exp_f64((double)logq[k]);
            kl += q * ((double)logq[k] - ((double)z_K[k] - lse));
            tail -= q;
            e_K[k] = z_V[top[k]];
            z_V[top[k]] = 0.0f;
        }
        // Rounded log-probabilities may add up to a little more than one.
        if (tail < 1e-6) tail = 0.0;
        double rest = K > 0 ? total(z_V, V) : sum;
        if (rest < 1e-30) rest = 1e-30;
        if (tail > 0.0) kl += tail * (log_f64(tail) - (log_f64(rest) + (double)shift - lse));
        score_R[r] = -(part * kl) + (target < V ? (1.0 - part) * ((double)z - lse) : 0.0);
        if (!u_R) continue;
        const double u = (double)u_R[r];
        // p_v (1 - mix q_t / p_t), with p_v = e_v / sum and p_t = rest / sum.
        const float factor = (float)(u * (K > 0 ? 1.0 / sum - part * tail / rest : 1.0 / sum));
        for (size_t v = 0; v < V; v++) z_V[v] *= factor;
        for (size_t k = 0; k < K; k++) {
            z_V[top[k]] = (float)(u * ((double)e_K[k] / sum - part * exp_f64((double)logq[k])));
        }
        if (target < V) z_V[target] -= (float)(u * (1.0 - part));
    }
}

// The index of the largest element, the lowest among equals.
int32_t argmax_V(const float *x_V, size_t V) {
    size_t best = 0;
    for (size_t v = 1; v < V; v++) {
        if (x_V[v] > x_V[best]) best = v;
    }
    return (int32_t)best;
}

// x_v = exp(scale x_v) / sum, scale > 0.
DISPATCHED void softmax_V(float *x_V, float scale, size_t V) {
    for (size_t v = 0; v < V; v++) x_V[v] *= scale;
    const double sum = exponentiate(x_V, maximum(x_V, V), V);
    const float factor = (float)(1.0 / sum);
    for (size_t v = 0; v < V; v++) x_V[v] *= factor;
}
