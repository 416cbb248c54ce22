/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Changes are found by comparing, not by listening to edits: whatever made the configuration
 * another one, its difference from what the machine is like is worked off, one change at a time.
 * What fails is not tried again before the configuration changes once more. */

#include "app-live.h"

#include <glib/gi18n.h>
#include <string.h>

enum { SETTLE_MS = 100 };

struct _AppLive {
    GObject parent;
    VitMachine *machine;
    VitConfig *config, *running;
    VitConfig *next;    /* what the change under way makes of running; NULL when none is */
    GHashTable *failed; /* text of the change -> why */
    GHashTable *asked;  /* id of a device the guest was asked to give free -> text */
    GPtrArray *waiting; /* AppWaiting */
    char *under_way;    /* text of the change */
    guint timer;
};

G_DEFINE_FINAL_TYPE(AppLive, app_live, G_TYPE_OBJECT)

enum { SIGNAL_CHANGED, N_SIGNALS };
static guint signals[N_SIGNALS];

static void work(AppLive *live);

static void
waiting_free(gpointer data)
{
    AppWaiting *waiting = data;

    g_free(waiting->text);
    g_free(waiting->problem);
    g_free(waiting);
}

/* ---- One change ---- */

static void
on_done(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(AppLive) live = data;
    g_autoptr(GError) error = NULL;
    g_autofree char *waits_for = NULL;
    g_autofree char *text = g_steal_pointer(&live->under_way);
    g_autoptr(VitConfig) next = g_steal_pointer(&live->next);

    if (!vit_machine_change_finish(VIT_MACHINE(source), result, &waits_for, &error)) {
        g_hash_table_insert(live->failed, g_steal_pointer(&text), g_strdup(error->message));
    } else {
        g_set_object(&live->running, next);
        if (waits_for) {
            g_hash_table_insert(live->asked, g_steal_pointer(&waits_for), g_steal_pointer(&text));
        }
    }
    work(live);
}

static void
begin(AppLive *live, const AppDifference *difference)
{
    VitConfigItem *old_item = difference->old_item, *new_item = difference->new_item;
    uint32_t serial = vit_config_item_get_serial(old_item ? old_item : new_item);

    live->next = vit_config_copy(live->running);
    live->under_way = g_strdup(difference->text);
    if (!new_item) {
        vit_config_remove(live->next, serial);
    } else {
        vit_config_take(live->next, serial, difference->key, new_item);
    }
    vit_machine_change_async(live->machine, live->next, on_done, g_object_ref(live));
}

/* A device goes before its back end, and comes after it. */
static int
rank(const AppDifference *difference)
{
    const VitConfigItem *item = difference->new_item ? difference->new_item : difference->old_item;
    gboolean is_device = strcmp(vit_config_item_get_name(item), "device") == 0;

    return !is_device ? 1 : difference->new_item ? 2 : 0;
}

static void
add_waiting(AppLive *live, const AppDifference *difference)
{
    const VitConfigItem *item = difference->new_item ? difference->new_item : difference->old_item;
    AppWaiting *waiting = g_new0(AppWaiting, 1);

    waiting->serial = vit_config_item_get_serial(item);
    waiting->option = vit_config_item_get_name(item);
    waiting->option = g_intern_string(waiting->option);
    waiting->key = difference->key;
    waiting->text = g_strdup(difference->text);
    waiting->change = difference->change;
    waiting->problem = g_strdup(g_hash_table_lookup(live->failed, difference->text));
    g_ptr_array_add(live->waiting, waiting);
}

static void
add_asked(AppLive *live)
{
    GHashTableIter iter;
    gpointer text;

    g_hash_table_iter_init(&iter, live->asked);
    while (g_hash_table_iter_next(&iter, NULL, &text)) {
        AppWaiting *waiting = g_new0(AppWaiting, 1);

        waiting->option = g_intern_static_string("device");
        waiting->text = g_strdup(text);
        waiting->change = VIT_CHANGE_HOT;
        waiting->problem = g_strdup(_("The guest was asked to give the device free"));
        g_ptr_array_add(live->waiting, waiting);
    }
}

