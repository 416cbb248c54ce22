/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Graphics modes of the VGA: each is set by its registers, filled through the memory window the way
 * a program of its time would, and compared dot by dot with colours worked out here. */

#include "vga-fixture.h"

enum { MAX_WIDTH = 640, MAX_HEIGHT = 480 };

typedef struct Canvas {
    unsigned width, height;    /* in pixels of the mode */
    unsigned x_scale, y_scale; /* dots and lines of a pixel */
    uint8_t pixel[MAX_HEIGHT][MAX_WIDTH];
} Canvas;

static uint32_t
next_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static Canvas *
new_canvas(unsigned width, unsigned height, unsigned x_scale, unsigned y_scale, unsigned colors)
{
    Canvas *canvas = g_new0(Canvas, 1);
    uint32_t state = width * 31 + height;

    canvas->width = width;
    canvas->height = height;
    canvas->x_scale = x_scale;
    canvas->y_scale = y_scale;
    for (unsigned y = 0; y < height; y++) {
        for (unsigned x = 0; x < width; x++) {
            canvas->pixel[y][x] = next_random(&state) % colors;
        }
    }
    return canvas;
}

/* COLORS: DAC entry of each colour of the mode. */
static void
check_canvas(VgaFixture *f, const Canvas *canvas, const uint8_t *colors, const char *name)
{
    vga_refresh(f);
    g_assert_cmpuint(f->console->surface->width, ==, canvas->width * canvas->x_scale);
    g_assert_cmpuint(f->console->surface->height, ==, canvas->height * canvas->y_scale);
    for (unsigned y = 0; y < f->console->surface->height; y++) {
        for (unsigned x = 0; x < f->console->surface->width; x++) {
            unsigned c = canvas->pixel[y / canvas->y_scale][x / canvas->x_scale];
            uint32_t expected = vga_color(colors ? colors[c] : c);
            if (vga_pixel(f, x, y) != expected) {
                g_error("%s: dot %u,%u is %06x, not %06x", name, x, y, vga_pixel(f, x, y),
                        expected);
            }
        }
    }
}

/* Writes one plane at a time with the map mask. */
static void
fill_planes(VgaFixture *f, const Canvas *canvas)
{
    for (unsigned plane = 0; plane < 4; plane++) {
        vga_index(f, 0x3c4, 2, 1 << plane);
        for (unsigned y = 0; y < canvas->height; y++) {
            for (unsigned x = 0; x < canvas->width; x += 8) {
                uint8_t bits = 0;
                for (unsigned i = 0; i < 8; i++) {
                    bits = bits << 1 | (canvas->pixel[y][x + i] >> plane & 1);
                }
                vga_poke(f, 0xa0000 + y * canvas->width / 8 + x / 8, bits);
            }
        }
    }
    vga_index(f, 0x3c4, 2, 15);
}

static const uint8_t colors_200[16] = { 0,    1,    2,    3,    4,    5,    6,    7,
                                        0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17 };
static const uint8_t colors_350[16] = { 0,    1,    2,    3,    4,    5,    0x14, 7,
                                        0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f };

static void
check_planar(VgaFixture *f, const VgaModeTable *mode, Canvas *canvas, const uint8_t *colors)
{
    vga_set_mode(f, mode);
    fill_planes(f, canvas);
    check_canvas(f, canvas, colors, mode->name);
    g_free(canvas);
}

static void
test_planar(VgaFixture *f, gconstpointer data)
{
    check_planar(f, &vga_mode_0d, new_canvas(320, 200, 2, 2, 16), colors_200);
    check_planar(f, &vga_mode_0e, new_canvas(640, 200, 1, 2, 16), colors_200);
    check_planar(f, &vga_mode_10, new_canvas(640, 350, 1, 1, 16), colors_350);
    check_planar(f, &vga_mode_12, new_canvas(640, 480, 1, 1, 16), colors_350);
}

