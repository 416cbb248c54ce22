/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A "vc" character device as a terminal of the application. Output is gathered under a mutex and
 * announced by one idle source at a time; typed keys and sizes go to the machine thread. Like the
 * screen, the object outlives its machine harmlessly. */

#include "facade-private.h"

#include "vit-char.h"

#include <string.h>

struct _VitTerminal {
    GObject parent;
    char *id;
    VitTerminalRole role;
    guint number;
    GMainContext *app_context;
    Machine *machine; /* NULL once detached; application's context */
    VitChardev *chr;  /* machine thread; NULL once detached */
    VitCharVcView view;
    gboolean opened;

    GMutex mutex;       /* guards what follows */
    GByteArray *output; /* not yet announced */
    gboolean posted;
};

G_DEFINE_FINAL_TYPE(VitTerminal, vit_terminal, G_TYPE_OBJECT)

enum { SIGNAL_OUTPUT, SIGNAL_LAST };
static guint signals[SIGNAL_LAST]; /* GObject signal ids, set once in class_init */

/* ---- Output ---- */

static gboolean
emit_output(gpointer data)
{
    VitTerminal *terminal = data;
    GBytes *bytes;

    g_mutex_lock(&terminal->mutex);
    bytes = g_byte_array_free_to_bytes(terminal->output);
    terminal->output = g_byte_array_new();
    terminal->posted = FALSE;
    g_mutex_unlock(&terminal->mutex);
    g_signal_emit(terminal, signals[SIGNAL_OUTPUT], 0, bytes);
    g_bytes_unref(bytes);
    return G_SOURCE_REMOVE;
}

/* Machine or vCPU thread. */
static void
on_output(void *opaque, const uint8_t *buf, size_t len)
{
    VitTerminal *terminal = opaque;
    gboolean post;

    g_mutex_lock(&terminal->mutex);
    g_byte_array_append(terminal->output, buf, len);
    if (terminal->output->len > VIT_TERMINAL_BACKLOG_BYTES) {
        g_byte_array_remove_range(terminal->output, 0,
                                  terminal->output->len - VIT_TERMINAL_BACKLOG_BYTES);
    }
    post = !terminal->posted;
    terminal->posted = TRUE;
    g_mutex_unlock(&terminal->mutex);
    if (post) {
        facade_post(terminal->app_context, emit_output, g_object_ref(terminal), g_object_unref);
    }
}

static void
do_open(gpointer data)
{
    VitTerminal *terminal = data;

    if (terminal->chr) {
        vit_char_vc_add_view(terminal->chr, &terminal->view);
    }
}

/* The reference that a request held is dropped where objects end: in the application's context. */
static gboolean
nothing(gpointer data)
{
    return G_SOURCE_REMOVE;
}

static void
unref_in_app(gpointer data)
{
    facade_post(((VitTerminal *)data)->app_context, nothing, data, g_object_unref);
}

void
vit_terminal_open(VitTerminal *terminal)
{
    if (!terminal->opened && terminal->machine) {
        terminal->opened = TRUE;
        machine_invoke(terminal->machine, do_open, g_object_ref(terminal), unref_in_app);
    }
}

/* ---- Input ---- */

typedef struct Typed {
    VitTerminal *terminal;
    GBytes *bytes; /* NULL: a size */
    guint columns, rows;
} Typed;

static void
do_typed(gpointer data)
{
    Typed *typed = data;
    VitChardev *chr = typed->terminal->chr;

    if (chr && typed->bytes) {
        vit_char_vc_input(chr, g_bytes_get_data(typed->bytes, NULL),
                          g_bytes_get_size(typed->bytes));
    } else if (chr) {
        vit_char_vc_set_size(chr, typed->columns, typed->rows);
    }
}

static void
typed_free(gpointer data)
{
    Typed *typed = data;

    unref_in_app(typed->terminal);
    g_clear_pointer(&typed->bytes, g_bytes_unref);
    g_free(typed);
}

