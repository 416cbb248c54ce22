/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Guest memory and address maps.
 *
 * A *RAM block* is host memory that backs guest RAM, ROM or video memory, with one dirty byte per
 * page. A *region* is a piece of an address map: RAM, ROM, a device window, an alias of another
 * region or a container. Regions nest with priorities; an *address space* flattens its root region
 * on change into a sorted view that is read without locks. Memory and I/O ports are two address
 * spaces of the same kind.
 *
 * Accesses are split and widened here, once: a device's callbacks see only sizes between its
 * min_size and max_size, naturally aligned unless it asks otherwise. Little endian.
 *
 * Thread: the map is changed with the device lock held; views are read from any registered reader
 * thread (see VitMapReader) or with the device lock held. */

#include "vit-lock.h"
#include "vit-types.h"

/* ---- RAM blocks ---- */

enum {
    VIT_DIRTY_DISPLAY = 1u << 0,
    VIT_DIRTY_CODE = 1u << 1, /* clear = some executor caches code of this page */
    VIT_DIRTY_MIGRATION = 1u << 2,
    VIT_DIRTY_ALL = 7,
};

typedef struct VitRamBlock {
    char *name;
    uint8_t *host;      /* page aligned */
    uint64_t len_bytes; /* multiple of VIT_PAGE_SIZE */
    uint8_t *dirty;     /* one byte per page, VIT_DIRTY_* set when written; atomic access */
    /* Where guest code runs outside the process's sight (KVM): brings `dirty` up to date, called
     * before a display looks at it. Set by the executor, device lock held; NULL: always is. */
    void (*sync_dirty)(struct VitRamBlock *block, void *opaque);
    void *sync_opaque;
    /* LEN bytes at OFFSET, in one page with VIT_DIRTY_CODE clear, were written. Set by an executor
     * that clears the bit; any thread. Sets the page's dirty bits. */
    void (*code_written)(struct VitRamBlock *block, uint64_t offset, uint64_t len, void *opaque);
    /* The block is about to be freed; set with code_written. Any thread, no CPU has it mapped. */
    void (*code_gone)(struct VitRamBlock *block, void *opaque);
    void *code_opaque;
} VitRamBlock;

void vit_ram_block_mark_dirty_page(VitRamBlock *block, uint64_t offset, uint64_t len);

/* Zero-filled memory. Free after no region uses it. */
VitRamBlock *vit_ram_block_new(const char *name, uint64_t len_bytes, GError **error);
void vit_ram_block_free(VitRamBlock *block);

/* Marks pages of [offset, offset+len) written. Any thread. */
static inline void
vit_ram_block_mark_dirty(VitRamBlock *block, uint64_t offset, uint64_t len)
{
    /* who clears a bit and then reads the page has seen what was written, or this sees the bit */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    while (len > 0) {
        uint64_t in_page = offset % VIT_PAGE_SIZE;
        uint64_t piece = VIT_PAGE_SIZE - in_page < len ? VIT_PAGE_SIZE - in_page : len;

        if ((__atomic_load_n(&block->dirty[offset / VIT_PAGE_SIZE], __ATOMIC_RELAXED) &
             VIT_DIRTY_ALL) != VIT_DIRTY_ALL) {
            vit_ram_block_mark_dirty_page(block, offset, piece);
        }
        offset += piece;
        len -= piece;
    }
}

/* True when any page of the range carries CLIENT; clears it. The read must come after. */
bool vit_ram_block_test_clear_dirty(VitRamBlock *block, uint64_t offset, uint64_t len,
                                    uint8_t client);

/* Gives the memory of whole pages in [offset, offset+len) back to the host; it reads as zeroes. */
void vit_ram_block_discard(VitRamBlock *block, uint64_t offset, uint64_t len);

/* ---- Regions ---- */

