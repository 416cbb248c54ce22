/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The NVM command set: flush, read, write, write zeroes, compare, dataset management, verify. NVM
 * Express 1.4 section 6. Data goes between guest memory and the drive without a copy, but for
 * compare. Protection information and metadata are not offered. Thread: device lock held. */

#include "nvme.h"

#include <errno.h>
#include <string.h>

enum {
    OP_FLUSH = 0x00,
    OP_WRITE = 0x01,
    OP_READ = 0x02,
    OP_COMPARE = 0x05,
    OP_WRITE_ZEROES = 0x08,
    OP_DATASET = 0x09,
    OP_VERIFY = 0x0c,

    RANGE_BYTES = 16,
    DATASET_DEALLOCATE = 4,
    NSID_ALL = 0xffffffff,
};
#define CDW12_FUA        (1u << 30)
#define CDW12_DEALLOCATE (1u << 25)
#define CDW12_PROTECTION (15u << 26)

static bool
is_read(const NvmeRequest *request)
{
    return request->command.opcode == OP_READ || request->command.opcode == OP_COMPARE;
}

static void next_range(NvmeRequest *request);

static void
compare(NvmeRequest *request)
{
    g_autofree uint8_t *theirs = g_malloc(request->len_bytes);

    vit_sg_read(&request->sg, 0, theirs, request->len_bytes);
    nvme_complete(request, memcmp(theirs, request->bounce, request->len_bytes) == 0
                               ? NVME_OK
                               : NVME_COMPARE_FAILURE | NVME_DNR);
}

static uint16_t
status_of(const NvmeRequest *request, int error)
{
    switch (error) {
    case EROFS: return NVME_READ_ONLY | NVME_DNR;
    case EINVAL: return NVME_LBA_RANGE | NVME_DNR;
    default: return is_read(request) ? NVME_READ_FAULT | NVME_DNR : NVME_WRITE_FAULT;
    }
}

static void
submitted(NvmeRequest *request)
{
    request->nvme->in_flight++;
}

static void
moved(void *opaque, int ret)
{
    NvmeRequest *request = opaque;
    NvmeNamespace *ns = request->ns;
    VitDriveError action = VIT_DRIVE_IGNORE;

    request->nvme->in_flight--;
    if (ret < 0) {
        action = ns->drive->ops->error_action(ns->drive, is_read(request), -ret);
    }
    switch (action) {
    case VIT_DRIVE_STOP:
        if (request->nvme->stopped_count < NVME_STOPPED_MAX) {
            request->next = request->nvme->stopped;
            request->nvme->stopped = request;
            request->nvme->stopped_count++;
            return;
        }
        G_GNUC_FALLTHROUGH;
    case VIT_DRIVE_REPORT: nvme_complete(request, status_of(request, -ret)); return;
    case VIT_DRIVE_IGNORE: break;
    }
    if (request->command.opcode == OP_COMPARE) {
        compare(request);
    } else if (request->command.opcode == OP_DATASET) {
        request->at++;
        next_range(request);
    } else {
        nvme_complete(request, NVME_OK);
    }
}

/* ---- ranges of blocks ---- */

static uint16_t
take_range(NvmeRequest *request, uint64_t lba, uint64_t count)
{
    const NvmeNamespace *ns = request->ns;
    uint64_t blocks = nvme_ns_blocks(ns);

    if (lba >= blocks || count > blocks - lba) {
        return NVME_LBA_RANGE | NVME_DNR;
    }
    request->offset = lba << ns->block_shift;
    request->len_bytes = count << ns->block_shift;
    return NVME_OK;
}

static uint16_t
take_command_range(NvmeRequest *request)
{
    const NvmeCommand *command = &request->command;

    if (command->cdw12 & CDW12_PROTECTION) {
        return NVME_INVALID_PROTECTION | NVME_DNR;
    }
    return take_range(request, command->cdw10 | (uint64_t)command->cdw11 << 32,
                      (command->cdw12 & 0xffff) + 1u);
}

static uint16_t
check_transfer(const NvmeRequest *request)
{
    const Nvme *nvme = request->nvme;

    return nvme->max_transfer && request->len_bytes > (4096ull << nvme->max_transfer)
               ? NVME_INVALID_FIELD | NVME_DNR
               : NVME_OK;
}

static uint16_t
move(NvmeRequest *request, bool to_memory)
{
    NvmeNamespace *ns = request->ns;
    const VitDriveOps *ops = ns->drive->ops;
    uint16_t status = take_command_range(request);

    if (status == NVME_OK) {
        status = check_transfer(request);
    }
    if (status == NVME_OK && !to_memory && ops->is_read_only(ns->drive)) {
        status = NVME_READ_ONLY | NVME_DNR;
    }
    if (status == NVME_OK) {
        status = nvme_map(request, request->len_bytes, to_memory);
    }
    if (status != NVME_OK) {
        return status;
    }
    submitted(request);
    if (to_memory) {
        request->nvme->read_commands++;
        request->nvme->read_blocks += request->len_bytes >> NVME_BLOCK_SHIFT;
        ops->read(ns->drive, request->offset, vit_sg_iov(&request->sg),
                  vit_sg_iov_count(&request->sg), moved, request);
    } else {
        request->nvme->write_commands++;
        request->nvme->written_blocks += request->len_bytes >> NVME_BLOCK_SHIFT;
        ops->write(ns->drive, request->offset, vit_sg_iov(&request->sg),
                   vit_sg_iov_count(&request->sg), request->command.cdw12 & CDW12_FUA, moved,
                   request);
    }
    return NVME_NO_COMPLETE;
}

