/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Guest memory of one transfer as an I/O vector: what controllers build from a guest's lists and
 * hand to drives. RAM is used where it lies; anything else goes through a copy.
 * Thread: device lock held; while a request runs, the I/O vector alone is read elsewhere. */

#include "vit-memory.h"

#include <sys/uio.h>

enum {
    VIT_SG_SEGMENTS_MAX = 1024, /* as many as one system call takes */
    VIT_SG_COPY_MAX = 1 << 20,  /* bytes that are not RAM, of one list */
    VIT_SG_SEGMENTS_INLINE = 8,
};

typedef struct VitSgEntry {
    uint64_t address; /* guest, of the first byte still in the list */
    void *copy;       /* allocated; NULL for RAM */
    bool is_host;     /* the caller's own memory: nothing to let go of */
} VitSgEntry;

typedef struct VitSg {
    VitAddressSpace *space;
    struct iovec *iov;
    VitSgEntry *entries;
    unsigned first, count, room; /* iov[first] to iov[count - 1] are the data */
    uint64_t len_bytes;
    uint64_t copy_bytes;
    bool to_memory;
    struct iovec inline_iov[VIT_SG_SEGMENTS_INLINE];
    VitSgEntry inline_entries[VIT_SG_SEGMENTS_INLINE];
} VitSg;

/* Embedded; not to be moved afterwards. TO_MEMORY: the guest's memory is written. */
void vit_sg_init(VitSg *sg, VitAddressSpace *space, bool to_memory);
/* Adds guest memory; false when the list has become too long, or too much of it is not RAM. */
bool vit_sg_add(VitSg *sg, uint64_t address, uint64_t len);
/* Adds the caller's memory, which lives until vit_sg_finish(). */
bool vit_sg_add_host(VitSg *sg, void *buf, uint64_t len);
/* Ends the transfer: the first WRITTEN bytes of the list are good (marks pages dirty, stores
 * copies), and empties the list. */
void vit_sg_finish(VitSg *sg, uint64_t written);

/* Moves bytes between BUF and the list from OFFSET on; how many there were. */
uint64_t vit_sg_read(const VitSg *sg, uint64_t offset, void *buf, uint64_t len);
uint64_t vit_sg_write(VitSg *sg, uint64_t offset, const void *buf, uint64_t len);
/* Sets LEN bytes from OFFSET on to zero. */
uint64_t vit_sg_clear(VitSg *sg, uint64_t offset, uint64_t len);
/* Guest address of a byte of the list. */
uint64_t vit_sg_address_at(const VitSg *sg, uint64_t offset);
/* Takes bytes off an end of the list (headers and trailers around data). */
void vit_sg_drop_front(VitSg *sg, uint64_t len);
void vit_sg_drop_back(VitSg *sg, uint64_t len);

static inline const struct iovec *
vit_sg_iov(const VitSg *sg)
{
    return sg->iov + sg->first;
}

static inline int
vit_sg_iov_count(const VitSg *sg)
{
    return (int)(sg->count - sg->first);
}
