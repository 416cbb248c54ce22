/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A VGA card on a bare bus and a viewer that notes what it is told. */

#include "test-platform.h"
#include "vga-modes.h"
#include "vit-console.h"
#include "vit-pci.h"

#include <string.h>

extern const VitDeviceKind vit_VGA_kind;

typedef struct VgaFixture {
    TestPlatform test;
    VitPciBus bus;
    VitDevice *card;
    VitConsole *console;
    VitConsoleListener listener;
    VitRect damage; /* union of what was told since the last look */
    unsigned damages, surfaces;
} VgaFixture;

static inline void
vga_note_damage(void *opaque, VitRect rect)
{
    VgaFixture *f = opaque;
    int x1 = MAX(f->damage.x + f->damage.width, rect.x + rect.width);
    int y1 = MAX(f->damage.y + f->damage.height, rect.y + rect.height);

    if (f->damages++ == 0) {
        f->damage = rect;
        return;
    }
    f->damage.x = MIN(f->damage.x, rect.x);
    f->damage.y = MIN(f->damage.y, rect.y);
    f->damage.width = x1 - f->damage.x;
    f->damage.height = y1 - f->damage.y;
}

static inline void
vga_note_surface(void *opaque, const VitSurface *surface)
{
    ((VgaFixture *)opaque)->surfaces++;
}

static inline void
vga_set_up(VgaFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    test_platform_init(&f->test);
    VitPlatform *platform = &f->test.platform;
    vit_pci_bus_init(&f->bus, "pci.0", NULL, platform, NULL, NULL, platform->memory_root,
                     platform->io_root);
    f->card = vit_device_new(&vit_VGA_kind, NULL);
    g_assert_true(vit_device_realize(f->card, &f->bus.bus, platform, &error));
    g_assert_no_error(error);
    vit_pci_config_write(&f->bus, 0x10, 0xe0000000, 4);
    vit_pci_config_write(&f->bus, 0x18, 0xf0000000, 4);
    vit_pci_config_write(&f->bus, 0x04, 3, 2);
    f->console = g_ptr_array_index(f->test.consoles, 0);
    f->listener = (VitConsoleListener){
        .damage = vga_note_damage,
        .surface_changed = vga_note_surface,
        .opaque = f,
    };
    vit_console_add_listener(f->console, &f->listener);
}

static inline void
vga_tear_down(VgaFixture *f, gconstpointer data)
{
    vit_console_remove_listener(f->console, &f->listener);
    vit_device_free(f->card);
    vit_pci_bus_finish(&f->bus);
    test_platform_finish(&f->test);
}

static inline void
vga_index(VgaFixture *f, uint16_t port, uint8_t index, uint8_t value)
{
    test_outw(&f->test, port, index | value << 8);
}

static inline void
vga_attribute(VgaFixture *f, uint8_t index, uint8_t value)
{
    test_inb(&f->test, 0x3da);
    test_inb(&f->test, 0x3ba);
    test_outb(&f->test, 0x3c0, index);
    test_outb(&f->test, 0x3c0, value);
}

static inline void
vga_show(VgaFixture *f)
{
    test_inb(&f->test, 0x3da);
    test_inb(&f->test, 0x3ba);
    test_outb(&f->test, 0x3c0, 0x20);
}

/* DAC entry N gets levels that tell every entry from every other. */
static inline void
vga_levels(unsigned n, uint8_t levels[3])
{
    levels[0] = n & 63;
    levels[1] = (n * 5 + 1) & 63;
    levels[2] = (n >> 2 ^ 0x15) & 63;
}

static inline uint32_t
vga_color(unsigned n)
{
    uint8_t levels[3];
    uint32_t pixel = 0;

    vga_levels(n, levels);
    for (unsigned i = 0; i < 3; i++) {
        /* 6 bits to 8: the two highest again below */
        pixel = pixel << 8 | (levels[i] * 4 + levels[i] / 16);
    }
    return pixel;
}

static inline void
vga_set_mode(VgaFixture *f, const VgaModeTable *mode)
{
    uint16_t crtc = mode->misc & 1 ? 0x3d4 : 0x3b4;

    test_outb(&f->test, 0x3c2, mode->misc);
    for (unsigned i = 0; i < 5; i++) {
        vga_index(f, 0x3c4, i, mode->sr[i]);
    }
    vga_index(f, crtc, 0x11, 0);
    for (unsigned i = 0; i < 25; i++) {
        vga_index(f, crtc, i, mode->cr[i]);
    }
    for (unsigned i = 0; i < 9; i++) {
        vga_index(f, 0x3ce, i, mode->gr[i]);
    }
    for (unsigned i = 0; i < 21; i++) {
        vga_attribute(f, i, mode->ar[i]);
    }
    test_outb(&f->test, 0x3c6, 0xff);
    test_outb(&f->test, 0x3c8, 0);
    for (unsigned n = 0; n < 256; n++) {
        uint8_t levels[3];
        vga_levels(n, levels);
        for (unsigned i = 0; i < 3; i++) {
            test_outb(&f->test, 0x3c9, levels[i]);
        }
    }
    vga_show(f);
}

static inline void
vga_poke(VgaFixture *f, uint64_t at, uint8_t value)
{
    vit_dma_write8(f->test.platform.memory, at, value);
}

static inline uint8_t
vga_peek(VgaFixture *f, uint64_t at)
{
    return vit_dma_read8(f->test.platform.memory, at);
}

static inline void
vga_refresh(VgaFixture *f)
{
    f->damages = 0;
    f->damage = (VitRect){ 0 };
    vit_console_update(f->console, false);
}

static inline uint32_t
vga_pixel(VgaFixture *f, unsigned x, unsigned y)
{
    const VitSurface *surface = f->console->surface;
    uint32_t pixel;

    memcpy(&pixel, surface->pixels + (size_t)y * surface->stride_bytes + x * 4, 4);
    return pixel & 0xffffff;
}

static inline void
vga_vbe(VgaFixture *f, uint16_t index, uint16_t value)
{
    test_outw(&f->test, 0x1ce, index);
    test_outw(&f->test, 0x1cf, value);
}

static inline uint16_t
vga_vbe_get(VgaFixture *f, uint16_t index)
{
    test_outw(&f->test, 0x1ce, index);
    return test_inw(&f->test, 0x1d0);
}
