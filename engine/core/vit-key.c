/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The keys of a PC keyboard: Linux key code, name, and what each scan code set sends. Codes from
 * the IBM PS/2 keyboard reference (sets 1 to 3) and the USB HID to PS/2 scan code translation
 * table; key codes from linux/input-event-codes.h. Pause and Print have sequences of their own,
 * which the keyboard knows; the codes here are those of Ctrl-Pause and plain Print. */

#include "vit-input-hub.h"

#include "vit-prop.h"

#include <linux/input-event-codes.h>
#include <stdlib.h>
#include <string.h>

/* Ordered by key code. */
static const VitKey keys[] = {
    { KEY_ESC, 0x01, 0x76, 0x08, "esc" },
    { KEY_1, 0x02, 0x16, 0x16, "1" },
    { KEY_2, 0x03, 0x1e, 0x1e, "2" },
    { KEY_3, 0x04, 0x26, 0x26, "3" },
    { KEY_4, 0x05, 0x25, 0x25, "4" },
    { KEY_5, 0x06, 0x2e, 0x2e, "5" },
    { KEY_6, 0x07, 0x36, 0x36, "6" },
    { KEY_7, 0x08, 0x3d, 0x3d, "7" },
    { KEY_8, 0x09, 0x3e, 0x3e, "8" },
    { KEY_9, 0x0a, 0x46, 0x46, "9" },
    { KEY_0, 0x0b, 0x45, 0x45, "0" },
    { KEY_MINUS, 0x0c, 0x4e, 0x4e, "minus" },
    { KEY_EQUAL, 0x0d, 0x55, 0x55, "equal" },
    { KEY_BACKSPACE, 0x0e, 0x66, 0x66, "backspace" },
    { KEY_TAB, 0x0f, 0x0d, 0x0d, "tab" },
    { KEY_Q, 0x10, 0x15, 0x15, "q" },
    { KEY_W, 0x11, 0x1d, 0x1d, "w" },
    { KEY_E, 0x12, 0x24, 0x24, "e" },
    { KEY_R, 0x13, 0x2d, 0x2d, "r" },
    { KEY_T, 0x14, 0x2c, 0x2c, "t" },
    { KEY_Y, 0x15, 0x35, 0x35, "y" },
    { KEY_U, 0x16, 0x3c, 0x3c, "u" },
    { KEY_I, 0x17, 0x43, 0x43, "i" },
    { KEY_O, 0x18, 0x44, 0x44, "o" },
    { KEY_P, 0x19, 0x4d, 0x4d, "p" },
    { KEY_LEFTBRACE, 0x1a, 0x54, 0x54, "bracket_left" },
    { KEY_RIGHTBRACE, 0x1b, 0x5b, 0x5b, "bracket_right" },
    { KEY_ENTER, 0x1c, 0x5a, 0x5a, "ret" },
    { KEY_LEFTCTRL, 0x1d, 0x14, 0x11, "ctrl" },
    { KEY_A, 0x1e, 0x1c, 0x1c, "a" },
    { KEY_S, 0x1f, 0x1b, 0x1b, "s" },
    { KEY_D, 0x20, 0x23, 0x23, "d" },
    { KEY_F, 0x21, 0x2b, 0x2b, "f" },
    { KEY_G, 0x22, 0x34, 0x34, "g" },
    { KEY_H, 0x23, 0x33, 0x33, "h" },
    { KEY_J, 0x24, 0x3b, 0x3b, "j" },
    { KEY_K, 0x25, 0x42, 0x42, "k" },
    { KEY_L, 0x26, 0x4b, 0x4b, "l" },
    { KEY_SEMICOLON, 0x27, 0x4c, 0x4c, "semicolon" },
    { KEY_APOSTROPHE, 0x28, 0x52, 0x52, "apostrophe" },
    { KEY_GRAVE, 0x29, 0x0e, 0x0e, "grave_accent" },
    { KEY_LEFTSHIFT, 0x2a, 0x12, 0x12, "shift" },
    { KEY_BACKSLASH, 0x2b, 0x5d, 0x5c, "backslash" },
    { KEY_Z, 0x2c, 0x1a, 0x1a, "z" },
    { KEY_X, 0x2d, 0x22, 0x22, "x" },
    { KEY_C, 0x2e, 0x21, 0x21, "c" },
    { KEY_V, 0x2f, 0x2a, 0x2a, "v" },
    { KEY_B, 0x30, 0x32, 0x32, "b" },
    { KEY_N, 0x31, 0x31, 0x31, "n" },
    { KEY_M, 0x32, 0x3a, 0x3a, "m" },
    { KEY_COMMA, 0x33, 0x41, 0x41, "comma" },
    { KEY_DOT, 0x34, 0x49, 0x49, "dot" },
    { KEY_SLASH, 0x35, 0x4a, 0x4a, "slash" },
    { KEY_RIGHTSHIFT, 0x36, 0x59, 0x59, "shift_r" },
    { KEY_KPASTERISK, 0x37, 0x7c, 0x7e, "kp_multiply" },
    { KEY_LEFTALT, 0x38, 0x11, 0x19, "alt" },
    { KEY_SPACE, 0x39, 0x29, 0x29, "spc" },
    { KEY_CAPSLOCK, 0x3a, 0x58, 0x14, "caps_lock" },
    { KEY_F1, 0x3b, 0x05, 0x07, "f1" },
    { KEY_F2, 0x3c, 0x06, 0x0f, "f2" },
    { KEY_F3, 0x3d, 0x04, 0x17, "f3" },
    { KEY_F4, 0x3e, 0x0c, 0x1f, "f4" },
    { KEY_F5, 0x3f, 0x03, 0x27, "f5" },
    { KEY_F6, 0x40, 0x0b, 0x2f, "f6" },
    { KEY_F7, 0x41, 0x83, 0x37, "f7" },
    { KEY_F8, 0x42, 0x0a, 0x3f, "f8" },
    { KEY_F9, 0x43, 0x01, 0x47, "f9" },
    { KEY_F10, 0x44, 0x09, 0x4f, "f10" },
    { KEY_NUMLOCK, 0x45, 0x77, 0x76, "num_lock" },
    { KEY_SCROLLLOCK, 0x46, 0x7e, 0x5f, "scroll_lock" },
    { KEY_KP7, 0x47, 0x6c, 0x6c, "kp_7" },
    { KEY_KP8, 0x48, 0x75, 0x75, "kp_8" },
    { KEY_KP9, 0x49, 0x7d, 0x7d, "kp_9" },
    { KEY_KPMINUS, 0x4a, 0x7b, 0x84, "kp_subtract" },
    { KEY_KP4, 0x4b, 0x6b, 0x6b, "kp_4" },
    { KEY_KP5, 0x4c, 0x73, 0x73, "kp_5" },
    { KEY_KP6, 0x4d, 0x74, 0x74, "kp_6" },
    { KEY_KPPLUS, 0x4e, 0x79, 0x7c, "kp_add" },
    { KEY_KP1, 0x4f, 0x69, 0x69, "kp_1" },
    { KEY_KP2, 0x50, 0x72, 0x72, "kp_2" },
    { KEY_KP3, 0x51, 0x7a, 0x7a, "kp_3" },
    { KEY_KP0, 0x52, 0x70, 0x70, "kp_0" },
    { KEY_KPDOT, 0x53, 0x71, 0x71, "kp_decimal" },
    { KEY_102ND, 0x56, 0x61, 0x13, "less" },
    { KEY_F11, 0x57, 0x78, 0x56, "f11" },
    { KEY_F12, 0x58, 0x07, 0x5e, "f12" },
    { KEY_RO, 0x73, 0x51, 0, "ro" },
    { KEY_HIRAGANA, 0x77, 0x62, 0, "hiragana" },
    { KEY_HENKAN, 0x79, 0x64, 0, "henkan" },
    { KEY_KATAKANAHIRAGANA, 0x70, 0x13, 0, "katakanahiragana" },
    { KEY_MUHENKAN, 0x7b, 0x67, 0, "muhenkan" },
    { KEY_KPENTER, 0xe01c, 0xe05a, 0x79, "kp_enter" },
    { KEY_RIGHTCTRL, 0xe01d, 0xe014, 0x58, "ctrl_r" },
    { KEY_KPSLASH, 0xe035, 0xe04a, 0x77, "kp_divide" },
    { KEY_SYSRQ, 0xe037, 0xe07c, 0x57, "print" },
    { KEY_RIGHTALT, 0xe038, 0xe011, 0x39, "alt_r" },
    { KEY_LINEFEED, 0, 0, 0, "lf" },
    { KEY_HOME, 0xe047, 0xe06c, 0x6e, "home" },
    { KEY_UP, 0xe048, 0xe075, 0x63, "up" },
    { KEY_PAGEUP, 0xe049, 0xe07d, 0x6f, "pgup" },
    { KEY_LEFT, 0xe04b, 0xe06b, 0x61, "left" },
    { KEY_RIGHT, 0xe04d, 0xe074, 0x6a, "right" },
    { KEY_END, 0xe04f, 0xe069, 0x65, "end" },
    { KEY_DOWN, 0xe050, 0xe072, 0x60, "down" },
    { KEY_PAGEDOWN, 0xe051, 0xe07a, 0x6d, "pgdn" },
    { KEY_INSERT, 0xe052, 0xe070, 0x67, "insert" },
    { KEY_DELETE, 0xe053, 0xe071, 0x64, "delete" },
    { KEY_MUTE, 0xe020, 0xe023, 0, "audiomute" },
    { KEY_VOLUMEDOWN, 0xe02e, 0xe021, 0, "volumedown" },
    { KEY_VOLUMEUP, 0xe030, 0xe032, 0, "volumeup" },
    { KEY_POWER, 0xe05e, 0xe037, 0, "power" },
    { KEY_KPEQUAL, 0x59, 0x0f, 0, "kp_equals" },
    { KEY_PAUSE, 0xe046, 0xe07e, 0x62, "pause" },
    { KEY_KPCOMMA, 0x7e, 0x6d, 0, "kp_comma" },
    { KEY_HANGEUL, 0x72, 0xf2, 0, "lang1" },
    { KEY_HANJA, 0x71, 0xf1, 0, "lang2" },
    { KEY_YEN, 0x7d, 0x6a, 0, "yen" },
    { KEY_LEFTMETA, 0xe05b, 0xe01f, 0x8b, "meta_l" },
    { KEY_RIGHTMETA, 0xe05c, 0xe027, 0x8c, "meta_r" },
    { KEY_COMPOSE, 0xe05d, 0xe02f, 0x8d, "compose" },
    { KEY_STOP, 0xe068, 0xe028, 0, "stop" },
    { KEY_AGAIN, 0, 0, 0, "again" },
    { KEY_PROPS, 0, 0, 0, "props" },
    { KEY_UNDO, 0, 0, 0, "undo" },
    { KEY_FRONT, 0, 0, 0, "front" },
    { KEY_COPY, 0, 0, 0, "copy" },
    { KEY_OPEN, 0, 0, 0, "open" },
    { KEY_PASTE, 0, 0, 0, "paste" },
    { KEY_FIND, 0, 0, 0, "find" },
    { KEY_CUT, 0, 0, 0, "cut" },
    { KEY_HELP, 0, 0, 0, "help" },
    { KEY_MENU, 0, 0, 0, "menu" },
    { KEY_CALC, 0xe021, 0xe02b, 0, "calculator" },
    { KEY_SLEEP, 0xe05f, 0xe03f, 0, "sleep" },
    { KEY_WAKEUP, 0xe063, 0xe05e, 0, "wake" },
    { KEY_MAIL, 0xe06c, 0xe048, 0, "mail" },
    { KEY_BOOKMARKS, 0xe066, 0xe018, 0, "ac_bookmarks" },
    { KEY_COMPUTER, 0xe06b, 0xe040, 0, "computer" },
    { KEY_BACK, 0xe06a, 0xe038, 0, "ac_back" },
    { KEY_FORWARD, 0xe069, 0xe030, 0, "ac_forward" },
    { KEY_NEXTSONG, 0xe019, 0xe04d, 0, "audionext" },
    { KEY_PLAYPAUSE, 0xe022, 0xe034, 0, "audioplay" },
    { KEY_PREVIOUSSONG, 0xe010, 0xe015, 0, "audioprev" },
    { KEY_STOPCD, 0xe024, 0xe03b, 0, "audiostop" },
    { KEY_HOMEPAGE, 0xe032, 0xe03a, 0, "ac_home" },
    { KEY_REFRESH, 0xe067, 0xe020, 0, "ac_refresh" },
    { KEY_F13, 0x64, 0x08, 0, "f13" },
    { KEY_F14, 0x65, 0x10, 0, "f14" },
    { KEY_F15, 0x66, 0x18, 0, "f15" },
    { KEY_F16, 0x67, 0x20, 0, "f16" },
    { KEY_F17, 0x68, 0x28, 0, "f17" },
    { KEY_F18, 0x69, 0x30, 0, "f18" },
    { KEY_F19, 0x6a, 0x38, 0, "f19" },
    { KEY_F20, 0x6b, 0x40, 0, "f20" },
    { KEY_F21, 0x6c, 0x48, 0, "f21" },
    { KEY_F22, 0x6d, 0x50, 0, "f22" },
    { KEY_F23, 0x6e, 0x57, 0, "f23" },
    { KEY_F24, 0x76, 0x5f, 0, "f24" },
    { KEY_SEARCH, 0xe065, 0xe010, 0, "search" },
    { KEY_MEDIA, 0xe06d, 0xe050, 0, "mediaselect" },
};

