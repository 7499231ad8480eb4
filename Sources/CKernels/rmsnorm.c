// Root-mean-square normalisation.
//   r_t = (mean_d x_td^2 + epsilon)^-1/2,  y_td = (x_td r_t) g_d,  g = w + offset: 1 in Gemma, else 0
//   s_t = sum_d dy_td g_d x_td,  dx_td += r_t g_d dy_td - x_td r_t^3 s_t / D
//   dw_d += sum_t dy_td x_td r_t, tokens ascending
#include "lanes.h"

INLINE float inverse_rms(const float *x_D, float epsilon, size_t D) {
    f32x16 squares = SPLAT(0.0f), x;
    size_t d = 0;
    for (; d + LANES <= D; d += LANES) {
        x = LOAD(x_D + d);
        squares = FMA(x, x, squares);
    }
    if (d < D) {
        load_tail(&x, x_D + d, D - d, 0.0f);
        squares = FMA(x, x, squares);
    }
    return 1.0f / __builtin_sqrtf(sum_lanes(&squares) / (float)D + epsilon);
}

DISPATCHED void rmsnorm_forward_TD(
    float *y_TD, size_t y_stride, float *inverse_T, const float *x_TD, size_t x_stride,
    const float *weight_D, float offset, float epsilon, size_t T, size_t D) {
    for (size_t t = 0; t < T; t++) {
        const float *x_D = x_TD + t * x_stride;
        float *y_D = y_TD + t * y_stride;
        const float r = inverse_rms(x_D, epsilon, D);
        inverse_T[t] = r;
        for (size_t d = 0; d < D; d++) y_D[d] = (x_D[d] * r) * (weight_D[d] + offset);
    }
}

DISPATCHED void rmsnorm_backward_TD(
    float *dx_TD, size_t dx_stride, float *dweight_D, const float *dy_TD, size_t dy_stride,
    const float *x_TD, size_t x_stride, const float *inverse_T, const float *weight_D, float offset,
    size_t T, size_t D) {
    for (size_t t = 0; t < T; t++) {
        const float *x_D = x_TD + t * x_stride, *dy_D = dy_TD + t * dy_stride;
        float *dx_D = dx_TD + t * dx_stride;
        const float r = inverse_T[t];
        f32x16 products = SPLAT(0.0f), x, dy, g;
        size_t d = 0;
        for (; d + LANES <= D; d += LANES) {
            products = FMA(
                LOAD(dy_D + d) * (LOAD(weight_D + d) + SPLAT(offset)), LOAD(x_D + d), products);
        }
        if (d < D) {
            load_tail(&x, x_D + d, D - d, 0.0f);
            load_tail(&dy, dy_D + d, D - d, 0.0f);
            load_tail(&g, weight_D + d, D - d, 0.0f);
            products = FMA(dy * (g + SPLAT(offset)), x, products);
        }
        const float pull = r * r * r * sum_lanes(&products) / (float)D;
        for (d = 0; d < D; d++) {
            dx_D[d] += r * (weight_D[d] + offset) * dy_D[d] - x_D[d] * pull;
            dweight_D[d] += dy_D[d] * (x_D[d] * r);
        }
    }
}
