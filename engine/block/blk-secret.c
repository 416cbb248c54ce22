/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Secrets of a graph: passwords and keys that node options name by id. Thread: the graph's lock
 * held. */

#include "blk-graph-private.h"

#include <string.h>

/* Freed memory keeps no password. */
static void
forget(gpointer data)
{
    GBytes *secret = data;
    size_t len;
    const void *bytes = g_bytes_get_data(secret, &len);

    if (bytes) {
        explicit_bzero((void *)bytes, len);
    }
    g_bytes_unref(secret);
}

GHashTable *
blk_secrets_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, forget);
}

void
blk_graph_add_secret(BlkGraph *graph, const char *id, GBytes *secret)
{
    size_t len;
    const void *bytes = g_bytes_get_data(secret, &len);

    g_hash_table_replace(graph->secrets, g_strdup(id), g_bytes_new(bytes, len));
}

void
blk_graph_remove_secret(BlkGraph *graph, const char *id)
{
    g_hash_table_remove(graph->secrets, id);
}

GBytes *
blk_graph_find_secret(BlkGraph *graph, const char *id, GError **error)
{
    GBytes *secret = g_hash_table_lookup(graph->secrets, id);

    if (!secret) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "There is no secret '%s'. Define it with -object secret,id=%s,file=PATH.", id,
                    id);
    }
    return secret;
}

char *
blk_graph_dup_secret_text(BlkGraph *graph, const char *id, GError **error)
{
    GBytes *secret = blk_graph_find_secret(graph, id, error);
    const char *bytes;
    size_t len;

    if (!secret) {
        return NULL;
    }
    bytes = g_bytes_get_data(secret, &len);
    if (len > 0 && bytes[len - 1] == '\n') {
        len--;
    }
    if (!g_utf8_validate(bytes, (gssize)len, NULL)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The secret '%s' is not text, so it cannot be a password.", id);
        return NULL;
    }
    return g_strndup(bytes, len);
}
