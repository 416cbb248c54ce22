/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Help texts of the command line, made from the option schema and the registry of kinds.
 * Thread: any. Ownership: texts belong to the caller. */

#include "vit-config.h"

G_BEGIN_DECLS

/* When CONFIG asks for help (-help, -version, -machine help, -device e1000,help, ...) the text to
 * print on standard output before ending with status 0; otherwise NULL. */
char *vit_config_help(VitConfig *config, const VitKindRegistry *registry, const char *program);

char *vit_help_text(const char *program);
char *vit_help_version(const char *program);
/* What OPTION takes: the choices when KIND is NULL, otherwise the properties of that kind. */
char *vit_help_option(const VitOption *option, const char *kind, const VitKindRegistry *registry);

/* Documents made from the same tables. */
char *vit_help_man(void);
char *vit_help_bash_completion(void);
char *vit_help_json(void);

G_END_DECLS
