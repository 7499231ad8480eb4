// Philox 4x32-10 (Salmon and others, "Parallel random numbers: as easy as 1, 2, 3", 2011), and
// normal deviates from it by Box and Muller's transform in fp64.
#include "elementary.h"
#include "kernels.h"

void philox_4x32(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        const uint32_t n0 = (uint32_t)(b >> 32) ^ c1 ^ k0, n2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)b;
        c3 = (uint32_t)a;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

// x_n ~ N(0, deviation^2): elements 4i to 4i + 3 come from counter (i, stream).
void philox_normal_N(float *x_N, double deviation, uint64_t seed, uint32_t stream, size_t N) {
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    for (size_t i = 0; i < N; i += 4) {
        const uint32_t counter[4] = {
            (uint32_t)(i / 4), (uint32_t)((uint64_t)(i / 4) >> 32), stream, 0};
        uint32_t bits[4];
        philox_4x32(bits, counter, key);
        for (size_t pair = 0; pair < 4 && i + pair < N; pair += 2) {
            // Uniform on (0, 1): the middle of one of 2^32 cells.
            const double u = ((double)bits[pair] + 0.5) * 0x1p-32;
            const double angle = 6.283185307179586 * (((double)bits[pair + 1] + 0.5) * 0x1p-32);
            double cosine, sine;
            cos_sin_f64(angle, &cosine, &sine);
            const double radius = deviation * __builtin_sqrt(-2.0 * log_f64(u));
            x_N[i + pair] = (float)(radius * cosine);
            if (i + pair + 1 < N) x_N[i + pair + 1] = (float)(radius * sine);
        }
    }
}
