/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What the pc board gets from the short options: disks of -hda, -cdrom and -drive, floppies, serial
 * and parallel ports, the screen of -vga, the network cards of -nic and -net; and the names under
 * which the firmware knows them in the boot order. */

#include "board-pc.h"

#include "vit-error.h"

#include "floppy/fdc82077.h"
#include "ide/piix3-ide.h"
#include "pc/i8237.h"
#include "pc/mc146818rtc.h"

#include <string.h>

static BoardPc *
pc(Machine *machine)
{
    return machine->board_data;
}

/* ---- Disks ---- */

static bool
add_ide_drive(Machine *machine, const VitPlanDrive *drive, GError **error)
{
    VitDevice *ide = pc(machine)->ide;
    const VitDeviceKind *kind = machine_find_kind(drive->is_cdrom ? "ide-cd" : "ide-hd");
    g_autofree char *unit = g_strdup_printf("%d", drive->unit);

    if (drive->bus < 0 || drive->bus >= (int)ide->child_buses->len) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "the board pc has two IDE channels, 0 and 1, not %d", drive->bus);
        return false;
    }
    return machine_add_device(machine, kind, NULL, ide->child_buses->pdata[drive->bus], error,
                              "drive", drive->id, "unit", unit, "serial",
                              vit_plan_props_get(&drive->props, "serial"), NULL) != NULL;
}

static bool
add_floppy(Machine *machine, const VitPlanDrive *drive, GError **error)
{
    VitBus *bus = pc(machine)->fdc->child_buses->pdata[0];
    g_autofree char *unit = g_strdup_printf("%d", drive->unit);

    return machine_add_device(machine, machine_find_kind("floppy"), NULL, bus, error, "drive",
                              drive->id, "unit", unit, NULL) != NULL;
}

static bool
add_virtio_drive(Machine *machine, const VitPlanDrive *drive, GError **error)
{
    return machine_add_device(machine, machine_find_kind("virtio-blk-pci"), NULL,
                              &pc(machine)->pci->bus, error, "drive", drive->id, "serial",
                              vit_plan_props_get(&drive->props, "serial"), "addr",
                              vit_plan_props_get(&drive->props, "addr"), NULL) != NULL;
}

static bool
refuse_interface(const VitPlanDrive *drive, GError **error)
{
    static const char *const names[] = {
        [VIT_PLAN_IF_SCSI] = "scsi",
        [VIT_PLAN_IF_SD] = "sd",
        [VIT_PLAN_IF_MTD] = "mtd",
    };
    bool never = drive->interface == VIT_PLAN_IF_SD || drive->interface == VIT_PLAN_IF_MTD;

    g_set_error(error, VIT_ERROR, never ? VIT_ERROR_OTHER_TARGET : VIT_ERROR_NOT_AVAILABLE_YET,
                never ? "if=%s: PC boards have no such slot; use if=ide"
                      : "if=%s is not available yet; use if=ide",
                names[drive->interface]);
    return false;
}

static bool
add_drive(Machine *machine, const VitPlanDrive *drive, GError **error)
{
    switch (drive->interface) {
    case VIT_PLAN_IF_NONE: return true;   /* for a -device to take */
    case VIT_PLAN_IF_PFLASH: return true; /* board-pc-flash.c has it */
    case VIT_PLAN_IF_IDE: return add_ide_drive(machine, drive, error);
    case VIT_PLAN_IF_FLOPPY: return add_floppy(machine, drive, error);
    case VIT_PLAN_IF_VIRTIO: return add_virtio_drive(machine, drive, error);
    default: return refuse_interface(drive, error);
    }
}

bool
board_pc_add_drives(Machine *machine, VitDiagList *diags, GError **error)
{
    for (guint i = 0; i < machine->plan->drives->len; i++) {
        const VitPlanDrive *drive = machine->plan->drives->pdata[i];

        if (!add_drive(machine, drive, error)) {
            return machine_plan_error(machine, diags, drive->src, error);
        }
    }
    return true;
}

/* Geometry of disk UNIT of the first channel, for a BIOS that reads type 47 from the CMOS. */
static void
fill_disk_cmos(BoardPc *board, unsigned unit, const VitDriveGeometry *chs)
{
    unsigned at = unit ? 0x24 : 0x1b;

    vit_rtc_set_cmos(board->rtc, 0x19 + unit, 47);
    vit_rtc_set_cmos(board->rtc, at, chs->cylinders & 0xff);
    vit_rtc_set_cmos(board->rtc, at + 1, chs->cylinders >> 8);
    vit_rtc_set_cmos(board->rtc, at + 2, chs->heads);
    vit_rtc_set_cmos(board->rtc, at + 3, 0xff); /* no write precompensation */
    vit_rtc_set_cmos(board->rtc, at + 4, 0xff);
    vit_rtc_set_cmos(board->rtc, at + 5, 0xc0 | (chs->heads > 8) << 3);
    vit_rtc_set_cmos(board->rtc, at + 6, chs->cylinders & 0xff); /* landing zone */
    vit_rtc_set_cmos(board->rtc, at + 7, chs->cylinders >> 8);
    vit_rtc_set_cmos(board->rtc, at + 8, chs->sectors);
}

