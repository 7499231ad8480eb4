// Rotary positions over pairs of halves: angle(p, i) = p theta^(-2i / D), i < F = D / 2.
//   y_i = x_i cos - x_(i+F) sin,  y_(i+F) = x_(i+F) cos + x_i sin
// The gradient is the same rotation by -angle: `direction` is 1 or -1.
#include "elementary.h"
#include "kernels.h"

void rope_frequencies_F(double *frequency_F, double theta, size_t F) {
    const double log_theta = log_f64(theta);
    for (size_t i = 0; i < F; i++) frequency_F[i] = exp_f64(-(double)i / (double)F * log_theta);
}

// `scale` multiplies both: 1 but for YaRN.
void rope_table_PF(
    float *cosine_PF, float *sine_PF, const double *frequency_F, double scale, size_t P, size_t F) {
    for (size_t i = 0; i < F; i++) {
        for (size_t p = 0; p < P; p++) {
            double cosine, sine;
            cos_sin_f64((double)p * frequency_F[i], &cosine, &sine);
            cosine_PF[p * F + i] = (float)(cosine * scale);
            sine_PF[p * F + i] = (float)(sine * scale);
        }
    }
}

DISPATCHED void rope_rotate_THD(
    float *x_THD, size_t stride, const int32_t *position_T, const float *cosine_PF,
    const float *sine_PF, float direction, size_t T, size_t H, size_t D) {
    const size_t F = D / 2;
    for (size_t t = 0; t < T; t++) {
        const float *cosine_F = cosine_PF + (size_t)position_T[t] * F;
        const float *sine_F = sine_PF + (size_t)position_T[t] * F;
        for (size_t h = 0; h < H; h++) {
            float *a_F = x_THD + t * stride + h * D, *b_F = a_F + F;
            for (size_t i = 0; i < F; i++) {
                const float a = a_F[i], b = b_F[i], c = cosine_F[i], s = direction * sine_F[i];
                a_F[i] = a * c - b * s;
                b_F[i] = b * c + a * s;
            }
        }
    }
}
