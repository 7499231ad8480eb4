// AdamW (Loshchilov & Hutter, 2019, with bias correction as in Adam), element by element:
//   g = clip * gradient;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
//   w = w - lr * ((m c1) / (sqrt(v c2) + eps) + decay * w),   c = 1 / (1 - b^t)
// Every operation here is correctly rounded and none is fused, so vector width changes no bit.
#pragma STDC FP_CONTRACT OFF
#include "optimizer.h"
#include <stdint.h>

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

void adamw(float *restrict weights_N, float *restrict m_N, float *restrict v_N,
           const float *restrict gradient_N, size_t N, float learning_rate, float beta1,
           float beta2, float one_minus_beta1, float one_minus_beta2, float correction1,
           float correction2, float epsilon, float decay, float clip) {
    const unsigned mode = flush_denormals();
    for (size_t i = 0; i < N; i++) {
        const float g = clip * gradient_N[i];
        const float m = beta1 * m_N[i] + one_minus_beta1 * g;
        const float v = beta2 * v_N[i] + one_minus_beta2 * (g * g);
        const float w = weights_N[i];
        m_N[i] = m;
        v_N[i] = v;
        weights_N[i] =
            w - learning_rate * (m * correction1 / (__builtin_elementwise_sqrt(v * correction2) + epsilon)
                                 + decay * w);
    }
    restore_denormals(mode);
}

double squares_sum(const float *values_N, size_t N) {
    double sum = 0;
    for (size_t start = 0; start < N; start += 1024) {
        const size_t count = N - start < 1024 ? N - start : 1024;
        float block[1024] = {0};
        for (size_t i = 0; i < count; i++) block[i] = values_N[start + i] * values_N[start + i];
        for (size_t half = 512; half > 0; half /= 2)
            for (size_t i = 0; i < half; i++) block[i] += block[i + half];
        sum += (double)block[0];
    }
    return sum;
}
