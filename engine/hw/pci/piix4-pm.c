/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Power management function of the Intel 82371AB (PIIX4): ACPI PM1 events and timer, general
 * purpose events, the APM command port and an SMBus host controller with nothing on its bus.
 *
 * The guest places the PM block (configuration 40h, enabled by 80h bit 0) and the SMBus block
 * (90h, enabled by D2h bit 0). The PM timer counts 24 bits at 3.579545 MHz of virtual time; its
 * status bit is set each time bit 23 changes.
 *
 * Intel 82371AB data sheet (order 290562), chapters 7 and 11; ACPI 6.4 section 4.8. Deviations:
 * the GPE block lies at AFE0h with 16 events, where virtual PCs have it; clock throttling, idle
 * timers, traps and the general purpose pins only keep what is written. Thread: device lock held.
 */

#include "piix4-pm.h"

#include "piix4-smbus.h"

enum {
    PM_BASE = 0x40,
    PM_SMI_ENABLE_BYTE = 0x5b, /* DEVACTB bits 31:24 */
    PM_SMI_ON_APM = 1u << 1,   /* bit 25, APMC_EN */
    PM_ENABLE = 0x80,
    PM_SMB_BASE = 0x90,
    PM_SMB_CONFIG = 0xd2,

    PM1_STATUS = 0x00, /* offsets in the PM block */
    PM1_ENABLE = 0x02,
    PM1_CONTROL = 0x04,
    PM1_TIMER = 0x08,
    PM_BLOCK_BYTES = 0x40,

    PM1_TIMER_BIT = 1u << 0,
    PM1_GLOBAL_BIT = 1u << 5,
    PM1_POWER_BUTTON_BIT = 1u << 8,
    PM1_SLEEP_BUTTON_BIT = 1u << 9,
    PM1_RTC_BIT = 1u << 10,
    PM1_WAKE_BIT = 1u << 15,
    PM1_STATUS_BITS = 0x8731,
    PM1_SCI_BITS =
        PM1_TIMER_BIT | PM1_GLOBAL_BIT | PM1_POWER_BUTTON_BIT | PM1_SLEEP_BUTTON_BIT | PM1_RTC_BIT,

    PM1_CONTROL_SCI_EN = 1u << 0,
    PM1_CONTROL_TYPE_SHIFT = 10,
    PM1_CONTROL_SLEEP = 1u << 13,

    PM_TIMER_HZ = 3579545,
    PM_TIMER_HALF = 1u << 23,
};

typedef struct PiixPm {
    VitPciDevice pci;
    VitRegion pm_region, gpe_region, apm_region, smb_region;
    VitTimer overflow_timer;
    uint16_t pm1_status, pm1_enable, pm1_control;
    uint64_t next_overflow; /* in timer ticks */
    uint8_t gpe_status[2], gpe_enable[2];
    uint8_t apm_control, apm_status;
    uint8_t other[PM_BLOCK_BYTES]; /* registers that only keep what is written */
    VitPiixSmbus smbus;
    bool disable_s3, disable_s4, smm_enabled;
    uint8_t s4_type;
} PiixPm;
VIT_DEVICE_LAYOUT(PiixPm)

/* ---- Events ---- */

static void
update_sci(PiixPm *pm)
{
    bool level = (pm->pm1_status & pm->pm1_enable & PM1_SCI_BITS) ||
                 (pm->gpe_status[0] & pm->gpe_enable[0]) || (pm->gpe_status[1] & pm->gpe_enable[1]);

    vit_irq_set(&pm->pci.dev.irq_out[0], level);
}

static uint64_t
timer_ticks(const PiixPm *pm)
{
    return vit_clock_ticks(pm->pci.dev.platform->clock, PM_TIMER_HZ);
}

/* Virtual time of a tick, rounded up so that the tick has come when the timer fires. */
static int64_t
ticks_to_ns(uint64_t ticks)
{
    unsigned __int128 ns = (unsigned __int128)ticks * VIT_NS_PER_SEC + PM_TIMER_HZ - 1;

    return ns / PM_TIMER_HZ;
}

/* Takes note of a change of bit 23 and arms for the next one where it matters. */
static void
update_timer(PiixPm *pm)
{
    uint64_t now = timer_ticks(pm);

    if (now >= pm->next_overflow) {
        pm->pm1_status |= PM1_TIMER_BIT;
    }
    if ((pm->pm1_enable & PM1_TIMER_BIT) && !(pm->pm1_status & PM1_TIMER_BIT)) {
        vit_timer_mod(&pm->overflow_timer, ticks_to_ns(pm->next_overflow));
    } else {
        vit_timer_del(&pm->overflow_timer);
    }
    update_sci(pm);
}

