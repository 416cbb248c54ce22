/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The screens of a machine: one per display device, each a page of the window beside the monitors
 * and ports, or in a window of its own, which is there for a second monitor. window->display is the
 * screen that was looked at last; actions are about it. */

#include "ui-machine-window-private.h"

#include "app-prefs.h"

#include <glib/gi18n.h>

/* ---- Looking up ---- */

UiScreen *
ui_machine_window_screen_of(UiMachineWindow *window, gpointer widget)
{
    for (guint i = 0; i < window->screens->len; i++) {
        UiScreen *screen = window->screens->pdata[i];

        if (screen->page == widget || (gpointer)screen->display == widget ||
            (gpointer)screen->own == widget) {
            return screen;
        }
    }
    return NULL;
}

/* ---- Windows of their own ---- */

static void
attach(UiScreen *screen)
{
    GtkWidget *display = GTK_WIDGET(screen->display);
    GtkWindow *own = g_steal_pointer(&screen->own);

    g_object_ref(display);
    gtk_container_remove(GTK_CONTAINER(gtk_widget_get_parent(display)), display);
    gtk_widget_hide(screen->elsewhere);
    gtk_box_pack_start(GTK_BOX(screen->page), display, TRUE, TRUE, 0);
    g_object_unref(display);
    gtk_widget_destroy(GTK_WIDGET(own));
}

static gboolean
on_own_delete(GtkWidget *own, GdkEventAny *event, UiScreen *screen)
{
    attach(screen);
    return TRUE;
}

/* The guest's keys come first here as well. */
static gboolean
on_own_key(GtkWidget *own, GdkEventKey *event, UiScreen *screen)
{
    return gtk_widget_has_focus(GTK_WIDGET(screen->display)) &&
           gtk_widget_event(GTK_WIDGET(screen->display), (GdkEvent *)event);
}

static gboolean
on_own_state(GtkWidget *own, GdkEventWindowState *event, UiScreen *screen)
{
    if (event->changed_mask & GDK_WINDOW_STATE_FULLSCREEN) {
        screen->own_fullscreen = (event->new_window_state & GDK_WINDOW_STATE_FULLSCREEN) != 0;
        ui_display_set_fullscreen(screen->display, screen->own_fullscreen);
    }
    return FALSE;
}

static gboolean
on_own_focus(GtkWidget *own, GdkEventFocus *event, UiScreen *screen)
{
    screen->window->display = screen->display;
    return FALSE;
}

static void
detach(UiScreen *screen)
{
    UiMachineWindow *window = screen->window;
    GtkWidget *display = GTK_WIDGET(screen->display);
    GtkWidget *own = gtk_window_new(GTK_WINDOW_TOPLEVEL);
    g_autofree char *title = g_strdup_printf("%s – %s", window->title, screen->title);
    int width, height;

    ui_display_get_natural_size(screen->display, &width, &height);
    screen->own = GTK_WINDOW(own);
    gtk_window_set_title(screen->own, title);
    gtk_window_set_default_size(screen->own, width ? width : 640, height ? height : 400);
    gtk_widget_insert_action_group(own, "win", G_ACTION_GROUP(window));
    g_object_ref(display);
    gtk_container_remove(GTK_CONTAINER(screen->page), display);
    gtk_widget_show(screen->elsewhere);
    gtk_container_add(GTK_CONTAINER(own), display);
    g_object_unref(display);
    g_signal_connect(own, "delete-event", G_CALLBACK(on_own_delete), screen);
    g_signal_connect(own, "key-press-event", G_CALLBACK(on_own_key), screen);
    g_signal_connect(own, "key-release-event", G_CALLBACK(on_own_key), screen);
    g_signal_connect(own, "window-state-event", G_CALLBACK(on_own_state), screen);
    g_signal_connect(own, "focus-in-event", G_CALLBACK(on_own_focus), screen);
    gtk_window_present(screen->own);
    gtk_widget_grab_focus(display);
}

void
ui_machine_window_set_detached(UiMachineWindow *window, UiScreen *screen, gboolean detached)
{
    if (detached && !screen->own) {
        detach(screen);
    } else if (!detached && screen->own) {
        attach(screen);
    }
}

/* ---- Making ---- */

