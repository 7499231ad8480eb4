// What every kernel file includes: IEEE semantics without contraction, so that the same source
// gives the same bits on every processor, and run-time dispatch where the compiler offers it.
#pragma once
#include "CKernels.h"

#pragma STDC FP_CONTRACT OFF

// v3 brings AVX2 with FMA, v4 AVX-512. A clone without FMA instructions calls fmaf for each lane:
// slow, and equal to the last bit. A test compiles each level by itself, with DISPATCHED empty.
#if defined(DISPATCHED)
#elif defined(__x86_64__) && defined(__linux__)
#define DISPATCHED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define DISPATCHED
#endif

#define INLINE static inline __attribute__((always_inline))
