// Open MPI spells its constants as casting macros, which Swift cannot import. Each function here
// gives one of them a name; logic belongs on the Swift side.
#pragma once
#include <mpi.h>
#include <stdint.h>

static inline int cmpi_allreduce_sum_i64(int64_t *values, int count) {
    return MPI_Allreduce(MPI_IN_PLACE, values, count, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
}
