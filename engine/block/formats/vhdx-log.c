/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The log of VHDX images, MS-VHDX section 2.3: a ring of entries, each some sectors of 4 KiB that
 * go to a place of the file. The active sequence is the run of entries with the highest sequence
 * number whose last one names a tail within the run.
 *
 * Writing, there is one entry at a time: the one before it is applied and stable before the next is
 * written, and each names itself as the tail. What a hostile log costs is bounded: entries are
 * summed up once over, and the whole log is in memory. Thread: in a fiber. */

#include "vhdx.h"

#include <string.h>

enum { MAX_SUM_FACTOR = 8 };

typedef struct Log {
    uint8_t *bytes; /* the ring */
    uint32_t len;
    uint64_t summed; /* bytes that checksums were made of */
    uint8_t *entry;  /* one entry without the ring's seam */
} Log;

static void
copy_from_ring(const Log *log, uint32_t at, uint8_t *out, uint32_t len)
{
    uint32_t first = MIN(len, log->len - at);

    memcpy(out, log->bytes + at, first);
    memcpy(out + first, log->bytes, len - first);
}

/* Sectors of the descriptors, with the entry's header. */
static uint64_t
descriptor_bytes(uint32_t count)
{
    return fmt_round_up(VHDX_LOG_HEADER_BYTES + (uint64_t)count * VHDX_LOG_DESC_BYTES,
                        VHDX_LOG_SECTOR);
}

/* Whether the entry in log->entry, whose sums are right, is well formed. */
static bool
check_descriptors(const Log *log, uint32_t len)
{
    const uint8_t *entry = log->entry;
    uint32_t count = fmt_le32(entry + VHDX_LOG_AT_COUNT);
    uint64_t data = descriptor_bytes(count);

    if (data > len) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *desc = entry + VHDX_LOG_HEADER_BYTES + (size_t)i * VHDX_LOG_DESC_BYTES;
        if (memcmp(desc + 24, entry + VHDX_LOG_AT_SEQUENCE, 8) != 0 ||
            fmt_le64(desc + 16) % VHDX_LOG_SECTOR || fmt_le64(desc + 16) > INT64_MAX / 2) {
            return false;
        }
        if (memcmp(desc, "zero", 4) == 0) {
            if (fmt_le64(desc + 8) % VHDX_LOG_SECTOR || fmt_le64(desc + 8) > INT64_MAX / 2) {
                return false;
            }
        } else if (memcmp(desc, "desc", 4) != 0 || data + VHDX_LOG_SECTOR > len ||
                   memcmp(entry + data, "data", 4) != 0) {
            return false;
        } else {
            data += VHDX_LOG_SECTOR;
        }
    }
    return data == len;
}

/* Brings the entry at AT, if there is one of this log, into log->entry. Its length, or 0. */
static uint32_t
load_entry(const Vhdx *vhdx, Log *log, uint32_t at)
{
    uint8_t head[VHDX_LOG_HEADER_BYTES];
    uint32_t len;

    copy_from_ring(log, at, head, sizeof(head));
    len = fmt_le32(head + VHDX_LOG_AT_LEN);
    if (memcmp(head, "loge", 4) != 0 || len % VHDX_LOG_SECTOR || len == 0 || len > log->len ||
        fmt_le32(head + VHDX_LOG_AT_TAIL) % VHDX_LOG_SECTOR ||
        fmt_le32(head + VHDX_LOG_AT_TAIL) >= log->len ||
        memcmp(head + VHDX_LOG_AT_GUID, vhdx->header + VHDX_HEAD_AT_LOG_GUID, 16) != 0 ||
        log->summed + len > (uint64_t)log->len * MAX_SUM_FACTOR) {
        return 0;
    }
    log->summed += len;
    copy_from_ring(log, at, log->entry, len);
    return fmt_le32(head + VHDX_AT_CHECKSUM) == vhdx_checksum(log->entry, len, VHDX_AT_CHECKSUM) &&
                   check_descriptors(log, len)
               ? len
               : 0;
}

/* An entry of the active sequence. */
typedef struct Found {
    uint32_t at, len;
} Found;

/* Follows the run that begins at START; gives its entries, from the tail on, and the sequence
 * number of its last. NULL: there is no whole one. Ownership: caller. */
