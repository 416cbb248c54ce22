/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* ACPI and SMBIOS tables of the pc board. ACPI Specification 6.3: FADT 5.2.9 (revision 1, as older
 * guests read it), FACS 5.2.10, MADT 5.2.12, DSDT 5.2.11.1; HPET: IA-PC HPET Specification 1.0a
 * section 3.2.4; WAET: Microsoft's Windows ACPI Emulated Devices Table. PCI interrupt links are the
 * PIRQ route control registers of the PIIX3 (82371SB datasheet, 2.2.9). */

#include "board-pc.h"
#include "tables/tables.h"

#include "vit-error.h"

#include "pc/fw-cfg.h"
#include "pci/piix4-pm.h"

#include <string.h>

enum {
    PM_BASE_DEFAULT = 0x600,
    IOAPIC_ADDRESS = 0xfec00000,
    LAPIC_ADDRESS = 0xfee00000,
    HPET_ADDRESS = 0xfed00000,
    HPET_BLOCK_ID = 0x8086a201,
    PCI_LINK_IRQS = 0x0e20, /* 5, 9, 10, 11: level triggered in the MADT */

    MADT_LAPIC = 0,
    MADT_IOAPIC = 1,
    MADT_OVERRIDE = 2,
    MADT_LAPIC_NMI = 4,
    MADT_X2APIC = 9,
    MADT_X2APIC_NMI = 10,
};

static BoardPc *
pc(Machine *machine)
{
    return machine->board_data;
}

/* ---- DSDT ---- */

/* _PRT: pin P of slot S is wired to link (P + S - 1) mod 4. */
static void
dsdt_routing(Aml *pci)
{
    static const char *const links[] = { "LNKA", "LNKB", "LNKC", "LNKD" };
    Aml *rows = aml_new();
    Aml *table = aml_new();

    for (unsigned slot = 0; slot < 32; slot++) {
        for (unsigned pin = 0; pin < 4; pin++) {
            Aml *row = aml_new();

            aml_int(row, slot << 16 | 0xffff);
            aml_int(row, pin);
            aml_name_ref(row, links[(pin + slot + 3) % 4]);
            aml_int(row, 0);
            aml_package(rows, 4, row);
        }
    }
    aml_package(table, 128, rows);
    aml_name(pci, "_PRT", table);
}

/* AML by hand where a method computes; opcodes of ACPI 20.2.5. */
enum {
    OP_STORE = 0x70,
    OP_AND = 0x7b,
    OP_OR = 0x7d,
    OP_FIND_SET_RIGHT = 0x82,
    OP_DECREMENT = 0x76,
    OP_CREATE_DWORD_FIELD = 0x8a,
    OP_IF = 0xa0,
    OP_RETURN = 0xa4,
    OP_LOCAL0 = 0x60,
    OP_ARG0 = 0x68,
    OP_NULL_NAME = 0x00,
};

static void
op(Aml *to, uint8_t code)
{
    g_byte_array_append(to, &code, 1);
}

