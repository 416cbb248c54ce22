/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the terminal help and the documents made from the schema share. */

#include "vit-option.h"

bool vit_help_is_there(VitStatus status);
/* The status of a declaration within another. */
VitStatus vit_help_status(VitStatus own, VitStatus outer);
VitStatus vit_help_option_status(const VitOption *option);
/* on|off, a|b|c or a word such as FILE. Ownership: caller. */
char *vit_help_value_form(const VitOptionKey *key);
