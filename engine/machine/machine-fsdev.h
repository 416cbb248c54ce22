/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Shared folders of a machine (machine-fsdev.c). Thread: machine thread, device lock held. */

#include "machine-private.h"

#include "vit-fsdev.h"

bool machine_add_fsdevs(Machine *machine, VitDiagList *diags, GError **error);
VitFsdev *machine_find_fsdev(Machine *machine, const char *id);
/* The devices that use them are gone. */
void machine_free_fsdevs(Machine *machine);
