/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Formats that are only read: bochs, cloop, dmg, and differencing vpc images. They are made here by
 * the descriptions of the formats, read by us and by qemu-img, and then damaged.
 * mission: bochs cloop dmg vpc */

#include "format-disk.h"

#include <bzlib.h>
#include <string.h>
#include <zlib.h>

enum { DISK_BYTES = 3 * 1024 * 1024 + 512 * 3, MAX_IMAGE = 16 << 20 };

typedef struct Made {
    BlockTest test;
    char *path;
    uint8_t *copy, *image;
    size_t copy_len, len; /* of the image */
} Made;

static void
begin(Made *made)
{
    *made = (Made){ .copy_len = DISK_BYTES };
    block_test_init(&made->test);
    made->path = block_test_path(&made->test, "image");
    made->copy = g_malloc0(DISK_BYTES + (1 << 20));
    made->image = g_malloc0(MAX_IMAGE);
    for (size_t i = 0; i < DISK_BYTES; i++) {
        made->copy[i] = i / 100000 % 3 ? (uint8_t)(i >> 9 ^ i) : 0;
    }
}

static void
finish(Made *made)
{
    block_test_finish(&made->test);
    g_free(made->path);
    g_free(made->copy);
    g_free(made->image);
}

static void
put_be(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
    }
}

static void
put_le(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(value >> 8 * i);
    }
}

static BlkNode *
open_made(Made *made, const char *format, GError **error)
{
    g_autoptr(BlkOptions) options = blk_options_new();

    blk_options_set(options, "driver", format);
    blk_options_set(options, "read-only", "on");
    return blk_open(made->test.graph, made->path, options, error);
}

/* By us, whole and in odd pieces, and by the judge. */
static void
assert_read(Made *made, const char *format)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BlkNode) node = open_made(made, format, &error);
    g_autofree uint8_t *buf = g_malloc(made->copy_len);
    g_autofree char *raw = block_test_path(&made->test, "judged"), *text = NULL, *bytes = NULL;
    const char *args[] = { "convert", "-f", format, "-O", "raw", made->path, raw, NULL };
    BlkImage *image;
    gsize len;

    g_assert_no_error(error);
    image = blk_image_new(node, false, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(blk_image_get_len(image), ==, made->copy_len);
    g_assert_cmpint(blk_image_read(image, 0, buf, made->copy_len), ==, 0);
    g_assert_cmpmem(buf, made->copy_len, made->copy, made->copy_len);
    for (size_t at = 0; at + 70001 < made->copy_len; at += 70001) {
        g_assert_cmpint(blk_image_read(image, at, buf, 5000), ==, 0);
        g_assert_cmpmem(buf, 5000, made->copy + at, 5000);
    }
    blk_image_free(image);
    if (!format_has_judge()) {
        return;
    }
    if (format_run_judge(args, &text) != 0) {
        g_error("qemu-img convert -f %s: %s", format, text);
    }
    g_assert_true(g_file_get_contents(raw, &bytes, &len, NULL));
    g_assert_cmpmem(bytes, len, made->copy, made->copy_len);
}

typedef struct Damage {
    int at; /* negative: from the end */
    const char *bytes;
    unsigned len;
    const char *words;
} Damage;

static void
assert_damage(Made *made, const char *format, const Damage *rows, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const Damage *row = &rows[i];
        size_t at = row->at < 0 ? made->len - (size_t)-row->at : (size_t)row->at;
        g_autofree uint8_t *bad = g_memdup2(made->image, made->len);
        g_autoptr(GError) error = NULL;

        memcpy(bad + at, row->bytes, row->len);
        format_put_file(made->path, bad, made->len);
        g_assert_null(open_made(made, format, &error));
        if (!strstr(error->message, row->words) || !strstr(error->message, made->path)) {
            g_error("%s, byte %d: \"%s\" does not say \"%s\"", format, row->at, error->message,
                    row->words);
        }
    }
}

static void
assert_not_written(Made *made, const char *format)
{
    g_autofree char *text = g_strdup_printf("driver=%s", format);
    g_autoptr(BlkOptions) options = block_test_options(text);
    g_autoptr(GError) error = NULL;
    BlkNode *node;

    g_assert_null(blk_open(made->test.graph, made->path, options, &error));
    g_assert_nonnull(strstr(error->message, "read-only=on"));
    blk_options_set(options, "auto-read-only", "on");
    node = blk_open(made->test.graph, made->path, options, NULL);
    g_assert_nonnull(node);
    blk_node_unref(node);
}

