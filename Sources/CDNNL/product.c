// One product of fixed sizes: created once, run as often as wanted.
#include <stdlib.h>
#include <string.h>

#include "CDNNL.h"
#include "interface.h"

struct cdnnl_context {
    const Library *library;
    void *stream;
    void *scratch;
    size_t scratch_size;
};

struct cdnnl_product {
    cdnnl_context *context;
    void *primitive;
    void *source, *weights, *destination, *scratchpad;
    size_t scratch_size, width;
};

cdnnl_context *cdnnl_context_new(void) {
    const Library *library = cdnnl_library();
    cdnnl_context *it = library->missing ? NULL : calloc(1, sizeof *it);
    if (!it) return NULL;
    it->library = library;
    if (library->stream_create(&it->stream, library->engine, STREAM_DEFAULT) != 0) {
        free(it);
        return NULL;
    }
    return it;
}

void cdnnl_context_free(cdnnl_context *it) {
    if (!it) return;
    it->library->stream_destroy(it->stream);
    free(it->scratch);
    free(it);
}

// Scratch is the caller's, since the library's own would be tied to the thread that made the product.
static int make_room(cdnnl_context *it, size_t size) {
    if (size <= it->scratch_size) return 0;
    void *room = NULL;
    if (posix_memalign(&room, 4096, size) != 0) return -1;
    free(it->scratch);
    it->scratch = room;
    it->scratch_size = size;
    return 0;
}

static void single_threaded(const Library *library) {
    if (library->omp_set_num_threads) library->omp_set_num_threads(1);
}

// Whether b lies as the header says; its block's columns, or 0.
static size_t block_width(const Layout *b) {
    const Blocking *it = &b->blocking;
    if (b->kind != KIND_BLOCKED || it->inner_count != 3 || b->extra.flags != 0) return 0;
    const int64_t width = it->inner_sizes[1], depth = b->padded_sizes[0];
    const int is_ours = it->inner_sizes[0] == 16 && it->inner_dimensions[0] == 0
        && it->inner_dimensions[1] == 1 && it->inner_sizes[2] == 2 && it->inner_dimensions[2] == 0
        && depth == (b->sizes[0] + 31) / 32 * 32 && it->strides[0] == 32 * width
        && (it->strides[1] == depth * width || b->padded_sizes[1] == width);
    return is_ours ? (size_t)width : 0;
}

static int describe(
    const Library *library, void **description, const Layout *a, const Layout *b, const Layout *c) {
    void *attributes = NULL;
    if (library->primitive_attr_create(&attributes) != 0) return -1;
    Operation operation;
    memset(&operation, 0, sizeof operation);
    int status = library->primitive_attr_set_scratchpad_mode(attributes, SCRATCHPAD_USER);
    if (status == 0) status = library->matmul_desc_init(&operation, a, b, NULL, c);
    if (status == 0) {
        status = library->primitive_desc_create(
            description, &operation, attributes, library->engine, NULL);
    }
    library->primitive_attr_destroy(attributes);
    return status;
}

static cdnnl_product *finish(
    cdnnl_context *context, void *description, const Layout *a, const Layout *b, const Layout *c,
    size_t width) {
    const Library *library = context->library;
    cdnnl_product *it = calloc(1, sizeof *it);
    if (!it) return NULL;
    it->context = context;
    it->width = width;
    const Layout *scratch = library->primitive_desc_query_md(description, QUERY_SCRATCHPAD, 0);
    it->scratch_size = scratch ? library->memory_desc_get_size(scratch) : 0;
    int status = library->primitive_create(&it->primitive, description);
    if (status == 0) status = library->memory_create(&it->source, a, library->engine, NULL);
    if (status == 0) status = library->memory_create(&it->weights, b, library->engine, NULL);
    if (status == 0) status = library->memory_create(&it->destination, c, library->engine, NULL);
    if (status == 0 && it->scratch_size > 0) {
        status = library->memory_create(&it->scratchpad, scratch, library->engine, NULL);
    }
    if (status != 0 || make_room(context, it->scratch_size) != 0) {
        cdnnl_product_free(it);
        return NULL;
    }
    return it;
}