static void
test_cga(VgaFixture *f, gconstpointer data)
{
    static const uint8_t colors_4[4] = { 0x00, 0x13, 0x15, 0x17 };
    static const uint8_t colors_2[2] = { 0x00, 0x17 };
    Canvas *canvas = new_canvas(320, 200, 2, 2, 4);

    vga_set_mode(f, &vga_mode_04);
    for (unsigned y = 0; y < 200; y++) {
        for (unsigned x = 0; x < 320; x += 4) {
            const uint8_t *p = &canvas->pixel[y][x];
            vga_poke(f, 0xb8000 + (y & 1) * 0x2000 + y / 2 * 80 + x / 4,
                     p[0] << 6 | p[1] << 4 | p[2] << 2 | p[3]);
        }
    }
    check_canvas(f, canvas, colors_4, "320x200x4");
    g_free(canvas);

    canvas = new_canvas(640, 200, 1, 2, 2);
    vga_set_mode(f, &vga_mode_06);
    for (unsigned y = 0; y < 200; y++) {
        for (unsigned x = 0; x < 640; x += 8) {
            uint8_t bits = 0;
            for (unsigned i = 0; i < 8; i++) {
                bits = bits << 1 | canvas->pixel[y][x + i];
            }
            vga_poke(f, 0xb8000 + (y & 1) * 0x2000 + y / 2 * 80 + x / 8, bits);
        }
    }
    check_canvas(f, canvas, colors_2, "640x200x2");
    g_free(canvas);
}

static void
test_256(VgaFixture *f, gconstpointer data)
{
    Canvas *canvas = new_canvas(320, 200, 2, 2, 256);

    vga_set_mode(f, &vga_mode_13);
    for (unsigned y = 0; y < 200; y++) {
        for (unsigned x = 0; x < 320; x++) {
            vga_poke(f, 0xa0000 + y * 320 + x, canvas->pixel[y][x]);
        }
    }
    check_canvas(f, canvas, NULL, "320x200x256");
    g_free(canvas);

    canvas = new_canvas(320, 240, 2, 2, 256);
    vga_set_mode(f, &vga_mode_x);
    for (unsigned plane = 0; plane < 4; plane++) {
        vga_index(f, 0x3c4, 2, 1 << plane);
        for (unsigned y = 0; y < 240; y++) {
            for (unsigned x = plane; x < 320; x += 4) {
                vga_poke(f, 0xa0000 + y * 80 + x / 4, canvas->pixel[y][x]);
            }
        }
    }
    check_canvas(f, canvas, NULL, "320x240x256");
    g_free(canvas);
}

/* Mode 13h is memory: the map shows video memory in the window, and not in planar modes. */
static void
test_direct_map(VgaFixture *f, gconstpointer data)
{
    VitMapped at;

    vga_set_mode(f, &vga_mode_13);
    vit_address_space_lookup(f->test.platform.memory, 0xa1234, &at);
    g_assert_nonnull(at.host);
    g_assert_true(at.writable);
    vga_poke(f, 0xa1234, 0x5a);
    g_assert_cmphex(*at.host, ==, 0x5a);
    g_assert_cmphex(vga_peek(f, 0xe0001234), ==, 0x5a);
    vga_index(f, 0x3c4, 2, 1);
    vit_address_space_lookup(f->test.platform.memory, 0xa1234, &at);
    g_assert_null(at.host);
    vga_set_mode(f, &vga_mode_12);
    vit_address_space_lookup(f->test.platform.memory, 0xa1234, &at);
    g_assert_null(at.host);
}

static uint8_t
read_plane(VgaFixture *f, unsigned plane, unsigned at)
{
    vga_index(f, 0x3ce, 4, plane);
    return vga_peek(f, 0xa0000 + at);
}

static void
expect_planes(VgaFixture *f, unsigned at, uint8_t p0, uint8_t p1, uint8_t p2, uint8_t p3)
{
    vga_index(f, 0x3ce, 5, 0);
    g_assert_cmphex(read_plane(f, 0, at), ==, p0);
    g_assert_cmphex(read_plane(f, 1, at), ==, p1);
    g_assert_cmphex(read_plane(f, 2, at), ==, p2);
    g_assert_cmphex(read_plane(f, 3, at), ==, p3);
}

