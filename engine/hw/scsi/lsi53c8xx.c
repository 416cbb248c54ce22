/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* LSI 53C895A and NCR 53C810: registers, interrupts, life. LSI53C895A PCI to Ultra2 SCSI Controller
 * Technical Manual, chapter 4; Symbios 53C810A data manual.
 *
 * The 53C810 is the same chip with 128 registers, no memory of its own and eight targets; newer
 * instructions are not taken from it. Deviations: arbitration by registers (START), diagnostics of
 * the SCSI lines, parity and the FIFOs are not there: the FIFOs are always empty. Bytes on the bus
 * cannot be driven by SOCL.
 *
 * Thread: device lock held. */

#include "lsi53c8xx.h"

#include "vit-error.h"

#include <string.h>

enum {
    INTERRUPTS_OF_CLOCKS = LSI_SIST1_GEN | LSI_SIST1_HTH,
    GENERAL_UNIT_NS = 250 * 1000, /* STIME1 of 1, SCSI clock of 40 MHz */
    CTEST2_SIGP = 1 << 6,
    CTEST5_DFS = 1 << 5,
    STEST4_LVD_LOCKED = 0xe0,
    SBCL_BSY = 1 << 5,
    SBCL_REQ = 1 << 7,
};

VIT_DEVICE_LAYOUT(Lsi)

uint32_t
lsi_get32(const Lsi *lsi, unsigned at)
{
    const uint8_t *in = lsi->regs + at;

    return in[0] | in[1] << 8 | in[2] << 16 | (uint32_t)in[3] << 24;
}

void
lsi_set32(Lsi *lsi, unsigned at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        lsi->regs[at + i] = (uint8_t)(value >> 8 * i);
    }
}

/* ---- interrupts ---- */

void
lsi_update_interrupt(Lsi *lsi)
{
    uint8_t *regs = lsi->regs, dma = regs[LSI_DSTAT] & (uint8_t)~LSI_DSTAT_DFE;
    bool level = regs[LSI_ISTAT0] & LSI_ISTAT0_INTF || dma & regs[LSI_DIEN] ||
                 regs[LSI_SIST0] & regs[LSI_SIEN0] || regs[LSI_SIST1] & regs[LSI_SIEN1];

    regs[LSI_ISTAT0] &= (uint8_t) ~(LSI_ISTAT0_SIP | LSI_ISTAT0_DIP);
    regs[LSI_ISTAT0] |= dma ? LSI_ISTAT0_DIP : 0;
    regs[LSI_ISTAT0] |= regs[LSI_SIST0] || regs[LSI_SIST1] ? LSI_ISTAT0_SIP : 0;
    vit_pci_set_irq(&lsi->pci, level);
}

static void
stop_script(Lsi *lsi)
{
    lsi->script_runs = false;
    lsi->wait = LSI_WAIT_NOTHING;
    vit_timer_del(&lsi->later);
}

void
lsi_dma_interrupt(Lsi *lsi, uint8_t bits)
{
    lsi->regs[LSI_DSTAT] |= bits;
    stop_script(lsi);
    lsi_update_interrupt(lsi);
}

void
lsi_scsi_interrupt(Lsi *lsi, uint8_t bits0, uint8_t bits1)
{
    uint8_t mild0 = (LSI_SIST0_CMP | LSI_SIST0_SEL | LSI_SIST0_RSL) & ~lsi->regs[LSI_SIEN0];
    uint8_t mild1 = INTERRUPTS_OF_CLOCKS & ~lsi->regs[LSI_SIEN1];

    lsi->regs[LSI_SIST0] |= bits0;
    lsi->regs[LSI_SIST1] |= bits1;
    if (bits0 & ~mild0 || bits1 & ~mild1) {
        stop_script(lsi);
    }
    lsi_update_interrupt(lsi);
}

static void
general_timer(void *opaque)
{
    lsi_scsi_interrupt(opaque, 0, LSI_SIST1_GEN);
}

/* ---- the bus ---- */

/* The target of a WORKING phase asks for something. */
static void
target_changed(void *opaque)
{
    Lsi *lsi = opaque;

    if (lsi->script_runs && lsi->wait == LSI_WAIT_PHASE) {
        lsi_run_script(lsi);
    }
}

static void
later(void *opaque)
{
    lsi_run_script(opaque);
}

static void
reset_bus(Lsi *lsi)
{
    scsi_parallel_reset(&lsi->parallel);
    lsi->mismatch_waits = lsi->selects_nobody = false;
    lsi->regs[LSI_SOCL] = 0;
}

