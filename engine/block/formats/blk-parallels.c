/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Parallels expandable images, read and write, with both signatures ("WithoutFreeSpace": places in
 * sectors; "WithouFreSpacExt": in clusters); growing while the block table has room; check.
 *
 * Specification: docs/interop/parallels (little-endian). The "in use" mark is set before the first
 * write and taken away when the image is closed; an image that still has it is looked over when it
 * is opened for writing. Format extensions (dirty bitmaps) are not read; the first write removes
 * the reference to them, as they would no longer be true.
 *
 * Thread: in a fiber; the block table is in memory. */

#include "fmt.h"

#include <string.h>

enum {
    HEADER_BYTES = 64,
    AT_VERSION = 16,
    AT_HEADS = 20,
    AT_CYLINDERS = 24,
    AT_TRACKS = 28,
    AT_ENTRIES = 32,
    AT_SECTORS = 36,
    AT_IN_USE = 44,
    AT_DATA = 48,
    AT_FLAGS = 52,
    AT_EXTENSION = 56,
    VERSION = 2,
    FLAG_EMPTY = 1,
    MAX_ENTRIES = 1 << 28,
    MAX_CLUSTER_BYTES = 1 << 30,
    DEFAULT_CLUSTER_BYTES = 1 << 20,
};

#define MAGIC_SECTORS  "WithoutFreeSpace"
#define MAGIC_CLUSTERS "WithouFreSpacExt"
#define IN_USE         0x746f6e59u
#define MAX_DISK_LEN   (UINT64_C(16) << 40)

typedef struct Parallels {
    FmtMap map;
    uint8_t header[HEADER_BYTES];
    uint32_t *bat; /* little-endian, as in the file */
    uint32_t entries;
    uint64_t cluster_bytes, unit_bytes; /* of a cluster; of what entries count */
    uint64_t disk_len;
    uint64_t data_start, data_end;
    bool is_marked, was_in_use;
} Parallels;

static uint64_t
host_of(const Parallels *image, uint32_t index)
{
    return GUINT32_FROM_LE(image->bat[index]) * image->unit_bytes;
}

/* ---- blocks ---- */

static int
parallels_lookup(BlkNode *node, uint64_t offset, uint64_t len, FmtExtent *out)
{
    const Parallels *image = node->state;
    uint64_t index = offset / image->cluster_bytes, in_block = offset % image->cluster_bytes;
    uint64_t host;

    if (index >= image->entries) {
        return -EIO;
    }
    host = host_of(image, (uint32_t)index);
    out->len = image->cluster_bytes - in_block;
    out->file = node->file;
    out->host = host + in_block;
    out->kind = host ? FMT_DATA : FMT_ABSENT;
    while (out->len < len && ++index < image->entries) {
        uint64_t next = host_of(image, (uint32_t)index);
        host += host ? image->cluster_bytes : 0;
        if (next != host) {
            break;
        }
        out->len += image->cluster_bytes;
    }
    return 0;
}

static void
parallels_get_block(BlkNode *node, uint64_t offset, uint64_t *out_start, uint64_t *out_len)
{
    const Parallels *image = node->state;

    *out_start = offset / image->cluster_bytes * image->cluster_bytes;
    *out_len = image->cluster_bytes;
}

static int
parallels_reserve(BlkNode *node, uint64_t start, FmtRoom *out)
{
    const Parallels *image = node->state;

    if (image->data_end / image->unit_bytes > UINT32_MAX) {
        return -EFBIG;
    }
    *out = (FmtRoom){ .file = node->file, .host = image->data_end };
    return 0;
}

static int
write_entry(BlkNode *node, uint64_t index, uint32_t value)
{
    Parallels *image = node->state;
    uint32_t entry = GUINT32_TO_LE(value);
    int ret = blk_write_buffer(node->file, HEADER_BYTES + index * 4, &entry, 4, 0);

    if (ret == 0) {
        image->bat[index] = entry;
    }
    return ret;
}