/* CMOS 10h: floppy drive types; 12h and 19h-2Ch: hard disks; 14h: equipment; 39h: translation of
 * the four IDE drives. */
void
board_pc_fill_drive_cmos(Machine *machine)
{
    BoardPc *board = pc(machine);
    unsigned floppy_types = 0, floppies, disk_types = 0, translations = 0;
    unsigned equipment = 1 << 1 | 1 << 2; /* FPU, PS/2 mouse */

    if (board->fdc) {
        floppy_types =
            vit_fdc_get_drive_type(board->fdc, 0) << 4 | vit_fdc_get_drive_type(board->fdc, 1);
    }
    floppies = !!(floppy_types >> 4) + !!(floppy_types & 15);
    if (floppies) {
        equipment |= 1 | (floppies - 1) << 6;
    }
    for (unsigned place = 0; place < 4; place++) {
        VitDriveGeometry chs;
        if (!vit_ide_get_geometry(vit_piix3_ide_bus(board->ide, place / 2), place % 2, &chs)) {
            continue;
        }
        translations |= (chs.translation - 1u) << 2 * place;
        if (place < 2) {
            disk_types |= place ? 0x0f : 0xf0;
            fill_disk_cmos(board, place, &chs);
        }
    }
    vit_rtc_set_cmos(board->rtc, 0x10, floppy_types);
    vit_rtc_set_cmos(board->rtc, 0x12, disk_types);
    vit_rtc_set_cmos(board->rtc, 0x14, equipment);
    vit_rtc_set_cmos(board->rtc, 0x39, translations);
}

/* ---- Ports ---- */

bool
board_pc_add_ports(Machine *machine, VitDiagList *diags, GError **error)
{
    static const char *const serial_ports[] = { "0x3f8", "0x2f8", "0x3e8", "0x2e8" };
    static const char *const serial_irqs[] = { "4", "3", "4", "3" };
    const VitMachinePlan *plan = machine->plan;
    VitBus *isa = &pc(machine)->isa->bus;

    for (guint i = 0; i < plan->serials->len && i < VIT_ARRAY_LEN(serial_ports); i++) {
        const VitPlanPort *port = plan->serials->pdata[i];

        if (!port->absent && !machine_add_device(machine, machine_find_kind("isa-serial"), NULL,
                                                 isa, error, "iobase", serial_ports[i], "irq",
                                                 serial_irqs[i], "chardev", port->chardev, NULL)) {
            return machine_plan_error(machine, diags, port->src, error);
        }
    }
    for (guint i = 0; i < plan->parallels->len && i < 3; i++) {
        static const char *const parallel_ports[] = { "0x378", "0x278", "0x3bc" };
        const VitPlanPort *port = plan->parallels->pdata[i];

        if (!port->absent &&
            !machine_add_device(machine, machine_find_kind("isa-parallel"), NULL, isa, error,
                                "iobase", parallel_ports[i], "irq", i == 0 ? "7" : "5", "chardev",
                                port->chardev, NULL)) {
            return machine_plan_error(machine, diags, port->src, error);
        }
    }
    for (guint i = 0; i < plan->debugcons->len; i++) {
        const VitPlanPort *port = plan->debugcons->pdata[i];

        if (!machine_add_device(machine, machine_find_kind("isa-debugcon"), NULL, isa, error,
                                "chardev", port->chardev, NULL)) {
            return machine_plan_error(machine, diags, port->src, error);
        }
    }
    pc(machine)->fdc =
        machine_add_device(machine, machine_find_kind("isa-fdc"), NULL, isa, error, NULL);
    return pc(machine)->fdc != NULL;
}

/* ---- Screen ---- */

bool
board_pc_add_display(Machine *machine, VitDiagList *diags, GError **error)
{
    const char *vga = machine->plan->vga;

    if (!vga || strcmp(vga, "none") == 0 || !machine->plan->graphics) {
        return true;
    }
    if (strcmp(vga, "std") != 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET,
                    "-vga %s is not available yet; -vga std and -vga none are", vga);
        return machine_plan_error(machine, diags, machine->plan->vga_src, error);
    }
    if (!machine_add_device(machine, machine_find_kind("VGA"), NULL, &pc(machine)->pci->bus, error,
                            NULL)) {
        return machine_plan_error(machine, diags, machine->plan->vga_src, error);
    }
    return true;
}

