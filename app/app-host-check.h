/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The host's side of a configuration (files, memory, ports), looked at on a worker a moment after
 * it was asked for: it may block. Main thread. */

#ifndef APP_HOST_CHECK_H
#define APP_HOST_CHECK_H

#include "vit-engine.h"

typedef struct AppHostCheck AppHostCheck;

typedef void (*AppHostCheckFunc)(gpointer data);

/* FOUND is called after something was found, never after app_host_check_free(). */
AppHostCheck *app_host_check_new(guint delay_ms, AppHostCheckFunc found, gpointer data);
void app_host_check_free(AppHostCheck *check); /* NULL: nothing */

/* What is wrong with CONFIG, as it is when the delay is over, is added to DIAGS. Replaces what was
 * asked before and is not answered yet. */
void app_host_check_ask(AppHostCheck *check, VitConfig *config, VitDiagList *diags);

#endif
