/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The virtio block device. VirtIO 1.2 section 5.2.
 *
 * A request is one element: a header, data, a status byte; data goes between guest memory and the
 * drive without a copy. Requests run and end in any order. One that failed and whose policy stops
 * the machine waits in a list, saved by its place in the ring, and is repeated when it goes on.
 * Without a negotiated FLUSH every write goes through to the medium.
 *
 * Discard and write-zeroes take one range per request. Not offered: the old SCSI pass-through,
 * lifetime, secure erase, zones. Thread: device lock held; with iothread= queues are handled and
 * requests end on that thread, which takes the lock (vit-iothread.h). */

#include "virtio-pci.h"

#include "vit-drive.h"
#include "vit-error.h"

#include <errno.h>
#include <string.h>

#define BLK_F_SEG_MAX      (1ull << 2)
#define BLK_F_GEOMETRY     (1ull << 4)
#define BLK_F_RO           (1ull << 5)
#define BLK_F_BLK_SIZE     (1ull << 6)
#define BLK_F_FLUSH        (1ull << 9)
#define BLK_F_TOPOLOGY     (1ull << 10)
#define BLK_F_CONFIG_WCE   (1ull << 11)
#define BLK_F_MQ           (1ull << 12)
#define BLK_F_DISCARD      (1ull << 13)
#define BLK_F_WRITE_ZEROES (1ull << 14)

enum {
    TYPE_IN = 0,
    TYPE_OUT = 1,
    TYPE_FLUSH = 4,
    TYPE_GET_ID = 8,
    TYPE_DISCARD = 11,
    TYPE_WRITE_ZEROES = 13,

    STATUS_OK = 0,
    STATUS_IOERR = 1,
    STATUS_UNSUPP = 2,

    HEADER_BYTES = 16,
    RANGE_BYTES = 16,
    RANGE_UNMAP = 1,
    ID_BYTES = 20,
    SECTOR_BYTES = 512,
    CONFIG_BYTES = 60,
    CONFIG_WRITEBACK = 32,
    STOPPED_MAX = 1024,
    QUEUES_AUTO = 0xffff,
};

typedef struct BlkRequest {
    VirtioElement element; /* first */
    struct VirtioBlk *blk;
    struct BlkRequest *next;
    uint32_t type;
    uint64_t sector;
    uint64_t status_at; /* guest address of the status byte */
    uint32_t written;   /* bytes of data for the driver */
} BlkRequest;

typedef struct VirtioBlk {
    VirtioPci t; /* first */
    /* properties */
    VitDrive *drive;
    VitIothread *iothread;
    char *serial;
    int32_t bootindex, write_cache, on_read_error, on_write_error;
    uint32_t logical_block_bytes, physical_block_bytes, min_io_bytes, opt_io_bytes,
        discard_granularity_bytes;
    uint32_t cylinders, heads, sectors;
    uint32_t queues_wanted, queue_size, max_discard_sectors, max_write_zeroes_sectors;
    bool share_rw, config_wce, seg_max_adjust, discard, write_zeroes;
    /* fixed at realize */
    VitDriveGeometry geometry;
    uint16_t queues;
    bool default_write_cache;
    /* the driver's */
    bool write_cache_on;
    /* requests that wait for the machine to go on */
    BlkRequest *stopped;
    uint32_t stopped_count;
    uint16_t stopped_queue[STOPPED_MAX], stopped_at[STOPPED_MAX], stopped_id[STOPPED_MAX];
} VirtioBlk;
VIT_DEVICE_LAYOUT(VirtioBlk)

static VirtioBlk *
blk_of(Virtio *virtio)
{
    return VIRTIO_DEVICE(VirtioBlk, virtio);
}

/* ---- ending requests ---- */

static void
finish(BlkRequest *request, uint8_t status)
{
    VirtQueue *queue = request->element.queue;

    vit_dma_write8(queue->virtio->space, request->status_at, status);
    virtq_push(queue, &request->element, status == STATUS_OK ? request->written + 1 : 1);
    virtq_notify(queue);
}

