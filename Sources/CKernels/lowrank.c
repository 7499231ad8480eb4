// What a low-rank adapter adds to products by weights.
#include "kernels.h"

// x_td *= factor_d
DISPATCHED void scale_columns_TD(
    float *x_TD, size_t stride, const float *factor_D, size_t T, size_t D) {
    for (size_t t = 0; t < T; t++) {
        for (size_t d = 0; d < D; d++) x_TD[t * stride + d] *= factor_D[d];
    }
}

// sum_d += factor_d sum_t a_td b_td, t ascending.
DISPATCHED void add_column_products_D(
    float *sum_D, const float *factor_D, const float *a_TD, size_t a_stride, const float *b_TD,
    size_t b_stride, size_t T, size_t D) {
    for (size_t start = 0; start < D; start += 256) {
        const size_t count = start + 256 < D ? 256 : D - start;
        float part[256] = {0.0f};
        for (size_t t = 0; t < T; t++) {
            const float *a = a_TD + t * a_stride + start, *b = b_TD + t * b_stride + start;
            for (size_t d = 0; d < count; d++) part[d] += a[d] * b[d];
        }
        for (size_t d = 0; d < count; d++) sum_D[start + d] += factor_D[start + d] * part[d];
    }
}

// One row of W + s B A in fp64, k ascending; returns the sum of its squares, i ascending.
DISPATCHED double lowrank_row_I(
    double *row_I, const float *w_I, const float *b_R, const float *a_RI, double scale, size_t R,
    size_t I) {
    for (size_t i = 0; i < I; i++) row_I[i] = (double)w_I[i];
    for (size_t k = 0; k < R; k++) {
        const double factor = scale * (double)b_R[k];
        const float *a_I = a_RI + k * I;
        for (size_t i = 0; i < I; i++) row_I[i] += factor * (double)a_I[i];
    }
    double sum = 0.0;
    for (size_t i = 0; i < I; i++) sum += row_I[i] * row_I[i];
    return sum;
}
