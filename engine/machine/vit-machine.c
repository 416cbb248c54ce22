/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The application's VitMachine: requests go to the machine thread, news come back as idle sources
 * in the application's context. What getters return is a copy kept here, written only in the
 * application's context, so that no getter waits for the engine. */

#include "facade-private.h"

#include "vit-error.h"

#include <stdlib.h>

struct _VitMachine {
    GObject parent;
    Machine *machine;
    GMainContext *context;
    GPtrArray *displays;  /* VitDisplay */
    GPtrArray *terminals; /* VitTerminal */
    VitInput *input;

    /* as last told by the machine thread */
    VitMachineState state;
    VitStopCause cause;
    int exit_status;
    char *reason;

    guint stats_interval_ms;
    VitStats stats;
    GSource *stats_timer; /* machine thread */
};

G_DEFINE_FINAL_TYPE(VitMachine, vit_machine, G_TYPE_OBJECT)

enum {
    SIGNAL_STATE_CHANGED,
    SIGNAL_GUEST_ERROR,
    SIGNAL_EVENT,
    SIGNAL_MEDIA_CHANGED,
    SIGNAL_STATS,
    SIGNAL_LAST
};
static guint signals[SIGNAL_LAST]; /* GObject signal ids, set once in class_init */

/* ---- News from the machine ---- */

typedef struct News {
    VitMachine *facade; /* a reference */
    VitMachineState state;
    VitStopCause cause;
    int exit_status;
    char *text, *data;
} News;

static void
news_free(gpointer data)
{
    News *news = data;

    g_object_unref(news->facade);
    g_free(news->text);
    g_free(news->data);
    g_free(news);
}

/* NULL once the application has let go of the machine. */
static News *
news_new(Machine *machine)
{
    News *news = NULL;

    g_mutex_lock(&machine->control);
    if (machine->facade) {
        news = g_new0(News, 1);
        news->facade = g_object_ref(machine->facade);
        news->text = g_strdup(machine->failure);
    }
    g_mutex_unlock(&machine->control);
    return news;
}

static gboolean
deliver_state(gpointer data)
{
    News *news = data;
    VitMachine *facade = news->facade;

    facade->state = news->state;
    facade->cause = news->cause;
    facade->exit_status = news->exit_status;
    g_free(facade->reason);
    facade->reason = g_steal_pointer(&news->text);
    if (facade->machine) {
        g_signal_emit(facade, signals[SIGNAL_STATE_CHANGED], 0, (int)news->state);
    }
    return G_SOURCE_REMOVE;
}

void
machine_post_state(Machine *machine)
{
    News *news = news_new(machine);

    if (!news) {
        return;
    }
    news->state = machine->state;
    news->cause = machine->stop_cause;
    news->exit_status = machine->exit_status;
    facade_post(machine->app_context, deliver_state, news, news_free);
}

static gboolean
deliver_event(gpointer data)
{
    News *news = data;

    if (news->facade->machine) {
        g_signal_emit(news->facade, signals[SIGNAL_EVENT], 0, news->text, news->data);
        if (g_strcmp0(news->text, "DEVICE_TRAY_MOVED") == 0) {
            g_signal_emit(news->facade, signals[SIGNAL_MEDIA_CHANGED], 0);
        }
    }
    return G_SOURCE_REMOVE;
}

void
machine_post_event_to_app(Machine *machine, const char *name, const char *json_data)
{
    News *news = news_new(machine);

    if (!news) {
        return;
    }
    g_free(news->text);
    news->text = g_strdup(name);
    news->data = g_strdup(json_data);
    facade_post(machine->app_context, deliver_event, news, news_free);
}

static gboolean
deliver_guest_error(gpointer data)
{
    News *news = data;

    if (news->facade->machine) {
        g_signal_emit(news->facade, signals[SIGNAL_GUEST_ERROR], 0, news->text);
    }
    return G_SOURCE_REMOVE;
}

void
machine_post_guest_error(Machine *machine, const char *line)
{
    News *news = news_new(machine);

    if (!news) {
        return;
    }
    g_free(news->text);
    news->text = g_strdup(line);
    facade_post(machine->app_context, deliver_guest_error, news, news_free);
}

/* ---- Statistics ---- */

