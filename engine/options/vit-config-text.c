/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A configuration as text: for the pane (each item as it was written), for a shell, as an argument
 * vector. Thread: any that owns the configuration. */

#include <string.h>

#include "vit-config-private.h"
#include "vit-token.h"

const char *
vit_config_item_lead(const VitConfigItem *item, unsigned index)
{
    if (item->lead == NULL || (index > 0 && item->lead[0] == '\0'))
        return index > 0 ? "\n" : "";
    return item->lead;
}

/* Appends everything up to and including the item SERIAL, or all and the tail when it is 0. */
static bool
append_text(VitConfig *config, GString *out, uint32_t serial, size_t *out_start, size_t *out_end)
{
    unsigned shown = 0;

    for (unsigned i = 0; i < config->items->len; i++) {
        const VitConfigItem *item = vit_config_get_item(config, i);

        if (item->type == VIT_ITEM_FOREIGN)
            continue;
        g_string_append(out, vit_config_item_lead(item, shown++));
        *out_start = out->len;
        g_string_append(out, item->source);
        *out_end = out->len;
        if (serial != 0 && item->serial == serial)
            return true;
    }
    g_string_append(out, config->tail);
    return false;
}

char *
vit_config_to_text(VitConfig *config)
{
    GString *out = g_string_new(NULL);
    size_t start, end;

    append_text(config, out, 0, &start, &end);
    return g_string_free(out, FALSE);
}

size_t *
vit_config_places(VitConfig *config)
{
    size_t *places = g_new0(size_t, config->items->len + 1);
    size_t at = 0;
    unsigned shown = 0;

    for (unsigned i = 0; i < config->items->len; i++) {
        const VitConfigItem *item = vit_config_get_item(config, i);

        if (item->type == VIT_ITEM_FOREIGN)
            continue;
        places[i] = at + strlen(vit_config_item_lead(item, shown++));
        at = places[i] + strlen(item->source);
    }
    return places;
}

bool
vit_config_locate(VitConfig *config, uint32_t serial, size_t *out_start, size_t *out_end)
{
    g_autoptr(GString) out = g_string_new(NULL);
    size_t start = 0, end = 0;

    if (serial == 0 || !append_text(config, out, serial, &start, &end))
        return false;
    *out_start = start;
    *out_end = end;
    return true;
}

/* The words as typed, also of what is not understood. */
static void
add_item_words(GPtrArray *argv, const VitConfigItem *item)
{
    VitWords words;

    if (item->type == VIT_ITEM_FOREIGN)
        return;
    vit_words_init(&words, item->source, strlen(item->source), VIT_PARSE_FRAGMENT, NULL);
    for (unsigned i = 0; i < words.n_words; i++)
        if (!words.words[i].is_skipped)
            g_ptr_array_add(argv, g_strdup(words.words[i].text));
    vit_words_finish(&words);
}

char **
vit_config_to_argv(VitConfig *config)
{
    GPtrArray *argv = g_ptr_array_new();

    for (unsigned i = 0; i < config->items->len; i++)
        add_item_words(argv, vit_config_get_item(config, i));
    g_ptr_array_add(argv, NULL);
    return (char **)g_ptr_array_free(argv, FALSE);
}

char *
vit_config_to_shell(VitConfig *config, const char *program)
{
    GString *out = g_string_new(NULL);

    if (program != NULL)
        vit_quote_word(out, program);
    for (unsigned i = 0; i < config->items->len; i++) {
        g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);

        add_item_words(words, vit_config_get_item(config, i));
        if (words->len == 0)
            continue;
        if (out->len > 0)
            g_string_append(out, " \\\n    ");
        for (unsigned j = 0; j < words->len; j++) {
            if (j > 0)
                g_string_append_c(out, ' ');
            vit_quote_word(out, words->pdata[j]);
        }
    }
    g_string_append_c(out, '\n');
    return g_string_free(out, FALSE);
}
