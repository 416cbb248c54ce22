/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Opening: from flat options and file names to nodes.
 *
 * A node's options are taken out in this order: those every node has, its children ("file",
 * "backing": a node name, or options with the slot's prefix), the driver's own. What is left is an
 * error. Children take over read-only, cache and sharing from the node above unless they say
 * otherwise.
 *
 * Thread: the graph's lock held; all but blk_open() and blk_node_set_read_only() in a fiber. */

#include "blk-backing.h"

#include <string.h>

enum { MAX_LIST_CHILDREN = 64 };

static BlkNode *open_node(BlkGraph *graph, BlkOptions *options, bool protocol,
                          const BlkOpenScope *scope, GError **error);

/* ---- options of a node ---- */

bool
blk_node_take_generic_options(BlkNode *node, BlkOptions *options, GError **error)
{
    static const char *const discard_words[] = { "ignore", "off", "unmap", "on", NULL };
    static const char *const detect_words[] = { "off", "on", "unmap", NULL };
    int discard = 0;

    if (!blk_options_take_bool(options, "read-only", &node->read_only, error) ||
        !blk_options_take_bool(options, "auto-read-only", &node->auto_read_only, error) ||
        !blk_options_take_bool(options, "force-share", &node->force_share, error) ||
        !blk_options_take_bool(options, "cache.direct", &node->cache_direct, error) ||
        !blk_options_take_bool(options, "cache.no-flush", &node->no_flush, error) ||
        !blk_options_take_enum(options, "discard", discard_words, &discard, error) ||
        !blk_options_take_enum(options, "detect-zeroes", detect_words, &node->detect_zeroes,
                               error)) {
        return false;
    }
    node->discard_unmap = discard >= 2;
    if (node->force_share && !node->read_only) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "force-share=on only works together with read-only=on.");
        return false;
    }
    if (node->detect_zeroes == BLK_DETECT_ZEROES_UNMAP && !node->discard_unmap) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "detect-zeroes=unmap only works together with discard=unmap.");
        return false;
    }
    return true;
}

static bool
take_generic_options(BlkNode *node, BlkOptions *options, GError **error)
{
    g_autofree char *name = blk_options_take(options, "node-name");

    return blk_node_take_generic_options(node, options, error) &&
           blk_node_set_name(node, name, error);
}

static bool
take_driver_options(BlkNode *node, BlkOptions *options, GError **error)
{
    const char *left;

    for (const VitProp *prop = node->driver->options; prop && prop->name; prop++) {
        g_autofree char *text = blk_options_take(options, prop->name);
        if (text && !vit_prop_parse(prop, node->state, text, NULL, error)) {
            return false;
        }
        if (!text && (prop->flags & VIT_PROP_REQUIRED)) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "Block driver '%s' needs the option '%s'.", node->driver->name, prop->name);
            return false;
        }
    }
    left = blk_options_first_key(options);
    if (left) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Block driver '%s' has no option '%s'.", node->driver->name, left);
        return false;
    }
    return true;
}

/* ---- children ---- */

static void
set_missing(BlkOptions *options, const char *key, bool value)
{
    if (!blk_options_get(options, key)) {
        blk_options_set(options, key, value ? "on" : "off");
    }
}

static void
inherit_options(const BlkNode *node, const BlkChildSlot *slot, BlkOptions *options)
{
    bool is_backing = strcmp(slot->name, "backing") == 0;

    set_missing(options, "read-only", node->read_only || is_backing);
    set_missing(options, "auto-read-only", node->auto_read_only || is_backing);
    set_missing(options, "force-share",
                node->force_share && strcmp(blk_options_get(options, "read-only"), "on") == 0);
    set_missing(options, "cache.direct", node->cache_direct);
    set_missing(options, "cache.no-flush", node->no_flush);
    if (!is_backing && !blk_options_get(options, "discard")) {
        /* The node above decides what is discarded. */
        blk_options_set(options, "discard", "unmap");
    }
}

/* A reference to the child for SLOT, or NULL: not given (no ERROR) or failed. */
static BlkNode *
open_slot(BlkNode *node, const BlkChildSlot *slot, BlkOptions *options, const BlkOpenScope *scope,
          GError **error)
{
    g_autofree char *reference = blk_options_take(options, slot->name);
    g_autoptr(BlkOptions) inline_options = blk_options_take_sub(options, slot->name);

    if (reference && *reference) {
        BlkNode *child = blk_graph_find_node(node->graph, reference);
        if (child && !inline_options) {
            return blk_node_ref(child);
        }
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    child ? "Option '%s' names the node '%s' and also has options of its own."
                          : "Option '%s' names the node '%s', which does not exist.",
                    slot->name, reference);
        return NULL;
    }
    if (!inline_options) {
        if (slot->required && !reference) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "Block driver '%s' needs '%s': the name of a node, or %s.driver=...",
                        node->driver->name, slot->name, slot->name);
        }
        return NULL;
    }
    inherit_options(node, slot, inline_options);
    return open_node(node->graph, inline_options, !slot->probe, scope, error);
}

