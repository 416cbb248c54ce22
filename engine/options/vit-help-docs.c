/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Documents made from the option schema: the manual page of vitrine-run, completion for bash, and
 * the schema itself as JSON. Formats: man(7), bash(1) section "Programmable Completion".
 * Thread: any; nothing here keeps state. */

#include <string.h>

#include "vit-help-private.h"
#include "vit-help.h"
#include "vit-json.h"
#include "vit-option-private.h"

/* ---- manual page --------------------------------------------------------------------------- */

/* Appends TEXT with what roff takes for itself made plain. */
static void
append_roff(GString *out, const char *text)
{
    bool at_start = true;

    for (; *text != '\0'; text++) {
        if (at_start && (*text == '.' || *text == '\''))
            g_string_append(out, "\\&");
        if (*text == '\\')
            g_string_append(out, "\\e");
        else if (*text == '-')
            g_string_append(out, "\\-");
        else
            g_string_append_c(out, *text);
        at_start = *text == '\n';
    }
}

static void
append_values_roff(GString *out, const VitOptionKey *key)
{
    for (const VitOptionValue *v = key->values; v != NULL && v->name != NULL; v++) {
        if (v->help == NULL || !vit_help_is_there(vit_help_status(v->status, VIT_STATUS_AVAILABLE)))
            continue;
        g_string_append(out, ".br\n\\fB");
        append_roff(out, v->name);
        g_string_append(out, "\\fR: ");
        append_roff(out, v->help);
        g_string_append(out, ".\n");
    }
}

static void
append_key_roff(GString *out, const VitOptionKey *key)
{
    g_autofree char *form = vit_help_value_form(key);

    g_string_append(out, ".TP\n\\fB");
    append_roff(out, key->name);
    g_string_append(out, "\\fR=\\fI");
    append_roff(out, form);
    g_string_append(out, "\\fR\n");
    append_roff(out, key->help);
    if (key->def != NULL) {
        g_string_append(out, " (default: ");
        append_roff(out, key->def);
        g_string_append_c(out, ')');
    }
    g_string_append(out, ".\n");
    append_values_roff(out, key);
}

static void
append_keys_roff(GString *out, const VitOptionKey *keys, VitStatus outer)
{
    for (const VitOptionKey *key = keys; key != NULL && key->name != NULL; key++)
        if (vit_help_is_there(vit_help_status(key->status, outer)))
            append_key_roff(out, key);
}

static void
append_option_roff(GString *out, const VitOption *option)
{
    bool is_plain = option->syntax != VIT_SYNTAX_KEYS;

    g_string_append(out, ".TP\n\\fB\\-");
    append_roff(out, option->name);
    g_string_append(out, "\\fR");
    if (option->metavar != NULL) {
        g_string_append(out, " \\fI");
        append_roff(out, option->metavar);
        g_string_append(out, "\\fR");
    }
    g_string_append_c(out, '\n');
    append_roff(out, option->help);
    g_string_append(out, ".\n");
    if (is_plain) {
        if (option->keys != NULL)
            append_values_roff(out, option->keys);
        return;
    }
    g_string_append(out, ".RS\n");
    append_keys_roff(out, option->keys, VIT_STATUS_AVAILABLE);
    for (const VitOptionVariant *v = option->variants; v != NULL && v->name != NULL; v++) {
        if (!vit_help_is_there(vit_help_status(v->status, VIT_STATUS_AVAILABLE)))
            continue;
        g_string_append(out, ".TP\n\\fB");
        append_roff(out, v->name);
        g_string_append(out, "\\fR\n");
        append_roff(out, v->help);
        g_string_append(out, ".\n.RS\n");
        append_keys_roff(out, v->keys, VIT_STATUS_AVAILABLE);
        g_string_append(out, ".RE\n");
    }
    g_string_append(out, ".RE\n");
}

static bool
section_is_new(unsigned index)
{
    for (unsigned i = 0; i < index; i++)
        if (strcmp(vit_option_nth(i)->section, vit_option_nth(index)->section) == 0)
            return false;
    return true;
}

