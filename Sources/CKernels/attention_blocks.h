// One tile of attention: four queries against a block of 64 keys.
#pragma once
#include "tanh.h"

#define B ATTENTION_BLOCK
#define QUERIES 4
#define VECTORS (B / LANES)

// The keys of a block that a query sees: low ..< high, counted in the block.
typedef struct {
    size_t low, high;
} Seen;

// The first key that a query at `position` sees; no window reaches further than SIZE_MAX.
INLINE size_t first_seen(size_t position, size_t window) {
    return position < window ? 0 : position - window + 1;
}

INLINE Seen seen_of_block(size_t position, size_t window, size_t start) {
    const size_t low = first_seen(position, window), end = position + 1;
    return (Seen){
        low < start ? 0 : low - start < B ? low - start : B,
        end < start ? 0 : end - start < B ? end - start : B};
}

// Leaves `other` in the lanes of the block's `vector` whose keys are not seen.
INLINE void mask_lanes(f32x16 *s, Seen keys, size_t vector, float other) {
    const i32x16 index = LANE_INDEX + (int32_t)(vector * LANES);
    const i32x16 seen = (index < (int32_t)keys.high) & (index >= (int32_t)keys.low);
    *s = seen ? *s : SPLAT(other);
}

INLINE void cap_lanes(f32x16 *s, float cap) {
    if (cap <= 0.0f) return;
    *s /= SPLAT(cap);
    tanh_lanes(s);
    *s *= SPLAT(cap);
}

// s_qj = sum_d x_qd y_jd for 4 rows x and the packed columns y_DB, d ascending in one chain each.
INLINE void products_QB(
    f32x16 s[QUERIES][VECTORS], const float *const x[QUERIES], const float *y_DB, size_t D) {
    f32x16 sum[QUERIES][VECTORS];
    for (size_t q = 0; q < QUERIES; q++) {
        for (size_t v = 0; v < VECTORS; v++) sum[q][v] = SPLAT(0.0f);
    }
    for (size_t d = 0; d < D; d++) {
        const f32x16 y0 = LOAD(y_DB + d * B), y1 = LOAD(y_DB + d * B + LANES);
        const f32x16 y2 = LOAD(y_DB + d * B + 2 * LANES), y3 = LOAD(y_DB + d * B + 3 * LANES);
#pragma clang loop unroll(full)
        for (size_t q = 0; q < QUERIES; q++) {
            const f32x16 scalar = SPLAT(x[q][d]);
            sum[q][0] = FMA(scalar, y0, sum[q][0]);
            sum[q][1] = FMA(scalar, y1, sum[q][1]);
            sum[q][2] = FMA(scalar, y2, sum[q][2]);
            sum[q][3] = FMA(scalar, y3, sum[q][3]);
        }
    }
    memcpy(s, sum, sizeof sum);
}

// y_qd += sum_j w_qj x_jd over the first `keys` rows of x, j ascending; D a multiple of 16.
INLINE void weighted_rows_QD(
    float *const y[QUERIES], const float w[QUERIES][B], const float *x_BD, size_t keys, size_t D) {
    for (size_t d = 0; d < D; d += LANES) {
        f32x16 y0 = LOAD(y[0] + d), y1 = LOAD(y[1] + d), y2 = LOAD(y[2] + d), y3 = LOAD(y[3] + d);
        for (size_t j = 0; j < keys; j++) {
            const f32x16 x = LOAD(x_BD + j * D + d);
            y0 = FMA(SPLAT(w[0][j]), x, y0);
            y1 = FMA(SPLAT(w[1][j]), x, y1);
            y2 = FMA(SPLAT(w[2][j]), x, y2);
            y3 = FMA(SPLAT(w[3][j]), x, y3);
        }
        STORE(y[0] + d, y0);
        STORE(y[1] + d, y1);
        STORE(y[2] + d, y2);
        STORE(y[3] + d, y3);
    }
}

// y_dj += sum_q w_qj x_qd, q ascending: the outer products of four queries at once.
INLINE void outer_products_DB(
    float *y_DB, const float w[QUERIES][B], const float *const x[QUERIES], size_t D) {
    f32x16 weight[QUERIES][VECTORS];
    memcpy(weight, w, sizeof weight);
    for (size_t d = 0; d < D; d++) {
#pragma clang loop unroll(full)
        for (size_t v = 0; v < VECTORS; v++) {
            f32x16 y = LOAD(y_DB + d * B + v * LANES);
            y = FMA(SPLAT(x[0][d]), weight[0][v], y);
            y = FMA(SPLAT(x[1][d]), weight[1][v], y);
            y = FMA(SPLAT(x[2][d]), weight[2][v], y);
            y = FMA(SPLAT(x[3][d]), weight[3][v], y);
            STORE(y_DB + d * B + v * LANES, y);
        }
    }
}
