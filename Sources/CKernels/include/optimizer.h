// AdamW and the norm of the gradient, each as one fixed expression per element. Gradients are sums in
// fixed point: sum / scale, rounded once, `scale` a power of two.
#pragma once
#include <stddef.h>
#include <stdint.h>

// `correction1` = 1 / (1 - beta1^t), `correction2` = 1 / (1 - beta2^t), `clip` multiplies the gradient;
// `decay` is 0 for tensors that do not decay.
typedef struct {
    float learning_rate, beta1, beta2, one_minus_beta1, one_minus_beta2;
    float correction1, correction2, epsilon, decay, clip;
} adamw_numbers;

// One update of N elements, after which their sums are 0.
void adamw(
    float *weights_N, float *m_N, float *v_N, int64_t *sum_N, size_t N, double scale,
    const adamw_numbers *numbers);

#define SQUARES_BLOCK 1024

// The sum of squares of each block of 1,024 elements, pairwise.
void squares_B(double *square_B, const int64_t *sum_N, size_t N, double scale);
