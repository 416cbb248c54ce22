/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the files options-*.c share: the area each of them exports and shorthands for keys.
 *
 * Mission rows: a declaration covers the row of its own name automatically. Option X covers "X",
 * its key k "X.k", its variant v "X.v", that one's key "X.v.k", a value w of a key "<key>.w"; the
 * key "value" of a plain option counts as the option itself. `.mission` adds further rows, and a
 * first word beginning with '=' takes the place of the automatic name. */

#include "vit-option.h"
#include "vit-types.h"

typedef struct {
    const VitOption *options;
    unsigned n_options;
} VitOptionArea;

#define VIT_KEY(key_name, value_type, default_text, help_text, ...)                           \
    {                                                                                         \
        .name = key_name, .type = value_type, .def = default_text, .help = VIT_N_(help_text), \
        ##__VA_ARGS__                                                                         \
    }

#define K_STRING(n, d, h, ...)      VIT_KEY(n, VIT_VALUE_STRING, d, h, ##__VA_ARGS__)
#define K_BOOL(n, d, h, ...)        VIT_KEY(n, VIT_VALUE_BOOL, d, h, ##__VA_ARGS__)
#define K_INT(n, d, h, ...)         VIT_KEY(n, VIT_VALUE_INT, d, h, ##__VA_ARGS__)
#define K_SIZE(n, d, h, ...)        VIT_KEY(n, VIT_VALUE_SIZE, d, h, ##__VA_ARGS__)
#define K_ENUM(n, v, d, h, ...)     VIT_KEY(n, VIT_VALUE_ENUM, d, h, .values = v, ##__VA_ARGS__)
#define K_PATH(n, r, d, h, ...)     VIT_KEY(n, VIT_VALUE_PATH, d, h, .role = r, ##__VA_ARGS__)
#define K_ID(n, options, d, h, ...) VIT_KEY(n, VIT_VALUE_ID, d, h, .ref = options, ##__VA_ARGS__)
#define K_NEW_ID(n, d, h, ...)      VIT_KEY(n, VIT_VALUE_NEW_ID, d, h, ##__VA_ARGS__)
#define K_MAC(n, d, h, ...)         VIT_KEY(n, VIT_VALUE_MAC, d, h, ##__VA_ARGS__)
#define K_UUID(n, d, h, ...)        VIT_KEY(n, VIT_VALUE_UUID, d, h, ##__VA_ARGS__)
#define K_ADDRESS(n, d, h, ...)     VIT_KEY(n, VIT_VALUE_ADDRESS, d, h, ##__VA_ARGS__)

extern const VitOptionArea vit_options_machine_area;
extern const VitOptionArea vit_options_boot_area;
extern const VitOptionArea vit_options_smbios_area;
extern const VitOptionArea vit_options_block_area;
extern const VitOptionArea vit_options_device_area;
extern const VitOptionArea vit_options_display_area;
extern const VitOptionArea vit_options_audio_area;
extern const VitOptionArea vit_options_net_area;
extern const VitOptionArea vit_options_chardev_area;
extern const VitOptionArea vit_options_debug_area;
extern const VitOptionArea vit_options_app_area;
extern const VitOptionArea vit_options_object_area;
