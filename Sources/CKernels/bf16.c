// bf16(x): the upper 16 bits of x, rounded to nearest, ties to even; numbers that are none stay so.
//
// Packed b_KN: blocks of `width` columns; in a block, for every pair of k one line of `width` pairs.
//   b_kn lies at ((n / width * steps + k / 2) * width + n % width) * 2 + k % 2,
//   2 * steps = K rounded up to 32; what lies beyond K and N is 0
#include "bf16.h"
#include "transpose.h"

typedef uint32_t u32x16 __attribute__((ext_vector_type(16), aligned(4), may_alias));
typedef uint16_t u16x16 __attribute__((ext_vector_type(16), aligned(2), may_alias));

// The rounded numbers, in the upper halves of their lanes.
INLINE void round_lanes(u32x16 *bits) {
    const u32x16 u = *bits;
    const u32x16 rounded = u + 0x7fff + ((u >> 16) & 1);
    *bits = (u & 0x7fffffff) > 0x7f800000 ? (u | 0x00400000) : rounded;
}

INLINE uint16_t bf16(float x) {
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    if ((u & 0x7fffffff) > 0x7f800000) return (uint16_t)((u | 0x00400000) >> 16);
    return (uint16_t)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}

INLINE void convert_row(uint16_t *y_D, const float *x_D, size_t D) {
    size_t d = 0;
    for (; d + LANES <= D; d += LANES) {
        u32x16 bits = *(const u32x16 *)(x_D + d);
        round_lanes(&bits);
        *(u16x16 *)(y_D + d) = __builtin_convertvector(bits >> 16, u16x16);
    }
    for (; d < D; d++) y_D[d] = bf16(x_D[d]);
}

DISPATCHED void bf16_rows_TD(
    uint16_t *y_TD, const float *x_TD, size_t x_stride, size_t T, size_t D, size_t padded) {
    for (size_t t = 0; t < T; t++) convert_row(y_TD + t * D, x_TD + t * x_stride, D);
    memset(y_TD + T * D, 0, (padded - T) * D * sizeof(uint16_t));
}

INLINE size_t pairs(size_t K) { return (K + 31) / 32 * 16; }

size_t bf16_packed_size(size_t width, size_t N, size_t K) {
    return width == 0 ? N * K : (N + width - 1) / width * width * pairs(K) * 2;
}

// The columns n ..< n + 16 of w^T, 32 k at a time: pairs lie side by side already.
INLINE void pack_rows_of_pairs(
    uint16_t *block, size_t width, size_t column, const float *w_NK, size_t stride, size_t K) {
    size_t k = 0;
    for (; k + 32 <= K; k += 32) {
        f32x16 r[LANES];
        for (size_t i = 0; i < LANES; i++) {
            convert_row((uint16_t *)&r[i], w_NK + i * stride + k, 32);
        }
        transpose(r);
        for (size_t i = 0; i < LANES; i++) {
            memcpy(block + ((k / 2 + i) * width + column) * 2, &r[i], sizeof r[i]);
        }
    }
    for (; k < K; k++) {
        for (size_t i = 0; i < LANES; i++) {
            block[(k / 2 * width + column + i) * 2 + k % 2] = bf16(w_NK[i * stride + k]);
        }
    }
}

DISPATCHED void bf16_pack_NK(
    uint16_t *b, size_t width, const float *w_NK, size_t stride, size_t N, size_t K) {
    if (width == 0) {
        for (size_t n = 0; n < N; n++) convert_row(b + n * K, w_NK + n * stride, K);
        return;
    }
    const size_t size = pairs(K) * width * 2;
    for (size_t n = 0; n < N; n += width, b += size) {
        const size_t own = N - n < width ? N - n : width;
        const int is_whole = own == width && K % 32 == 0;
        if (!is_whole) memset(b, 0, size * sizeof(uint16_t));
        size_t column = 0;
        for (; column + LANES <= own; column += LANES) {
            pack_rows_of_pairs(b, width, column, w_NK + (n + column) * stride, stride, K);
        }
        for (; column < own; column++) {
            for (size_t k = 0; k < K; k++) {
                b[(k / 2 * width + column) * 2 + k % 2] = bf16(w_NK[(n + column) * stride + k]);
            }
        }
    }
}

DISPATCHED void bf16_pack_KN(
    uint16_t *b, size_t width, const float *w_KN, size_t stride, size_t N, size_t K) {
    if (width == 0) {
        for (size_t n = 0; n < N; n++) {
            for (size_t k = 0; k < K; k++) b[n * K + k] = bf16(w_KN[k * stride + n]);
        }
        return;
    }
    // Rows outside, so that each is read once from end to end.
    const size_t steps = pairs(K), blocks = (N + width - 1) / width;
    const int is_whole = N % width == 0 && K % 32 == 0;
    if (!is_whole) memset(b, 0, blocks * width * steps * 2 * sizeof(uint16_t));
    for (size_t k = 0; k < K; k += 2) {
        const float *even_N = w_KN + k * stride, *odd_N = even_N + stride;
        const int is_pair = k + 1 < K;
        for (size_t n = 0; n < N;) {
            uint16_t *line = b + ((n / width * steps + k / 2) * width + n % width) * 2;
            if (is_pair && n + LANES <= N && n % width + LANES <= width) {
                u32x16 low = *(const u32x16 *)(even_N + n), high = *(const u32x16 *)(odd_N + n);
                round_lanes(&low);
                round_lanes(&high);
                *(u32x16 *)line = (low >> 16) | (high & 0xffff0000);
                n += LANES;
            } else {
                line[0] = bf16(even_N[n]);
                line[1] = is_pair ? bf16(odd_N[n]) : 0;
                n += 1;
            }
        }
    }
}

DISPATCHED void put_rows_TD(
    float *y_TD, size_t y_stride, const float *x_TD, size_t T, size_t D, int adding) {
    for (size_t t = 0; t < T; t++) {
        float *y_D = y_TD + t * y_stride;
        const float *x_D = x_TD + t * D;
        if (adding) {
            for (size_t d = 0; d < D; d++) y_D[d] += x_D[d];
        } else {
            memcpy(y_D, x_D, D * sizeof(float));
        }
    }
}
