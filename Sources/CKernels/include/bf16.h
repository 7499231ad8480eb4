// bf16 operands of products: the upper half of an fp32, rounded to nearest even.
#pragma once
#include <stddef.h>
#include <stdint.h>

// y_TD = bf16(x_TD), rows of y without gaps; rows T ..< padded of y become 0.
void bf16_rows_TD(
    uint16_t *y_TD, const float *x_TD, size_t x_stride, size_t T, size_t D, size_t padded);

// The elements that a packed b_KN takes.
size_t bf16_packed_size(size_t width, size_t N, size_t K);

// b_KN = bf16(w^T) of w_NK, and b_KN = bf16(w_KN), for products that read b in blocks of `width`
// columns (`cdnnl_product_width`); with width 0, as N rows of K.
void bf16_pack_NK(uint16_t *b, size_t width, const float *w_NK, size_t stride, size_t N, size_t K);
void bf16_pack_KN(uint16_t *b, size_t width, const float *w_KN, size_t stride, size_t N, size_t K);

// y_TD = x_TD, or y_TD += x_TD; rows of x without gaps.
void put_rows_TD(
    float *y_TD, size_t y_stride, const float *x_TD, size_t T, size_t D, int adding);