static int
parallels_link(BlkNode *node, uint64_t start, const FmtRoom *room)
{
    Parallels *image = node->state;
    int ret =
        write_entry(node, start / image->cluster_bytes, (uint32_t)(room->host / image->unit_bytes));

    if (ret == 0) {
        image->data_end = room->host + image->cluster_bytes;
    }
    return ret;
}

static int
write_in_use(BlkNode *node, bool in_use)
{
    Parallels *image = node->state;
    int ret;

    fmt_put_le32(image->header + AT_IN_USE, in_use ? IN_USE : 0);
    ret = blk_write_buffer(node->file, 0, image->header, HEADER_BYTES, 0);
    if (ret == 0) {
        image->is_marked = in_use;
    }
    return ret < 0 ? ret : blk_flush(node->file);
}

static int
parallels_before_write(BlkNode *node)
{
    Parallels *image = node->state;

    memset(image->header + AT_EXTENSION, 0, 8);
    image->header[AT_FLAGS] &= (uint8_t)~FLAG_EMPTY;
    return write_in_use(node, true);
}

static const FmtMapOps map_ops = { .lookup = parallels_lookup,
                                   .get_block = parallels_get_block,
                                   .before_write = parallels_before_write,
                                   .reserve = parallels_reserve,
                                   .link = parallels_link };

/* ---- opening ---- */

static bool
is_extended(const Parallels *image)
{
    return memcmp(image->header, MAGIC_CLUSTERS, 16) == 0;
}

static bool
parse_header(BlkNode *node, GError **error)
{
    Parallels *image = node->state;
    const uint8_t *header = image->header;
    uint32_t tracks = fmt_le32(header + AT_TRACKS), in_use = fmt_le32(header + AT_IN_USE);
    uint64_t sectors = fmt_le64(header + AT_SECTORS);

    if (!is_extended(image) && memcmp(header, MAGIC_SECTORS, 16) != 0) {
        return fmt_set_bad(node, error, 0, "magic", "this is not a Parallels image");
    }
    if (fmt_le32(header + AT_VERSION) != VERSION) {
        return fmt_set_bad(node, error, AT_VERSION, "version", "%u is not 2",
                           fmt_le32(header + AT_VERSION));
    }
    if (tracks == 0 || tracks > MAX_CLUSTER_BYTES / FMT_SECTOR_BYTES) {
        return fmt_set_bad(node, error, AT_TRACKS, "cluster size", "%u sectors are not possible",
                           tracks);
    }
    if (in_use != 0 && in_use != IN_USE) {
        return fmt_set_bad(node, error, AT_IN_USE, "in-use mark", "0x%08x is not known", in_use);
    }
    image->was_in_use = in_use == IN_USE;
    image->cluster_bytes = (uint64_t)tracks * FMT_SECTOR_BYTES;
    image->unit_bytes = is_extended(image) ? image->cluster_bytes : FMT_SECTOR_BYTES;
    image->entries = fmt_le32(header + AT_ENTRIES);
    sectors = is_extended(image) ? sectors : (uint32_t)sectors;
    if (image->entries > MAX_ENTRIES) {
        return fmt_set_bad(node, error, AT_ENTRIES, "entries of the block table",
                           "%u is more than %u", image->entries, MAX_ENTRIES);
    }
    if (sectors > (uint64_t)image->entries * tracks) {
        return fmt_set_bad(node, error, AT_SECTORS, "sectors",
                           "%" PRIu64 " are more than %u clusters have", sectors, image->entries);
    }
    image->disk_len = sectors * FMT_SECTOR_BYTES;
    return true;
}

/* New clusters go behind all that are there. */
static void
find_end(Parallels *image)
{
    image->data_end = image->data_start;
    for (uint32_t i = 0; i < image->entries; i++) {
        uint64_t host = host_of(image, i);
        if (host) {
            image->data_end = MAX(image->data_end, host + image->cluster_bytes);
        }
    }
}