/* The children of a list, in order; the names of slots outlive every node. */
static bool
open_list(BlkNode *node, const BlkChildSlot *list, BlkOptions *options, const BlkOpenScope *scope,
          GError **error)
{
    for (unsigned i = 0; i < MAX_LIST_CHILDREN; i++) {
        g_autofree char *name = g_strdup_printf("%s.%u", list->name, i);
        BlkChildSlot slot = { .name = g_intern_string(name), .probe = list->probe };
        GError *cause = NULL;
        BlkNode *child = open_slot(node, &slot, options, scope, &cause);

        if (cause) {
            g_propagate_error(error, cause);
            return false;
        }
        if (!child) {
            break;
        }
        blk_node_add_child(node, slot.name, child);
    }
    return true;
}

static bool
open_children(BlkNode *node, BlkOptions *options, const BlkOpenScope *scope, GError **error)
{
    for (const BlkChildSlot *slot = node->driver->slots; slot && slot->name; slot++) {
        GError *cause = NULL;
        BlkNode *child;

        if (strcmp(slot->name, "file") == 0 && node->file) {
            continue; /* probing has opened it */
        }
        if (slot->list) {
            if (!open_list(node, slot, options, scope, error)) {
                return false;
            }
            continue;
        }
        child = open_slot(node, slot, options, scope, &cause);
        if (cause) {
            g_propagate_error(error, cause);
            return false;
        }
        if (child) {
            blk_node_add_child(node, slot->name, child);
        }
    }
    return true;
}

/* ---- backing ---- */

static bool
has_slot(const BlkDriver *driver, const char *name)
{
    for (const BlkChildSlot *slot = driver->slots; slot && slot->name; slot++) {
        if (strcmp(slot->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Sets the options for a backing image aside until the header is read. True when there is to be
 * none (backing=), or it is a node that open_children() attaches. */
static bool
take_backing_options(BlkNode *node, BlkOptions *options, BlkOptions **out_backing)
{
    const char *reference = blk_options_get(options, "backing");

    if (!has_slot(node->driver, "backing")) {
        /* That there is to be none is true of every image that cannot have one. */
        g_free(reference && !*reference ? blk_options_take(options, "backing") : NULL);
        return true;
    }
    if (reference) {
        return true;
    }
    *out_backing = blk_options_take_sub(options, "backing");
    if (!*out_backing) {
        *out_backing = blk_options_new();
    }
    return false;
}

static bool
open_backing(BlkNode *node, BlkOptions *options, const BlkOpenScope *above, GError **error)
{
    static const BlkChildSlot slot = { .name = "backing", .probe = true };
    BlkOpenScope scope = { .above = above, .node = node };
    BlkNode *backing;
    bool wanted;

    if (!blk_backing_prepare(node, &scope, options, &wanted, error)) {
        return false;
    }
    if (!wanted) {
        const char *left = blk_options_first_key(options);
        if (left) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "'%s' has no backing image that backing.%s could be about.", node->filename,
                        left);
        }
        return !left;
    }
    inherit_options(node, &slot, options);
    backing = open_node(node->graph, options, false, &scope, error);
    if (!backing) {
        g_prefix_error(error, "The backing image of '%s': ", node->filename);
        return false;
    }
    blk_node_add_child(node, slot.name, backing);
    return blk_node_update_perm(node, error);
}

/* ---- opening ---- */

static void
adopt_file(BlkNode *node)
{
    if (!node->filename && node->file) {
        node->filename = g_strdup(node->file->node->filename);
    }
}

/* A file that could only be opened for reading makes everything above it read-only. */
static bool
check_file_access(BlkNode *node, GError **error)
{
    if (!node->file || !node->file->node->read_only || node->read_only) {
        return true;
    }
    if (node->auto_read_only) {
        node->read_only = true;
        return true;
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_PERMISSION,
                "'%s' is read-only; open the node above it with read-only=on too.", node->filename);
    return false;
}

static bool
finish_open(BlkNode *node, GError **error)
{
    adopt_file(node);
    if (!check_file_access(node, error) || !blk_node_update_perm(node, error) ||
        (node->driver->open && !node->driver->open(node, error))) {
        return false;
    }
    node->opened = true;
    adopt_file(node);
    if (node->driver->refresh_limits) {
        node->driver->refresh_limits(node);
    } else if (node->file && node->driver->role == BLK_ROLE_FILTER) {
        node->limits = node->file->node->limits;
    }
    return true;
}

/* Opens the file below a node without driver= and looks at it. */
static BlkNode *
open_probed_file(BlkGraph *graph, BlkOptions *options, const BlkOpenScope *scope,
                 const BlkDriver **out_driver, GError **error)
{
    /* Stands for the node whose driver is not known yet. */
    static const BlkDriver unknown = { .name = "image", .role = BLK_ROLE_FILTER };
    static const BlkChildSlot slot = { .name = "file", .required = true };
    g_autoptr(BlkOptions) generic = blk_options_copy(options);
    g_autoptr(BlkOptions) dropped G_GNUC_UNUSED = blk_options_take_sub(generic, "file");
    BlkNode *above = blk_node_new(graph, &unknown), *file;
    g_autofree uint8_t *head = g_malloc(BLK_PROBE_BYTES);
    BlkChild *reader;
    size_t len;
    int ret;

    g_free(blk_options_take(generic, "node-name"));
    g_free(blk_options_take(generic, "file"));
    file = take_generic_options(above, generic, error)
               ? open_slot(above, &slot, options, scope, error)
               : NULL;
    blk_node_unref(above);
    if (!file) {
        return NULL;
    }
    reader = blk_child_attach_reader(file, error);
    if (reader) {
        len = MIN(blk_node_get_len(file), BLK_PROBE_BYTES);
        ret = len > 0 ? blk_read_buffer(reader, 0, head, len) : 0;
        if (ret < 0) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' cannot be read: %s.", file->filename,
                        g_strerror(-ret));
        } else {
            *out_driver = blk_probe(graph, head, len, file->filename);
        }
        blk_child_detach(reader);
    }
    if (!*out_driver) {
        blk_node_unref(file);
        return NULL;
    }
    return file;
}

