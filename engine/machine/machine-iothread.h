/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* -object iothread and main-loop. Thread: machine, device lock held. */

#include "machine-private.h"

#include "vit-iothread.h"

bool machine_add_iothread(Machine *machine, const char *id, const BlkOptions *props,
                          GError **error);
bool machine_remove_iothread(Machine *machine, const char *id, GError **error);
/* One of its numbers; TEXT NULL: the default. */
bool machine_set_iothread(VitIothread *thread, const char *key, const char *text, GError **error);
bool machine_add_main_loop(Machine *machine, const char *id, const BlkOptions *props,
                           GError **error);
bool machine_remove_main_loop(Machine *machine, const char *id, GError **error);
/* NULL: there is none of that id. */
VitIothread *machine_find_iothread(Machine *machine, const char *id);
/* Their devices are gone; lets go of the lock meanwhile. */
void machine_free_iothreads(Machine *machine);