static GArray *
follow(const Vhdx *vhdx, Log *log, uint32_t start, uint64_t *out_last)
{
    g_autoptr(GArray) run = g_array_new(FALSE, FALSE, sizeof(Found));
    uint32_t at = start, used = 0, tail = start;
    uint64_t sequence = 0;

    while (used < log->len) {
        Found found = { .at = at, .len = load_entry(vhdx, log, at) };
        uint64_t number = fmt_le64(log->entry + VHDX_LOG_AT_SEQUENCE);
        if (found.len == 0 || found.len > log->len - used ||
            (run->len > 0 && number != sequence + 1)) {
            break;
        }
        sequence = number;
        tail = fmt_le32(log->entry + VHDX_LOG_AT_TAIL);
        g_array_append_val(run, found);
        used += found.len;
        at = (uint32_t)(((uint64_t)at + found.len) % log->len);
    }
    for (unsigned i = 0; i < run->len; i++) {
        if (g_array_index(run, Found, i).at == tail) {
            g_array_remove_range(run, 0, i);
            *out_last = sequence;
            return g_steal_pointer(&run);
        }
    }
    return NULL;
}

static GArray *
find_active(const Vhdx *vhdx, Log *log)
{
    GArray *best = NULL;
    uint64_t best_sequence = 0;

    for (uint32_t at = 0; at < log->len; at += VHDX_LOG_SECTOR) {
        uint64_t sequence = 0;
        GArray *run =
            memcmp(log->bytes + at, "loge", 4) == 0 ? follow(vhdx, log, at, &sequence) : NULL;
        if (run && (!best || sequence > best_sequence)) {
            g_clear_pointer(&best, g_array_unref);
            best = g_steal_pointer(&run);
            best_sequence = sequence;
        }
        g_clear_pointer(&run, g_array_unref);
    }
    return best;
}

/* ---- applying ---- */

/* The sector that DESC and its DATA mean. */
static void
build_sector(const uint8_t *desc, const uint8_t *data, uint8_t *out)
{
    memcpy(out, desc + 8, 8);
    memcpy(out + 8, data + 8, VHDX_LOG_SECTOR - 12);
    memcpy(out + VHDX_LOG_SECTOR - 4, desc + 4, 4);
}

static int
apply_sector(BlkNode *node, uint64_t offset, const uint8_t *sector, bool *out_differs)
{
    uint8_t there[VHDX_LOG_SECTOR];
    int ret;

    if (!node->read_only) {
        return blk_write_buffer(node->file, offset, sector, VHDX_LOG_SECTOR, 0);
    }
    ret = blk_read_buffer(node->file, offset, there, sizeof(there));
    *out_differs = *out_differs || memcmp(there, sector, sizeof(there)) != 0;
    return ret;
}

static int
apply_entry(BlkNode *node, const Log *log, bool *out_differs)
{
    const uint8_t *entry = log->entry;
    uint32_t count = fmt_le32(entry + VHDX_LOG_AT_COUNT);
    const uint8_t *data = entry + descriptor_bytes(count);
    uint8_t sector[VHDX_LOG_SECTOR];
    int ret = 0;

    for (uint32_t i = 0; i < count && ret == 0; i++) {
        const uint8_t *desc = entry + VHDX_LOG_HEADER_BYTES + (size_t)i * VHDX_LOG_DESC_BYTES;
        uint64_t offset = fmt_le64(desc + 16);
        if (memcmp(desc, "desc", 4) == 0) {
            build_sector(desc, data, sector);
            data += VHDX_LOG_SECTOR;
            ret = apply_sector(node, offset, sector, out_differs);
        } else if (node->read_only) {
            *out_differs = true;
        } else {
            ret = blk_write_zeroes(node->file, offset, fmt_le64(desc + 8), BLK_REQ_MAY_UNMAP);
        }
    }
    return ret;
}

static bool
apply_run(BlkNode *node, Log *log, const GArray *run, GError **error)
{
    const Vhdx *vhdx = node->state;
    bool differs = false;
    int ret = 0;

    for (unsigned i = 0; i < run->len && ret == 0; i++) {
        const Found *found = &g_array_index(run, Found, i);
        uint64_t last;
        copy_from_ring(log, found->at, log->entry, found->len);
        last = fmt_le64(log->entry + VHDX_LOG_AT_LAST);
        if (fmt_le64(log->entry + VHDX_LOG_AT_FLUSHED) > fmt_file_len(node->file)) {
            return fmt_set_bad(node, error,
                               fmt_le64(vhdx->header + VHDX_HEAD_AT_LOG_OFFSET) + found->at,
                               "log entry", "it was made when the file was longer: it is cut off");
        }
        ret = apply_entry(node, log, &differs);
        if (ret == 0 && !node->read_only && last <= INT64_MAX / 2) {
            ret = fmt_extend(node->file, last);
        }
    }
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s': its log cannot be replayed: %s.",
                    node->filename, g_strerror(-ret));
        return false;
    }
    if (differs) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' was not closed and its log needs to be replayed, but it is opened for "
                    "reading: run check -r all on it, or open it for writing once.",
                    node->filename);
    }
    return !differs;
}

