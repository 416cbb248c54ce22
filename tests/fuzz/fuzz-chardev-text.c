/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Device texts as -serial takes them, up to setting the properties they give. */

#include <glib.h>
#include <stdint.h>

#include "vit-char.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(VitChardevText) parsed = vit_chardev_text_parse(text, &error);

    g_assert_true((parsed == NULL) == (error != NULL));
    if (parsed && parsed->kind) {
        vit_chardev_free(vit_char_make_from_text(parsed, "fuzz", NULL));
    }
    return 0;
}
