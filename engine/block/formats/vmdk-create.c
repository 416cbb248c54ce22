/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* New VMDK images: one sparse file with its descriptor, or a descriptor and its extents beside it.
 * Files that were made before one failed are removed again.
 *
 * Specification: VMware "Virtual Disk Format" 5.0. Grains have 64 KiB, tables 512 entries, and
 * every grain table is there from the start. Thread: in a fiber. */

#include "vmdk.h"

#include "blk-path.h"

#include <string.h>

enum {
    GRAIN_SECTORS = 128,
    GTES = 512,
    DESC_AT = 1, /* sector */
    DESC_SECTORS = 20,
    TABLE_SECTORS = GTES * 4 / FMT_SECTOR_BYTES,
};

#define SPLIT_BYTES  (UINT64_C(2) << 30)
#define MAX_DISK_LEN (UINT64_C(62) << 40)

enum { SPARSE, FLAT, SPLIT_SPARSE, SPLIT_FLAT, STREAM };

static const char *const subformat_words[] = { "monolithicSparse",     "monolithicFlat",
                                               "twoGbMaxExtentSparse", "twoGbMaxExtentFlat",
                                               "streamOptimized",      NULL };
static const char *const adapter_words[] = { "ide", "lsilogic", "buslogic", "legacyESX", NULL };
static const char *const preallocation_words[] = { "off", "metadata", "falloc", "full", NULL };

static bool
is_flat(const VmdkCreate *create)
{
    return create->subformat == FLAT || create->subformat == SPLIT_FLAT;
}

/* ---- sparse extents ---- */

typedef struct ExtentFill {
    const VmdkCreate *create;
    uint64_t len;
    const char *descriptor; /* or NULL */
} ExtentFill;

typedef struct Layout {
    uint64_t tables, directory_sectors, rgd, gd, data;
} Layout;

static Layout
lay_out(uint64_t len)
{
    Layout layout;
    uint64_t grains = fmt_div_up(len, GRAIN_SECTORS * FMT_SECTOR_BYTES);

    layout.tables = fmt_div_up(grains, GTES);
    layout.directory_sectors = fmt_div_up(layout.tables * 4, FMT_SECTOR_BYTES);
    layout.rgd = DESC_AT + DESC_SECTORS;
    layout.gd = layout.rgd + layout.directory_sectors + layout.tables * TABLE_SECTORS;
    layout.data = fmt_round_up(layout.gd + layout.directory_sectors + layout.tables * TABLE_SECTORS,
                               GRAIN_SECTORS);
    return layout;
}

static void
fill_header(const ExtentFill *fill, const Layout *layout, uint8_t *header)
{
    const VmdkCreate *create = fill->create;
    uint32_t flags = VMDK_FLAG_NEWLINES | VMDK_FLAG_RGD, version = 1;

    memset(header, 0, VMDK_HEADER_BYTES);
    if (create->zeroed_grain) {
        flags |= VMDK_FLAG_ZERO_GRAIN;
        version = 2;
    }
    if (create->subformat == STREAM) {
        flags |= VMDK_FLAG_COMPRESSED | VMDK_FLAG_MARKERS;
        version = 3;
        header[VMDK_AT_COMPRESSION] = 1;
    }
    memcpy(header, VMDK_MAGIC, 4);
    fmt_put_le32(header + VMDK_AT_VERSION, version);
    fmt_put_le32(header + VMDK_AT_FLAGS, flags);
    fmt_put_le64(header + VMDK_AT_CAPACITY, fill->len / FMT_SECTOR_BYTES);
    fmt_put_le64(header + VMDK_AT_GRAIN, GRAIN_SECTORS);
    fmt_put_le64(header + VMDK_AT_DESC_OFFSET, DESC_AT);
    fmt_put_le64(header + VMDK_AT_DESC_SIZE, DESC_SECTORS);
    fmt_put_le32(header + VMDK_AT_GTES, GTES);
    fmt_put_le64(header + VMDK_AT_RGD, layout->rgd);
    fmt_put_le64(header + VMDK_AT_GD, layout->gd);
    fmt_put_le64(header + VMDK_AT_OVERHEAD, layout->data);
    memcpy(header + VMDK_AT_NEWLINES, "\n \r\n", 4);
}