static void
test_write_modes(VgaFixture *f, gconstpointer data)
{
    vga_set_mode(f, &vga_mode_12);
    /* a background whose planes differ */
    for (unsigned plane = 0; plane < 4; plane++) {
        vga_index(f, 0x3c4, 2, 1 << plane);
        vga_poke(f, 0xa0000, 0x11 << plane);
        vga_poke(f, 0xa0001, 0xff);
    }
    expect_planes(f, 0, 0x11, 0x22, 0x44, 0x88);

    /* 0: rotate, set/reset on two planes, XOR with the latch, bit mask, map mask */
    vga_index(f, 0x3c4, 2, 0x0f);
    vga_index(f, 0x3ce, 0, 0x02);
    vga_index(f, 0x3ce, 1, 0x03);
    vga_index(f, 0x3ce, 3, 0x18 | 1);
    vga_index(f, 0x3ce, 8, 0x3c);
    vga_peek(f, 0xa0000);
    vga_poke(f, 0xa0000, 0x81);
    /* data 0x81 turned right is 0xc0; plane 0 gets 0x00, plane 1 0xff, planes 2 and 3 0xc0 */
    expect_planes(f, 0, 0x11, 0x22 ^ 0x3c, 0x44 ^ (0xc0 & 0x3c), 0x88 ^ (0xc0 & 0x3c));
    vga_index(f, 0x3ce, 8, 0xff);
    vga_index(f, 0x3ce, 3, 0);
    vga_index(f, 0x3ce, 1, 0);

    /* 1: copies all planes */
    vga_index(f, 0x3ce, 5, 1);
    vga_peek(f, 0xa0000);
    vga_poke(f, 0xa0002, 0x99);
    expect_planes(f, 2, 0x11, 0x22 ^ 0x3c, 0x44, 0x88);

    /* 2: a colour through the bit mask */
    vga_index(f, 0x3ce, 5, 2);
    vga_index(f, 0x3ce, 8, 0xf0);
    vga_peek(f, 0xa0001);
    vga_poke(f, 0xa0001, 0x05);
    expect_planes(f, 1, 0xff, 0x0f, 0xff, 0x0f);

    /* 3: set/reset colour where data and bit mask are set */
    vga_index(f, 0x3ce, 5, 3);
    vga_index(f, 0x3ce, 0, 0x0a);
    vga_index(f, 0x3ce, 8, 0xfc);
    vga_peek(f, 0xa0001);
    vga_poke(f, 0xa0001, 0x3f);
    expect_planes(f, 1, 0xc3, 0x3f, 0xc3, 0x3f);

    /* read mode 1: 1 where the cared-for planes match the colour */
    vga_index(f, 0x3ce, 8, 0xff);
    vga_index(f, 0x3ce, 2, 0x0a);
    vga_index(f, 0x3ce, 7, 0x0f);
    vga_index(f, 0x3ce, 5, 8);
    g_assert_cmphex(vga_peek(f, 0xa0001), ==, 0x3c);
    vga_index(f, 0x3ce, 7, 0x00);
    g_assert_cmphex(vga_peek(f, 0xa0001), ==, 0xff);
}

static void
test_window_places(VgaFixture *f, gconstpointer data)
{
    static const struct {
        uint8_t select;
        uint32_t first, last;
    } places[] = { { 0x00, 0xa0000, 0xbffff },
                   { 0x04, 0xa0000, 0xaffff },
                   { 0x08, 0xb0000, 0xb7fff },
                   { 0x0c, 0xb8000, 0xbffff } };

    vga_set_mode(f, &vga_mode_12);
    for (unsigned i = 0; i < VIT_ARRAY_LEN(places); i++) {
        vga_index(f, 0x3ce, 6, 1 | places[i].select);
        for (uint32_t at = 0xa0000; at < 0xc0000; at += 0x7fff) {
            bool inside = at >= places[i].first && at <= places[i].last;
            vga_poke(f, at, 0x3c);
            g_assert_cmphex(vga_peek(f, at), ==, inside ? 0x3c : 0xff);
        }
        vga_poke(f, places[i].last, 0x5a);
        g_assert_cmphex(vga_peek(f, places[i].last), ==, 0x5a);
    }
    /* RAM disabled by the miscellaneous output */
    test_outb(&f->test, 0x3c2, 0xe1);
    g_assert_cmphex(vga_peek(f, 0xb8000), ==, 0xff);
}

