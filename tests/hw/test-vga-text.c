/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Text modes: fonts, attributes, cursor, blinking, scrolling, and what get_text tells. */

#include "vga-fixture.h"

static const uint8_t colors_text[16] = { 0,    1,    2,    3,    4,    5,    0x14, 7,
                                         0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f };

/* Row LINE of character C in font MAP; every one differs. */
static uint8_t
glyph(unsigned map, unsigned c, unsigned line)
{
    return (c * 7 + line * 29 + map * 91) ^ (c >> 3);
}

/* Loads a font the way a BIOS does: plane 2, sequential, at A0000h. */
static void
load_font(VgaFixture *f, unsigned map, uint32_t offset)
{
    uint8_t memory_mode = 2, misc;

    test_outb(&f->test, 0x3ce, 6);
    misc = test_inb(&f->test, 0x3cf);
    vga_index(f, 0x3c4, 2, 4);
    vga_index(f, 0x3c4, 4, 6);
    vga_index(f, 0x3ce, 5, 0);
    vga_index(f, 0x3ce, 6, 4);
    for (unsigned c = 0; c < 256; c++) {
        for (unsigned line = 0; line < 16; line++) {
            vga_poke(f, 0xa0000 + offset + c * 32 + line, glyph(map, c, line));
        }
    }
    vga_index(f, 0x3c4, 2, 3);
    vga_index(f, 0x3c4, 4, memory_mode);
    vga_index(f, 0x3ce, 5, 0x10);
    vga_index(f, 0x3ce, 6, misc);
}

static void
hide_cursor(VgaFixture *f, uint16_t crtc)
{
    vga_index(f, crtc, 0x0a, 0x20);
}

static void
put_cell(VgaFixture *f, uint32_t base, unsigned n, uint8_t character, uint8_t attribute)
{
    vga_poke(f, base + n * 2, character);
    vga_poke(f, base + n * 2 + 1, attribute);
}

static unsigned
cell_character(unsigned n)
{
    return n * 13 & 255;
}

static unsigned
cell_attribute(unsigned n)
{
    return (n * 7 + n / 80) & 0x7f; /* no blinking */
}

static void
fill_screen(VgaFixture *f, uint32_t base, unsigned cells)
{
    for (unsigned n = 0; n < cells; n++) {
        put_cell(f, base, n, cell_character(n), cell_attribute(n));
    }
}

/* Whether dot X (0..8) of a nine-dot cell shows the foreground. */
static bool
dot_is_fore(unsigned map, unsigned character, unsigned x, unsigned line)
{
    uint8_t bits = glyph(map, character, line);

    if (x < 8) {
        return bits & 0x80 >> x;
    }
    return character >= 0xc0 && character <= 0xdf && (bits & 1);
}

/* Compares the screen of COLUMNS by 25 with cells that FILL_SCREEN wrote, from cell FIRST on. */
static void
check_screen(VgaFixture *f, unsigned columns, unsigned dots, unsigned first)
{
    for (unsigned y = 0; y < 400; y++) {
        for (unsigned x = 0; x < columns * 9 * dots; x++) {
            unsigned n = first + y / 16 * columns + x / (9 * dots);
            unsigned attribute = cell_attribute(n);
            bool fore = dot_is_fore(0, cell_character(n), x / dots % 9, y % 16);
            uint32_t expected = vga_color(colors_text[fore ? attribute & 15 : attribute >> 4 & 7]);
            if (vga_pixel(f, x, y) != expected) {
                g_error("text dot %u,%u is %06x, not %06x", x, y, vga_pixel(f, x, y), expected);
            }
        }
    }
}

static void
test_80x25(VgaFixture *f, gconstpointer data)
{
    vga_set_mode(f, &vga_text_80);
    load_font(f, 0, 0);
    hide_cursor(f, 0x3d4);
    fill_screen(f, 0xb8000, 4000);
    vga_refresh(f);
    g_assert_cmpuint(f->console->surface->width, ==, 720);
    g_assert_cmpuint(f->console->surface->height, ==, 400);
    check_screen(f, 80, 1, 0);
    /* start address: the screen is a window on the buffer */
    vga_index(f, 0x3d4, 0x0d, 160);
    vga_refresh(f);
    check_screen(f, 80, 1, 160);
}

