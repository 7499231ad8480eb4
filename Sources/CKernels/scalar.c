// Functions of one fp64 number that losses over whole answers need: libm picks variants by processor.
#include "elementary.h"

// exp x; what a double cannot hold is the nearest that it can.
double scalar_exp(double x) {
    if (x != x) return x;
    if (x < -700.0) return 0.0;
    return exp_f64(x > 700.0 ? 700.0 : x);
}

// exp x - 1 for x <= 0, exact to a few units in the last place also where both nearly cancel.
//   |x| <= 1/2: x (1 + x/2 (1 + x/3 (1 + ...)))
double scalar_expm1(double x) {
    if (x < -0.5) return scalar_exp(x) - 1.0;
    double y = 1.0;
    for (int k = 16; k >= 2; k--) y = 1.0 + y * x / k;
    return x * y;
}

// log(1 + x) for 0 <= x <= 1.
//   2 artanh s, s = x / (2 + x) <= 1/3
double scalar_log1p(double x) {
    const double s = x / (2.0 + x), s2 = s * s;
    double y = 0.0;
    for (int k = 35; k >= 1; k -= 2) y = y * s2 + 1.0 / k;
    return 2.0 * s * y;
}

// log x, x > 0 and normal.
double scalar_log(double x) { return log_f64(x); }
