/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What targets for image formats share. Thread: the target's. */

#include "fuzz-image.h"

#include "blk-format.h"

#include <json-glib/json-glib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MOST_RUNS = 64, PAGE_BYTES = 4096, PIECE_BYTES = 100 * 1024 };

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
    if (!strstr(text, "backing.")) {
        blk_options_set(options, "backing", "");
    }
    blk_options_set(options, "file.locking", "off");
    blk_options_set(options, "cache.no-flush", "on");
    return blk_open(graph, path, options, NULL);
}

int
fuzz_file(const uint8_t *bytes, size_t len, char **out_path)
{
    static const uint8_t zeroes[PAGE_BYTES] = { 0 };
    int fd = memfd_create("image", MFD_CLOEXEC);

    g_assert_true(fd >= 0 && ftruncate(fd, (off_t)len) == 0);
    for (size_t at = 0; at < len; at += PAGE_BYTES) {
        size_t count = MIN(len - at, PAGE_BYTES);
        if (memcmp(bytes + at, zeroes, count) != 0) {
            g_assert_cmpint(pwrite(fd, bytes + at, count, (off_t)at), ==, (ssize_t)count);
        }
    }
    *out_path = g_strdup_printf("/proc/self/fd/%d", fd);
    return fd;
}

void
fuzz_check_unchanged(int fd, const uint8_t *bytes, size_t len)
{
    uint8_t now[PAGE_BYTES];
    off_t at = 0, end;

    g_assert_cmpint(lseek(fd, 0, SEEK_END), ==, (off_t)len);
    /* what was no hole; a hole stays zero */
    while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
        end = lseek(fd, at, SEEK_HOLE);
        while (at < end) {
            size_t count = (size_t)MIN(end - at, PAGE_BYTES);
            g_assert_cmpint(pread(fd, now, count, at), ==, (ssize_t)count);
            g_assert_cmpmem(bytes + at, count, now, count);
            at += (off_t)count;
        }
    }
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

static void
act_on_snapshots(BlkNode *node, unsigned kind)
{
    BlkSnapshot snapshot = { .name = (char *)"s" };

    switch (kind) {
    case 0: blk_node_create_snapshot(node, &snapshot, NULL); break;
    case 1: blk_node_apply_snapshot(node, "1", NULL); break;
    default: blk_node_delete_snapshot(node, "1", NULL);
    }
}

/* KIND of 0 to 11, at OFFSET of a disk of LEN. */
static void
act_on_disk(BlkImage *image, unsigned kind, uint64_t offset, uint64_t len, uint8_t *buf)
{
    uint64_t left = len - offset, aligned = offset & ~UINT64_C(65535);

    switch (kind) {
    case 0: blk_image_write(image, offset, buf, MIN(left, 512)); break;
    case 1:
        blk_image_write(image, offset + MIN(left, 100), buf, MIN(left - MIN(left, 100), 5000));
        break;
    case 2: blk_image_write(image, offset, buf, MIN(left, PIECE_BYTES)); break;
    case 3: blk_image_write_zeroes(image, offset, MIN(left, 5000), false); break;
    case 4: blk_image_write_zeroes(image, offset, MIN(left, PIECE_BYTES), true); break;
    case 5: blk_image_discard(image, offset, MIN(left, PIECE_BYTES)); break;
    case 6: blk_image_flush(image); break;
    case 7: blk_image_resize(image, len + 65536, BLK_PREALLOC_OFF, NULL); break;
    case 8: blk_image_resize(image, aligned, BLK_PREALLOC_OFF, NULL); break;
    case 9: blk_image_write_compressed(image, aligned, buf, MIN(len - aligned, 16384)); break;
    default: blk_image_read(image, offset, buf, MIN(left, PIECE_BYTES));
    }
}

void
fuzz_act(BlkNode *node, const uint8_t *acts)
{
    g_autofree uint8_t *buf = g_malloc(PIECE_BYTES);
    BlkImage *image = blk_image_new(node, true, NULL);

    memset(buf, 1, PIECE_BYTES);
    for (unsigned i = 0; i < FUZZ_ACTS && acts[i] && image; i++) {
        uint64_t len = blk_image_get_len(image);
        if (len > 1 << 30) {
            break;
        }
        if (acts[i] % 16 < 12) {
            act_on_disk(image, acts[i] % 16, len / 16 * (acts[i] / 16), len, buf);
            continue;
        }
        g_clear_pointer(&image, blk_image_free); /* these want the node alone */
        if (acts[i] % 16 < 15) {
            act_on_snapshots(node, acts[i] % 16 - 12);
        } else if (blk_node_can_check(node)) {
            BlkCheck check = { .fix_leaks = true, .fix_errors = true };
            blk_node_check(node, &check, NULL);
        }
        image = blk_image_new(node, true, NULL);
    }
    g_clear_pointer(&image, blk_image_free);
}