static void
test_40x25(VgaFixture *f, gconstpointer data)
{
    vga_set_mode(f, &vga_text_40);
    load_font(f, 0, 0);
    hide_cursor(f, 0x3d4);
    fill_screen(f, 0xb8000, 1000);
    vga_refresh(f);
    g_assert_cmpuint(f->console->surface->width, ==, 720);
    check_screen(f, 40, 2, 0);
}

static void
test_mono(VgaFixture *f, gconstpointer data)
{
    vga_set_mode(f, &vga_text_mono);
    load_font(f, 0, 0);
    hide_cursor(f, 0x3b4);
    put_cell(f, 0xb0000, 0, 0x41, 0x07);
    put_cell(f, 0xb0000, 1, 0x20, 0x01); /* underlined */
    vga_refresh(f);
    for (unsigned y = 0; y < 16; y++) {
        for (unsigned x = 0; x < 9; x++) {
            bool fore = dot_is_fore(0, 0x41, x, y);
            g_assert_cmphex(vga_pixel(f, x, y), ==, vga_color(fore ? 0x08 : 0x00));
            fore = dot_is_fore(0, 0x20, x, y) || y == 15;
            g_assert_cmphex(vga_pixel(f, 9 + x, y), ==, vga_color(fore ? 0x08 : 0x00));
        }
    }
}

static void
test_fonts(VgaFixture *f, gconstpointer data)
{
    vga_set_mode(f, &vga_text_80);
    load_font(f, 0, 0);
    load_font(f, 1, 0x6000); /* map 5 */
    hide_cursor(f, 0x3d4);
    vga_index(f, 0x3c4, 3, 0x24); /* A is map 5, B is map 0 */
    put_cell(f, 0xb8000, 0, 0x55, 0x07);
    put_cell(f, 0xb8000, 1, 0x55, 0x0f);
    vga_refresh(f);
    for (unsigned y = 0; y < 16; y++) {
        for (unsigned x = 0; x < 8; x++) {
            bool fore = dot_is_fore(0, 0x55, x, y);
            g_assert_cmphex(vga_pixel(f, x, y), ==, vga_color(fore ? 7 : 0));
            fore = dot_is_fore(1, 0x55, x, y);
            g_assert_cmphex(vga_pixel(f, 9 + x, y), ==, vga_color(fore ? 0x3f : 0));
        }
    }
    /* a glyph that changes shows at once */
    vga_refresh(f);
    load_font(f, 3, 0);
    vga_refresh(f);
    g_assert_cmpint(f->damage.height, ==, 400);
    g_assert_cmphex(vga_pixel(f, 0, 3), ==, vga_color(dot_is_fore(3, 0x55, 0, 3) ? 7 : 0));
}

