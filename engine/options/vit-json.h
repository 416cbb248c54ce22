/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A JSON object as a flat list of dotted keys with the place of each value, and back. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    VIT_JSON_NONE = 0, /* not from JSON */
    VIT_JSON_STRING,
    VIT_JSON_NUMBER,
    VIT_JSON_BOOL, /* value "on" or "off" */
    VIT_JSON_NULL, /* value "" */
    VIT_JSON_EMPTY_OBJECT,
    VIT_JSON_EMPTY_ARRAY,
} VitJsonType;

typedef struct {
    char *key; /* file.server.0.host */
    char *value;
    VitJsonType type;
    size_t key_start, key_end, start, end; /* offsets in the text */
} VitJsonLeaf;

/* Reads the object TEXT. Returns an array of VitJsonLeaf that frees its elements, or NULL with
 * *out_at and *out_message set. */
GArray *vit_json_flatten(const char *text, size_t len, size_t *out_at, const char **out_message);

/* Appends the object with the N leaves KEYS, VALUES, TYPES to OUT: nested where keys share a
 * beginning, arrays where names are 0, 1, 2... */
void vit_json_write(GString *out, unsigned n, const char *const *keys, const char *const *values,
                    const uint8_t *types);

void vit_json_append_string(GString *out, const char *text);
