/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Cables of network cards for the application. Each function starting with "do_" runs on the
 * machine thread with the device lock held. A card's cable is its own end and that of its backend:
 * either can be down, as the monitor's set_link takes both names. */

#include "vit-link.h"

#include "board.h"
#include "facade-private.h"

#include "vit-error.h"
#include "vit-net.h"

#include <string.h>

void
vit_link_free(VitLink *link)
{
    if (link) {
        g_free(link->id);
        g_free(link->model);
        g_free(link);
    }
}

/* The card at the other end of a backend; NULL: none, or a hub. */
static VitNetPort *
card_of(VitNetdev *netdev)
{
    VitNetPort *card = netdev->port.peer;

    return card && machine_find_kind(card->model) ? card : NULL;
}

static void
do_list(FacadeCall *call)
{
    const GPtrArray *netdevs = call->machine->netdevs;
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)vit_link_free);

    for (guint i = 0; i < netdevs->len; i++) {
        const VitNetPort *card = card_of(netdevs->pdata[i]);
        VitLink *link;

        if (card) {
            link = g_new0(VitLink, 1);
            link->id = g_strdup(card->name);
            link->model = g_strdup(card->model);
            link->up = vit_net_port_link_is_up(card);
            g_ptr_array_add(list, link);
        }
    }
    call->result = list;
    call->free_result = (GDestroyNotify)g_ptr_array_unref;
}

void
vit_machine_list_links_async(VitMachine *machine, GAsyncReadyCallback callback, gpointer data)
{
    vit_machine_call(machine, g_task_new(machine, NULL, callback, data),
                     &(FacadeCall){ .run = do_list });
}

GPtrArray *
vit_machine_list_links_finish(VitMachine *machine, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

static void
do_set(FacadeCall *call)
{
    const GPtrArray *netdevs = call->machine->netdevs;

    for (guint i = 0; i < netdevs->len; i++) {
        VitNetPort *card = card_of(netdevs->pdata[i]);

        if (card && strcmp(card->name, call->text) == 0) {
            vit_net_port_set_link(card, call->flag);
            if (call->flag) {
                vit_net_port_set_link(card->peer, true);
            }
            return;
        }
    }
    g_set_error(&call->error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                "There is no network card \"%s\" with a cable", call->text);
}

void
vit_machine_set_link_async(VitMachine *machine, const char *id, gboolean up,
                           GAsyncReadyCallback callback, gpointer data)
{
    vit_machine_call(machine, g_task_new(machine, NULL, callback, data),
                     &(FacadeCall){ .run = do_set, .text = (char *)id, .flag = up });
}

gboolean
vit_machine_set_link_finish(VitMachine *machine, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}
