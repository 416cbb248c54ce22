/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Between the files of the machine window: -window (state, closing), -actions (what can be done),
 * ui-media-menu (drives). */

#include "app-typist.h"
#include "ui-display.h"
#include "ui-machine-window.h"
#include "ui-status-bar.h"
#include "ui-terminal-page.h"
#include "ui-text-window.h"

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
    GMenu *consoles_section, *media_section, *keys_section;

    UiDisplay *display;
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

/* ui-media-menu.c */
void ui_machine_window_add_media_actions(UiMachineWindow *window);
/* Asks the machine for its drives and makes the menus anew. */
void ui_machine_window_update_media(UiMachineWindow *window);
/* Puts a dropped image into the drive it suits. */
void ui_machine_window_drop_image(UiMachineWindow *window, const char *path);
