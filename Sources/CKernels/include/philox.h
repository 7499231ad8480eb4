// Random numbers that are a function of a key and a counter: nothing to save, nothing to share.
#pragma once
#include <stddef.h>
#include <stdint.h>

void philox_4x32(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);
void philox_normal_N(float *x_N, double deviation, uint64_t seed, uint32_t stream, size_t N);
