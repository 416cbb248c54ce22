/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Kind "isa-vga": the VGA with Bochs display interface on ISA. Its linear frame buffer lies at a
 * fixed address, E0000000h, where the Bochs BIOS expects it without PCI.
 *
 * Bochs VBE display API. Thread: device lock held. */

#include "vga-core.h"
#include "vit-isa.h"

enum { ISA_FRAME_BUFFER = 0xe0000000 };

typedef struct VgaIsa {
    VitDevice dev;
    VitVga vga;
    VitRegion frame_buffer;
    uint32_t vgamem_mib;
} VgaIsa;
VIT_DEVICE_LAYOUT(VgaIsa)

static bool
vga_isa_realize(VitDevice *dev, GError **error)
{
    VgaIsa *card = (VgaIsa *)dev;
    VitPlatform *platform = dev->platform;
    uint32_t mib = 1;

    while (mib < card->vgamem_mib) {
        mib *= 2;
    }
    if (!vit_vga_init(&card->vga, dev, mib * VIT_MIB, error)) {
        return false;
    }
    vit_vga_map_legacy(&card->vga, platform->memory_root, 1, platform->io_root);
    vit_region_init_alias(&card->frame_buffer, "vga-frame-buffer", &card->vga.vram_region, 0,
                          mib * VIT_MIB);
    vit_region_add(platform->memory_root, ISA_FRAME_BUFFER, &card->frame_buffer, 0);
    return true;
}

static void
vga_isa_unrealize(VitDevice *dev)
{
    VgaIsa *card = (VgaIsa *)dev;

    vit_region_finish(&card->frame_buffer);
    vit_vga_finish(&card->vga);
}

static void
vga_isa_reset(VitDevice *dev)
{
    vit_vga_reset(&((VgaIsa *)dev)->vga);
}

static bool
vga_isa_post_load(VitDevice *dev, unsigned version, GError **error)
{
    vit_vga_post_load(&((VgaIsa *)dev)->vga);
    return true;
}

static const VitProp vga_isa_props[] = {
    VIT_PROP_UINT(VgaIsa, vgamem_mib, "vgamem_mb", 8, 1, 256, VIT_N_("Video memory"),
                  .unit = "MiB"),
    { 0 },
};

static const VitField vga_isa_state[] = {
    VIT_FIELD_NESTED(VgaIsa, vga, vit_vga_state),
    VIT_TRANSIENT(VgaIsa, frame_buffer), /* wiring */
    { 0 },
};

const VitDeviceKind vit_isa_vga_kind = {
    .name = "isa-vga",
    .title = VIT_N_("VGA with Bochs display interface on ISA"),
    .bus = VIT_BUS_ISA,
    .category = VIT_CATEGORY_DISPLAY,
    VIT_DEVICE_SIZE(VgaIsa, VitDevice),
    .props = vga_isa_props,
    .state = vga_isa_state,
    .state_version = 1,
    .realize = vga_isa_realize,
    .unrealize = vga_isa_unrealize,
    .reset = vga_isa_reset,
    .post_load = vga_isa_post_load,
};
