// c_mn = sum_k a_mk b_kn, or c_mn += it, in fp32.
//
// Every element is one chain acc = fma(a_mk, b_kn, acc) with k ascending, from 0 or from c_mn.
// Tiles, blocks and vectors only decide which elements are under way together: the bits are the
// same for any M, for any processor, and for a row computed alone.
//
// Strides are given for both directions (`row` by m or n, `step` by k), so that one kernel serves
// x W^T, dy W and dy^T x. B is copied, block by block, to panels in which a step's columns are
// neighbours.
#include "transpose.h"

#define STEPS 384         // k in a block: a panel of 48 kB stays in the second-level cache
#define PANEL_MAX 32

typedef struct {
    const float *values;
    size_t row, step;
} Operand;

// Copies `columns` columns and K steps of B; absent columns become 0.
INLINE void pack(float *panel, size_t width, Operand b, size_t columns, size_t K) {
    for (size_t first = 0; first < width; first += LANES) {
        const size_t own = columns < first ? 0 : columns - first < LANES ? columns - first : LANES;
        const float *from = b.values + first * b.row;
        size_t k = 0;
        if (own == LANES && b.row == 1) {
            for (; k < K; k++) STORE(panel + k * width + first, LOAD(from + k * b.step));
        } else if (own == LANES && b.step == 1) {
            for (; k + LANES <= K; k += LANES) {
                f32x16 r[LANES];
                for (size_t i = 0; i < LANES; i++) r[i] = LOAD(from + i * b.row + k);
                transpose(r);
                for (size_t i = 0; i < LANES; i++) STORE(panel + (k + i) * width + first, r[i]);
            }
        }
        for (; k < K; k++) {
            for (size_t n = 0; n < LANES; n++) {
                panel[k * width + first + n] = n < own ? from[n * b.row + k * b.step] : 0.0f;
            }
        }
    }
}

// A tile of R rows and V vectors of columns; `from` is where the chains begin, 0 for zero. The
// loops unroll, so that the sums live in registers.
#define UNROLL _Pragma("clang loop unroll(full)")
#define TILE(R, V)                                                                                 \
    INLINE void tile_##R##x##V(                                                                    \
        float *c, size_t c_stride, const float *from, size_t from_stride, Operand a,               \
        const float *panel, size_t K) {                                                            \
        f32x16 sum[R][V];                                                                          \
        UNROLL for (size_t m = 0; m < R; m++) {                                                    \
            UNROLL for (size_t v = 0; v < V; v++) {                                                \
                sum[m][v] = from ? LOAD(from + m * from_stride + v * LANES) : SPLAT(0.0f);         \
            }                                                                                      \
        }                                                                                          \
        for (size_t k = 0; k < K; k++) {                                                           \
            f32x16 b[V];                                                                           \
            UNROLL for (size_t v = 0; v < V; v++) b[v] = LOAD(panel + (k * V + v) * LANES);        \
            UNROLL for (size_t m = 0; m < R; m++) {                                                \
                const f32x16 x = SPLAT(a.values[m * a.row + k * a.step]);                          \
                UNROLL for (size_t v = 0; v < V; v++) sum[m][v] = FMA(x, b[v], sum[m][v]);         \
            }                                                                                      \
        }                                                                                          \
        UNROLL for (size_t m = 0; m < R; m++) {                                                    \
            UNROLL for (size_t v = 0; v < V; v++) STORE(c + m * c_stride + v * LANES, sum[m][v]);  \
        }                                                                                          \
    }
TILE(12, 2)
TILE(6, 1)
TILE(4, 2)
TILE(4, 1)
TILE(1, 2)
TILE(1, 1)

#define ARGUMENTS c, c_stride, from, from_stride, a, panel, K
INLINE void tile(
    float *c, size_t c_stride, const float *from, size_t from_stride, Operand a, const float *panel,
    size_t K, size_t R, size_t V) {
    switch (16 * V + R) {
    case 16 * 2 + 12: tile_12x2(ARGUMENTS); break;
    case 16 * 2 + 4: tile_4x2(ARGUMENTS); break;
    case 16 * 2 + 1: tile_1x2(ARGUMENTS); break;
    case 16 * 1 + 6: tile_6x1(ARGUMENTS); break;
    case 16 * 1 + 4: tile_4x1(ARGUMENTS); break;
    default: tile_1x1(ARGUMENTS); break;
    }
}

