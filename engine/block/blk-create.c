/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Where a new image goes: the one way from its name to an empty file, whatever the protocol, that
 * the formats use.
 *
 * Protocols with files make one (make_file). Those whose storage is there already (holds_images)
 * are opened: it must be large enough, and its first sector is zeroed, so that nobody finds the
 * image that was there before. The other protocols only read.
 *
 * A name may be a description (json:). One of a format may say nothing but its file, which may be
 * a node that is there; such a node is emptied and written.
 *
 * Thread: in a fiber, but for what tools call: blk_makes_file(), blk_remove_file(). */

#include "blk-driver.h"

#include <string.h>

enum { SECTOR_BYTES = 512 };

typedef struct Place {
    BlkOptions *options; /* of a protocol node */
    BlkNode *node;       /* or the node itself; a reference */
} Place;

static void
place_clear(Place *place)
{
    g_clear_pointer(&place->options, blk_options_free);
    g_clear_pointer(&place->node, blk_node_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Place, place_clear)

/* ---- names ---- */

static bool
take_reference(BlkGraph *graph, const char *name, Place *out, GError **error)
{
    BlkNode *node = blk_graph_find_node(graph, name);

    if (!node) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "The file of the new image names the node '%s', which does not exist.", name);
        return false;
    }
    out->node = blk_node_ref(node);
    return true;
}

/* OPTIONS of a format, without its driver. */
static bool
take_file(BlkGraph *graph, BlkOptions *options, Place *out, GError **error)
{
    g_autofree char *reference = blk_options_take(options, "file");
    g_autoptr(BlkOptions) file = blk_options_take_sub(options, "file");
    const char *left = blk_options_first_key(options);

    if (left || (!reference && !file)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The description of a new image says where its file is%s%s%s.",
                    left ? ", not '" : ": \"file\": {...}", left ? left : "", left ? "'" : "");
        return false;
    }
    if (reference) {
        return take_reference(graph, reference, out, error);
    }
    out->options = g_steal_pointer(&file);
    return true;
}

static bool
take_description(BlkGraph *graph, const char *text, Place *out, GError **error)
{
    g_autoptr(BlkOptions) options = blk_options_from_json(text, error);
    const char *name = options ? blk_options_get(options, "driver") : NULL;
    const BlkDriver *driver = name ? blk_graph_find_driver(graph, name) : NULL;

    if (options && driver && driver->role == BLK_ROLE_FORMAT) {
        g_autofree char *dropped G_GNUC_UNUSED = blk_options_take(options, "driver");
        return take_file(graph, options, out, error);
    }
    out->options = g_steal_pointer(&options);
    return out->options != NULL;
}

static bool
find_place(BlkGraph *graph, const char *filename, Place *out, GError **error)
{
    if (g_str_has_prefix(filename, "json:")) {
        return take_description(graph, filename + strlen("json:"), out, error);
    }
    out->options = blk_options_new();
    blk_options_set(out->options, "filename", filename);
    return true;
}

static BlkNode *
open_unmade(BlkGraph *graph, const Place *place, const char *filename, GError **error)
{
    g_autoptr(BlkOptions) options = blk_options_copy(place->options);

    return blk_open_new_file(graph, options, filename, error);
}

/* ---- what is there ---- */

bool
blk_fits(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error)
{
    uint64_t have = blk_node_get_len(node);

    if (prealloc != BLK_PREALLOC_OFF) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' ('%s') has its size: space in it cannot be allocated ahead. Use "
                    "preallocation=off.",
                    node->filename, node->driver->name);
        return false;
    }
    if (len > have) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' has %" G_GUINT64_FORMAT " bytes and cannot grow to %" G_GUINT64_FORMAT
                    ": make it larger where it is served, or ask for less.",
                    node->filename, have, len);
        return false;
    }
    return true;
}

static const char *
describe_creator(void *opaque)
{
    return "the making of an image";
}