/* ---- bochs ---- */

static void
make_bochs(Made *made, unsigned version)
{
    enum { EXTENT = 256 * 1024, BITMAP = EXTENT / 512 / 8, CATALOG = 64 };
    uint8_t *image = made->image, *at = image + 512 + CATALOG * 4;
    unsigned extents = 0;

    memset(image, 0, MAX_IMAGE);
    memcpy(image, "Bochs Virtual HD Image", 22);
    memcpy(image + 32, "Redolog", 7);
    memcpy(image + 48, "Growing", 7);
    put_le(image + 64, version << 16, 4);
    put_le(image + 68, 512, 4);
    put_le(image + 72, CATALOG, 4);
    put_le(image + 76, BITMAP, 4);
    put_le(image + 80, EXTENT, 4);
    put_le(image + (version == 1 ? 84 : 88), made->copy_len, 8);
    memset(image + 512, 0xff, CATALOG * 4);
    for (size_t start = 0; start < made->copy_len; start += EXTENT) {
        size_t len = MIN((size_t)EXTENT, made->copy_len - start);
        if (blk_is_zero(made->copy + start, len)) {
            continue;
        }
        put_le(image + 512 + start / EXTENT * 4, extents++, 4);
        for (size_t sector = 0; sector < len / 512; sector++) {
            if (!blk_is_zero(made->copy + start + sector * 512, 512)) {
                at[sector / 8] |= (uint8_t)(1u << sector % 8);
                memcpy(at + 512 + sector * 512, made->copy + start + sector * 512, 512);
            }
        }
        at += 512 + EXTENT;
    }
    made->len = (size_t)(at - image);
    format_put_file(made->path, image, made->len);
}

static void
test_bochs(void)
{
    static const Damage damage[] = {
        { 0, "x", 1, "offset 0 (magic)" },
        { 48, "x", 1, "offset 0 (magic)" },
        { 66, "\3", 1, "offset 64 (version)" },
        { 74, "\x20", 1, "offset 72 (entries of the catalog)" },
        { 76, "\1", 1, "offset 76 (bitmap size)" },
        { 80, "\1", 1, "offset 80 (extent size)" },
        { 95, "\1", 1, "offset 88 (disk size)" },
        { 71, "\x40", 1, "(catalog)" },
    };
    Made made;

    begin(&made);
    make_bochs(&made, 1);
    assert_read(&made, "bochs");
    make_bochs(&made, 2);
    assert_read(&made, "bochs");
    assert_not_written(&made, "bochs");
    assert_damage(&made, "bochs", damage, G_N_ELEMENTS(damage));
    finish(&made);
}

/* ---- cloop ---- */

static void
test_cloop(void)
{
    enum { BLOCK = 64 * 1024 };
    static const char script[] = "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t "
                                 "iso9660 /dev/cloop $1\n";
    static const Damage damage[] = {
        { 128, "\xff", 1, "offset 128 (block size)" },
        { 131, "\1", 1, "offset 128 (block size)" },
        { 132, "\xff", 1, "offset 132 (blocks)" },
        { 136, "\x7f", 1, "offset 136 (place of a block)" },
        { 144, "\0\0\0\0\0\0\0\1", 8, "offset 144 (place of a block)" },
    };
    Made made;
    size_t blocks, at;

    begin(&made);
    blocks = (made.copy_len + BLOCK - 1) / BLOCK;
    made.copy_len = blocks * BLOCK;
    memcpy(made.image, script, strlen(script));
    put_be(made.image + 128, BLOCK, 4);
    put_be(made.image + 132, blocks, 4);
    at = 136 + (blocks + 1) * 8;
    for (size_t i = 0; i < blocks; i++) {
        uLongf len = compressBound(BLOCK);
        g_assert_cmpint(compress(made.image + at, &len, made.copy + i * BLOCK, BLOCK), ==, Z_OK);
        put_be(made.image + 136 + i * 8, at, 8);
        at += len;
    }
    put_be(made.image + 136 + blocks * 8, at, 8);
    made.len = at;
    format_put_file(made.path, made.image, made.len);
    assert_read(&made, "cloop");
    assert_not_written(&made, "cloop");
    assert_damage(&made, "cloop", damage, G_N_ELEMENTS(damage));
    finish(&made);
}

/* ---- dmg ---- */

enum { CHUNK_SECTORS = 512, CHUNK = CHUNK_SECTORS * 512 };

