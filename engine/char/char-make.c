/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Finds kinds by name and makes devices from names and values. Names of back ends that exist
 * elsewhere, or that this version does not have, get an answer of their own.
 * Thread: any. */

#include "vit-char.h"

#include <string.h>

#include "vit-error.h"

static const VitAbsentName absent_kinds[] = {
    { "console", VIT_ERROR_OTHER_HOST, "the console back end exists only on Windows hosts" },
    { "parallel", VIT_ERROR_NOT_AVAILABLE_YET, "host parallel ports" },
    { "parport", VIT_ERROR_NOT_AVAILABLE_YET, "host parallel ports" },
    { "msmouse", VIT_ERROR_NOT_AVAILABLE_YET, "a serial mouse fed by the display" },
    { "wctablet", VIT_ERROR_NOT_AVAILABLE_YET, "a serial tablet fed by the display" },
    { "braille", VIT_ERROR_NOT_AVAILABLE_YET, "braille output through brlapi" },
    { "testdev", VIT_ERROR_NOT_AVAILABLE_YET, "the test device" },
    { "spicevmc", VIT_ERROR_NOT_AVAILABLE_YET, "channels to a SPICE client" },
    { "spiceport", VIT_ERROR_NOT_AVAILABLE_YET, "ports to a SPICE client" },
    { "qemu-vdagent", VIT_ERROR_NOT_AVAILABLE_YET, "the built-in SPICE agent" },
    { "dbus", VIT_ERROR_NOT_AVAILABLE_YET, "ports over D-Bus" },
    { "tcp", VIT_ERROR_INVALID_ARGUMENT, "write socket,host=HOST,port=PORT" },
    { "unix", VIT_ERROR_INVALID_ARGUMENT, "write socket,path=PATH" },
    { "telnet", VIT_ERROR_INVALID_ARGUMENT, "write socket,host=HOST,port=PORT,telnet=on" },
};

static bool
kind_is_called(const VitChardevKind *kind, const char *name)
{
    return strcmp(kind->name, name) == 0 || (kind->aliases && g_strv_contains(kind->aliases, name));
}

const VitChardevKind *
vit_char_find_kind(const char *name, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (const VitChardevKind *const *kind = vit_char_kinds; *kind; kind++) {
        if (kind_is_called(*kind, name)) {
            return *kind;
        }
        g_ptr_array_add(names, (gpointer)(*kind)->name);
    }
    if (vit_set_absent_error(absent_kinds, G_N_ELEMENTS(absent_kinds), "character device kind",
                             name, error)) {
        return NULL;
    }
    const char *near = vit_nearest_name(name, (const char *const *)names->pdata, names->len);
    if (near) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "there is no character device kind '%s'; did you mean '%s'?", name, near);
    } else {
        g_ptr_array_add(names, NULL);
        g_autofree char *list = g_strjoinv(", ", (char **)names->pdata);
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "there is no character device kind '%s'; there are %s", name, list);
    }
    return NULL;
}

VitChardev *
vit_char_make(const char *kind_name, const char *id, const char *const *keys,
              const char *const *values, size_t n, GError **error)
{
    const VitChardevKind *kind = vit_char_find_kind(kind_name, error);

    if (!kind) {
        return NULL;
    }
    g_autoptr(VitChardev) chr = vit_chardev_new(kind, id);
    for (size_t i = 0; i < n; i++) {
        if (!vit_chardev_set(chr, keys[i], values[i], error)) {
            return NULL;
        }
    }
    return g_steal_pointer(&chr);
}

VitChardev *
vit_char_make_from_text(const VitChardevText *parsed, const char *id, GError **error)
{
    g_return_val_if_fail(parsed->kind, NULL);
    return vit_char_make(parsed->kind, id, (const char *const *)parsed->keys->pdata,
                         (const char *const *)parsed->values->pdata, parsed->keys->len, error);
}
