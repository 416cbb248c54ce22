/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A virtio device without its transport: features, status, configuration, queues.
 *
 * A device embeds its transport's structure first (VirtioPci), which embeds Virtio; its VirtioOps
 * say what it is. The queues speak split or packed rings; a device sees elements: what the driver
 * lets it read (out) and write (in). VirtIO 1.2. Thread: device lock held. */

#include "vit-device.h"
#include "vit-iothread.h"
#include "vit-sg.h"

typedef struct Virtio Virtio;
typedef struct VirtQueue VirtQueue;

enum {
    VIRTIO_MAX_QUEUES = 32,
    VIRTIO_QUEUE_SIZE_MAX = 1024,
    VIRTIO_CONFIG_MAX = 256,
    VIRTIO_NO_VECTOR = 0xffff,
};

/* Device status (2.1). */
enum {
    VIRTIO_STATUS_ACKNOWLEDGE = 1,
    VIRTIO_STATUS_DRIVER = 2,
    VIRTIO_STATUS_DRIVER_OK = 4,
    VIRTIO_STATUS_FEATURES_OK = 8,
    VIRTIO_STATUS_NEEDS_RESET = 64,
    VIRTIO_STATUS_FAILED = 128,
};

/* Features of queues and transport (6). */
#define VIRTIO_F_NOTIFY_ON_EMPTY (1ull << 24)
#define VIRTIO_F_ANY_LAYOUT      (1ull << 27)
#define VIRTIO_F_INDIRECT_DESC   (1ull << 28)
#define VIRTIO_F_EVENT_IDX       (1ull << 29)
#define VIRTIO_F_VERSION_1       (1ull << 32)
#define VIRTIO_F_ACCESS_PLATFORM (1ull << 33)
#define VIRTIO_F_RING_PACKED     (1ull << 34)
#define VIRTIO_F_RING_RESET      (1ull << 40)

/* ISR status bits. */
enum { VIRTIO_ISR_QUEUE = 1, VIRTIO_ISR_CONFIG = 2 };

/* One area of a queue; its host address is kept as long as the map does not change. */
typedef struct VirtRing {
    uint64_t address;
    uint8_t *host;      /* NULL: not RAM, or not all of it */
    VitRamBlock *block; /* of host */
    uint64_t block_offset;
} VirtRing;

/* Without holes, so that arrays of it can be checked for undeclared members. */
struct VirtQueue {
    Virtio *virtio;
    void (*handle)(VirtQueue *queue);       /* the driver has offered buffers */
    uint64_t desc_at, driver_at, device_at; /* guest addresses */
    VirtRing desc, driver, device;
    uint64_t generation;  /* of the map, when the rings were found */
    uint32_t first_flags; /* packed: of the first used entry of a batch */
    uint16_t index, max_size;
    uint16_t size;
    uint16_t vector;
    uint16_t next_avail, used_index, signalled;
    bool enabled, signalled_valid;
    bool avail_wrap, used_wrap; /* packed */
    bool mapped;
    bool kick_held; /* no bell is wanted just now */
};

/* One buffer of the driver. A device's request structure embeds it first. */
typedef struct VirtioElement {
    VirtQueue *queue;
    uint16_t id;    /* head of the chain, or buffer id */
    uint16_t descs; /* ring slots it took (packed) */
    uint16_t at;    /* ring position it was found at */
    VitSg out, in;
} VirtioElement;

typedef struct VirtioOps {
    uint8_t device_type;    /* 5: 1 network card, 2 block device... */
    uint16_t pci_class;     /* class << 8 | subclass */
    uint16_t legacy_device; /* PCI device id where the legacy interface is there; 0: none */
    uint16_t config_len;    /* at most VIRTIO_CONFIG_MAX */
    /* What this device offers beyond the bits of queues and transport. */
    uint64_t (*get_features)(Virtio *virtio);
    /* The driver has chosen: virtio->features. May be NULL. */
    void (*features_set)(Virtio *virtio);
    /* Fills OUT with config_len bytes, little endian. */
    void (*read_config)(Virtio *virtio, uint8_t *out);
    /* The driver wrote LEN bytes at AT; DATA is the whole space after that. May be NULL. */
    void (*write_config)(Virtio *virtio, unsigned at, unsigned len, const uint8_t *data);
    /* Status has changed, to driver ok or not; may be NULL. */
    void (*status_changed)(Virtio *virtio);
    /* Waits for what is in flight and forgets the driver; the queues still exist. */
    void (*reset)(Virtio *virtio);
    /* One queue is about to be reset (VIRTIO_F_RING_RESET); NULL: not offered. */
    void (*queue_reset)(VirtQueue *queue);
} VirtioOps;

