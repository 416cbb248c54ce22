/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What the pc board tells its firmware: the BIOS image, CMOS bytes, fw_cfg items, the memory map,
 * tables, the kernel of -kernel and the boot order. fw_cfg keys and the CMOS layout are those that
 * SeaBIOS and OVMF read (QEMU's published fw_cfg specification; SeaBIOS documentation "Runtime
 * config"). */

#include "board-pc.h"
#include "boot/boot.h"
#include "tables/tables.h"

#include "vit-error.h"

#include "pc/fw-cfg.h"
#include "pc/mc146818rtc.h"
#include "pci/i440fx.h"

#include <string.h>

enum {
    BIOS_ISA_BYTES = 128 * 1024,
    E820_RAM = 1,
    E820_RESERVED = 2,
    /* of the top of low memory, kept for firmware tables by SeaBIOS */
    FIRMWARE_TOP_BYTES = 0x28000,
};

static BoardPc *
pc(Machine *machine)
{
    return machine->board_data;
}

/* ---- BIOS ---- */

bool
board_pc_load_bios(Machine *machine, VitDiagList *diags, GError **error)
{
    BoardPc *board = pc(machine);
    const char *name = machine->plan->bios ? machine->plan->bios : "bios-256k.bin";
    g_autoptr(GBytes) image = firmware_load(machine, name, error);
    VitRegion *memory = vit_i440fx_pci_memory(board->host);
    gsize len, isa_len;

    if (!image) {
        return machine_plan_error(machine, diags, machine->plan->bios_src, error);
    }
    len = g_bytes_get_size(image);
    if (len == 0 || len % 0x10000 || len > 16 * VIT_MIB) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "firmware %s is %zu bytes long; a BIOS image is a multiple of 64 KiB up to "
                    "16 MiB",
                    name, (size_t)len);
        return machine_plan_error(machine, diags, machine->plan->bios_src, error);
    }
    board->bios_block = vit_ram_block_new("pc.bios", len, error);
    if (!board->bios_block) {
        return false;
    }
    memcpy(board->bios_block->host, g_bytes_get_data(image, NULL), len);
    isa_len = MIN(len, BIOS_ISA_BYTES);
    vit_region_init_rom(&board->bios, "pc.bios", board->bios_block, 0, len);
    vit_region_init_alias(&board->bios_isa, "isa-bios", &board->bios, len - isa_len, isa_len);
    vit_region_add(memory, 4 * VIT_GIB - len, &board->bios, 0);
    vit_region_add(memory, VIT_MIB - isa_len, &board->bios_isa, 1);
    return true;
}

/* ---- CMOS ---- */

static void
cmos_set16(VitDevice *rtc, unsigned at, unsigned value)
{
    vit_rtc_set_cmos(rtc, at, value);
    vit_rtc_set_cmos(rtc, at + 1, value >> 8);
}

/* Boot order nibbles of CMOS 3Dh/38h from the letters of -boot. */
static unsigned
boot_nibble(char letter)
{
    switch (letter) {
    case 'a':
    case 'b': return 1;
    case 'c': return 2;
    case 'd': return 3;
    case 'n': return 4;
    default: return 0;
    }
}

static void
fill_boot_order(Machine *machine)
{
    const VitMachinePlan *plan = machine->plan;
    const char *order = plan->boot_once    ? plan->boot_once
                        : plan->boot_order ? plan->boot_order
                                           : "cad";
    unsigned nibbles[3] = { 0 };

    for (unsigned i = 0; i < 3 && order[i]; i++) {
        nibbles[i] = boot_nibble(order[i]);
    }
    vit_rtc_set_cmos(pc(machine)->rtc, 0x3d, nibbles[0] | nibbles[1] << 4);
    vit_rtc_set_cmos(pc(machine)->rtc, 0x38, nibbles[2] << 4 | (plan->fd_bootchk ? 0 : 1));
}

