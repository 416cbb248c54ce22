/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Cables of a running machine's network cards: in the window's menu and at the status icon, pulled
 * and plugged in as those of a real computer. Which are in is asked again whenever the icon's menu
 * opens, as monitors can change it too. */

#include "ui-machine-window-private.h"

#include <glib/gi18n.h>

#define CARD "card" /* of an action: the id of its card */

static void
on_set(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(UiMachineWindow) window = data;
    g_autoptr(GError) error = NULL;

    if (!vit_machine_set_link_finish(VIT_MACHINE(source), result, &error)) {
        ui_machine_window_show_info(window, GTK_MESSAGE_ERROR, error->message);
    }
    if (window->session) {
        ui_machine_window_update_links(window);
    }
}

/* The state follows when it is done. */
static void
on_change(GSimpleAction *action, GVariant *value, UiMachineWindow *window)
{
    VitMachine *machine = app_session_get_machine(window->session);

    if (machine) {
        vit_machine_set_link_async(machine, g_object_get_data(G_OBJECT(action), CARD),
                                   g_variant_get_boolean(value), on_set, g_object_ref(window));
    }
}

static void
set_action(UiMachineWindow *window, const char *name, const VitLink *link)
{
    GAction *old = g_action_map_lookup_action(G_ACTION_MAP(window), name);
    g_autoptr(GSimpleAction) action = NULL;

    if (old && g_strcmp0(g_object_get_data(G_OBJECT(old), CARD), link->id) == 0) {
        g_simple_action_set_state(G_SIMPLE_ACTION(old), g_variant_new_boolean(link->up));
        return;
    }
    action = g_simple_action_new_stateful(name, NULL, g_variant_new_boolean(link->up));
    g_object_set_data_full(G_OBJECT(action), CARD, g_strdup(link->id), g_free);
    g_signal_connect(action, "change-state", G_CALLBACK(on_change), window);
    g_action_map_add_action(G_ACTION_MAP(window), G_ACTION(action));
}

static void
show_links(UiMachineWindow *window, GPtrArray *links)
{
    guint n_links = links ? links->len : 0;
    gboolean any_up = FALSE;

    if (g_menu_model_get_n_items(G_MENU_MODEL(window->links_section)) != (int)n_links) {
        g_menu_remove_all(window->links_section);
    }
    for (guint i = 0; i < n_links; i++) {
        const VitLink *link = links->pdata[i];
        g_autofree char *name = g_strdup_printf("cable-%u", i);
        g_autofree char *action = g_strdup_printf("win.%s", name);
        /* Translators: a network card, such as “e1000”, and its name */
        g_autofree char *text =
            n_links == 1 ? g_strdup(_("_Network Cable"))
                         : g_strdup_printf(_("Network Cable: %s, %s"), link->model, link->id);

        set_action(window, name, link);
        if (g_menu_model_get_n_items(G_MENU_MODEL(window->links_section)) <= (int)i) {
            g_menu_append(window->links_section, text, action);
        }
        any_up |= link->up;
    }
    ui_status_bar_set_net_menu(window->status_bar,
                               n_links ? G_MENU_MODEL(window->links_section) : NULL,
                               any_up || !n_links);
}

static void
on_listed(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(UiMachineWindow) window = data;
    g_autoptr(GPtrArray) links = vit_machine_list_links_finish(VIT_MACHINE(source), result, NULL);

    if (links && window->session) {
        show_links(window, links);
    }
}

void
ui_machine_window_update_links(UiMachineWindow *window)
{
    VitMachine *machine = app_session_get_machine(window->session);

    if (machine) {
        vit_machine_list_links_async(machine, on_listed, g_object_ref(window));
    } else {
        show_links(window, NULL);
    }
}

static void
on_net_menu(UiStatusBar *bar, UiMachineWindow *window)
{
    ui_machine_window_update_links(window);
}

void
ui_machine_window_init_links(UiMachineWindow *window)
{
    g_signal_connect(window->status_bar, "net-menu", G_CALLBACK(on_net_menu), window);
}
