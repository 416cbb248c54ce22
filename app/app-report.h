/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A text for whoever is asked for help: version, host, state, arguments, log; without the values of
 * secrets and passwords. Thread: main. */

#include "app-session.h"

G_BEGIN_DECLS

/* CONFIG may be NULL. Ownership: caller. */
char *app_report_make(const char *name, VitConfig *config, AppSession *session);

G_END_DECLS