typedef struct Sample {
    VitMachine *facade; /* a reference */
    VitStats stats;
} Sample;

static gboolean
deliver_sample(gpointer data)
{
    Sample *sample = data;
    VitMachine *facade = sample->facade;

    if (facade->machine && facade->stats_interval_ms) {
        facade->stats = sample->stats;
        g_signal_emit(facade, signals[SIGNAL_STATS], 0);
    }
    return G_SOURCE_REMOVE;
}

static void
sample_free(gpointer data)
{
    g_object_unref(((Sample *)data)->facade);
    g_free(data);
}

/* Machine thread. */
static gboolean
take_sample(gpointer data)
{
    Machine *machine = data;
    Sample *sample = NULL;

    g_mutex_lock(&machine->control);
    if (machine->facade) {
        sample = g_new0(Sample, 1);
        sample->facade = g_object_ref(machine->facade);
    }
    g_mutex_unlock(&machine->control);
    if (sample) {
        facade_sample_stats(machine, &sample->stats);
        for (guint i = 0; i < sample->facade->displays->len; i++) {
            sample->stats.frames += vit_display_count_frames(sample->facade->displays->pdata[i]);
        }
        facade_post(machine->app_context, deliver_sample, sample, sample_free);
    }
    return G_SOURCE_CONTINUE;
}

static void
drop_stats_timer(VitMachine *facade)
{
    if (facade->stats_timer) {
        g_source_destroy(facade->stats_timer);
        g_clear_pointer(&facade->stats_timer, g_source_unref);
    }
}

static void
do_stats_interval(FacadeCall *call)
{
    VitMachine *facade = call->object;
    guint interval_ms = strtoul(call->text, NULL, 10);

    drop_stats_timer(facade);
    if (interval_ms) {
        facade->stats_timer = g_timeout_source_new(interval_ms);
        g_source_set_callback(facade->stats_timer, take_sample, call->machine, NULL);
        g_source_attach(facade->stats_timer, call->machine->context);
        take_sample(call->machine);
    }
}

void
vit_machine_set_stats_interval(VitMachine *machine, guint interval_ms)
{
    g_autofree char *text = g_strdup_printf("%u", interval_ms);

    if (machine->stats_interval_ms != interval_ms) {
        machine->stats_interval_ms = interval_ms;
        vit_machine_call(
            machine, g_task_new(machine, NULL, NULL, NULL),
            &(FacadeCall){ .run = do_stats_interval, .text = text, .object = machine });
    }
}

const VitStats *
vit_machine_get_stats(VitMachine *machine)
{
    return &machine->stats;
}

/* ---- Life ---- */

void
vit_machine_call(VitMachine *machine, GTask *task, const FacadeCall *call)
{
    facade_call(machine->machine, machine->context, task, call);
}

VitMachine *
vit_machine_new(VitConfig *config, GMainContext *context, VitDiagList *diags, GError **error)
{
    g_autoptr(GMainContext) app_context =
        context ? g_main_context_ref(context) : g_main_context_ref(g_main_context_default());
    Machine *machine = machine_new(config, app_context, diags, error);
    VitMachine *facade;

    if (!machine) {
        return NULL;
    }
    facade = g_object_new(VIT_TYPE_MACHINE, NULL);
    facade->machine = machine;
    facade->context = g_steal_pointer(&app_context);
    facade->displays = g_ptr_array_new_with_free_func(g_object_unref);
    facade->terminals = g_ptr_array_new_with_free_func(g_object_unref);
    vit_lock_take(&machine->lock);
    for (guint i = 0; i < machine->platform.consoles->len; i++) {
        g_ptr_array_add(facade->displays,
                        vit_display_new_for_console(machine, machine->platform.consoles->pdata[i],
                                                    facade->context));
    }
    facade_add_terminals(machine, facade->context, facade->terminals);
    facade->input = vit_input_new_for_hub(machine, machine->platform.input, facade->context);
    machine->facade = facade;
    vit_lock_release(&machine->lock);
    machine_thread_start(machine);
    machine_vcpus_start(machine);
    return facade;
}