/* Options that users write beside a format but that are the file's. */
static void
move_file_options(const BlkDriver *driver, BlkOptions *options)
{
    static const char *const keys[] = { "filename", "aio", "locking" };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(keys); i++) {
        g_autofree char *sub_key = g_strconcat("file.", keys[i], NULL);
        g_autofree char *value =
            vit_prop_find(driver->options, keys[i]) ? NULL : blk_options_take(options, keys[i]);
        if (value && !blk_options_get(options, sub_key)) {
            blk_options_set(options, sub_key, value);
        }
    }
}

static const BlkDriver *
take_driver(BlkGraph *graph, BlkOptions *options, bool protocol, GError **error)
{
    g_autofree char *name = blk_options_take(options, "driver");
    const BlkDriver *driver;

    if (!name && protocol) {
        g_autofree char *filename = blk_options_take(options, "filename");
        if (!filename) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "An image needs a driver or a file name: add driver= or filename=.");
            return NULL;
        }
        if (!blk_options_add_protocol_name(graph, options, "", filename, error)) {
            return NULL;
        }
        name = blk_options_take(options, "driver");
    }
    driver = name ? blk_graph_find_driver(graph, name) : NULL;
    if (name && !driver) {
        blk_set_unknown_driver_error(graph, name, error);
    }
    return driver;
}

static BlkNode *
open_node(BlkGraph *graph, BlkOptions *options, bool protocol, const BlkOpenScope *scope,
          GError **error)
{
    g_autoptr(BlkOptions) backing = NULL;
    GError *cause = NULL;
    const BlkDriver *driver = take_driver(graph, options, protocol, &cause);
    bool probe = !driver && !cause;
    BlkNode *file = NULL;
    g_autoptr(BlkNode) node = NULL;

    if (probe) {
        move_file_options(&blk_raw_driver, options);
        file = open_probed_file(graph, options, scope, &driver, &cause);
    }
    if (!driver) {
        g_propagate_error(error, cause);
        return NULL;
    }
    node = blk_node_new(graph, driver);
    node->format_given = !probe;
    if (file) {
        blk_node_add_child(node, "file", file);
    } else {
        move_file_options(driver, options);
    }
    if (!take_generic_options(node, options, error)) {
        return NULL;
    }
    bool no_backing = take_backing_options(node, options, &backing);
    if (!open_children(node, options, scope, error) || !take_driver_options(node, options, error) ||
        !finish_open(node, error) || (!no_backing && !open_backing(node, backing, scope, error))) {
        return NULL;
    }
    return g_steal_pointer(&node);
}

BlkNode *
blk_open_new_file(BlkGraph *graph, BlkOptions *options, const char *title, GError **error)
{
    const BlkDriver *driver = take_driver(graph, options, true, error);
    g_autofree char *name = blk_options_take(options, "node-name");
    g_autoptr(BlkNode) node = NULL;

    if (!driver) {
        return NULL;
    }
    if (!driver->make_file && !driver->holds_images) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' cannot be made: block driver '%s' makes no images. Make it as a local "
                    "file, and copy that there by other means.",
                    title, driver->name);
        return NULL;
    }
    node = blk_node_new(graph, driver);
    return take_generic_options(node, options, error) && take_driver_options(node, options, error)
               ? g_steal_pointer(&node)
               : NULL;
}