/* Puts LEN bytes at START of the disk as a chunk; its type. */
static uint32_t
put_chunk(Made *made, size_t start, size_t len, unsigned kind, size_t *at)
{
    const uint8_t *data = made->copy + start;

    if (blk_is_zero(data, len)) {
        return kind % 2 ? 0 : 2;
    }
    if (kind == 0) {
        memcpy(made->image + *at, data, len);
        *at += len;
        return 1;
    }
    if (kind == 1) {
        uLongf out = compressBound(len);
        g_assert_cmpint(compress(made->image + *at, &out, data, len), ==, Z_OK);
        *at += out;
        return 0x80000005;
    }
    unsigned out = (unsigned)(len + len / 50 + 1000);
    g_assert_cmpint(BZ2_bzBuffToBuffCompress((char *)made->image + *at, &out, (char *)data,
                                             (unsigned)len, 9, 0, 0),
                    ==, BZ_OK);
    *at += out;
    return 0x80000006;
}

/* A table for [FROM, TO) of the disk. */
static char *
make_table(Made *made, size_t from, size_t to, unsigned kinds, size_t *at)
{
    unsigned count = (unsigned)((to - from + CHUNK - 1) / CHUNK), i = 0;
    size_t len = 204 + (count + 1) * 40;
    g_autofree uint8_t *table = g_malloc0(len);

    memcpy(table, "mish", 4);
    put_be(table + 4, 1, 4);
    put_be(table + 8, from / 512, 8);
    put_be(table + 16, (to - from) / 512, 8);
    put_be(table + 200, count + 1, 4);
    for (size_t start = from; start < to; start += CHUNK, i++) {
        size_t piece = MIN((size_t)CHUNK, to - start), place = *at;
        uint8_t *entry = table + 204 + i * 40;
        put_be(entry, put_chunk(made, start, piece, i % kinds, at), 4);
        put_be(entry + 8, (start - from) / 512, 8);
        put_be(entry + 16, piece / 512, 8);
        put_be(entry + 24, place, 8);
        put_be(entry + 32, *at - place, 8);
    }
    put_be(table + 204 + count * 40, 0xffffffff, 4);
    put_be(table + 204 + count * 40 + 8, (to - from) / 512, 8);
    put_be(table + 204 + count * 40 + 24, *at, 8);
    return g_base64_encode(table, len);
}

static void
make_dmg(Made *made, unsigned kinds)
{
    size_t at = 0, half = made->copy_len / 2 / 512 * 512;
    uint8_t *trailer;

    memset(made->image, 0, MAX_IMAGE);
    g_autofree char *first = make_table(made, 0, half, kinds, &at);
    g_autofree char *second = make_table(made, half, made->copy_len, kinds, &at);
    g_autofree char *xml = g_strdup_printf(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\">\n<dict>\n"
        "<key>resource-fork</key>\n<dict>\n<key>blkx</key>\n<array>\n"
        "<dict>\n<key>Data</key>\n<data>\n%s\n</data>\n</dict>\n"
        "<dict>\n<key>Data</key>\n<data>\n%s\n</data>\n</dict>\n</array>\n"
        "<key>plst</key>\n<array><dict><key>Data</key><data>AAAA</data></dict></array>\n"
        "</dict>\n</dict>\n</plist>\n",
        first, second);
    memcpy(made->image + at, xml, strlen(xml));
    trailer = made->image + at + strlen(xml);
    memcpy(trailer, "koly", 4);
    put_be(trailer + 4, 4, 4);
    put_be(trailer + 8, 512, 4);
    put_be(trailer + 0x20, at, 8);
    put_be(trailer + 0xd8, at, 8);
    put_be(trailer + 0xe0, strlen(xml), 8);
    put_be(trailer + 0x1ec, made->copy_len / 512, 8);
    made->len = at + strlen(xml) + 512;
    format_put_file(made->path, made->image, made->len);
}

static void
test_dmg(void)
{
    static const Damage damage[] = {
        { -512, "x", 1, "(trailer)" },
        { -512 + 0xd8, "\x7f", 1, "(property list)" },
        { -512 + 0xe0, "\x7f", 1, "(property list)" },
        { -512 + 0x18, "\x10", 1, "(chunk)" },
    };
    Made made;

    begin(&made);
    make_dmg(&made, 2);
    assert_read(&made, "dmg");
    make_dmg(&made, 3);
    {
        /* The judge's bzip2 is a module that may not be there. */
        g_autoptr(GError) error = NULL;
        g_autoptr(BlkNode) node = open_made(&made, "dmg", &error);
        g_autofree uint8_t *buf = g_malloc(made.copy_len);
        BlkImage *image = blk_image_new(node, false, &error);
        g_assert_no_error(error);
        g_assert_cmpint(blk_image_read(image, 0, buf, made.copy_len), ==, 0);
        g_assert_cmpmem(buf, made.copy_len, made.copy, made.copy_len);
        blk_image_free(image);
    }
    assert_not_written(&made, "dmg");
    assert_damage(&made, "dmg", damage, G_N_ELEMENTS(damage));
    finish(&made);
}

