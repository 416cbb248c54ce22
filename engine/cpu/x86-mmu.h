/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Page walk and software TLB of one CPU.
 *
 * The walk is a function of the architectural state and guest memory alone, so the translator
 * fills tables of its own from it. The TLB below is the interpreter's: direct mapped, one table
 * per view (who is asking), tags that carry a context number so that a CR3 write costs no sweep.
 *
 * Invariants:
 *  1. A tag matches only when the access needs nothing but the copy: rights checked, accessed and
 *     dirty bits set in the guest's tables, plain RAM (or ROM for reads), no watched address.
 *  2. A context number stands for one (CR3 load or PCID) lifetime; it is never reused without
 *     clearing every table. Entries of global pages ignore it (mask).
 *  3. Whatever changes rights for all pages (CR0, CR4, EFER, PKRU, DR7, SMM, A20, the address map)
 *     clears everything.
 *
 * Thread: the CPU's own. */

#include "vit-memory.h"
#include "x86-interp.h"

typedef enum X86Access { X86_ACCESS_READ, X86_ACCESS_WRITE, X86_ACCESS_EXEC } X86Access;

/* Who asks. SMAP: supervisor with SMAP in force, also every implicit system access. */
typedef enum X86View { X86_VIEW_SUPERVISOR, X86_VIEW_SMAP, X86_VIEW_USER, X86_VIEW_LAST } X86View;

/* Page-fault error code. */
enum {
    X86_PF_PRESENT = 1u << 0,
    X86_PF_WRITE = 1u << 1,
    X86_PF_USER = 1u << 2,
    X86_PF_RESERVED = 1u << 3,
    X86_PF_FETCH = 1u << 4,
    X86_PF_KEY = 1u << 5,
};

typedef struct X86Translation {
    uint64_t physical;   /* of the byte asked for, A20 applied */
    uint64_t page_bytes; /* 4 KiB, 2 or 4 MiB, 1 GiB; 0 with paging off */
    bool global;
    uint8_t key;     /* protection key of a user page */
    bool user;       /* user page */
    uint8_t allowed; /* bit per X86Access that this view may do without another walk */
} X86Translation;

/* Walks the guest's page tables for an access at LINEAR (canonical; wrapped to 32 bits outside
 * long mode), setting accessed and dirty bits. False = #PF with *OUT_ERROR; guest tables are then
 * unchanged. */
bool x86_mmu_translate(X86Core *core, uint64_t linear, X86Access access, X86View view,
                       X86Translation *out, uint32_t *out_error);
/* The same for debuggers and monitors: no rights, no accessed bits. Thread: any that holds the
 * device lock or is a map reader; the CPU may be running (the answer is then a moment's). */
bool x86_mmu_translate_debug(X86Core *core, uint64_t linear, uint64_t *out_physical);

/* Where the CPU's own table at PHYSICAL lies: in a guest of the guest with nested paging, by the
 * host's tables. Unwinds. */
uint64_t x86_mmu_table_address(X86Core *core, uint64_t physical);

/* ---- TLB ---- */

enum {
    X86_TLB_BITS = 9,
    X86_TLB_ENTRIES = 1 << X86_TLB_BITS,
    X86_TLB_FOLDS = 8,       /* slots that a user page may be in, by context */
    X86_TLB_SLOW = 1u << 11, /* tag bit: rights hold, but the access is not a plain copy */
    X86_TLB_CONTEXT_LAST = 0x7fe,
    X86_PHYS_CACHE_ENTRIES = 64,
    X86_TABLE_CACHE_ENTRIES = 16,
};

typedef struct X86TlbEntry {
    uint64_t tag[3];   /* by X86Access: page | X86_TLB_SLOW | context; all ones = no */
    uint64_t mask;     /* which tag bits count */
    uintptr_t host;    /* host address minus linear address */
    uint8_t *dirty;    /* dirty byte of the page; NULL for ROM and windows */
    uint64_t physical; /* of the page */
    uint64_t spare;
} X86TlbEntry;
_Static_assert(sizeof(X86TlbEntry) == 64, "one cache line");

