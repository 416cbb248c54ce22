/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The quark of the engine's error domain; see vit-error.h for what each code means.
 * Thread: any. */

#include "vit-error.h"

GQuark
vit_error_quark(void)
{
    return g_quark_from_static_string("vit-error-quark");
}
