/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Activity shows by the icon's opacity and, for screen readers, in its name. The graphs are made
 * when their popover is first opened. */

#include "ui-status-bar.h"

#include "ui-graph.h"

#include <glib/gi18n.h>

/* "100 % · 60 fps · CPU 100 %" */
enum { SPEED_CHARS = 26 };

struct _UiStatusBar {
    GtkBox parent;
    GtkWidget *label;
    GtkWidget *media[VIT_MEDIA_LAST]; /* disk: an image; CD and floppy: menu buttons */
    GtkWidget *media_icons[VIT_MEDIA_LAST];
    GtkWidget *net, *net_icon, *speed_button, *speed_label, *graphs[3];
};

G_DEFINE_FINAL_TYPE(UiStatusBar, ui_status_bar, GTK_TYPE_BOX)

static const char *
media_title(VitMediaRole role)
{
    switch (role) {
    case VIT_MEDIA_CDROM: return _("CD drive");
    case VIT_MEDIA_FLOPPY: return _("Floppy drive");
    default: return _("Hard disk");
    }
}

static void
show_activity(GtkWidget *icon, const char *title, gboolean busy)
{
    g_autofree char *text = busy ? g_strdup_printf(_("%s, working"), title) : g_strdup(title);

    gtk_widget_set_opacity(icon, busy ? 1 : 0.35);
    atk_object_set_name(gtk_widget_get_accessible(icon), text);
}

void
ui_status_bar_set_text(UiStatusBar *bar, const char *text)
{
    gtk_label_set_text(GTK_LABEL(bar->label), text);
    gtk_widget_set_tooltip_text(bar->label, text);
}

void
ui_status_bar_update(UiStatusBar *bar, AppSession *session)
{
    const AppMeter *meter = app_session_get_meter(session);
    const AppMeterSample *now = app_meter_get(meter, 0);
    gboolean running = app_session_get_state(session) == APP_SESSION_RUNNING;
    g_autofree char *text = NULL;

    for (guint i = 0; i < VIT_MEDIA_LAST; i++) {
        show_activity(bar->media_icons[i], media_title(i), now->media_busy[i]);
    }
    show_activity(bar->net_icon, _("Network"), now->net_busy);
    gtk_widget_set_visible(bar->speed_button, running && meter->count > 0);
    /* Translators: speed of the guest's clock, pictures per second, load of its processors */
    text = g_strdup_printf(_("%d %% · %d fps · CPU %d %%"), (int)(now->speed * 100 + 0.5),
                           (int)(now->frames + 0.5), (int)(now->cpu * 100 + 0.5));
    gtk_label_set_text(GTK_LABEL(bar->speed_label), text);
    for (guint i = 0; i < G_N_ELEMENTS(bar->graphs); i++) {
        ui_graph_set_meter(bar->graphs[i], meter);
    }
}

void
ui_status_bar_set_media_menu(UiStatusBar *bar, VitMediaRole role, GMenuModel *menu,
                             const char *text)
{
    if (role == VIT_MEDIA_DISK) {
        return;
    }
    gtk_widget_set_visible(bar->media[role], menu != NULL);
    gtk_menu_button_set_menu_model(GTK_MENU_BUTTON(bar->media[role]), menu);
    gtk_widget_set_tooltip_text(bar->media[role], text);
    atk_object_set_name(gtk_widget_get_accessible(bar->media[role]),
                        text ? text : media_title(role));
}

void
ui_status_bar_set_net_menu(UiStatusBar *bar, GMenuModel *menu, gboolean connected)
{
    const char *text = connected ? _("Network") : _("Network, unplugged");

    gtk_widget_set_sensitive(bar->net, menu != NULL);
    if (menu != gtk_menu_button_get_menu_model(GTK_MENU_BUTTON(bar->net))) {
        gtk_menu_button_set_menu_model(GTK_MENU_BUTTON(bar->net), menu); /* closes an open one */
    }
    gtk_image_set_from_icon_name(GTK_IMAGE(bar->net_icon),
                                 connected ? "network-wired-symbolic"
                                           : "network-wired-disconnected-symbolic",
                                 GTK_ICON_SIZE_MENU);
    gtk_widget_set_tooltip_text(bar->net, text);
    atk_object_set_name(gtk_widget_get_accessible(bar->net), text);
}

static void
on_net_toggled(GtkToggleButton *button, UiStatusBar *bar)
{
    if (gtk_toggle_button_get_active(button)) {
        g_signal_emit_by_name(bar, "net-menu");
    }
}