char *
vit_help_man(void)
{
    GString *out = g_string_new(".TH VITRINE\\-RUN 1 \"\" \"Vitrine\" \"User commands\"\n"
                                ".SH NAME\n"
                                "vitrine\\-run \\- run a virtual machine from a command line\n"
                                ".SH SYNOPSIS\n"
                                ".B vitrine\\-run\n"
                                "[\\fIoptions\\fR] [\\fIdisk_image\\fR]\n"
                                ".SH DESCRIPTION\n"
                                "Runs one virtual PC. The disk image becomes its first hard disk. "
                                "A comma that belongs to a value is written twice.\n"
                                "A switch without a value is on. \\fBhelp\\fR as a value lists "
                                "what there is.\n"
                                ".SH OPTIONS\n");
    const VitOption *first, *option;

    for (unsigned i = 0; (first = vit_option_nth(i)) != NULL; i++) {
        bool began = false;

        if (!section_is_new(i))
            continue;
        for (unsigned j = i; (option = vit_option_nth(j)) != NULL; j++) {
            if (strcmp(option->section, first->section) != 0 ||
                !vit_help_is_there(vit_help_option_status(option)))
                continue;
            if (!began)
                g_string_append_printf(out, ".SS %s\n", first->section);
            began = true;
            append_option_roff(out, option);
        }
    }
    g_string_append(out, ".SH EXIT STATUS\n0 after a normal end, 1 when the machine cannot be "
                         "made or fails.\n"
                         ".SH SEE ALSO\n.BR vitrine (1),\n.BR vitrine\\-img (1)\n");
    return g_string_free(out, FALSE);
}

/* ---- completion ---------------------------------------------------------------------------- */

static void
append_names(GString *out, const VitOptionKey *keys, VitStatus outer)
{
    for (const VitOptionKey *key = keys; key != NULL && key->name != NULL; key++)
        if (vit_help_is_there(vit_help_status(key->status, outer)))
            g_string_append_printf(out, " %s=", key->name);
}

/* What may follow an option: its kinds and keys, or its values. */
static void
append_words(GString *out, const VitOption *option)
{
    if (option->syntax != VIT_SYNTAX_KEYS) {
        for (const VitOptionValue *v = option->keys ? option->keys->values : NULL;
             v != NULL && v->name != NULL; v++)
            if (vit_help_is_there(vit_help_status(v->status, VIT_STATUS_AVAILABLE)))
                g_string_append_printf(out, " %s", v->name);
        return;
    }
    for (const VitOptionVariant *v = option->variants; v != NULL && v->name != NULL; v++)
        if (vit_help_is_there(vit_help_status(v->status, VIT_STATUS_AVAILABLE)))
            g_string_append_printf(out, " %s", v->name);
    append_names(out, option->keys, VIT_STATUS_AVAILABLE);
    if (option->flags & VIT_OPT_HELP)
        g_string_append(out, " help");
}

static bool
takes_file(const VitOption *option)
{
    return option->syntax == VIT_SYNTAX_VALUE && option->keys != NULL &&
           option->keys->type == VIT_VALUE_PATH;
}