/* The tables follow their directory; they are holes. */
static bool
write_directory(BlkChild *file, const Layout *layout, uint64_t at, GError **error)
{
    size_t len = (size_t)layout->directory_sectors * FMT_SECTOR_BYTES;
    g_autofree uint8_t *buf = g_malloc0(MAX(len, 1));

    for (uint64_t i = 0; i < layout->tables; i++) {
        fmt_put_le32(buf + i * 4, (uint32_t)(at + layout->directory_sectors + i * TABLE_SECTORS));
    }
    return len == 0 || fmt_write(file, at * FMT_SECTOR_BYTES, buf, len, error);
}

static bool
fill_sparse(BlkChild *file, const void *opaque, GError **error)
{
    const ExtentFill *fill = opaque;
    Layout layout = lay_out(fill->len);
    uint8_t header[VMDK_HEADER_BYTES];
    g_autofree char *text = g_malloc0(DESC_SECTORS * FMT_SECTOR_BYTES);

    fill_header(fill, &layout, header);
    if (fill->descriptor) {
        if (strlen(fill->descriptor) >= DESC_SECTORS * FMT_SECTOR_BYTES) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "vmdk: the names do not fit into the descriptor; use shorter ones.");
            return false;
        }
        memcpy(text, fill->descriptor, strlen(fill->descriptor));
    }
    return fmt_write(file, 0, header, sizeof(header), error) &&
           fmt_write(file, DESC_AT * FMT_SECTOR_BYTES, text, DESC_SECTORS * FMT_SECTOR_BYTES,
                     error) &&
           write_directory(file, &layout, layout.rgd, error) &&
           write_directory(file, &layout, layout.gd, error) &&
           blk_truncate(file, layout.data * FMT_SECTOR_BYTES, BLK_PREALLOC_OFF, error);
}

static bool
fill_flat(BlkChild *file, const void *opaque, GError **error)
{
    const ExtentFill *fill = opaque;

    return blk_truncate(file, fill->len, (BlkPreallocation)fill->create->preallocation, error);
}

static bool
fill_descriptor(BlkChild *file, const void *opaque, GError **error)
{
    const char *text = opaque;

    return fmt_write(file, 0, text, strlen(text), error);
}

/* ---- names ---- */

/* FOLDER/NAME of FILENAME without its suffix, which a split image's extents begin with. */
static char *
dup_stem(const char *filename)
{
    size_t len = strlen(filename);

    return g_strndup(filename, g_str_has_suffix(filename, ".vmdk") ? len - strlen(".vmdk") : len);
}

static char *
dup_extent_path(const VmdkCreate *create, const char *filename, unsigned number)
{
    g_autofree char *stem = dup_stem(filename);

    switch (create->subformat) {
    case FLAT: return g_strconcat(stem, "-flat.vmdk", NULL);
    case SPLIT_FLAT: return g_strdup_printf("%s-f%03u.vmdk", stem, number);
    case SPLIT_SPARSE: return g_strdup_printf("%s-s%03u.vmdk", stem, number);
    default: return g_strdup(filename);
    }
}

/* ---- the descriptor ---- */

typedef struct Plan {
    const VmdkCreate *create;
    const char *filename;
    uint64_t len;
    uint32_t parent_cid;
    GPtrArray *made; /* paths, to be removed on failure */
} Plan;

static uint64_t
extent_len(const Plan *plan, unsigned number)
{
    bool split = plan->create->subformat == SPLIT_SPARSE || plan->create->subformat == SPLIT_FLAT;
    uint64_t start = (number - 1) * SPLIT_BYTES;

    return split ? MIN(plan->len - start, SPLIT_BYTES) : plan->len;
}

static unsigned
extent_count(const Plan *plan)
{
    bool split = plan->create->subformat == SPLIT_SPARSE || plan->create->subformat == SPLIT_FLAT;

    return split ? (unsigned)MAX(fmt_div_up(plan->len, SPLIT_BYTES), 1) : 1;
}