/* One interrupt link device: its route register is named REG. */
static void
dsdt_link(Aml *sb, const char *name, const char *reg, unsigned uid)
{
    static const uint32_t choices[] = { 5, 10, 11 };
    Aml *dev = aml_new();
    AmlResources *possible = aml_resources_new();
    AmlResources *current = aml_resources_new();
    static const uint32_t none[] = { 0 };
    Aml *body;

    aml_name_eisa(dev, "_HID", "PNP0C0F");
    aml_name_int(dev, "_UID", uid);
    aml_res_interrupts(possible, choices, 3);
    aml_name_resources(dev, "_PRS", possible);

    /* _STA: present; enabled while bit 7 of the register is clear */
    body = aml_new();
    {
        Aml *branch = aml_new();
        Aml *test = aml_new();

        op(test, OP_AND);
        aml_name_ref(test, reg);
        aml_int(test, 0x80);
        op(test, OP_NULL_NAME);
        op(branch, OP_RETURN);
        aml_int(branch, 0x09);
        aml_append(test, branch);
        op(body, OP_IF);
        /* the predicate and the branch make up the If's package */
        g_byte_array_append(body, (uint8_t[]){ test->len + 1 }, 1);
        aml_append(body, test);
        op(body, OP_RETURN);
        aml_int(body, 0x0b);
    }
    aml_method(dev, "_STA", 0, false, body);

    /* _DIS: set bit 7 */
    body = aml_new();
    op(body, OP_OR);
    aml_name_ref(body, reg);
    aml_int(body, 0x80);
    aml_name_ref(body, reg);
    aml_method(dev, "_DIS", 0, false, body);

    /* _CRS: the template with the register's interrupt in it */
    aml_res_interrupts(current, none, 1);
    aml_name_resources(dev, "RES_", current);
    body = aml_new();
    op(body, OP_CREATE_DWORD_FIELD);
    aml_name_ref(body, "RES_");
    aml_int(body, 5);
    aml_name_ref(body, "IRQN");
    op(body, OP_AND);
    aml_name_ref(body, reg);
    aml_int(body, 0x0f);
    aml_name_ref(body, "IRQN");
    op(body, OP_RETURN);
    aml_name_ref(body, "RES_");
    aml_method(dev, "_CRS", 0, true, body);

    /* _SRS: the interrupt number of the extended descriptor goes into the register */
    body = aml_new();
    op(body, OP_CREATE_DWORD_FIELD);
    op(body, OP_ARG0);
    aml_int(body, 5);
    aml_name_ref(body, "IRQW");
    op(body, OP_STORE);
    aml_name_ref(body, "IRQW");
    aml_name_ref(body, reg);
    aml_method(dev, "_SRS", 1, true, body);

    aml_device(sb, name, dev);
}

/* A fixed ISA device with one port range and one interrupt. */
static void
dsdt_isa_device(Aml *isa, const char *name, const char *id, unsigned uid, AmlResources *resources)
{
    Aml *dev = aml_new();

    aml_name_eisa(dev, "_HID", id);
    aml_name_int(dev, "_UID", uid);
    aml_name_int(dev, "_STA", 0x0f);
    aml_name_resources(dev, "_CRS", resources);
    aml_device(isa, name, dev);
}

static void
dsdt_ports(Machine *machine, Aml *isa)
{
    static const uint16_t serial_ports[] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };
    static const uint16_t parallel_ports[] = { 0x378, 0x278, 0x3bc };
    const VitMachinePlan *plan = machine->plan;

    for (guint i = 0; i < plan->serials->len && i < 4; i++) {
        AmlResources *res = aml_resources_new();
        g_autofree char *name = g_strdup_printf("COM%u", i + 1);

        aml_res_io(res, serial_ports[i], serial_ports[i], 0, 8);
        aml_res_irq(res, i % 2 ? 1 << 3 : 1 << 4);
        if (((const VitPlanPort *)plan->serials->pdata[i])->absent) {
            g_byte_array_unref(res);
        } else {
            dsdt_isa_device(isa, name, "PNP0501", i + 1, res);
        }
    }
    for (guint i = 0; i < plan->parallels->len && i < 3; i++) {
        AmlResources *res = aml_resources_new();
        g_autofree char *name = g_strdup_printf("LPT%u", i + 1);

        aml_res_io(res, parallel_ports[i], parallel_ports[i], 8, 8);
        aml_res_irq(res, i ? 1 << 5 : 1 << 7);
        if (((const VitPlanPort *)plan->parallels->pdata[i])->absent) {
            g_byte_array_unref(res);
        } else {
            dsdt_isa_device(isa, name, "PNP0400", i + 1, res);
        }
    }
}

static void
dsdt_isa(Machine *machine, Aml *pci)
{
    static const char *const routes[] = { "PRQ0", "PRQ1", "PRQ2", "PRQ3", NULL };
    Aml *isa = aml_new();
    AmlResources *res;

    aml_name_int(isa, "_ADR", 0x00010000);
    aml_region(isa, "P40C", AML_REGION_PCI_CONFIG, 0x60, 4);
    aml_byte_fields(isa, "P40C", routes);

    res = aml_resources_new();
    aml_res_io(res, 0x70, 0x70, 1, 8);
    aml_res_irq(res, 1 << 8);
    dsdt_isa_device(isa, "RTC_", "PNP0B00", 0, res);
    res = aml_resources_new();
    aml_res_io(res, 0x60, 0x60, 1, 1);
    aml_res_io(res, 0x64, 0x64, 1, 1);
    aml_res_irq(res, 1 << 1);
    dsdt_isa_device(isa, "KBD_", "PNP0303", 0, res);
    res = aml_resources_new();
    aml_res_irq(res, 1 << 12);
    dsdt_isa_device(isa, "MOU_", "PNP0F13", 0, res);
    if (pc(machine)->fdc) {
        res = aml_resources_new();
        aml_res_io(res, 0x3f2, 0x3f2, 0, 4);
        aml_res_io(res, 0x3f7, 0x3f7, 0, 1);
        aml_res_irq(res, 1 << 6);
        aml_res_dma(res, 1 << 2);
        dsdt_isa_device(isa, "FDC0", "PNP0700", 0, res);
    }
    dsdt_ports(machine, isa);
    aml_device(pci, "ISA_", isa);
}