static bool
load_table(BlkNode *node, GError **error)
{
    Parallels *image = node->state;
    size_t len = (size_t)image->entries * 4;
    uint64_t table_end = HEADER_BYTES + (uint64_t)len;
    uint64_t start = fmt_le32(image->header + AT_DATA) * (uint64_t)FMT_SECTOR_BYTES;

    start = start ? start : fmt_round_up(table_end, FMT_SECTOR_BYTES);
    if (start < table_end) {
        return fmt_set_bad(node, error, AT_DATA, "start of the data",
                           "%" PRIu64 " lies within the block table", start);
    }
    if (table_end > fmt_file_len(node->file)) {
        return fmt_set_bad(node, error, HEADER_BYTES, "block table",
                           "the file ends within its %u entries", image->entries);
    }
    image->data_start = fmt_round_up(start, image->unit_bytes);
    image->bat = g_try_malloc(MAX(len, 4));
    if (!image->bat) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "'%s': there is not enough memory for its block table.", node->filename);
        return false;
    }
    if (!fmt_read(node, node->file, HEADER_BYTES, image->bat, len, "block table", error)) {
        return false;
    }
    find_end(image);
    return true;
}

/* ---- check ---- */

/* Looks at entry INDEX; drops it where asked to. */
static int
check_entry(BlkNode *node, uint32_t index, GHashTable *seen, BlkCheck *check)
{
    Parallels *image = node->state;
    uint64_t host = host_of(image, index);
    int ret = 0;

    if (host == 0) {
        return 0;
    }
    check->allocated_clusters++;
    if (host < image->data_start || host + image->cluster_bytes > fmt_file_len(node->file)) {
        fmt_report(check, "ERROR: cluster %u lies at %" PRIu64 ", outside of the data", index,
                   host);
        check->corruptions++;
        ret = check->fix_errors ? write_entry(node, index, 0) : 0;
        check->corruptions_fixed += check->fix_errors && ret == 0;
    } else if (!g_hash_table_add(seen, GUINT_TO_POINTER(image->bat[index]))) {
        fmt_report(check, "ERROR: cluster %u lies at %" PRIu64 ", where another one is", index,
                   host);
        check->corruptions++;
    }
    return ret;
}

static bool
check_leaks(BlkNode *node, BlkCheck *check, GError **error)
{
    Parallels *image = node->state;
    uint64_t len = fmt_file_len(node->file);

    if (len <= image->data_end) {
        return true;
    }
    check->leaks += fmt_div_up(len - image->data_end, image->cluster_bytes);
    fmt_report(check, "Leaked %" PRIu64 " bytes behind the last cluster", len - image->data_end);
    if (check->fix_leaks && blk_truncate(node->file, image->data_end, BLK_PREALLOC_OFF, error)) {
        check->leaks_fixed = check->leaks;
    }
    return !check->fix_leaks || check->leaks_fixed == check->leaks;
}

static bool
check_inside(BlkNode *node, BlkCheck *check, GError **error)
{
    Parallels *image = node->state;
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    int ret = 0;

    check->has_clusters = true;
    check->total_clusters = fmt_div_up(image->disk_len, image->cluster_bytes);
    for (uint32_t i = 0; i < image->entries && ret == 0; i++) {
        ret = check_entry(node, i, seen, check);
    }
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' cannot be repaired: %s.", node->filename,
                    g_strerror(-ret));
        return false;
    }
    find_end(image);
    check->image_end_offset = image->data_end;
    return check_leaks(node, check, error);
}

static bool
parallels_check(BlkNode *node, BlkCheck *check, GError **error)
{
    Parallels *image = node->state;
    bool ok;

    if (image->was_in_use && !image->is_marked) {
        fmt_report(check, "ERROR: the image was not closed");
        check->corruptions++;
        if (check->fix_errors && write_in_use(node, false) == 0) {
            image->was_in_use = false;
            check->corruptions_fixed++;
        }
    }
    fmt_lock(node, &image->map.lock);
    ok = check_inside(node, check, error);
    fmt_unlock(node, &image->map.lock);
    return ok;
}