typedef struct VirtioTransportOps {
    void (*notify_queue)(Virtio *virtio, VirtQueue *queue);
    void (*notify_config)(Virtio *virtio);
    /* Whether the device may touch memory now. */
    bool (*can_dma)(Virtio *virtio);
} VirtioTransportOps;

struct Virtio {
    VitDevice *dev;
    const VirtioOps *ops;
    const VirtioTransportOps *transport;
    VitAddressSpace *space;
    /* properties */
    bool indirect_desc, event_idx, notify_on_empty, any_layout, packed, access_platform,
        queue_reset;
    /* fixed at realize */
    uint64_t offered;
    uint16_t queue_count;
    /* the driver's */
    uint64_t guest_features; /* as written */
    uint64_t features;       /* of those, what is offered */
    uint8_t status, isr;
    uint8_t config_generation;
    uint16_t config_vector;
    bool broken;
    VirtQueue queues[VIRTIO_MAX_QUEUES];
    /* bells that an iothread answers */
    VitIothread *iothread; /* fixed at realize; NULL: whoever rings does the work */
    VitIothreadCall answer;
    uint32_t rung; /* atomic; a bit for each queue */
};

extern const VitField virtio_state[];

/* ---- for transports (virtio.c) ---- */

void virtio_realize(Virtio *virtio, VitDevice *dev, const VirtioOps *ops,
                    const VirtioTransportOps *transport, VitAddressSpace *space, bool modern);
void virtio_reset(Virtio *virtio);
void virtio_set_status(Virtio *virtio, uint8_t status);
/* Bits that are not offered are remembered and make FEATURES_OK fail. */
void virtio_set_features(Virtio *virtio, uint64_t features);
uint64_t virtio_read_config(Virtio *virtio, unsigned at, unsigned size);
void virtio_write_config(Virtio *virtio, unsigned at, uint64_t value, unsigned size);
/* The driver rang the queue's bell. */
void virtio_notify_received(Virtio *virtio, unsigned index);
/* From realize on the queues are handled on THREAD (may be NULL), and bells need no lock; to be
 * undone at unrealize. */
void virtio_use_iothread(Virtio *virtio, VitIothread *thread);
void virtio_leave_iothread(Virtio *virtio);
/* After enabled or an address changed. */
void virtq_set_enabled(VirtQueue *queue, bool enabled);
void virtq_reset(VirtQueue *queue);
bool virtio_post_load(Virtio *virtio, GError **error);

static inline bool
virtio_has(const Virtio *virtio, uint64_t feature)
{
    return virtio->features & feature;
}

/* ---- for devices ---- */

/* Before the transport's realize ends; SIZE is a power of two. */
VirtQueue *virtio_add_queue(Virtio *virtio, unsigned size, void (*handle)(VirtQueue *queue));
/* The device's configuration has changed: tells the driver. */
void virtio_config_changed(Virtio *virtio);
/* The driver did what it must not: the device stops until it is reset. */
void virtio_break(Virtio *virtio, const char *what);

/* The next buffer, in an allocation of SIZE bytes (VirtioElement first); NULL: none. */
void *virtq_pop(VirtQueue *queue, size_t size);
/* Gives the last popped buffer back to the ring, unused. Frees it. */
void virtq_unpop(VirtQueue *queue, VirtioElement *element);
/* Hands a buffer back with WRITTEN bytes in it, and frees it. */
void virtq_push(VirtQueue *queue, VirtioElement *element, uint32_t written);
/* The same in two steps, for several buffers that become visible together: fill the N-th (from 0),
 * which frees it, then flush all. SLOTS is the sum of what the fills returned. */
unsigned virtq_fill(VirtQueue *queue, VirtioElement *element, uint32_t written, unsigned n,
                    unsigned slots_before);
void virtq_flush(VirtQueue *queue, unsigned count, unsigned slots);
/* Lets a popped element go without telling the driver (reset). */
void virtq_drop(VirtioElement *element);
/* Interrupts the driver unless it asked not to be. */
void virtq_notify(VirtQueue *queue);
/* Whether the driver is to ring the bell for new buffers. After switching it on, look once more. */
void virtq_set_kick(VirtQueue *queue, bool wanted);
bool virtq_is_empty(VirtQueue *queue);
bool virtq_is_ready(VirtQueue *queue);
/* Finds the element at a ring position again, after a state was loaded; NULL: impossible. */
void *virtq_refetch(VirtQueue *queue, uint16_t at, uint16_t id, size_t size);