static void
fill_cmos(Machine *machine)
{
    BoardPc *board = pc(machine);
    VitDevice *rtc = board->rtc;
    uint64_t low = board->below_4g_bytes;
    uint64_t extended_kib = (MAX(low, VIT_MIB) - VIT_MIB) / 1024;
    uint64_t above_16m = low > 16 * VIT_MIB ? (low - 16 * VIT_MIB) / 0x10000 : 0;
    uint64_t high = board->above_4g_bytes / 0x10000;

    cmos_set16(rtc, 0x15, MIN(640, low / 1024));
    cmos_set16(rtc, 0x17, MIN(extended_kib, 65535));
    cmos_set16(rtc, 0x30, MIN(extended_kib, 65535));
    cmos_set16(rtc, 0x34, MIN(above_16m, 65535));
    vit_rtc_set_cmos(rtc, 0x5b, high);
    vit_rtc_set_cmos(rtc, 0x5c, high >> 8);
    vit_rtc_set_cmos(rtc, 0x5d, high >> 16);
    /* firmware looks at fw_cfg for more than fit */
    vit_rtc_set_cmos(rtc, 0x5f, machine->n_vcpus > 256 ? 0 : machine->n_vcpus - 1);
    fill_boot_order(machine);
    board_pc_fill_drive_cmos(machine);
}

/* ---- Memory map ---- */

static void
e820_add(GByteArray *table, uint64_t start, uint64_t len, uint32_t type)
{
    uint8_t row[20];

    boot_put64(row, start);
    boot_put64(row + 8, len);
    boot_put32(row + 16, type);
    g_byte_array_append(table, row, sizeof(row));
}

static void
fill_memory_map(Machine *machine)
{
    BoardPc *board = pc(machine);
    g_autoptr(GByteArray) table = g_byte_array_new();

    e820_add(table, 0, board->below_4g_bytes, E820_RAM);
    if (board->above_4g_bytes) {
        e820_add(table, 4 * VIT_GIB, board->above_4g_bytes, E820_RAM);
    }
    vit_fw_cfg_set_file(board->fw_cfg, "etc/e820",
                        g_byte_array_free_to_bytes(g_steal_pointer(&table)));
}

/* ---- Items ---- */

static void
fill_items(Machine *machine)
{
    const VitMachinePlan *plan = machine->plan;
    VitDevice *fw = pc(machine)->fw_cfg;
    /* a limit of APIC ids, which is what firmware makes of it */
    unsigned max_cpus = x86_topology_apic_id(&machine->cpu_model, plan->max_cpus - 1) + 1;
    uint64_t *numa = g_new0(uint64_t, 1 + max_cpus + 1);

    vit_fw_cfg_set(fw, FW_CFG_UUID, g_bytes_new(plan->uuid_bytes, sizeof(plan->uuid_bytes)));
    vit_fw_cfg_set_u64(fw, FW_CFG_RAM_SIZE, plan->ram_bytes);
    vit_fw_cfg_set_u16(fw, FW_CFG_NOGRAPHIC, plan->nographic);
    vit_fw_cfg_set_u16(fw, FW_CFG_NB_CPUS, machine->n_vcpus);
    vit_fw_cfg_set_u16(fw, FW_CFG_MAX_CPUS, max_cpus);
    vit_fw_cfg_set_u16(fw, FW_CFG_BOOT_MENU, plan->boot_menu);
    vit_fw_cfg_set_u16(fw, FW_CFG_BOOT_DEVICE,
                       plan->boot_order ? (uint8_t)plan->boot_order[0] : 'c');
    vit_fw_cfg_set(fw, FW_CFG_IRQ0_OVERRIDE, g_bytes_new("\1\0\0\0", 4));
    vit_fw_cfg_set(fw, FW_CFG_NUMA, g_bytes_new_take(numa, (1 + max_cpus + 1) * sizeof(uint64_t)));
    if (plan->boot_menu) {
        uint16_t wait_ms =
            GUINT16_TO_LE(plan->boot_splash_time_ms >= 0 ? plan->boot_splash_time_ms : 2500);
        vit_fw_cfg_set_file(fw, "etc/boot-menu-wait", g_bytes_new(&wait_ms, 2));
    }
    if (plan->boot_reboot_timeout_ms >= -1) {
        uint32_t wait_ms = GUINT32_TO_LE((uint32_t)plan->boot_reboot_timeout_ms);
        vit_fw_cfg_set_file(fw, "etc/boot-fail-wait", g_bytes_new(&wait_ms, 4));
    }
}

/* -fw_cfg name=,file=|string= */
static bool
fill_user_items(Machine *machine, GError **error)
{
    for (guint i = 0; i < machine->plan->fw_cfg->len; i++) {
        const VitPlanFwCfg *item = machine->plan->fw_cfg->pdata[i];
        char *contents;
        gsize len;

        if (item->string) {
            vit_fw_cfg_set_file(pc(machine)->fw_cfg, item->name,
                                g_bytes_new(item->string, strlen(item->string)));
        } else if (item->file) {
            if (!g_file_get_contents(item->file, &contents, &len, error)) {
                g_prefix_error(error, "-fw_cfg name=%s: ", item->name);
                return false;
            }
            vit_fw_cfg_set_file(pc(machine)->fw_cfg, item->name, g_bytes_new_take(contents, len));
        } else {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "-fw_cfg name=%s needs file= or string=; other sources are not available "
                        "yet",
                        item->name);
            return false;
        }
    }
    return true;
}