static void
schedule_overflow(PiixPm *pm)
{
    pm->next_overflow = (timer_ticks(pm) / PM_TIMER_HALF + 1) * PM_TIMER_HALF;
}

static void
overflow(void *opaque)
{
    update_timer(opaque);
}

void
vit_piix4_pm_power_button(VitDevice *dev)
{
    PiixPm *pm = (PiixPm *)dev;

    pm->pm1_status |= PM1_POWER_BUTTON_BIT;
    update_sci(pm);
}

void
vit_piix4_pm_wake(VitDevice *dev)
{
    PiixPm *pm = (PiixPm *)dev;

    pm->pm1_status |= PM1_WAKE_BIT | PM1_POWER_BUTTON_BIT;
    update_sci(pm);
}

void
vit_piix4_pm_gpe(VitDevice *dev, unsigned n)
{
    PiixPm *pm = (PiixPm *)dev;

    g_return_if_fail(n < 16);
    pm->gpe_status[n / 8] |= 1u << n % 8;
    update_sci(pm);
}

/* ---- PM block ---- */

static void
sleep_requested(PiixPm *pm)
{
    VitPlatform *platform = pm->pci.dev.platform;
    unsigned type = pm->pm1_control >> PM1_CONTROL_TYPE_SHIFT & 7;

    if (type == 0) {
        vit_platform_request_shutdown(platform, VIT_CAUSE_GUEST_SHUTDOWN, 0);
    } else if (type == 1 && !pm->disable_s3) {
        if (platform->ops && platform->ops->request_suspend) {
            platform->ops->request_suspend(platform->opaque);
        }
    } else if (type == pm->s4_type && !pm->disable_s4) {
        vit_platform_request_shutdown(platform, VIT_CAUSE_GUEST_SHUTDOWN, 0);
    } else {
        vit_guest_error(&pm->pci.dev, "sleep type %u is not supported", type);
    }
}

static uint64_t
pm_read(void *opaque, uint64_t offset, unsigned size)
{
    PiixPm *pm = opaque;

    switch (offset) {
    case PM1_STATUS: update_timer(pm); return pm->pm1_status;
    case PM1_ENABLE: return pm->pm1_enable;
    case PM1_CONTROL: return pm->pm1_control;
    case PM1_TIMER: return timer_ticks(pm) & 0xffff;
    case PM1_TIMER + 2: return timer_ticks(pm) >> 16 & 0xff;
    default: return pm->other[offset] | pm->other[offset + 1] << 8;
    }
}

static void
pm_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    PiixPm *pm = opaque;

    switch (offset) {
    case PM1_STATUS:
        update_timer(pm);
        if (pm->pm1_status & value & PM1_TIMER_BIT) {
            schedule_overflow(pm);
        }
        pm->pm1_status &= ~value;
        update_timer(pm);
        break;
    case PM1_ENABLE:
        pm->pm1_enable = value & PM1_SCI_BITS;
        update_timer(pm);
        break;
    case PM1_CONTROL:
        pm->pm1_control = value & ~PM1_CONTROL_SLEEP;
        if (value & PM1_CONTROL_SLEEP) {
            sleep_requested(pm);
        }
        break;
    case PM1_TIMER:
    case PM1_TIMER + 2: break;
    default:
        pm->other[offset] = value;
        pm->other[offset + 1] = value >> 8;
        break;
    }
}

/* The timer is one 32-bit register: read whole it must not tear. */
static uint64_t
pm_read_any(void *opaque, uint64_t offset, unsigned size)
{
    if (size == 4) {
        if (offset == PM1_TIMER) {
            return timer_ticks(opaque) & 0xffffff;
        }
        return pm_read(opaque, offset, 2) | pm_read(opaque, offset + 2, 2) << 16;
    }
    if (size == 1) {
        return pm_read(opaque, offset & ~1ull, 2) >> 8 * (offset & 1);
    }
    return pm_read(opaque, offset, size);
}

/* Byte writes keep the other half of the register, except of status, where zeros keep. */
static void
pm_write_any(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    if (size == 4) {
        pm_write(opaque, offset, value & 0xffff, 2);
        pm_write(opaque, offset + 2, value >> 16, 2);
    } else if (size == 1) {
        uint64_t whole = offset & ~1ull;
        unsigned shift = 8 * (offset & 1);
        uint64_t kept = whole == PM1_STATUS ? 0 : pm_read(opaque, whole, 2) & ~(0xffu << shift);
        pm_write(opaque, whole, kept | value << shift, 2);
    } else {
        pm_write(opaque, offset, value, size);
    }
}

static const VitRegionOps pm_ops = {
    .read = pm_read_any,
    .write = pm_write_any,
    .max_size = 4,
};

/* ---- General purpose events: two status bytes, two enable bytes ---- */