typedef struct VitRegionOps {
    uint64_t (*read)(void *opaque, uint64_t offset, unsigned size);
    void (*write)(void *opaque, uint64_t offset, uint64_t value, unsigned size);
    uint8_t min_size, max_size; /* sizes the callbacks take: 1, 2, 4, 8; 0 = 1 and 4 */
    bool unaligned;             /* callbacks take any offset at these sizes */
    bool lockless;              /* callbacks guard themselves; the device lock is not taken */
    bool late_writes;           /* an executor may hold writes back, in order, until the CPU's next
                                   exit: no write has an effect but on what is stored */
} VitRegionOps;

typedef enum VitRegionType {
    VIT_REGION_CONTAINER,
    VIT_REGION_RAM,
    VIT_REGION_ROM, /* reads from the block; writes go to ops where set, else are ignored */
    VIT_REGION_IO,
    VIT_REGION_ALIAS,
} VitRegionType;

struct VitRegion {
    const char *name; /* owned copy */
    VitRegionType type;
    uint64_t len_bytes;
    bool enabled;
    int priority;
    uint64_t offset; /* in the parent */
    VitRegion *parent;
    GPtrArray *children; /* not owned */
    VitRamBlock *block;  /* RAM, ROM; not owned */
    uint64_t block_offset;
    const VitRegionOps *ops;
    void *opaque;
    VitRegion *alias_target;
    uint64_t alias_offset;
    GPtrArray *aliases;       /* aliases of this region, not owned */
    GPtrArray *space_root_of; /* address spaces with this root, not owned */
    bool log_display_dirty;   /* hint: a display reads this RAM */
};

/* Embedded initialisers. NAME is copied. A region starts enabled and unattached. */
void vit_region_init_container(VitRegion *region, const char *name, uint64_t len_bytes);
void vit_region_init_ram(VitRegion *region, const char *name, VitRamBlock *block,
                         uint64_t block_offset, uint64_t len_bytes);
void vit_region_init_rom(VitRegion *region, const char *name, VitRamBlock *block,
                         uint64_t block_offset, uint64_t len_bytes);
void vit_region_init_io(VitRegion *region, const char *name, const VitRegionOps *ops, void *opaque,
                        uint64_t len_bytes);
void vit_region_init_alias(VitRegion *region, const char *name, VitRegion *target,
                           uint64_t target_offset, uint64_t len_bytes);
/* Detaches and frees what init allocated; safe on a zeroed region. */
void vit_region_finish(VitRegion *region);

/* Map changes; each republishes the views of the address spaces it touches. Between
 * vit_map_begin/commit they are batched. Higher priority covers lower; among equals the later
 * added covers. */
void vit_region_add(VitRegion *parent, uint64_t offset, VitRegion *child, int priority);
void vit_region_remove(VitRegion *child);
void vit_region_set_enabled(VitRegion *region, bool enabled);
void vit_region_set_offset(VitRegion *region, uint64_t offset);
void vit_region_set_alias_offset(VitRegion *region, uint64_t target_offset);
/* ROM<->RAM of the same block (shadowing). */
void vit_region_set_readonly(VitRegion *region, bool readonly);
bool vit_region_is_mapped(const VitRegion *region);

/* ---- Address spaces ---- */

typedef struct VitFlatRange {
    uint64_t start, last; /* inclusive */
    VitRegion *region;    /* RAM, ROM or IO, never alias or container */
    uint64_t region_offset;
    bool readonly; /* ROM */
} VitFlatRange;

typedef struct VitFlatView {
    uint32_t generation;
    uint32_t count;
    VitFlatRange ranges[];
} VitFlatView;

/* Called with the device lock held after a new view is visible. */
typedef void (*VitMapListener)(void *opaque, VitAddressSpace *space, const VitFlatView *old_view,
                               const VitFlatView *new_view);

typedef struct VitMapDomain VitMapDomain; /* all maps of one machine: lock, readers, old views */

VitMapDomain *vit_map_domain_new(VitLock *device_lock);
void vit_map_domain_free(VitMapDomain *domain);
void vit_map_begin(VitMapDomain *domain);
void vit_map_commit(VitMapDomain *domain);