static void
dsdt_pci(Machine *machine, Aml *sb)
{
    Aml *pci = aml_new();
    AmlResources *res = aml_resources_new();
    uint32_t hole = pc(machine)->below_4g_bytes;

    aml_name_eisa(pci, "_HID", "PNP0A03");
    aml_name_int(pci, "_UID", 1);
    aml_res_bus_numbers(res, 0, 255);
    aml_res_io(res, 0xcf8, 0xcf8, 1, 8);
    aml_res_word_io(res, 0x0000, 0x0cf7);
    aml_res_word_io(res, 0x0d00, 0xffff);
    aml_res_dword_memory(res, 0x000a0000, 0x000bffff, true);
    /* SeaBIOS places BARs from the end of memory, or 80000000h where that is lower, up */
    aml_res_dword_memory(res, MAX(hole, 0x80000000u), 0xfebfffff, false);
    aml_name_resources(pci, "_CRS", res);
    dsdt_routing(pci);
    dsdt_isa(machine, pci);
    board_pc_hotplug_slots(machine, pci);
    aml_device(sb, "PCI0", pci);
}

static void
dsdt_hpet(Aml *sb)
{
    Aml *dev = aml_new();
    AmlResources *res = aml_resources_new();

    aml_name_eisa(dev, "_HID", "PNP0103");
    aml_name_int(dev, "_UID", 0);
    aml_res_memory32(res, HPET_ADDRESS, 0x400, false);
    aml_name_resources(dev, "_CRS", res);
    aml_device(sb, "HPET", dev);
}

static void
dsdt_cpus(Machine *machine, Aml *sb)
{
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        g_autofree char *name = g_strdup_printf("C%03X", i);
        Aml *dev = aml_new();

        aml_name_string(dev, "_HID", "ACPI0007");
        aml_name_int(dev, "_UID", i);
        aml_name_int(dev, "_STA", 0x0f);
        aml_device(sb, name, dev);
    }
}

/* \_Sx: sleep type for PM1a and PM1b control, two reserved. */
static void
dsdt_sleep_state(Aml *root, const char *name, unsigned type)
{
    Aml *values = aml_new();
    Aml *package = aml_new();

    aml_int(values, type);
    aml_int(values, type);
    aml_int(values, 0);
    aml_int(values, 0);
    aml_package(package, 4, values);
    aml_name(root, name, package);
}

static uint32_t
build_dsdt(Machine *machine, AcpiTables *tables)
{
    static const char *const link_names[] = { "LNKA", "LNKB", "LNKC", "LNKD" };
    static const char *const link_regs[] = { "\\_SB_.PCI0.ISA_.PRQ0", "\\_SB_.PCI0.ISA_.PRQ1",
                                             "\\_SB_.PCI0.ISA_.PRQ2", "\\_SB_.PCI0.ISA_.PRQ3" };
    uint32_t table = acpi_begin(tables, "DSDT", 1);
    Aml *sb = aml_new();
    Aml *root = aml_new();

    dsdt_pci(machine, sb);
    for (unsigned i = 0; i < 4; i++) {
        dsdt_link(sb, link_names[i], link_regs[i], i);
    }
    if (pc(machine)->hpet) {
        dsdt_hpet(sb);
    }
    dsdt_cpus(machine, sb);
    aml_scope(root, "\\_SB_", sb);
    board_pc_hotplug_event(machine, root);
    dsdt_sleep_state(root, "\\_S3_", 1);
    dsdt_sleep_state(root, "\\_S4_", 2);
    dsdt_sleep_state(root, "\\_S5_", 0);
    aml_append(tables->blob, root);
    acpi_end(tables, table, false);
    return table;
}

/* ---- Fixed tables ---- */

