// The gradient of causal attention for one document and one key-value head.
//   p_ij = e^(s_ij - lse_i),  D_i = do_i . o_i
//   dv_j = sum_i p_ij do_i,  dp_ij = do_i . v_j,  ds_ij = p_ij (dp_ij - D_i)
//   dq_i = scale sum_j ds_ij k_j,  dk_j = scale sum_i ds_ij q_i
// With a cap c, s is the capped score and ds is multiplied by 1 - (s / c)^2.
// Blocks of keys ascend; in each the heads of the group ascend, and in each of those the queries.
// One caller owns the document and the head, so nothing is added concurrently.
#include "attention_blocks.h"

typedef struct {
    float *key_DB, *value_DB, *key_BD;  // the block at hand
    float *dkey_DB, *dvalue_DB;
    float *dquery_GND;                  // rows rounded up to 16
    float *dot_GN;                      // D
} Scratch;

size_t attention_scratch_size(size_t N, size_t G, size_t D) {
    const size_t padded = round_up_lanes(D);
    return 4 * B * D + B * padded + G * N * padded + round_up_lanes(G * N);
}

INLINE void carve(Scratch *it, float *scratch, size_t N, size_t G, size_t D) {
    const size_t padded = round_up_lanes(D);
    it->key_DB = scratch;
    it->value_DB = it->key_DB + B * D;
    it->dkey_DB = it->value_DB + B * D;
    it->dvalue_DB = it->dkey_DB + B * D;
    it->key_BD = it->dvalue_DB + B * D;
    it->dquery_GND = it->key_BD + B * padded;
    it->dot_GN = it->dquery_GND + G * N * padded;
}

// D_i = do_i . o_i in 16 lanes.
INLINE float dot(const float *a_D, const float *b_D, size_t D) {
    f32x16 sum = SPLAT(0.0f), a, b;
    size_t d = 0;
    for (; d + LANES <= D; d += LANES) sum = FMA(LOAD(a_D + d), LOAD(b_D + d), sum);
    if (d < D) {
        load_tail(&a, a_D + d, D - d, 0.0f);
        load_tail(&b, b_D + d, D - d, 0.0f);
        sum = FMA(a, b, sum);
    }
    return sum_lanes(&sum);
}

// Copies `keys` rows of K and V, with zeros up to 64, and clears their gradients.
INLINE void open_block(
    Scratch *it, const float *key_ND, const float *value_ND, size_t stride, size_t keys, size_t D) {
    const size_t padded = round_up_lanes(D);
    memset(it->key_DB, 0, (4 * B * D + B * padded) * sizeof(float));
    for (size_t j = 0; j < keys; j++) {
        for (size_t d = 0; d < D; d++) {
            it->key_DB[d * B + j] = key_ND[j * stride + d];
            it->value_DB[d * B + j] = value_ND[j * stride + d];
        }
        memcpy(it->key_BD + j * padded, key_ND + j * stride, D * sizeof(float));
    }
}

// p and scale ds of one query; 0 where a key is not seen.
INLINE void soften_backward(
    float p[B], float ds[B], const f32x16 s[VECTORS], const f32x16 dp[VECTORS], float lse, float dot,
    float scale, float cap, Seen keys) {
    for (size_t v = 0; v < VECTORS; v++) {
        f32x16 score = s[v] * SPLAT(scale);
        cap_lanes(&score, cap);
        f32x16 e = score - SPLAT(lse);
        exp_lanes(&e);
        mask_lanes(&e, keys, v, 0.0f);
        f32x16 d = e * (dp[v] - SPLAT(dot)) * SPLAT(scale);
        if (cap > 0.0f) {
            score /= SPLAT(cap);
            d *= SPLAT(1.0f) - score * score;
        }
        STORE(p + v * LANES, e);
        STORE(ds + v * LANES, d);
    }
}

DISPATCHED void attention_backward_NGD(
    float *dquery_NGD, float *dkey_ND, float *dvalue_ND, size_t dstride, const float *query_NGD,
    const float *key_ND, const float *value_ND, size_t stride, const float *out_NGD,
    const float *dout_NGD, size_t out_stride, const float *lse_NG, size_t lse_stride,
    float *scratch, float scale, float cap, size_t window, size_t N, size_t G, size_t D) {
    const size_t padded = round_up_lanes(D);
    Scratch it;
    carve(&it, scratch, N, G, D);
    memset(it.dquery_GND, 0, G * N * padded * sizeof(float));
    for (size_t g = 0; g < G; g++) {
        for (size_t n = 0; n < N; n++) {
            const size_t at = n * out_stride + g * D;
            it.dot_GN[g * N + n] = dot(dout_NGD + at, out_NGD + at, D);
        }
    }
    float p[QUERIES][B], ds[QUERIES][B];
    f32x16 s[QUERIES][VECTORS], dp[QUERIES][VECTORS];
    for (size_t start = 0; start < N; start += B) {
        const size_t keys = N - start < B ? N - start : B;
        // The queries that see the block's last key, and with it some of it, end here.
        const size_t end = window < N - start - keys ? start + keys - 1 + window : N;
        open_block(&it, key_ND + start * stride, value_ND + start * stride, stride, keys, D);
        for (size_t g = 0; g < G; g++) {
            for (size_t n = start; n < end; n += QUERIES) {
                const float *query[QUERIES], *dout[QUERIES];
                float *dquery[QUERIES], spare[ATTENTION_HEAD_MAX];
                for (size_t q = 0; q < QUERIES; q++) {
                    const size_t row = n + q < N ? n + q : N - 1;
                    query[q] = query_NGD + row * stride + g * D;
                    dout[q] = dout_NGD + row * out_stride + g * D;
                    dquery[q] = n + q < N ? it.dquery_GND + (g * N + row) * padded : spare;
                }
                memset(spare, 0, padded * sizeof(float));
                products_QB(s, query, it.key_DB, D);
                products_QB(dp, dout, it.value_DB, D);
                for (size_t q = 0; q < QUERIES; q++) {
                    const size_t row = n + q < N ? n + q : N - 1;
                    const Seen none = {0, 0};
                    soften_backward(
                        p[q], ds[q], s[q], dp[q], lse_NG[row * lse_stride + g],
                        it.dot_GN[g * N + row], scale, cap,
                        n + q < N ? seen_of_block(row, window, start) : none);
                }
                outer_products_DB(it.dvalue_DB, p, dout, D);
                outer_products_DB(it.dkey_DB, ds, query, D);
                weighted_rows_QD(dquery, ds, it.key_BD, keys, padded);
            }
        }
        for (size_t j = 0; j < keys; j++) {
            for (size_t d = 0; d < D; d++) {
                dkey_ND[(start + j) * dstride + d] = it.dkey_DB[d * B + j];
                dvalue_ND[(start + j) * dstride + d] = it.dvalue_DB[d * B + j];
            }
        }
    }
    for (size_t g = 0; g < G; g++) {
        for (size_t n = 0; n < N; n++) {
            memcpy(
                dquery_NGD + n * dstride + g * D, it.dquery_GND + (g * N + n) * padded,
                D * sizeof(float));
        }
    }
}
