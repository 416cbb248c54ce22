/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Hostile images in every format but qcow2: the first byte chooses the format (the environment's
 * VITRINE_FUZZ_FORMAT, set by ./dev fuzz fuzz-format:NAME, takes the choice away), the rest changes
 * bytes of a small sound image where its headers, tables and data are. Sums are put right again, so
 * that what lies behind them is reached. The image is opened for reading, looked at and checked,
 * which must not change it; then it is opened for writing, some bytes of the input choose what is
 * done to it, and it is closed. For vvfat the changes are the guest's. */

#include "fuzz-image.h"

#include "blk-format.h"

#include <glib/gstdio.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_WINDOWS = 5 };

/* Where an image is changed: parts of it, as one line of bytes. */
typedef struct Window {
    uint64_t offset, len;
} Window;

typedef struct Format {
    const char *name, *create; /* NULL: made here */
    Window windows[MAX_WINDOWS];
} Format;

static const Format formats[] = {
    { "vdi", "block_size=4k", { { 0, 12288 } } },
    { "qed", "cluster_size=4k,table_size=1", { { 0, 64 }, { 4096, 4096 }, { 8192, 16384 } } },
    { "qcow", "", { { 0, 64 }, { 4096, 16384 } } },
    { "parallels", "cluster_size=4k", { { 0, 12288 } } },
    { "vpc", "force_size=on", { { 0, 2048 }, { 2048, 1024 } } },
    { "vmdk", "", { { 0, 1024 }, { 10752, 512 }, { 11264, 64 }, { 13312, 512 }, { 13824, 64 } } },
    { "vmdk", "subformat=streamOptimized", { { 0, 1024 }, { 10752, 4096 }, { 65536, 4096 } } },
    { "vhdx",
      "block_size=1M",
      { { 65536, 96 }, { 131072, 96 }, { 196608, 96 }, { 1 << 20, 8192 }, { 3 << 20, 66048 } } },
    { "luks", "key-secret=s0,iter-time=1", { { 0, 592 }, { 4096, 4096 } } },
    { "bochs", NULL, { { 0, 4096 } } },
    { "cloop", NULL, { { 0, 4096 } } },
    { "dmg", NULL, { { 0, 4096 } } },
    { "vvfat", NULL, { { 0, 65536 } } },
};

typedef struct Template {
    uint8_t *bytes, *changed; /* changed: the same again, between runs */
    gsize len;
    unsigned uses;
} Template;

static Template templates[G_N_ELEMENTS(formats)];

static BlkNode *
open_image(BlkGraph *graph, const Format *format, const char *path, const char *text)
{
    g_autofree char *all =
        g_strconcat(text, strcmp(format->name, "luks") == 0 ? ",key-secret=s0" : "", NULL);

    return fuzz_open(graph, format->name, path, all);
}

/* ---- sound images ---- */

static void
put(uint8_t *at, uint64_t value, unsigned bytes, bool big)
{
    for (unsigned i = 0; i < bytes; i++) {
        at[big ? bytes - 1 - i : i] = (uint8_t)(value >> 8 * i);
    }
}

static void
make_bochs(Template *template)
{
    uint8_t *image = template->bytes = g_malloc0(4096);

    template->len = 4096;
    memcpy(image, "Bochs Virtual HD Image", 22);
    memcpy(image + 32, "Redolog", 7);
    memcpy(image + 48, "Growing", 7);
    put(image + 64, 0x20000, 4, false);
    put(image + 68, 512, 4, false);
    put(image + 72, 4, 4, false);
    put(image + 76, 1, 4, false);
    put(image + 80, 1024, 4, false);
    put(image + 88, 4096, 8, false);
    put(image + 516, UINT32_MAX, 4, false);
    image[528] = 3;
}

static void
make_cloop(Template *template)
{
    uint8_t *image = template->bytes = g_malloc0(4096), block[4096];
    size_t at = 136 + 24;

    template->len = 4096;
    memcpy(image, "#!/bin/sh\n#V2.0 Format\n", 23);
    put(image + 128, sizeof(block), 4, true);
    put(image + 132, 2, 4, true);
    for (unsigned i = 0; i < 2; i++) {
        uLongf len = 1500;
        memset(block, (int)i + 1, sizeof(block));
        put(image + 136 + i * 8, at, 8, true);
        compress(image + at, &len, block, sizeof(block));
        at += len;
    }
    put(image + 152, at, 8, true);
}

static void
make_dmg(Template *template)
{
    uint8_t *image = template->bytes = g_malloc0(4096), table[204 + 3 * 40] = "mish", block[1024];
    uLongf len = 500;

    template->len = 4096;
    memset(block, 7, sizeof(block));
    compress(image + 1024, &len, block, sizeof(block));
    put(table + 200, 3, 4, true);
    put(table + 204, 1, 4, true);
    put(table + 204 + 16, 2, 8, true);
    put(table + 204 + 32, 1024, 8, true);
    put(table + 244, 0x80000005, 4, true);
    put(table + 244 + 8, 2, 8, true);
    put(table + 244 + 16, 2, 8, true);
    put(table + 244 + 24, 1024, 8, true);
    put(table + 244 + 32, len, 8, true);
    put(table + 284, UINT32_MAX, 4, true);
    g_autofree char *text = g_base64_encode(table, sizeof(table));
    g_autofree char *xml = g_strdup_printf("<plist><data>%s</data></plist>", text);
    memcpy(image + 2048, xml, strlen(xml));
    memcpy(image + 3584, "koly", 4);
    put(image + 3584 + 0xd8, 2048, 8, true);
    put(image + 3584 + 0xe0, strlen(xml), 8, true);
}

