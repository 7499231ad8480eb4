// Open MPI spells its constants as casting macros, which Swift cannot import. Each function here
// gives one of them a name; logic belongs on the Swift side.
#pragma once
#include <mpi.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>

static inline int cmpi_success(void) { return MPI_SUCCESS; }

// FUNNELED: only the thread that calls this may call MPI.
static inline int cmpi_init(void) {
    int provided = 0;
    const int status = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    if (status != MPI_SUCCESS) return status;
    if (provided < MPI_THREAD_FUNNELED) return MPI_ERR_UNSUPPORTED_OPERATION;
    return MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
}

static inline int cmpi_finalize(void) { return MPI_Finalize(); }
static inline int cmpi_abort(int code) { return MPI_Abort(MPI_COMM_WORLD, code); }
static inline int cmpi_rank(int *rank) { return MPI_Comm_rank(MPI_COMM_WORLD, rank); }
static inline int cmpi_size(int *size) { return MPI_Comm_size(MPI_COMM_WORLD, size); }
static inline int cmpi_barrier(void) { return MPI_Barrier(MPI_COMM_WORLD); }

static inline int cmpi_allreduce_sum_i64(int64_t *values, int count) {
    return MPI_Allreduce(MPI_IN_PLACE, values, count, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
}

static inline int cmpi_broadcast_bytes(void *bytes, int count, int root) {
    return MPI_Bcast(bytes, count, MPI_BYTE, root, MPI_COMM_WORLD);
}

static inline int cmpi_gather_int(const int *value, int *values) {
    return MPI_Gather(value, 1, MPI_INT, values, 1, MPI_INT, 0, MPI_COMM_WORLD);
}

static inline int cmpi_gather_bytes(const void *bytes, int count, void *all, const int *counts,
                                    const int *offsets) {
    return MPI_Gatherv(bytes, count, MPI_BYTE, all, counts, offsets, MPI_BYTE, 0, MPI_COMM_WORLD);
}

// The kernel kills this process when the thread that started it ends; survives exec. prctl is
// variadic, which Swift cannot call.
static inline int cmpi_die_with_parent(void) { return prctl(PR_SET_PDEATHSIG, SIGKILL); }
