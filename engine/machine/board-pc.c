/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The pc board: Intel 440FX (82441FX host bridge, 82371SB south bridge, 82371AB power management)
 * with the interrupt, timer and ISA parts of a PC/AT and the APICs of the MultiProcessor
 * Specification 1.4. This file makes the chips and the wires between them.
 *
 * Interrupt lines ("GSI"): an ISA line drives the 8259 input of its number and the I/O APIC pin of
 * its number, line 0 pin 2, as the firmware's tables say. PCI lines arrive as ISA lines through
 * the PIIX3's routing. */

#include "board-pc.h"

#include "vit-error.h"

#include "input/i8042.h"
#include "pc/apic-bus.h"
#include "pc/ferr.h"
#include "pc/i8237.h"
#include "pc/i8254.h"
#include "pc/i8259.h"
#include "pc/ioapic.h"
#include "pc/lapic.h"
#include "pc/mc146818rtc.h"
#include "pc/pcspk.h"
#include "pci/i440fx.h"
#include "pci/piix3.h"
#include "pci/piix4-pm.h"

#include "x86-interp.h"

enum {
    GSI_PIC_LINES = 16,
    IRQ_TIMER = 0,
    IRQ_RTC = 8,
    IRQ_SCI = 9,
    IRQ_IDE_PRIMARY = 14,
    IRQ_IDE_SECONDARY = 15,
};

static BoardPc *
pc(Machine *machine)
{
    return machine->board_data;
}

/* ---- Wires ---- */

static void
gsi_set(void *opaque, int n, int level)
{
    Machine *machine = opaque;
    BoardPc *board = pc(machine);
    VitIrq line;

    if (n < GSI_PIC_LINES) {
        line = vit_device_irq_in(board->pic, n);
        vit_irq_set(&line, level);
    }
    line = vit_device_irq_in(board->ioapic, n == IRQ_TIMER ? 2 : n);
    vit_irq_set(&line, level);
}

static VitIrq
gsi(Machine *machine, int n)
{
    return (VitIrq){ .func = gsi_set, .opaque = machine, .n = n };
}

static int
pic_ack(void *opaque)
{
    return vit_i8259_ack(opaque);
}

/* ---- Making parts ---- */

static VitDevice *
add(Machine *machine, const char *kind_name, VitBus *bus, GError **error)
{
    const VitDeviceKind *kind = machine_find_kind(kind_name);

    if (!kind) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED, "this build has no device %s", kind_name);
        return NULL;
    }
    return machine_add_device(machine, kind, NULL, bus, error, NULL);
}

static bool
build_host_bridge(Machine *machine, GError **error)
{
    BoardPc *board = pc(machine);
    uint64_t ram_bytes = machine->plan->ram_bytes;
    /* QEMU's split: up to 3.5 GiB stay below 4 GiB; more than that leaves 3 GiB there */
    uint64_t limit = ram_bytes >= 0xe0000000 ? 0xc0000000 : 0xe0000000;

    board->below_4g_bytes = MIN(ram_bytes, limit);
    board->above_4g_bytes = ram_bytes - board->below_4g_bytes;
    board->host = machine_make_device(machine, &vit_i440FX_pcihost_kind, NULL, error, NULL);
    if (!board->host) {
        return false;
    }
    vit_i440fx_init_memory(board->host, machine->ram, board->below_4g_bytes, board->above_4g_bytes);
    if (!machine_realize_device(machine, board->host, NULL, error)) {
        return false;
    }
    board->pci = vit_i440fx_bus(board->host);
    machine->memory_smm = vit_i440fx_smm_memory(board->host);
    return add(machine, "i440FX", &board->pci->bus, error) != NULL;
}

static bool
build_apics(Machine *machine, GError **error)
{
    BoardPc *board = pc(machine);

    board->apic_bus = add(machine, "apic-bus", NULL, error);
    board->ioapic = machine_make_device(machine, machine_find_kind("ioapic"), NULL, error, NULL);
    if (!board->apic_bus || !board->ioapic) {
        return false;
    }
    vit_ioapic_attach(board->ioapic, board->apic_bus);
    return machine_realize_device(machine, board->ioapic, NULL, error);
}