static int plain(
    const Library *library, Layout *it, size_t rows, size_t columns, int type, size_t row,
    size_t column) {
    const int64_t sizes[2] = {(int64_t)rows, (int64_t)columns};
    const int64_t strides[2] = {(int64_t)row, (int64_t)column};
    return library->memory_desc_init_by_strides(it, 2, sizes, type, strides);
}

cdnnl_product *cdnnl_product_new(cdnnl_context *context, size_t M, size_t N, size_t K) {
    const Library *library = context->library;
    single_threaded(library);
    const int64_t sizes[2] = {(int64_t)K, (int64_t)N};
    Layout a, b, c;
    void *description = NULL;
    if (plain(library, &a, M, K, TYPE_BF16, K, 1) != 0 || plain(library, &c, M, N, TYPE_F32, N, 1) != 0
        || library->memory_desc_init_by_tag(&b, 2, sizes, TYPE_BF16, TAG_ANY) != 0
        || describe(library, &description, &a, &b, &c) != 0) {
        return NULL;
    }
    b = *library->primitive_desc_query_md(description, QUERY_WEIGHTS, 0);
    const size_t width = block_width(&b);
    if (width == 0) {
        library->primitive_desc_destroy(description);
        if (plain(library, &b, K, N, TYPE_BF16, 1, K) != 0
            || describe(library, &description, &a, &b, &c) != 0) {
            return NULL;
        }
    }
    cdnnl_product *it = finish(context, description, &a, &b, &c, width);
    library->primitive_desc_destroy(description);
    return it;
}

cdnnl_product *cdnnl_outer_new(cdnnl_context *context, size_t M, size_t N, size_t K) {
    const Library *library = context->library;
    single_threaded(library);
    Layout a, b, c;
    void *description = NULL;
    if (plain(library, &a, M, K, TYPE_BF16, 1, M) != 0 || plain(library, &b, K, N, TYPE_BF16, N, 1) != 0
        || plain(library, &c, M, N, TYPE_F32, N, 1) != 0
        || describe(library, &description, &a, &b, &c) != 0) {
        return NULL;
    }
    cdnnl_product *it = finish(context, description, &a, &b, &c, 0);
    library->primitive_desc_destroy(description);
    return it;
}

size_t cdnnl_product_width(const cdnnl_product *it) { return it->width; }

int cdnnl_product_run(cdnnl_product *it, const uint16_t *a, const uint16_t *b, float *c) {
    const Library *library = it->context->library;
    single_threaded(library);
    int status = library->memory_set_data_handle(it->source, (void *)a);
    if (status == 0) status = library->memory_set_data_handle(it->weights, (void *)b);
    if (status == 0) status = library->memory_set_data_handle(it->destination, c);
    if (status == 0 && it->scratchpad) {
        status = library->memory_set_data_handle(it->scratchpad, it->context->scratch);
    }
    if (status != 0) return status;
    const Argument arguments[] = {
        {ARGUMENT_SOURCE, it->source},
        {ARGUMENT_WEIGHTS, it->weights},
        {ARGUMENT_DESTINATION, it->destination},
        {ARGUMENT_SCRATCHPAD, it->scratchpad},
    };
    return library->primitive_execute(
        it->primitive, it->context->stream, it->scratchpad ? 4 : 3, arguments);
}

void cdnnl_product_free(cdnnl_product *it) {
    if (!it) return;
    const Library *library = it->context->library;
    if (it->source) library->memory_destroy(it->source);
    if (it->weights) library->memory_destroy(it->weights);
    if (it->destination) library->memory_destroy(it->destination);
    if (it->scratchpad) library->memory_destroy(it->scratchpad);
    if (it->primitive) library->primitive_destroy(it->primitive);
    free(it);
}