static void
test_damage(VgaFixture *f, gconstpointer data)
{
    vga_set_mode(f, &vga_mode_13);
    vga_refresh(f);
    g_assert_cmpint(f->damage.height, ==, 400);
    vga_refresh(f);
    g_assert_cmpuint(f->damages, ==, 0);
    /* one page of memory is 12.8 lines of 320 bytes, drawn twice each */
    vga_poke(f, 0xa0000 + 100 * 320, 1);
    vga_refresh(f);
    g_assert_cmpuint(f->damages, ==, 1);
    g_assert_cmpint(f->damage.y, <=, 200);
    g_assert_cmpint(f->damage.y + f->damage.height, >=, 202);
    g_assert_cmpint(f->damage.height, <=, 30);
    g_assert_cmphex(vga_pixel(f, 0, 200), ==, vga_color(1));
    g_assert_cmphex(vga_pixel(f, 1, 201), ==, vga_color(1));
    /* the palette touches everything */
    test_outb(&f->test, 0x3c8, 1);
    for (unsigned i = 0; i < 3; i++) {
        test_outb(&f->test, 0x3c9, 63);
    }
    vga_refresh(f);
    g_assert_cmpint(f->damage.height, ==, 400);
    g_assert_cmphex(vga_pixel(f, 0, 200), ==, 0xffffff);
    /* the same value again touches nothing */
    test_outb(&f->test, 0x3c8, 1);
    for (unsigned i = 0; i < 3; i++) {
        test_outb(&f->test, 0x3c9, 63);
    }
    vga_refresh(f);
    g_assert_cmpuint(f->damages, ==, 0);
    vit_console_update(f->console, true);
    g_assert_cmpint(f->damage.height, ==, 400);
}

/* Start address, panning and split: the picture is a window on video memory. */
static void
test_scroll_and_split(VgaFixture *f, gconstpointer data)
{
    Canvas *canvas = new_canvas(640, 480, 1, 1, 16);

    vga_set_mode(f, &vga_mode_12);
    fill_planes(f, canvas);
    /* start ten lines and two characters in, and three dots further; split after line 399 */
    vga_index(f, 0x3d4, 0x0c, 802 >> 8);
    vga_index(f, 0x3d4, 0x0d, 802 & 255);
    vga_attribute(f, 0x13, 3);
    vga_index(f, 0x3d4, 0x18, 399 & 255);
    vga_index(f, 0x3d4, 0x09, 0x00);
    vga_attribute(f, 0x10, 0x21);
    vga_show(f);
    vga_refresh(f);
    for (unsigned y = 0; y < 400; y++) {
        for (unsigned x = 0; x < 640; x += 7) {
            unsigned at = (y + 10) * 640 + 16 + 3 + x;
            g_assert_cmphex(vga_pixel(f, x, y), ==,
                            vga_color(colors_350[canvas->pixel[at / 640][at % 640]]));
        }
    }
    for (unsigned y = 400; y < 480; y++) {
        for (unsigned x = 0; x < 640; x += 7) {
            g_assert_cmphex(vga_pixel(f, x, y), ==,
                            vga_color(colors_350[canvas->pixel[y - 400][x]]));
        }
    }
    /* without pan compatibility the lower part is panned too */
    vga_attribute(f, 0x10, 0x01);
    vga_show(f);
    vga_refresh(f);
    g_assert_cmphex(vga_pixel(f, 0, 400), ==, vga_color(colors_350[canvas->pixel[0][3]]));
    g_free(canvas);
}

static void
test_palette_select(VgaFixture *f, gconstpointer data)
{
    vga_set_mode(f, &vga_mode_12);
    vga_index(f, 0x3c4, 2, 0x0f);
    vga_poke(f, 0xa0000, 0xff); /* colour 15: palette 0x3f */
    vga_attribute(f, 0x14, 0x04);
    vga_show(f);
    vga_refresh(f);
    g_assert_cmphex(vga_pixel(f, 0, 0), ==, vga_color(0x7f));
    vga_attribute(f, 0x10, 0x81); /* P5 and P4 from the select register too */
    vga_attribute(f, 0x14, 0x06);
    vga_show(f);
    vga_refresh(f);
    g_assert_cmphex(vga_pixel(f, 0, 0), ==, vga_color(0x6f));
    test_outb(&f->test, 0x3c6, 0x0f);
    vga_refresh(f);
    g_assert_cmphex(vga_pixel(f, 0, 0), ==, vga_color(0x0f));
}

