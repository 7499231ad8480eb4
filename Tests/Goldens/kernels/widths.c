// Runs every family of kernels on the same random numbers and prints a hash of what each wrote.
// VectorWidthTests compiles it, with the kernels, once for each level of the processor's vectors.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CKernels.h"

static uint64_t state = 7;

static float *numbers(size_t count) {
    float *x = aligned_alloc(64, (count * sizeof(float) + 63) / 64 * 64);
    for (size_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        x[i] = (float)(int32_t)(state >> 32) / 0x1p31f;
    }
    return x;
}

static void show(const char *kernel, const void *bytes, size_t size) {
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < size; i++) hash = (hash ^ ((const unsigned char *)bytes)[i]) * 1099511628211u;
    printf("%s %016llx\n", kernel, (unsigned long long)hash);
}

static void products(void) {
    const size_t shapes[][3] = {{64, 64, 64}, {3, 37, 24}, {65, 130, 700}, {1, 4096, 8}};
    for (size_t s = 0; s < 4; s++) {
        const size_t M = shapes[s][0], N = shapes[s][1], K = shapes[s][2];
        float *a = numbers(M * K), *b = numbers(N * K), *c = numbers(M * N);
        product_MN(c, N, a, K, 1, b, K, 1, 0, M, N, K);
        product_MN(c, N, a, 1, M, b, 1, N, 1, M, N, K);
        show("product_MN", c, M * N * 4);
    }
}

static void attention(void) {
    enum { N = 150, G = 3, D = 24, BLOCKS = (N + ATTENTION_BLOCK - 1) / ATTENTION_BLOCK };
    float *query = numbers(N * G * D), *key = numbers(N * D), *value = numbers(N * D);
    float *blocks = calloc(BLOCKS * attention_block_size(D), 4);
    float *out = numbers(N * G * D), *lse = numbers(N * G), *dout = numbers(N * G * D);
    float *dquery = calloc(N * G * D, 4), *dkey = calloc(N * D, 4), *dvalue = calloc(N * D, 4);
    float *scratch = calloc(attention_scratch_size(N, G, D), 4);
    attention_pack_ND(blocks, key, value, D, 0, N, D);
    attention_forward_NGD(out, G * D, lse, G, query, G * D, blocks, 0.2f, 0, SIZE_MAX, 0, N, G, D);
    show("attention_forward_NGD", out, N * G * D * 4);
    show("attention_forward_NGD lse", lse, N * G * 4);
    attention_backward_NGD(dquery, dkey, dvalue, D, query, key, value, D, out, dout, G * D, lse, G,
                           scratch, 0.2f, 0, SIZE_MAX, N, G, D);
    show("attention_backward_NGD query", dquery, N * G * D * 4);
    show("attention_backward_NGD key", dkey, N * D * 4);
    show("attention_backward_NGD value", dvalue, N * D * 4);
    attention_forward_NGD(out, G * D, lse, G, query, G * D, blocks, 0.2f, 1.5f, 70, 0, N, G, D);
    show("attention_forward_NGD capped", out, N * G * D * 4);
    attention_backward_NGD(dquery, dkey, dvalue, D, query, key, value, D, out, dout, G * D, lse, G,
                           scratch, 0.2f, 1.5f, 70, N, G, D);
    show("attention_backward_NGD capped", dquery, N * G * D * 4);
    show("attention_backward_NGD capped key", dkey, N * D * 4);
}

