/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Between the files of the machine window: -window (state, closing), -actions (what can be done),
 * ui-media-menu (drives), ui-link-menu (network). */

#include "app-typist.h"
#include "ui-display.h"
#include "ui-machine-window.h"
#include "ui-status-bar.h"
#include "ui-terminal-page.h"
#include "ui-text-window.h"

/* One screen of the guest (ui-machine-screens.c). */
typedef struct {
    UiMachineWindow *window;
    UiDisplay *display;
    GtkWidget *page, *elsewhere; /* of the stack; what it shows while DISPLAY is in OWN */
    GtkWindow *own;              /* a window of its own; NULL */
    gboolean own_fullscreen;
    char *title;
} UiScreen;

struct _UiMachineWindow {
    GtkApplicationWindow parent;
    GtkHeaderBar *header;
    GtkStack *pages;
    GtkWidget *switcher_revealer;
    GtkOverlay *overlay;
    GtkInfoBar *info_bar;
    GtkLabel *info_label, *message_label;
    GtkWidget *message_box, *message_start, *message_resume, *message_reset, *message_off,
        *message_report;
    GtkWidget *status_slot;
    GtkRevealer *fullscreen_bar;
    GtkLabel *fullscreen_title;
    GtkToggleButton *fullscreen_pin;
    GMenu *consoles_section, *media_section, *links_section, *keys_section;

    GPtrArray *screens; /* UiScreen, at least one */
    UiDisplay *display; /* the screen looked at last */
    VitConfig *shown;   /* whose window options were applied last */
    gboolean keep_open; /* the close button does nothing: window-close=off */
    UiStatusBar *status_bar;
    AppTypist *typist;
    AppSession *session;
    VitConfig *config;
    VitMachine *machine; /* whose terminals and media are shown; borrowed, compared only */
    char *title;
    UiTextWindow *log_window; /* weak */
    gboolean closing;         /* waits for the machine to be off */
    gboolean fullscreen;
    guint reveal_timer;
    double zoom;
    GMenu *media_menus[VIT_MEDIA_LAST];
};

void ui_machine_window_add_actions(UiMachineWindow *window);
/* Enables what can be done in the session's state. */
void ui_machine_window_update_actions(UiMachineWindow *window);
void ui_machine_window_hotkey(UiMachineWindow *window, AppHotkey hotkey, guint number);
void ui_machine_window_update_keys_menu(UiMachineWindow *window);
/* A file to write: asks, then calls SAVE with its path. */
typedef void (*UiSaveFunc)(UiMachineWindow *window, const char *path);
void ui_machine_window_ask_path(UiMachineWindow *window, const char *title, const char *suffix,
                                UiSaveFunc save);

void ui_machine_window_on_grab(UiDisplay *display, UiMachineWindow *window);
void ui_machine_window_on_hotkey(UiDisplay *display, int hotkey, guint number,
                                 UiMachineWindow *window);
void ui_machine_window_update_release_key(UiMachineWindow *window);

/* ui-machine-screens.c */
void ui_machine_window_init_screens(UiMachineWindow *window);
void ui_machine_window_make_screens(UiMachineWindow *window, VitMachine *machine);
/* MACHINE NULL: none. */
void ui_machine_window_show_machine(UiMachineWindow *window, VitMachine *machine, gboolean live);
UiDisplay *ui_machine_window_first_display(UiMachineWindow *window);
void ui_machine_window_each_display(UiMachineWindow *window, void (*call)(UiDisplay *, gpointer),
                                    gpointer data);
/* By its page, display or own window; NULL. */
UiScreen *ui_machine_window_screen_of(UiMachineWindow *window, gpointer widget);
void ui_machine_window_set_detached(UiMachineWindow *window, UiScreen *screen, gboolean detached);

/* ui-machine-options.c */
void ui_machine_window_apply_options(UiMachineWindow *window, VitConfig *config);
const char *ui_machine_window_option_release_key(VitConfig *config);
/* Something to say about them; NULL. */
const char *ui_machine_window_option_note(VitConfig *config);

/* ui-media-menu.c */
void ui_machine_window_add_media_actions(UiMachineWindow *window);
/* Asks the machine for its drives and makes the menus anew. */
void ui_machine_window_update_media(UiMachineWindow *window);
/* ui-link-menu.c */
void ui_machine_window_init_links(UiMachineWindow *window);
void ui_machine_window_update_links(UiMachineWindow *window);
/* Puts a dropped image into the drive it suits. */
void ui_machine_window_drop_image(UiMachineWindow *window, const char *path);