static bool
build_cpu_sides(Machine *machine, GError **error)
{
    BoardPc *board = pc(machine);

    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        MachineVcpu *vcpu = &machine->vcpus[i];
        g_autofree char *id = g_strdup_printf("%u", vcpu->cpu.apic_id);
        g_autofree char *phys_bits = g_strdup_printf("%u", machine->cpu_model.phys_bits);
        const X86CpuModel *model = &machine->cpu_model;

        vcpu->lapic = machine_make_device(
            machine, machine_find_kind("lapic"), NULL, error, "apic-id", id, "x2apic",
            x86_model_has(model, X86_FEATURE_X2APIC) ? "on" : "off", "tsc-deadline",
            x86_model_has(model, X86_FEATURE_TSC_DEADLINE) ? "on" : "off", "phys-bits", phys_bits,
            NULL);
        if (!vcpu->lapic) {
            return false;
        }
        vit_lapic_attach(vcpu->lapic, board->apic_bus, &vcpu->cpu, pic_ack, board->pic);
        vit_lapic_set_ferr(vcpu->lapic, board->ferr);
        if (!machine_realize_device(machine, vcpu->lapic, NULL, error)) {
            return false;
        }
        vcpu->host.memory = machine->platform.memory;
        vcpu->host.memory_smm =
            machine->memory_smm ? machine->memory_smm : machine->platform.memory;
        vcpu->host.io = machine->platform.io;
        vcpu->host.clock = machine->clock;
        vit_lapic_fill_host(vcpu->lapic, &vcpu->host);
    }
    return true;
}

static bool
build_isa(Machine *machine, GError **error)
{
    BoardPc *board = pc(machine);
    VitBus *isa;

    board->piix3 = add(machine, "PIIX3", &board->pci->bus, error);
    if (!board->piix3) {
        return false;
    }
    board->isa = vit_piix3_isa_bus(board->piix3);
    isa = &board->isa->bus;
    for (int n = 0; n < GSI_PIC_LINES; n++) {
        board->isa->irq[n] = gsi(machine, n);
        vit_device_connect(board->piix3, n, gsi(machine, n));
    }
    for (int n = 0; n < 4; n++) {
        vit_device_connect(board->host, n, vit_device_irq_in(board->piix3, n));
    }
    board->pic = add(machine, "i8259", isa, error);
    board->ferr = add(machine, "ferr", isa, error);
    if (!board->pic || !board->ferr) {
        return false;
    }
    vit_device_connect(board->pic, 0, vit_device_irq_in(board->apic_bus, 0));
    return true;
}

/* Interval timer and clock reach their lines through the HPET's legacy replacement, where there is
 * an HPET. */
static bool
build_timers(Machine *machine, GError **error)
{
    BoardPc *board = pc(machine);
    VitBus *isa = &board->isa->bus;
    VitDevice *speaker;

    board->pit = add(machine, "i8254", isa, error);
    board->rtc = add(machine, "mc146818rtc", isa, error);
    speaker = add(machine, "pcspk", isa, error);
    if (!board->pit || !board->rtc || !speaker) {
        return false;
    }
    vit_pcspk_attach(speaker, board->pit);
    if (!machine->plan->hpet) {
        vit_device_connect(board->pit, 0, gsi(machine, IRQ_TIMER));
        vit_device_connect(board->rtc, 0, gsi(machine, IRQ_RTC));
        return true;
    }
    board->hpet = add(machine, "hpet", NULL, error);
    if (!board->hpet) {
        return false;
    }
    vit_device_connect(board->pit, 0, vit_device_irq_in(board->hpet, 0));
    vit_device_connect(board->rtc, 0, vit_device_irq_in(board->hpet, 1));
    for (unsigned n = 0; n < VIT_IOAPIC_PINS; n++) {
        vit_device_connect(board->hpet, n, gsi(machine, n));
    }
    return true;
}

static bool
build_legacy(Machine *machine, GError **error)
{
    BoardPc *board = pc(machine);
    VitBus *isa = &board->isa->bus;
    VitDevice *keyboard, *mouse;

    board->dma = add(machine, "i8257", isa, error);
    board->i8042 = board->dma ? add(machine, "i8042", isa, error) : NULL;
    keyboard = board->i8042 ? add(machine, "ps2-keyboard", NULL, error) : NULL;
    mouse = keyboard ? add(machine, "ps2-mouse", NULL, error) : NULL;
    if (!mouse) {
        return false;
    }
    vit_i8042_attach(board->i8042, keyboard, mouse);
    board->fw_cfg = add(machine, "fw_cfg", isa, error);
    return board->fw_cfg && add(machine, "port92", isa, error);
}

static bool
build_piix_functions(Machine *machine, GError **error)
{
    BoardPc *board = pc(machine);
    VitBus *bus = &board->pci->bus;

    board->ide = machine_add_device(machine, machine_find_kind("piix3-ide"), NULL, bus, error,
                                    "addr", "01.1", NULL);
    if (!board->ide) {
        return false;
    }
    vit_device_connect(board->ide, 0, gsi(machine, IRQ_IDE_PRIMARY));
    vit_device_connect(board->ide, 1, gsi(machine, IRQ_IDE_SECONDARY));
    if (!machine->plan->acpi) {
        return true;
    }
    board->pm = machine_add_device(machine, &vit_PIIX4_PM_kind, NULL, bus, error, "addr", "01.3",
                                   "smm-enabled", machine->plan->smm ? "on" : "off", NULL);
    if (!board->pm) {
        return false;
    }
    vit_device_connect(board->pm, 0, gsi(machine, IRQ_SCI));
    return true;
}