static void layers(void) {
    enum { T = 33, D = 72, I = 90, F = 12 };
    float *x = numbers(T * D), *y = numbers(T * D), *dy = numbers(T * D), *gain = numbers(D);
    float *inverse = numbers(T), *dx = numbers(T * D), *dgain = calloc(D, 4);
    rmsnorm_forward_TD(y, D, inverse, x, D, gain, 0, 1e-5f, T, D);
    show("rmsnorm_forward_TD", y, T * D * 4);
    rmsnorm_backward_TD(dx, D, dgain, dy, D, x, D, inverse, gain, 0, T, D);
    show("rmsnorm_backward_TD", dx, T * D * 4);
    show("rmsnorm_backward_TD gain", dgain, D * 4);

    float *cosine = numbers(64 * F), *sine = numbers(64 * F);
    int32_t position[T];
    for (int t = 0; t < T; t++) position[t] = (t * 7) % 64;
    double frequency[F];
    rope_frequencies_F(frequency, 10000, F);
    rope_table_PF(cosine, sine, frequency, 1, 64, F);
    show("rope_table_PF", cosine, 64 * F * 4);
    rope_rotate_THD(x, D, position, cosine, sine, 1, T, 3, 2 * F);
    show("rope_rotate_THD", x, T * D * 4);

    float *h = numbers(T * I), *gate = numbers(T * I), *up = numbers(T * I), *dh = numbers(T * I);
    swiglu_forward_TI(h, I, gate, up, I, T, I);
    show("swiglu_forward_TI", h, T * I * 4);
    swiglu_backward_TI(gate, up, I, dh, I, T, I);
    show("swiglu_backward_TI", gate, T * I * 4);
    show("swiglu_backward_TI up", up, T * I * 4);
    geglu_forward_TI(h, I, gate, up, I, T, I);
    show("geglu_forward_TI", h, T * I * 4);
    geglu_backward_TI(gate, up, I, dh, I, T, I);
    show("geglu_backward_TI", gate, T * I * 4);
    show("geglu_backward_TI up", up, T * I * 4);
    softcap_forward_TD(h, I, 0.5f, T, I);
    show("softcap_forward_TD", h, T * I * 4);
    softcap_backward_TD(dh, I, h, I, 0.5f, T, I);
    show("softcap_backward_TD", dh, T * I * 4);
    add_rows_TD(dh, I, h, I, T, I);
    scale_rows_TD(dh, I, 0.3f, T, I);
    add_columns_TD(gain, dh, I, T, D);
    show("add_columns_TD", gain, D * 4);
    rope_linear_F(frequency, 3, F);
    rope_llama3_F(frequency, 8, 1, 4, 64, F);
    rope_yarn_F(frequency, 10000, 4, 32, 1, 64, 1, F);
    show("rope_yarn_F", frequency, sizeof frequency);
}

static void head(void) {
    enum { R = 9, V = 301 };
    float *logits = numbers(R * V), *u = numbers(R);
    double logp[R];
    int32_t target[R];
    for (int r = 0; r < R; r++) target[r] = r * 31 % V;
    head_logp_RV(logp, logits, V, target, u, R, V);
    show("head_logp_RV", logp, sizeof logp);
    show("head_logp_RV gradient", logits, R * V * 4);
    float *z = numbers(R * V), logq[R * 3];
    int32_t first[R + 1], top[R * 3];
    for (int r = 0; r <= R; r++) first[r] = 3 * r;
    for (int k = 0; k < R * 3; k++) {
        top[k] = k * 17 % V;
        logq[k] = -1.5f - 0.01f * (float)k;
    }
    head_distill_RV(logp, z, V, target, u, first, top, logq, 0.5f, R, V);
    show("head_distill_RV", logp, sizeof logp);
    show("head_distill_RV gradient", z, R * V * 4);
    const int32_t best = argmax_V(logits, V);
    show("argmax_V", &best, 4);
    softmax_V(logits, 1.5f, V);
    show("softmax_V", logits, V * 4);
}

static void halves(void) {
    enum { N = 70, K = 45 };
    float *w = numbers(N * K), *y = numbers(N * K);
    uint16_t *b = calloc(bf16_packed_size(64, N, K) + bf16_packed_size(64, K, N), 2);
    bf16_rows_TD(b, w, K, N - 3, K, N);
    show("bf16_rows_TD", b, N * K * 2);
    for (size_t width = 0; width <= 64; width += 32) {
        bf16_pack_NK(b, width, w, K, N, K);
        show("bf16_pack_NK", b, bf16_packed_size(width, N, K) * 2);
        bf16_pack_KN(b, width, w, K, K, N);
        show("bf16_pack_KN", b, bf16_packed_size(width, K, N) * 2);
    }
    put_rows_TD(y, K, w, N, K, 1);
    show("put_rows_TD", y, N * K * 4);
}

static void steps(void) {
    enum { N = 3000 };
    float *weights = numbers(N), *m = numbers(N), *v = numbers(N), *gradient = numbers(N);
    for (int i = 0; i < N; i++) v[i] *= v[i];
    int64_t *sum = calloc(N, 8);
    fixed_add(sum, gradient, N, 0x1p44, 0x1p60);
    show("fixed_add", sum, N * 8);
    double squares[3];
    squares_B(squares, sum, N, 0x1p44);
    show("squares_B", squares, sizeof squares);
    const adamw_numbers numbers = {1e-3f, 0.9f, 0.95f, 0.1f, 0.05f, 10, 20, 1e-8f, 0.1f, 0.7f};
    adamw(weights, m, v, sum, N, 0x1p44, &numbers);
    show("adamw", weights, N * 4);
    philox_normal_N(m, 0.02, 7, 3, N);
    show("philox_normal_N", m, N * 4);
}

int main(void) {
    products();
    attention();
    layers();
    head();
    halves();
    steps();
    return 0;
}
