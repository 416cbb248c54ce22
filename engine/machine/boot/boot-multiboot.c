/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Multiboot kernels: Multiboot Specification 0.6.96. ELF files and the a.out kludge, modules from
 * -initrd "file arguments,file arguments", memory sizes, command lines; the memory map is added by
 * the boot ROM. Information at 9000h, strings and module list at 18000h, modules page-aligned
 * behind the kernel. */

#include "boot.h"

#include "vit-error.h"

#include "pc/fw-cfg.h"

#include <string.h>

enum {
    HEADER_MAGIC = 0x1badb002,
    HEADER_SEARCH = 8192,
    FLAG_AOUT = 1 << 16,
    FLAGS_REFUSED = 0x0000fff8, /* bits 3-15: requirements nobody has defined */

    INFO_ADDRESS = 0x9000,
    MEMORY_MAP_ADDRESS = 0x9400,
    BLOB_ADDRESS = 0x18000,
    INFO_LEN = 88,

    INFO_FLAG_MEMORY = 1 << 0,
    INFO_FLAG_BOOT_DEVICE = 1 << 1,
    INFO_FLAG_CMDLINE = 1 << 2,
    INFO_FLAG_MODULES = 1 << 3,
    INFO_FLAG_MMAP = 1 << 6,
    INFO_FLAG_LOADER = 1 << 9,
};

static bool
find_header(const uint8_t *bytes, size_t len, size_t *out_at)
{
    for (size_t at = 0; at + 12 <= MIN(len, HEADER_SEARCH); at += 4) {
        if (boot_get32(bytes + at) == HEADER_MAGIC &&
            (uint32_t)(boot_get32(bytes + at) + boot_get32(bytes + at + 4) +
                       boot_get32(bytes + at + 8)) == 0) {
            *out_at = at;
            return true;
        }
    }
    return false;
}

/* What ends up in memory, whichever container it came in. */
typedef struct Kernel {
    uint32_t first, last, entry;
    GBytes *contents;
} Kernel;

static bool
load_aout(const BootRequest *request, size_t header_at, Kernel *out, GError **error)
{
    gsize len;
    const uint8_t *bytes = g_bytes_get_data(request->kernel, &len);
    uint32_t header_addr, load_addr, load_end, bss_end;
    uint64_t file_at, file_len;

    if (header_at + 32 > len) {
        goto bad;
    }
    header_addr = boot_get32(bytes + header_at + 12);
    load_addr = boot_get32(bytes + header_at + 16);
    load_end = boot_get32(bytes + header_at + 20);
    bss_end = boot_get32(bytes + header_at + 24);
    if (load_addr > header_addr || header_addr - load_addr > header_at) {
        goto bad;
    }
    file_at = header_at - (header_addr - load_addr);
    file_len = load_end ? (uint64_t)load_end - load_addr : len - file_at;
    if ((load_end && load_end < load_addr) || file_len > len - file_at) {
        goto bad;
    }
    out->first = load_addr;
    out->last = MAX(load_addr + file_len, bss_end);
    out->entry = boot_get32(bytes + header_at + 28);
    if (out->last > request->below_4g_bytes) {
        goto bad;
    }
    out->contents = g_bytes_new_from_bytes(request->kernel, file_at, file_len);
    return true;
bad:
    g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                "-kernel %s: its multiboot header names addresses outside the file or the memory",
                request->kernel_name);
    return false;
}

static bool
load_elf(const BootRequest *request, Kernel *out, GError **error)
{
    BootElf elf;

    if (!boot_is_elf(request->kernel)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                    "-kernel %s has a multiboot header but is no ELF file and gives no addresses",
                    request->kernel_name);
        return false;
    }
    if (!boot_elf_load(request->kernel, request->kernel_name, request->below_4g_bytes, &elf,
                       error)) {
        return false;
    }
    *out = (Kernel){ elf.first, elf.last, elf.entry, elf.contents };
    return true;
}

/* ---- Information, strings and modules ---- */

typedef struct Blob {
    GByteArray *strings; /* at BLOB_ADDRESS */
    GByteArray *modules; /* module contents, behind the kernel */
    uint32_t modules_address;
    GArray *rows; /* uint32_t[4] per module */
} Blob;

static uint32_t
blob_string(Blob *blob, const char *text)
{
    uint32_t at = BLOB_ADDRESS + blob->strings->len;

    g_byte_array_append(blob->strings, (const uint8_t *)text, strlen(text) + 1);
    return at;
}

/* "file arguments", commas between modules, doubled commas inside. */
static GPtrArray *
split_modules(const char *spec)
{
    GPtrArray *parts = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GString) part = g_string_new(NULL);

    for (; spec && *spec; spec++) {
        if (*spec == ',' && spec[1] == ',') {
            g_string_append_c(part, ',');
            spec++;
        } else if (*spec == ',') {
            g_ptr_array_add(parts, g_strdup(part->str));
            g_string_truncate(part, 0);
        } else {
            g_string_append_c(part, *spec);
        }
    }
    if (part->len) {
        g_ptr_array_add(parts, g_strdup(part->str));
    }
    return parts;
}

