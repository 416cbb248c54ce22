/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Kind "VGA": the standard card of virtual PCs, a VGA with Bochs display interface on PCI; kind
 * "secondary-vga": the same for a further screen, without legacy ports, memory window and ROM; kind
 * "bochs-display": that without the VGA, the display interface alone.
 *
 * BAR 0 is video memory. BAR 2 shows registers without ports, for guests that use no legacy ones:
 * the monitor's EDID at 000h, the VGA ports from 3C0h at 400h, the display interface at 500h and
 * an identification of the byte order at 600h.
 *
 * QEMU "standard VGA" specification. Deviations: the frame buffer is little endian only;
 * bochs-display has modes of all depths, not of 32 bits alone. Thread: device lock held. */

#include "edid.h"
#include "vga-core.h"
#include "vit-error.h"
#include "vit-pci.h"

#include <string.h>

enum {
    REGISTERS_BYTES = 0x1000,
    EDID_AT = 0x000,
    PORTS_AT = 0x400,
    PORTS_LEN = 0x20,
    VBE_AT = 0x500,
    EXTENDED_AT = 0x600,
    EXTENDED_LEN = 8,
    LITTLE_ENDIAN_MARK = 0x1e1e1e1e,
    DEFAULT_WIDTH = 1280,
    DEFAULT_HEIGHT = 800,
};

typedef struct VgaPci {
    VitPciDevice pci;
    VitVga vga;
    VitRegion registers;
    uint8_t edid[VIT_EDID_BYTES];
    uint32_t vgamem_mib;
    uint64_t vgamem_bytes; /* of bochs-display, instead of vgamem_mib */
    bool has_registers, has_extended, has_edid;
    bool is_legacy; /* has the PC's ports, memory window and ROM */
    bool has_ports; /* shows the registers of the VGA in BAR 2 */
    uint32_t width, height, max_width, max_height, refresh_mhz;
} VgaPci;
VIT_DEVICE_LAYOUT(VgaPci)

static uint32_t
read_extended(uint64_t offset)
{
    return offset < 4 ? EXTENDED_LEN : LITTLE_ENDIAN_MARK;
}

static uint64_t
registers_read(void *opaque, uint64_t offset, unsigned size)
{
    VgaPci *card = opaque;
    VitVga *vga = &card->vga;

    if (offset < EDID_AT + VIT_EDID_BYTES) {
        return card->has_edid ? card->edid[offset] | card->edid[(offset + 1) % VIT_EDID_BYTES] << 8
                              : UINT64_MAX;
    }
    if (card->has_ports && offset >= PORTS_AT && offset < PORTS_AT + PORTS_LEN) {
        uint16_t port = 0x3c0 + offset - PORTS_AT;
        uint16_t value = vit_vga_port_read(vga, port);
        return size == 2 ? value | vit_vga_port_read(vga, port + 1) << 8 : value;
    }
    if (offset >= VBE_AT && offset < VBE_AT + 2 * VBE_COUNT && size == 2) {
        return vit_vga_vbe_read(vga, (offset - VBE_AT) / 2);
    }
    if (card->has_extended && offset >= EXTENDED_AT && offset < EXTENDED_AT + EXTENDED_LEN) {
        uint64_t at = offset - EXTENDED_AT;
        return read_extended(at) >> 8 * (at & 3);
    }
    return offset < 0x100 ? 0 : UINT64_MAX;
}

static void
registers_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    VgaPci *card = opaque;

    if (offset >= PORTS_AT && offset < PORTS_AT + PORTS_LEN) {
        uint16_t port = 0x3c0 + offset - PORTS_AT;
        if (!card->has_ports) {
            return;
        }
        vit_vga_port_write(&card->vga, port, value);
        if (size == 2) {
            vit_vga_port_write(&card->vga, port + 1, value >> 8);
        }
    } else if (offset >= VBE_AT && offset < VBE_AT + 2 * VBE_COUNT && size == 2) {
        vit_vga_vbe_write(&card->vga, (offset - VBE_AT) / 2, value);
    }
}

static const VitRegionOps registers_ops = {
    .read = registers_read,
    .write = registers_write,
    .min_size = 1,
    .max_size = 2,
};

static void
build_edid(VgaPci *card, uint32_t width, uint32_t height)
{
    VitEdid edid = {
        .width = width,
        .height = height,
        .max_width = card->max_width,
        .max_height = card->max_height,
        .refresh_mhz = card->refresh_mhz,
    };

    vit_edid_build(&edid, card->edid);
}