static bool
is_read(const BlkRequest *request)
{
    return request->type == TYPE_IN;
}

static void
completed(void *opaque, int ret)
{
    BlkRequest *request = opaque;
    VirtioBlk *blk = request->blk;
    VitDriveError action;

    if (ret == 0) {
        finish(request, STATUS_OK);
        return;
    }
    if (ret == -ENOTSUP && request->type != TYPE_IN && request->type != TYPE_OUT) {
        finish(request, STATUS_UNSUPP);
        return;
    }
    action = blk->drive->ops->error_action(blk->drive, is_read(request), -ret);
    if (action == VIT_DRIVE_STOP && blk->stopped_count < STOPPED_MAX) {
        request->next = blk->stopped;
        blk->stopped = request;
        blk->stopped_count++;
        return;
    }
    finish(request, action == VIT_DRIVE_IGNORE ? STATUS_OK : STATUS_IOERR);
}

/* ---- running requests ---- */

/* Whether LEN bytes from the request's sector on are on the disk, in whole blocks. */
static bool
range_is_good(const VirtioBlk *blk, uint64_t sector, uint64_t len)
{
    uint64_t total = blk->drive->ops->get_len(blk->drive);

    return sector <= UINT64_MAX / SECTOR_BYTES && len % blk->logical_block_bytes == 0 &&
           sector * SECTOR_BYTES % blk->logical_block_bytes == 0 && len <= total &&
           sector * SECTOR_BYTES <= total - len;
}

static void
run_transfer(VirtioBlk *blk, BlkRequest *request)
{
    bool to_guest = is_read(request);
    VitSg *sg = to_guest ? &request->element.in : &request->element.out;
    const VitDriveOps *ops = blk->drive->ops;
    uint64_t offset = request->sector * SECTOR_BYTES;

    if (!range_is_good(blk, request->sector, sg->len_bytes) ||
        (!to_guest && ops->is_read_only(blk->drive))) {
        finish(request, STATUS_IOERR);
        return;
    }
    if (sg->len_bytes == 0) {
        finish(request, STATUS_OK);
        return;
    }
    if (to_guest) {
        request->written = (uint32_t)sg->len_bytes;
        ops->read(blk->drive, offset, vit_sg_iov(sg), vit_sg_iov_count(sg), completed, request);
    } else {
        ops->write(blk->drive, offset, vit_sg_iov(sg), vit_sg_iov_count(sg),
                   !virtio_has(&blk->t.virtio, BLK_F_FLUSH), completed, request);
    }
}

static void
run_range(VirtioBlk *blk, BlkRequest *request)
{
    bool zeroes = request->type == TYPE_WRITE_ZEROES;
    uint32_t most = zeroes ? blk->max_write_zeroes_sectors : blk->max_discard_sectors;
    const VitDriveOps *ops = blk->drive->ops;
    uint8_t range[RANGE_BYTES];
    uint64_t sector, offset, len;
    uint32_t count, flags;

    if (!(zeroes ? blk->write_zeroes : blk->discard) ||
        request->element.out.len_bytes != RANGE_BYTES) {
        finish(request, STATUS_UNSUPP);
        return;
    }
    vit_sg_read(&request->element.out, 0, range, sizeof(range));
    memcpy(&sector, range, 8);
    memcpy(&count, range + 8, 4);
    memcpy(&flags, range + 12, 4);
    offset = sector * SECTOR_BYTES;
    len = (uint64_t)count * SECTOR_BYTES;
    if (flags & ~(zeroes ? RANGE_UNMAP : 0u)) {
        finish(request, STATUS_UNSUPP);
    } else if (count > most || !range_is_good(blk, sector, len) || ops->is_read_only(blk->drive)) {
        finish(request, STATUS_IOERR);
    } else if (zeroes) {
        ops->write_zeroes(blk->drive, offset, len, flags & RANGE_UNMAP, completed, request);
    } else {
        ops->discard(blk->drive, offset, len, completed, request);
    }
}

