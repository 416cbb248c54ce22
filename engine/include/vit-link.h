/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Cables of a machine's network cards. Questions go to the machine thread and are answered as those
 * of vit-media.h. Thread: the machine's context. */

#include "vit-machine.h"

G_BEGIN_DECLS

typedef struct {
    char *id;    /* of the card: what the monitor's set_link takes */
    char *model; /* "e1000" */
    gboolean up; /* its cable is plugged in, at both ends */
} VitLink;

void vit_link_free(VitLink *link);

/* The cards that are wired to something. The array owns its VitLink; ownership: caller. */
void vit_machine_list_links_async(VitMachine *machine, GAsyncReadyCallback callback, gpointer data);
GPtrArray *vit_machine_list_links_finish(VitMachine *machine, GAsyncResult *result, GError **error);

/* Pulls the card's cable or plugs it in, as the guest sees at once. */
void vit_machine_set_link_async(VitMachine *machine, const char *id, gboolean up,
                                GAsyncReadyCallback callback, gpointer data);
gboolean vit_machine_set_link_finish(VitMachine *machine, GAsyncResult *result, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitLink, vit_link_free)

G_END_DECLS
