// OpenBLAS: the fp32 matrix products, and the calls that pin its threads and name its kernels.
#pragma once
#include <cblas.h>
