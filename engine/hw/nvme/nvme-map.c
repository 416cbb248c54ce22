/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Data pointers: physical region pages and scatter-gather lists. NVM Express 1.4 sections 4.3 and
 * 4.4. Lists are read from guest memory a page at a time; lengths bound every walk.
 * Thread: device lock held. */

#include "nvme.h"

#include <string.h>

enum {
    FLAGS_PSDT = 0xc0,
    SGL_BYTES = 16,
    SGL_DATA = 0,
    SGL_BIT_BUCKET = 1,
    SGL_SEGMENT = 2,
    SGL_LAST_SEGMENT = 3,
    SGL_DESCRIPTORS_MAX = 4096,
};

static uint16_t
add(NvmeRequest *request, uint64_t address, uint64_t len)
{
    return vit_sg_add(&request->sg, address, len) ? NVME_OK : NVME_TRANSFER_ERROR | NVME_DNR;
}

/* A list of page addresses, whose last entry on each page leads to the next page. */
static uint16_t
map_prp_list(NvmeRequest *request, uint64_t list, uint64_t left)
{
    uint32_t page = nvme_page_bytes(request->nvme);
    VitAddressSpace *space = nvme_space(request->nvme);

    while (left > 0) {
        uint64_t entry = vit_dma_read64(space, list);
        bool is_last_of_page = (list & (page - 1)) == page - 8;
        uint16_t status;

        if (entry & (page - 1) || entry == 0) {
            return NVME_INVALID_PRP_OFFSET | NVME_DNR;
        }
        if (is_last_of_page && left > page) {
            list = entry;
            continue;
        }
        status = add(request, entry, MIN(left, page));
        if (status != NVME_OK) {
            return status;
        }
        left -= MIN(left, page);
        list += 8;
    }
    return NVME_OK;
}

static uint16_t
map_prp(NvmeRequest *request, uint64_t len)
{
    const NvmeCommand *command = &request->command;
    uint32_t page = nvme_page_bytes(request->nvme);
    uint64_t first = MIN(len, page - (command->dptr1 & (page - 1)));
    uint16_t status;

    if (command->dptr1 & 3) {
        return NVME_INVALID_PRP_OFFSET | NVME_DNR;
    }
    status = add(request, command->dptr1, first);
    len -= first;
    if (status != NVME_OK || len == 0) {
        return status;
    }
    if (len > page) {
        return command->dptr2 & 7 ? NVME_INVALID_PRP_OFFSET | NVME_DNR
                                  : map_prp_list(request, command->dptr2, len);
    }
    return command->dptr2 & (page - 1) ? NVME_INVALID_PRP_OFFSET | NVME_DNR
                                       : add(request, command->dptr2, len);
}

typedef struct SglDescriptor {
    uint64_t address;
    uint32_t len;
    uint8_t type;
} SglDescriptor;

static SglDescriptor
parse_descriptor(const uint8_t bytes[SGL_BYTES])
{
    SglDescriptor out;

    memcpy(&out.address, bytes, 8);
    memcpy(&out.len, bytes + 8, 4);
    out.type = bytes[15];
    return out;
}

static uint16_t
map_data_descriptor(NvmeRequest *request, const SglDescriptor *descriptor, uint64_t *left)
{
    uint64_t piece = MIN(descriptor->len, *left);

    if (descriptor->type != SGL_DATA << 4) {
        return NVME_SGL_TYPE | NVME_DNR;
    }
    *left -= piece;
    return add(request, descriptor->address, piece);
}

static uint16_t
map_sgl(NvmeRequest *request, uint64_t len)
{
    VitAddressSpace *space = nvme_space(request->nvme);
    uint8_t bytes[SGL_BYTES];
    SglDescriptor at;
    unsigned seen = 0;

    memcpy(bytes, &request->command.dptr1, 8);
    memcpy(bytes + 8, &request->command.dptr2, 8);
    at = parse_descriptor(bytes);
    while (at.type >> 4 == SGL_SEGMENT || at.type >> 4 == SGL_LAST_SEGMENT) {
        SglDescriptor segment = at;
        uint32_t count = segment.len / SGL_BYTES;

        if (segment.type & 15 || segment.len % SGL_BYTES || count == 0) {
            return NVME_INVALID_SGL_SEGMENT | NVME_DNR;
        }
        for (uint32_t i = 0; i < count; i++) {
            uint16_t status;

            if (++seen > SGL_DESCRIPTORS_MAX) {
                return NVME_INVALID_SGL_COUNT | NVME_DNR;
            }
            vit_address_space_read_bytes(space, segment.address + (uint64_t)i * SGL_BYTES, bytes,
                                         SGL_BYTES);
            at = parse_descriptor(bytes);
            if (i + 1 == count && segment.type >> 4 == SGL_SEGMENT) {
                break; /* leads on */
            }
            status = len > 0 ? map_data_descriptor(request, &at, &len) : NVME_OK;
            if (status != NVME_OK) {
                return status;
            }
        }
        if (segment.type >> 4 == SGL_LAST_SEGMENT) {
            return len == 0 ? NVME_OK : NVME_SGL_LENGTH | NVME_DNR;
        }
    }
    if (len > 0) {
        uint16_t status = map_data_descriptor(request, &at, &len);
        if (status != NVME_OK) {
            return status;
        }
    }
    return len == 0 ? NVME_OK : NVME_SGL_LENGTH | NVME_DNR;
}

uint16_t
nvme_map(NvmeRequest *request, uint64_t len, bool to_memory)
{
    uint16_t status;

    vit_sg_finish(&request->sg, 0);
    vit_sg_init(&request->sg, nvme_space(request->nvme), to_memory);
    request->to_memory = to_memory;
    if (len == 0) {
        return NVME_OK;
    }
    switch (request->command.flags & FLAGS_PSDT) {
    case 0x00: status = map_prp(request, len); break;
    case 0x40: /* admin commands always use pages */
        status = request->sqid == 0 ? NVME_INVALID_FIELD | NVME_DNR : map_sgl(request, len);
        break;
    default: status = NVME_INVALID_FIELD | NVME_DNR; break;
    }
    if (status != NVME_OK) {
        vit_sg_finish(&request->sg, 0);
    }
    return status;
}
