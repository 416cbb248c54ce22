/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The filter "blklogwrites": every write, flush and discard is noted in a second image in the order
 * in which they ended, in the layout of the Linux kernel's dm-log-writes target (kernel
 * documentation "dm-log-writes", "Log format"): a super block, then for each request a sector that
 * describes it and its data. The kernel project's replay-log plays it back to any point.
 *
 * Thread: the lock of the node's context held. */

#include "blk-graph-private.h"

#include <errno.h>
#include <string.h>

enum {
    FLAG_FLUSH = 1,
    FLAG_FUA = 2,
    FLAG_DISCARD = 4,
    LOG_VERSION = 1,
    SUPER_BYTES = 28,
    ENTRY_BYTES = 32,
    MAX_SECTOR_BYTES = 1 << 23,
};

#define LOG_MAGIC UINT64_C(0x6a736677736872)

typedef struct LogWrites {
    bool append;
    uint32_t sector_bytes;
    uint64_t super_interval;
    uint64_t next_sector; /* of the log */
    uint64_t count;       /* entries in it */
} LogWrites;

static BlkChild *
log_child(BlkNode *node)
{
    for (guint i = 0; i < node->children->len; i++) {
        BlkChild *child = node->children->pdata[i];
        if (strcmp(child->slot, "log") == 0) {
            return child;
        }
    }
    return NULL;
}

static void
put64(uint8_t *at, uint64_t value)
{
    value = GUINT64_TO_LE(value);
    memcpy(at, &value, 8);
}

static uint64_t
get64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, 8);
    return GUINT64_FROM_LE(value);
}

/* ---- the log ---- */

static int
write_super(BlkNode *node)
{
    LogWrites *s = node->state;
    g_autofree uint8_t *super = g_malloc0(s->sector_bytes);
    uint32_t sector_bytes = GUINT32_TO_LE(s->sector_bytes);

    put64(super, LOG_MAGIC);
    put64(super + 8, LOG_VERSION);
    put64(super + 16, s->count);
    memcpy(super + 24, &sector_bytes, 4);
    return blk_write_buffer(log_child(node), 0, super, s->sector_bytes, 0);
}

/* DATA NULL: LEN bytes of zeroes, or with FLAG_DISCARD none. The place is taken before anything
 * waits, so the order of the log is that of the calls. */
static int
log_request(BlkNode *node, uint64_t flags, uint64_t offset, uint64_t len, const BlkVec *data,
            uint64_t at)
{
    LogWrites *s = node->state;
    uint64_t sector = s->next_sector, has_data = !(flags & FLAG_DISCARD) && len > 0;
    g_autofree uint8_t *entry = g_malloc0(s->sector_bytes);
    bool update = ++s->count % s->super_interval == 0 || flags & FLAG_FLUSH;
    uint64_t place = (sector + 1) * s->sector_bytes;
    int ret;

    s->next_sector += 1 + (has_data ? len / s->sector_bytes : 0);
    put64(entry, offset / s->sector_bytes);
    put64(entry + 8, len / s->sector_bytes);
    put64(entry + 16, flags);
    ret = blk_write_buffer(log_child(node), sector * s->sector_bytes, entry, s->sector_bytes, 0);
    if (ret == 0 && has_data) {
        ret = data ? blk_write(log_child(node), place, len, data, at, 0)
                   : blk_write_zeroes(log_child(node), place, len, 0);
    }
    if (ret == 0 && flags & (FLAG_FLUSH | FLAG_FUA)) {
        ret = blk_flush(log_child(node));
    }
    return ret == 0 && update ? write_super(node) : ret;
}

/* ---- requests ---- */

static int
log_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
          unsigned flags)
{
    int ret = blk_write(node->file, offset, len, vec, at, flags);

    return ret < 0 ? ret
                   : log_request(node, flags & BLK_REQ_FUA ? FLAG_FUA : 0, offset, len, vec, at);
}

static int
log_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    int ret = blk_write_zeroes(node->file, offset, len, flags);

    return ret < 0 ? ret
                   : log_request(node, flags & BLK_REQ_FUA ? FLAG_FUA : 0, offset, len, NULL, 0);
}

static int
log_discard(BlkNode *node, uint64_t offset, uint64_t len)
{
    int ret = blk_discard(node->file, offset, len);

    return ret < 0 ? ret : log_request(node, FLAG_DISCARD, offset, len, NULL, 0);
}

static int
log_flush(BlkNode *node)
{
    int ret = blk_flush(node->file);

    return ret < 0 || node->read_only ? ret : log_request(node, FLAG_FLUSH, 0, 0, NULL, 0);
}

/* ---- opening ---- */

static bool
bad_log(BlkNode *node, GError **error, uint64_t offset, const char *what)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                "blklogwrites: '%s', offset %" G_GUINT64_FORMAT
                ": %s; leave out log-append=on to begin a new log",
                log_child(node)->node->filename, offset, what);
    return false;
}