static uint64_t
gpe_read(void *opaque, uint64_t offset, unsigned size)
{
    PiixPm *pm = opaque;

    return offset < 2 ? pm->gpe_status[offset] : pm->gpe_enable[offset - 2];
}

static void
gpe_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    PiixPm *pm = opaque;

    if (offset < 2) {
        pm->gpe_status[offset] &= ~value;
    } else {
        pm->gpe_enable[offset - 2] = value;
    }
    update_sci(pm);
}

static const VitRegionOps gpe_ops = { .read = gpe_read, .write = gpe_write, .max_size = 1 };

/* ---- APM ports ---- */

static uint64_t
apm_read(void *opaque, uint64_t offset, unsigned size)
{
    PiixPm *pm = opaque;

    return offset == 0 ? pm->apm_control : pm->apm_status;
}

static void
apm_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    PiixPm *pm = opaque;
    VitPlatform *platform = pm->pci.dev.platform;

    if (offset == 1) {
        pm->apm_status = value;
        return;
    }
    pm->apm_control = value;
    if (value == VIT_PIIX4_ACPI_ENABLE) {
        pm->pm1_control |= PM1_CONTROL_SCI_EN;
    } else if (value == VIT_PIIX4_ACPI_DISABLE) {
        pm->pm1_control &= ~PM1_CONTROL_SCI_EN;
    }
    if (pm->smm_enabled && (pm->pci.config[PM_SMI_ENABLE_BYTE] & PM_SMI_ON_APM) && platform->ops &&
        platform->ops->raise_smi) {
        platform->ops->raise_smi(platform->opaque);
    }
}

static const VitRegionOps apm_ops = { .read = apm_read, .write = apm_write, .max_size = 1 };

/* ---- Placement ---- */

/* Moves REGION in the port space to BASE, or takes it away. */
static void
place(VitPlatform *platform, VitRegion *region, uint16_t base, bool enabled)
{
    bool mapped = vit_region_is_mapped(region);

    if (mapped && (!enabled || region->offset != base)) {
        vit_region_remove(region);
        mapped = false;
    }
    if (enabled && !mapped) {
        vit_region_add(platform->io_root, base, region, 0);
    }
}

static void
update_placement(PiixPm *pm)
{
    VitPlatform *platform = pm->pci.dev.platform;
    const VitPciDevice *pci = &pm->pci;

    place(platform, &pm->pm_region, vit_pci_get16(pci, PM_BASE) & 0xffc0,
          pci->config[PM_ENABLE] & 1);
    place(platform, &pm->smb_region, vit_pci_get16(pci, PM_SMB_BASE) & 0xfff0,
          pci->config[PM_SMB_CONFIG] & 1);
}

uint16_t
vit_piix4_pm_base(VitDevice *dev)
{
    const VitPciDevice *pci = &((PiixPm *)dev)->pci;

    return pci->config[PM_ENABLE] & 1 ? vit_pci_get16(pci, PM_BASE) & 0xffc0 : 0;
}

static void
pm_config_written(VitPciDevice *pci, uint32_t at, uint32_t value, unsigned size)
{
    update_placement((PiixPm *)pci);
}

static void
open_bytes(VitPciDevice *pci, unsigned at, unsigned len, uint8_t mask)
{
    for (unsigned i = 0; i < len; i++) {
        pci->write_mask[at + i] = mask;
    }
}

static bool
pm_realize(VitDevice *dev, GError **error)
{
    PiixPm *pm = (PiixPm *)dev;
    VitPciDevice *pci = &pm->pci;

    pci->write_mask[PM_BASE] = 0xc0;
    pci->write_mask[PM_BASE + 1] = 0xff;
    open_bytes(pci, 0x44, 0x3c, 0xff); /* CNTA to DEVRESJ */
    pci->write_mask[PM_ENABLE] = 0x01;
    pci->write_mask[PM_SMB_BASE] = 0xf0;
    pci->write_mask[PM_SMB_BASE + 1] = 0xff;
    open_bytes(pci, PM_SMB_CONFIG, 4, 0xff);
    vit_region_init_io(&pm->pm_region, "piix4-pm", &pm_ops, pm, PM_BLOCK_BYTES);
    vit_region_init_io(&pm->gpe_region, "piix4-gpe0", &gpe_ops, pm, VIT_PIIX4_GPE0_BYTES);
    vit_region_init_io(&pm->apm_region, "piix4-apm", &apm_ops, pm, 2);
    vit_region_init_io(&pm->smb_region, "piix4-smbus", &vit_piix_smbus_ops, &pm->smbus,
                       VIT_PIIX_SMBUS_BYTES);
    vit_region_add(dev->platform->io_root, VIT_PIIX4_GPE0_PORT, &pm->gpe_region, 0);
    vit_region_add(dev->platform->io_root, VIT_PIIX4_SMI_PORT, &pm->apm_region, 0);
    vit_timer_init(&pm->overflow_timer, dev->platform->clock, overflow, pm);
    return true;
}

