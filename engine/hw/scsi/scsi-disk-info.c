/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What a SCSI disk tells about itself: inquiry data, capacity, mode pages. SPC-4 sections 6.6, 7.8
 * (vital product data), 7.5 (mode parameters); SBC-3 sections 5.15, 5.16, 6.4, 6.5.
 * Thread: device lock held. */

#include "scsi-disk.h"

#include <string.h>

enum {
    REPLY_BYTES = 256,
    PAGE_GEOMETRY = 0x04,
    PAGE_CACHING = 0x08,
    PAGE_ERROR = 0x01,
    PAGE_ALL = 0x3f,
    CACHING_WCE = 0x04,
    DEVICE_DPOFUA = 0x10,
    DEVICE_WRITE_PROTECT = 0x80,
};

static void
bad_field(ScsiRequest *request)
{
    scsi_check(request, SENSE_ILLEGAL_REQUEST, ASC_BAD_FIELD);
}

static bool
is_read_only(const ScsiDisk *disk)
{
    return disk->s.drive->ops->is_read_only(disk->s.drive);
}

/* ---- inquiry ---- */

static uint32_t
page_supported(const ScsiDisk *disk, uint8_t *out)
{
    static const uint8_t pages[] = { 0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2 };
    uint8_t *at = out;

    for (unsigned i = 0; i < sizeof(pages); i++) {
        if (pages[i] != 0x80 || disk->s.serial) {
            *at++ = pages[i];
        }
    }
    return (uint32_t)(at - out);
}

static uint32_t
page_identification(const ScsiDisk *disk, uint8_t *out)
{
    size_t len = MIN(strlen(disk->s.device_id), 200);
    uint8_t *at = out;

    at[0] = 0x02; /* ASCII, vendor specific, of the unit */
    at[3] = (uint8_t)len;
    memcpy(at + 4, disk->s.device_id, len);
    at += 4 + len;
    if (disk->s.wwn) {
        at[0] = 0x01; /* binary, NAA */
        at[1] = 0x03;
        at[3] = 8;
        scsi_put64(at + 4, disk->s.wwn);
        at += 12;
    }
    return (uint32_t)(at - out);
}

/* B0h: limits, counted from the page's head. */
static uint32_t
page_limits(const ScsiDisk *disk, uint8_t *out)
{
    uint32_t block = disk->s.logical_block_bytes;
    uint8_t *page = out - 4;

    page[4] = 1; /* a WRITE SAME of 0 blocks is refused */
    scsi_put16(page + 6, disk->min_io_bytes / block);
    scsi_put32(page + 8, (uint32_t)(disk->max_io_bytes / block));
    scsi_put32(page + 12, disk->opt_io_bytes / block);
    scsi_put32(page + 20, scsi_disk_max_unmap_blocks(disk));
    scsi_put32(page + 24, SCSI_DISK_UNMAP_DESCRIPTORS);
    scsi_put32(page + 28, MAX(disk->discard_granularity_bytes, block) / block);
    scsi_put64(page + 36, scsi_disk_max_unmap_blocks(disk)); /* WRITE SAME */
    return 60;
}

static void
inquiry_page(ScsiDisk *disk, ScsiRequest *request)
{
    uint8_t reply[REPLY_BYTES + 64] = { 0 };
    uint8_t page = request->cdb[2], *body = reply + 4;
    uint32_t len;

    switch (page) {
    case 0x00: len = page_supported(disk, body); break;
    case 0x80:
        if (!disk->s.serial) {
            bad_field(request);
            return;
        }
        len = (uint32_t)MIN(strlen(disk->s.serial), 36);
        memcpy(body, disk->s.serial, len);
        break;
    case 0x83: len = page_identification(disk, body); break;
    case 0xb0: len = page_limits(disk, body); break;
    case 0xb1: /* characteristics */
        scsi_put16(body, disk->rotation_rate);
        len = 60;
        break;
    case 0xb2: /* provisioning: unmap, write same with unmap, both sizes; resource type thin */
        body[1] = 0xe0;
        body[2] = 2;
        len = 4;
        break;
    default: bad_field(request); return;
    }
    reply[1] = page;
    scsi_put16(reply + 2, len);
    scsi_reply(request, reply, 4 + len, scsi_get16(request->cdb + 3));
}

