// Rows moved by index: the embedding and the choice of supervised positions.
//   gather: y_t = x_row(t), also in place where rows ascend;  scatter: y_row(t) += x_t, t ascending
// And rows as they are: y += x, a stride of 0 adding one row to all;  x *= factor;  sum_d += sum_t x_td.
#include <string.h>

#include "kernels.h"

void gather_rows_TD(
    float *y_TD, size_t y_stride, const float *x_RD, size_t x_stride, const int32_t *row_T, size_t T,
    size_t D) {
    for (size_t t = 0; t < T; t++) {
        memmove(y_TD + t * y_stride, x_RD + (size_t)row_T[t] * x_stride, D * sizeof(float));
    }
}

DISPATCHED void scatter_add_rows_TD(
    float *y_RD, size_t y_stride, const float *x_TD, size_t x_stride, const int32_t *row_T, size_t T,
    size_t D) {
    for (size_t t = 0; t < T; t++) {
        float *y_D = y_RD + (size_t)row_T[t] * y_stride;
        const float *x_D = x_TD + t * x_stride;
        for (size_t d = 0; d < D; d++) y_D[d] += x_D[d];
    }
}

DISPATCHED void add_rows_TD(
    float *y_TD, size_t y_stride, const float *x_TD, size_t x_stride, size_t T, size_t D) {
    for (size_t t = 0; t < T; t++) {
        float *y_D = y_TD + t * y_stride;
        const float *x_D = x_TD + t * x_stride;
        for (size_t d = 0; d < D; d++) y_D[d] += x_D[d];
    }
}

DISPATCHED void scale_rows_TD(float *x_TD, size_t stride, float factor, size_t T, size_t D) {
    for (size_t t = 0; t < T; t++) {
        for (size_t d = 0; d < D; d++) x_TD[t * stride + d] *= factor;
    }
}

DISPATCHED void add_columns_TD(
    float *sum_D, const float *x_TD, size_t stride, size_t T, size_t D) {
    for (size_t t = 0; t < T; t++) {
        for (size_t d = 0; d < D; d++) sum_D[d] += x_TD[t * stride + d];
    }
}
