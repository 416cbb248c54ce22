/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* An image for tools: an edge of its own and calls that wait. Thread: the graph's lock held, not
 * inside a fiber unless said otherwise. */

#include "blk-bitmap.h"
#include "blk-graph-private.h"
#include "blk-status.h"

#include <errno.h>
#include <string.h>

struct BlkImage {
    BlkChild *root;
};

static const char *
describe_image(void *opaque)
{
    return "this program";
}

static const BlkUser image_user = { .describe = describe_image };

BlkChild *
blk_image_get_root(BlkImage *image)
{
    return image->root;
}

BlkImage *
blk_image_new(BlkNode *node, bool write, GError **error)
{
    unsigned perm = BLK_PERM_CONSISTENT_READ;
    unsigned shared = BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE_UNCHANGED;
    BlkImage *image = g_new0(BlkImage, 1);

    if (write) {
        perm |= BLK_PERM_WRITE | BLK_PERM_RESIZE;
    }
    image->root = blk_child_attach(node, &image_user, image, perm, shared, error);
    if (!image->root) {
        g_free(image);
        return NULL;
    }
    blk_node_ref(node);
    return image;
}

void
blk_image_free(BlkImage *image)
{
    if (image) {
        blk_child_detach(image->root);
        g_free(image);
    }
}

uint64_t
blk_image_get_len(BlkImage *image)
{
    return blk_node_get_len(image->root->node);
}

typedef enum CallType {
    CALL_READ,
    CALL_WRITE,
    CALL_COMPRESSED,
    CALL_ZEROES,
    CALL_DISCARD,
    CALL_FLUSH,
} CallType;

typedef struct ImageCall {
    BlkChild *child;
    CallType type;
    uint64_t offset, len;
    void *buf;
    unsigned flags;
    int ret;
} ImageCall;

int
blk_write_compressed(BlkChild *child, uint64_t offset, const void *buf, size_t len)
{
    BlkNode *node = child->node;
    struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
    BlkVec vec = blk_vec_make(&iov, 1);
    int ret;

    g_assert(child->perm & BLK_PERM_WRITE);
    if (!node->driver->format || !node->driver->format->write_compressed) {
        return -ENOTSUP;
    }
    node->in_flight++;
    ret = node->driver->format->write_compressed(node, offset, len, &vec, 0);
    node->write_count++;
    blk_node_mark_dirty(node, offset, len);
    node->in_flight--;
    return ret;
}

static void
image_call(void *opaque)
{
    ImageCall *call = opaque;

    switch (call->type) {
    case CALL_READ:
        call->ret = blk_read_buffer(call->child, call->offset, call->buf, call->len);
        break;
    case CALL_WRITE:
        call->ret = blk_write_buffer(call->child, call->offset, call->buf, call->len, 0);
        break;
    case CALL_COMPRESSED:
        call->ret = blk_write_compressed(call->child, call->offset, call->buf, call->len);
        break;
    case CALL_ZEROES:
        call->ret = blk_write_zeroes(call->child, call->offset, call->len, call->flags);
        break;
    case CALL_DISCARD: call->ret = blk_discard(call->child, call->offset, call->len); break;
    case CALL_FLUSH: call->ret = blk_flush(call->child); break;
    }
}

static int
run_call(ImageCall call)
{
    blk_context_run(call.child->node->context, image_call, &call);
    return call.ret;
}

int
blk_image_read(BlkImage *image, uint64_t offset, void *buf, size_t len)
{
    return run_call((ImageCall){
        .child = image->root, .type = CALL_READ, .offset = offset, .buf = buf, .len = len });
}

int
blk_image_write(BlkImage *image, uint64_t offset, const void *buf, size_t len)
{
    return run_call((ImageCall){ .child = image->root,
                                 .type = CALL_WRITE,
                                 .offset = offset,
                                 .buf = (void *)buf,
                                 .len = len });
}

int
blk_image_write_compressed(BlkImage *image, uint64_t offset, const void *buf, size_t len)
{
    return run_call((ImageCall){ .child = image->root,
                                 .type = CALL_COMPRESSED,
                                 .offset = offset,
                                 .len = len,
                                 .buf = (void *)buf });
}

int
blk_image_write_zeroes(BlkImage *image, uint64_t offset, uint64_t len, bool may_unmap)
{
    return run_call((ImageCall){ .child = image->root,
                                 .type = CALL_ZEROES,
                                 .offset = offset,
                                 .len = len,
                                 .flags = may_unmap ? BLK_REQ_MAY_UNMAP : 0 });
}

int
blk_image_discard(BlkImage *image, uint64_t offset, uint64_t len)
{
    return run_call(
        (ImageCall){ .child = image->root, .type = CALL_DISCARD, .offset = offset, .len = len });
}

int
blk_image_flush(BlkImage *image)
{
    return run_call((ImageCall){ .child = image->root, .type = CALL_FLUSH });
}

/* ---- size, holes ---- */

typedef struct ResizeCall {
    BlkChild *child;
    uint64_t len;
    BlkPreallocation prealloc;
    bool ok;
    GError **error;
} ResizeCall;

static void
resize_call(void *opaque)
{
    ResizeCall *call = opaque;

    call->ok = blk_truncate(call->child, call->len, call->prealloc, call->error);
}

bool
blk_image_resize(BlkImage *image, uint64_t len, BlkPreallocation prealloc, GError **error)
{
    ResizeCall call = { .child = image->root, .len = len, .prealloc = prealloc, .error = error };

    blk_context_run(image->root->node->context, resize_call, &call);
    return call.ok;
}

typedef struct RunLenCall {
    BlkChild *child;
    uint64_t offset, len;
    BlkStatus status;
    int ret;
} RunLenCall;

