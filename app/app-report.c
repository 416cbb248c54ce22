/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The report. Secrets are hidden in a copy of the configuration, by the names of their keys. */

#include "app-report.h"

#include <string.h>
#include <sys/utsname.h>

static gboolean
is_secret(const char *option, const char *key)
{
    return strstr(key, "password") || strstr(key, "passwd") || strcmp(key, "key-secret") == 0 ||
           (strcmp(option, "object") == 0 && strcmp(key, "data") == 0);
}

static VitConfig *
without_secrets(VitConfig *config)
{
    VitConfig *copy = vit_config_copy(config);

    for (unsigned i = 0; i < vit_config_get_n_items(copy); i++) {
        VitConfigItem *item = vit_config_item_ref(vit_config_get_item(copy, i));
        const char *option = vit_config_item_get_name(item);
        guint32 serial = vit_config_item_get_serial(item);

        for (unsigned j = 0; j < vit_config_item_get_n_params(item); j++) {
            const char *key = vit_config_item_get_param_key(item, j);

            if (option && key && is_secret(option, key)) {
                g_autofree char *copy_key = g_strdup(key);

                vit_config_set(copy, serial, copy_key, "(hidden)", NULL);
                break;
            }
        }
        vit_config_item_unref(item);
    }
    return copy;
}

char *
app_report_make(const char *name, VitConfig *config, AppSession *session)
{
    VitMachine *machine = app_session_get_machine(session);
    const char *reason = app_session_get_reason(session);
    GString *out = g_string_new(NULL);
    struct utsname host;

    g_string_append_printf(out, "Vitrine " VITRINE_VERSION "\nMachine: %s\n", name);
    if (uname(&host) == 0) {
        g_string_append_printf(out, "Host: %s %s %s, %u processors\n", host.sysname, host.release,
                               host.machine, g_get_num_processors());
    }
    g_string_append_printf(out, "GLib: %u.%u.%u\n", glib_major_version, glib_minor_version,
                           glib_micro_version);
    g_string_append_printf(out, "State: %s\n",
                           app_session_state_text(app_session_get_state(session)));
    if (reason) {
        g_string_append_printf(out, "Reason: %s\n", reason);
    }
    if (machine) {
        g_string_append_printf(out, "Accelerator: %s\n", vit_machine_get_accel(machine));
    }
    if (config) {
        g_autoptr(VitConfig) copy = without_secrets(config);
        g_autofree char *shell = vit_config_to_shell(copy, "vitrine-run");

        g_string_append_printf(out, "\nArguments:\n%s\n", shell);
    }
    g_string_append_printf(out, "\nLog:\n%s", app_session_get_log(session));
    return g_string_free(out, FALSE);
}
