// fp64 functions for what is computed once or once per row: libm picks variants by processor.
#pragma once
#include "kernels.h"

// log x, x > 0 and normal, to about one unit in the last place.
//   x = 2^e m, sqrt(1/2) <= m < sqrt 2; log m = 2 artanh s, s = (m - 1) / (m + 1)
INLINE double log_f64(double x) {
    union { double value; uint64_t bits; } m = {x};
    int64_t e = (int64_t)(m.bits >> 52) - 1023;
    m.bits = (m.bits & 0x000fffffffffffffULL) | 0x3ff0000000000000ULL;
    if (m.value > 1.4142135623730951) {
        m.value *= 0.5;
        e += 1;
    }
    const double s = (m.value - 1.0) / (m.value + 1.0), s2 = s * s;
    double y = 0.0;
    for (int k = 23; k >= 1; k -= 2) y = y * s2 + 1.0 / k;
    return (double)e * 0.6931471805599453 + 2.0 * s * y;
}

// exp x for |x| < 700.
INLINE double exp_f64(double x) {
    const double rounder = 6755399441055744.0;  // 1.5 * 2^52
    const double n = (x * 1.4426950408889634 + rounder) - rounder;
    const double r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;
    double y = 1.0;
    for (int k = 14; k >= 1; k--) y = 1.0 + y * r / k;
    union { uint64_t bits; double value; } power = {(uint64_t)((int64_t)n + 1023) << 52};
    return y * power.value;
}

// cos x and sin x for |x| < 2^30: reduced by multiples of pi / 2 given in three pieces.
INLINE void cos_sin_f64(double x, double *cosine, double *sine) {
    const double rounder = 6755399441055744.0;
    const double n = (x * 0.63661977236758134308 + rounder) - rounder;
    double r = x - n * 1.57079632673412561417;   // 33 bits: the product is exact
    r -= n * 6.07710050630396597660e-11;         // the next 33
    r -= n * 2.02226624879595063154e-21;
    const double r2 = r * r;
    double c = 1.0, s = 1.0;
    for (int k = 20; k >= 2; k -= 2) c = 1.0 - c * r2 / (k * (k - 1));
    for (int k = 21; k >= 3; k -= 2) s = 1.0 - s * r2 / (k * (k - 1));
    s *= r;
    switch ((int64_t)n & 3) {
    case 0: *cosine = c; *sine = s; break;
    case 1: *cosine = -s; *sine = c; break;
    case 2: *cosine = -c; *sine = -s; break;
    default: *cosine = s; *sine = -c; break;
    }
}