static void
run_len_call(void *opaque)
{
    RunLenCall *call = opaque;

    call->ret = blk_get_status(call->child, call->offset, call->len, &call->status);
}

int64_t
blk_image_get_run(BlkImage *image, uint64_t offset, uint64_t len, bool *out_zero, bool *out_data)
{
    RunLenCall call = { .child = image->root, .offset = offset, .len = len };

    blk_context_run(image->root->node->context, run_len_call, &call);
    if (call.ret < 0) {
        return call.ret;
    }
    *out_zero = call.status.flags & BLK_STATUS_ZERO;
    *out_data = call.status.flags & BLK_STATUS_DATA;
    return (int64_t)call.status.len_bytes;
}

typedef struct DescribeCall {
    BlkChild *child;
    uint64_t offset, len;
    BlkRun *out;
    int ret;
} DescribeCall;

static void
describe_call(void *opaque)
{
    DescribeCall *call = opaque;

    call->ret = blk_describe_run(call->child, call->offset, call->len, call->out);
}

int
blk_image_describe_run(BlkImage *image, uint64_t offset, uint64_t len, BlkRun *out)
{
    DescribeCall call = { .child = image->root, .offset = offset, .len = len, .out = out };

    blk_context_run(image->root->node->context, describe_call, &call);
    return call.ret;
}

bool
blk_is_zero(const void *buf, size_t len)
{
    return blk_buffer_is_zero(buf, len);
}

/* ---- new images ---- */

typedef struct CreateCall {
    BlkGraph *graph;
    const BlkDriver *driver;
    const char *filename;
    void *state;
    bool ok;
    GError **error;
} CreateCall;

static void
create_call(void *opaque)
{
    CreateCall *call = opaque;

    call->ok = call->driver->create(call->graph, call->filename, call->state, call->error);
}

static bool
parse_create_options(const BlkDriver *driver, const BlkOptions *given, void *state, GError **error)
{
    g_autoptr(BlkOptions) options = blk_options_copy(given);
    const char *left;

    vit_props_set_defaults(driver->create_options, state);
    for (const VitProp *prop = driver->create_options; prop && prop->name; prop++) {
        g_autofree char *text = blk_options_take(options, prop->name);
        if (text && !vit_prop_parse(prop, state, text, NULL, error)) {
            return false;
        }
        if (!text && (prop->flags & VIT_PROP_REQUIRED)) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "A new image in format '%s' needs the option '%s'.", driver->name,
                        prop->name);
            return false;
        }
    }
    left = blk_options_first_key(options);
    if (left) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "A new image in format '%s' has no option '%s'.", driver->name, left);
    }
    return !left;
}

/* A description (json:) of an image must be of this format: the file is not its own alone. */
static bool
check_description(BlkGraph *graph, const BlkDriver *driver, const char *filename, GError **error)
{
    g_autoptr(BlkOptions) json = NULL;
    const BlkDriver *said;

    if (!g_str_has_prefix(filename, "json:")) {
        return true;
    }
    json = blk_options_from_json(filename + strlen("json:"), error);
    said = json && blk_options_get(json, "driver")
               ? blk_graph_find_driver(graph, blk_options_get(json, "driver"))
               : NULL;
    if (said && said->role == BLK_ROLE_FORMAT && said != driver) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The new image is to be in format '%s', but its description says '%s'.",
                    driver->name, said->name);
        return false;
    }
    return json != NULL;
}

bool
blk_create(BlkGraph *graph, const char *format, const char *filename, const BlkOptions *options,
           GError **error)
{
    const BlkDriver *driver = blk_graph_find_driver(graph, format);
    g_autofree void *state = NULL;
    CreateCall call = { .graph = graph, .driver = driver, .filename = filename, .error = error };

    if (!driver) {
        blk_set_unknown_driver_error(graph, format, error);
        return false;
    }
    if (!driver->create) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Block driver '%s' cannot make new images.", format);
        return false;
    }
    if (!check_description(graph, driver, filename, error)) {
        return false;
    }
    state = g_malloc0(MAX(driver->create_size, 1));
    if (parse_create_options(driver, options, state, error)) {
        call.state = state;
        blk_context_run(graph->context, create_call, &call);
    }
    if (driver->create_options) {
        vit_props_clear(driver->create_options, state);
    }
    return call.ok;
}

/* ---- measuring ---- */

typedef struct MeasureCall {
    BlkGraph *graph;
    const BlkDriver *driver;
    void *state;
    BlkNode *source;
    BlkMeasure *out;
    bool ok;
    GError **error;
} MeasureCall;

static void
measure_call(void *opaque)
{
    MeasureCall *call = opaque;

    call->ok = call->driver->format->measure(call->graph, call->state, call->source, call->out,
                                             call->error);
}

bool
blk_measure(BlkGraph *graph, const char *format, const BlkOptions *options, BlkNode *source,
            BlkMeasure *out, GError **error)
{
    const BlkDriver *driver = blk_graph_find_driver(graph, format);
    g_autofree void *state = NULL;
    MeasureCall call = {
        .graph = graph, .driver = driver, .source = source, .out = out, .error = error
    };

    *out = (BlkMeasure){ 0 };
    if (!driver) {
        blk_set_unknown_driver_error(graph, format, error);
        return false;
    }
    if (!driver->format || !driver->format->measure) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Block driver '%s' cannot measure new images.", format);
        return false;
    }
    state = g_malloc0(MAX(driver->create_size, 1));
    if (parse_create_options(driver, options, state, error)) {
        call.state = state;
        blk_context_run(graph->context, measure_call, &call);
    }
    if (driver->create_options) {
        vit_props_clear(driver->create_options, state);
    }
    return call.ok;
}