static uint32_t
build_facs(AcpiTables *tables)
{
    uint32_t at;

    while (tables->blob->len % 64) {
        acpi_put8(tables, 0);
    }
    at = tables->blob->len;
    g_byte_array_append(tables->blob, (const uint8_t *)"FACS", 4);
    acpi_put32(tables, 64);
    acpi_put_zeros(tables, 56);
    return at;
}

static void
build_fadt(Machine *machine, AcpiTables *tables, uint32_t facs, uint32_t dsdt)
{
    uint16_t placed = vit_piix4_pm_base(pc(machine)->pm);
    uint32_t pm_base = placed ? placed : PM_BASE_DEFAULT;
    bool smm = machine->plan->smm;
    uint32_t table = acpi_begin(tables, "FACP", 1);
    uint32_t pointers = tables->blob->len;

    acpi_put32(tables, 0); /* FIRMWARE_CTRL */
    acpi_put32(tables, 0); /* DSDT */
    acpi_pointer(tables, pointers, facs);
    acpi_pointer(tables, pointers + 4, dsdt);
    acpi_put8(tables, 1); /* dual PIC */
    acpi_put8(tables, 0);
    acpi_put16(tables, 9); /* SCI_INT */
    /* without SMM the machine is in ACPI mode from the start: no port to ask at */
    acpi_put32(tables, smm ? VIT_PIIX4_SMI_PORT : 0);
    acpi_put8(tables, smm ? VIT_PIIX4_ACPI_ENABLE : 0);
    acpi_put8(tables, smm ? VIT_PIIX4_ACPI_DISABLE : 0);
    acpi_put8(tables, 0); /* S4BIOS_REQ */
    acpi_put8(tables, 0);
    acpi_put32(tables, pm_base);     /* PM1a_EVT_BLK */
    acpi_put32(tables, 0);           /* PM1b_EVT_BLK */
    acpi_put32(tables, pm_base + 4); /* PM1a_CNT_BLK */
    acpi_put32(tables, 0);           /* PM1b_CNT_BLK */
    acpi_put32(tables, 0);           /* PM2_CNT_BLK */
    acpi_put32(tables, pm_base + 8); /* PM_TMR_BLK */
    acpi_put32(tables, VIT_PIIX4_GPE0_PORT);
    acpi_put32(tables, 0); /* GPE1_BLK */
    acpi_put8(tables, 4);  /* PM1_EVT_LEN */
    acpi_put8(tables, 2);  /* PM1_CNT_LEN */
    acpi_put8(tables, 0);  /* PM2_CNT_LEN */
    acpi_put8(tables, 4);  /* PM_TMR_LEN */
    acpi_put8(tables, VIT_PIIX4_GPE0_BYTES);
    acpi_put8(tables, 0); /* GPE1_BLK_LEN */
    acpi_put8(tables, 0); /* GPE1_BASE */
    acpi_put8(tables, 0);
    acpi_put16(tables, 0xfff); /* P_LVL2_LAT: no C2 */
    acpi_put16(tables, 0xfff); /* P_LVL3_LAT: no C3 */
    acpi_put16(tables, 0);     /* FLUSH_SIZE */
    acpi_put16(tables, 0);     /* FLUSH_STRIDE */
    acpi_put8(tables, 0);      /* DUTY_OFFSET */
    acpi_put8(tables, 0);      /* DUTY_WIDTH */
    acpi_put8(tables, 0);      /* DAY_ALRM */
    acpi_put8(tables, 0);      /* MON_ALRM */
    acpi_put8(tables, 0x32);   /* CENTURY */
    acpi_put16(tables, 0);
    acpi_put8(tables, 0);
    /* WBINVD, PROC_C1, SLP_BUTTON (none as a fixed feature), RTC_S4 */
    acpi_put32(tables, 1 << 0 | 1 << 2 | 1 << 5 | 1 << 7);
    acpi_end(tables, table, true);
}

static void
madt_cpu(AcpiTables *tables, uint32_t apic_id, unsigned uid)
{
    if (apic_id < 255) {
        acpi_put8(tables, MADT_LAPIC);
        acpi_put8(tables, 8);
        acpi_put8(tables, uid);
        acpi_put8(tables, apic_id);
        acpi_put32(tables, 1);
    } else {
        acpi_put8(tables, MADT_X2APIC);
        acpi_put8(tables, 16);
        acpi_put16(tables, 0);
        acpi_put32(tables, apic_id);
        acpi_put32(tables, 1);
        acpi_put32(tables, uid);
    }
}

