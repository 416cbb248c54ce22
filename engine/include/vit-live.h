/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Changing a machine while it exists: what can be changed then is declared with the options
 * (VIT_CHANGE_HOT), and done by the same calls that the monitors' commands make. */

#include "vit-machine.h"

G_BEGIN_DECLS

/* When a change counts in a machine that was built from RUNNING. ITEM is as it would be, or as it
 * was when it is to go. KEY NULL: the whole instance comes (IS_THERE false) or goes. Looks at what
 * the instance is: the file of a hard disk waits, that of a CD drive does not. Pure. */
VitChange vit_live_class(VitConfig *running, const VitConfigItem *item, const char *key,
                         bool is_there, const VitKindRegistry *registry);

/* Makes KEY of the item SERIAL what it is in FROM, all its uses; false when there is no such item.
 * With KEY NULL FROM is put in the place of the item, or at the end, with its own serial. */
bool vit_config_take(VitConfig *config, uint32_t serial, const char *key,
                     const VitConfigItem *from);

/* Makes the machine what NEXT says, which differs from what it is by live changes alone. When one
 * of them fails, those before it stand. Thread: the machine's context. */
void vit_machine_change_async(VitMachine *machine, VitConfig *next, GAsyncReadyCallback callback,
                              gpointer data);
/* *OUT_WAITS_FOR: id of a device that the guest was asked to give free, else NULL; event
 * DEVICE_DELETED says when it is gone. Ownership: caller. */
gboolean vit_machine_change_finish(VitMachine *machine, GAsyncResult *result, char **out_waits_for,
                                   GError **error);

/* Whether the engine has what changes KEY (NULL: the instance) of OPTION; for the test that holds
 * the declarations to it. */
bool vit_live_is_built(const char *option, const char *key);

G_END_DECLS