BlkNode *
blk_open_in_fiber(BlkGraph *graph, BlkOptions *options, bool protocol, GError **error)
{
    return open_node(graph, options, protocol, NULL, error);
}

BlkNode *
blk_node_open_internal(BlkGraph *graph, const BlkDriver *driver, BlkNode *file, BlkNode *backing,
                       void (*init)(BlkNode *node, void *opaque), void *opaque, GError **error)
{
    g_autoptr(BlkNode) node = blk_node_new(graph, driver);

    node->format_given = true;
    blk_node_set_name(node, NULL, NULL);
    if (file) {
        blk_node_add_child(node, "file", blk_node_ref(file));
    }
    if (backing) {
        blk_node_add_child(node, "backing", blk_node_ref(backing));
    }
    init(node, opaque);
    return finish_open(node, error) ? g_steal_pointer(&node) : NULL;
}

/* ---- from outside of fibers ---- */

typedef struct OpenCall {
    BlkGraph *graph;
    BlkOptions *options;
    GError **error;
    BlkNode *node;
} OpenCall;

static void
open_call(void *opaque)
{
    OpenCall *call = opaque;

    call->node = blk_open_in_fiber(call->graph, call->options, false, call->error);
}

/* What json:TEXT says. Where a format is given already, and TEXT is about a file, it is its file.
 */
static bool
add_description(BlkGraph *graph, BlkOptions *options, const char *text, GError **error)
{
    g_autoptr(BlkOptions) json = blk_options_from_json(text, error);
    const char *given = blk_options_get(options, "driver");
    const char *said = json ? blk_options_get(json, "driver") : NULL;
    const BlkDriver *above = given ? blk_graph_find_driver(graph, given) : NULL;
    const BlkDriver *below = said ? blk_graph_find_driver(graph, said) : NULL;

    if (!json) {
        return false;
    }
    if (above && above->role == BLK_ROLE_FORMAT && below && below->role == BLK_ROLE_PROTOCOL) {
        blk_options_add_prefixed(options, "file.", json);
    } else {
        blk_options_add_missing(options, json);
    }
    return true;
}

static BlkOptions *
options_for_filename(BlkGraph *graph, const char *filename, const BlkOptions *given, GError **error)
{
    g_autoptr(BlkOptions) options = given ? blk_options_copy(given) : blk_options_new();

    if (filename && g_str_has_prefix(filename, "json:")) {
        if (!add_description(graph, options, filename + strlen("json:"), error)) {
            return NULL;
        }
    } else if (filename && !blk_options_add_filename(graph, options, filename, error)) {
        return NULL;
    }
    return g_steal_pointer(&options);
}

BlkNode *
blk_open(BlkGraph *graph, const char *filename, const BlkOptions *options, GError **error)
{
    g_autoptr(BlkOptions) own = options_for_filename(graph, filename, options, error);
    OpenCall call = { .graph = graph, .options = own, .error = error };

    if (!own) {
        return NULL;
    }
    blk_context_run(graph->context, open_call, &call);
    return call.node;
}

typedef struct ReadOnlyCall {
    BlkNode *node;
    bool read_only, ok;
    GError **error;
} ReadOnlyCall;

static bool
set_read_only(BlkNode *node, bool read_only, GError **error)
{
    bool old = node->read_only;

    if (old == read_only) {
        return true;
    }
    /* Down first when writing is to be allowed, so that nothing writable hangs over a file that
     * is not; the other way round when it is taken away. */
    if (!read_only && node->file && !set_read_only(node->file->node, false, error)) {
        return false;
    }
    if (node->driver->set_read_only && !node->driver->set_read_only(node, read_only, error)) {
        return false;
    }
    node->read_only = read_only;
    if (!blk_node_update_perm(node, error)) {
        node->read_only = old;
        return false;
    }
    return !read_only || !node->file || set_read_only(node->file->node, true, error);
}

static void
read_only_call(void *opaque)
{
    ReadOnlyCall *call = opaque;

    call->ok = set_read_only(call->node, call->read_only, call->error);
}

bool
blk_node_set_read_only(BlkNode *node, bool read_only, GError **error)
{
    ReadOnlyCall call = { .node = node, .read_only = read_only, .error = error };

    blk_node_drained_begin(node);
    blk_context_run(node->context, read_only_call, &call);
    blk_node_drained_end(node);
    return call.ok;
}
