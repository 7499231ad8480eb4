// Causal attention of one document's (or one sequence's) queries with one key-value head.
//   s_ij = scale q_i . k_j, j <= i;  o_i = sum_j e^(s_ij - m_i) v_j / l_i
//   m_i = max_j s_ij,  l_i = sum_j e^(s_ij - m_i),  lse_i = m_i + log l_i
// With a window W a query sees its own and the W - 1 keys before it; with a cap c > 0 the scores are
// c tanh(s / c). A block of which a query sees nothing does not exist for that query.
// Keys come in blocks of 64, always ascending from the document's start; m and l are carried from
// block to block. What a query gets therefore depends on nothing but itself and the keys before it:
// training, scoring and decoding with a cache agree to the last bit.
//
// A block is stored as K transposed, [D][64], then V, [64][D rounded up to 16].
#include "attention_blocks.h"
#include "elementary.h"

size_t attention_block_size(size_t D) { return B * (D + round_up_lanes(D)); }

// Stores keys and values of tokens first ..< first + N.
void attention_pack_ND(
    float *blocks, const float *key_ND, const float *value_ND, size_t stride, size_t first, size_t N,
    size_t D) {
    const size_t padded = round_up_lanes(D);
    for (size_t n = 0; n < N; n++) {
        const size_t position = first + n, j = position % B;
        float *key_DB = blocks + position / B * attention_block_size(D);
        float *value_D = key_DB + B * D + j * padded;
        for (size_t d = 0; d < D; d++) key_DB[d * B + j] = key_ND[n * stride + d];
        memcpy(value_D, value_ND + n * stride, D * sizeof(float));
        memset(value_D + D, 0, (padded - D) * sizeof(float));
    }
}

typedef struct {
    float m, l;
    float *o_D;
} Running;

// Takes one block into one query's running softmax: s becomes e^(s - m), which is 0 where the key
// is not seen.
INLINE void soften(
    Running *state, f32x16 s[VECTORS], float scale, float cap, Seen keys, size_t D) {
    f32x16 best = SPLAT(state->m);
    for (size_t v = 0; v < VECTORS; v++) {
        s[v] *= SPLAT(scale);
        cap_lanes(&s[v], cap);
        mask_lanes(&s[v], keys, v, -__builtin_inff());
        best = MAX(best, s[v]);
    }
    const float m = __builtin_reduce_max(best);
    f32x16 sum = SPLAT(0.0f);
    for (size_t v = 0; v < VECTORS; v++) {
        s[v] -= SPLAT(m);
        exp_lanes(&s[v]);
        sum += s[v];
    }
    const float decay = exp_f32(state->m - m);
    state->m = m;
    state->l = state->l * decay + sum_lanes(&sum);
    for (size_t d = 0; d < D; d += LANES) {
        STORE(state->o_D + d, LOAD(state->o_D + d) * SPLAT(decay));
    }
}

// Queries at positions first ..< first + N, G heads side by side.
DISPATCHED void attention_forward_NGD(
    float *out_NGD, size_t out_stride, float *lse_NG, size_t lse_stride, const float *query_NGD,
    size_t query_stride, const float *blocks, float scale, float cap, size_t window, size_t first,
    size_t N, size_t G, size_t D) {
    const size_t padded = round_up_lanes(D), size = B * (D + padded);
    float o[QUERIES][ATTENTION_HEAD_MAX], w[QUERIES][B];
    f32x16 s[QUERIES][VECTORS];
    for (size_t g = 0; g < G; g++) {
        for (size_t n = 0; n < N; n += QUERIES) {
            const size_t queries = N - n < QUERIES ? N - n : QUERIES;
            const float *query[QUERIES];
            float *rows[QUERIES];
            Running state[QUERIES];
            for (size_t q = 0; q < QUERIES; q++) {
                // Missing queries repeat the last one; nobody reads their results.
                const size_t row = n + (q < queries ? q : queries - 1);
                query[q] = query_NGD + row * query_stride + g * D;
                rows[q] = o[q];
                state[q] = (Running){-__builtin_inff(), 0.0f, o[q]};
                memset(o[q], 0, padded * sizeof(float));
            }
            const size_t last = first + n + queries - 1;
            const size_t begin = first_seen(first + n, window) / B * B;
            for (size_t start = begin; start <= last; start += B) {
                const float *key_DB = blocks + start / B * size;
                products_QB(s, query, key_DB, D);
                for (size_t q = 0; q < QUERIES; q++) {
                    const size_t position = first + n + (q < queries ? q : queries - 1);
                    const Seen seen = seen_of_block(position, window, start);
                    if (seen.low >= seen.high) {
                        memset(w[q], 0, sizeof w[q]);
                        continue;
                    }
                    soften(&state[q], s[q], scale, cap, seen, padded);
                    memcpy(w[q], s[q], sizeof w[q]);
                }
                const size_t keys = last - start + 1 < B ? last - start + 1 : B;
                weighted_rows_QD(rows, w, key_DB + B * D, keys, padded);
            }
            for (size_t q = 0; q < queries; q++) {
                float *out_D = out_NGD + (n + q) * out_stride + g * D;
                for (size_t d = 0; d < D; d++) out_D[d] = o[q][d] / state[q].l;
                lse_NG[(n + q) * lse_stride + g] = (float)((double)state[q].m + log_f64((double)state[q].l));
            }
        }
    }
}
