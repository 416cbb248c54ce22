/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Memory for code: see codemem.h. mmap(2), memfd_create(2). A hardened host may refuse pages that
 * are both writable and executable (SELinux execmem, PaX); one memfd mapped twice then often works.
 * Any thread.
 */

#include "codemem.h"

#include "vit-error.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* How far code may lie from the program so that rel32 reaches from any end to any end: 2 GiB less
 * what program and code may measure. */
#define NEAR_STEP  ((uintptr_t)64 << 20)
#define NEAR_REACH ((uintptr_t)1536 << 20)

static void *
map_at(uintptr_t where, size_t len_bytes, int prot, int flags, int fd)
{
    void *hint = (void *)where;
    void *got = mmap(hint, len_bytes, prot, flags | (hint ? MAP_FIXED_NOREPLACE : 0), fd, 0);

    if (got != MAP_FAILED && hint && got != hint) { /* a kernel that does not know the flag */
        munmap(got, len_bytes);
        return MAP_FAILED;
    }
    return got;
}

/* Below the program first: above it the heap grows. */
static void *
map_near(size_t len_bytes, int prot, int flags, int fd)
{
    uintptr_t self = (uintptr_t)map_near & -NEAR_STEP;
    bool refused = false;

    for (uintptr_t away = NEAR_STEP; away + len_bytes <= NEAR_REACH && !refused;
         away += NEAR_STEP) {
        uintptr_t where = self - away - len_bytes;
        void *got;

        if (self < away + len_bytes + NEAR_STEP) {
            break;
        }
        got = map_at(where & -NEAR_STEP, len_bytes, prot, flags, fd);
        if (got != MAP_FAILED) {
            return got;
        }
        refused = errno != EEXIST && errno != EINVAL;
    }
    return map_at(0, len_bytes, prot, flags, fd);
}

static bool
map_twice(TcgCodeMemory *memory, size_t len_bytes)
{
    int fd = memfd_create("vitrine-code", MFD_CLOEXEC);
    void *w = MAP_FAILED, *x = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, (off_t)len_bytes) == 0) {
        w = mmap(NULL, len_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        x = map_near(len_bytes, PROT_READ | PROT_EXEC, MAP_SHARED, fd);
    }
    if (fd >= 0) {
        close(fd);
    }
    if (w != MAP_FAILED && x != MAP_FAILED) {
        *memory = (TcgCodeMemory){ w, x, len_bytes };
        return true;
    }
    if (w != MAP_FAILED) {
        munmap(w, len_bytes);
    }
    if (x != MAP_FAILED) {
        munmap(x, len_bytes);
    }
    return false;
}

static bool
map_once(TcgCodeMemory *memory, size_t len_bytes)
{
    void *both = map_near(len_bytes, PROT_READ | PROT_WRITE | PROT_EXEC,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);

    if (both == MAP_FAILED) {
        return false;
    }
    /* translated code is spread wide: a program's start makes tens of MiB of it */
    madvise(both, len_bytes, MADV_HUGEPAGE);
    *memory = (TcgCodeMemory){ both, both, len_bytes };
    return true;
}

bool
tcg_code_memory_map(TcgCodeMemory *memory, size_t len_bytes, bool split, GError **error)
{
    if ((!split && map_once(memory, len_bytes)) || map_twice(memory, len_bytes)) {
        return true;
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                "Translator: no executable memory, %zu MiB wanted (%s); allow the program to map "
                "executable memory, or give a smaller tb-size",
                len_bytes >> 20, g_strerror(errno));
    return false;
}

void
tcg_code_memory_unmap(TcgCodeMemory *memory)
{
    if (memory->exec && memory->exec != memory->write) {
        munmap(memory->exec, memory->len_bytes);
    }
    if (memory->write) {
        munmap(memory->write, memory->len_bytes);
    }
    *memory = (TcgCodeMemory){ 0 };
}
