/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The quark of the engine's error domain; see vit-error.h for what each code means.
 * Thread: any. */

#include "vit-error.h"

G_DEFINE_QUARK(vit - error - quark, vit_error)