/* An image that was not closed: what points outside is dropped, room nobody uses is given back. */
static bool
mend(BlkNode *node, GError **error)
{
    Parallels *image = node->state;
    BlkCheck check = { .fix_leaks = true, .fix_errors = true };

    if (!image->was_in_use || node->read_only) {
        return true;
    }
    if (!check_inside(node, &check, error)) {
        return false;
    }
    if (check.corruptions > check.corruptions_fixed) {
        return fmt_set_bad(node, error, AT_IN_USE, "in-use mark",
                           "the image was not closed and cannot be repaired by itself");
    }
    image->was_in_use = false;
    return true;
}

static bool
parallels_open(BlkNode *node, GError **error)
{
    Parallels *image = node->state;

    image->map.ops = &map_ops;
    return fmt_read(node, node->file, 0, image->header, HEADER_BYTES, "header", error) &&
           parse_header(node, error) && load_table(node, error) && mend(node, error);
}

static int
settle(BlkNode *node)
{
    Parallels *image = node->state;
    int ret = 0;

    if (image->is_marked) {
        ret = blk_flush(node->file);
        ret = ret < 0 ? ret : write_in_use(node, false);
        image->map.is_prepared = false;
    }
    return ret;
}

static bool
parallels_set_read_only(BlkNode *node, bool read_only, GError **error)
{
    return read_only ? fmt_check_settled(node, settle(node), error) : mend(node, error);
}

static void
parallels_close(BlkNode *node)
{
    Parallels *image = node->state;

    if (node->opened && !node->read_only) {
        settle(node);
    }
    fmt_map_clear(&image->map);
    g_free(image->bat);
}

static int64_t
parallels_get_len(BlkNode *node)
{
    const Parallels *image = node->state;

    return (int64_t)image->disk_len;
}

static int
parallels_probe(const uint8_t *buf, size_t len, const char *filename)
{
    return len >= HEADER_BYTES &&
                   (memcmp(buf, MAGIC_SECTORS, 16) == 0 || memcmp(buf, MAGIC_CLUSTERS, 16) == 0)
               ? 100
               : 0;
}

/* ---- size ---- */

static bool
refuse_size(BlkNode *node, GError **error, const char *why)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "'%s': %s.", node->filename, why);
    return false;
}

static bool
parallels_truncate(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error)
{
    Parallels *image = node->state;
    uint64_t entries = fmt_div_up(len, image->cluster_bytes), first = image->data_start;
    uint8_t header[HEADER_BYTES];
    uint32_t *bat;
    int ret;

    len = fmt_round_up(len, FMT_SECTOR_BYTES);
    if (len < image->disk_len || prealloc != BLK_PREALLOC_OFF) {
        return refuse_size(node, error,
                           "a Parallels image can only grow, and without preallocation");
    }
    if (HEADER_BYTES + entries * 4 > first || entries > MAX_ENTRIES ||
        (!is_extended(image) && len / FMT_SECTOR_BYTES > UINT32_MAX)) {
        return refuse_size(node, error,
                           "its block table has no room for a disk that large; convert it instead");
    }
    ret = parallels_before_write(node);
    image->map.is_prepared = ret == 0;
    if (ret == 0 && entries > image->entries) {
        bat = g_malloc0(entries * 4);
        memcpy(bat, image->bat, (size_t)image->entries * 4);
        ret = blk_write_buffer(node->file, HEADER_BYTES, bat, entries * 4, 0);
        ret = ret < 0 ? ret : blk_flush(node->file); /* before the header counts more */
        g_free(image->bat);
        image->bat = bat;
    }
    entries = MAX(entries, image->entries);
    memcpy(header, image->header, HEADER_BYTES);
    fmt_put_le32(header + AT_ENTRIES, (uint32_t)entries);
    fmt_put_le64(header + AT_SECTORS, len / FMT_SECTOR_BYTES);
    ret = ret < 0 ? ret : blk_write_buffer(node->file, 0, header, HEADER_BYTES, 0);
    if (ret == 0) {
        memcpy(image->header, header, HEADER_BYTES);
        image->entries = (uint32_t)entries;
        image->disk_len = len;
    } else {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' cannot grow: %s.", node->filename,
                    g_strerror(-ret));
    }
    return ret == 0;
}

/* ---- new images ---- */

typedef struct ParallelsCreate {
    uint64_t size, cluster_size;
    bool nocow;
} ParallelsCreate;