static GtkWidget *
make_icon(const char *name)
{
    GtkWidget *icon = gtk_image_new_from_icon_name(name, GTK_ICON_SIZE_MENU);

    gtk_widget_set_opacity(icon, 0.35);
    gtk_widget_show(icon);
    return icon;
}

static GtkWidget *
make_media_button(GtkWidget *icon)
{
    GtkWidget *button = gtk_menu_button_new();

    gtk_container_add(GTK_CONTAINER(button), icon);
    gtk_button_set_relief(GTK_BUTTON(button), GTK_RELIEF_NONE);
    gtk_widget_set_focus_on_click(button, FALSE);
    return button;
}

static GtkWidget *
make_graphs(UiStatusBar *bar)
{
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);

    bar->graphs[0] = ui_graph_new(UI_GRAPH_CPU, _("CPU"));
    bar->graphs[1] = ui_graph_new(UI_GRAPH_DISK, _("Disks"));
    bar->graphs[2] = ui_graph_new(UI_GRAPH_NET, _("Network"));
    for (guint i = 0; i < G_N_ELEMENTS(bar->graphs); i++) {
        gtk_container_add(GTK_CONTAINER(box), bar->graphs[i]);
    }
    gtk_container_set_border_width(GTK_CONTAINER(box), 12);
    gtk_widget_show_all(box);
    return box;
}

static void
ui_status_bar_class_init(UiStatusBarClass *klass)
{
    g_signal_new("net-menu", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                 G_TYPE_NONE, 0);
}

static void
ui_status_bar_init(UiStatusBar *bar)
{
    GtkWidget *popover;

    gtk_box_set_spacing(GTK_BOX(bar), 6);
    gtk_style_context_add_class(gtk_widget_get_style_context(GTK_WIDGET(bar)), "machine-status");
    bar->label = gtk_label_new(NULL);
    gtk_label_set_xalign(GTK_LABEL(bar->label), 0);
    gtk_label_set_ellipsize(GTK_LABEL(bar->label), PANGO_ELLIPSIZE_END);
    gtk_box_pack_start(GTK_BOX(bar), bar->label, TRUE, TRUE, 6);

    bar->media_icons[VIT_MEDIA_DISK] = make_icon("drive-harddisk-symbolic");
    bar->media_icons[VIT_MEDIA_CDROM] = make_icon("media-optical-symbolic");
    bar->media_icons[VIT_MEDIA_FLOPPY] = make_icon("media-floppy-symbolic");
    bar->media[VIT_MEDIA_DISK] = bar->media_icons[VIT_MEDIA_DISK];
    for (guint i = VIT_MEDIA_CDROM; i < VIT_MEDIA_LAST; i++) {
        bar->media[i] = make_media_button(bar->media_icons[i]);
    }
    for (guint i = 0; i < VIT_MEDIA_LAST; i++) {
        gtk_box_pack_start(GTK_BOX(bar), bar->media[i], FALSE, FALSE, 0);
    }
    bar->net_icon = make_icon("network-wired-symbolic");
    bar->net = make_media_button(bar->net_icon);
    gtk_widget_show(bar->net);
    g_signal_connect(bar->net, "toggled", G_CALLBACK(on_net_toggled), bar);
    ui_status_bar_set_net_menu(bar, NULL, TRUE);
    gtk_box_pack_start(GTK_BOX(bar), bar->net, FALSE, FALSE, 0);

    bar->speed_button = gtk_menu_button_new();
    bar->speed_label = gtk_label_new(NULL);
    /* other numbers move nothing: neither the icons nor, at a cost, the window's inner windows */
    gtk_label_set_width_chars(GTK_LABEL(bar->speed_label), SPEED_CHARS);
    gtk_label_set_xalign(GTK_LABEL(bar->speed_label), 1);
    gtk_widget_show(bar->speed_label);
    gtk_container_add(GTK_CONTAINER(bar->speed_button), bar->speed_label);
    gtk_button_set_relief(GTK_BUTTON(bar->speed_button), GTK_RELIEF_NONE);
    gtk_widget_set_tooltip_text(bar->speed_button, _("Speed of the guest; click for graphs"));
    popover = gtk_popover_new(bar->speed_button);
    gtk_container_add(GTK_CONTAINER(popover), make_graphs(bar));
    gtk_menu_button_set_popover(GTK_MENU_BUTTON(bar->speed_button), popover);
    gtk_box_pack_end(GTK_BOX(bar), bar->speed_button, FALSE, FALSE, 0);
    gtk_widget_show(bar->label);
}

GtkWidget *
ui_status_bar_new(void)
{
    return g_object_new(UI_TYPE_STATUS_BAR, "visible", TRUE, NULL);
}