static bool
build_firmware(Machine *machine, VitDiagList *diags, GError **error)
{
    bool in_flash;

    return board_pc_add_flash(machine, diags, &in_flash, error) &&
           (in_flash || board_pc_load_bios(machine, diags, error));
}

static bool
board_pc_build(Machine *machine, VitDiagList *diags, GError **error)
{
    machine->board_data = g_new0(BoardPc, 1);
    return build_host_bridge(machine, error) && build_firmware(machine, diags, error) &&
           build_apics(machine, error) && build_isa(machine, error) &&
           build_cpu_sides(machine, error) && build_timers(machine, error) &&
           build_legacy(machine, error) && board_pc_add_ports(machine, diags, error) &&
           board_pc_add_display(machine, diags, error) &&
           board_pc_add_nics(machine, diags, error) && build_piix_functions(machine, error) &&
           board_pc_build_hotplug(machine, error) && board_pc_add_drives(machine, diags, error);
}

static bool
board_pc_finish(Machine *machine, GError **error)
{
    return board_pc_fill_firmware(machine, error);
}

static void
board_pc_free(Machine *machine)
{
    BoardPc *board = pc(machine);

    if (!board) {
        return;
    }
    vit_region_finish(&board->bios_isa);
    vit_region_finish(&board->bios);
    vit_ram_block_free(board->bios_block);
    g_clear_pointer(&machine->board_data, g_free);
}

static void
board_pc_power_button(Machine *machine)
{
    if (pc(machine)->pm) {
        vit_piix4_pm_power_button(pc(machine)->pm);
    }
}

static VitBus *
board_pc_default_bus(Machine *machine, VitBusType type, GError **error)
{
    BoardPc *board = pc(machine);
    VitBus *bus = NULL;

    switch (type) {
    case VIT_BUS_PCI: return &board->pci->bus;
    case VIT_BUS_ISA: return &board->isa->bus;
    case VIT_BUS_IDE:
        /* the first channel with room */
        for (guint i = 0; i < board->ide->child_buses->len; i++) {
            bus = board->ide->child_buses->pdata[i];
            if (bus->devices->len < 2) {
                return bus;
            }
        }
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    "both IDE channels have two drives; remove one or use another bus");
        return NULL;
    case VIT_BUS_FLOPPY:
        if (board->fdc && board->fdc->child_buses) {
            return board->fdc->child_buses->pdata[0];
        }
        break;
    default:
        bus = machine_find_bus_of_type(machine, type);
        if (bus) {
            return bus;
        }
        break;
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                "the board pc has no bus of type %s here; add its controller first",
                vit_bus_type_name(type));
    return NULL;
}

static void
board_pc_raise_smi(Machine *machine)
{
    MachineVcpu *current = machine_current_vcpu(machine);

    vit_cpu_raise(&(current ? current : &machine->vcpus[0])->cpu, VIT_CPU_EVENT_SMI);
}

static void
board_pc_raise_nmi(Machine *machine)
{
    VitIrq line = vit_device_irq_in(pc(machine)->apic_bus, 1);

    vit_irq_pulse(&line);
}

static const char *const pc_aliases[] = {
    "pc-i440fx-7.2", "pc-i440fx-7.1", "pc-i440fx-7.0",  "pc-i440fx-6.2",
    "pc-i440fx-6.1", "pc-i440fx-6.0", "pc-i440fx-5.2",  "pc-i440fx-5.1",
    "pc-i440fx-5.0", "pc-i440fx-4.2", "pc-i440fx-4.1",  "pc-i440fx-4.0",
    "pc-i440fx-3.1", "pc-i440fx-3.0", "pc-i440fx-2.12", NULL,
};

const Board board_pc = {
    .name = "pc",
    .aliases = pc_aliases,
    .title = VIT_N_("Standard PC (i440FX + PIIX, 1996)"),
    .default_cpu = "qemu64",
    .default_nic = "e1000",
    .default_vga = "std",
    .max_cpus = VIT_PLAN_CPUS_MAX,
    .default_ram_bytes = 128 * VIT_MIB,
    .max_ram_bytes = 1024 * VIT_GIB,
    .build = board_pc_build,
    .finish = board_pc_finish,
    .power_button = board_pc_power_button,
    .default_bus = board_pc_default_bus,
    .plugged = board_pc_plugged,
    .unplug = board_pc_unplug,
    .take_ejected = board_pc_take_ejected,
    .raise_smi = board_pc_raise_smi,
    .raise_nmi = board_pc_raise_nmi,
    .free_data = board_pc_free,
};