/* Makes what FILE holds no image any more. */
static bool
empty_file(BlkNode *file, const BlkNewFile *wish, GError **error)
{
    static const BlkUser creator = { .describe = describe_creator };
    static const uint8_t nothing[SECTOR_BYTES] = { 0 };
    BlkChild *edge;
    bool ok = true;

    if (file->driver->holds_images && !blk_fits(file, wish->len, wish->prealloc, error)) {
        return false;
    }
    edge = blk_child_attach(file, &creator, NULL, BLK_PERM_ALL, BLK_PERM_CONSISTENT_READ, error);
    if (!edge) {
        return false;
    }
    blk_node_ref(file);
    if (file->driver->holds_images) {
        size_t len = MIN(blk_node_get_len(file), sizeof(nothing));
        int ret = blk_write_buffer(edge, 0, nothing, len, 0);
        if (ret < 0) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' cannot be written: %s.",
                        file->filename, g_strerror(-ret));
            ok = false;
        }
    } else {
        ok = blk_truncate(edge, 0, BLK_PREALLOC_OFF, error) &&
             blk_truncate(edge, wish->len, wish->prealloc, error);
    }
    blk_child_detach(edge);
    return ok;
}

/* ---- the whole ---- */

static BlkNode *
open_file(BlkGraph *graph, const Place *place, GError **error)
{
    g_autoptr(BlkOptions) options = blk_options_copy(place->options);

    /* A new image that a power failure takes with it is no loss. */
    blk_options_set(options, "cache.no-flush", "on");
    blk_options_set(options, "discard", "unmap");
    return blk_open_in_fiber(graph, options, true, error);
}

static bool
fill_file(BlkGraph *graph, const Place *place, const BlkNewFile *empty, BlkFill fill,
          const void *opaque, GError **error)
{
    g_autoptr(BlkNode) file =
        place->node ? blk_node_ref(place->node) : open_file(graph, place, error);

    return file && (!empty || empty_file(file, empty, error)) &&
           (!fill || fill(file, opaque, error));
}

bool
blk_make_file(BlkGraph *graph, const char *filename, const BlkNewFile *wish, BlkFill fill,
              const void *opaque, bool *out_is_new, GError **error)
{
    g_auto(Place) place = { 0 };
    g_autoptr(BlkNode) unmade = NULL;
    bool is_new = false;

    if (!find_place(graph, filename, &place, error)) {
        return false;
    }
    if (place.options) {
        unmade = open_unmade(graph, &place, filename, error);
        if (!unmade || (unmade->driver->make_file &&
                        !unmade->driver->make_file(unmade, wish, &is_new, error))) {
            return false;
        }
    }
    bool is_made = unmade && unmade->driver->make_file;
    if ((fill || !is_made) &&
        !fill_file(graph, &place, is_made ? NULL : wish, fill, opaque, error)) {
        if (is_new) {
            unmade->driver->remove_file(unmade);
        }
        return false;
    }
    if (out_is_new) {
        *out_is_new = is_new;
    }
    return true;
}

bool
blk_makes_file(BlkGraph *graph, const char *filename)
{
    g_auto(Place) place = { 0 };
    g_autoptr(BlkNode) unmade = NULL;

    if (find_place(graph, filename, &place, NULL) && place.options) {
        unmade = open_unmade(graph, &place, filename, NULL);
    }
    return unmade && unmade->driver->make_file;
}

typedef struct RemoveCall {
    BlkGraph *graph;
    const char *filename;
} RemoveCall;

static void
remove_call(void *opaque)
{
    const RemoveCall *call = opaque;
    g_auto(Place) place = { 0 };
    g_autoptr(BlkNode) unmade = NULL;

    if (find_place(call->graph, call->filename, &place, NULL) && place.options) {
        unmade = open_unmade(call->graph, &place, call->filename, NULL);
    }
    if (unmade && unmade->driver->remove_file) {
        unmade->driver->remove_file(unmade);
    }
}

void
blk_remove_file(BlkGraph *graph, const char *filename)
{
    RemoveCall call = { .graph = graph, .filename = filename };

    blk_context_run(blk_graph_get_context(graph), remove_call, &call);
}