static void
test_blank(VgaFixture *f, gconstpointer data)
{
    vga_set_mode(f, &vga_mode_12);
    vga_index(f, 0x3c4, 2, 0x0f);
    vga_poke(f, 0xa0000, 0xff);
    vga_refresh(f);
    g_assert_cmphex(vga_pixel(f, 0, 0), !=, 0);
    vga_index(f, 0x3c4, 1, 0x21);
    vga_refresh(f);
    g_assert_cmphex(vga_pixel(f, 0, 0), ==, 0);
    g_assert_cmpint(f->damage.height, ==, 480);
    vga_index(f, 0x3c4, 1, 0x01);
    vga_refresh(f);
    g_assert_cmphex(vga_pixel(f, 0, 0), !=, 0);
    test_inb(&f->test, 0x3da);
    test_outb(&f->test, 0x3c0, 0x00);
    vga_refresh(f);
    g_assert_cmphex(vga_pixel(f, 0, 0), ==, 0);
}

static void
test_registers(VgaFixture *f, gconstpointer data)
{
    vga_set_mode(f, &vga_mode_13);
    g_assert_cmphex(test_inb(&f->test, 0x3cc), ==, 0x63);
    g_assert_cmphex(test_inb(&f->test, 0x3b4), ==, 0xff);
    /* CRTC 0..7 are protected, but line compare bit 8 is not */
    vga_index(f, 0x3d4, 0x11, 0x8e);
    vga_index(f, 0x3d4, 0x00, 0x11);
    vga_index(f, 0x3d4, 0x07, 0x0f);
    test_outb(&f->test, 0x3d4, 0x00);
    g_assert_cmphex(test_inb(&f->test, 0x3d5), ==, 0x5f);
    test_outb(&f->test, 0x3d4, 0x07);
    g_assert_cmphex(test_inb(&f->test, 0x3d5), ==, 0x0f);
    vga_index(f, 0x3d4, 0x07, 0x10);
    test_outb(&f->test, 0x3d4, 0x07);
    g_assert_cmphex(test_inb(&f->test, 0x3d5), ==, 0x1f);
    /* the attribute flip-flop */
    test_inb(&f->test, 0x3da);
    test_outb(&f->test, 0x3c0, 0x33);
    g_assert_cmphex(test_inb(&f->test, 0x3c1), ==, 0x00);
    test_inb(&f->test, 0x3da);
    test_outb(&f->test, 0x3c0, 0x30);
    g_assert_cmphex(test_inb(&f->test, 0x3c1), ==, 0x41);
    /* the DAC reads back, moving on by itself */
    test_outb(&f->test, 0x3c7, 7);
    g_assert_cmphex(test_inb(&f->test, 0x3c7), ==, 3);
    for (unsigned n = 7; n < 9; n++) {
        uint8_t levels[3];
        vga_levels(n, levels);
        for (unsigned i = 0; i < 3; i++) {
            g_assert_cmphex(test_inb(&f->test, 0x3c9), ==, levels[i]);
        }
    }
    /* the same registers through memory */
    g_assert_cmphex(vga_peek(f, 0xf000040c), ==, 0x63);
    vga_poke(f, 0xf0000408, 0x21);
    g_assert_cmphex(test_inb(&f->test, 0x3c8), ==, 0x21);
}

/* 449 lines of 800 dots at 25.175 MHz: 31.778 us a line, 14.268 ms a frame. */
static void
test_retrace(VgaFixture *f, gconstpointer data)
{
    VitClock *clock = f->test.platform.clock;
    unsigned syncs = 0, sync_ns = 0, blank_ns = 0;
    bool was_sync = false;

    vga_set_mode(f, &vga_mode_13);
    for (unsigned ns = 0; ns < 142686000; ns += 2000) {
        vit_clock_step_to(clock, ns);
        uint8_t status = test_inb(&f->test, 0x3da);
        bool sync = status & 8;
        syncs += sync && !was_sync;
        sync_ns += sync ? 2000 : 0;
        blank_ns += status & 1 ? 2000 : 0;
        g_assert_true(!sync || (status & 1));
        was_sync = sync;
    }
    g_assert_cmpuint(syncs, ==, 10);
    /* two lines of sync a frame; one fifth of 400 lines and all of 49 are not shown */
    g_assert_cmpuint(sync_ns, >, 600000);
    g_assert_cmpuint(sync_ns, <, 680000);
    g_assert_cmpuint(blank_ns / 1000, >, 142686 * 28 / 100);
    g_assert_cmpuint(blank_ns / 1000, <, 142686 * 30 / 100);
}