static void
reset_chip(Lsi *lsi)
{
    stop_script(lsi);
    vit_timer_del(&lsi->general);
    memset(lsi->regs, 0, sizeof(lsi->regs));
    lsi->regs[LSI_SCNTL0] = 0xc0;
    lsi->regs[LSI_DSTAT] = LSI_DSTAT_DFE;
    lsi->regs[LSI_SSTAT2] = 0x02; /* the last disconnect is over */
    lsi->regs[LSI_CTEST1] = 0xf0; /* FIFO empty in all lanes */
    lsi->regs[LSI_MACNTL] = lsi->has_ram ? 0xd0 : 0x40;
    lsi->regs[LSI_DCNTL] = 0;
    lsi->regs[LSI_STEST4] = STEST4_LVD_LOCKED;
    lsi->carry = lsi->mismatch_waits = lsi->selects_nobody = false;
    lsi_update_interrupt(lsi);
}

/* ---- registers ---- */

static bool
is_connected(const Lsi *lsi)
{
    return lsi->parallel.phase != SCSI_BUS_FREE;
}

static uint8_t
phase_lines(const Lsi *lsi)
{
    return lsi->parallel.phase <= SCSI_MESSAGE_IN ? lsi->parallel.phase : 0;
}

static uint8_t
read_bus_lines(const Lsi *lsi)
{
    return !is_connected(lsi) ? 0
                              : (uint8_t)(SBCL_BSY | phase_lines(lsi) |
                                          (lsi->parallel.phase <= SCSI_MESSAGE_IN ? SBCL_REQ : 0) |
                                          (lsi->regs[LSI_SOCL] & (LSI_SOCL_ATN | LSI_SOCL_ACK)));
}

/* Reading tells once. */
static uint8_t
take(Lsi *lsi, unsigned at, uint8_t remains)
{
    uint8_t value = lsi->regs[at];

    lsi->regs[at] = value & remains;
    lsi_update_interrupt(lsi);
    return value;
}

uint8_t
lsi_read_register(Lsi *lsi, unsigned at)
{
    uint8_t value;

    switch (at) {
    case LSI_SBCL: return read_bus_lines(lsi);
    case LSI_SCNTL1:
        return (uint8_t)(lsi->regs[at] & ~LSI_SCNTL1_CON) |
               (is_connected(lsi) ? LSI_SCNTL1_CON : 0);
    case LSI_DSTAT: return take(lsi, at, LSI_DSTAT_DFE);
    case LSI_SIST0:
    case LSI_SIST1: return take(lsi, at, 0);
    case LSI_SSTAT1: return phase_lines(lsi);
    case LSI_ISTAT0: return lsi->regs[at] | (is_connected(lsi) ? LSI_ISTAT0_CON : 0);
    case LSI_ISTAT1: return lsi->script_runs ? 2 : 0;
    case LSI_CTEST2:
        value = (lsi->regs[at] & (uint8_t)~CTEST2_SIGP) |
                (lsi->regs[LSI_ISTAT0] & LSI_ISTAT0_SIGP ? CTEST2_SIGP : 0);
        lsi->regs[LSI_ISTAT0] &= (uint8_t)~LSI_ISTAT0_SIGP;
        return value;
    /* Drivers take the difference to DBC for what is still in the FIFO. */
    case LSI_DFIFO: return lsi->regs[LSI_DBC];
    case LSI_CTEST5: return (uint8_t)((lsi->regs[at] & ~3) | (lsi->regs[LSI_DBC + 1] & 3));
    default: return lsi->regs[at];
    }
}

static void
write_istat(Lsi *lsi, uint8_t value)
{
    uint8_t *regs = lsi->regs;
    uint8_t kept = LSI_ISTAT0_SRST | LSI_ISTAT0_SIGP | LSI_ISTAT0_SEM;

    if (value & LSI_ISTAT0_SRST) {
        reset_chip(lsi);
    }
    regs[LSI_ISTAT0] = (uint8_t)((regs[LSI_ISTAT0] & ~kept) | (value & kept));
    if (value & LSI_ISTAT0_INTF) {
        regs[LSI_ISTAT0] &= (uint8_t)~LSI_ISTAT0_INTF;
        lsi_update_interrupt(lsi);
    }
    if (value & LSI_ISTAT0_ABRT) {
        lsi_dma_interrupt(lsi, LSI_DSTAT_ABRT);
    }
    if (value & LSI_ISTAT0_SIGP && lsi->script_runs && lsi->wait == LSI_WAIT_RESELECT) {
        lsi_run_script(lsi);
    }
}

