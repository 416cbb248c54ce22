/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* How the ring formats read and write guest memory, and what each of them offers to the queue.
 * The driver may run at the same time: indices are read and written once, with the fences of
 * VirtIO 1.2 section 2.7.13 and 2.8.21. Thread: device lock held. */

#include "virtio.h"

#include <string.h>

/* Descriptor flags (2.7.5, 2.8.1). */
enum {
    VIRTQ_DESC_NEXT = 1,
    VIRTQ_DESC_WRITE = 2,
    VIRTQ_DESC_INDIRECT = 4,
    VIRTQ_DESC_AVAIL = 1 << 7,
    VIRTQ_DESC_USED = 1 << 15,
    VIRTQ_DESC_BYTES = 16,
};

typedef struct VirtqDesc {
    uint64_t address;
    uint32_t len;
    uint16_t flags;
    uint16_t next; /* split; packed: flags and id the other way round */
} VirtqDesc;

static inline uint16_t
ring_read16(const VirtQueue *queue, const VirtRing *ring, uint64_t at)
{
    return ring->host ? __atomic_load_n((const uint16_t *)(ring->host + at), __ATOMIC_RELAXED)
                      : vit_dma_read16(queue->virtio->space, ring->address + at);
}

static inline void
ring_write16(VirtQueue *queue, VirtRing *ring, uint64_t at, uint16_t value)
{
    if (ring->host) {
        __atomic_store_n((uint16_t *)(ring->host + at), value, __ATOMIC_RELAXED);
        vit_ram_block_mark_dirty(ring->block, ring->block_offset + at, 2);
    } else {
        vit_dma_write16(queue->virtio->space, ring->address + at, value);
    }
}

static inline void
ring_read(const VirtQueue *queue, const VirtRing *ring, uint64_t at, void *buf, size_t len)
{
    if (ring->host) {
        memcpy(buf, ring->host + at, len);
    } else {
        vit_address_space_read_bytes(queue->virtio->space, ring->address + at, buf, len);
    }
}

static inline void
ring_write(VirtQueue *queue, VirtRing *ring, uint64_t at, const void *buf, size_t len)
{
    if (ring->host) {
        memcpy(ring->host + at, buf, len);
        vit_ram_block_mark_dirty(ring->block, ring->block_offset + at, len);
    } else {
        vit_address_space_write_bytes(queue->virtio->space, ring->address + at, buf, len);
    }
}

/* Adds a buffer piece to ELEMENT; false when the device has been broken by it. */
bool virtq_add_desc(VirtioElement *element, const VirtqDesc *desc);
/* Walks an indirect table; PACKED: its descriptors follow each other. */
bool virtq_add_indirect(VirtioElement *element, const VirtqDesc *desc, bool packed);

/* The event EVENT lies in (OLD, NEW] of a free-running 16-bit count. */
static inline bool
virtq_event_passed(uint16_t event, uint16_t new_index, uint16_t old_index)
{
    return (uint16_t)(new_index - event - 1) < (uint16_t)(new_index - old_index);
}

typedef struct VirtqFormat {
    bool (*has_more)(VirtQueue *queue);
    /* Reads the element at the queue's position into ELEMENT and goes past it. */
    bool (*take)(VirtQueue *queue, VirtioElement *element);
    /* Reads the element whose chain begins at AT; for elements taken before a save. */
    bool (*take_at)(VirtQueue *queue, VirtioElement *element);
    void (*untake)(VirtQueue *queue, const VirtioElement *element);
    /* Writes a used entry N places (SLOTS ring slots) ahead; returns its slots. */
    unsigned (*put)(VirtQueue *queue, const VirtioElement *element, uint32_t written, unsigned n,
                    unsigned slots);
    void (*publish)(VirtQueue *queue, unsigned count, unsigned slots);
    bool (*wants_interrupt)(VirtQueue *queue);
    void (*set_kick)(VirtQueue *queue, bool wanted);
} VirtqFormat;

extern const VirtqFormat virtq_split, virtq_packed;
