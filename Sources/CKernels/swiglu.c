// The gated activation.
//   s(a) = 1 / (1 + e^-a),  silu(a) = a s(a),  h = silu(a) b
//   db = dh silu(a),  da = dh b s(a) (1 + a (1 - s(a)))
#include "lanes.h"

INLINE void sigmoid_lanes(f32x16 *v) {
    f32x16 e = -*v;
    exp_lanes(&e);
    *v = SPLAT(1.0f) / (SPLAT(1.0f) + e);
}

DISPATCHED void swiglu_forward_TI(
    float *h_TI, size_t h_stride, const float *gate_TI, const float *up_TI, size_t stride, size_t T,
    size_t I) {
    for (size_t t = 0; t < T; t++) {
        const float *a_I = gate_TI + t * stride, *b_I = up_TI + t * stride;
        float *h_I = h_TI + t * h_stride;
        for (size_t i = 0; i < I; i += LANES) {
            f32x16 a, b, s;
            if (i + LANES <= I) {
                a = LOAD(a_I + i);
                b = LOAD(b_I + i);
            } else {
                load_tail(&a, a_I + i, I - i, 0.0f);
                load_tail(&b, b_I + i, I - i, 0.0f);
            }
            s = a;
            sigmoid_lanes(&s);
            const f32x16 h = a * s * b;
            if (i + LANES <= I) {
                STORE(h_I + i, h);
            } else {
                store_tail(h_I + i, &h, I - i);
            }
        }
    }
}

// Replaces gate and up by their gradients.
DISPATCHED void swiglu_backward_TI(
    float *gate_TI, float *up_TI, size_t stride, const float *dh_TI, size_t dh_stride, size_t T,
    size_t I) {
    for (size_t t = 0; t < T; t++) {
        float *a_I = gate_TI + t * stride, *b_I = up_TI + t * stride;
        const float *dh_I = dh_TI + t * dh_stride;
        for (size_t i = 0; i < I; i += LANES) {
            f32x16 a, b, dh, s;
            if (i + LANES <= I) {
                a = LOAD(a_I + i);
                b = LOAD(b_I + i);
                dh = LOAD(dh_I + i);
            } else {
                load_tail(&a, a_I + i, I - i, 0.0f);
                load_tail(&b, b_I + i, I - i, 0.0f);
                load_tail(&dh, dh_I + i, I - i, 0.0f);
            }
            s = a;
            sigmoid_lanes(&s);
            const f32x16 da = dh * b * s * (SPLAT(1.0f) + a * (SPLAT(1.0f) - s));
            const f32x16 db = dh * (a * s);
            if (i + LANES <= I) {
                STORE(a_I + i, da);
                STORE(b_I + i, db);
            } else {
                store_tail(a_I + i, &da, I - i);
                store_tail(b_I + i, &db, I - i);
            }
        }
    }
}
