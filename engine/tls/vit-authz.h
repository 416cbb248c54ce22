/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Who may use a service, by the identity its connection gives (a certificate's name, a user).
 * Thread: the owner's. */

#include <glib.h>
#include <stdbool.h>

typedef struct VitAuthz VitAuthz;

/* Exactly one identity. */
VitAuthz *vit_authz_new_simple(const char *identity);
/* The rules of a JSON file; REFRESH: read again when the file has changed. */
VitAuthz *vit_authz_new_list_file(const char *filename, bool refresh, GError **error);
void vit_authz_free(VitAuthz *authz);
bool vit_authz_is_allowed(VitAuthz *authz, const char *identity);