static bool
fill_image(BlkChild *file, const void *opaque, GError **error)
{
    enum { HEADS = 16, SECTORS_PER_TRACK = 32 };
    const ParallelsCreate *create = opaque;
    uint64_t cluster = create->cluster_size, disk_len, entries, data, sectors;
    g_autofree uint8_t *buf = NULL;

    if (!fmt_take_size("parallels", create->size, MIN(MAX_DISK_LEN, MAX_ENTRIES * cluster),
                       &disk_len, error)) {
        return false;
    }
    sectors = disk_len / FMT_SECTOR_BYTES;
    entries = fmt_div_up(disk_len, cluster);
    data = fmt_round_up(HEADER_BYTES + entries * 4, cluster);
    buf = g_try_malloc0(data);
    if (!buf) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "parallels: there is not enough memory for the block table.");
        return false;
    }
    memcpy(buf, MAGIC_CLUSTERS, 16);
    fmt_put_le32(buf + AT_VERSION, VERSION);
    fmt_put_le32(buf + AT_HEADS, HEADS);
    fmt_put_le32(buf + AT_CYLINDERS,
                 (uint32_t)MIN(fmt_div_up(sectors, HEADS * SECTORS_PER_TRACK), UINT32_MAX));
    fmt_put_le32(buf + AT_TRACKS, (uint32_t)(cluster / FMT_SECTOR_BYTES));
    fmt_put_le32(buf + AT_ENTRIES, (uint32_t)entries);
    fmt_put_le64(buf + AT_SECTORS, sectors);
    fmt_put_le32(buf + AT_DATA, (uint32_t)(data / FMT_SECTOR_BYTES));
    return fmt_write(file, 0, buf, data, error);
}

static bool
parallels_create(BlkGraph *graph, const char *filename, const void *state, GError **error)
{
    const ParallelsCreate *create = state;

    if (create->cluster_size % FMT_SECTOR_BYTES) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "parallels: cluster_size=%" PRIu64 " is not a multiple of 512.",
                    create->cluster_size);
        return false;
    }
    return fmt_create_file(graph, filename, create->nocow, fill_image, create, NULL, error);
}

static void
parallels_get_info(BlkNode *node, BlkFormatInfo *out)
{
    const Parallels *image = node->state;

    *out = (BlkFormatInfo){ .cluster_bytes = (uint32_t)image->cluster_bytes,
                            .dirty = image->was_in_use || image->is_marked };
}

static const VitProp create_options[] = {
    VIT_PROP_SIZE(ParallelsCreate, size, "size", 0, 0, INT64_MAX, VIT_N_("Virtual disk size"),
                  .flags = VIT_PROP_REQUIRED),
    VIT_PROP_SIZE(ParallelsCreate, cluster_size, "cluster_size", DEFAULT_CLUSTER_BYTES, 512,
                  MAX_CLUSTER_BYTES, VIT_N_("Parallels image cluster size")),
    VIT_PROP_BOOL(ParallelsCreate, nocow, "nocow", 0, VIT_N_("Turn off copy-on-write of the file")),
    { 0 }
};

static const BlkChildSlot slots[] = { { .name = "file", .required = true }, { 0 } };

static const BlkFormatOps format_ops = { .get_info = parallels_get_info, .check = parallels_check };

const BlkDriver blk_parallels_driver = {
    .name = "parallels",
    .title = VIT_N_("Parallels disk image"),
    .role = BLK_ROLE_FORMAT,
    .state_size = sizeof(Parallels),
    .slots = slots,
    .create_options = create_options,
    .create_size = sizeof(ParallelsCreate),
    .probe = parallels_probe,
    .open = parallels_open,
    .close = parallels_close,
    .read = fmt_map_read,
    .write = fmt_map_write,
    .write_zeroes = fmt_map_write_zeroes,
    .get_len = parallels_get_len,
    .truncate = parallels_truncate,
    .status = fmt_map_status,
    .set_read_only = parallels_set_read_only,
    .create = parallels_create,
    .format = &format_ops,
};