static void
madt_override(AcpiTables *tables, uint8_t irq, uint32_t pin, uint16_t flags)
{
    acpi_put8(tables, MADT_OVERRIDE);
    acpi_put8(tables, 10);
    acpi_put8(tables, 0); /* ISA */
    acpi_put8(tables, irq);
    acpi_put32(tables, pin);
    acpi_put16(tables, flags);
}

static void
build_madt(Machine *machine, AcpiTables *tables)
{
    uint32_t table = acpi_begin(tables, "APIC", 1);

    acpi_put32(tables, LAPIC_ADDRESS);
    acpi_put32(tables, 1); /* PCAT_COMPAT */
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        madt_cpu(tables, machine->vcpus[i].cpu.apic_id, i);
    }
    acpi_put8(tables, MADT_IOAPIC);
    acpi_put8(tables, 12);
    acpi_put8(tables, 0); /* id */
    acpi_put8(tables, 0);
    acpi_put32(tables, IOAPIC_ADDRESS);
    acpi_put32(tables, 0);
    madt_override(tables, 0, 2, 0);
    for (unsigned irq = 1; irq < 16; irq++) {
        if (PCI_LINK_IRQS >> irq & 1) {
            madt_override(tables, irq, irq, 0x0d); /* active high, level */
        }
    }
    acpi_put8(tables, MADT_LAPIC_NMI);
    acpi_put8(tables, 6);
    acpi_put8(tables, 0xff); /* every processor */
    acpi_put16(tables, 0);
    acpi_put8(tables, 1); /* LINT1 */
    acpi_end(tables, table, true);
}

static void
build_hpet(AcpiTables *tables)
{
    uint32_t table = acpi_begin(tables, "HPET", 1);

    acpi_put32(tables, HPET_BLOCK_ID);
    acpi_put8(tables, 0); /* system memory */
    acpi_put8(tables, 0);
    acpi_put8(tables, 0);
    acpi_put8(tables, 0);
    acpi_put64(tables, HPET_ADDRESS);
    acpi_put8(tables, 0);  /* number */
    acpi_put16(tables, 0); /* minimum tick */
    acpi_put8(tables, 0);
    acpi_end(tables, table, true);
}

static void
build_waet(AcpiTables *tables)
{
    uint32_t table = acpi_begin(tables, "WAET", 1);

    acpi_put32(tables, 1 << 1); /* one read of the PM timer is enough */
    acpi_end(tables, table, true);
}

/* -acpitable file=a:b or data=: a whole table, or a body with sig=, rev=, oem_... */
static bool
add_user_tables(Machine *machine, AcpiTables *tables, GError **error)
{
    for (guint i = 0; i < machine->plan->acpi_tables->len; i++) {
        const VitPlanTable *user = machine->plan->acpi_tables->pdata[i];
        const char *file = vit_plan_props_get(&user->props, "file");
        const char *data = vit_plan_props_get(&user->props, "data");
        const char *signature = vit_plan_props_get(&user->props, "sig");
        g_auto(GStrv) parts = g_strsplit(file ? file : data ? data : "", ":", -1);
        g_autoptr(GByteArray) bytes = g_byte_array_new();

        for (unsigned p = 0; parts[p] && *parts[p]; p++) {
            g_autofree char *contents = NULL;
            gsize len;

            if (!g_file_get_contents(parts[p], &contents, &len, error)) {
                g_prefix_error(error, "-acpitable: ");
                return false;
            }
            g_byte_array_append(bytes, (const uint8_t *)contents, len);
        }
        if (data || signature) {
            uint32_t table =
                acpi_begin(tables, signature && strlen(signature) == 4 ? signature : "OEM0", 1);
            g_byte_array_append(tables->blob, bytes->data, bytes->len);
            acpi_end(tables, table, true);
        } else if (bytes->len < 36) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "-acpitable file=%s is shorter than an ACPI table header (36 bytes); use "
                        "data= for a body without one",
                        file ? file : "");
            return false;
        } else {
            acpi_add_raw(tables, bytes->data, bytes->len);
        }
    }
    return true;
}

/* ---- SMBIOS ---- */