static void
append_extents(const Plan *plan, GString *text)
{
    for (unsigned i = 1; i <= extent_count(plan); i++) {
        g_autofree char *path = dup_extent_path(plan->create, plan->filename, i);
        g_autofree char *name = g_path_get_basename(path);
        g_string_append_printf(
            text, "RW %" PRIu64 " %s \"%s\"%s\n", extent_len(plan, i) / FMT_SECTOR_BYTES,
            is_flat(plan->create) ? "FLAT" : "SPARSE", name, is_flat(plan->create) ? " 0" : "");
    }
}

static char *
dup_descriptor(const Plan *plan)
{
    const VmdkCreate *create = plan->create;
    unsigned heads = create->adapter_type == 0 ? 16 : 255;
    const char *version = create->compat6 ? "6" : create->hwversion ? create->hwversion : "4";
    GString *text = g_string_new(VMDK_DESC_START "\nversion=1\n");

    g_string_append_printf(text, "CID=%08x\nparentCID=%08x\ncreateType=\"%s\"\n",
                           g_random_int() & 0x7fffffff, plan->parent_cid,
                           subformat_words[create->subformat]);
    if (create->backing_file) {
        g_string_append_printf(text, "parentFileNameHint=\"%s\"\n", create->backing_file);
    }
    g_string_append(text, "\n# Extent description\n");
    append_extents(plan, text);
    g_string_append_printf(text,
                           "\n# The Disk Data Base\n#DDB\n\nddb.virtualHWVersion = \"%s\"\n"
                           "ddb.geometry.cylinders = \"%" PRIu64 "\"\n"
                           "ddb.geometry.heads = \"%u\"\nddb.geometry.sectors = \"63\"\n"
                           "ddb.adapterType = \"%s\"\nddb.toolsVersion = \"%s\"\n",
                           version, plan->len / (UINT64_C(63) * heads * FMT_SECTOR_BYTES), heads,
                           adapter_words[create->adapter_type],
                           create->toolsversion ? create->toolsversion : "2147483647");
    return g_string_free(text, FALSE);
}

/* ---- steps ---- */

static bool
make_extents(BlkGraph *graph, const Plan *plan, GError **error)
{
    for (unsigned i = 1; i <= extent_count(plan); i++) {
        ExtentFill fill = { .create = plan->create, .len = extent_len(plan, i) };
        g_autofree char *path = dup_extent_path(plan->create, plan->filename, i);
        bool is_new;
        if (!fmt_create_file(graph, path, plan->create->nocow,
                             is_flat(plan->create) ? fill_flat : fill_sparse, &fill, &is_new,
                             error)) {
            return false;
        }
        if (is_new) {
            g_ptr_array_add(plan->made, g_steal_pointer(&path));
        }
    }
    return true;
}

static bool
refuse(GError **error, const char *text)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "vmdk: %s.", text);
    return false;
}

static bool
make_image(BlkGraph *graph, const Plan *plan, GError **error)
{
    g_autofree char *text = dup_descriptor(plan);
    ExtentFill fill = { .create = plan->create, .len = plan->len, .descriptor = text };

    if (plan->create->subformat == SPARSE || plan->create->subformat == STREAM) {
        return fmt_create_file(graph, plan->filename, plan->create->nocow, fill_sparse, &fill, NULL,
                               error);
    }
    if (g_str_has_prefix(plan->filename, "json:")) {
        return refuse(error,
                      "a description (json:) is of one file, and this subformat has several");
    }
    if (!make_extents(graph, plan, error) ||
        !fmt_create_file(graph, plan->filename, false, fill_descriptor, text, NULL, error)) {
        for (unsigned i = 0; i < plan->made->len; i++) {
            blk_remove_file(graph, g_ptr_array_index(plan->made, i));
        }
        return false;
    }
    return true;
}