void
scsi_disk_inquiry(ScsiDisk *disk, ScsiRequest *request)
{
    uint8_t reply[36] = { 0 };

    if (request->cdb[1] & 1) {
        inquiry_page(disk, request);
        return;
    }
    if ((request->cdb[1] & 2) || request->cdb[2]) {
        bad_field(request);
        return;
    }
    reply[1] = disk->removable ? 0x80 : 0;
    reply[2] = 5;    /* SPC-3 */
    reply[3] = 0x12; /* hierarchical LUNs, response format 2 */
    reply[4] = sizeof(reply) - 5;
    reply[7] = 0x02; /* command queueing */
    scsi_put_padded(reply + 8, disk->s.vendor, 8);
    scsi_put_padded(reply + 16, disk->s.product, 16);
    scsi_put_padded(reply + 32, disk->s.version, 4);
    scsi_reply(request, reply, sizeof(reply), scsi_get16(request->cdb + 3));
}

/* ---- capacity ---- */

void
scsi_disk_read_capacity_10(ScsiDisk *disk, ScsiRequest *request)
{
    uint64_t blocks = scsi_disk_blocks(disk);
    uint8_t reply[8];

    if (blocks == 0) {
        scsi_check(request, SENSE_NOT_READY, ASC_NO_MEDIUM);
        return;
    }
    scsi_put32(reply, (uint32_t)MIN(blocks - 1, UINT32_MAX));
    scsi_put32(reply + 4, disk->s.logical_block_bytes);
    scsi_reply(request, reply, sizeof(reply), sizeof(reply));
}

void
scsi_disk_service_action_in(ScsiDisk *disk, ScsiRequest *request)
{
    uint64_t blocks = scsi_disk_blocks(disk);
    uint32_t ratio = MAX(disk->s.physical_block_bytes, disk->s.logical_block_bytes) /
                     disk->s.logical_block_bytes;
    uint8_t reply[32] = { 0 };

    if ((request->cdb[1] & 31) != 0x10) { /* READ CAPACITY (16) */
        bad_field(request);
        return;
    }
    if (blocks == 0) {
        scsi_check(request, SENSE_NOT_READY, ASC_NO_MEDIUM);
        return;
    }
    scsi_put64(reply, blocks - 1);
    scsi_put32(reply + 8, disk->s.logical_block_bytes);
    reply[13] = (uint8_t)g_bit_nth_msf(ratio, -1);
    reply[14] = 0x80; /* unmapping is there */
    scsi_reply(request, reply, sizeof(reply), scsi_get32(request->cdb + 10));
}

/* ---- mode pages ---- */

static uint8_t *
put_error_page(const ScsiDisk *disk, uint8_t *out)
{
    out[0] = PAGE_ERROR;
    out[1] = 10;
    out[2] = 0x80; /* automatic write reallocation */
    return out + 12;
}

static uint8_t *
put_geometry_page(const ScsiDisk *disk, uint8_t *out)
{
    out[0] = PAGE_GEOMETRY;
    out[1] = 22;
    out[2] = (uint8_t)(disk->geometry.cylinders >> 16);
    scsi_put16(out + 3, disk->geometry.cylinders);
    out[5] = (uint8_t)disk->geometry.heads;
    scsi_put16(out + 20, disk->rotation_rate > 1 ? disk->rotation_rate : 5400);
    return out + 24;
}

static uint8_t *
put_caching_page(const ScsiDisk *disk, uint8_t *out)
{
    out[0] = PAGE_CACHING;
    out[1] = 18;
    out[2] = disk->write_cache_on ? CACHING_WCE : 0;
    return out + 20;
}

/* What the guest may change: the write cache. */
static void
keep_changeable(uint8_t *page, const uint8_t *end)
{
    while (page < end) {
        memset(page + 2, 0, page[1]);
        if (page[0] == PAGE_CACHING) {
            page[2] = CACHING_WCE;
        }
        page += page[1] + 2;
    }
}

static uint8_t *
put_pages(const ScsiDisk *disk, uint8_t page, uint8_t *out)
{
    static const struct {
        uint8_t page;
        uint8_t *(*put)(const ScsiDisk *disk, uint8_t *out);
    } pages[] = { { PAGE_ERROR, put_error_page },
                  { PAGE_GEOMETRY, put_geometry_page },
                  { PAGE_CACHING, put_caching_page } };
    uint8_t *at = out;

    for (unsigned i = 0; i < VIT_ARRAY_LEN(pages); i++) {
        if (page == PAGE_ALL || page == pages[i].page) {
            at = pages[i].put(disk, at);
        }
    }
    return at;
}