static bool
fill_smbios(Machine *machine, GError **error)
{
    const VitMachinePlan *plan = machine->plan;
    SmbiosInfo info = {
        .machine_name = "Standard PC (i440FX + PIIX, 1996)",
        .uuid = plan->has_uuid ? plan->uuid_bytes : NULL,
        .sockets = plan->sockets,
        .cores = plan->cores,
        .threads = plan->threads,
        .cpu_vendor = machine->cpu_model.vendor,
        .cpu_model = machine->cpu_model.model_id,
        .ram_bytes = plan->ram_bytes,
        .below_4g_bytes = pc(machine)->below_4g_bytes,
        .above_4g_bytes = pc(machine)->above_4g_bytes,
    };
    SmbiosTables *tables = smbios_new();
    GBytes *anchor, *blob;
    bool ok = true;

    for (guint i = 0; ok && i < plan->smbios->len; i++) {
        const VitPlanTable *user = plan->smbios->pdata[i];

        for (unsigned p = 0; ok && p < user->props.n_props; p++) {
            const VitPlanProp *prop = &user->props.props[p];
            g_autofree char *contents = NULL;
            gsize len;

            if (strcmp(prop->key, "type") == 0) {
                continue;
            }
            if (user->type < 0 && strcmp(prop->key, "file") == 0) {
                ok = g_file_get_contents(prop->value, &contents, &len, error) &&
                     smbios_add_file(tables, (uint8_t *)contents, len, error);
            } else {
                ok = smbios_set(tables, user->type, prop->key, prop->value, error);
            }
        }
    }
    if (ok) {
        smbios_build(tables, &info, &anchor, &blob);
        vit_fw_cfg_set_file(pc(machine)->fw_cfg, "etc/smbios/smbios-tables", blob);
        vit_fw_cfg_set_file(pc(machine)->fw_cfg, "etc/smbios/smbios-anchor", anchor);
    } else {
        g_prefix_error(error, "-smbios: ");
    }
    smbios_free(tables);
    return ok;
}

static AcpiTables *
build_tables(Machine *machine, GError **error)
{
    AcpiTables *tables = acpi_tables_new();
    uint32_t facs = build_facs(tables), dsdt = build_dsdt(machine, tables);

    build_fadt(machine, tables, facs, dsdt);
    build_madt(machine, tables);
    if (pc(machine)->hpet) {
        build_hpet(tables);
    }
    build_waet(tables);
    if (!add_user_tables(machine, tables, error)) {
        acpi_tables_free(tables);
        return NULL;
    }
    acpi_finish(tables);
    return tables;
}

/* Firmware reads the tables: they name what it has placed by now. Script and pointers stay as they
 * are, so only tables of the same length can take their place. */
static void
on_tables_selected(void *opaque)
{
    Machine *machine = opaque;
    VitDevice *fw = pc(machine)->fw_cfg;
    GBytes *old = vit_fw_cfg_get_file(fw, ACPI_TABLES_FILE);
    AcpiTables *tables = build_tables(machine, NULL);

    if (tables && old && tables->blob->len == g_bytes_get_size(old)) {
        vit_fw_cfg_set_file(fw, ACPI_TABLES_FILE,
                            g_byte_array_free_to_bytes(g_steal_pointer(&tables->blob)));
    }
    if (tables) {
        acpi_tables_free(tables);
    }
}

bool
board_pc_fill_tables(Machine *machine, GError **error)
{
    VitDevice *fw = pc(machine)->fw_cfg;
    AcpiTables *tables;

    if (!fill_smbios(machine, error)) {
        return false;
    }
    if (!machine->plan->acpi) {
        return true;
    }
    tables = build_tables(machine, error);
    if (!tables) {
        return false;
    }
    vit_fw_cfg_set_file(fw, ACPI_RSDP_FILE,
                        g_byte_array_free_to_bytes(g_steal_pointer(&tables->rsdp)));
    vit_fw_cfg_set_file(fw, ACPI_TABLES_FILE,
                        g_byte_array_free_to_bytes(g_steal_pointer(&tables->blob)));
    vit_fw_cfg_set_file(fw, ACPI_LOADER_FILE,
                        g_byte_array_free_to_bytes(g_steal_pointer(&tables->loader)));
    vit_fw_cfg_on_select(fw, ACPI_TABLES_FILE, on_tables_selected, machine);
    acpi_tables_free(tables);
    return true;
}
