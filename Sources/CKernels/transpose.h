// 16 x 16 elements of 32 bits, transposed in registers.
#pragma once
#include "lanes.h"

// columns[j] lane i = rows[i] lane j, by exchanging halves, quarters...
#define EXCHANGE(distance, low, high)                                                              \
    for (size_t i = 0; i < LANES; i++) {                                                           \
        if (i & distance) continue;                                                                \
        const f32x16 x = r[i], y = r[i + distance];                                                \
        r[i] = low;                                                                                \
        r[i + distance] = high;                                                                    \
    }

INLINE void transpose(f32x16 r[LANES]) {
    EXCHANGE(
        8, __builtin_shufflevector(x, y, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
        __builtin_shufflevector(x, y, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))
    EXCHANGE(
        4, __builtin_shufflevector(x, y, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27),
        __builtin_shufflevector(x, y, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31))
    EXCHANGE(
        2, __builtin_shufflevector(x, y, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29),
        __builtin_shufflevector(x, y, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31))
    EXCHANGE(
        1, __builtin_shufflevector(x, y, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30),
        __builtin_shufflevector(x, y, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31))
}
