// Causal attention with grouped queries, over keys and values packed in blocks of 64.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define ATTENTION_BLOCK 64
#define ATTENTION_HEAD_MAX 256

// Floats that one block of packed keys and values takes.
size_t attention_block_size(size_t D);

void attention_pack_ND(
    float *blocks, const float *key_ND, const float *value_ND, size_t stride, size_t first, size_t N,
    size_t D);

// A `window` of SIZE_MAX sees everything before; a `cap` of 0 caps nothing.
void attention_forward_NGD(
    float *out_NGD, size_t out_stride, float *lse_NG, size_t lse_stride, const float *query_NGD,
    size_t query_stride, const float *blocks, float scale, float cap, size_t window, size_t first,
    size_t N, size_t G, size_t D);

// Floats of scratch that attention_backward_NGD needs.
size_t attention_scratch_size(size_t N, size_t G, size_t D);

void attention_backward_NGD(
    float *dquery_NGD, float *dkey_ND, float *dvalue_ND, size_t dstride, const float *query_NGD,
    const float *key_ND, const float *value_ND, size_t stride, const float *out_NGD,
    const float *dout_NGD, size_t out_stride, const float *lse_NG, size_t lse_stride,
    float *scratch, float scale, float cap, size_t window, size_t N, size_t G, size_t D);
