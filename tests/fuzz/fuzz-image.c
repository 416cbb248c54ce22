/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What targets for image formats share. Thread: the target's. */

#include "fuzz-image.h"

#include "blk-format.h"

#include <json-glib/json-glib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MOST_RUNS = 64 };

BlkOptions *
fuzz_options(const char *text)
{
    BlkOptions *options = blk_options_new();
    g_auto(GStrv) pairs = g_strsplit(text, ",", -1);

    for (char **pair = pairs; *pair && **pair; pair++) {
        g_auto(GStrv) parts = g_strsplit(*pair, "=", 2);
        blk_options_set(options, parts[0], parts[1]);
    }
    return options;
}

BlkNode *
fuzz_open(BlkGraph *graph, const char *format, const char *path, const char *text)
{
    g_autoptr(BlkOptions) options = fuzz_options(text);

    blk_options_set(options, "driver", format);
    blk_options_set(options, "backing", "");
    blk_options_set(options, "file.locking", "off");
    blk_options_set(options, "cache.no-flush", "on");
    return blk_open(graph, path, options, NULL);
}

int
fuzz_file(const uint8_t *bytes, size_t len, char **out_path)
{
    int fd = memfd_create("image", MFD_CLOEXEC);

    g_assert_true(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    *out_path = g_strdup_printf("/proc/self/fd/%d", fd);
    return fd;
}

void
fuzz_check_unchanged(int fd, const uint8_t *bytes, size_t len)
{
    g_autofree uint8_t *now = g_malloc(len);

    g_assert_cmpint(pread(fd, now, len, 0), ==, (ssize_t)len);
    g_assert_cmpmem(bytes, len, now, len);
}

void
fuzz_look(BlkNode *node)
{
    g_autofree uint8_t *buf = g_malloc(FUZZ_LOOK_BYTES);
    g_autoptr(BlkImage) image = blk_image_new(node, false, NULL);
    JsonObject *object = blk_node_describe(node);
    BlkRun run;

    if (object) {
        json_object_unref(object);
    }
    if (image) {
        uint64_t len = blk_image_get_len(image), offset = 0;
        blk_image_read(image, 0, buf, MIN(len, FUZZ_LOOK_BYTES));
        if (len > FUZZ_LOOK_BYTES) {
            blk_image_read(image, len - FUZZ_LOOK_BYTES, buf, FUZZ_LOOK_BYTES);
        }
        for (unsigned i = 0; i < MOST_RUNS && offset < len; i++) {
            if (blk_image_describe_run(image, offset, len - offset, &run) < 0) {
                break;
            }
            offset += run.len_bytes;
        }
    }
}