static void
fill(BlkNode *node)
{
    g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
    uint8_t buf[32768];

    for (size_t i = 0; i < sizeof(buf); i++) {
        buf[i] = (uint8_t)(i >> 4);
    }
    blk_image_write(image, 3000, buf, 5000);
    blk_image_write(image, 70000, buf, sizeof(buf));
    blk_image_write_zeroes(image, 150000, 20000, false);
}

static void
make_template(BlkGraph *graph, const Format *format, Template *template)
{
    g_autofree char *dir = g_dir_make_tmp("fuzz-format-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "image", NULL);

    if (format->create) {
        g_autoptr(BlkOptions) options = fuzz_options(format->create);
        blk_options_set(options, "size", G_STRINGIFY(204800));
        if (!blk_create(graph, format->name, path, options, NULL)) {
            g_error("a sound image of format %s cannot be made", format->name);
        }
        BlkNode *node = open_image(graph, format, path, "read-only=off");
        fill(node);
        blk_node_unref(node);
        g_assert_true(g_file_get_contents(path, (char **)&template->bytes, &template->len, NULL));
        unlink(path);
    } else if (strcmp(format->name, "bochs") == 0) {
        make_bochs(template);
    } else if (strcmp(format->name, "cloop") == 0) {
        make_cloop(template);
    } else {
        make_dmg(template);
    }
    rmdir(dir);
}

/* ---- changes ---- */

/* Where byte AT of the windows lies. */
static uint64_t
place_of(const Format *format, uint64_t at)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < MAX_WINDOWS; i++) {
        total += format->windows[i].len;
    }
    at %= total;
    for (unsigned i = 0; i < MAX_WINDOWS; i++) {
        if (at < format->windows[i].len) {
            return format->windows[i].offset + at;
        }
        at -= format->windows[i].len;
    }
    return 0;
}

static uint32_t
crc32c(const uint8_t *buf, size_t len)
{
    static uint32_t table[256];
    uint32_t crc = UINT32_MAX;

    for (unsigned i = 0; !table[255] && i < 256; i++) {
        table[i] = i;
        for (unsigned k = 0; k < 8; k++) {
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0x82f63b78 : 0);
        }
    }
    for (size_t i = 0; i < len; i++) {
        crc = crc >> 8 ^ table[(crc ^ buf[i]) & 255];
    }
    return ~crc;
}

static void
put_sums(const Format *format, uint8_t *image, size_t len)
{
    static const struct {
        uint32_t at, len;
    } parts[] = { { 65536, 4096 }, { 131072, 4096 }, { 196608, 65536 }, { 1 << 20, 8192 } };

    if (strcmp(format->name, "vhdx") == 0 && len > 2 << 20) {
        for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
            put(image + parts[i].at + 4, 0, 4, false);
            put(image + parts[i].at + 4, crc32c(image + parts[i].at, parts[i].len), 4, false);
        }
    }
    /* the search is for what a header says, not for the time it takes */
    for (unsigned i = 0; strcmp(format->name, "luks") == 0 && i < 9; i++) {
        memset(image + (i ? 208 + 48 * (i - 1) + 4 : 164), 0, 2);
    }
    for (unsigned i = 0; strcmp(format->name, "vpc") == 0 && i < 2; i++) {
        uint8_t *part = image + i * 512;
        size_t at = i ? 36 : 64, count = i ? 1024 : 512;
        uint32_t sum = 0;
        put(part + at, 0, 4, true);
        for (size_t k = 0; k < count; k++) {
            sum += part[k];
        }
        put(part + at, ~sum, 4, true);
    }
}

/* Records of two bytes of place, one of length, and what to put there. */
static void
patch(const Format *format, uint8_t *image, size_t len, const uint8_t *data, size_t size)
{
    while (size > 3) {
        size_t at = place_of(format, (uint64_t)data[0] << 8 | data[1]);
        size_t count = MIN(1 + data[2] % 16, size - 3);
        if (at < len) {
            memcpy(image + at, data + 3, MIN(count, len - at));
        }
        data += 3 + count;
        size -= 3 + count;
    }
    put_sums(format, image, len);
}

/* What patch() has changed; the sums lie within windows, too. All of a large image is compared in
 * some runs only. */