static void
write_scntl1(Lsi *lsi, uint8_t value)
{
    bool was_reset = lsi->regs[LSI_SSTAT0] & LSI_SSTAT0_RST, is_reset = value & LSI_SCNTL1_RST;

    lsi->regs[LSI_SCNTL1] = value;
    lsi->regs[LSI_SSTAT0] &= (uint8_t)~LSI_SSTAT0_RST;
    lsi->regs[LSI_SSTAT0] |= is_reset ? LSI_SSTAT0_RST : 0;
    if (is_reset && !was_reset) {
        reset_bus(lsi);
        lsi_scsi_interrupt(lsi, LSI_SIST0_RST, 0);
    }
}

static void
start_script(Lsi *lsi)
{
    lsi->script_runs = true;
    lsi_run_script(lsi);
}

static void
write_general_time(Lsi *lsi, uint8_t value)
{
    lsi->regs[LSI_STIME1] = value;
    if (value & 0x0f) {
        vit_timer_mod(&lsi->general, vit_clock_get_ns(lsi->general.clock) +
                                         ((int64_t)GENERAL_UNIT_NS << ((value & 0x0f) - 1)));
    } else {
        vit_timer_del(&lsi->general);
    }
}

void
lsi_write_register(Lsi *lsi, unsigned at, uint8_t value)
{
    switch (at) {
    case LSI_SCNTL1: write_scntl1(lsi, value); break;
    case LSI_ISTAT0: write_istat(lsi, value); break;
    case LSI_STIME1: write_general_time(lsi, value); break;
    case LSI_SSID: /* to be read only */
    case LSI_SBCL:
    case LSI_DSTAT:
    case LSI_SSTAT0:
    case LSI_SSTAT1:
    case LSI_SSTAT2:
    case LSI_ISTAT1:
    case LSI_CTEST1:
    case LSI_SIST0:
    case LSI_SIST1:
    case LSI_MACNTL:
    case LSI_STEST4: break;
    case LSI_SIEN0:
    case LSI_SIEN1:
    case LSI_DIEN:
        lsi->regs[at] = value;
        lsi_update_interrupt(lsi);
        break;
    case LSI_DSP + 3:
        lsi->regs[at] = value;
        lsi->mismatch_waits = lsi->selects_nobody = false;
        if (!(lsi->regs[LSI_DMODE] & LSI_DMODE_MAN)) {
            start_script(lsi);
        }
        break;
    case LSI_DCNTL:
        lsi->regs[at] = value & (uint8_t)~LSI_DCNTL_STD;
        if (value & LSI_DCNTL_STD) {
            start_script(lsi);
        }
        break;
    default: lsi->regs[at] = value; break;
    }
}

static uint64_t
region_read(void *opaque, uint64_t offset, unsigned size)
{
    return lsi_read_register(opaque, offset & (LSI_REGISTERS - 1));
}

static void
region_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    lsi_write_register(opaque, offset & (LSI_REGISTERS - 1), (uint8_t)value);
}

static const VitRegionOps register_ops = {
    .read = region_read,
    .write = region_write,
    .min_size = 1,
    .max_size = 1,
};

static uint64_t
ram_read(void *opaque, uint64_t offset, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, ((Lsi *)opaque)->ram + offset, size);
    return value;
}

static void
ram_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    memcpy(((Lsi *)opaque)->ram + offset, &value, size);
}

static const VitRegionOps ram_ops = {
    .read = ram_read,
    .write = ram_write,
    .min_size = 1,
    .max_size = 4,
};

/* ---- life ---- */

static const ScsiHostOps wide_host = { .max_target = 15, .max_lun = 7 };
static const ScsiHostOps narrow_host = { .max_target = 7, .max_lun = 7 };

static bool
realize(VitDevice *dev, bool has_ram, GError **error)
{
    Lsi *lsi = (Lsi *)dev;
    g_autofree char *name = dev->id ? g_strdup_printf("%s.0", dev->id)
                                    : g_strdup_printf("scsi.%u", dev->platform->scsi_buses++);

    lsi->has_ram = has_ram;
    vit_region_init_io(&lsi->io_region, "lsi-io", &register_ops, lsi, LSI_REGISTERS);
    vit_region_init_io(&lsi->memory_region, "lsi-mmio", &register_ops, lsi,
                       has_ram ? 4 * LSI_REGISTERS : LSI_REGISTERS);
    vit_region_init_io(&lsi->ram_region, "lsi-ram", &ram_ops, lsi, LSI_RAM_BYTES);
    vit_pci_add_bar(&lsi->pci, 0, VIT_PCI_BAR_IO, &lsi->io_region);
    vit_pci_add_bar(&lsi->pci, 1, VIT_PCI_BAR_MEM, &lsi->memory_region);
    if (has_ram) {
        vit_pci_add_bar(&lsi->pci, 2, VIT_PCI_BAR_MEM, &lsi->ram_region);
    }
    lsi->pci.config[VIT_PCI_LATENCY_TIMER] = 0xff;
    vit_timer_init(&lsi->general, dev->platform->clock, general_timer, lsi);
    vit_timer_init(&lsi->later, dev->platform->clock, later, lsi);
    scsi_bus_init(&lsi->bus, name, dev, dev->platform, has_ram ? &wide_host : &narrow_host);
    scsi_parallel_init(&lsi->parallel, &lsi->bus, target_changed, lsi);
    return true;
}

