/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Helpers of the format tests; see format-disk.h. */

#include "format-disk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the judge ---- */

bool
format_has_judge(void)
{
    return test_has_program("qemu-img");
}

static int
run_once(char **argv, char **out_text)
{
    g_autofree char *out = NULL, *err = NULL;
    g_autoptr(GError) error = NULL;
    int status;

    g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &err, &status, &error);
    g_assert_no_error(error);
    *out_text = g_strconcat(out, err, NULL);
    return WEXITSTATUS(status);
}

/* Its LUKS code sometimes cannot measure how long a key takes; it is asked again then. */
int
format_run_judge(const char *const *args, char **out_text)
{
    enum { TRIES = 20 };
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    int status = -1;

    g_ptr_array_add(argv, (char *)"qemu-img");
    for (; *args; args++) {
        g_ptr_array_add(argv, (char *)*args);
    }
    g_ptr_array_add(argv, NULL);
    *out_text = NULL;
    for (unsigned i = 0; i < TRIES; i++) {
        g_free(*out_text);
        status = run_once((char **)argv->pdata, out_text);
        if (status == 0 || !strstr(*out_text, "accurate CPU usage")) {
            break;
        }
    }
    return status;
}

static void
judge(const char *const *args, int allowed)
{
    g_autofree char *text = NULL;
    int status = format_run_judge(args, &text);

    if (status != 0 && status != allowed) {
        g_error("qemu-img %s ... %d\n%s", args[0], status, text);
    }
}

/* How qemu-img is told of the image. */
static char *
image_opts(const FormatDisk *disk)
{
    return g_strdup_printf("driver=%s%s,file.filename=%s%s", disk->row->format,
                           disk->row->flags & FORMAT_SECRET ? ",key-secret=s0" : "", disk->path,
                           disk->row->open ? disk->row->open : "");
}

static void
make_theirs(FormatDisk *disk, uint64_t len)
{
    g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, len);
    g_autofree char *raw = block_test_path(&disk->test, "raw");
    g_autofree char *opts = image_opts(disk);
    const char *options = disk->row->theirs ? disk->row->theirs : disk->row->create;
    const char *create[] = { "create",
                             "-q",
                             "--object",
                             "secret,id=s0,data=open sesame",
                             "-f",
                             disk->row->format,
                             *options ? "-o" : disk->path,
                             *options ? options : size,
                             *options ? disk->path : NULL,
                             size,
                             NULL };
    const char *convert[] = { "convert", "--object", "secret,id=s0,data=open sesame", "-f",
                              "raw",     "-n",       "--target-image-opts",           raw,
                              opts,      NULL };
    /* Subformats that are written once take no second writer. */
    bool whole = strstr(options, "streamOptimized");
    const char *at_once[] = { "convert", "-f",    "raw", "-O",       disk->row->format,
                              "-o",      options, raw,   disk->path, NULL };

    format_disk_fill(disk, disk->copy, len / 3);
    format_disk_fill(disk, disk->copy + len / 2, len / 4);
    format_put_file(raw, (const char *)disk->copy, (gssize)len);
    if (whole) {
        judge(at_once, 0);
    } else {
        judge(create, 0);
        judge(convert, 0);
    }
}

void
format_disk_assert_judged(FormatDisk *disk)
{
    g_autofree char *opts = image_opts(disk);
    g_autofree char *raw = block_test_path(&disk->test, "judged");
    g_autofree char *bytes = NULL;
    const char *check[] = { "check",        "-q", "--object", "secret,id=s0,data=open sesame",
                            "--image-opts", opts, NULL };
    const char *convert[] = { "convert",      "--object", "secret,id=s0,data=open sesame",
                              "--image-opts", "-O",       "raw",
                              opts,           raw,        NULL };
    gsize len;

    if (!format_has_judge()) {
        return;
    }
    if (!(disk->row->flags & FORMAT_NO_CHECK)) {
        judge(check, 0);
    }
    judge(convert, 0);
    g_assert_true(g_file_get_contents(raw, &bytes, &len, NULL));
    g_assert_cmpuint(len, ==, disk->len);
    for (uint64_t i = 0; i < len; i++) {
        if ((uint8_t)bytes[i] != disk->copy[i]) {
            g_error("%s: qemu-img reads byte %" G_GUINT64_FORMAT " as %02x instead of %02x",
                    disk->row->name, i, (uint8_t)bytes[i], disk->copy[i]);
        }
    }
}

void
format_put_file(const char *path, const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

    g_assert_cmpint(fd, >=, 0);
    for (size_t done = 0; done < len;) {
        ssize_t ret = write(fd, (const uint8_t *)bytes + done, len - done);
        g_assert_cmpint(ret, >, 0);
        done += (size_t)ret;
    }
    close(fd);
}

/* ---- the disk ---- */

static void
make_ours(FormatDisk *disk, uint64_t len)
{
    g_autoptr(BlkOptions) options = block_test_options(disk->row->create);
    g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, len);
    g_autoptr(GError) error = NULL;

    blk_options_set(options, "size", size);
    blk_create(disk->test.graph, disk->row->format, disk->path, options, &error);
    g_assert_no_error(error);
}

