/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* ELF images of kernels: System V ABI, Object Files and Program Loading; the PVH entry is note 18
 * ("Xen") of Xen's public/elfnote.h. Physical addresses below 4 GiB only. */

#include "boot.h"

#include "vit-error.h"

#include <elf.h>
#include <string.h>

enum { XEN_ELFNOTE_PHYS32_ENTRY = 18 };

/* One program header, of either class. */
typedef struct Segment {
    uint32_t type;
    uint64_t offset, paddr, vaddr, file_len, mem_len;
} Segment;

bool
boot_is_elf(GBytes *image)
{
    gsize len;
    const uint8_t *bytes = g_bytes_get_data(image, &len);

    return len >= sizeof(Elf32_Ehdr) && memcmp(bytes, ELFMAG, SELFMAG) == 0 &&
           bytes[EI_DATA] == ELFDATA2LSB &&
           (bytes[EI_CLASS] == ELFCLASS32 ||
            (bytes[EI_CLASS] == ELFCLASS64 && len >= sizeof(Elf64_Ehdr)));
}

static bool
bad_elf(const char *name, const char *what, GError **error)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT, "-kernel %s: ELF %s", name, what);
    return false;
}

static Segment
segment_read(const uint8_t *row, bool is_64)
{
    Segment segment;

    if (is_64) {
        Elf64_Phdr header;
        memcpy(&header, row, sizeof(header));
        segment = (Segment){ header.p_type,  header.p_offset, header.p_paddr,
                             header.p_vaddr, header.p_filesz, header.p_memsz };
    } else {
        Elf32_Phdr header;
        memcpy(&header, row, sizeof(header));
        segment = (Segment){ header.p_type,  header.p_offset, header.p_paddr,
                             header.p_vaddr, header.p_filesz, header.p_memsz };
    }
    return segment;
}

static void
find_pvh_note(const uint8_t *notes, uint64_t len, BootElf *out)
{
    uint64_t at = 0;

    while (len - at >= sizeof(Elf32_Nhdr)) {
        Elf32_Nhdr note;
        uint64_t name_at = at + sizeof(note), desc_at, end;

        memcpy(&note, notes + at, sizeof(note));
        desc_at = name_at + (((uint64_t)note.n_namesz + 3) & ~3ull);
        end = desc_at + (((uint64_t)note.n_descsz + 3) & ~3ull);
        if (desc_at + note.n_descsz > len) {
            return;
        }
        if (note.n_type == XEN_ELFNOTE_PHYS32_ENTRY && note.n_namesz == 4 &&
            memcmp(notes + name_at, "Xen", 4) == 0 && note.n_descsz >= 4) {
            out->has_pvh_entry = true;
            out->pvh_entry = boot_get32(notes + desc_at);
        }
        if (end > len) {
            return;
        }
        at = end;
    }
}

bool
boot_elf_load(GBytes *image, const char *name, uint64_t memory_end, BootElf *out, GError **error)
{
    gsize len;
    const uint8_t *bytes = g_bytes_get_data(image, &len);
    bool is_64 = bytes[EI_CLASS] == ELFCLASS64;
    uint64_t table_at = is_64 ? boot_get64(bytes + 32) : boot_get32(bytes + 28);
    uint16_t row_len = boot_get16(bytes + (is_64 ? 54 : 42));
    uint16_t count = boot_get16(bytes + (is_64 ? 56 : 44));
    uint64_t entry = is_64 ? boot_get64(bytes + 24) : boot_get32(bytes + 24);
    uint64_t first = UINT64_MAX, last = 0, filled = 0;
    uint8_t *contents;

    *out = (BootElf){ .is_64 = is_64, .entry = entry };
    if (row_len < (is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)) || table_at > len ||
        (uint64_t)row_len * count > len - table_at) {
        return bad_elf(name, "program headers lie outside the file", error);
    }
    for (unsigned i = 0; i < count; i++) {
        Segment segment = segment_read(bytes + table_at + (uint64_t)i * row_len, is_64);

        if (segment.type == PT_NOTE && segment.offset <= len &&
            segment.file_len <= len - segment.offset) {
            find_pvh_note(bytes + segment.offset, segment.file_len, out);
        }
        if (segment.type != PT_LOAD || segment.mem_len == 0) {
            continue;
        }
        if (segment.offset > len || segment.file_len > len - segment.offset ||
            segment.file_len > segment.mem_len) {
            return bad_elf(name, "segment lies outside the file", error);
        }
        if (segment.paddr > memory_end || segment.mem_len > memory_end - segment.paddr) {
            return bad_elf(name, "segment lies outside the machine's memory: give more with -m",
                           error);
        }
        first = MIN(first, segment.paddr);
        last = MAX(last, segment.paddr + segment.mem_len);
        filled = MAX(filled, segment.paddr + segment.file_len);
        /* an entry given as a virtual address means the physical place of it */
        if (entry >= segment.vaddr && entry - segment.vaddr < segment.mem_len) {
            out->entry = segment.paddr + (entry - segment.vaddr);
        }
    }
    if (first >= last) {
        return bad_elf(name, "file has nothing to load", error);
    }
    contents = g_malloc0(MAX(filled - first, 1));
    for (unsigned i = 0; i < count; i++) {
        Segment segment = segment_read(bytes + table_at + (uint64_t)i * row_len, is_64);

        if (segment.type == PT_LOAD && segment.mem_len) {
            memcpy(contents + (segment.paddr - first), bytes + segment.offset, segment.file_len);
        }
    }
    out->first = first;
    out->last = last;
    out->contents = g_bytes_new_take(contents, filled - first);
    return true;
}