static bool
replay(BlkNode *node, Log *log, GError **error)
{
    const Vhdx *vhdx = node->state;
    uint64_t offset = fmt_le64(vhdx->header + VHDX_HEAD_AT_LOG_OFFSET);
    g_autoptr(GArray) run = NULL;
    int ret;

    if (!fmt_read(node, node->file, offset, log->bytes, log->len, "log", error)) {
        return false;
    }
    run = find_active(vhdx, log);
    if (run && !apply_run(node, log, run, error)) {
        return false;
    }
    if (node->read_only) {
        return true;
    }
    ret = blk_flush(node->file);
    ret = ret < 0 ? ret : vhdx_write_headers(node, NULL);
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s': its header cannot be written: %s.",
                    node->filename, g_strerror(-ret));
    }
    return ret == 0;
}

bool
vhdx_replay_log(BlkNode *node, GError **error)
{
    static const uint8_t none[16];
    const Vhdx *vhdx = node->state;
    Log log = { .len = fmt_le32(vhdx->header + VHDX_HEAD_AT_LOG_LEN) };
    bool ok;

    if (memcmp(vhdx->header + VHDX_HEAD_AT_LOG_GUID, none, 16) == 0) {
        return true;
    }
    if (log.len > VHDX_MAX_LOG_BYTES) {
        return fmt_set_bad(node, error, VHDX_HEADER1_AT + VHDX_HEAD_AT_LOG_LEN, "log",
                           "%u bytes are more than %u", log.len, VHDX_MAX_LOG_BYTES);
    }
    log.bytes = g_try_malloc(log.len);
    log.entry = g_try_malloc(log.len);
    if (!log.bytes || !log.entry) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "'%s': there is not enough memory for its log.", node->filename);
        ok = false;
    } else {
        ok = replay(node, &log, error);
    }
    g_free(log.bytes);
    g_free(log.entry);
    return ok;
}

/* ---- writing ---- */

int
vhdx_log_sector(BlkNode *node, uint64_t offset, const uint8_t *sector)
{
    enum { ENTRY_BYTES = 2 * VHDX_LOG_SECTOR };
    Vhdx *vhdx = node->state;
    uint8_t entry[ENTRY_BYTES] = { 0 }, *desc = entry + VHDX_LOG_HEADER_BYTES;
    uint8_t *data = entry + VHDX_LOG_SECTOR;
    uint64_t log_offset = fmt_le64(vhdx->header + VHDX_HEAD_AT_LOG_OFFSET);
    uint64_t file_len = fmt_file_len(node->file);
    int ret;

    if (vhdx->log_at + ENTRY_BYTES > fmt_le32(vhdx->header + VHDX_HEAD_AT_LOG_LEN)) {
        vhdx->log_at = 0;
    }
    vhdx->log_sequence++;
    memcpy(entry, "loge", 4);
    fmt_put_le32(entry + VHDX_LOG_AT_LEN, ENTRY_BYTES);
    fmt_put_le32(entry + VHDX_LOG_AT_TAIL, vhdx->log_at);
    fmt_put_le64(entry + VHDX_LOG_AT_SEQUENCE, vhdx->log_sequence);
    fmt_put_le32(entry + VHDX_LOG_AT_COUNT, 1);
    memcpy(entry + VHDX_LOG_AT_GUID, vhdx->header + VHDX_HEAD_AT_LOG_GUID, 16);
    fmt_put_le64(entry + VHDX_LOG_AT_FLUSHED, file_len);
    fmt_put_le64(entry + VHDX_LOG_AT_LAST, file_len);
    memcpy(desc, "desc", 4);
    memcpy(desc + 4, sector + VHDX_LOG_SECTOR - 4, 4);
    memcpy(desc + 8, sector, 8);
    fmt_put_le64(desc + 16, offset);
    fmt_put_le64(desc + 24, vhdx->log_sequence);
    memcpy(data, "data", 4);
    fmt_put_le32(data + 4, (uint32_t)(vhdx->log_sequence >> 32));
    memcpy(data + 8, sector + 8, VHDX_LOG_SECTOR - 12);
    fmt_put_le32(data + VHDX_LOG_SECTOR - 4, (uint32_t)vhdx->log_sequence);
    vhdx_put_checksum(entry, ENTRY_BYTES, VHDX_AT_CHECKSUM);
    /* The block's data and what the entry before this one has changed are stable first. */
    ret = blk_flush(node->file);
    ret = ret < 0 ? ret
                  : blk_write_buffer(node->file, log_offset + vhdx->log_at, entry, ENTRY_BYTES, 0);
    ret = ret < 0 ? ret : blk_flush(node->file);
    vhdx->log_at += ENTRY_BYTES;
    return ret < 0 ? ret : blk_write_buffer(node->file, offset, sector, VHDX_LOG_SECTOR, 0);
}