/* Other names people type. */
static const struct {
    const char *name;
    uint16_t code;
} key_aliases[] = {
    { "sysrq", KEY_SYSRQ },    { "asterisk", KEY_KPASTERISK }, { "<", KEY_102ND },
    { "enter", KEY_ENTER },    { "space", KEY_SPACE },         { "escape", KEY_ESC },
    { "page_up", KEY_PAGEUP }, { "page_down", KEY_PAGEDOWN },
};

static int
compare_code(const void *wanted, const void *key)
{
    return (int)*(const unsigned *)wanted - (int)((const VitKey *)key)->code;
}

const VitKey *
vit_key_find(unsigned key_code)
{
    if (key_code > KEY_MAX) {
        return NULL;
    }
    return bsearch(&key_code, keys, VIT_ARRAY_LEN(keys), sizeof(keys[0]), compare_code);
}

const VitKey *
vit_key_nth(unsigned n)
{
    return n < VIT_ARRAY_LEN(keys) ? &keys[n] : NULL;
}

unsigned
vit_key_from_set1(unsigned number)
{
    unsigned wanted = number & 0x80 ? 0xe000 | (number & 0x7f) : number;

    for (size_t i = 0; number != 0 && number < 0x100 && i < VIT_ARRAY_LEN(keys); i++) {
        if (keys[i].set1 == wanted) {
            return keys[i].code;
        }
    }
    return number == 0x54 ? KEY_SYSRQ : 0; /* Alt-Print */
}

unsigned
vit_key_from_name(const char *name)
{
    uint64_t number;

    for (size_t i = 0; i < VIT_ARRAY_LEN(keys); i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return keys[i].code;
        }
    }
    for (size_t i = 0; i < VIT_ARRAY_LEN(key_aliases); i++) {
        if (strcmp(key_aliases[i].name, name) == 0) {
            return key_aliases[i].code;
        }
    }
    if (g_str_has_prefix(name, "0x") && vit_parse_uint(name, &number) && number < 0x100) {
        return vit_key_from_set1(number);
    }
    return 0;
}

const char *
vit_key_name(unsigned key_code)
{
    const VitKey *key = vit_key_find(key_code);

    return key ? key->name : NULL;
}
