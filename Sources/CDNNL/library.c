// Finds oneDNN and makes sure that it is one whose interface is declared here.
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "CDNNL.h"
#include "interface.h"

static Library library;
static pthread_once_t once = PTHREAD_ONCE_INIT;

#if defined(__x86_64__)
// A layout that is known from the headers must have the size that the library computes from it, and
// come back as it was written: what would differ if our declarations did.
static int is_as_declared(void) {
    const int64_t sizes[2] = {3, 40}, strides[2] = {48, 1};
    Layout layout;
    memset(&layout, 0, sizeof layout);
    return library.memory_desc_init_by_strides(&layout, 2, sizes, TYPE_BF16, strides) == 0
        && layout.count == 2 && layout.sizes[1] == 40 && layout.padded_sizes[0] == 3
        && layout.type == TYPE_BF16 && layout.kind == KIND_BLOCKED
        && layout.blocking.strides[0] == 48 && layout.blocking.strides[1] == 1
        && layout.blocking.inner_count == 0 && layout.extra.flags == 0
        && library.memory_desc_get_size(&layout) == 3 * 48 * 2;
}

static const char *find(void) {
    void *handle = dlopen("libdnnl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!handle) return "oneDNN (libdnnl.so.2) is not installed";
#define FIND(name, result, arguments)                                                              \
    library.name = (result(*) arguments)dlsym(handle, "dnnl_" #name);                              \
    if (!library.name) return "this libdnnl.so.2 has no function dnnl_" #name;
    FUNCTIONS(FIND)
#undef FIND
    // The library takes its number of threads from OpenMP, whose setting is the calling thread's.
    library.omp_set_num_threads = (void (*)(int))dlsym(handle, "omp_set_num_threads");
    const Version *version = library.version();
    snprintf(
        library.version_text, sizeof library.version_text, "%d.%d.%d", version->major,
        version->minor, version->patch);
    if (version->major != 2 || !is_as_declared()) return "this libdnnl.so.2 is laid out in another way than version 2.6";
    const int isa = library.get_effective_cpu_isa();
    if ((isa & ISA_AMX) == ISA_AMX) {
        library.instructions = "avx512_core_amx";
    } else if ((isa & ISA_BF16) == ISA_BF16) {
        library.instructions = "avx512_core_bf16";
    } else {
        return "this processor has no instructions that multiply bf16 (AVX512_BF16 or AMX)";
    }
    if (library.engine_create(&library.engine, ENGINE_CPU, 0) != 0) {
        return "oneDNN does not start on this processor";
    }
    return NULL;
}
#else
static const char *find(void) { return "bf16 products are made on x86-64 alone"; }
#endif

static void load(void) {
    library.instructions = "none";
    library.missing = find();
}

const Library *cdnnl_library(void) {
    pthread_once(&once, load);
    return &library;
}

const char *cdnnl_missing(void) { return cdnnl_library()->missing; }
const char *cdnnl_version(void) { return cdnnl_library()->version_text; }
const char *cdnnl_instructions(void) { return cdnnl_library()->instructions; }