void
format_disk_open(FormatDisk *disk)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *options =
        g_strdup_printf("driver=%s,discard=unmap%s%s", disk->row->format,
                        disk->row->flags & FORMAT_SECRET ? ",key-secret=s0" : "",
                        disk->row->open ? disk->row->open : "");

    disk->node = block_test_open(&disk->test, disk->path, options);
    disk->image = blk_image_new(disk->node, true, &error);
    g_assert_no_error(error);
    if (disk->len == 0) {
        disk->len = blk_image_get_len(disk->image);
    }
    g_assert_cmpuint(blk_image_get_len(disk->image), ==, disk->len);
}

void
format_disk_close(FormatDisk *disk)
{
    g_clear_pointer(&disk->image, blk_image_free);
    g_clear_pointer(&disk->node, blk_node_unref);
}

void
format_disk_begin(FormatDisk *disk, const FormatRow *row, uint64_t len, bool theirs)
{
    *disk = (FormatDisk){ .row = row };
    block_test_init(&disk->test);
    block_test_add_secret(&disk->test, "s0", "open sesame");
    disk->rand = g_rand_new_with_seed(42);
    disk->copy = g_malloc0(len + (64 << 20));
    disk->path = block_test_path(&disk->test, "disk");
    if (theirs) {
        make_theirs(disk, len);
    } else {
        make_ours(disk, len);
    }
    format_disk_open(disk);
    g_assert_cmpuint(disk->len, >=, len);
    if (!theirs && (row->flags & FORMAT_SECRET)) {
        /* What nobody has written is noise. */
        g_assert_cmpint(blk_image_write_zeroes(disk->image, 0, disk->len, false), ==, 0);
    }
}

void
format_disk_finish(FormatDisk *disk)
{
    format_disk_close(disk);
    block_test_finish(&disk->test);
    g_rand_free(disk->rand);
    g_free(disk->copy);
    g_free(disk->path);
}

void
format_disk_fill(FormatDisk *disk, uint8_t *buf, uint64_t len)
{
    uint32_t value = g_rand_int(disk->rand);

    for (uint64_t i = 0; i < len; i++) {
        buf[i] = (uint8_t)(value >> i % 4 * 8) ^ (uint8_t)(i >> 9);
    }
}

static void
random_request(FormatDisk *disk)
{
    uint64_t max = g_rand_int_range(disk->rand, 0, 4) ? 20000 : 300000;
    uint64_t offset = (uint64_t)(g_rand_double(disk->rand) * (double)disk->len);
    uint64_t wanted = 1 + g_rand_int(disk->rand) % max, len = MIN(wanted, disk->len - offset);
    bool aligned = g_rand_boolean(disk->rand);
    unsigned kind = g_rand_int(disk->rand) % 10;
    g_autofree uint8_t *buf = NULL;

    if (aligned) {
        offset &= ~UINT64_C(4095);
        len = MIN((len + 4095) & ~UINT64_C(4095), disk->len - offset);
    }
    if (kind == 9) {
        /* Whole blocks, whatever their size. */
        offset &= ~UINT64_C(0xfffff);
        len = MIN(UINT64_C(1) << 20, disk->len - offset);
        kind = 6;
    }
    buf = g_malloc(len);
    if (kind < 6) {
        format_disk_fill(disk, buf, len);
        g_assert_cmpint(blk_image_write(disk->image, offset, buf, len), ==, 0);
        memcpy(disk->copy + offset, buf, len);
    } else if (kind == 6) {
        g_assert_cmpint(blk_image_write_zeroes(disk->image, offset, len, aligned), ==, 0);
        memset(disk->copy + offset, 0, len);
    } else if (kind == 7) {
        g_assert_cmpint(blk_image_flush(disk->image), ==, 0);
    } else {
        g_assert_cmpint(blk_image_read(disk->image, offset, buf, len), ==, 0);
        g_assert_cmpint(memcmp(buf, disk->copy + offset, len), ==, 0);
    }
}

void
format_disk_requests(FormatDisk *disk, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        random_request(disk);
    }
}

void
format_disk_assert_content(FormatDisk *disk)
{
    g_autofree uint8_t *buf = g_malloc(disk->len);

    g_assert_cmpint(blk_image_read(disk->image, 0, buf, disk->len), ==, 0);
    for (uint64_t i = 0; i < disk->len; i++) {
        if (buf[i] != disk->copy[i]) {
            g_error("%s: byte %" G_GUINT64_FORMAT " is %02x instead of %02x", disk->row->name, i,
                    buf[i], disk->copy[i]);
        }
    }
}

static void
print_line(void *opaque, const char *text)
{
    g_printerr("%s\n", text);
}

void
format_disk_assert_clean(FormatDisk *disk)
{
    BlkCheck check = { .report = print_line };
    g_autoptr(GError) error = NULL;

    if (!blk_node_can_check(disk->node)) {
        return;
    }
    blk_node_check(disk->node, &check, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(check.corruptions, ==, 0);
    g_assert_cmpuint(check.leaks, ==, 0);
    g_assert_cmpuint(check.check_errors, ==, 0);
}