static void
test_cursor(VgaFixture *f, gconstpointer data)
{
    VitClock *clock = f->test.platform.clock;

    vga_set_mode(f, &vga_text_80);
    for (unsigned n = 0; n < 2000; n++) {
        put_cell(f, 0xb8000, n, 0, 0x07);
    }
    vga_index(f, 0x3d4, 0x0e, 0);
    vga_index(f, 0x3d4, 0x0f, 85);
    vga_refresh(f);
    /* lines 13 and 14 of the cell in column 5 of row 1, all nine dots */
    for (unsigned y = 16; y < 32; y++) {
        for (unsigned x = 44; x < 55; x++) {
            bool inside = (y == 29 || y == 30) && x >= 45 && x < 54;
            g_assert_cmphex(vga_pixel(f, x, y), ==, vga_color(inside ? 7 : 0));
        }
    }
    vga_refresh(f);
    g_assert_cmpuint(f->damages, ==, 0);
    /* moves: two cells are drawn */
    vga_index(f, 0x3d4, 0x0f, 86);
    vga_refresh(f);
    g_assert_cmpint(f->damage.x, ==, 45);
    g_assert_cmpint(f->damage.width, ==, 18);
    g_assert_cmpint(f->damage.height, ==, 16);
    g_assert_cmphex(vga_pixel(f, 45, 29), ==, vga_color(0));
    g_assert_cmphex(vga_pixel(f, 54, 29), ==, vga_color(7));
    /* grows in place */
    vga_index(f, 0x3d4, 0x0a, 0);
    vga_refresh(f);
    g_assert_cmphex(vga_pixel(f, 54, 16), ==, vga_color(7));
    /* blinks: off after 16 frames of 1/70 s */
    vit_clock_step_to(clock, 240 * VIT_NS_PER_MS);
    vga_refresh(f);
    g_assert_cmphex(vga_pixel(f, 54, 29), ==, vga_color(0));
    g_assert_cmpint(f->damage.width, ==, 9);
    vit_clock_step_to(clock, 470 * VIT_NS_PER_MS);
    vga_refresh(f);
    g_assert_cmphex(vga_pixel(f, 54, 29), ==, vga_color(7));
    vga_index(f, 0x3d4, 0x0a, 0x20);
    vga_refresh(f);
    g_assert_cmphex(vga_pixel(f, 54, 29), ==, vga_color(0));
}

static void
test_blink(VgaFixture *f, gconstpointer data)
{
    VitClock *clock = f->test.platform.clock;

    vga_set_mode(f, &vga_text_80);
    load_font(f, 0, 0);
    hide_cursor(f, 0x3d4);
    put_cell(f, 0xb8000, 0, 0x41, 0x9e); /* blinking yellow on blue */
    vga_refresh(f);
    bool fore = dot_is_fore(0, 0x41, 0, 1);
    unsigned x = 0;
    while (!fore) {
        fore = dot_is_fore(0, 0x41, ++x, 1);
    }
    g_assert_cmphex(vga_pixel(f, x, 1), ==, vga_color(0x3e));
    vit_clock_step_to(clock, 500 * VIT_NS_PER_MS);
    vga_refresh(f);
    g_assert_cmphex(vga_pixel(f, x, 1), ==, vga_color(1));
    vit_clock_step_to(clock, 950 * VIT_NS_PER_MS);
    vga_refresh(f);
    g_assert_cmphex(vga_pixel(f, x, 1), ==, vga_color(0x3e));
    /* as intensity: a bright background that stays */
    vga_attribute(f, 0x10, 0x04);
    vga_show(f);
    vit_clock_step_to(clock, 1500 * VIT_NS_PER_MS);
    vga_refresh(f);
    g_assert_cmphex(vga_pixel(f, x, 1), ==, vga_color(0x3e));
    while (fore) {
        fore = dot_is_fore(0, 0x41, ++x, 1);
    }
    g_assert_cmphex(vga_pixel(f, x, 1), ==, vga_color(0x39));
}

static void
test_damage(VgaFixture *f, gconstpointer data)
{
    vga_set_mode(f, &vga_text_80);
    load_font(f, 0, 0);
    hide_cursor(f, 0x3d4);
    fill_screen(f, 0xb8000, 2000);
    vga_refresh(f);
    vga_refresh(f);
    g_assert_cmpuint(f->damages, ==, 0);
    /* written, but the same */
    fill_screen(f, 0xb8000, 2000);
    vga_refresh(f);
    g_assert_cmpuint(f->damages, ==, 0);
    put_cell(f, 0xb8000, 10 * 80 + 20, 1, 0x4f);
    put_cell(f, 0xb8000, 10 * 80 + 22, 2, 0x4f);
    vga_refresh(f);
    g_assert_cmpuint(f->damages, ==, 1);
    g_assert_cmpint(f->damage.x, ==, 180);
    g_assert_cmpint(f->damage.y, ==, 160);
    g_assert_cmpint(f->damage.width, ==, 27);
    g_assert_cmpint(f->damage.height, ==, 16);
}

