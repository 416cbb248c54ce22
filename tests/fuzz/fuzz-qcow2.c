/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Hostile qcow2 images: the input changes bytes of a small sound image (with a snapshot, compressed
 * and zero clusters, a bitmap), or is the image. It is opened for reading, looked at and checked,
 * which must not change a byte of it; then the rest of the input chooses what is done to it, and it
 * is repaired, written and closed. */

#include "fuzz-image.h"

#include "blk-bitmap.h"
#include "blk-format.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_IMAGE_BYTES = 1 << 20, TEMPLATES = 4 };

static const char *const template_options[TEMPLATES] = {
    "cluster_size=512",
    "cluster_size=512,compat=0.10",
    "cluster_size=512,refcount_bits=1",
    "cluster_size=16k,extended_l2=on,compression_type=zstd",
};

static char *templates[TEMPLATES];
static gsize template_lens[TEMPLATES];

static void
fill_template(BlkNode *node)
{
    g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
    BlkSnapshot snapshot = { .name = (char *)"one" };
    uint8_t buf[32768];
    BlkBitmap *bitmap;

    for (size_t i = 0; i < sizeof(buf); i++) {
        buf[i] = (uint8_t)(i >> 4);
    }
    blk_image_write(image, 3000, buf, 5000);
    blk_image_write_compressed(image, 32768, buf, 16384);
    blk_image_write_zeroes(image, 49152, 16384, false);
    blk_node_create_snapshot(node, &snapshot, NULL);
    blk_image_write(image, 4000, buf, 1000);
    bitmap = blk_bitmap_new(node, "bits", 512, NULL);
    if (bitmap) {
        bitmap->persistent = true;
        blk_bitmap_set(bitmap, 0, 4000);
    }
}

static void
make_templates(BlkGraph *graph)
{
    g_autofree char *dir = g_dir_make_tmp("fuzz-qcow2-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "image", NULL);

    for (unsigned i = 0; i < TEMPLATES; i++) {
        g_autoptr(BlkOptions) options = fuzz_options(template_options[i]);
        blk_options_set(options, "size", "131072");
        if (!blk_create(graph, "qcow2", path, options, NULL)) {
            g_error("the sound image %u cannot be made", i);
        }
        BlkNode *node = fuzz_open(graph, "qcow2", path, "read-only=off");
        fill_template(node);
        blk_node_unref(node);
        g_assert_true(g_file_get_contents(path, &templates[i], &template_lens[i], NULL));
    }
    unlink(path);
    rmdir(dir);
}

/* Records of two bytes of place, one of length, and what to put there. */
static void
patch(uint8_t *image, size_t len, const uint8_t *data, size_t size)
{
    while (size > 3) {
        size_t at = ((size_t)data[0] << 8 | data[1]) % len, count = MIN(1 + data[2] % 16, size - 3);
        memcpy(image + at, data + 3, MIN(count, len - at));
        data += 3 + count;
        size -= 3 + count;
    }
}

static void
look(BlkNode *node)
{
    g_autofree uint8_t *buf = g_malloc(FUZZ_LOOK_BYTES);
    g_autoptr(GPtrArray) snapshots = blk_node_list_snapshots(node);
    g_autoptr(BlkImage) image = blk_image_new(node, false, NULL);
    BlkCheck check = { 0 };

    fuzz_look(node);
    blk_node_check(node, &check, NULL);
    if (snapshots->len > 0) {
        const BlkSnapshot *first = g_ptr_array_index(snapshots, 0);
        if (blk_node_show_snapshot(node, first->id, NULL) && image) {
            blk_image_read(image, 0, buf, MIN(blk_image_get_len(image), FUZZ_LOOK_BYTES));
        }
    }
}

static void
change(BlkNode *node, const uint8_t *acts)
{
    BlkCheck check = { .fix_leaks = true, .fix_errors = true };
    g_autoptr(BlkImage) image = NULL;
    uint8_t buf[5000] = { 1 };

    fuzz_act(node, acts);
    image = blk_image_new(node, true, NULL);
    if (image && blk_image_get_len(image) >= 65536) {
        blk_image_write(image, 1000, buf, sizeof(buf));
    }
    blk_node_check(node, &check, NULL);
    if (image) {
        blk_image_write(image, 0, buf, MIN(sizeof(buf), blk_image_get_len(image)));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    BlkGraph *graph = blk_graph_new(NULL, NULL, NULL);
    g_autofree uint8_t *image = NULL;
    size_t len = size - 1 - FUZZ_ACTS;
    const uint8_t *acts = data + 1, *rest = acts + FUZZ_ACTS;
    const char *text;
    BlkNode *node;
    int fd;

    if (!templates[0]) {
        make_templates(graph);
    }
    if (size < 2 + FUZZ_ACTS) {
        blk_graph_free(graph);
        return 0;
    }
    if (data[0] % (TEMPLATES + 1) < TEMPLATES) {
        len = template_lens[data[0] % (TEMPLATES + 1)];
        image = g_memdup2(templates[data[0] % (TEMPLATES + 1)], len);
        patch(image, len, rest, (size_t)(data + size - rest));
    } else {
        image = g_memdup2(rest, len);
    }
    if (len > 80) {
        image[79] &= (uint8_t)~4; /* never another file */
    }
    g_autofree char *path = NULL;
    fd = fuzz_file(image, len, &path);
    node = fuzz_open(graph, "qcow2", path, "read-only=on");
    if (node) {
        look(node);
        blk_node_unref(node);
        fuzz_check_unchanged(fd, image, len);
        text = acts[0] & 128
                   ? "x-for-check=on,discard=unmap,backing.driver=null-co,backing.size=131072"
                   : "x-for-check=on,discard=unmap";
        node = fuzz_open(graph, "qcow2", path, text);
    }
    if (node) {
        change(node, acts);
        blk_node_unref(node);
    }
    close(fd);
    blk_graph_free(graph);
    return 0;
}
