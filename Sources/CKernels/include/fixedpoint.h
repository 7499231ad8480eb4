// Gradients as 64-bit fixed-point numbers, whose sums do not depend on the order of adding.
#pragma once
#include <stddef.h>
#include <stdint.h>

// sum_N[i] += round(values_N[i] * scale), to nearest, ties to even; `scale` is a power of two. Values
// beyond +-limit / scale, and NaN, add nothing and are counted in the result.
size_t fixed_add(int64_t *sum_N, const float *values_N, size_t N, double scale, double limit);