static void
pm_unrealize(VitDevice *dev)
{
    PiixPm *pm = (PiixPm *)dev;

    vit_timer_del(&pm->overflow_timer);
    vit_region_finish(&pm->pm_region);
    vit_region_finish(&pm->gpe_region);
    vit_region_finish(&pm->apm_region);
    vit_region_finish(&pm->smb_region);
}

static void
pm_reset(VitDevice *dev)
{
    PiixPm *pm = (PiixPm *)dev;
    uint8_t *config = pm->pci.config;

    for (unsigned at = VIT_PCI_HEADER_LEN; at < sizeof(pm->pci.config); at++) {
        config[at] = 0;
    }
    vit_pci_set16(&pm->pci, VIT_PCI_STATUS,
                  VIT_PCI_STATUS_FAST_BACK | VIT_PCI_STATUS_DEVSEL_MEDIUM);
    config[PM_BASE] = 0x01; /* an I/O base */
    config[PM_SMB_BASE] = 0x01;
    config[VIT_PCI_INTERRUPT_LINE] = 9;
    pm->pm1_status = pm->pm1_enable = pm->pm1_control = 0;
    if (!pm->smm_enabled) {
        /* firmware takes SMM for set up already, and nobody could ask for ACPI mode */
        config[PM_SMI_ENABLE_BYTE] = PM_SMI_ON_APM;
        pm->pm1_control = PM1_CONTROL_SCI_EN;
    }
    pm->gpe_status[0] = pm->gpe_status[1] = pm->gpe_enable[0] = pm->gpe_enable[1] = 0;
    pm->apm_control = pm->apm_status = 0;
    for (unsigned i = 0; i < sizeof(pm->other); i++) {
        pm->other[i] = 0;
    }
    vit_piix_smbus_reset(&pm->smbus);
    schedule_overflow(pm);
    update_timer(pm);
    update_placement(pm);
}

static bool
pm_post_load(VitDevice *dev, unsigned version, GError **error)
{
    update_placement((PiixPm *)dev);
    return true;
}

static const VitPciInfo pm_info = {
    .vendor_id = 0x8086,
    .device_id = 0x7113,
    .revision = 3,
    .class_id = 0x0680,
    .interrupt_pin = 1,
    .config_written = pm_config_written,
};

static const VitProp pm_props[] = {
    VIT_PROP_BOOL(PiixPm, disable_s3, "disable_s3", 0, VIT_N_("No suspend to memory")),
    VIT_PROP_BOOL(PiixPm, disable_s4, "disable_s4", 0, VIT_N_("No suspend to disk")),
    VIT_PROP_UINT(PiixPm, s4_type, "s4_val", 2, 0, 7, VIT_N_("Sleep type that means S4")),
    VIT_PROP_BOOL(PiixPm, smm_enabled, "smm-enabled", 1, VIT_N_("System management interrupts")),
    { 0 },
};

static const VitField pm_state[] = {
    VIT_FIELD(PiixPm, pm1_status),
    VIT_FIELD(PiixPm, pm1_enable),
    VIT_FIELD(PiixPm, pm1_control),
    VIT_FIELD(PiixPm, next_overflow),
    VIT_FIELD_ARRAY(PiixPm, gpe_status),
    VIT_FIELD_ARRAY(PiixPm, gpe_enable),
    VIT_FIELD(PiixPm, apm_control),
    VIT_FIELD(PiixPm, apm_status),
    VIT_FIELD_ARRAY(PiixPm, other),
    VIT_FIELD_NESTED(PiixPm, smbus, vit_piix_smbus_state),
    VIT_FIELD_TIMER(PiixPm, overflow_timer),
    VIT_TRANSIENT(PiixPm, pm_region),  /* wiring, follows configuration space */
    VIT_TRANSIENT(PiixPm, gpe_region), /* wiring */
    VIT_TRANSIENT(PiixPm, apm_region), /* wiring */
    VIT_TRANSIENT(PiixPm, smb_region), /* wiring, follows configuration space */
    { 0 },
};

const VitDeviceKind vit_PIIX4_PM_kind = {
    .name = "PIIX4_PM",
    .title = VIT_N_("Power management (82371AB)"),
    .bus = VIT_BUS_PCI,
    .category = VIT_CATEGORY_BRIDGE,
    VIT_DEVICE_SIZE(PiixPm, VitPciDevice),
    .internal = true,
    .props = pm_props,
    .state = pm_state,
    .state_version = 1,
    .n_irq_out = 1,
    .bus_info = &pm_info,
    .realize = pm_realize,
    .unrealize = pm_unrealize,
    .reset = pm_reset,
    .post_load = pm_post_load,
};