/* ---- Kernel ---- */

static GBytes *
read_file(const char *option, const char *path, GError **error)
{
    char *contents;
    gsize len;

    if (!g_file_get_contents(path, &contents, &len, error)) {
        g_prefix_error(error, "%s: ", option);
        return NULL;
    }
    return g_bytes_new_take(contents, len);
}

static bool
fill_kernel(Machine *machine, GString *boot_order, GError **error)
{
    const VitMachinePlan *plan = machine->plan;
    g_autoptr(GBytes) kernel = NULL;
    g_autoptr(GBytes) initrd = NULL;
    BootRequest request;
    BootImage image;

    if (!plan->kernel) {
        return true;
    }
    kernel = read_file("-kernel", plan->kernel, error);
    if (!kernel) {
        return false;
    }
    /* for a multiboot kernel this is a list of modules, which its loader opens */
    if (plan->initrd && g_file_test(plan->initrd, G_FILE_TEST_EXISTS) &&
        !(initrd = read_file("-initrd", plan->initrd, error))) {
        return false;
    }
    request = (BootRequest){
        .kernel = kernel,
        .kernel_name = plan->kernel,
        .initrd = initrd,
        .initrd_spec = plan->initrd,
        .cmdline = plan->append ? plan->append : "",
        .below_4g_bytes = pc(machine)->below_4g_bytes,
        .reserved_top_bytes = FIRMWARE_TOP_BYTES,
    };
    if (!boot_load(&request, &image, error)) {
        return false;
    }
    if (plan->initrd && !initrd && image.type != BOOT_MULTIBOOT) {
        boot_image_clear(&image);
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "-initrd %s: there is no such file",
                    plan->initrd);
        return false;
    }
    g_string_append_printf(boot_order, "%s\n", boot_install(&image, pc(machine)->fw_cfg));
    boot_image_clear(&image);
    return true;
}

/* -option-rom: SeaBIOS runs every file below genroms/. */
static bool
fill_option_roms(Machine *machine, GError **error)
{
    for (guint i = 0; i < machine->plan->option_roms->len; i++) {
        const VitPlanOther *rom = machine->plan->option_roms->pdata[i];
        GBytes *image = firmware_load(machine, rom->value, error);
        g_autofree char *base = g_path_get_basename(rom->value);
        g_autofree char *name = g_strdup_printf("genroms/%s", base);

        if (!image) {
            g_prefix_error(error, "-option-rom: ");
            return false;
        }
        vit_fw_cfg_set_file(pc(machine)->fw_cfg, name, image);
    }
    return true;
}

/* A card on ISA cannot show its BIOS itself: SeaBIOS runs what lies below vgaroms/. */
static bool
fill_isa_vga_rom(Machine *machine, GError **error)
{
    for (guint i = 0; i < machine->devices->len; i++) {
        const VitDevice *dev = machine->devices->pdata[i];
        GBytes *image;

        if (strcmp(dev->kind->name, "isa-vga") != 0) {
            continue;
        }
        image = firmware_load(machine, "vgabios-isavga.bin", error);
        if (!image) {
            g_prefix_error(error, "isa-vga: ");
            return false;
        }
        vit_fw_cfg_set_file(pc(machine)->fw_cfg, "vgaroms/vgabios-isavga.bin", image);
        break;
    }
    return true;
}

bool
board_pc_fill_firmware(Machine *machine, GError **error)
{
    g_autoptr(GString) boot_order = g_string_new(NULL);

    fill_cmos(machine);
    fill_items(machine);
    fill_memory_map(machine);
    if (!fill_kernel(machine, boot_order, error) || !fill_option_roms(machine, error) ||
        !fill_isa_vga_rom(machine, error) || !board_pc_fill_tables(machine, error) ||
        !fill_user_items(machine, error)) {
        return false;
    }
    board_pc_fill_boot_paths(machine, boot_order);
    if (boot_order->len || machine->plan->boot_strict) {
        if (machine->plan->boot_strict) {
            g_string_append(boot_order, "HALT");
        }
        vit_fw_cfg_set_file(pc(machine)->fw_cfg, "bootorder",
                            g_bytes_new(boot_order->str, boot_order->len + 1));
    }
    return true;
}