typedef struct X86PhysPage {
    uint64_t page; /* guest physical, all ones = empty */
    uint8_t *host; /* NULL: not plain memory throughout */
    uint8_t *dirty;
    bool writable;
} X86PhysPage;

/* A directory entry that has been walked: its page table, for the pages of the same 2 MiB. What the
 * manuals call a paging-structure cache (SDM volume 3 4.10.3): forgotten at every flush. */
typedef struct X86TablePlace {
    uint64_t span;   /* linear address / 2 MiB; all ones = none */
    uint64_t table;  /* guest physical */
    uint64_t rights; /* of the entries above: AND of W and U, OR of NX */
} X86TablePlace;

/* Where physical pages were looked up last: memory that is one piece. */
typedef struct X86PhysRange {
    uint64_t start, len; /* len 0 = none */
    VitRegion *region;
    uint8_t *host, *dirty;
    bool writable;
} X86PhysRange;

struct X86Mmu {
    X86TlbEntry tlb[X86_VIEW_LAST][X86_TLB_ENTRIES];
    uint32_t context; /* 1..X86_TLB_CONTEXT_LAST */
    /* Taken into the slot: programs have their pages at the same addresses. */
    uint16_t fold[X86_VIEW_LAST];
    uint32_t context_next;
    uint16_t pcid_context[4096]; /* 0 = none */
    uint64_t large_pages[64];    /* hashed set of large pages with entries, for INVLPG */
    bool keys_seen;              /* an entry depends on a protection key other than 0 */
    bool watching;               /* data or I/O breakpoints armed in DR7 */
    X86PhysPage phys[X86_PHYS_CACHE_ENTRIES];
    X86PhysRange range;
    X86TablePlace tables[X86_TABLE_CACHE_ENTRIES];
    VitAddressSpace *space;             /* memory as seen now (SMM or not) */
    uint8_t window_code[VIT_PAGE_SIZE]; /* code fetched from a device window */
};

X86Mmu *x86_mmu_new(void);
void x86_mmu_free(X86Mmu *mmu);
/* Everything, globals too; also takes up A20, SMM and debug-register changes. */
void x86_tlb_flush_all(X86Core *core);
/* What MOV CR3 drops: not global pages (CR4.PGE); with PCIDs the new one's unless KEEP. */
void x86_tlb_load_cr3(X86Core *core, bool keep);
void x86_tlb_flush_page(X86Core *core, uint64_t linear);     /* INVLPG */
void x86_tlb_flush_pcid(X86Core *core, uint16_t pcid);       /* INVPCID 1 */
void x86_tlb_flush_nonglobal(X86Core *core);                 /* INVPCID 3 */
void x86_tlb_pkru_changed(X86Core *core, uint32_t old_pkru); /* WRPKRU, XRSTOR */

/* Finds or makes the entry of LINEAR's page that allows ACCESS; NULL = #PF with *OUT_ERROR. */
X86TlbEntry *x86_tlb_fill(X86Core *core, uint64_t linear, X86Access access, X86View view,
                          uint32_t *out_error);

/* Guest physical page for the walker, SMM and TSS code. */
const X86PhysPage *x86_phys_page(X86Core *core, uint64_t physical);
/* The region there, NULL where there is none. */
const VitRegion *x86_phys_region(X86Core *core, uint64_t physical);
uint64_t x86_phys_read(X86Core *core, uint64_t physical, unsigned size);
void x86_phys_write(X86Core *core, uint64_t physical, uint64_t value, unsigned size);
void x86_phys_read_bytes(X86Core *core, uint64_t physical, void *buf, size_t len);
void x86_phys_write_bytes(X86Core *core, uint64_t physical, const void *buf, size_t len);

/* Sets CR2 and raises #PF. */
_Noreturn void x86_page_fault(X86Core *core, uint64_t linear, uint32_t error);
