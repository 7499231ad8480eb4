// The floating-point mode of a computing thread. Subnormal operands cost a hundred cycles on some
// processors, and AMX never has them: everywhere they are zero.
#include "kernels.h"

#if defined(__x86_64__)
uint64_t kernels_enter(void) {
    const uint32_t state = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(state | 0x8040);  // FTZ, DAZ
    return state;
}

void kernels_leave(uint64_t state) { __builtin_ia32_ldmxcsr((uint32_t)state); }
#elif defined(__aarch64__)
uint64_t kernels_enter(void) {
    uint64_t state;
    __asm__ volatile("mrs %0, fpcr" : "=r"(state));
    __asm__ volatile("msr fpcr, %0" ::"r"(state | (1ULL << 24)));  // FZ
    return state;
}

void kernels_leave(uint64_t state) { __asm__ volatile("msr fpcr, %0" ::"r"(state)); }
#else
uint64_t kernels_enter(void) { return 0; }
void kernels_leave(uint64_t state) { (void)state; }
#endif