// As `tile` where fewer columns than V vectors exist: through a copy.
INLINE void edge(
    float *c, size_t c_stride, int adding, Operand a, const float *panel, size_t columns, size_t K,
    size_t R, size_t V) {
    float copy[12 * PANEL_MAX];
    memset(copy, 0, sizeof copy);
    for (size_t m = 0; m < R && adding; m++) {
        memcpy(copy + m * V * LANES, c + m * c_stride, columns * sizeof(float));
    }
    tile(copy, V * LANES, copy, V * LANES, a, panel, K, R, V);
    for (size_t m = 0; m < R; m++) {
        memcpy(c + m * c_stride, copy + m * V * LANES, columns * sizeof(float));
    }
}

// The tiles of R rows below one another from row m on; returns the first row that is left.
INLINE size_t column(
    float *c_MN, size_t c_stride, Operand a, const float *panel, int carry, size_t m, size_t M,
    size_t columns, size_t K, size_t R, size_t V) {
    for (; m + R <= M; m += R) {
        const Operand a_at = {a.values + m * a.row, a.row, a.step};
        float *c = c_MN + m * c_stride;
        if (columns < V * LANES) {
            edge(c, c_stride, carry, a_at, panel, columns, K, R, V);
        } else {
            tile(c, c_stride, carry ? c : 0, c_stride, a_at, panel, K, R, V);
        }
    }
    return m;
}

// The product in tiles of R x 16 V; rows that remain in fours, then one by one.
INLINE void product(
    float *c_MN, size_t c_stride, Operand a, Operand b, int adding, size_t M, size_t N, size_t K,
    size_t R, size_t V) {
    float panel[STEPS * PANEL_MAX] __attribute__((aligned(64)));
    const size_t width = V * LANES;
    for (size_t k = 0; k < K; k += STEPS) {
        const size_t steps = K - k < STEPS ? K - k : STEPS;
        const int carry = adding || k > 0;
        const Operand a_at = {a.values + k * a.step, a.row, a.step};
        for (size_t n = 0; n < N; n += width) {
            const size_t columns = N - n < width ? N - n : width;
            const Operand b_at = {b.values + n * b.row + k * b.step, b.row, b.step};
            pack(panel, width, b_at, columns, steps);
            float *c = c_MN + n;
            size_t m = column(c, c_stride, a_at, panel, carry, 0, M, columns, steps, R, V);
            m = column(c, c_stride, a_at, panel, carry, m, M, columns, steps, 4, V);
            column(c, c_stride, a_at, panel, carry, m, M, columns, steps, 1, V);
        }
    }
}

DISPATCHED static void product_wide(
    float *c_MN, size_t c_stride, Operand a, Operand b, int adding, size_t M, size_t N, size_t K) {
    product(c_MN, c_stride, a, b, adding, M, N, K, 12, 2);
}

DISPATCHED static void product_narrow(
    float *c_MN, size_t c_stride, Operand a, Operand b, int adding, size_t M, size_t N, size_t K) {
    product(c_MN, c_stride, a, b, adding, M, N, K, 6, 1);
}

void product_MN(
    float *c_MN, size_t c_stride, const float *a, size_t a_row, size_t a_step, const float *b,
    size_t b_row, size_t b_step, int adding, size_t M, size_t N, size_t K) {
    const Operand a_all = {a, a_row, a_step}, b_all = {b, b_row, b_step};
    // The tile that fills the registers: 32 of 512 bits, or 16 of 256 (32 of 128 on arm64).
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        product_wide(c_MN, c_stride, a_all, b_all, adding, M, N, K);
        return;
    }
#endif
    product_narrow(c_MN, c_stride, a_all, b_all, adding, M, N, K);
}
