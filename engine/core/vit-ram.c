/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* RAM blocks: anonymous host memory with one dirty byte per page. In huge pages where the host lets
 * a program ask for them, which for memory that has a file it rarely does: a first touch then costs
 * one fault in 512 pages, and guests' own huge pages are the host's. mmap(2), madvise(2). */

#include "vit-memory.h"

#include "vit-error.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_BYTES = 2 << 20 };

/* Of LEN bytes, at an address that huge pages can begin at. */
static uint8_t *
map_host(size_t len)
{
    size_t slack = len >= HUGE_BYTES ? HUGE_BYTES - VIT_PAGE_SIZE : 0, head;
    uint8_t *all = mmap(NULL, len + slack, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (all == MAP_FAILED) {
        return NULL;
    }
    head = slack ? -(uintptr_t)all & (HUGE_BYTES - 1) : 0;
    if (head) {
        munmap(all, head);
    }
    if (slack > head) {
        munmap(all + head + len, slack - head);
    }
    if (slack) {
        madvise(all + head, len, MADV_HUGEPAGE);
    }
    return all + head;
}

VitRamBlock *
vit_ram_block_new(const char *name, uint64_t len_bytes, GError **error)
{
    VitRamBlock *block;
    uint8_t *host;

    len_bytes = (len_bytes + VIT_PAGE_SIZE - 1) & ~(uint64_t)(VIT_PAGE_SIZE - 1);
    host = map_host(len_bytes);
    if (!host) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NO_MEMORY,
                    "cannot map %" G_GUINT64_FORMAT " MiB for %s: %s. "
                    "Give the machine less memory (-m)",
                    (guint64)(len_bytes / VIT_MIB), name, g_strerror(errno));
        return NULL;
    }
    madvise(host, len_bytes, MADV_DONTDUMP);

    block = g_new0(VitRamBlock, 1);
    block->name = g_strdup(name);
    block->host = host;
    block->len_bytes = len_bytes;
    /* fresh zero pages, committed only where something is written */
    block->dirty = mmap(NULL, len_bytes / VIT_PAGE_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (block->dirty == MAP_FAILED) {
        block->dirty = NULL;
        vit_ram_block_free(block);
        g_set_error(error, VIT_ERROR, VIT_ERROR_NO_MEMORY, "no memory for the dirty map of %s",
                    name);
        return NULL;
    }
    return block;
}

void
vit_ram_block_free(VitRamBlock *block)
{
    if (!block) {
        return;
    }
    if (block->code_gone) {
        block->code_gone(block, block->code_opaque);
    }
    munmap(block->host, block->len_bytes);
    if (block->dirty) {
        munmap(block->dirty, block->len_bytes / VIT_PAGE_SIZE);
    }
    g_free(block->name);
    g_free(block);
}

void
vit_ram_block_mark_dirty_page(VitRamBlock *block, uint64_t offset, uint64_t len)
{
    uint8_t *dirty = &block->dirty[offset / VIT_PAGE_SIZE];

    if (block->code_written && !(__atomic_load_n(dirty, __ATOMIC_SEQ_CST) & VIT_DIRTY_CODE)) {
        block->code_written(block, offset, len, block->code_opaque);
    } else {
        /* not a bit that somebody may have cleared since it was looked at */
        __atomic_fetch_or(dirty, VIT_DIRTY_ALL & ~VIT_DIRTY_CODE, __ATOMIC_RELEASE);
    }
}

void
vit_ram_block_discard(VitRamBlock *block, uint64_t offset, uint64_t len)
{
    uint64_t start = (offset + VIT_PAGE_SIZE - 1) & ~(uint64_t)(VIT_PAGE_SIZE - 1);
    uint64_t end = (offset + len) & ~(uint64_t)(VIT_PAGE_SIZE - 1);

    if (end <= start || end > block->len_bytes) {
        return;
    }
    if (madvise(block->host + start, end - start, MADV_DONTNEED) != 0) {
        /* the host cannot take it, but what the guest sees is the same */
        memset(block->host + start, 0, end - start);
    }
    vit_ram_block_mark_dirty(block, start, end - start);
}

bool
vit_ram_block_test_clear_dirty(VitRamBlock *block, uint64_t offset, uint64_t len, uint8_t client)
{
    bool found = false;

    if (len == 0) {
        return false;
    }
    if (block->sync_dirty && client == VIT_DIRTY_DISPLAY) {
        block->sync_dirty(block, block->sync_opaque);
    }
    for (uint64_t page = offset / VIT_PAGE_SIZE; page <= (offset + len - 1) / VIT_PAGE_SIZE;
         page++) {
        if (__atomic_load_n(&block->dirty[page], __ATOMIC_RELAXED) & client) {
            __atomic_fetch_and(&block->dirty[page], (uint8_t)~client, __ATOMIC_ACQ_REL);
            found = true;
        }
    }
    return found;
}
