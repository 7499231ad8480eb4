// The part of oneDNN 2.x's C interface that is used, declared here so that its headers are not needed.
//
// Within a major version layouts and numbers stay (its promise of a stable ABI); `library.c` refuses
// other majors. Names and order are the library's, `dnnl_types.h`.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define DIMENSIONS 12

typedef struct {
    int64_t strides[DIMENSIONS];
    int inner_count;
    int64_t inner_sizes[DIMENSIONS];
    int64_t inner_dimensions[DIMENSIONS];
} Blocking;

typedef struct {
    int count;
    int64_t sizes[DIMENSIONS];
    int type;
    int64_t padded_sizes[DIMENSIONS];
    int64_t padded_offsets[DIMENSIONS];
    int64_t offset;
    int kind;
    Blocking blocking;  // the largest of the library's union
    struct {
        uint64_t flags;
        int mask;
        float scale;
        int asymmetric_mask;
        char reserved[60];
    } extra;
} Layout;

// A description of an operation is only passed on: this is several times what a matmul's takes.
typedef struct {
    _Alignas(16) char bytes[16384];
} Operation;

typedef struct {
    int argument;
    void *memory;
} Argument;

typedef struct {
    int major, minor, patch;
    const char *hash;
    unsigned cpu_runtime, gpu_runtime;
} Version;

enum {
    KIND_BLOCKED = 2,
    TAG_ANY = 1,
    TYPE_BF16 = 2,
    TYPE_F32 = 3,
    ENGINE_CPU = 1,
    STREAM_DEFAULT = 1,
    SCRATCHPAD_USER = 1,
    QUERY_WEIGHTS = 131,
    QUERY_SCRATCHPAD = 136,
    ARGUMENT_SOURCE = 1,
    ARGUMENT_WEIGHTS = 33,
    ARGUMENT_DESTINATION = 17,
    ARGUMENT_SCRATCHPAD = 80,
    ISA_BF16 = 0xe7,
    ISA_AMX = 0x3e7,
};

// name, result, arguments
#define FUNCTIONS(X)                                                                               \
    X(version, const Version *, (void))                                                            \
    X(get_effective_cpu_isa, int, (void))                                                          \
    X(engine_create, int, (void **engine, int kind, size_t index))                                 \
    X(stream_create, int, (void **stream, void *engine, unsigned flags))                           \
    X(stream_destroy, int, (void *stream))                                                         \
    X(memory_desc_init_by_strides, int,                                                            \
      (Layout *, int count, const int64_t *sizes, int type, const int64_t *strides))               \
    X(memory_desc_init_by_tag, int,                                                                \
      (Layout *, int count, const int64_t *sizes, int type, int tag))                              \
    X(memory_desc_get_size, size_t, (const Layout *))                                              \
    X(matmul_desc_init, int,                                                                       \
      (Operation *, const Layout *, const Layout *, const Layout *bias, const Layout *))           \
    X(primitive_attr_create, int, (void **attributes))                                             \
    X(primitive_attr_destroy, int, (void *attributes))                                             \
    X(primitive_attr_set_scratchpad_mode, int, (void *attributes, int mode))                       \
    X(primitive_desc_create, int,                                                                  \
      (void **description, const Operation *, void *attributes, void *engine, void *hint))         \
    X(primitive_desc_destroy, int, (void *description))                                            \
    X(primitive_desc_query_md, const Layout *, (void *description, int what, int index))           \
    X(primitive_create, int, (void **primitive, void *description))                                \
    X(primitive_execute, int, (void *primitive, void *stream, int count, const Argument *))        \
    X(primitive_destroy, int, (void *primitive))                                                   \
    X(memory_create, int, (void **memory, const Layout *, void *engine, void *values))             \
    X(memory_set_data_handle, int, (void *memory, void *values))                                   \
    X(memory_destroy, int, (void *memory))

typedef struct {
#define MEMBER(name, result, arguments) result(*name) arguments;
    FUNCTIONS(MEMBER)
#undef MEMBER
    void (*omp_set_num_threads)(int);
    void *engine;
    const char *missing;
    char version_text[32];
    const char *instructions;
} Library;

// Loaded on the first call, once.
const Library *cdnnl_library(void);
