// What every kernel file includes: IEEE semantics without contraction, so that the same source
// gives the same bits on every processor, and run-time dispatch where the compiler offers it.
#pragma once
#include "CKernels.h"

#pragma STDC FP_CONTRACT OFF

#if defined(__x86_64__) && defined(__linux__)
#define DISPATCHED __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define DISPATCHED
#endif
