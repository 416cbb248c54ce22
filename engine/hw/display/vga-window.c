/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The VGA memory window.
 *
 * Four planes are handled as the four bytes of one 32-bit word (SWAR): a bit per plane becomes a
 * byte of ones or zeros, and one expression does what the graphics controller does to each plane.
 *
 * IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem": graphics controller,
 * sequencer memory mode. Deviation: chain-4 and odd/even addresses are packed (see vga-core.h),
 * so a program that writes in one addressing and reads in another may see other bytes than on
 * the chip; the picture is the same. Thread: see vga-window.h. */

#include "vga-window.h"

#include "vga-core.h"

#include <sched.h>
#include <string.h>

enum { WINDOW_BYTES = 0x20000 };

/* A bit per plane as a byte of ones per plane. */
static inline uint32_t
plane_bytes(unsigned planes)
{
    uint32_t spread = (planes & 15) * 0x00204081u & 0x01010101u;

    return spread * 0xff;
}

static inline uint32_t
all_planes(uint8_t value)
{
    return value * 0x01010101u;
}

static inline uint8_t
rotate_right(uint8_t value, unsigned count)
{
    count &= 7;
    return value >> count | value << (8 - count);
}

static void
enter(VgaWindow *window)
{
    unsigned spins = 0;

    while (__atomic_exchange_n(&window->busy, 1, __ATOMIC_ACQUIRE)) {
        if (++spins > 100) {
            sched_yield();
        }
    }
}

static void
leave(VgaWindow *window)
{
    __atomic_store_n(&window->busy, 0, __ATOMIC_RELEASE);
}

/* Offset in the window to an address on the card; false outside the part that is decoded. */
static inline bool
decode(const VgaWindowSettings *s, uint32_t offset, uint32_t *out_address)
{
    if (!s->enabled) {
        return false;
    }
    switch (s->misc >> 2 & 3) {
    case 0: *out_address = offset; return true;
    case 1: *out_address = offset + s->bank_offset; return offset < 0x10000;
    case 2: *out_address = offset - 0x10000; return offset >= 0x10000 && offset < 0x18000;
    default: *out_address = offset - 0x18000; return offset >= 0x18000;
    }
}

/* Word of four planes that ADDRESS selects and which planes of it the CPU reaches. */
static inline bool
locate(const VgaWindow *window, uint32_t address, bool odd_even, uint32_t *out_word,
       unsigned *out_planes)
{
    const VgaWindowSettings *s = &window->settings;

    if (s->memory_mode & VGA_MEMORY_CHAIN4) {
        *out_word = address & ~3u;
        *out_planes = 1u << (address & 3);
    } else if (odd_even) {
        *out_word = (address & ~1u) << 1;
        *out_planes = address & 1 ? 0xa : 0x5;
    } else {
        *out_word = address << 2;
        *out_planes = 0xf;
    }
    return *out_word < window->vram_bytes;
}

static inline uint32_t
load_word(const VgaWindow *window, uint32_t at)
{
    uint32_t word;

    memcpy(&word, window->vram->host + at, 4);
    return word;
}

static uint8_t
read_byte(VgaWindow *window, uint32_t offset)
{
    const VgaWindowSettings *s = &window->settings;
    uint32_t address, word;
    unsigned planes;

    if (!decode(s, offset, &address) ||
        !locate(window, address, s->mode & VGA_MODE_ODD_EVEN, &word, &planes)) {
        return 0xff;
    }
    window->latch = load_word(window, word);
    if (s->mode & VGA_MODE_READ_COMPARE) {
        uint32_t differ =
            (window->latch ^ plane_bytes(s->color_compare)) & plane_bytes(s->color_care);
        differ |= differ >> 16;
        differ |= differ >> 8;
        return ~differ;
    }
    unsigned plane = s->read_map & 3;
    if (s->memory_mode & VGA_MEMORY_CHAIN4) {
        plane = address & 3;
    } else if (s->mode & VGA_MODE_ODD_EVEN) {
        plane = (plane & 2) | (address & 1);
    }
    return window->latch >> 8 * plane;
}