static void
send(VitTerminal *terminal, const Typed *typed)
{
    Typed *copy;

    if (terminal->machine) {
        copy = g_memdup2(typed, sizeof(*typed));
        copy->terminal = g_object_ref(terminal);
        machine_invoke(terminal->machine, do_typed, copy, typed_free);
    } else if (typed->bytes) {
        g_bytes_unref(typed->bytes);
    }
}

void
vit_terminal_write(VitTerminal *terminal, const char *text, gsize len_bytes)
{
    send(terminal, &(Typed){ .bytes = g_bytes_new(text, len_bytes) });
}

void
vit_terminal_set_size(VitTerminal *terminal, guint columns, guint rows)
{
    send(terminal, &(Typed){ .columns = columns, .rows = rows });
}

/* ---- Getters ---- */

const char *
vit_terminal_get_id(VitTerminal *terminal)
{
    return terminal->id;
}

VitTerminalRole
vit_terminal_get_role(VitTerminal *terminal)
{
    return terminal->role;
}

guint
vit_terminal_get_number(VitTerminal *terminal)
{
    return terminal->number;
}

/* ---- Creation by the machine ---- */

static VitTerminalRole
role_of(Machine *machine, const VitChardev *chr)
{
    if (g_str_has_prefix(chr->id, "serial")) {
        return VIT_TERMINAL_SERIAL;
    }
    if (g_str_has_prefix(chr->id, "parallel")) {
        return VIT_TERMINAL_PARALLEL;
    }
    for (guint i = 0; i < machine->plan->monitors->len; i++) {
        const VitPlanMonitor *monitor = machine->plan->monitors->pdata[i];

        if (g_strcmp0(monitor->chardev, chr->id) == 0) {
            return VIT_TERMINAL_MONITOR;
        }
    }
    return VIT_TERMINAL_OTHER;
}

void
facade_add_terminals(Machine *machine, GMainContext *app_context, GPtrArray *terminals)
{
    for (guint i = 0; i < machine->chardevs->len; i++) {
        VitChardev *chr = machine->chardevs->pdata[i];
        VitTerminal *terminal;

        if (!vit_char_is_vc(chr)) {
            continue;
        }
        terminal = g_object_new(VIT_TYPE_TERMINAL, NULL);
        terminal->id = g_strdup(chr->id);
        terminal->role = role_of(machine, chr);
        terminal->app_context = g_main_context_ref(app_context);
        terminal->machine = machine;
        terminal->chr = chr;
        for (guint j = 0; j < terminals->len; j++) {
            terminal->number += ((VitTerminal *)terminals->pdata[j])->role == terminal->role;
        }
        g_ptr_array_add(terminals, terminal);
    }
}

static void
do_detach(gpointer data)
{
    VitTerminal *terminal = data;

    vit_char_vc_remove_view(terminal->chr, &terminal->view);
    terminal->chr = NULL;
}

void
vit_terminal_detach(VitTerminal *terminal)
{
    machine_invoke_wait(terminal->machine, do_detach, terminal);
    terminal->machine = NULL;
}

/* ---- GObject ---- */

static void
vit_terminal_finalize(GObject *object)
{
    VitTerminal *terminal = VIT_TERMINAL(object);

    g_byte_array_unref(terminal->output);
    g_main_context_unref(terminal->app_context);
    g_mutex_clear(&terminal->mutex);
    g_free(terminal->id);
    G_OBJECT_CLASS(vit_terminal_parent_class)->finalize(object);
}

static void
vit_terminal_class_init(VitTerminalClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = vit_terminal_finalize;
    signals[SIGNAL_OUTPUT] = g_signal_new("output", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0,
                                          NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_BYTES);
}

static void
vit_terminal_init(VitTerminal *terminal)
{
    g_mutex_init(&terminal->mutex);
    terminal->output = g_byte_array_new();
    terminal->view = (VitCharVcView){ .output = on_output, .opaque = terminal };
}