/* Half a row down and three dots right, then a status row that stays. */
static void
test_smooth_scroll(VgaFixture *f, gconstpointer data)
{
    vga_set_mode(f, &vga_text_80);
    load_font(f, 0, 0);
    hide_cursor(f, 0x3d4);
    fill_screen(f, 0xb8000, 4000);
    vga_index(f, 0x3d4, 0x08, 5);
    vga_attribute(f, 0x13, 2);
    vga_attribute(f, 0x10, 0x2c);
    vga_show(f);
    vga_index(f, 0x3d4, 0x18, 383 & 255);
    vga_index(f, 0x3d4, 0x11, 0x0e);
    vga_index(f, 0x3d4, 0x09, 0x0f);
    vga_index(f, 0x3d4, 0x0d, 80);
    vga_refresh(f);
    for (unsigned y = 0; y < 400; y++) {
        for (unsigned x = 0; x < 720; x++) {
            bool split = y >= 384;
            unsigned line = split ? y - 384 : y + 5 + 16, dot = split ? x : x + 3;
            unsigned n = line / 16 * 80 + dot / 9, attribute = cell_attribute(n);
            bool fore = dot_is_fore(0, cell_character(n), dot % 9, line % 16);
            uint32_t expected = vga_color(colors_text[fore ? attribute & 15 : attribute >> 4 & 7]);
            if (vga_pixel(f, x, y) != expected) {
                g_error("scrolled dot %u,%u is %06x, not %06x", x, y, vga_pixel(f, x, y), expected);
            }
        }
    }
    /* back on the grid */
    vga_index(f, 0x3d4, 0x08, 0);
    vga_attribute(f, 0x13, 8);
    vga_show(f);
    vga_index(f, 0x3d4, 0x18, 0xff);
    vga_index(f, 0x3d4, 0x09, 0x4f);
    vga_refresh(f);
    check_screen(f, 80, 1, 80);
}

static void
test_get_text(VgaFixture *f, gconstpointer data)
{
    static const char text[] = "Hello, world";
    VitTextScreen screen;

    g_assert_false(vit_console_get_text(f->console, &screen));
    vga_set_mode(f, &vga_text_80);
    for (unsigned n = 0; n < 2000; n++) {
        put_cell(f, 0xb8000, n, ' ', 0x07);
    }
    for (unsigned i = 0; text[i]; i++) {
        put_cell(f, 0xb8000, 3 * 80 + 2 + i, text[i], 0x1f);
    }
    vga_index(f, 0x3d4, 0x0e, 0);
    vga_index(f, 0x3d4, 0x0f, 3 * 80 + 14);
    g_assert_true(vit_console_get_text(f->console, &screen));
    g_assert_cmpint(screen.columns, ==, 80);
    g_assert_cmpint(screen.rows, ==, 25);
    g_assert_cmpint(screen.cursor_x, ==, 14);
    g_assert_cmpint(screen.cursor_y, ==, 3);
    for (unsigned i = 0; text[i]; i++) {
        g_assert_cmphex(screen.cells[3 * 80 + 2 + i].character, ==, text[i]);
        g_assert_cmphex(screen.cells[3 * 80 + 2 + i].attribute, ==, 0x1f);
    }
    vit_text_screen_clear(&screen);
    vga_set_mode(f, &vga_mode_12);
    g_assert_false(vit_console_get_text(f->console, &screen));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name) \
    g_test_add("/vga-text/" #name, VgaFixture, NULL, vga_set_up, test_##name, vga_tear_down)
    ADD(80x25);
    ADD(40x25);
    ADD(mono);
    ADD(fonts);
    ADD(cursor);
    ADD(blink);
    ADD(damage);
    ADD(smooth_scroll);
    ADD(get_text);
    return g_test_run();
}
