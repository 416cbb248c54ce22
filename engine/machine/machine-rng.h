/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Entropy objects of a machine (machine-rng.c). Thread: machine thread, device lock held. */

#include "machine-private.h"

#include "vit-rng.h"

bool machine_add_rng_builtin(Machine *machine, const char *id, const BlkOptions *props,
                             GError **error);
bool machine_add_rng_random(Machine *machine, const char *id, const BlkOptions *props,
                            GError **error);
bool machine_remove_rng(Machine *machine, const char *id, GError **error);
VitRng *machine_find_rng(Machine *machine, const char *id);
void machine_free_rngs(Machine *machine);
