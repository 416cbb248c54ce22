/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The one-word form of a character device that -serial, -monitor and their like take. */

#include "vit-config.h"

typedef struct {
    char *key, *value;
    size_t start, end; /* bytes of the text */
} VitChardevParam;

typedef struct {
    bool is_none;        /* "none": no device at all */
    bool is_mux;         /* "mon:": shared with a monitor */
    char *chardev_id;    /* "chardev:ID": an existing one; backend is NULL then */
    const char *backend; /* name of a variant of -chardev; const */
    GArray *params;      /* VitChardevParam, keys of that variant */
} VitChardevSpec;

/* Reads TEXT. On failure *out_start..*out_end is the place in TEXT that is wrong, and the error's
 * code tells a thing of another host from a mistake. */
bool vit_chardev_spec_init(VitChardevSpec *spec, const char *text, size_t *out_start,
                           size_t *out_end, GError **error);
void vit_chardev_spec_finish(VitChardevSpec *spec);

const char *vit_chardev_spec_get(const VitChardevSpec *spec, const char *key);