static uint16_t
write_zeroes(NvmeRequest *request)
{
    NvmeNamespace *ns = request->ns;
    uint16_t status = take_command_range(request);

    if (status == NVME_OK && ns->drive->ops->is_read_only(ns->drive)) {
        status = NVME_READ_ONLY | NVME_DNR;
    }
    if (status != NVME_OK) {
        return status;
    }
    submitted(request);
    ns->drive->ops->write_zeroes(ns->drive, request->offset, request->len_bytes,
                                 request->command.cdw12 & CDW12_DEALLOCATE, moved, request);
    return NVME_NO_COMPLETE;
}

static uint16_t
start_compare(NvmeRequest *request)
{
    NvmeNamespace *ns = request->ns;
    uint16_t status = take_command_range(request);

    if (status == NVME_OK) {
        status = check_transfer(request);
    }
    if (status == NVME_OK) {
        status = nvme_map(request, request->len_bytes, false);
    }
    if (status != NVME_OK) {
        return status;
    }
    if (!request->bounce) {
        request->bounce = g_malloc(request->len_bytes);
    }
    request->iov = (struct iovec){ request->bounce, request->len_bytes };
    submitted(request);
    ns->drive->ops->read(ns->drive, request->offset, &request->iov, 1, moved, request);
    return NVME_NO_COMPLETE;
}

/* ---- dataset management ---- */

static void
next_range(NvmeRequest *request)
{
    NvmeNamespace *ns = request->ns;
    uint32_t count = (request->command.cdw10 & 0xff) + 1;

    while (request->at < count) {
        const uint8_t *range = request->bounce + (size_t)request->at * RANGE_BYTES;
        uint32_t blocks;
        uint64_t lba;
        uint16_t status;

        memcpy(&blocks, range + 4, 4);
        memcpy(&lba, range + 8, 8);
        if (blocks == 0) {
            request->at++;
            continue;
        }
        status = take_range(request, lba, blocks);
        if (status != NVME_OK) {
            nvme_complete(request, status);
            return;
        }
        submitted(request);
        ns->drive->ops->discard(ns->drive, request->offset, request->len_bytes, moved, request);
        return;
    }
    nvme_complete(request, NVME_OK);
}

static uint16_t
dataset(NvmeRequest *request)
{
    uint32_t len = ((request->command.cdw10 & 0xff) + 1) * RANGE_BYTES;
    uint16_t status;

    if (!(request->command.cdw11 & DATASET_DEALLOCATE)) {
        return NVME_OK; /* hints of use */
    }
    if (request->ns->drive->ops->is_read_only(request->ns->drive)) {
        return NVME_READ_ONLY | NVME_DNR;
    }
    if (!request->bounce) {
        status = nvme_map(request, len, false);
        if (status != NVME_OK) {
            return status;
        }
        request->bounce = g_malloc0(len);
        vit_sg_read(&request->sg, 0, request->bounce, len);
    }
    next_range(request);
    return NVME_NO_COMPLETE;
}

/* ---- dispatch ---- */

static uint16_t
flush(NvmeRequest *request)
{
    submitted(request);
    request->ns->drive->ops->flush(request->ns->drive, moved, request);
    return NVME_NO_COMPLETE;
}

static uint16_t
verify(NvmeRequest *request)
{
    return take_command_range(request);
}

static uint16_t
run(NvmeRequest *request)
{
    switch (request->command.opcode) {
    case OP_FLUSH: return flush(request);
    case OP_WRITE: return move(request, false);
    case OP_READ: return move(request, true);
    case OP_COMPARE: return start_compare(request);
    case OP_WRITE_ZEROES: return write_zeroes(request);
    case OP_DATASET: return dataset(request);
    case OP_VERIFY: return verify(request);
    default: return NVME_INVALID_OPCODE | NVME_DNR;
    }
}

uint16_t
nvme_io(NvmeRequest *request)
{
    Nvme *nvme = request->nvme;
    uint32_t nsid = request->command.nsid;

    if (request->command.flags & 3) { /* fused */
        return NVME_INVALID_FIELD | NVME_DNR;
    }
    if (nsid == 0 || nsid > NVME_NAMESPACES_MAX || !nvme->namespaces[nsid - 1]) {
        return NVME_INVALID_NAMESPACE | NVME_DNR;
    }
    request->ns = nvme->namespaces[nsid - 1];
    return run(request);
}

void
nvme_repeat(NvmeRequest *request)
{
    uint16_t status = run(request);

    if (status != NVME_NO_COMPLETE) {
        nvme_complete(request, status);
    }
}