static bool
lsi53c895a_realize(VitDevice *dev, GError **error)
{
    return realize(dev, true, error);
}

static bool
lsi53c810_realize(VitDevice *dev, GError **error)
{
    return realize(dev, false, error);
}

static void
lsi_unrealize(VitDevice *dev)
{
    Lsi *lsi = (Lsi *)dev;

    vit_timer_del(&lsi->general);
    vit_timer_del(&lsi->later);
    scsi_parallel_reset(&lsi->parallel);
    scsi_bus_finish(&lsi->bus);
    vit_region_finish(&lsi->io_region);
    vit_region_finish(&lsi->memory_region);
    vit_region_finish(&lsi->ram_region);
}

static void
lsi_reset(VitDevice *dev)
{
    Lsi *lsi = (Lsi *)dev;

    reset_bus(lsi);
    reset_chip(lsi);
    memset(lsi->ram, 0, sizeof(lsi->ram));
}

static bool
lsi_post_load(VitDevice *dev, unsigned version, GError **error)
{
    Lsi *lsi = (Lsi *)dev;

    if (lsi->wait > LSI_WAIT_RESELECT || !scsi_parallel_loaded(&lsi->parallel)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                    "saved state of %s: its bus is in a phase there is not", dev->path);
        return false;
    }
    if (lsi->script_runs && lsi->wait != LSI_WAIT_RESELECT) {
        vit_timer_mod(&lsi->later, vit_clock_get_ns(lsi->later.clock));
    }
    return true;
}

static const VitField state[] = {
    VIT_FIELD_BYTES(Lsi, regs),
    VIT_FIELD_BYTES(Lsi, ram),
    VIT_FIELD(Lsi, script_runs),
    VIT_FIELD(Lsi, wait),
    VIT_FIELD(Lsi, carry),
    VIT_FIELD(Lsi, selects_nobody),
    VIT_FIELD(Lsi, mismatch_waits),
    VIT_FIELD_TIMER(Lsi, general),
    VIT_FIELD_NESTED(Lsi, parallel, scsi_parallel_state),
    VIT_TRANSIENT(Lsi, later), /* armed again after loading */
    VIT_TRANSIENT(Lsi, is_running),
    VIT_TRANSIENT(Lsi, done_in_burst),
    VIT_TRANSIENT(Lsi, has_ram), /* wiring */
    VIT_TRANSIENT(Lsi, io_region),
    VIT_TRANSIENT(Lsi, memory_region),
    VIT_TRANSIENT(Lsi, ram_region),
    VIT_TRANSIENT(Lsi, bus),
    { 0 },
};

static const VitPciInfo info_895a = {
    .vendor_id = 0x1000,
    .device_id = 0x0012,
    .subsystem_id = 0x1000,
    .class_id = 0x0100,
    .interrupt_pin = 1,
};

static const VitPciInfo info_810 = {
    .vendor_id = 0x1000,
    .device_id = 0x0001,
    .class_id = 0x0100,
    .interrupt_pin = 1,
};

static const char *const aliases_895a[] = { "lsi", NULL };

#define LSI_KIND                                                                              \
    .bus = VIT_BUS_PCI, .category = VIT_CATEGORY_STORAGE, VIT_DEVICE_SIZE(Lsi, VitPciDevice), \
    .state = state, .state_version = 1, .unrealize = lsi_unrealize, .reset = lsi_reset,       \
    .post_load = lsi_post_load

const VitDeviceKind vit_lsi53c895a_kind = {
    .name = "lsi53c895a",
    .title = VIT_N_("LSI 53C895A SCSI host adapter"),
    .aliases = aliases_895a,
    .bus_info = &info_895a,
    .realize = lsi53c895a_realize,
    LSI_KIND,
};

const VitDeviceKind vit_lsi53c810_kind = {
    .name = "lsi53c810",
    .title = VIT_N_("NCR 53C810 SCSI host adapter"),
    .bus_info = &info_810,
    .realize = lsi53c810_realize,
    LSI_KIND,
};