static void
run_get_id(VirtioBlk *blk, BlkRequest *request)
{
    char id[ID_BYTES] = { 0 };
    VitSg *sg = &request->element.in;

    if (blk->serial) {
        memcpy(id, blk->serial, MIN(strlen(blk->serial), sizeof(id)));
    }
    request->written = (uint32_t)vit_sg_write(sg, 0, id, sizeof(id));
    finish(request, STATUS_OK);
}

static void
run(VirtioBlk *blk, BlkRequest *request)
{
    switch (request->type) {
    case TYPE_IN:
    case TYPE_OUT: run_transfer(blk, request); break;
    case TYPE_FLUSH: blk->drive->ops->flush(blk->drive, completed, request); break;
    case TYPE_GET_ID: run_get_id(blk, request); break;
    case TYPE_DISCARD:
    case TYPE_WRITE_ZEROES: run_range(blk, request); break;
    default: finish(request, STATUS_UNSUPP); break;
    }
}

/* Cuts header and status off the element. */
static bool
parse(VirtioBlk *blk, BlkRequest *request)
{
    VirtioElement *element = &request->element;
    uint8_t header[HEADER_BYTES];

    request->blk = blk;
    if (vit_sg_read(&element->out, 0, header, sizeof(header)) < sizeof(header) ||
        element->in.len_bytes == 0) {
        virtio_break(&blk->t.virtio, "a request without header or status");
        return false;
    }
    memcpy(&request->type, header, 4);
    memcpy(&request->sector, header + 8, 8);
    vit_sg_drop_front(&element->out, sizeof(header));
    request->status_at = vit_sg_address_at(&element->in, element->in.len_bytes - 1);
    vit_sg_drop_back(&element->in, 1);
    return true;
}

static void
take_requests(VirtioBlk *blk, VirtQueue *queue)
{
    BlkRequest *request;

    do {
        virtq_set_kick(queue, false);
        while ((request = virtq_pop(queue, sizeof(*request)))) {
            if (!parse(blk, request)) {
                virtq_drop(&request->element);
                return;
            }
            run(blk, request);
        }
        virtq_set_kick(queue, true);
    } while (!virtq_is_empty(queue));
}

static void
handle_queue(VirtQueue *queue)
{
    VirtioBlk *blk = blk_of(queue->virtio);
    const VitDriveOps *ops = blk->drive->ops;

    if (ops->batch_begin) {
        ops->batch_begin(blk->drive);
    }
    take_requests(blk, queue);
    if (ops->batch_end) {
        ops->batch_end(blk->drive);
    }
}

/* ---- stopped requests ---- */

static void
resume(void *opaque)
{
    VirtioBlk *blk = opaque;
    BlkRequest *request = g_steal_pointer(&blk->stopped);

    blk->stopped_count = 0;
    while (request) {
        BlkRequest *next = g_steal_pointer(&request->next);
        request->written = 0;
        run(blk, request);
        request = next;
    }
}

static void
drop_stopped(VirtioBlk *blk)
{
    while (blk->stopped) {
        BlkRequest *request = blk->stopped;
        blk->stopped = request->next;
        virtq_drop(&request->element);
    }
    blk->stopped_count = 0;
}

static void
blk_pre_save(VitDevice *dev)
{
    VirtioBlk *blk = (VirtioBlk *)dev;
    unsigned n = 0;

    memset(blk->stopped_queue, 0, sizeof(blk->stopped_queue));
    memset(blk->stopped_at, 0, sizeof(blk->stopped_at));
    memset(blk->stopped_id, 0, sizeof(blk->stopped_id));
    for (const BlkRequest *request = blk->stopped; request; request = request->next, n++) {
        blk->stopped_queue[n] = request->element.queue->index;
        blk->stopped_at[n] = request->element.at;
        blk->stopped_id[n] = request->element.id;
    }
}