/* ---- Network cards ---- */

static bool
add_nic(Machine *machine, const VitPlanNic *nic, GError **error)
{
    const char *word = nic->model ? nic->model : machine->board->default_nic;
    const char *model = strcmp(word, "virtio") == 0 ? "virtio-net-pci" : word;
    const VitDeviceKind *kind = machine_find_kind(model);
    g_autofree char *netdev = NULL;

    if (!kind || kind->category != VIT_CATEGORY_NETWORK || kind->bus != VIT_BUS_PCI) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "there is no network card \"%s\" for the board pc; e1000 is its default",
                    model);
        return false;
    }
    netdev = nic->hub >= 0 ? machine_make_hub_port(machine, nic->hub) : g_strdup(nic->netdev);
    return machine_add_device(machine, kind, NULL, &pc(machine)->pci->bus, error, "netdev", netdev,
                              "mac", nic->mac, "addr", nic->addr, NULL) != NULL;
}

bool
board_pc_add_nics(Machine *machine, VitDiagList *diags, GError **error)
{
    for (guint i = 0; i < machine->plan->nics->len; i++) {
        const VitPlanNic *nic = machine->plan->nics->pdata[i];

        if (!add_nic(machine, nic, error)) {
            return machine_plan_error(machine, diags, nic->src, error);
        }
    }
    return true;
}

/* ---- Boot order names ---- */

typedef struct BootEntry {
    int64_t index;
    char *path;
} BootEntry;

static int
boot_entry_compare(gconstpointer a, gconstpointer b)
{
    const BootEntry *left = a, *right = b;

    return left->index < right->index ? -1 : left->index > right->index;
}

/* Open Firmware path of a PCI function: node name by class, slot, function when not 0. */
static char *
pci_path(const VitPciDevice *pci, const char *node)
{
    unsigned slot = (pci->devfn >> 3) & 31, function = pci->devfn & 7;

    return function ? g_strdup_printf("/pci@i0cf8/%s@%x,%x", node, slot, function)
                    : g_strdup_printf("/pci@i0cf8/%s@%x", node, slot);
}

static char *
device_boot_path(VitDevice *dev)
{
    g_autofree char *unit_text = NULL;
    g_autofree char *lun_text = NULL;
    g_autofree char *parent = NULL;
    unsigned unit, channel = 0;

    switch (dev->kind->bus) {
    case VIT_BUS_IDE:
        unit_text = vit_device_get(dev, "unit");
        unit = unit_text ? g_ascii_strtoull(unit_text, NULL, 10) : 0;
        parent = pci_path((VitPciDevice *)dev->bus->owner, "ide");
        for (guint i = 0; i < dev->bus->owner->child_buses->len; i++) {
            if (dev->bus->owner->child_buses->pdata[i] == dev->bus) {
                channel = i;
            }
        }
        return g_strdup_printf("%s/drive@%x/disk@%x", parent, channel, unit);
    case VIT_BUS_FLOPPY:
        unit_text = vit_device_get(dev, "unit");
        return g_strdup_printf("/pci@i0cf8/isa@1/fdc@03f0/floppy@%s", unit_text ? unit_text : "0");
    case VIT_BUS_SCSI:
        unit_text = vit_device_get(dev, "scsi-id");
        lun_text = vit_device_get(dev, "lun");
        parent = pci_path((VitPciDevice *)dev->bus->owner, "scsi");
        return g_strdup_printf("%s/channel@0/disk@%x,%x", parent,
                               (unsigned)g_ascii_strtoull(unit_text, NULL, 10),
                               (unsigned)g_ascii_strtoull(lun_text, NULL, 10));
    case VIT_BUS_PCI:
        return pci_path((VitPciDevice *)dev,
                        dev->kind->category == VIT_CATEGORY_NETWORK ? "ethernet" : "scsi");
    default: return NULL;
    }
}

void
board_pc_fill_boot_paths(Machine *machine, GString *order)
{
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(BootEntry));

    for (guint i = 0; i < machine->devices->len; i++) {
        VitDevice *dev = machine->devices->pdata[i];
        g_autofree char *index_text = vit_device_get(dev, "bootindex");
        int64_t index = index_text ? g_ascii_strtoll(index_text, NULL, 10) : -1;
        BootEntry entry = { index, index >= 0 ? device_boot_path(dev) : NULL };

        if (entry.path) {
            g_array_append_val(entries, entry);
        }
    }
    g_array_sort(entries, boot_entry_compare);
    for (guint i = 0; i < entries->len; i++) {
        BootEntry *entry = &g_array_index(entries, BootEntry, i);

        g_string_append_printf(order, "%s\n", entry->path);
        g_free(entry->path);
    }
}
