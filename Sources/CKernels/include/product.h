// Matrix products whose every element is one chain of fused multiply-adds, k ascending.
#pragma once
#include <stddef.h>

void product_MN(
    float *c_MN, size_t c_stride, const float *a, size_t a_row, size_t a_step, const float *b,
    size_t b_row, size_t b_step, int adding, size_t M, size_t N, size_t K);