/* Goes through the entries there are, whose numbers come from the file. */
static bool
find_end(BlkNode *node, GError **error)
{
    LogWrites *s = node->state;
    uint64_t sectors = blk_node_get_len(log_child(node)->node) / s->sector_bytes;
    uint8_t entry[ENTRY_BYTES];

    s->next_sector = 1;
    for (uint64_t i = 0; i < s->count; i++) {
        uint64_t offset = s->next_sector * s->sector_bytes, len;
        if (s->next_sector >= sectors ||
            blk_read_buffer(log_child(node), offset, entry, sizeof(entry)) < 0) {
            return bad_log(node, error, offset, "the log ends before its last entry");
        }
        /* else holes of a large file would be entries without end */
        if (get64(entry + 8) == 0 && get64(entry + 16) == 0) {
            return bad_log(node, error, offset, "an entry says nothing");
        }
        len = get64(entry + 16) & FLAG_DISCARD ? 0 : get64(entry + 8);
        if (len > sectors - s->next_sector - 1) {
            return bad_log(node, error, offset + 8, "an entry is longer than the log");
        }
        s->next_sector += 1 + len;
    }
    return true;
}

static bool
read_super(BlkNode *node, GError **error)
{
    LogWrites *s = node->state;
    uint8_t super[SUPER_BYTES];
    uint32_t sector_bytes;

    if (blk_node_get_len(log_child(node)->node) < SUPER_BYTES ||
        blk_read_buffer(log_child(node), 0, super, sizeof(super)) < 0 ||
        get64(super) != LOG_MAGIC) {
        return bad_log(node, error, 0, "this is no log of writes");
    }
    if (get64(super + 8) != LOG_VERSION) {
        return bad_log(node, error, 8, "its version is not 1");
    }
    memcpy(&sector_bytes, super + 24, 4);
    s->sector_bytes = GUINT32_FROM_LE(sector_bytes);
    s->count = get64(super + 16);
    if (s->sector_bytes < 512 || s->sector_bytes > MAX_SECTOR_BYTES ||
        s->sector_bytes & (s->sector_bytes - 1)) {
        return bad_log(node, error, 24, "its sector size is no power of two from 512");
    }
    return find_end(node, error);
}

static bool
log_open(BlkNode *node, GError **error)
{
    LogWrites *s = node->state;

    if (s->sector_bytes & (s->sector_bytes - 1)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "blklogwrites: log-sector-size=%u is not a power of two.", s->sector_bytes);
        return false;
    }
    if (log_child(node)->node->read_only && !node->read_only) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_PERMISSION,
                    "blklogwrites: the log '%s' is read-only.", log_child(node)->node->filename);
        return false;
    }
    s->next_sector = 1;
    return !s->append || read_super(node, error);
}

static void
log_close(BlkNode *node)
{
    if (node->opened && !node->read_only) {
        write_super(node);
        blk_flush(log_child(node));
    }
}

static void
log_refresh_limits(BlkNode *node)
{
    LogWrites *s = node->state;

    node->limits = node->file->node->limits;
    node->limits.request_align = MAX(node->limits.request_align, s->sector_bytes);
    node->limits.discard_align = MAX(node->limits.discard_align, s->sector_bytes);
    node->limits.zeroes_align = MAX(node->limits.zeroes_align, s->sector_bytes);
    node->limits.write_flags |= BLK_REQ_FUA; /* the log is to know of it */
}

static void
log_child_perm(BlkNode *node, const BlkChild *child, unsigned *perm, unsigned *shared)
{
    if (strcmp(child->slot, "log") == 0) {
        *perm = BLK_PERM_CONSISTENT_READ;
        *perm |= node->read_only ? 0 : BLK_PERM_WRITE | BLK_PERM_RESIZE;
        *shared = BLK_PERM_CONSISTENT_READ;
    }
}

static const VitProp options[] = {
    VIT_PROP_BOOL(LogWrites, append, "log-append", false, VIT_N_("Goes on with the log there is")),
    VIT_PROP_UINT(LogWrites, sector_bytes, "log-sector-size", 512, 512, MAX_SECTOR_BYTES,
                  VIT_N_("Size of a sector of the log"), .unit = "bytes"),
    VIT_PROP_UINT(LogWrites, super_interval, "log-super-update-interval", 4096, 1, INT64_MAX,
                  VIT_N_("Requests after which the log's super block is written anew")),
    { 0 },
};

static const BlkChildSlot slots[] = { { .name = "file", .required = true, .probe = true },
                                      { .name = "log", .required = true },
                                      { 0 } };

const BlkDriver blk_blklogwrites_driver = {
    .name = "blklogwrites",
    .title = VIT_N_("Log of everything written"),
    .role = BLK_ROLE_FILTER,
    .state_size = sizeof(LogWrites),
    .options = options,
    .slots = slots,
    .open = log_open,
    .close = log_close,
    .read = blk_pass_read,
    .write = log_write,
    .write_zeroes = log_write_zeroes,
    .discard = log_discard,
    .flush = log_flush,
    .refresh_limits = log_refresh_limits,
    .child_perm = log_child_perm,
};
