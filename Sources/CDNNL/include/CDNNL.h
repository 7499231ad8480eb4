// oneDNN's bf16 matrix products, by a library that is looked for at run time.
//
// Nothing here needs oneDNN to build, and a program that never asks never loads it: one binary serves
// machines with and without. All calls are single-threaded on the caller's thread. A context and its
// products belong to one thread at a time.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct cdnnl_context cdnnl_context;
typedef struct cdnnl_product cdnnl_product;

// NULL where products can be made; otherwise why not: a sentence that lives as long as the program.
const char *cdnnl_missing(void);

// The library's version as 2.6.3, and the instructions that it would use here: `avx512_core_amx`,
// `avx512_core_bf16`, or `none` where the processor multiplies no bf16. "" and `none` where it is missing.
const char *cdnnl_version(void);
const char *cdnnl_instructions(void);

// NULL where memory is out.
cdnnl_context *cdnnl_context_new(void);
void cdnnl_context_free(cdnnl_context *);

// c_MN = a_MK b_KN: a and b bf16, c and all sums fp32; rows of a and c without gaps. Of b's layout
// `cdnnl_product_width` tells.
cdnnl_product *cdnnl_product_new(cdnnl_context *, size_t M, size_t N, size_t K);

// The columns of one block of b, or 0 where b is stored as its transpose, N rows of K.
//   b_kn lies at ((n / width * steps + k / 2) * width + n % width) * 2 + k % 2
//   where 2 * steps is K rounded up to a multiple of 32; what is beyond K and N is 0
size_t cdnnl_product_width(const cdnnl_product *);

// c_MN = sum_k a_km b_kn: a_KM and b_KN bf16 rows without gaps.
cdnnl_product *cdnnl_outer_new(cdnnl_context *, size_t M, size_t N, size_t K);

// 0 where it was computed.
int cdnnl_product_run(cdnnl_product *, const uint16_t *a, const uint16_t *b, float *c);
void cdnnl_product_free(cdnnl_product *);
