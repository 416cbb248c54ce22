/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The boards of this build. */

#include "board.h"

#include "vit-error.h"

#include <string.h>

static const Board *const boards[] = { &board_pc };

const Board *
board_get(unsigned index)
{
    return index < VIT_ARRAY_LEN(boards) ? boards[index] : NULL;
}

const Board *
board_find(const char *name, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    const char *nearest;

    for (unsigned i = 0; i < VIT_ARRAY_LEN(boards); i++) {
        if (strcmp(boards[i]->name, name) == 0 ||
            (boards[i]->aliases && g_strv_contains(boards[i]->aliases, name))) {
            return boards[i];
        }
        g_ptr_array_add(names, (char *)boards[i]->name);
    }
    nearest = vit_nearest_name(name, (const char *const *)names->pdata, names->len);
    g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                "there is no machine \"%s\"%s%s%s; -machine help lists them", name,
                nearest ? " (did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?)" : "");
    return NULL;
}
