// tanh in sixteen lanes.
#pragma once
#include "lanes.h"

// To 2 units in the last place.
//   |x| < 0.625: x + x z P(z), z = x^2 (Moshier's polynomial); else sign(x) (1 - 2 / (e^2|x| + 1))
INLINE void tanh_lanes(f32x16 *v) {
    const f32x16 x = *v, z = x * x;
    f32x16 p = SPLAT(-5.70498872745e-3f);
    p = FMA(p, z, SPLAT(2.06390887954e-2f));
    p = FMA(p, z, SPLAT(-5.37397155531e-2f));
    p = FMA(p, z, SPLAT(1.33314422036e-1f));
    p = FMA(p, z, SPLAT(-3.33332819422e-1f));
    const f32x16 small = FMA(x * z, p, x);
    const f32x16 size = x < SPLAT(0.0f) ? -x : x;
    f32x16 e = size + size;
    exp_lanes(&e);
    const f32x16 large = SPLAT(1.0f) - SPLAT(2.0f) / (e + SPLAT(1.0f));
    *v = size < SPLAT(0.625f) ? small : (x < SPLAT(0.0f) ? -large : large);
}