/* Finds the stopped requests in the rings again and repeats them. */
static bool
load_stopped(VirtioBlk *blk, unsigned count)
{
    for (unsigned n = 0; n < count; n++) {
        BlkRequest *request;

        if (blk->stopped_queue[n] >= blk->queues) {
            return false;
        }
        request = virtq_refetch(&blk->t.virtio.queues[blk->stopped_queue[n]], blk->stopped_at[n],
                                blk->stopped_id[n], sizeof(*request));
        if (!request) {
            return false;
        }
        if (!parse(blk, request)) {
            virtq_drop(&request->element);
            return false;
        }
        request->next = blk->stopped;
        blk->stopped = request;
        blk->stopped_count++;
    }
    resume(blk);
    return true;
}

static bool
blk_post_load(VitDevice *dev, unsigned version, GError **error)
{
    VirtioBlk *blk = (VirtioBlk *)dev;
    uint32_t count = blk->stopped_count;

    blk->stopped_count = 0;
    drop_stopped(blk);
    if (!virtio_pci_post_load(dev, version, error)) {
        return false;
    }
    if (count > STOPPED_MAX || !load_stopped(blk, count)) {
        drop_stopped(blk);
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                    "saved state of %s: its waiting requests are not in its queues", dev->path);
        return false;
    }
    blk->drive->enable_write_cache = blk->write_cache_on;
    return true;
}

/* ---- the device ---- */

static uint64_t
get_features(Virtio *virtio)
{
    VirtioBlk *blk = blk_of(virtio);
    uint64_t features = BLK_F_SEG_MAX | BLK_F_GEOMETRY | BLK_F_BLK_SIZE | BLK_F_TOPOLOGY;

    features |= BLK_F_FLUSH;
    features |= blk->config_wce ? BLK_F_CONFIG_WCE : 0;
    features |= blk->drive->ops->is_read_only(blk->drive) ? BLK_F_RO : 0;
    features |= blk->queues > 1 ? BLK_F_MQ : 0;
    features |= blk->discard ? BLK_F_DISCARD : 0;
    features |= blk->write_zeroes ? BLK_F_WRITE_ZEROES : 0;
    return features;
}

static void
put16(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)value;
    out[1] = (uint8_t)(value >> 8);
}

static void
put32(uint8_t *out, uint32_t value)
{
    put16(out, value);
    put16(out + 2, value >> 16);
}

static uint8_t
log2_of(uint32_t value)
{
    return (uint8_t)(value ? g_bit_nth_msf(value, -1) : 0);
}

static void
read_config(Virtio *virtio, uint8_t *out)
{
    VirtioBlk *blk = blk_of(virtio);
    uint64_t sectors = blk->drive->ops->get_len(blk->drive) / SECTOR_BYTES;
    uint32_t block = blk->logical_block_bytes;

    put32(out, (uint32_t)sectors);
    put32(out + 4, (uint32_t)(sectors >> 32));
    put32(out + 12, blk->seg_max_adjust ? blk->queue_size - 2 : 126);
    put16(out + 16, blk->geometry.cylinders);
    out[18] = (uint8_t)blk->geometry.heads;
    out[19] = (uint8_t)(blk->geometry.sectors & ~(block / SECTOR_BYTES - 1));
    put32(out + 20, block);
    out[24] = log2_of(MAX(blk->physical_block_bytes, block) / block);
    put16(out + 26, blk->min_io_bytes / block);
    put32(out + 28, blk->opt_io_bytes / block);
    out[CONFIG_WRITEBACK] = blk->drive->enable_write_cache;
    put16(out + 34, blk->queues);
    if (blk->discard) {
        put32(out + 36, blk->max_discard_sectors);
        put32(out + 40, 1);
        put32(out + 44, MAX(blk->discard_granularity_bytes, block) / SECTOR_BYTES);
    }
    if (blk->write_zeroes) {
        put32(out + 48, blk->max_write_zeroes_sectors);
        put32(out + 52, 1);
        out[56] = 1;
    }
}