static void
test_state(VgaFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    Canvas *canvas = new_canvas(640, 480, 1, 1, 16);

    vga_set_mode(f, &vga_mode_12);
    fill_planes(f, canvas);
    VitStateWriter *writer = vit_state_writer_new();
    vit_device_save(f->card, writer);
    g_autoptr(GBytes) bytes = vit_state_writer_finish(writer);
    vga_set_mode(f, &vga_text_80);
    for (unsigned i = 0; i < 4000; i++) {
        vga_poke(f, 0xb8000 + i, i);
    }
    vga_refresh(f);
    VitStateReader *reader = vit_state_reader_new(bytes, &error);
    g_assert_no_error(error);
    g_assert_true(vit_device_load(f->card, reader, &error));
    g_assert_no_error(error);
    vit_state_reader_free(reader);
    check_canvas(f, canvas, colors_350, "restored 640x480x16");
    g_free(canvas);
}

/* Any registers, any memory: drawing stays inside its buffers (a sanitizer build proves it). */
static void
test_nonsense(VgaFixture *f, gconstpointer data)
{
    static const VgaModeTable *const modes[] = { &vga_text_80, &vga_text_40, &vga_mode_04,
                                                 &vga_mode_0d, &vga_mode_12, &vga_mode_13,
                                                 &vga_mode_x };
    uint32_t state = 1;

    for (unsigned at = 0; at < 0x40000; at += 4) {
        vit_dma_write32(f->test.platform.memory, 0xe0000000 + at, next_random(&state));
    }
    for (unsigned round = 0; round < 300; round++) {
        vga_set_mode(f, modes[next_random(&state) % VIT_ARRAY_LEN(modes)]);
        for (unsigned i = 0; i < 8; i++) {
            uint8_t value = next_random(&state);
            switch (next_random(&state) % 6) {
            case 0: vga_index(f, 0x3c4, next_random(&state) % 5, value & ~0x20); break;
            case 1: vga_index(f, 0x3ce, next_random(&state) % 9, value); break;
            case 2: vga_attribute(f, next_random(&state) % 21, value); break;
            case 3:
                if (next_random(&state) % 4 == 0) {
                    vga_vbe(f, 1, next_random(&state) % 2000);
                    vga_vbe(f, 2, next_random(&state) % 300);
                    vga_vbe(f, 3, (next_random(&state) % 5) * 8);
                    vga_vbe(f, 4, value | 0x80);
                    vga_vbe(f, 6 + next_random(&state) % 4, next_random(&state));
                }
                break;
            default: vga_index(f, 0x3d4, next_random(&state) % 25, value); break;
            }
        }
        vga_show(f);
        for (unsigned i = 0; i < 100; i++) {
            uint32_t at = 0xa0000 + next_random(&state) % 0x20000;
            vit_dma_write32(f->test.platform.memory, at, vga_peek(f, at ^ 0x55));
        }
        VitTextScreen screen;
        if (vit_console_get_text(f->console, &screen)) {
            vit_text_screen_clear(&screen);
        }
        vga_refresh(f);
        g_assert_cmpuint(f->console->surface->width, >, 0);
        vit_console_update(f->console, round & 1);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name) \
    g_test_add("/vga/" #name, VgaFixture, NULL, vga_set_up, test_##name, vga_tear_down)
    ADD(planar);
    ADD(cga);
    ADD(256);
    ADD(direct_map);
    ADD(write_modes);
    ADD(window_places);
    ADD(damage);
    ADD(scroll_and_split);
    ADD(palette_select);
    ADD(blank);
    ADD(registers);
    ADD(retrace);
    ADD(state);
    ADD(nonsense);
    return g_test_run();
}