static void
restore(const Format *format, Template *template)
{
    enum { MARGIN = 64 };
    size_t start = strcmp(format->name, "vhdx") == 0 ? 65536 : 0;

    for (unsigned i = 0; i < MAX_WINDOWS && format->windows[i].len; i++) {
        size_t at = format->windows[i].offset;
        size_t len = MIN(format->windows[i].len + MARGIN, template->len - MIN(template->len, at));
        memcpy(template->changed + at, template->bytes + at, len);
    }
    memcpy(template->changed + start, template->bytes + start, MIN(4096, template->len - start));
    if (template->uses++ % 64 == 0) {
        g_assert_cmpint(memcmp(template->changed, template->bytes, template->len), ==, 0);
    }
}

/* ---- use ---- */

static void
look(BlkNode *node)
{
    g_autoptr(BlkImage) image = blk_image_new(node, false, NULL);
    BlkCheck check = { 0 };

    fuzz_look(node);
    if (blk_node_can_check(node) && image && blk_image_get_len(image) <= 1 << 30) {
        blk_node_check(node, &check, NULL);
    }
}

static void
run_image(BlkGraph *graph, const Format *format, const uint8_t *bytes, size_t len,
          const uint8_t *acts)
{
    bool has_backing =
        acts[0] & 128 && (strcmp(format->name, "qcow") == 0 || strcmp(format->name, "qed") == 0);
    const char *text =
        has_backing ? "discard=unmap,backing.driver=null-co,backing.size=204800" : "discard=unmap";
    g_autofree char *path = NULL;
    int fd = fuzz_file(bytes, len, &path);
    BlkNode *node = open_image(graph, format, path, "read-only=on");
    if (node) {
        look(node);
        blk_node_unref(node);
        fuzz_check_unchanged(fd, bytes, len);
        node = open_image(graph, format, path, text);
    }
    if (node) {
        fuzz_act(node, acts);
        blk_node_unref(node);
    }
    close(fd);
}

static void
remove_tree(const char *path)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *child = g_build_filename(path, name, NULL);
        remove_tree(child);
    }
    g_clear_pointer(&dir, g_dir_close);
    g_remove(path);
}

/* A guest that writes anything to the start of the disk. Nothing beside the folder may change. */
static void
run_folder(BlkGraph *graph, const uint8_t *data, size_t size)
{
    g_autofree char *dir = g_dir_make_tmp("fuzz-format-XXXXXX", NULL);
    g_autofree char *folder = g_build_filename(dir, "folder", NULL);
    g_autofree char *file = g_build_filename(folder, "FILE.TXT", NULL);
    g_autofree char *sub = g_build_filename(folder, "SUB", NULL);
    g_autofree char *name = g_strconcat("fat:floppy:rw:", folder, NULL);
    g_autofree uint8_t *buf = g_malloc(FUZZ_LOOK_BYTES);
    BlkImage *image;
    BlkNode *node;
    GDir *beside;
    unsigned count = 0;

    g_mkdir(folder, 0700);
    g_mkdir(sub, 0700);
    g_file_set_contents_full(file, "some text", 9, G_FILE_SET_CONTENTS_NONE, 0600, NULL);
    node = blk_open(graph, name, NULL, NULL);
    image = blk_image_new(node, true, NULL);
    blk_image_read(image, 0, buf, FUZZ_LOOK_BYTES);
    patch(&formats[G_N_ELEMENTS(formats) - 1], buf, FUZZ_LOOK_BYTES, data, size);
    blk_image_write(image, 0, buf, FUZZ_LOOK_BYTES);
    blk_image_flush(image);
    blk_image_read(image, 0, buf, FUZZ_LOOK_BYTES);
    blk_image_free(image);
    blk_node_unref(node);
    beside = g_dir_open(dir, 0, NULL);
    while (g_dir_read_name(beside)) {
        count++;
    }
    g_dir_close(beside);
    g_assert_cmpuint(count, ==, 1);
    remove_tree(dir);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *only = g_getenv("VITRINE_FUZZ_FORMAT");
    unsigned index = size ? data[0] % G_N_ELEMENTS(formats) : 0;
    g_autoptr(GBytes) secret = NULL;
    BlkGraph *graph;

    for (unsigned i = 0; only && i < G_N_ELEMENTS(formats); i++) {
        unsigned at = (index + i) % G_N_ELEMENTS(formats);
        if (strcmp(formats[at].name, only) == 0) {
            index = at;
            break;
        }
    }
    if (size < 1 + FUZZ_ACTS) {
        return 0;
    }
    graph = blk_graph_new(NULL, NULL, NULL);
    secret = g_bytes_new_static("secret", 6);
    blk_graph_add_secret(graph, "s0", secret);
    if (strcmp(formats[index].name, "vvfat") == 0) {
        run_folder(graph, data + 1, size - 1);
    } else {
        Template *template = &templates[index];
        if (!template->bytes) {
            make_template(graph, &formats[index], template);
            template->changed = g_memdup2(template->bytes, template->len);
        }
        patch(&formats[index], template->changed, template->len, data + 1 + FUZZ_ACTS,
              size - 1 - FUZZ_ACTS);
        run_image(graph, &formats[index], template->changed, template->len, data + 1);
        restore(&formats[index], template);
    }
    blk_graph_free(graph);
    return 0;
}