/* ---- differencing vpc ---- */

static void
sum(uint8_t *buf, size_t len, size_t at)
{
    uint32_t value = 0;

    put_be(buf + at, 0, 4);
    for (size_t i = 0; i < len; i++) {
        value += buf[i];
    }
    put_be(buf + at, ~value, 4);
}

/* A child of PARENT with every third sector of the first block its own. */
static void
make_child(Made *made, const char *parent)
{
    enum { BLOCK = 2 << 20, HEADER = 512, BAT = 1536, DATA = 2048 };
    uint8_t *image = made->image, *footer = image + DATA + 512 + BLOCK;

    memset(image, 0, MAX_IMAGE);
    memcpy(image, "conectix\0\0\0\2\0\1\0\0", 16);
    put_be(image + 16, HEADER, 8);
    memcpy(image + 28, "win ", 4);
    put_be(image + 40, made->copy_len, 8);
    put_be(image + 48, made->copy_len, 8);
    put_be(image + 60, 4, 4);
    sum(image, 512, 64);
    memcpy(image + HEADER, "cxsparse", 8);
    memset(image + HEADER + 8, 0xff, 8);
    put_be(image + HEADER + 16, BAT, 8);
    put_be(image + HEADER + 24, 0x10000, 4);
    put_be(image + HEADER + 28, 2, 4);
    put_be(image + HEADER + 32, BLOCK, 4);
    for (unsigned i = 0; parent[i]; i++) {
        image[HEADER + 64 + 2 * i + 1] = (uint8_t)parent[i];
    }
    sum(image + HEADER, 1024, 36);
    memset(image + BAT, 0xff, 512);
    put_be(image + BAT, DATA / 512, 4);
    for (size_t sector = 0; sector < BLOCK / 512; sector += 3) {
        image[DATA + sector / 8] |= (uint8_t)(0x80 >> sector % 8);
        memset(image + DATA + 512 + sector * 512, (int)sector, 512);
        memset(made->copy + sector * 512, (int)sector, 512);
    }
    memcpy(footer, image, 512);
    made->len = (size_t)(footer + 512 - image);
    format_put_file(made->path, image, made->len);
}

static void
test_vpc_child(void)
{
    FormatRow row = { .name = "vpc", .format = "vpc", .create = "force_size=on" };
    g_autoptr(GError) error = NULL;
    g_autoptr(BlkOptions) options = block_test_options("size=3M,force_size=on");
    BlkImage *image;
    BlkNode *node;
    Made made;

    begin(&made);
    made.copy_len = 3 << 20;
    g_autofree char *parent = block_test_path(&made.test, "parent.vhd");
    blk_create(made.test.graph, row.format, parent, options, &error);
    g_assert_no_error(error);
    node = block_test_open(&made.test, parent, "driver=vpc");
    image = blk_image_new(node, true, &error);
    g_assert_cmpint(blk_image_write(image, 0, made.copy, made.copy_len), ==, 0);
    blk_image_free(image);
    blk_node_unref(node);

    make_child(&made, ".\\parent.vhd");
    node = open_made(&made, "vpc", &error);
    g_assert_no_error(error);
    image = blk_image_new(node, false, &error);
    g_autofree uint8_t *buf = g_malloc(made.copy_len);
    g_assert_cmpint(blk_image_read(image, 0, buf, made.copy_len), ==, 0);
    g_assert_cmpmem(buf, made.copy_len, made.copy, made.copy_len);
    blk_image_free(image);
    blk_node_unref(node);
    assert_not_written(&made, "vpc");
    finish(&made);
}

int
main(int argc, char **argv)
{
    block_test_use_memory();
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/packed/bochs", test_bochs);
    g_test_add_func("/block/packed/cloop", test_cloop);
    g_test_add_func("/block/packed/dmg", test_dmg);
    g_test_add_func("/block/packed/vpc-child", test_vpc_child);
    return g_test_run();
}