/* ROOT is a container owned by the caller and outlives the space. */
VitAddressSpace *vit_address_space_new(VitMapDomain *domain, const char *name, VitRegion *root);
void vit_address_space_free(VitAddressSpace *space);
const char *vit_address_space_name(const VitAddressSpace *space);
VitLock *vit_address_space_lock(const VitAddressSpace *space);
void vit_address_space_add_listener(VitAddressSpace *space, VitMapListener listener, void *opaque);
void vit_address_space_remove_listener(VitAddressSpace *space, void *opaque);
/* The current view: valid until the calling reader is next quiescent, or the lock is released. */
const VitFlatView *vit_address_space_view(const VitAddressSpace *space);
const VitFlatRange *vit_flat_view_find(const VitFlatView *view, uint64_t address);
/* Listing for "info mtree". */
void vit_address_space_dump(VitAddressSpace *space, GString *out);

/* A thread that reads views without the device lock. It says when it holds no pointer into a view
 * (quiescent) and when it sleeps (offline); old views are freed once every reader has moved on. */
typedef struct VitMapReader {
    uint64_t seen; /* atomic: domain epoch at the last quiescent point; UINT64_MAX offline */
    VitMapDomain *domain;
} VitMapReader;
void vit_map_reader_register(VitMapDomain *domain, VitMapReader *reader);
void vit_map_reader_unregister(VitMapReader *reader);
void vit_map_reader_quiescent(VitMapReader *reader);
void vit_map_reader_offline(VitMapReader *reader);
void vit_map_reader_online(VitMapReader *reader);

/* What lies at a guest physical address, for executors that cache it. */
typedef struct VitMapped {
    VitRegion *region; /* NULL: nothing there */
    uint64_t region_offset;
    uint8_t *host;  /* RAM and ROM: host address of the byte; else NULL */
    bool writable;  /* RAM */
    uint8_t *dirty; /* RAM: dirty byte of its page */
    uint64_t span;  /* bytes from ADDRESS on that this answer holds for */
} VitMapped;
void vit_address_space_lookup(const VitAddressSpace *space, uint64_t address, VitMapped *out);

typedef enum VitAccess {
    VIT_ACCESS_OK,
    VIT_ACCESS_NOTHING, /* no region: reads give ones, writes go nowhere */
} VitAccess;

/* One access of 1, 2, 4 or 8 bytes. Takes the device lock for device windows. Reads of nothing
 * give all ones. */
VitAccess vit_address_space_read(VitAddressSpace *space, uint64_t address, unsigned size,
                                 uint64_t *out_value);
VitAccess vit_address_space_write(VitAddressSpace *space, uint64_t address, unsigned size,
                                  uint64_t value);
/* Any length: what DMA uses. Marks dirty. */
VitAccess vit_address_space_read_bytes(VitAddressSpace *space, uint64_t address, void *buf,
                                       uint64_t len);
VitAccess vit_address_space_write_bytes(VitAddressSpace *space, uint64_t address, const void *buf,
                                        uint64_t len);

/* Little-endian DMA shorthands. */
uint8_t vit_dma_read8(VitAddressSpace *space, uint64_t address);
uint16_t vit_dma_read16(VitAddressSpace *space, uint64_t address);
uint32_t vit_dma_read32(VitAddressSpace *space, uint64_t address);
uint64_t vit_dma_read64(VitAddressSpace *space, uint64_t address);
void vit_dma_write8(VitAddressSpace *space, uint64_t address, uint8_t value);
void vit_dma_write16(VitAddressSpace *space, uint64_t address, uint16_t value);
void vit_dma_write32(VitAddressSpace *space, uint64_t address, uint32_t value);
void vit_dma_write64(VitAddressSpace *space, uint64_t address, uint64_t value);

/* Maps up to *LEN bytes of RAM for direct access; shortens *LEN to what is contiguous; NULL where
 * it is not RAM (use the byte functions). Unmap marks WRITTEN bytes dirty. Device lock held. */
void *vit_dma_map(VitAddressSpace *space, uint64_t address, uint64_t *len, bool for_write);
void vit_dma_unmap(VitAddressSpace *space, uint64_t address, void *host, uint64_t written);
