// AdamW (Loshchilov & Hutter, 2019, with bias correction as in Adam), element by element:
//   g = clip * sum / scale;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
//   w = w - lr * ((m c1) / (sqrt(v c2) + eps) + decay * w),   c = 1 / (1 - b^t)
// Every operation here is correctly rounded and none is fused, so vector width changes no bit.
#include "kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
// Moments of rows that get no gradient any more decay into denormals, which some processors handle a
// hundred times slower; so they are flushed to zero (bits 15 and 6: FTZ, DAZ), here and everywhere.
static inline unsigned flush_denormals(void) {
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040);
    return before;
}
static inline void restore_denormals(unsigned before) { _mm_setcsr(before); }
#elif defined(__aarch64__)
static inline unsigned flush_denormals(void) {
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | (1ull << 24)));
    return (unsigned)before;
}
static inline void restore_denormals(unsigned before) {
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)before));
}
#endif

DISPATCHED static void update(
    float *restrict weights_N, float *restrict m_N, float *restrict v_N, int64_t *restrict sum_N,
    size_t N, float unit, const adamw_numbers it) {
    for (size_t i = 0; i < N; i++) {
        // Converting rounds; multiplying by a power of two does not.
        const float g = it.clip * ((float)sum_N[i] * unit);
        const float m = it.beta1 * m_N[i] + it.one_minus_beta1 * g;
        const float v = it.beta2 * v_N[i] + it.one_minus_beta2 * (g * g);
        const float w = weights_N[i];
        sum_N[i] = 0;
        m_N[i] = m;
        v_N[i] = v;
        weights_N[i] =
            w - it.learning_rate
                    * (m * it.correction1
                           / (__builtin_elementwise_sqrt(v * it.correction2) + it.epsilon)
                       + it.decay * w);
    }
}

void adamw(
    float *weights_N, float *m_N, float *v_N, int64_t *sum_N, size_t N, double scale,
    const adamw_numbers *numbers) {
    const unsigned mode = flush_denormals();
    update(weights_N, m_N, v_N, sum_N, N, (float)(1 / scale), *numbers);
    restore_denormals(mode);
}

DISPATCHED void squares_B(double *square_B, const int64_t *sum_N, size_t N, double scale) {
    const float unit = (float)(1 / scale);
    for (size_t start = 0; start < N; start += SQUARES_BLOCK) {
        const size_t count = N - start < SQUARES_BLOCK ? N - start : SQUARES_BLOCK;
        float block[SQUARES_BLOCK] = {0};
        for (size_t i = 0; i < count; i++) {
            const float value = (float)sum_N[start + i] * unit;
            block[i] = value * value;
        }
        for (size_t half = SQUARES_BLOCK / 2; half > 0; half /= 2) {
            for (size_t i = 0; i < half; i++) block[i] += block[i + half];
        }
        square_B[start / SQUARES_BLOCK] = (double)block[0];
    }
}
