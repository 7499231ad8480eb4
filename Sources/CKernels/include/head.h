// What follows the logits: log-probabilities, their gradient, the best token.
#pragma once
#include <stddef.h>
#include <stdint.h>

void head_logp_RV(
    double *logp_R, float *logits_RV, size_t stride, const int32_t *target_R, const float *u_R,
    size_t R, size_t V);
void head_distill_RV(
    double *score_R, float *logits_RV, size_t stride, const int32_t *target_R, const float *u_R,
    const int32_t *first_R1, const int32_t *top_K, const float *logq_K, float mix, size_t R, size_t V);
int32_t argmax_V(const float *x_V, size_t V);
void softmax_V(float *x_V, float scale, size_t V);
