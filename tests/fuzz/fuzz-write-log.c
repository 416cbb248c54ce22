/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A log of writes that the filter "blklogwrites" is to go on with: the input is its bytes behind a
 * right beginning, unless the first byte is odd. What it takes it writes to. */

#include "fuzz-image.h"

#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Linux, drivers/md/dm-log-writes.c: magic, version, entries, bytes of a sector. */
static const uint8_t beginning[] = {
    0x72, 0x68, 0x73, 0x77, 0x66, 0x73, 0x6a, 0, 1, 0, 0, 0, 0, 0,
    0,    0,    2,    0,    0,    0,    0,    0, 0, 0, 0, 2, 0, 0
};

static void
use(const char *path)
{
    g_autofree char *text = g_strdup_printf(
        "driver=blklogwrites,file.driver=null-co,file.size=65536,file.read-zeroes=on,"
        "log.driver=file,log.filename=%s,log.locking=off,log-append=on",
        path);
    g_autoptr(BlkOptions) options = fuzz_options(text);
    g_autoptr(GError) error = NULL;
    BlkGraph *graph = blk_graph_new(NULL, NULL, NULL);
    BlkNode *node = blk_open(graph, NULL, options, &error);

    g_assert_true(node || error);
    if (node) {
        BlkImage *image = blk_image_new(node, true, NULL);
        uint8_t bytes[512] = { 1 };
        if (image) {
            blk_image_write(image, 512, bytes, sizeof(bytes));
            blk_image_flush(image);
            blk_image_free(image);
        }
        blk_node_unref(node);
    }
    blk_graph_free(graph);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* the first sector ends before the first entry */
    size_t head = size && !(data[0] & 1) ? 512 : 0;
    g_autofree uint8_t *bytes = g_malloc0(head + size + 1);
    g_autofree char *path = NULL;
    int fd;

    if (head) {
        memcpy(bytes, beginning, sizeof(beginning));
        bytes[16] = data[0] >> 5; /* entries */
    }
    if (size) {
        memcpy(bytes + head, data, size);
    }
    fd = fuzz_file(bytes, head + size, &path);
    use(path);
    close(fd);
    return 0;
}