char *
vit_help_bash_completion(void)
{
    GString *out = g_string_new(
        "# bash completion for vitrine-run, made from its option tables\n\n"
        "_vitrine_run()\n{\n"
        "    local word=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD-1]} words= "
        "before=\n"
        "    compopt +o nospace\n"
        "    case ${option#-} in\n");
    g_autoptr(GString) names = g_string_new(NULL);
    const VitOption *option;

    for (unsigned i = 0; (option = vit_option_nth(i)) != NULL; i++) {
        g_autoptr(GString) words = g_string_new(NULL);

        if (!vit_help_is_there(vit_help_option_status(option)))
            continue;
        g_string_append_printf(names, " -%s", option->name);
        if (option->syntax == VIT_SYNTAX_FLAG)
            continue;
        append_words(words, option);
        /* ${option#-} leaves one dash of the spelling with two. */
        g_string_append_printf(out, "    %s|-%s", option->name, option->name);
        g_auto(GStrv) aliases = g_strsplit(option->aliases ? option->aliases : "", " ", -1);
        for (unsigned a = 0; aliases[a] != NULL && aliases[a][0] != '\0'; a++)
            g_string_append_printf(out, "|%s|-%s", aliases[a], aliases[a]);
        g_string_append(out, ")\n");
        if (takes_file(option))
            g_string_append(out, "        compopt -o filenames\n"
                                 "        COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n");
        else
            g_string_append_printf(out, "        words=\"%s\" ;;\n",
                                   words->len > 0 ? words->str + 1 : "");
    }
    g_string_append_printf(
        out,
        "    esac\n"
        "    if [[ -n $words ]]; then\n"
        "        # After a comma the next key is completed, with what stands before it kept.\n"
        "        [[ $word == *,* ]] && before=${word%%,*},\n"
        "        compopt -o nospace\n"
        "        COMPREPLY=($(compgen -P \"$before\" -W \"$words\" -- \"${word##*,}\"))\n"
        "    elif [[ $word == -* ]]; then\n"
        "        COMPREPLY=($(compgen -W \"%s\" -- \"$word\"))\n"
        "    else\n"
        "        compopt -o filenames\n"
        "        COMPREPLY=($(compgen -f -- \"$word\"))\n"
        "    fi\n"
        "}\n"
        "complete -F _vitrine_run vitrine-run\n",
        names->str + 1);
    return g_string_free(out, FALSE);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static const char *
status_name(VitStatus status)
{
    switch (status) {
    case VIT_STATUS_AVAILABLE: return "available";
    case VIT_STATUS_OTHER_HOST: return "other-host";
    case VIT_STATUS_OTHER_TARGET: return "other-target";
    case VIT_STATUS_REPLACED: return "replaced";
    case VIT_STATUS_NEEDS_HARDWARE: return "needs-hardware";
    default: return "not-yet";
    }
}

static void
append_member(GString *out, const char *name, const char *value)
{
    if (value == NULL)
        return;
    g_string_append_printf(out, ",\"%s\":", name);
    vit_json_append_string(out, value);
}

static void
append_keys_json(GString *out, const VitOptionKey *keys, VitStatus outer)
{
    g_string_append(out, ",\"keys\":[");
    for (const VitOptionKey *key = keys; key != NULL && key->name != NULL; key++) {
        g_autofree char *form = vit_help_value_form(key);

        g_string_append_printf(out, "%s{\"name\":", key == keys ? "" : ",");
        vit_json_append_string(out, key->name);
        append_member(out, "value", form);
        append_member(out, "default", key->def);
        append_member(out, "help", key->help);
        append_member(out, "unit", key->unit);
        append_member(out, "since", key->since);
        append_member(out, "status", status_name(vit_help_status(key->status, outer)));
        g_string_append_c(out, '}');
    }
    g_string_append_c(out, ']');
}

char *
vit_help_json(void)
{
    GString *out = g_string_new("[");
    const VitOption *option;

    for (unsigned i = 0; (option = vit_option_nth(i)) != NULL; i++) {
        VitStatus status = vit_help_option_status(option);

        g_string_append_printf(out, "%s{\"name\":", i == 0 ? "" : ",\n");
        vit_json_append_string(out, option->name);
        append_member(out, "aliases", option->aliases);
        append_member(out, "argument", option->metavar);
        append_member(out, "help", option->help);
        append_member(out, "section", option->section);
        append_member(out, "page", option->page);
        append_member(out, "since", option->since);
        append_member(out, "status", status_name(status));
        append_keys_json(out, option->keys, status);
        g_string_append(out, ",\"kinds\":[");
        for (const VitOptionVariant *v = option->variants; v != NULL && v->name != NULL; v++) {
            g_string_append_printf(out, "%s{\"name\":", v == option->variants ? "" : ",");
            vit_json_append_string(out, v->name);
            append_member(out, "help", v->help);
            append_member(out, "status", status_name(vit_help_status(v->status, status)));
            append_keys_json(out, v->keys, vit_help_status(v->status, status));
            g_string_append_c(out, '}');
        }
        g_string_append(out, "]}");
    }
    g_string_append(out, "]\n");
    return g_string_free(out, FALSE);
}
