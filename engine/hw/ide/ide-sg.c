/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Guest memory of a DMA transfer as an I/O vector. RAM is used where it lies; anything else goes
 * through a copy. Thread: device lock held. */

#include "ide.h"

#include <string.h>

static void
add_segment(IdeSg *sg, VitAddressSpace *space, uint64_t address, uint32_t len)
{
    int n = sg->count++;
    uint64_t span = len;
    void *host = vit_dma_map(space, address, &span, sg->to_memory);

    if (host && span == len) {
        sg->iov[n] = (struct iovec){ .iov_base = host, .iov_len = len };
        sg->is_copy[n] = false;
    } else {
        if (host) {
            vit_dma_unmap(space, address, host, 0);
        }
        sg->iov[n] = (struct iovec){ .iov_base = g_malloc0(len), .iov_len = len };
        sg->is_copy[n] = true;
        if (!sg->to_memory) {
            vit_address_space_read_bytes(space, address, sg->iov[n].iov_base, len);
        }
    }
    sg->address[n] = address;
    sg->len_bytes += len;
}

void
ide_sg_finish(IdeDevice *ide, uint64_t len)
{
    IdeSg *sg = ide->sg;
    VitAddressSpace *space = ide->bus->host->dma_space(ide->bus);

    for (int n = 0; n < sg->count; n++) {
        uint64_t good = sg->to_memory ? MIN(len, sg->iov[n].iov_len) : 0;
        if (!sg->is_copy[n]) {
            vit_dma_unmap(space, sg->address[n], sg->iov[n].iov_base, good);
        } else {
            if (good > 0) {
                vit_address_space_write_bytes(space, sg->address[n], sg->iov[n].iov_base, good);
            }
            g_free(sg->iov[n].iov_base);
        }
        len -= MIN(len, sg->iov[n].iov_len);
    }
    sg->count = 0;
    sg->len_bytes = 0;
}

static void
gather(IdeDevice *ide, uint64_t want)
{
    IdeBus *bus = ide->bus;
    IdeSg *sg = ide->sg;
    VitAddressSpace *space = bus->host->dma_space(bus);

    while (sg->len_bytes < want && sg->count < IDE_SG_SEGMENTS) {
        uint32_t len = (uint32_t)(want - sg->len_bytes);
        uint64_t address;
        if (!bus->host->dma_next(bus, &address, &len)) {
            break;
        }
        add_segment(sg, space, address, len);
    }
}

uint64_t
ide_sg_gather(IdeDevice *ide, uint64_t want, uint32_t unit, bool to_memory)
{
    IdeBus *bus = ide->bus;
    IdeSg *sg = ide->sg;

    g_assert(sg->count == 0);
    sg->to_memory = to_memory;
    sg->len_bytes = 0;
    want = MIN(want, IDE_SG_BYTES - IDE_SG_BYTES % unit);
    bus->host->dma_mark(bus);
    gather(ide, want);
    if (sg->len_bytes % unit) {
        /* Too many small pieces, or the list's end: again, only to the last whole unit. */
        uint64_t whole = sg->len_bytes - sg->len_bytes % unit;
        ide_sg_finish(ide, 0);
        bus->host->dma_rewind(bus);
        gather(ide, whole);
    }
    return sg->len_bytes;
}

bool
ide_sg_copy(IdeDevice *ide, void *buf, uint64_t len, bool to_memory)
{
    uint8_t *at = buf;

    while (len > 0) {
        uint64_t piece = ide_sg_gather(ide, len, 1, to_memory);
        if (piece == 0) {
            return false;
        }
        for (int n = 0; n < ide->sg->count; n++) {
            struct iovec *iov = &ide->sg->iov[n];
            memcpy(to_memory ? iov->iov_base : (void *)at, to_memory ? (void *)at : iov->iov_base,
                   iov->iov_len);
            at += iov->iov_len;
        }
        ide_sg_finish(ide, piece);
        len -= piece;
    }
    return true;
}
