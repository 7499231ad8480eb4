// What a low-rank adapter adds to products by weights.
#pragma once
#include <stddef.h>

void scale_columns_TD(float *x_TD, size_t stride, const float *factor_D, size_t T, size_t D);
void add_column_products_D(
    float *sum_D, const float *factor_D, const float *a_TD, size_t a_stride, const float *b_TD,
    size_t b_stride, size_t T, size_t D);
double lowrank_row_I(
    double *row_I, const float *w_I, const float *b_R, const float *a_RI, double scale, size_t R,
    size_t I);
