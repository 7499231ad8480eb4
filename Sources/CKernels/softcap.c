// Soft caps, which keep numbers between -c and c (Gemma 2, arXiv 2408.00118).
//   y = c tanh(x / c),  dx = dy (1 - (y / c)^2)
#include "tanh.h"

DISPATCHED void softcap_forward_TD(float *x_TD, size_t stride, float cap, size_t T, size_t D) {
    for (size_t t = 0; t < T; t++) {
        float *x_D = x_TD + t * stride;
        for (size_t d = 0; d < D; d += LANES) {
            f32x16 x;
            if (d + LANES <= D) {
                x = LOAD(x_D + d);
            } else {
                load_tail(&x, x_D + d, D - d, 0.0f);
            }
            x /= SPLAT(cap);
            tanh_lanes(&x);
            x *= SPLAT(cap);
            if (d + LANES <= D) {
                STORE(x_D + d, x);
            } else {
                store_tail(x_D + d, &x, D - d);
            }
        }
    }
}

// Replaces the gradient of y by that of x.
DISPATCHED void softcap_backward_TD(
    float *dx_TD, size_t dx_stride, const float *y_TD, size_t y_stride, float cap, size_t T,
    size_t D) {
    for (size_t t = 0; t < T; t++) {
        const float *y_D = y_TD + t * y_stride;
        float *dx_D = dx_TD + t * dx_stride;
        for (size_t d = 0; d < D; d++) {
            const float share = y_D[d] / cap;
            dx_D[d] *= 1.0f - share * share;
        }
    }
}