static GtkWidget *
make_elsewhere(void)
{
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 12);
    GtkWidget *label = gtk_label_new(_("This screen is in a window of its own."));
    GtkWidget *button = gtk_button_new_with_mnemonic(_("_Bring It Back"));

    gtk_actionable_set_action_name(GTK_ACTIONABLE(button), "win.detach-screen");
    gtk_widget_set_halign(button, GTK_ALIGN_CENTER);
    gtk_container_add(GTK_CONTAINER(box), label);
    gtk_container_add(GTK_CONTAINER(box), button);
    gtk_widget_set_valign(box, GTK_ALIGN_CENTER);
    gtk_widget_set_halign(box, GTK_ALIGN_CENTER);
    gtk_widget_set_hexpand(box, TRUE);
    gtk_widget_show_all(box);
    gtk_widget_hide(box);
    return box;
}

static void
screen_free(gpointer data)
{
    UiScreen *screen = data;

    if (screen->own) {
        attach(screen);
    }
    g_free(screen->title);
    g_free(screen);
}

static void
add_screen(UiMachineWindow *window)
{
    UiScreen *screen = g_new0(UiScreen, 1);
    guint n = window->screens->len;
    g_autofree char *name = n ? g_strdup_printf("screen%u", n + 1) : g_strdup("screen");

    screen->window = window;
    /* Translators: %u is the number of a guest's screen */
    screen->title = n ? g_strdup_printf(_("Screen %u"), n + 1) : g_strdup(_("Screen"));
    screen->page = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
    screen->display = UI_DISPLAY(ui_display_new());
    screen->elsewhere = make_elsewhere();
    gtk_box_pack_start(GTK_BOX(screen->page), GTK_WIDGET(screen->display), TRUE, TRUE, 0);
    gtk_box_pack_end(GTK_BOX(screen->page), screen->elsewhere, TRUE, TRUE, 0);
    gtk_widget_show(GTK_WIDGET(screen->display));
    gtk_widget_show(screen->page);
    g_ptr_array_add(window->screens, screen);
    gtk_stack_add_titled(window->pages, screen->page, name, screen->title);
    g_signal_connect(screen->display, "grab-changed", G_CALLBACK(ui_machine_window_on_grab),
                     window);
    g_signal_connect(screen->display, "hotkey", G_CALLBACK(ui_machine_window_on_hotkey), window);
    if (window->title) {
        atk_object_set_name(gtk_widget_get_accessible(GTK_WIDGET(screen->display)), screen->title);
    }
}

/* The others follow the first in how they are shown and what they take. */
static void
set_up_others(UiMachineWindow *window)
{
    for (guint i = 1; i < window->screens->len; i++) {
        UiScreen *screen = window->screens->pdata[i];

        ui_display_copy_settings(screen->display, ui_machine_window_first_display(window));
    }
}

UiDisplay *
ui_machine_window_first_display(UiMachineWindow *window)
{
    return ((UiScreen *)window->screens->pdata[0])->display;
}

void
ui_machine_window_init_screens(UiMachineWindow *window)
{
    window->screens = g_ptr_array_new_with_free_func(screen_free);
    add_screen(window);
    window->display = ui_machine_window_first_display(window);
}

/* As many screens as MACHINE has, at least one. */
void
ui_machine_window_make_screens(UiMachineWindow *window, VitMachine *machine)
{
    guint n = MAX(vit_machine_get_n_displays(machine), 1);

    while (window->screens->len > n) {
        UiScreen *screen = window->screens->pdata[window->screens->len - 1];
        GtkWidget *page = screen->page;

        if (window->display == screen->display) {
            window->display = ui_machine_window_first_display(window);
        }
        g_ptr_array_remove_index(window->screens, window->screens->len - 1);
        gtk_widget_destroy(page);
    }
    while (window->screens->len < n) {
        add_screen(window);
    }
    set_up_others(window);
}

void
ui_machine_window_show_machine(UiMachineWindow *window, VitMachine *machine, gboolean live)
{
    VitInput *input = machine ? vit_machine_get_input(machine) : NULL;

    for (guint i = 0; i < window->screens->len; i++) {
        UiScreen *screen = window->screens->pdata[i];
        gboolean has = machine && i < vit_machine_get_n_displays(machine);

        ui_display_set_source(screen->display, has ? vit_machine_get_display(machine, i) : NULL,
                              has ? input : NULL);
        ui_display_set_live(screen->display, live);
    }
}

void
ui_machine_window_each_display(UiMachineWindow *window, void (*call)(UiDisplay *, gpointer),
                               gpointer data)
{
    for (guint i = 0; i < window->screens->len; i++) {
        call(((UiScreen *)window->screens->pdata[i])->display, data);
    }
}
