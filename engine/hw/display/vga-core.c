/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The VGA as a part: making it, placing it, reset and saved state. The chip itself is in
 * vga-ports.c (registers), vga-window.c (memory access), vga-mode.c (what they mean together),
 * vga-text.c, vga-line.c and vga-draw.c (pictures) and vga-vbe.c (Bochs display interface).
 * Thread: device lock held. */

#include "vga-private.h"

#include <string.h>

static void
console_size_hint(void *opaque, int width, int height)
{
    VitVga *vga = opaque;

    if (vga->size_hint) {
        vga->size_hint(vga, width, height);
    }
}

static const VitConsoleOps console_ops = {
    .update = vga_update,
    .get_text = vga_get_text,
    .size_hint = console_size_hint,
};

static void
add_console(VitVga *vga)
{
    GPtrArray *consoles = vga->dev->platform->consoles;

    vga->console =
        vit_console_new(vga->dev->id ? vga->dev->id : vga->dev->kind->name, &console_ops, vga);
    if (consoles) {
        vga->console->index = consoles->len;
        g_ptr_array_add(consoles, vga->console);
    }
}

bool
vit_vga_init(VitVga *vga, VitDevice *dev, uint32_t vram_bytes, GError **error)
{
    static const struct {
        const char *name;
        unsigned len;
    } ports[5] = { { "vga-crtc-mono", 2 },
                   { "vga-status-mono", 1 },
                   { "vga", 16 },
                   { "vga-crtc", 2 },
                   { "vga-status", 1 } };

    g_assert(vram_bytes >= VIT_MIB && !(vram_bytes & (vram_bytes - 1)));
    vga->vram = vit_ram_block_new("vga.vram", vram_bytes, error);
    if (!vga->vram) {
        return false;
    }
    vga->dev = dev;
    vga->vram_bytes = vram_bytes;
    vga->vram_host = vga->vram->host;
    vit_region_init_ram(&vga->vram_region, "vga.vram", vga->vram, 0, vram_bytes);
    vga->vram_region.log_display_dirty = true;
    vga_window_init(&vga->window, vga->vram, &vga->vram_region);
    for (unsigned i = 0; i < VIT_ARRAY_LEN(ports); i++) {
        vit_region_init_io(&vga->ports[i], ports[i].name, &vga_port_ops[i], vga, ports[i].len);
    }
    vit_region_init_io(&vga->vbe_ports, "vbe", &vga_vbe_ops, vga, 4);
    vga->page_dirty = g_malloc0(vram_bytes / VIT_PAGE_SIZE);
    vga->fonts[0] = g_malloc0(VGA_FONT_BYTES);
    vga->fonts[1] = g_malloc0(VGA_FONT_BYTES);
    vga->mode_stale = true;
    add_console(vga);
    return true;
}

void
vit_vga_map_legacy(VitVga *vga, VitRegion *memory, int priority, VitRegion *io)
{
    static const uint16_t bases[5] = { 0x3b4, 0x3ba, 0x3c0, 0x3d4, 0x3da };

    vit_region_add(memory, 0xa0000, &vga->window.container, priority);
    for (unsigned i = 0; i < VIT_ARRAY_LEN(bases); i++) {
        vit_region_add(io, bases[i], &vga->ports[i], 0);
    }
    vit_region_add(io, 0x1ce, &vga->vbe_ports, 0);
}

void
vit_vga_finish(VitVga *vga)
{
    if (!vga->vram) {
        return;
    }
    if (vga->dev->platform->consoles) {
        g_ptr_array_remove(vga->dev->platform->consoles, vga->console);
    }
    vit_console_set_surface(vga->console, NULL);
    g_clear_pointer(&vga->console, vit_console_free);
    if (vga->surface.owns_pixels) {
        g_free(vga->surface.pixels);
    }
    memset(&vga->surface, 0, sizeof(vga->surface));
    for (unsigned i = 0; i < VIT_ARRAY_LEN(vga->ports); i++) {
        vit_region_finish(&vga->ports[i]);
    }
    vit_region_finish(&vga->vbe_ports);
    vga_window_finish(&vga->window);
    vit_region_finish(&vga->vram_region);
    g_clear_pointer(&vga->vram, vit_ram_block_free);
    g_clear_pointer(&vga->page_dirty, g_free);
    g_clear_pointer(&vga->cells, g_free);
    vga->cells_len = 0;
    g_clear_pointer(&vga->fonts[0], g_free);
    g_clear_pointer(&vga->fonts[1], g_free);
}

void
vit_vga_reset(VitVga *vga)
{
    memset(vga->sr, 0, sizeof(vga->sr));
    memset(vga->gr, 0, sizeof(vga->gr));
    memset(vga->ar, 0, sizeof(vga->ar));
    memset(vga->cr, 0, sizeof(vga->cr));
    memset(vga->vbe, 0, sizeof(vga->vbe));
    memset(vga->palette, 0, sizeof(vga->palette));
    memset(vga->dac_latch, 0, sizeof(vga->dac_latch));
    vga->sr_index = vga->gr_index = vga->ar_index = vga->cr_index = 0;
    vga->ar_data_next = false;
    vga->misc = vga->feature = 0;
    vga->dac_mask = 0xff;
    vga->dac_state = vga->dac_read_index = vga->dac_write_index = vga->dac_component = 0;
    vga->vbe_index = 0;
    vga->vbe[VBE_ID] = VBE_ID_MAX;
    vga->window.latch = 0;
    vga->frame_ns = 0;
    vga_update_window(vga);
    vga_touch(vga);
}