static bool
check_options(const VmdkCreate *create, GError **error)
{
    if (create->compat6 && create->hwversion) {
        return refuse(error, "compat6 cannot be enabled with hwversion set");
    }
    if (is_flat(create) && create->backing_file) {
        return refuse(error, "a flat image cannot have a backing file");
    }
    if (is_flat(create) && create->zeroed_grain) {
        return refuse(error, "a flat image has no grains: zeroed_grain is not possible");
    }
    if (!is_flat(create) && create->preallocation != BLK_PREALLOC_OFF) {
        return refuse(error, "preallocation needs one of the flat subformats");
    }
    if (create->subformat == STREAM && (create->backing_file || create->zeroed_grain)) {
        return refuse(error, "a stream-optimized image has no backing file and no zeroed grains");
    }
    if (create->backing_file && create->backing_fmt && strcmp(create->backing_fmt, "vmdk") != 0) {
        return refuse(error, "the backing file must be in format vmdk");
    }
    if (create->backing_file && strpbrk(create->backing_file, "\"\n\r")) {
        return refuse(error, "the name of the backing file has a quote or a line end");
    }
    return true;
}

static bool
find_parent(BlkGraph *graph, Plan *plan, GError **error)
{
    g_autoptr(BlkOptions) options = blk_options_new();
    g_autofree char *path = NULL;
    g_autoptr(BlkNode) parent = NULL;

    plan->parent_cid = VMDK_NO_PARENT;
    if (!plan->create->backing_file) {
        return true;
    }
    path = blk_path_resolve(plan->filename, plan->create->backing_file, error);
    if (!path) {
        return false;
    }
    blk_options_set(options, "driver", "vmdk");
    blk_options_set(options, "read-only", "on");
    blk_options_set(options, "force-share", "on");
    blk_options_set(options, "backing", "");
    blk_options_set(options, "file.filename", path);
    parent = blk_open_in_fiber(graph, options, false, error);
    if (!parent) {
        g_prefix_error(error, "The backing image: ");
        return false;
    }
    plan->parent_cid = ((const Vmdk *)parent->state)->cid;
    return true;
}

bool
vmdk_create(BlkGraph *graph, const char *filename, const void *state, GError **error)
{
    const VmdkCreate *create = state;
    g_autoptr(GPtrArray) made = g_ptr_array_new_with_free_func(g_free);
    Plan plan = { .create = create, .filename = filename, .made = made };

    return check_options(create, error) &&
           fmt_take_size("vmdk", create->size, MAX_DISK_LEN, &plan.len, error) &&
           find_parent(graph, &plan, error) && make_image(graph, &plan, error);
}

const VitProp vmdk_create_options[] = {
    VIT_PROP_SIZE(VmdkCreate, size, "size", 0, 0, INT64_MAX, VIT_N_("Virtual disk size"),
                  .flags = VIT_PROP_REQUIRED),
    VIT_PROP_ENUM(VmdkCreate, subformat, "subformat", subformat_words, SPARSE,
                  VIT_N_("One of monolithicSparse, monolithicFlat, twoGbMaxExtentSparse, "
                         "twoGbMaxExtentFlat, streamOptimized")),
    VIT_PROP_ENUM(VmdkCreate, adapter_type, "adapter_type", adapter_words, 0,
                  VIT_N_("Virtual adapter type: ide, lsilogic, buslogic or legacyESX")),
    VIT_PROP_STRING(VmdkCreate, backing_file, "backing_file", NULL,
                    VIT_N_("File name of a base image")),
    VIT_PROP_STRING(VmdkCreate, backing_fmt, "backing_fmt", NULL,
                    VIT_N_("Must be 'vmdk' if present")),
    VIT_PROP_BOOL(VmdkCreate, compat6, "compat6", 0, VIT_N_("VMDK version 6 image")),
    VIT_PROP_STRING(VmdkCreate, hwversion, "hwversion", NULL, VIT_N_("VMDK hardware version")),
    VIT_PROP_STRING(VmdkCreate, toolsversion, "toolsversion", NULL,
                    VIT_N_("VMware guest tools version")),
    VIT_PROP_BOOL(VmdkCreate, zeroed_grain, "zeroed_grain", 0,
                  VIT_N_("Write zeroes as a mark of the grain table")),
    VIT_PROP_ENUM(VmdkCreate, preallocation, "preallocation", preallocation_words, BLK_PREALLOC_OFF,
                  VIT_N_("Reserve space on the host now, for flat subformats")),
    VIT_PROP_BOOL(VmdkCreate, nocow, "nocow", 0, VIT_N_("Turn off copy-on-write of the file")),
    { 0 }
};
