/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* RAM blocks: memfd-backed host memory with one dirty byte per page. A memfd so that the
 * translator can map the same pages twice and other processes can be handed them. */

#include "vit-memory.h"

#include "vit-error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

VitRamBlock *
vit_ram_block_new(const char *name, uint64_t len_bytes, GError **error)
{
    VitRamBlock *block;
    void *host;
    int fd;

    len_bytes = (len_bytes + VIT_PAGE_SIZE - 1) & ~(uint64_t)(VIT_PAGE_SIZE - 1);
    fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, len_bytes) != 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NO_MEMORY,
                    "cannot set up %" G_GUINT64_FORMAT " MiB for %s: %s. "
                    "Give the machine less memory (-m)",
                    (guint64)(len_bytes / VIT_MIB), name, g_strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return NULL;
    }
    host = mmap(NULL, len_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (host == MAP_FAILED) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NO_MEMORY,
                    "cannot map %" G_GUINT64_FORMAT " MiB for %s: %s. "
                    "Give the machine less memory (-m)",
                    (guint64)(len_bytes / VIT_MIB), name, g_strerror(errno));
        close(fd);
        return NULL;
    }
    if (len_bytes >= 2 * VIT_MIB) {
        madvise(host, len_bytes, MADV_HUGEPAGE);
    }
    madvise(host, len_bytes, MADV_DONTDUMP);

    block = g_new0(VitRamBlock, 1);
    block->name = g_strdup(name);
    block->host = host;
    block->len_bytes = len_bytes;
    block->fd = fd;
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
    close(block->fd);
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
        __atomic_fetch_or(dirty, VIT_DIRTY_ALL, __ATOMIC_RELEASE);
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
    if (block->fd < 0 || fallocate(block->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                   (off_t)(block->fd_offset + start), (off_t)(end - start)) != 0) {
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