/* What the graphics controller makes of VALUE: data and which bits of it count. */
static inline uint32_t
combine(const VgaWindowSettings *s, uint32_t latch, uint8_t value)
{
    uint32_t data, bits = all_planes(s->bit_mask);
    uint32_t set_reset = plane_bytes(s->set_reset);

    switch (s->mode & 3) {
    case 0: {
        uint32_t enabled = plane_bytes(s->enable_set_reset);
        data = (all_planes(rotate_right(value, s->rotate)) & ~enabled) | (set_reset & enabled);
        break;
    }
    case 1: return latch;
    case 2: data = plane_bytes(value); break;
    default:
        bits &= all_planes(rotate_right(value, s->rotate));
        data = set_reset;
        break;
    }
    switch (s->rotate >> 3 & 3) {
    case 1: data &= latch; break;
    case 2: data |= latch; break;
    case 3: data ^= latch; break;
    default: break;
    }
    return (data & bits) | (latch & ~bits);
}

static void
write_byte(VgaWindow *window, uint32_t offset, uint8_t value)
{
    const VgaWindowSettings *s = &window->settings;
    uint32_t address, at;
    unsigned planes;

    if (!decode(s, offset, &address) ||
        !locate(window, address, !(s->memory_mode & VGA_MEMORY_SEQUENTIAL), &at, &planes)) {
        return;
    }
    uint32_t mask = plane_bytes(planes & s->map_mask);
    uint32_t word = combine(s, window->latch, value);
    word = (word & mask) | (load_word(window, at) & ~mask);
    memcpy(window->vram->host + at, &word, 4);
    vit_ram_block_mark_dirty(window->vram, at, 4);
}

static uint64_t
window_read(void *opaque, uint64_t offset, unsigned size)
{
    VgaWindow *window = opaque;
    uint64_t value = 0;

    enter(window);
    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)read_byte(window, offset + i) << 8 * i;
    }
    leave(window);
    return value;
}

static void
window_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    VgaWindow *window = opaque;

    enter(window);
    for (unsigned i = 0; i < size; i++) {
        write_byte(window, offset + i, value >> 8 * i);
    }
    leave(window);
}

static const VitRegionOps window_ops = {
    .read = window_read,
    .write = window_write,
    .min_size = 1,
    .max_size = 8,
    .unaligned = true,
    .lockless = true,
    .late_writes = true,
};

/* Whether the window behaves as memory, so that it can be mapped. */
static bool
is_linear(const VgaWindowSettings *s)
{
    return s->enabled && (s->memory_mode & VGA_MEMORY_CHAIN4) && (s->map_mask & 15) == 15 &&
           (s->misc & 8) == 0 && (s->mode & 0x0b) == 0 && (s->enable_set_reset & 15) == 0 &&
           (s->rotate & 0x1f) == 0 && s->bit_mask == 0xff;
}

void
vga_window_set(VgaWindow *window, const VgaWindowSettings *settings)
{
    bool linear = is_linear(settings), banked = settings->misc >> 2 & 1;

    enter(window);
    window->settings = *settings;
    leave(window);
    if (banked) {
        vit_region_set_alias_offset(&window->linear_64k, settings->bank_offset);
    }
    vit_region_set_enabled(&window->linear_64k, linear && banked);
    vit_region_set_enabled(&window->linear_128k, linear && !banked);
}

void
vga_window_init(VgaWindow *window, VitRamBlock *vram, VitRegion *vram_region)
{
    window->vram = vram;
    window->vram_bytes = vram->len_bytes;
    vit_region_init_container(&window->container, "vga-window", WINDOW_BYTES);
    vit_region_init_io(&window->window, "vga-planes", &window_ops, window, WINDOW_BYTES);
    vit_region_init_alias(&window->linear_64k, "vga-linear", vram_region, 0, 0x10000);
    vit_region_init_alias(&window->linear_128k, "vga-linear", vram_region, 0, WINDOW_BYTES);
    window->linear_64k.enabled = false;
    window->linear_128k.enabled = false;
    vit_region_add(&window->container, 0, &window->window, 0);
    vit_region_add(&window->container, 0, &window->linear_64k, 1);
    vit_region_add(&window->container, 0, &window->linear_128k, 1);
}

void
vga_window_finish(VgaWindow *window)
{
    vit_region_finish(&window->container);
    vit_region_finish(&window->linear_64k);
    vit_region_finish(&window->linear_128k);
    vit_region_finish(&window->window);
}
