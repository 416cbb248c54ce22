/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* PCI hot plug of the pc board: the registers wired to general purpose event 1, and the AML that
 * makes notifications of them. The names are those of QEMU's docs/specs/acpi_pci_hotplug and of
 * ACPI 6.3: 5.6.6 (notifications), 6.3 (removal), 20.2.5 (opcodes). */

#include "board-pc.h"

#include "pci/acpi-pcihp.h"
#include "pci/piix4-pm.h"

#include "vit-error.h"

#include <string.h>

static BoardPc *
pc(Machine *machine)
{
    return machine->board_data;
}

/* ---- wiring ---- */

static void
raise_event(void *opaque, int n, int level)
{
    if (level) {
        vit_piix4_pm_gpe(opaque, VIT_PCIHP_GPE);
    }
}

static void
ejected(void *opaque)
{
    machine_request(opaque, MACHINE_REQUEST_EJECT, VIT_CAUSE_HOST_QUIT, 0);
}

bool
board_pc_build_hotplug(Machine *machine, GError **error)
{
    BoardPc *board = pc(machine);

    if (!board->pm) {
        return true; /* without ACPI there is nobody to tell */
    }
    board->pcihp = machine_add_device(machine, &vit_acpi_pcihp_kind, NULL, NULL, error, NULL);
    if (!board->pcihp) {
        return false;
    }
    vit_pcihp_attach(board->pcihp, board->pci, ejected, machine);
    vit_device_connect(board->pcihp, 0,
                       (VitIrq){ .func = raise_event, .opaque = board->pm, .n = 0 });
    board->pci->bus.hotplug = true;
    return true;
}

static bool
is_in_slot(Machine *machine, const VitDevice *dev)
{
    return dev->bus == &pc(machine)->pci->bus;
}

void
board_pc_plugged(Machine *machine, VitDevice *dev)
{
    if (is_in_slot(machine, dev) && pc(machine)->pcihp) {
        vit_pcihp_plugged(pc(machine)->pcihp, VIT_PCI_SLOT(((VitPciDevice *)dev)->devfn));
    }
}

bool
board_pc_unplug(Machine *machine, VitDevice *dev, GError **error)
{
    if (!is_in_slot(machine, dev)) {
        return false;
    }
    if (!pc(machine)->pcihp || dev->kind->category == VIT_CATEGORY_DISPLAY ||
        dev->kind->category == VIT_CATEGORY_BRIDGE) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE, "Device '%s' does not support hotplugging",
                    dev->id ? dev->id : dev->kind->name);
        return false;
    }
    vit_pcihp_request_removal(pc(machine)->pcihp, VIT_PCI_SLOT(((VitPciDevice *)dev)->devfn));
    return true;
}

uint32_t
board_pc_take_ejected(Machine *machine)
{
    return pc(machine)->pcihp ? vit_pcihp_take_ejected(pc(machine)->pcihp) : 0;
}

/* ---- AML ---- */

enum {
    OP_ONE = 0x01,
    OP_NULL_NAME = 0x00,
    OP_EXT = 0x5b,
    OP_EXT_MUTEX = 0x01,
    OP_EXT_ACQUIRE = 0x23,
    OP_EXT_RELEASE = 0x27,
    OP_ARG0 = 0x68,
    OP_ARG1 = 0x69,
    OP_STORE = 0x70,
    OP_SHIFT_LEFT = 0x79,
    OP_AND = 0x7b,
    OP_NOTIFY = 0x86,

    NOTIFY_CHECK = 1,
    NOTIFY_EJECT = 3,
    FIRST_SLOT = 2, /* host bridge and south bridge stay */
};

static void
op(Aml *to, uint8_t code)
{
    g_byte_array_append(to, &code, 1);
}

static void
ext(Aml *to, uint8_t code)
{
    op(to, OP_EXT);
    op(to, code);
}

static void
acquire(Aml *to, const char *mutex)
{
    ext(to, OP_EXT_ACQUIRE);
    aml_name_ref(to, mutex);
    op(to, 0xff); /* for ever */
    op(to, 0xff);
}

static void
release(Aml *to, const char *mutex)
{
    ext(to, OP_EXT_RELEASE);
    aml_name_ref(to, mutex);
}

/* Device(Sxx): its _EJ0 hands the slot to PCEJ. */
static void
add_slot(Aml *pci, unsigned slot)
{
    g_autofree char *name = g_strdup_printf("S%02X_", slot << 3);
    Aml *dev = aml_new(), *body = aml_new();

    aml_name_int(dev, "_ADR", slot << 16);
    aml_name_int(dev, "_SUN", slot);
    aml_name_ref(body, "PCEJ");
    aml_int(body, slot);
    aml_method(dev, "_EJ0", 1, true, body);
    aml_device(pci, name, dev);
}

