/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Readers of configurations: argument texts, machine.conf, the ini form. The first byte says which
 * reader and whether the rest is the text itself or a string of words from a list, which is how
 * random bytes become text worth reading. Whatever was read must print, save and load back. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vit-help.h"
#include "vit-plan.h"
#include "vit-types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MODE_TEXT, MODE_ARGV, MODE_CONF, MODE_INI, N_MODES, FLAG_WORDS = 0x80, MAX_BYTES = 4096 };

static const char *const words[] = {
    " ",
    "\n",
    ",",
    ",,",
    "=",
    "-",
    "--",
    "'",
    "\"",
    "\\",
    "\\\n",
    "#",
    "$x",
    "`",
    "{",
    "}",
    "[",
    "]",
    ":",
    ";",
    "&",
    ">",
    ".",
    "+",
    "@",
    "\t",
    "\r",
    "é",
    "\xff",
    "0",
    "1",
    "512",
    "4G",
    "on",
    "off",
    "no",
    "help",
    "id",
    "a",
    "-m ",
    "-smp ",
    "-drive ",
    "-device ",
    "-netdev ",
    "-nic ",
    "-chardev ",
    "-serial ",
    "-global ",
    "-set ",
    "-cpu ",
    "-machine ",
    "-object ",
    "-blockdev ",
    "-display ",
    "-boot ",
    "-append ",
    "-S",
    "-frob ",
    "file",
    "if",
    "none",
    "ide",
    "driver",
    "e1000",
    "user",
    "tcp:",
    "unix:",
    "mon:",
    "stdio",
    "vc:80Cx24C",
    "chardev:",
    "json:",
    "qemu-kvm",
    "sudo ",
    "[vitrine]\n",
    "[drive:d0]\n",
    "[device#2]\n",
    "[raw]\n",
    "[image]\n",
    "[m]\n",
    "@source=",
    "@lead=",
    "@json=",
    "text=",
    "format=1\n",
    "min-reader=1\n",
    "separator=",
    "\\s",
    "\\n",
    "[memory]\n",
    "[drive \"d\"]\n",
    " = \"",
    "\"\n",
    "true",
    "null",
    "\"driver\":",
};

static char *
make_text(const uint8_t *data, size_t size, bool use_words)
{
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < size && text->len < MAX_BYTES; i++) {
        if (use_words)
            g_string_append(text, words[data[i] % VIT_ARRAY_LEN(words)]);
        else if (data[i] != '\0')
            g_string_append_c(text, (char)data[i]);
    }
    return g_string_free(text, FALSE);
}

static void
require(bool ok)
{
    if (!ok)
        abort();
}

static void
require_same(const char *a, const char *b)
{
    if (strcmp(a, b) == 0)
        return;
    g_printerr("<<<%s>>>\n<<<%s>>>\n", a, b);
    abort();
}

static void
check_places(VitConfig *config, VitDiagList *diags)
{
    g_autofree char *text = vit_config_to_text(config);

    vit_diag_list_sort(diags);
    for (unsigned i = 0; i < vit_diag_list_get_n(diags); i++) {
        const VitDiag *diag = vit_diag_list_get(diags, i);

        require(diag->start <= diag->end && diag->end <= strlen(text));
        g_free(vit_diag_format(diag, text, "fuzz", 80));
    }
}

/* Same items, same text, by way of the text and by way of machine.conf. */
static void
check_round_trip(VitConfig *config)
{
    g_autofree char *text = vit_config_to_text(config);
    g_autofree char *conf = vit_config_to_conf(config);
    g_autoptr(VitConfig) loaded = vit_config_load_data(conf, -1, NULL, NULL, NULL);

    require(loaded != NULL);
    g_autofree char *text2 = vit_config_to_text(loaded);
    require_same(text, text2);
    require(vit_config_equal(config, loaded));
    g_autofree char *conf2 = vit_config_to_conf(loaded);
    require_same(conf, conf2);
}

static void
check_edits(VitConfig *original, const uint8_t *data, size_t size)
{
    /* A copy has nothing to undo yet. */
    g_autoptr(VitConfig) config = vit_config_copy(original);
    unsigned n = vit_config_get_n_items(config);

    if (n == 0 || size < 2)
        return;
    VitConfigItem *item = vit_config_get_item(config, data[0] % n);
    uint32_t serial = vit_config_item_get_serial(item);
    unsigned n_params = vit_config_item_get_n_params(item);
    g_autofree char *before = vit_config_to_text(config);

    if (n_params > 0 && vit_config_item_get_item_type(item) != VIT_ITEM_FOREIGN) {
        g_autofree char *key = g_strdup(vit_config_item_get_param_key(item, data[1] % n_params));
        vit_config_set(config, serial, key, data[1] & 1 ? "v" : "a,b=c", NULL);
        check_round_trip(config);
    }
    vit_config_move(config, serial, data[1] % n);
    vit_config_remove(config, serial);
    check_round_trip(config);
    while (vit_config_undo(config))
        ;
    g_autofree char *after = vit_config_to_text(config);
    require_same(before, after);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(VitDiagList) diags = vit_diag_list_new();
    g_autoptr(VitConfig) config = NULL;

    if (size < 1)
        return 0;
    unsigned mode = (data[0] & 0x7f) % N_MODES;
    g_autofree char *text = make_text(data + 1, size - 1, (data[0] & FLAG_WORDS) != 0);
    if (mode == MODE_CONF) {
        config = vit_config_load_data(text, -1, NULL, diags, NULL);
    } else if (mode == MODE_INI) {
        config = vit_config_new();
        vit_config_read_ini(config, text, "fuzz", diags, NULL);
    } else if (mode == MODE_ARGV) {
        g_auto(GStrv) argv = g_strsplit(text, " ", -1);
        config = vit_config_parse_argv((int)g_strv_length(argv), (const char *const *)argv, diags);
    } else {
        config = vit_config_parse(text, VIT_PARSE_DEFAULT, diags);
        g_autofree char *again = vit_config_to_text(config);
        require_same(text, again);
    }
    if (config == NULL)
        return 0;
    check_round_trip(config);
    vit_config_validate(config, NULL, diags);
    vit_machine_plan_free(vit_config_normalize(config, diags));
    check_places(config, diags);
    g_free(vit_config_help(config, NULL, "fuzz"));
    g_free(vit_config_to_ini(config));
    g_free(vit_config_to_shell(config, "fuzz"));
    check_edits(config, data, size);
    return 0;
}
