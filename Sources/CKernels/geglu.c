// The gated activation with the tanh form of GELU (Gemma's GeGLU; Hendrycks & Gimpel, 2016).
//   u = 2 sqrt(2 / pi) (a + 0.044715 a^3),  s = 1 / (1 + e^-u),  gelu(a) = a s, which is
//   a / 2 (1 + tanh(u / 2)) without the cancellation at negative a;  h = gelu(a) b
//   db = dh gelu(a),  da = dh b (s + a s (1 - s) du/da)
#include "lanes.h"

#define ROOT 1.5957691216057308f
#define CUBIC 0.044715f

// s, and 1 - s as e^-u s, which keeps its digits where s is close to 1.
INLINE void gelu_sigmoid_lanes(f32x16 *s, f32x16 *rest, const f32x16 *a) {
    f32x16 e = -SPLAT(ROOT) * *a * FMA(*a * *a, SPLAT(CUBIC), SPLAT(1.0f));
    exp_lanes(&e);
    *s = SPLAT(1.0f) / (SPLAT(1.0f) + e);
    *rest = e * *s;
}

INLINE void load_at_most(f32x16 *v, const float *p, size_t n) {
    if (n >= LANES) {
        *v = LOAD(p);
    } else {
        load_tail(v, p, n, 0.0f);
    }
}

INLINE void store_at_most(float *p, const f32x16 *v, size_t n) {
    if (n >= LANES) {
        STORE(p, *v);
    } else {
        store_tail(p, v, n);
    }
}

DISPATCHED void geglu_forward_TI(
    float *h_TI, size_t h_stride, const float *gate_TI, const float *up_TI, size_t stride, size_t T,
    size_t I) {
    for (size_t t = 0; t < T; t++) {
        const float *a_I = gate_TI + t * stride, *b_I = up_TI + t * stride;
        for (size_t i = 0; i < I; i += LANES) {
            f32x16 a, b, s, rest;
            load_at_most(&a, a_I + i, I - i);
            load_at_most(&b, b_I + i, I - i);
            gelu_sigmoid_lanes(&s, &rest, &a);
            const f32x16 h = a * s * b;
            store_at_most(h_TI + t * h_stride + i, &h, I - i);
        }
    }
}

// Replaces gate and up by their gradients.
DISPATCHED void geglu_backward_TI(
    float *gate_TI, float *up_TI, size_t stride, const float *dh_TI, size_t dh_stride, size_t T,
    size_t I) {
    for (size_t t = 0; t < T; t++) {
        float *a_I = gate_TI + t * stride, *b_I = up_TI + t * stride;
        for (size_t i = 0; i < I; i += LANES) {
            f32x16 a, b, dh, s, rest;
            load_at_most(&a, a_I + i, I - i);
            load_at_most(&b, b_I + i, I - i);
            load_at_most(&dh, dh_TI + t * dh_stride + i, I - i);
            gelu_sigmoid_lanes(&s, &rest, &a);
            const f32x16 slope = SPLAT(ROOT) * FMA(a * a, SPLAT(3 * CUBIC), SPLAT(1.0f));
            const f32x16 da = dh * b * s * (SPLAT(1.0f) + a * rest * slope);
            const f32x16 db = dh * (a * s);
            store_at_most(a_I + i, &da, I - i);
            store_at_most(b_I + i, &db, I - i);
        }
    }
}
