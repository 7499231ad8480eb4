// Sixteen lanes of fp32 that mean the same on every processor: one zmm, two ymm or four xmm.
//
// Reductions keep one partial result per lane and add the lanes in one fixed tree, so their order
// never depends on the width of the machine. Helpers take pointers because vector arguments have
// a different calling convention in each clone.
#pragma once
#include <string.h>

#include "kernels.h"

typedef float f32x16 __attribute__((ext_vector_type(16), aligned(4), may_alias));
typedef double f64x16 __attribute__((ext_vector_type(16), aligned(8), may_alias));
typedef int32_t i32x16 __attribute__((ext_vector_type(16), aligned(4), may_alias));

#define LANES 16
#define LOAD(p) (*(const f32x16 *)(p))
#define STORE(p, v) (*(f32x16 *)(p) = (v))
#define FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#define MAX(a, b) __builtin_elementwise_max(a, b)
#define SPLAT(s) ((f32x16)(float)(s))
#define LANE_INDEX ((i32x16){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})

INLINE size_t round_up_lanes(size_t n) { return (n + LANES - 1) / LANES * LANES; }

// The first n < 16 elements; `fill` in the other lanes.
INLINE void load_tail(f32x16 *v, const float *p, size_t n, float fill) {
    float lanes[LANES];
    for (size_t i = 0; i < LANES; i++) lanes[i] = i < n ? p[i] : fill;
    memcpy(v, lanes, sizeof lanes);
}

INLINE void store_tail(float *p, const f32x16 *v, size_t n) {
    float lanes[LANES];
    memcpy(lanes, v, sizeof lanes);
    for (size_t i = 0; i < n; i++) p[i] = lanes[i];
}

#define SUM_TREE(v)                                                                                \
    __auto_type eight = (v).lo + (v).hi;                                                           \
    __auto_type four = eight.lo + eight.hi;                                                        \
    __auto_type two = four.lo + four.hi;                                                           \
    return two.lo + two.hi;

INLINE float sum_lanes(const f32x16 *v) { SUM_TREE(*v) }
INLINE double sum_lanes_f64(const f64x16 *v) { SUM_TREE(*v) }

// exp to 1.5 units in the last place; 0 below -87.3, where results would be subnormal.
//   x = n ln 2 + r, |r| <= ln 2 / 2; e^x = 2^n e^r; e^r by a polynomial of degree 7
INLINE void exp_lanes(f32x16 *v) {
    const f32x16 rounder = SPLAT(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
    f32x16 x = *v;
    const i32x16 vanishes = x < SPLAT(-87.3f);
    x = vanishes ? SPLAT(-87.3f) : x;
    x = x > SPLAT(88.7f) ? SPLAT(88.7f) : x;
    const f32x16 shifted = FMA(x, SPLAT(1.44269504f), rounder);
    const f32x16 n = shifted - rounder;
    f32x16 r = FMA(n, SPLAT(-0.693145752f), x);
    r = FMA(n, SPLAT(-1.42860677e-6f), r);
    f32x16 y = SPLAT(1.98412698e-4f);
    y = FMA(y, r, SPLAT(1.38888889e-3f));
    y = FMA(y, r, SPLAT(8.33333333e-3f));
    y = FMA(y, r, SPLAT(4.16666667e-2f));
    y = FMA(y, r, SPLAT(0.166666667f));
    y = FMA(y, r, SPLAT(0.5f));
    y = FMA(y, r, SPLAT(1.0f));
    y = FMA(y, r, SPLAT(1.0f));
    // The integer sits in the low bits of `shifted`; two factors keep 2^128 away.
    const i32x16 power = (i32x16)shifted - 0x4b400000;
    const i32x16 half = power >> 1;
    y *= (f32x16)((half + 127) << 23);
    y *= (f32x16)((power - half + 127) << 23);
    *v = vanishes ? SPLAT(0.0f) : y;
}

INLINE float exp_f32(float x) {
    f32x16 v = SPLAT(x);
    exp_lanes(&v);
    return v.x;
}
