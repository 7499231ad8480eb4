// Gradients as 64-bit fixed-point numbers, whose sums do not depend on the order of adding.
//   sum_i += round(v_i * scale)
// A float times a power of two is exact in a double, so the one rounding is the one to an integer.
#include "fixedpoint.h"
#include <math.h>

#if defined(__x86_64__)
#include <immintrin.h>

// cvtsd2si rounds as the mode says, which is to nearest even unless somebody changed it; llrint would be
// a call per element.
static inline int64_t rounded(double x) { return _mm_cvtsd_si64(_mm_set_sd(x)); }

__attribute__((target("avx512f,avx512dq"))) static size_t
fixed_add_avx512(int64_t *sum_N, const float *values_N, size_t N, double scale, double limit) {
    const __m512d scales = _mm512_set1_pd(scale), limits = _mm512_set1_pd(limit);
    size_t beyond = 0;
    for (size_t i = 0; i + 8 <= N; i += 8) {
        const __m512d x = _mm512_mul_pd(_mm512_cvtps_pd(_mm256_loadu_ps(values_N + i)), scales);
        const __mmask8 fits = _mm512_cmp_pd_mask(_mm512_abs_pd(x), limits, _CMP_LE_OQ);
        const __m512i sum = _mm512_loadu_si512(sum_N + i);
        const __m512i fixed = _mm512_maskz_cvtpd_epi64(fits, x);
        _mm512_storeu_si512(sum_N + i, _mm512_add_epi64(sum, fixed));
        if (fits != 0xff) beyond += (size_t)(8 - __builtin_popcount(fits));
    }
    return beyond;
}
#else
static inline int64_t rounded(double x) { return llrint(x); }
#endif

size_t fixed_add(int64_t *sum_N, const float *values_N, size_t N, double scale, double limit) {
    size_t beyond = 0, i = 0;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512dq")) {
        i = N - N % 8;
        beyond = fixed_add_avx512(sum_N, values_N, i, scale, limit);
    }
#endif
    for (; i < N; i++) {
        const double x = (double)values_N[i] * scale;
        if (fabs(x) <= limit) {
            sum_N[i] += rounded(x);
        } else {
            beyond += 1;
        }
    }
    return beyond;
}