static void
write_config(Virtio *virtio, unsigned at, unsigned len, const uint8_t *data)
{
    VirtioBlk *blk = blk_of(virtio);

    if (at <= CONFIG_WRITEBACK && at + len > CONFIG_WRITEBACK && blk->config_wce) {
        blk->write_cache_on = data[CONFIG_WRITEBACK] & 1;
        blk->drive->enable_write_cache = blk->write_cache_on;
    }
}

static void
blk_stop(Virtio *virtio)
{
    VirtioBlk *blk = blk_of(virtio);

    blk->drive->ops->drain(blk->drive);
    drop_stopped(blk);
    blk->write_cache_on = blk->default_write_cache;
    blk->drive->enable_write_cache = blk->write_cache_on;
}

static void
queue_reset(VirtQueue *queue)
{
    VirtioBlk *blk = blk_of(queue->virtio);
    BlkRequest **link = &blk->stopped;

    blk->drive->ops->drain(blk->drive);
    while (*link) {
        BlkRequest *request = *link;
        if (request->element.queue != queue) {
            link = &request->next;
            continue;
        }
        *link = request->next;
        blk->stopped_count--;
        virtq_drop(&request->element);
    }
}

static void
resized(void *opaque)
{
    VirtioBlk *blk = opaque;

    virtio_config_changed(&blk->t.virtio);
}

static bool
is_power_of_two(uint32_t value)
{
    return value && !(value & (value - 1));
}

static bool
check_properties(VirtioBlk *blk, GError **error)
{
    const char *name = blk->t.pci.dev.kind->name;

    if (!blk->drive->ops->is_inserted(blk->drive)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "%s: drive '%s' has no image. Give it file=.", name, blk->drive->id);
        return false;
    }
    if (!is_power_of_two(blk->logical_block_bytes) || !is_power_of_two(blk->physical_block_bytes) ||
        blk->physical_block_bytes < blk->logical_block_bytes) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "%s: block sizes are powers of two, and physical_block_size is not below "
                    "logical_block_size.",
                    name);
        return false;
    }
    if (blk->queues_wanted != QUEUES_AUTO && blk->queues_wanted > VIRTIO_MAX_QUEUES) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "%s: num-queues=%u: there can be %u.", name, blk->queues_wanted,
                    VIRTIO_MAX_QUEUES);
        return false;
    }
    if (!is_power_of_two(blk->queue_size)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "%s: queue-size=%u: it must be a power of two up to %u.", name, blk->queue_size,
                    VIRTIO_QUEUE_SIZE_MAX);
        return false;
    }
    return true;
}

static void
apply_drive_properties(VirtioBlk *blk)
{
    VitDrive *drive = blk->drive;

    drive->logical_block_bytes = blk->logical_block_bytes;
    drive->physical_block_bytes = blk->physical_block_bytes;
    if (blk->on_read_error) {
        drive->on_read_error = (uint8_t)blk->on_read_error;
    }
    if (blk->on_write_error) {
        drive->on_write_error = (uint8_t)blk->on_write_error;
    }
    if (blk->write_cache != VIT_AUTO) {
        drive->enable_write_cache = blk->write_cache == VIT_ON;
    }
    blk->default_write_cache = blk->write_cache_on = drive->enable_write_cache;
    drive->geometry.cylinders = blk->cylinders ? blk->cylinders : drive->geometry.cylinders;
    drive->geometry.heads = blk->heads ? blk->heads : drive->geometry.heads;
    drive->geometry.sectors = blk->sectors ? blk->sectors : drive->geometry.sectors;
    if (!blk->serial && drive->serial) {
        blk->serial = g_strdup(drive->serial);
    }
}

static bool
blk_realize(Virtio *virtio, GError **error)
{
    VirtioBlk *blk = blk_of(virtio);
    VitDriveUser user = { .resized = resized, .resume = resume, .opaque = blk };

    if (!check_properties(blk, error) || !vit_drive_attach(blk->drive, &user, error)) {
        return false;
    }
    apply_drive_properties(blk);
    vit_drive_guess_geometry(blk->drive, &blk->geometry);
    blk->queues = blk->queues_wanted == QUEUES_AUTO ? 1 : (uint16_t)blk->queues_wanted;
    for (unsigned i = 0; i < blk->queues; i++) {
        virtio_add_queue(virtio, blk->queue_size, handle_queue);
    }
    virtio_use_iothread(virtio, blk->iothread);
    if (blk->iothread && blk->drive->ops->set_iothread) {
        blk->drive->ops->set_iothread(blk->drive, blk->iothread);
    }
    return true;
}