/* The guest learns of a new window size the next time it reads the EDID. */
static void
size_hint(VitVga *vga, int width, int height)
{
    if (width > 0 && height > 0) {
        build_edid(VIT_CONTAINER_OF(vga, VgaPci, vga), width, height);
    }
}

static void
vga_pci_init(VitDevice *dev)
{
    VgaPci *card = (VgaPci *)dev;

    card->is_legacy = card->has_ports = true;
}

/* Registers in memory are all that the further screens have. */
static void
bochs_display_init(VitDevice *dev)
{
    VgaPci *card = (VgaPci *)dev;

    card->has_registers = card->has_extended = true;
}

static void
secondary_vga_init(VitDevice *dev)
{
    bochs_display_init(dev);
    ((VgaPci *)dev)->has_ports = true;
}

static bool
vga_pci_realize(VitDevice *dev, GError **error)
{
    VgaPci *card = (VgaPci *)dev;
    VitPciBus *bus = (VitPciBus *)dev->bus;
    uint64_t wanted = card->has_ports ? card->vgamem_mib * VIT_MIB : card->vgamem_bytes;
    uint64_t len = VIT_MIB;

    while (len < wanted) {
        len *= 2;
    }
    if (!vit_vga_init(&card->vga, dev, len, error)) {
        return false;
    }
    card->vga.size_hint = size_hint;
    if (card->is_legacy) {
        vit_vga_map_legacy(&card->vga, bus->memory, 1, bus->io);
    }
    vit_pci_add_bar(&card->pci, 0, VIT_PCI_BAR_MEM | VIT_PCI_BAR_PREFETCH, &card->vga.vram_region);
    if (card->has_registers) {
        vit_region_init_io(&card->registers, "vga-registers", &registers_ops, card,
                           REGISTERS_BYTES);
        vit_pci_add_bar(&card->pci, 2, VIT_PCI_BAR_MEM, &card->registers);
        build_edid(card, card->width ? card->width : DEFAULT_WIDTH,
                   card->height ? card->height : DEFAULT_HEIGHT);
    }
    return true;
}

static void
vga_pci_unrealize(VitDevice *dev)
{
    VgaPci *card = (VgaPci *)dev;

    vit_region_finish(&card->registers);
    vit_vga_finish(&card->vga);
}

static void
vga_pci_reset(VitDevice *dev)
{
    vit_vga_reset(&((VgaPci *)dev)->vga);
}

static bool
vga_pci_post_load(VitDevice *dev, unsigned version, GError **error)
{
    vit_vga_post_load(&((VgaPci *)dev)->vga);
    return true;
}

static const VitPciInfo vga_pci_info = {
    .vendor_id = 0x1234,
    .device_id = 0x1111,
    .revision = 2,
    .class_id = 0x0300,
    .rom_file = "vgabios-stdvga.bin",
};

#define EDID_PROPS                                                                                 \
    VIT_PROP_BOOL(VgaPci, has_edid, "edid", 1, VIT_N_("Show the monitor's EDID in BAR 2")),        \
        VIT_PROP_UINT(VgaPci, width, "xres", 0, 0, VIT_EDID_MAX_SIZE,                              \
                      VIT_N_("Preferred width, 0 for 1280"), .unit = "pixels"),                    \
        VIT_PROP_UINT(VgaPci, height, "yres", 0, 0, VIT_EDID_MAX_SIZE,                             \
                      VIT_N_("Preferred height, 0 for 800"), .unit = "pixels"),                    \
        VIT_PROP_UINT(VgaPci, max_width, "xmax", 0, 0, 65535, VIT_N_("Largest width in the EDID"), \
                      .unit = "pixels"),                                                           \
        VIT_PROP_UINT(VgaPci, max_height, "ymax", 0, 0, 65535,                                     \
                      VIT_N_("Largest height in the EDID"), .unit = "pixels"),                     \
        VIT_PROP_UINT(VgaPci, refresh_mhz, "refresh_rate", 0, 0, 500000,                           \
                      VIT_N_("Refresh rate in the EDID, 0 for 60 Hz"), .unit = "mHz")

#define MEMORY_PROP                                                                    \
    VIT_PROP_UINT(VgaPci, vgamem_mib, "vgamem_mb", 16, 1, 512, VIT_N_("Video memory"), \
                  .unit = "MiB")
#define EXTENDED_PROP                                            \
    VIT_PROP_BOOL(VgaPci, has_extended, "qemu-extended-regs", 1, \
                  VIT_N_("Byte order register in BAR 2"))

/* A display, but no VGA: firmware leaves it alone. */
static const VitPciInfo secondary_info = {
    .vendor_id = 0x1234,
    .device_id = 0x1111,
    .revision = 2,
    .class_id = 0x0380,
};

