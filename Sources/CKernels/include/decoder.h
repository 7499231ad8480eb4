// The parts of a decoder layer that work on one row or one element at a time.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Makes this thread treat subnormal numbers as zero; returns what to give to kernels_leave.
uint64_t kernels_enter(void);
void kernels_leave(uint64_t state);

void rmsnorm_forward_TD(
    float *y_TD, size_t y_stride, float *inverse_T, const float *x_TD, size_t x_stride,
    const float *weight_D, float offset, float epsilon, size_t T, size_t D);
void rmsnorm_backward_TD(
    float *dx_TD, size_t dx_stride, float *dweight_D, const float *dy_TD, size_t dy_stride,
    const float *x_TD, size_t x_stride, const float *inverse_T, const float *weight_D,
    float offset, size_t T, size_t D);

void rope_frequencies_F(double *frequency_F, double theta, size_t F);
void rope_linear_F(double *frequency_F, double factor, size_t F);
void rope_llama3_F(
    double *frequency_F, double factor, double low, double high, double original, size_t F);
void rope_yarn_F(
    double *frequency_F, double theta, double factor, double fast, double slow, double original,
    int truncates, size_t F);
double rope_yarn_scale(double factor, double weight);
void rope_table_PF(
    float *cosine_PF, float *sine_PF, const double *frequency_F, double scale, size_t P, size_t F);
void rope_rotate_THD(
    float *x_THD, size_t stride, const int32_t *position_T, const float *cosine_PF,
    const float *sine_PF, float direction, size_t T, size_t H, size_t D);

void swiglu_forward_TI(
    float *h_TI, size_t h_stride, const float *gate_TI, const float *up_TI, size_t stride, size_t T,
    size_t I);
void swiglu_backward_TI(
    float *gate_TI, float *up_TI, size_t stride, const float *dh_TI, size_t dh_stride, size_t T,
    size_t I);

void geglu_forward_TI(
    float *h_TI, size_t h_stride, const float *gate_TI, const float *up_TI, size_t stride, size_t T,
    size_t I);
void geglu_backward_TI(
    float *gate_TI, float *up_TI, size_t stride, const float *dh_TI, size_t dh_stride, size_t T,
    size_t I);

void softcap_forward_TD(float *x_TD, size_t stride, float cap, size_t T, size_t D);
void softcap_backward_TD(
    float *dx_TD, size_t dx_stride, const float *y_TD, size_t y_stride, float cap, size_t T,
    size_t D);

void gather_rows_TD(
    float *y_TD, size_t y_stride, const float *x_RD, size_t x_stride, const int32_t *row_T, size_t T,
    size_t D);
void scatter_add_rows_TD(
    float *y_RD, size_t y_stride, const float *x_TD, size_t x_stride, const int32_t *row_T, size_t T,
    size_t D);
void add_rows_TD(
    float *y_TD, size_t y_stride, const float *x_TD, size_t x_stride, size_t T, size_t D);
void scale_rows_TD(float *x_TD, size_t stride, float factor, size_t T, size_t D);
void add_columns_TD(float *sum_D, const float *x_TD, size_t stride, size_t T, size_t D);
