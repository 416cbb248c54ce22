/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Scatter-gather lists over guest memory, see vit-sg.h. Pieces that lie next to each other in host
 * memory become one. Thread: device lock held. */

#include "vit-sg.h"

#include <string.h>

void
vit_sg_init(VitSg *sg, VitAddressSpace *space, bool to_memory)
{
    sg->space = space;
    sg->iov = sg->inline_iov;
    sg->entries = sg->inline_entries;
    sg->first = sg->count = 0;
    sg->room = VIT_SG_SEGMENTS_INLINE;
    sg->len_bytes = sg->copy_bytes = 0;
    sg->to_memory = to_memory;
}

static bool
make_room(VitSg *sg)
{
    unsigned room = MIN(sg->room * 4, VIT_SG_SEGMENTS_MAX);

    if (sg->count < sg->room) {
        return true;
    }
    if (sg->count >= VIT_SG_SEGMENTS_MAX) {
        return false;
    }
    if (sg->iov == sg->inline_iov) {
        sg->iov = g_memdup2(sg->inline_iov, sizeof(sg->inline_iov));
        sg->entries = g_memdup2(sg->inline_entries, sizeof(sg->inline_entries));
    }
    sg->iov = g_renew(struct iovec, sg->iov, room);
    sg->entries = g_renew(VitSgEntry, sg->entries, room);
    sg->room = room;
    return true;
}

static bool
append(VitSg *sg, uint64_t address, void *host, uint64_t len, bool is_copy, bool is_host)
{
    struct iovec *last = sg->count > sg->first ? &sg->iov[sg->count - 1] : NULL;
    const VitSgEntry *entry = last ? &sg->entries[sg->count - 1] : NULL;

    if (last && !is_copy && !is_host && !entry->copy && !entry->is_host &&
        (char *)last->iov_base + last->iov_len == host &&
        entry->address + last->iov_len == address) {
        last->iov_len += len;
        sg->len_bytes += len;
        return true;
    }
    if (!make_room(sg)) {
        return false;
    }
    sg->iov[sg->count] = (struct iovec){ .iov_base = host, .iov_len = len };
    sg->entries[sg->count] = (VitSgEntry){ address, is_copy ? host : NULL, is_host };
    sg->count++;
    sg->len_bytes += len;
    return true;
}

static bool
append_copy(VitSg *sg, uint64_t address, uint64_t len)
{
    void *copy;

    if (len > VIT_SG_COPY_MAX - sg->copy_bytes) {
        return false;
    }
    copy = g_malloc0(len);
    if (!append(sg, address, copy, len, true, false)) {
        g_free(copy);
        return false;
    }
    sg->copy_bytes += len;
    if (!sg->to_memory) {
        vit_address_space_read_bytes(sg->space, address, copy, len);
    }
    return true;
}

bool
vit_sg_add(VitSg *sg, uint64_t address, uint64_t len)
{
    while (len > 0) {
        uint64_t piece = len;
        void *host = vit_dma_map(sg->space, address, &piece, sg->to_memory);

        if (host) {
            if (!append(sg, address, host, piece, false, false)) {
                return false;
            }
        } else {
            /* up to the next page, where RAM may begin again */
            piece = MIN(len, VIT_PAGE_SIZE - address % VIT_PAGE_SIZE);
            if (!append_copy(sg, address, piece)) {
                return false;
            }
        }
        address += piece;
        len -= piece;
    }
    return true;
}

bool
vit_sg_add_host(VitSg *sg, void *buf, uint64_t len)
{
    return len == 0 || append(sg, 0, buf, len, false, true);
}

void
vit_sg_finish(VitSg *sg, uint64_t written)
{
    for (unsigned n = 0; n < sg->count; n++) {
        VitSgEntry *entry = &sg->entries[n];
        struct iovec *iov = &sg->iov[n];
        uint64_t good = n >= sg->first && sg->to_memory ? MIN(written, iov->iov_len) : 0;

        if (good > 0 && entry->copy) {
            vit_address_space_write_bytes(sg->space, entry->address, iov->iov_base, good);
        } else if (good > 0 && !entry->is_host) {
            vit_dma_unmap(sg->space, entry->address, iov->iov_base, good);
        }
        g_free(entry->copy);
        written -= good;
    }
    if (sg->iov != sg->inline_iov) {
        g_free(sg->iov);
        g_free(sg->entries);
    }
    vit_sg_init(sg, sg->space, sg->to_memory);
}

/* ---- bytes ---- */

typedef enum SgMove { MOVE_OUT, MOVE_IN, MOVE_CLEAR } SgMove;

static uint64_t
move_bytes(const VitSg *sg, uint64_t offset, uint8_t *buf, uint64_t len, SgMove move)
{
    uint64_t done = 0;

    for (unsigned n = sg->first; n < sg->count && done < len; n++) {
        const struct iovec *iov = &sg->iov[n];
        uint64_t piece;
        uint8_t *at;

        if (offset >= iov->iov_len) {
            offset -= iov->iov_len;
            continue;
        }
        at = (uint8_t *)iov->iov_base + offset;
        piece = MIN(iov->iov_len - offset, len - done);
        if (move == MOVE_OUT) {
            memcpy(buf + done, at, piece);
        } else if (move == MOVE_IN) {
            memcpy(at, buf + done, piece);
        } else {
            memset(at, 0, piece);
        }
        done += piece;
        offset = 0;
    }
    return done;
}

uint64_t
vit_sg_read(const VitSg *sg, uint64_t offset, void *buf, uint64_t len)
{
    return move_bytes(sg, offset, buf, len, MOVE_OUT);
}

uint64_t
vit_sg_write(VitSg *sg, uint64_t offset, const void *buf, uint64_t len)
{
    return move_bytes(sg, offset, (uint8_t *)buf, len, MOVE_IN);
}

uint64_t
vit_sg_clear(VitSg *sg, uint64_t offset, uint64_t len)
{
    return move_bytes(sg, offset, NULL, len, MOVE_CLEAR);
}

uint64_t
vit_sg_address_at(const VitSg *sg, uint64_t offset)
{
    for (unsigned n = sg->first; n < sg->count; n++) {
        if (offset < sg->iov[n].iov_len) {
            return sg->entries[n].address + offset;
        }
        offset -= sg->iov[n].iov_len;
    }
    return 0;
}

void
vit_sg_drop_front(VitSg *sg, uint64_t len)
{
    while (len > 0 && sg->first < sg->count) {
        struct iovec *iov = &sg->iov[sg->first];
        uint64_t piece = MIN(len, iov->iov_len);

        iov->iov_base = (char *)iov->iov_base + piece;
        iov->iov_len -= piece;
        sg->entries[sg->first].address += piece;
        sg->len_bytes -= piece;
        len -= piece;
        if (iov->iov_len == 0) {
            sg->first++;
        }
    }
}

void
vit_sg_drop_back(VitSg *sg, uint64_t len)
{
    while (len > 0 && sg->first < sg->count) {
        struct iovec *iov = &sg->iov[sg->count - 1];
        uint64_t piece = MIN(len, iov->iov_len);

        iov->iov_len -= piece;
        sg->len_bytes -= piece;
        len -= piece;
        if (iov->iov_len == 0) {
            g_free(sg->entries[--sg->count].copy);
        }
    }
}