/* DVNT(mask, what): notifies the slots of MASK. */
static void
add_notifier(Aml *pci)
{
    Aml *body = aml_new();

    for (unsigned slot = FIRST_SLOT; slot < 32; slot++) {
        g_autofree char *name = g_strdup_printf("S%02X_", slot << 3);
        Aml *test = aml_new(), *branch = aml_new();

        op(test, OP_AND);
        op(test, OP_ARG0);
        aml_int(test, 1ull << slot);
        op(test, OP_NULL_NAME);
        op(branch, OP_NOTIFY);
        aml_name_ref(branch, name);
        op(branch, OP_ARG1);
        aml_if(body, test, branch);
    }
    aml_method(pci, "DVNT", 2, false, body);
}

static void
select_bus(Aml *to)
{
    op(to, OP_STORE);
    aml_int(to, 0);
    aml_name_ref(to, "BNUM");
}

/* PCEJ(slot): writes the slot's bit to the eject register. */
static void
add_ejector(Aml *pci)
{
    Aml *body = aml_new();

    acquire(body, "BLCK");
    select_bus(body);
    op(body, OP_STORE);
    op(body, OP_SHIFT_LEFT);
    op(body, OP_ONE);
    op(body, OP_ARG0);
    op(body, OP_NULL_NAME);
    aml_name_ref(body, "B0EJ");
    release(body, "BLCK");
    aml_method(pci, "PCEJ", 1, true, body);
}

/* PCNT(): tells the slots what the registers say. */
static void
add_poll(Aml *pci)
{
    Aml *body = aml_new();

    select_bus(body);
    aml_name_ref(body, "DVNT");
    aml_name_ref(body, "PCIU");
    aml_int(body, NOTIFY_CHECK);
    aml_name_ref(body, "DVNT");
    aml_name_ref(body, "PCID");
    aml_int(body, NOTIFY_EJECT);
    aml_method(pci, "PCNT", 0, false, body);
}

static void
add_ports(Aml *pci)
{
    Aml *dev = aml_new();
    AmlResources *res = aml_resources_new();

    aml_name_eisa(dev, "_HID", "PNP0A06");
    aml_name_string(dev, "_UID", "PCI Hotplug resources");
    aml_name_int(dev, "_STA", 0x0b);
    aml_res_io(res, VIT_PCIHP_PORT, VIT_PCIHP_PORT, 1, VIT_PCIHP_BYTES);
    aml_name_resources(dev, "_CRS", res);
    aml_device(pci, "PHPR", dev);
}

void
board_pc_hotplug_slots(Machine *machine, Aml *pci)
{
    static const char *const state[] = { "PCIU", "PCID", NULL };
    static const char *const eject_reg[] = { "B0EJ", NULL };
    static const char *const bus_reg[] = { "BNUM", NULL };

    if (!pc(machine)->pcihp) {
        return;
    }
    add_ports(pci);
    aml_region(pci, "PCST", AML_REGION_SYSTEM_IO, VIT_PCIHP_PORT, 8);
    aml_dword_fields(pci, "PCST", state);
    aml_region(pci, "SEJ_", AML_REGION_SYSTEM_IO, VIT_PCIHP_PORT + 8, 4);
    aml_dword_fields(pci, "SEJ_", eject_reg);
    aml_region(pci, "BNMR", AML_REGION_SYSTEM_IO, VIT_PCIHP_PORT + 16, 4);
    aml_dword_fields(pci, "BNMR", bus_reg);
    ext(pci, OP_EXT_MUTEX);
    aml_name_ref(pci, "BLCK");
    op(pci, 0);
    add_ejector(pci);
    for (unsigned slot = FIRST_SLOT; slot < 32; slot++) {
        add_slot(pci, slot);
    }
    add_notifier(pci);
    add_poll(pci);
}

void
board_pc_hotplug_event(Machine *machine, Aml *root)
{
    Aml *scope, *body;

    if (!pc(machine)->pcihp) {
        return;
    }
    scope = aml_new();
    body = aml_new();
    acquire(body, "\\_SB_.PCI0.BLCK");
    aml_name_ref(body, "\\_SB_.PCI0.PCNT");
    release(body, "\\_SB_.PCI0.BLCK");
    aml_method(scope, "_E01", 0, false, body);
    aml_scope(root, "\\_GPE", scope);
}