static uint8_t *
put_block_descriptor(const ScsiDisk *disk, bool is_long, uint8_t *out)
{
    uint64_t blocks = scsi_disk_blocks(disk);

    if (is_long) {
        scsi_put64(out, blocks);
        scsi_put32(out + 12, disk->s.logical_block_bytes);
        return out + 16;
    }
    scsi_put32(out, (uint32_t)MIN(blocks, 0xffffff));
    scsi_put32(out + 4, disk->s.logical_block_bytes & 0xffffff);
    return out + 8;
}

void
scsi_disk_mode_sense(ScsiDisk *disk, ScsiRequest *request)
{
    const uint8_t *cdb = request->cdb;
    bool is_10 = cdb[0] == 0x5a, no_descriptor = cdb[1] & 8, is_long = is_10 && (cdb[1] & 16);
    uint8_t control = cdb[2] >> 6, page = cdb[2] & 0x3f, specific;
    uint8_t reply[REPLY_BYTES] = { 0 }, *at = reply + (is_10 ? 8 : 4), *pages;
    uint32_t len, descriptor_len;

    if (control == 3) {
        scsi_check(request, SENSE_ILLEGAL_REQUEST, ASC_SAVING_NOT_SUPPORTED);
        return;
    }
    pages = no_descriptor ? at : put_block_descriptor(disk, is_long, at);
    descriptor_len = (uint32_t)(pages - at);
    at = put_pages(disk, page, pages);
    if (at == pages && page != 0) {
        bad_field(request);
        return;
    }
    if (control == 1) {
        keep_changeable(pages, at);
    }
    specific = (uint8_t)((is_read_only(disk) ? DEVICE_WRITE_PROTECT : 0) |
                         (disk->dpofua ? DEVICE_DPOFUA : 0));
    len = (uint32_t)(at - reply);
    if (is_10) {
        scsi_put16(reply, len - 2);
        reply[3] = specific;
        reply[4] = is_long;
        scsi_put16(reply + 6, descriptor_len);
        scsi_reply(request, reply, len, scsi_get16(cdb + 7));
    } else {
        reply[0] = (uint8_t)(len - 1);
        reply[2] = specific;
        reply[3] = (uint8_t)descriptor_len;
        scsi_reply(request, reply, len, cdb[4]);
    }
}

/* Takes the pages at DATA; false when one of them cannot be. APPLY: after all were found good. */
static bool
take_pages(ScsiDisk *disk, const uint8_t *data, uint32_t len, bool apply)
{
    while (len > 0) {
        if (len < 2 || (data[0] & 0x40) || data[1] + 2u > len) {
            return false;
        }
        if ((data[0] & 0x3f) == PAGE_CACHING) {
            if (data[1] != 18) {
                return false;
            }
            if (apply) {
                disk->write_cache_on = data[2] & CACHING_WCE;
                disk->s.drive->enable_write_cache = disk->write_cache_on;
            }
        } else if ((data[0] & 0x3f) != PAGE_GEOMETRY && (data[0] & 0x3f) != PAGE_ERROR) {
            return false;
        }
        len -= data[1] + 2u;
        data += data[1] + 2;
    }
    return true;
}

void
scsi_disk_mode_select(ScsiDisk *disk, ScsiRequest *request)
{
    const uint8_t *cdb = request->cdb;
    bool is_10 = cdb[0] == 0x55, was_on = disk->write_cache_on;
    uint32_t len = is_10 ? scsi_get16(cdb + 7) : cdb[4], head = is_10 ? 8 : 4, skip;
    uint8_t data[REPLY_BYTES];

    if ((cdb[1] & 0x11) != 0x10) { /* standard pages, not to be saved */
        bad_field(request);
        return;
    }
    if (len == 0) {
        scsi_good(request);
        return;
    }
    if (len < head || len > sizeof(data)) {
        scsi_check(request, SENSE_ILLEGAL_REQUEST, ASC_PARAMETER_LENGTH);
        return;
    }
    if (!scsi_take(request, data, len)) {
        return;
    }
    skip = head + (is_10 ? scsi_get16(data + 6) : data[3]);
    if (skip > len || !take_pages(disk, data + skip, len - skip, false)) {
        scsi_check(request, SENSE_ILLEGAL_REQUEST, ASC_BAD_PARAMETER);
        return;
    }
    take_pages(disk, data + skip, len - skip, true);
    if (was_on && !disk->write_cache_on) {
        /* What the cache holds must be on the medium before this ends. */
        scsi_drive_submitted(request);
        disk->s.drive->ops->flush(disk->s.drive, scsi_drive_done, request);
        return;
    }
    scsi_good(request);
}
