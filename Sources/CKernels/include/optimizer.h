// AdamW and the norm of the gradient, each as one fixed expression per element.
#pragma once
#include <stddef.h>

// One update of N elements. `correction1` = 1 / (1 - beta1^t), `correction2` = 1 / (1 - beta2^t),
// `clip` multiplies the gradient; `decay` is 0 for tensors that do not decay.
void adamw(float *weights_N, float *m_N, float *v_N, const float *gradient_N, size_t N,
           float learning_rate, float beta1, float beta2, float one_minus_beta1,
           float one_minus_beta2, float correction1, float correction2, float epsilon, float decay,
           float clip);

// The sum of squares of N elements: pairwise within blocks of 1,024, blocks added in order.
double squares_sum(const float *values_N, size_t N);