static const VitProp vga_pci_props[] = {
    MEMORY_PROP,
    VIT_PROP_BOOL(VgaPci, has_registers, "mmio", 1, VIT_N_("Registers in memory (BAR 2)")),
    EXTENDED_PROP,
    EDID_PROPS,
    { 0 },
};

static const VitProp secondary_vga_props[] = {
    MEMORY_PROP,
    EXTENDED_PROP,
    EDID_PROPS,
    { 0 },
};

static const VitProp bochs_display_props[] = {
    VIT_PROP_SIZE(VgaPci, vgamem_bytes, "vgamem", 16 * VIT_MIB, 4 * VIT_MIB, 256 * VIT_MIB,
                  VIT_N_("Video memory")),
    EDID_PROPS,
    { 0 },
};

static const VitField vga_pci_state[] = {
    VIT_FIELD_NESTED(VgaPci, vga, vit_vga_state),
    VIT_FIELD_ARRAY(VgaPci, edid),
    VIT_TRANSIENT(VgaPci, registers), /* wiring */
    VIT_TRANSIENT(VgaPci, is_legacy), /* of the kind */
    VIT_TRANSIENT(VgaPci, has_ports), /* of the kind */
    VIT_TRANSIENT(VgaPci, vgamem_bytes),
    { 0 },
};

static const VitField secondary_vga_state[] = {
    VIT_FIELD_NESTED(VgaPci, vga, vit_vga_state),
    VIT_FIELD_ARRAY(VgaPci, edid),
    VIT_TRANSIENT(VgaPci, registers),     /* wiring */
    VIT_TRANSIENT(VgaPci, has_registers), /* of the kind */
    VIT_TRANSIENT(VgaPci, is_legacy),     /* of the kind */
    VIT_TRANSIENT(VgaPci, has_ports),     /* of the kind */
    VIT_TRANSIENT(VgaPci, vgamem_bytes),
    { 0 },
};

static const VitField bochs_display_state[] = {
    VIT_FIELD_NESTED(VgaPci, vga, vit_vga_state),
    VIT_FIELD_ARRAY(VgaPci, edid),
    VIT_TRANSIENT(VgaPci, registers),     /* wiring */
    VIT_TRANSIENT(VgaPci, has_registers), /* of the kind */
    VIT_TRANSIENT(VgaPci, has_extended),  /* of the kind */
    VIT_TRANSIENT(VgaPci, is_legacy),     /* of the kind */
    VIT_TRANSIENT(VgaPci, has_ports),     /* of the kind */
    VIT_TRANSIENT(VgaPci, vgamem_mib),
    { 0 },
};

const VitDeviceKind vit_VGA_kind = {
    .name = "VGA",
    .title = VIT_N_("Standard VGA with Bochs display interface"),
    .bus = VIT_BUS_PCI,
    .category = VIT_CATEGORY_DISPLAY,
    VIT_DEVICE_SIZE(VgaPci, VitPciDevice),
    .props = vga_pci_props,
    .state = vga_pci_state,
    .state_version = 1,
    .bus_info = &vga_pci_info,
    .init = vga_pci_init,
    .realize = vga_pci_realize,
    .unrealize = vga_pci_unrealize,
    .reset = vga_pci_reset,
    .post_load = vga_pci_post_load,
};

const VitDeviceKind vit_secondary_vga_kind = {
    .name = "secondary-vga",
    .title = VIT_N_("Further screen: standard VGA without legacy resources"),
    .bus = VIT_BUS_PCI,
    .category = VIT_CATEGORY_DISPLAY,
    VIT_DEVICE_SIZE(VgaPci, VitPciDevice),
    .props = secondary_vga_props,
    .state = secondary_vga_state,
    .state_version = 1,
    .bus_info = &secondary_info,
    .init = secondary_vga_init,
    .realize = vga_pci_realize,
    .unrealize = vga_pci_unrealize,
    .reset = vga_pci_reset,
    .post_load = vga_pci_post_load,
};

const VitDeviceKind vit_bochs_display_kind = {
    .name = "bochs-display",
    .title = VIT_N_("Further screen: Bochs display interface alone"),
    .bus = VIT_BUS_PCI,
    .category = VIT_CATEGORY_DISPLAY,
    VIT_DEVICE_SIZE(VgaPci, VitPciDevice),
    .props = bochs_display_props,
    .state = bochs_display_state,
    .state_version = 1,
    .bus_info = &secondary_info,
    .init = bochs_display_init,
    .realize = vga_pci_realize,
    .unrealize = vga_pci_unrealize,
    .reset = vga_pci_reset,
    .post_load = vga_pci_post_load,
};
