// Rotary frequencies stretched for contexts longer than those of the first training. Each function
// changes the frequencies f_i = theta^(-2i / D), i < F = D / 2, of rope_frequencies_F.
#include "elementary.h"

#define TWO_PI 6.283185307179586

// f / factor (Chen and others, arXiv 2306.15595).
void rope_linear_F(double *frequency_F, double factor, size_t F) {
    for (size_t i = 0; i < F; i++) frequency_F[i] /= factor;
}

// Llama 3.1: waves longer than original / low are stretched, those shorter than original / high are
// not, and those between are in part.
void rope_llama3_F(
    double *frequency_F, double factor, double low, double high, double original, size_t F) {
    for (size_t i = 0; i < F; i++) {
        const double f = frequency_F[i], wave = TWO_PI / f;
        const double smooth = (original / wave - low) / (high - low);
        if (wave > original / low) {
            frequency_F[i] = f / factor;
        } else if (wave >= original / high) {
            frequency_F[i] = (1.0 - smooth) * f / factor + smooth * f;
        }
    }
}

// The pair, of F, that turns `rotations` times in the original context.
INLINE double pair_of_rotations(double rotations, double theta, double original, size_t F) {
    return (double)F * log_f64(original / (rotations * TWO_PI)) / log_f64(theta);
}

// YaRN (Peng and others, arXiv 2309.00071): pairs of more than `fast` rotations stay, those of fewer
// than `slow` are stretched, and between them a ramp.
void rope_yarn_F(
    double *frequency_F, double theta, double factor, double fast, double slow, double original,
    int truncates, size_t F) {
    double low = pair_of_rotations(fast, theta, original, F);
    double high = pair_of_rotations(slow, theta, original, F);
    if (truncates) {
        low = __builtin_floor(low);
        high = __builtin_ceil(high);
    }
    const double last = (double)(2 * F - 1);
    low = low < 0.0 ? 0.0 : low;
    high = high > last ? last : high;
    if (low == high) high += 0.001;
    for (size_t i = 0; i < F; i++) {
        double ramp = ((double)i - low) / (high - low);
        ramp = ramp < 0.0 ? 0.0 : ramp > 1.0 ? 1.0 : ramp;
        frequency_F[i] = frequency_F[i] / factor * ramp + frequency_F[i] * (1.0 - ramp);
    }
}

// What YaRN multiplies cosines and sines by: 1 + 0.1 weight ln factor.
double rope_yarn_scale(double factor, double weight) {
    return factor <= 1.0 ? 1.0 : 0.1 * weight * log_f64(factor) + 1.0;
}