/* A state may come from anywhere: indices are brought into range before anything uses them. */
void
vit_vga_post_load(VitVga *vga)
{
    vga->sr_index &= VGA_SR_COUNT - 1;
    vga->gr_index &= VGA_GR_COUNT - 1;
    vga->ar_index &= 0x3f;
    vga->dac_component %= 3;
    vga_vbe_loaded(vga);
    vga->frame_ns = 0;
    vit_ram_block_mark_dirty(vga->vram, 0, vga->vram_bytes);
    vga_update_window(vga);
    vga_touch(vga);
}

static const VitField window_state[] = {
    VIT_FIELD(VgaWindow, latch),
    VIT_TRANSIENT(VgaWindow, vram),        /* wiring */
    VIT_TRANSIENT(VgaWindow, vram_bytes),  /* wiring */
    VIT_TRANSIENT(VgaWindow, container),   /* wiring */
    VIT_TRANSIENT(VgaWindow, window),      /* wiring */
    VIT_TRANSIENT(VgaWindow, linear_64k),  /* follows the registers */
    VIT_TRANSIENT(VgaWindow, linear_128k), /* follows the registers */
    VIT_TRANSIENT(VgaWindow, busy),        /* nobody is inside while a state is made */
    VIT_TRANSIENT(VgaWindow, settings),    /* follows the registers */
    { 0 },
};

const VitField vit_vga_state[] = {
    VIT_FIELD(VitVga, sr_index),
    VIT_FIELD_ARRAY(VitVga, sr),
    VIT_FIELD(VitVga, gr_index),
    VIT_FIELD_ARRAY(VitVga, gr),
    VIT_FIELD(VitVga, ar_index),
    VIT_FIELD_ARRAY(VitVga, ar),
    VIT_FIELD(VitVga, ar_data_next),
    VIT_FIELD(VitVga, cr_index),
    VIT_FIELD_ARRAY(VitVga, cr),
    VIT_FIELD(VitVga, misc),
    VIT_FIELD(VitVga, feature),
    VIT_FIELD(VitVga, dac_mask),
    VIT_FIELD(VitVga, dac_state),
    VIT_FIELD(VitVga, dac_read_index),
    VIT_FIELD(VitVga, dac_write_index),
    VIT_FIELD(VitVga, dac_component),
    VIT_FIELD_ARRAY(VitVga, dac_latch),
    VIT_FIELD_ARRAY(VitVga, palette),
    VIT_FIELD(VitVga, vbe_index),
    VIT_FIELD_ARRAY(VitVga, vbe),
    VIT_FIELD_NESTED(VitVga, window, window_state),
    VIT_FIELD_DYNAMIC(VitVga, vram_host, vram_bytes),
    /* wiring */
    VIT_TRANSIENT(VitVga, dev),
    VIT_TRANSIENT(VitVga, console),
    VIT_TRANSIENT(VitVga, vram),
    VIT_TRANSIENT(VitVga, vram_bytes),
    VIT_TRANSIENT(VitVga, vram_region),
    VIT_TRANSIENT(VitVga, ports),
    VIT_TRANSIENT(VitVga, vbe_ports),
    VIT_TRANSIENT(VitVga, size_hint),
    /* what is shown is drawn again from the registers */
    VIT_TRANSIENT(VitVga, mode),
    VIT_TRANSIENT(VitVga, mode_stale),
    VIT_TRANSIENT(VitVga, redraw),
    VIT_TRANSIENT(VitVga, surface),
    VIT_TRANSIENT(VitVga, dac),
    VIT_TRANSIENT(VitVga, attr),
    VIT_TRANSIENT(VitVga, page_dirty),
    VIT_TRANSIENT(VitVga, cells),
    VIT_TRANSIENT(VitVga, cells_len),
    VIT_TRANSIENT(VitVga, fonts),
    VIT_TRANSIENT(VitVga, blink_shown),
    VIT_TRANSIENT(VitVga, cursor_shown),
    VIT_TRANSIENT(VitVga, cursor_shape),
    VIT_TRANSIENT(VitVga, cursor_drawn_at),
    VIT_TRANSIENT(VitVga, frame_ns),
    VIT_TRANSIENT(VitVga, line_ns),
    VIT_TRANSIENT(VitVga, lines_total),
    VIT_TRANSIENT(VitVga, lines_shown),
    VIT_TRANSIENT(VitVga, sync_start),
    VIT_TRANSIENT(VitVga, sync_end),
    VIT_TRANSIENT(VitVga, dots_total),
    VIT_TRANSIENT(VitVga, dots_shown),
    { 0 },
};