static bool
add_module(Blob *blob, const char *spec, GError **error)
{
    g_autofree char *file = g_strndup(spec, strcspn(spec, " "));
    g_autofree char *contents = NULL;
    static const uint8_t zeros[VIT_PAGE_SIZE];
    uint32_t row[4];
    gsize len;

    if (!g_file_get_contents(file, &contents, &len, error)) {
        g_prefix_error(error, "-initrd module: ");
        return false;
    }
    if (blob->modules->len % VIT_PAGE_SIZE) {
        g_byte_array_append(blob->modules, zeros,
                            VIT_PAGE_SIZE - blob->modules->len % VIT_PAGE_SIZE);
    }
    row[0] = blob->modules_address + blob->modules->len;
    row[1] = row[0] + len;
    row[2] = blob_string(blob, spec);
    row[3] = 0;
    g_array_append_vals(blob->rows, row, 4);
    g_byte_array_append(blob->modules, (const uint8_t *)contents, len);
    return true;
}

static void
put_info(const BootRequest *request, BootImage *out, Blob *blob, uint32_t cmdline, uint32_t loader,
         unsigned n_modules, uint32_t rows_address)
{
    uint8_t *info = g_malloc0(INFO_LEN);

    boot_put32(info, INFO_FLAG_MEMORY | INFO_FLAG_BOOT_DEVICE | INFO_FLAG_CMDLINE | INFO_FLAG_MMAP |
                         INFO_FLAG_LOADER | (n_modules ? INFO_FLAG_MODULES : 0));
    boot_put32(info + 4, 640);
    boot_put32(info + 8, (MAX(request->below_4g_bytes, VIT_MIB) - VIT_MIB) / 1024);
    boot_put32(info + 12, 0x8000ffff); /* first hard disk, no partition */
    boot_put32(info + 16, cmdline);
    boot_put32(info + 20, n_modules);
    boot_put32(info + 24, rows_address);
    boot_put32(info + 64, loader);
    boot_add_load(out, FW_CFG_SETUP_DATA, INFO_ADDRESS, g_bytes_new_take(info, INFO_LEN));
}

static bool
put_modules(const BootRequest *request, const Kernel *kernel, BootImage *out, GError **error)
{
    g_autoptr(GPtrArray) specs = split_modules(request->initrd_spec);
    Blob blob = {
        .strings = g_byte_array_new(),
        .modules = g_byte_array_new(),
        .modules_address = (kernel->last + VIT_PAGE_SIZE - 1) & ~(VIT_PAGE_SIZE - 1),
        .rows = g_array_new(FALSE, FALSE, sizeof(uint32_t)),
    };
    g_autofree char *full_cmdline = g_strdup_printf("%s%s%s", request->kernel_name,
                                                    *request->cmdline ? " " : "", request->cmdline);
    uint32_t cmdline = blob_string(&blob, full_cmdline);
    uint32_t loader = blob_string(&blob, "Vitrine");
    uint32_t rows_address;
    bool ok = true;

    for (guint i = 0; ok && i < specs->len; i++) {
        ok = add_module(&blob, specs->pdata[i], error);
    }
    if (ok && (uint64_t)blob.modules_address + blob.modules->len > request->below_4g_bytes) {
        g_set_error(
            error, VIT_ERROR, VIT_ERROR_NO_MEMORY,
            "the modules of -initrd do not fit behind the kernel: give more memory with -m");
        ok = false;
    }
    while (blob.strings->len % 4) {
        g_byte_array_append(blob.strings, (const uint8_t *)"", 1);
    }
    rows_address = BLOB_ADDRESS + blob.strings->len;
    g_byte_array_append(blob.strings, (const uint8_t *)blob.rows->data,
                        blob.rows->len * sizeof(uint32_t));
    if (ok && blob.strings->len > 0x60000) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "-append and the arguments of -initrd are too long");
        ok = false;
    }
    if (ok) {
        put_info(request, out, &blob, cmdline, loader, specs->len, rows_address);
        boot_add_load(out, FW_CFG_CMDLINE_DATA, BLOB_ADDRESS,
                      g_byte_array_free_to_bytes(g_steal_pointer(&blob.strings)));
        boot_add_load(out, FW_CFG_INITRD_DATA, blob.modules_address,
                      g_byte_array_free_to_bytes(g_steal_pointer(&blob.modules)));
    }
    g_clear_pointer(&blob.strings, g_byte_array_unref);
    g_clear_pointer(&blob.modules, g_byte_array_unref);
    g_array_unref(blob.rows);
    return ok;
}

bool
boot_multiboot_load(const BootRequest *request, BootImage *out, bool *out_match, GError **error)
{
    gsize len;
    const uint8_t *bytes = g_bytes_get_data(request->kernel, &len);
    Kernel kernel = { 0 };
    size_t header_at;
    uint32_t flags;

    *out_match = find_header(bytes, len, &header_at);
    if (!*out_match) {
        return true;
    }
    flags = boot_get32(bytes + header_at + 4);
    if (flags & FLAGS_REFUSED) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "-kernel %s asks for multiboot features 0x%x, which no specification defines",
                    request->kernel_name, flags & FLAGS_REFUSED);
        return false;
    }
    if (flags & FLAG_AOUT ? !load_aout(request, header_at, &kernel, error)
                          : !load_elf(request, &kernel, error)) {
        return false;
    }
    out->type = BOOT_MULTIBOOT;
    out->entry = kernel.entry;
    out->info = INFO_ADDRESS;
    out->memory_map = MEMORY_MAP_ADDRESS;
    boot_add_load(out, FW_CFG_KERNEL_DATA, kernel.first, kernel.contents);
    return put_modules(request, &kernel, out, error);
}