static void
blk_unrealize(Virtio *virtio)
{
    VirtioBlk *blk = blk_of(virtio);

    if (blk->iothread && blk->drive->ops->set_iothread) {
        blk->drive->ops->set_iothread(blk->drive, NULL);
    }
    vit_drive_detach(blk->drive);
}

static const VirtioOps blk_ops = {
    .device_type = 2,
    .legacy_device = 0x1001,
    .config_len = CONFIG_BYTES,
    .get_features = get_features,
    .read_config = read_config,
    .write_config = write_config,
    .reset = blk_stop,
    .queue_reset = queue_reset,
};

static const char *const on_error_words[] = { "auto", "report", "ignore", "stop", "enospc", NULL };

static const VitProp props[] = {
    VIT_PROP_BACKEND(VirtioBlk, drive, "drive", VIT_PROP_TYPE_DRIVE,
                     VIT_N_("Drive or block node that holds the data"), .flags = VIT_PROP_REQUIRED),
    VIT_PROP_BACKEND(VirtioBlk, iothread, "iothread", VIT_PROP_TYPE_IOTHREAD,
                     VIT_N_("Object iothread that does the device's I/O")),
    VIT_PROP_INT(VirtioBlk, bootindex, "bootindex", -1, -1, INT32_MAX,
                 VIT_N_("Place in the boot order; -1 none")),
    VIT_PROP_STRING(VirtioBlk, serial, "serial", NULL, VIT_N_("Serial number, 20 characters")),
    VIT_PROP_UINT(VirtioBlk, queues_wanted, "num-queues", QUEUES_AUTO, 1, QUEUES_AUTO,
                  VIT_N_("Request queues; 65535 chooses")),
    VIT_PROP_UINT(VirtioBlk, queue_size, "queue-size", 256, 4, VIRTIO_QUEUE_SIZE_MAX,
                  VIT_N_("Entries of a queue, a power of two")),
    VIT_PROP_BOOL(VirtioBlk, seg_max_adjust, "seg-max-adjust", true,
                  VIT_N_("The number of segments follows the queue size")),
    VIT_PROP_BOOL(VirtioBlk, config_wce, "config-wce", true,
                  VIT_N_("The driver may switch the write cache")),
    VIT_PROP_ONOFFAUTO(VirtioBlk, write_cache, "write-cache", VIT_AUTO,
                       VIT_N_("Volatile write cache; auto as the drive says")),
    VIT_PROP_SIZE(VirtioBlk, logical_block_bytes, "logical_block_size", 512, 512, 2 * VIT_MIB,
                  VIT_N_("Sector size")),
    VIT_PROP_SIZE(VirtioBlk, physical_block_bytes, "physical_block_size", 512, 512, 2 * VIT_MIB,
                  VIT_N_("Sector size on the medium")),
    VIT_PROP_SIZE(VirtioBlk, min_io_bytes, "min_io_size", 0, 0, 2 * VIT_MIB,
                  VIT_N_("Smallest transfer that is not slow")),
    VIT_PROP_SIZE(VirtioBlk, opt_io_bytes, "opt_io_size", 0, 0, 2 * VIT_MIB,
                  VIT_N_("Best size of a transfer")),
    VIT_PROP_BOOL(VirtioBlk, discard, "discard", true, VIT_N_("Offer discard requests")),
    VIT_PROP_BOOL(VirtioBlk, write_zeroes, "write-zeroes", true,
                  VIT_N_("Offer write-zeroes requests")),
    VIT_PROP_UINT(VirtioBlk, max_discard_sectors, "max-discard-sectors", 0x3fffff, 1, 0x3fffff,
                  VIT_N_("Longest discard")),
    VIT_PROP_UINT(VirtioBlk, max_write_zeroes_sectors, "max-write-zeroes-sectors", 0x3fffff, 1,
                  0x3fffff, VIT_N_("Longest write of zeroes")),
    VIT_PROP_SIZE(VirtioBlk, discard_granularity_bytes, "discard_granularity", 512, 0, INT32_MAX,
                  VIT_N_("Unit of discarding")),
    VIT_PROP_UINT(VirtioBlk, cylinders, "cyls", 0, 0, 65535, VIT_N_("Cylinders; 0 as found")),
    VIT_PROP_UINT(VirtioBlk, heads, "heads", 0, 0, 255, VIT_N_("Heads; 0 as found")),
    VIT_PROP_UINT(VirtioBlk, sectors, "secs", 0, 0, 255, VIT_N_("Sectors per track; 0 as found")),
    VIT_PROP_BOOL(VirtioBlk, share_rw, "share-rw", 0, VIT_N_("Others may write to the image too")),
    VIT_PROP_ENUM(VirtioBlk, on_read_error, "rerror", on_error_words, 0,
                  VIT_N_("What a read error does")),
    VIT_PROP_ENUM(VirtioBlk, on_write_error, "werror", on_error_words, 0,
                  VIT_N_("What a write error does")),
    VIRTIO_PCI_PROPS(VirtioBlk, t),
    { 0 },
};