static void
work(AppLive *live)
{
    const AppDifference *first = NULL;
    g_autoptr(GPtrArray) differences = NULL;

    if (live->next) {
        return; /* goes on when that is done */
    }
    g_ptr_array_set_size(live->waiting, 0);
    differences = live->machine ? app_list_differences(live->running, live->config, live->running)
                                : g_ptr_array_new();
    for (guint i = 0; i < differences->len; i++) {
        const AppDifference *difference = differences->pdata[i];

        if (difference->type == VIT_DIFF_MOVED || difference->type == VIT_DIFF_RAW) {
            continue; /* nothing the machine could tell */
        }
        add_waiting(live, difference);
        if (difference->change == VIT_CHANGE_HOT &&
            !g_hash_table_contains(live->failed, difference->text) &&
            (!first || rank(difference) < rank(first))) {
            first = difference;
        }
    }
    add_asked(live);
    if (first) {
        begin(live, first);
    }
    g_signal_emit(live, signals[SIGNAL_CHANGED], 0);
}

/* ---- News ---- */

static gboolean
on_timer(gpointer data)
{
    AppLive *live = data;

    live->timer = 0;
    g_hash_table_remove_all(live->failed);
    work(live);
    return G_SOURCE_REMOVE;
}

/* A value that is being typed changes often. */
static void
on_config_changed(VitConfig *config, AppLive *live)
{
    g_clear_handle_id(&live->timer, g_source_remove);
    live->timer = g_timeout_add(SETTLE_MS, on_timer, live);
}

static void
on_event(VitMachine *machine, const char *name, const char *data, AppLive *live)
{
    GHashTableIter iter;
    gpointer id;

    if (strcmp(name, "DEVICE_DELETED") != 0 || !data) {
        return;
    }
    g_hash_table_iter_init(&iter, live->asked);
    while (g_hash_table_iter_next(&iter, &id, NULL)) {
        g_autofree char *member = g_strdup_printf("\"device\": \"%s\"", (const char *)id);

        if (strstr(data, member)) {
            g_hash_table_iter_remove(&iter);
            work(live);
            return;
        }
    }
}

static void
on_machine_gone(gpointer data, GObject *machine)
{
    AppLive *live = data;

    live->machine = NULL;
}

/* ---- Access ---- */

AppLive *
app_live_new(VitMachine *machine, VitConfig *built, VitConfig *config)
{
    AppLive *live = g_object_new(APP_TYPE_LIVE, NULL);

    live->machine = machine;
    g_object_weak_ref(G_OBJECT(machine), on_machine_gone, live);
    live->running = vit_config_copy(built);
    live->config = g_object_ref(config);
    g_signal_connect_object(config, "changed", G_CALLBACK(on_config_changed), live, 0);
    g_signal_connect_object(machine, "event", G_CALLBACK(on_event), live, 0);
    on_config_changed(config, live);
    return live;
}

VitConfig *
app_live_get_running(AppLive *live)
{
    return live->running;
}

GPtrArray *
app_live_get_waiting(AppLive *live)
{
    return live->waiting;
}

const AppWaiting *
app_live_find(AppLive *live, const char *option, uint32_t serial, const char *key)
{
    for (guint i = 0; i < live->waiting->len; i++) {
        const AppWaiting *waiting = live->waiting->pdata[i];

        if (strcmp(waiting->option, option) == 0 && (!serial || waiting->serial == serial) &&
            (!waiting->key || !key || strcmp(waiting->key, key) == 0)) {
            return waiting;
        }
    }
    return NULL;
}

/* ---- GObject ---- */

static void
app_live_dispose(GObject *object)
{
    AppLive *live = APP_LIVE(object);

    g_clear_handle_id(&live->timer, g_source_remove);
    if (live->machine) {
        g_object_weak_unref(G_OBJECT(live->machine), on_machine_gone, live);
        live->machine = NULL;
    }
    G_OBJECT_CLASS(app_live_parent_class)->dispose(object);
}

static void
app_live_finalize(GObject *object)
{
    AppLive *live = APP_LIVE(object);

    g_clear_object(&live->config);
    g_clear_object(&live->running);
    g_clear_object(&live->next);
    g_hash_table_unref(live->failed);
    g_hash_table_unref(live->asked);
    g_ptr_array_unref(live->waiting);
    g_free(live->under_way);
    G_OBJECT_CLASS(app_live_parent_class)->finalize(object);
}

static void
app_live_class_init(AppLiveClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = app_live_dispose;
    G_OBJECT_CLASS(klass)->finalize = app_live_finalize;
    signals[SIGNAL_CHANGED] = g_signal_new("changed", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST,
                                           0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
app_live_init(AppLive *live)
{
    live->failed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    live->asked = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    live->waiting = g_ptr_array_new_with_free_func(waiting_free);
}