static void
vit_machine_dispose(GObject *object)
{
    VitMachine *facade = VIT_MACHINE(object);
    Machine *machine = facade->machine;

    if (machine) {
        g_mutex_lock(&machine->control);
        machine->facade = NULL;
        g_mutex_unlock(&machine->control);
        machine_vcpus_stop(machine);
        for (guint i = 0; i < facade->displays->len; i++) {
            vit_display_detach(facade->displays->pdata[i]);
        }
        for (guint i = 0; i < facade->terminals->len; i++) {
            vit_terminal_detach(facade->terminals->pdata[i]);
        }
        vit_input_detach(facade->input);
        machine_thread_stop(machine);
        drop_stats_timer(facade);
        facade->machine = NULL;
        machine_free(machine);
    }
    g_clear_pointer(&facade->displays, g_ptr_array_unref);
    g_clear_pointer(&facade->terminals, g_ptr_array_unref);
    g_clear_object(&facade->input);
    g_clear_pointer(&facade->context, g_main_context_unref);
    g_clear_pointer(&facade->reason, g_free);
    G_OBJECT_CLASS(vit_machine_parent_class)->dispose(object);
}

/* ---- Control ---- */

static void
do_start(gpointer data)
{
    machine_set_running(data, true);
}

static void
do_pause(gpointer data)
{
    machine_set_running(data, false);
}

static void
do_power_button(gpointer data)
{
    machine_power_button(data);
}

void
vit_machine_start(VitMachine *machine)
{
    machine_invoke(machine->machine, do_start, machine->machine, NULL);
}

void
vit_machine_pause(VitMachine *machine)
{
    machine_invoke(machine->machine, do_pause, machine->machine, NULL);
}

void
vit_machine_power_button(VitMachine *machine)
{
    machine_invoke(machine->machine, do_power_button, machine->machine, NULL);
}

void
vit_machine_reset(VitMachine *machine)
{
    machine_request(machine->machine, MACHINE_REQUEST_RESET, VIT_CAUSE_HOST_RESET, 0);
}

void
vit_machine_stop(VitMachine *machine)
{
    machine_request(machine->machine, MACHINE_REQUEST_SHUTDOWN, VIT_CAUSE_HOST_QUIT, 0);
}

/* ---- Getters ---- */

VitMachineState
vit_machine_get_state(VitMachine *machine)
{
    return machine->state;
}

VitStopCause
vit_machine_get_stop_cause(VitMachine *machine)
{
    return machine->cause;
}

const char *
vit_machine_get_reason(VitMachine *machine)
{
    return machine->reason;
}

int
vit_machine_get_exit_status(VitMachine *machine)
{
    return machine->exit_status;
}

const char *
vit_machine_get_name(VitMachine *machine)
{
    return machine->machine->plan->name;
}

const char *
vit_machine_get_accel(VitMachine *machine)
{
    return machine->machine->accel_name;
}

unsigned
vit_machine_get_n_displays(VitMachine *machine)
{
    return machine->displays->len;
}

VitDisplay *
vit_machine_get_display(VitMachine *machine, unsigned index)
{
    return index < machine->displays->len ? machine->displays->pdata[index] : NULL;
}

VitInput *
vit_machine_get_input(VitMachine *machine)
{
    return machine->input;
}

unsigned
vit_machine_get_n_terminals(VitMachine *machine)
{
    return machine->terminals->len;
}

VitTerminal *
vit_machine_get_terminal(VitMachine *machine, unsigned index)
{
    return index < machine->terminals->len ? machine->terminals->pdata[index] : NULL;
}

/* ---- GObject ---- */

static void
vit_machine_class_init(VitMachineClass *klass)
{
    GType type = G_TYPE_FROM_CLASS(klass);

    G_OBJECT_CLASS(klass)->dispose = vit_machine_dispose;
    signals[SIGNAL_STATE_CHANGED] = g_signal_new("state-changed", type, G_SIGNAL_RUN_LAST, 0, NULL,
                                                 NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT);
    signals[SIGNAL_GUEST_ERROR] = g_signal_new("guest-error", type, G_SIGNAL_RUN_LAST, 0, NULL,
                                               NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
    signals[SIGNAL_EVENT] = g_signal_new("event", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                         G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_STRING);
    signals[SIGNAL_MEDIA_CHANGED] =
        g_signal_new("media-changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
    signals[SIGNAL_STATS] =
        g_signal_new("stats", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
vit_machine_init(VitMachine *machine)
{
}