static const VitField state[] = {
    VIRTIO_PCI_STATE(VirtioBlk, t),
    VIT_FIELD(VirtioBlk, write_cache_on),
    VIT_FIELD(VirtioBlk, stopped_count),
    VIT_FIELD_ARRAY(VirtioBlk, stopped_queue),
    VIT_FIELD_ARRAY(VirtioBlk, stopped_at),
    VIT_FIELD_ARRAY(VirtioBlk, stopped_id),
    VIT_TRANSIENT(VirtioBlk, stopped),             /* found again by the arrays */
    VIT_TRANSIENT(VirtioBlk, geometry),            /* found at realize */
    VIT_TRANSIENT(VirtioBlk, queues),              /* of the property */
    VIT_TRANSIENT(VirtioBlk, default_write_cache), /* of drive and property */
    { 0 },
};

static const VirtioPciInfo as_told =
    VIRTIO_PCI_INFO(VIRTIO_PCI_AS_TOLD, &blk_ops, blk_realize, blk_unrealize, 0x0100);
static const VirtioPciInfo transitional =
    VIRTIO_PCI_INFO(VIRTIO_PCI_TRANSITIONAL, &blk_ops, blk_realize, blk_unrealize, 0x0100);
static const VirtioPciInfo modern =
    VIRTIO_PCI_INFO(VIRTIO_PCI_MODERN, &blk_ops, blk_realize, blk_unrealize, 0x0100);

static const char *const aliases[] = { "virtio-blk", NULL };

const VitDeviceKind vit_virtio_blk_pci_kind = VIRTIO_PCI_KIND(
    VirtioBlk, "virtio-blk-pci", VIT_N_("Virtio block device"), VIT_CATEGORY_STORAGE, props, state,
    as_told, .aliases = aliases, .post_load = blk_post_load, .pre_save = blk_pre_save);
const VitDeviceKind vit_virtio_blk_pci_transitional_kind = VIRTIO_PCI_KIND(
    VirtioBlk, "virtio-blk-pci-transitional",
    VIT_N_("Virtio block device, legacy and modern interface"), VIT_CATEGORY_STORAGE, props, state,
    transitional, .post_load = blk_post_load, .pre_save = blk_pre_save);
const VitDeviceKind vit_virtio_blk_pci_non_transitional_kind =
    VIRTIO_PCI_KIND(VirtioBlk, "virtio-blk-pci-non-transitional",
                    VIT_N_("Virtio block device, modern interface only"), VIT_CATEGORY_STORAGE,
                    props, state, modern, .post_load = blk_post_load, .pre_save = blk_pre_save);
