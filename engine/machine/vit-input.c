/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The application's side of keyboard and pointer: each call becomes a small event carried to the
 * machine thread, where it enters the input hub. */

#include "facade-private.h"

#include "vit-error.h"

#include <stdatomic.h>

struct _VitInput {
    GObject parent;
    Machine *machine; /* NULL once detached */
    VitInputHub *hub;
    GMainContext *app_context;
    _Atomic unsigned leds;
    _Atomic bool absolute;
};

G_DEFINE_FINAL_TYPE(VitInput, vit_input, G_TYPE_OBJECT)

enum { SIGNAL_LEDS_CHANGED, SIGNAL_POINTER_MODE_CHANGED, SIGNAL_LAST };
static guint signals[SIGNAL_LAST]; /* GObject signal ids, set once in class_init */

typedef enum EventType {
    EVENT_KEY,
    EVENT_MOTION,
    EVENT_POSITION,
    EVENT_BUTTON,
    EVENT_RELEASE,
    EVENT_COMBINATION,
} EventType;

enum { COMBINATION_MAX = 16 };

typedef struct Event {
    VitInput *input;
    EventType type;
    int a, b;
    unsigned keys[COMBINATION_MAX];
    unsigned n_keys;
} Event;

static void update_absolute(VitInput *input);

/* Machine thread. */
static void
event_apply(gpointer data)
{
    Event *event = data;
    VitInputHub *hub = event->input->hub;

    if (!hub) {
        return;
    }
    switch (event->type) {
    case EVENT_KEY: vit_input_key(hub, event->a, event->b); break;
    case EVENT_MOTION: vit_input_relative(hub, event->a, event->b); break;
    case EVENT_POSITION: vit_input_absolute(hub, event->a, event->b); break;
    case EVENT_BUTTON: vit_input_button(hub, event->a, event->b); break;
    case EVENT_RELEASE: vit_input_release_all(hub); break;
    case EVENT_COMBINATION:
        for (unsigned i = 0; i < event->n_keys; i++) {
            vit_input_key(hub, event->keys[i], true);
        }
        for (unsigned i = event->n_keys; i-- > 0;) {
            vit_input_key(hub, event->keys[i], false);
        }
        break;
    }
    vit_input_sync(hub);
    update_absolute(event->input);
    for (guint i = 0; event->input->machine && i < event->input->machine->viewers->len; i++) {
        vit_display_wake(event->input->machine->viewers->pdata[i]);
    }
}

static void
event_free(gpointer data)
{
    Event *event = data;

    g_object_unref(event->input);
    g_free(event);
}

static void
send(VitInput *input, const Event *event)
{
    Event *copy;

    if (!input->machine) {
        return;
    }
    copy = g_memdup2(event, sizeof(*event));
    copy->input = g_object_ref(input);
    machine_invoke(input->machine, event_apply, copy, event_free);
}

void
vit_input_send_key(VitInput *input, unsigned key_code, gboolean down)
{
    send(input, &(Event){ .type = EVENT_KEY, .a = key_code, .b = down });
}

void
vit_input_send_motion(VitInput *input, int dx, int dy)
{
    send(input, &(Event){ .type = EVENT_MOTION, .a = dx, .b = dy });
}

void
vit_input_send_position(VitInput *input, int x, int y)
{
    send(input, &(Event){ .type = EVENT_POSITION,
                          .a = CLAMP(x, 0, VIT_INPUT_ABS_MAX),
                          .b = CLAMP(y, 0, VIT_INPUT_ABS_MAX) });
}

void
vit_input_send_button(VitInput *input, VitPointerButton button, gboolean down)
{
    /* the two enums name the same buttons in the same order */
    G_STATIC_ASSERT((int)VIT_POINTER_LEFT == (int)VIT_BUTTON_LEFT &&
                    (int)VIT_POINTER_WHEEL_RIGHT == (int)VIT_BUTTON_WHEEL_RIGHT);
    send(input, &(Event){ .type = EVENT_BUTTON, .a = button, .b = down });
}

void
vit_input_release_everything(VitInput *input)
{
    send(input, &(Event){ .type = EVENT_RELEASE });
}

gboolean
vit_input_send_combination(VitInput *input, const char *names, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(names, "-", -1);
    Event event = { .type = EVENT_COMBINATION };

    for (unsigned i = 0; parts[i]; i++) {
        unsigned key = vit_key_from_name(parts[i]);

        if (!key || event.n_keys == COMBINATION_MAX) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        key ? "\"%s\" has more than 16 keys"
                            : "there is no key called \"%s\"; names are as in ctrl-alt-delete",
                        key ? names : parts[i]);
            return FALSE;
        }
        event.keys[event.n_keys++] = key;
    }
    send(input, &event);
    return TRUE;
}

gboolean
vit_input_is_absolute(VitInput *input)
{
    return input->absolute;
}

unsigned
vit_input_get_led_state(VitInput *input)
{
    return input->leds;
}

/* ---- From the machine ---- */

static gboolean
emit_leds(gpointer data)
{
    VitInput *input = data;

    g_signal_emit(input, signals[SIGNAL_LEDS_CHANGED], 0, (guint)input->leds);
    return G_SOURCE_REMOVE;
}

static gboolean
emit_pointer_mode(gpointer data)
{
    g_signal_emit(data, signals[SIGNAL_POINTER_MODE_CHANGED], 0);
    return G_SOURCE_REMOVE;
}

static void
on_leds(void *opaque, unsigned leds)
{
    VitInput *input = opaque;

    input->leds = leds;
    facade_post(input->app_context, emit_leds, g_object_ref(input), g_object_unref);
}

static void
update_absolute(VitInput *input)
{
    bool absolute = vit_input_wants_absolute(input->hub);

    if (atomic_exchange(&input->absolute, absolute) != absolute) {
        facade_post(input->app_context, emit_pointer_mode, g_object_ref(input), g_object_unref);
    }
}

VitInput *
vit_input_new_for_hub(Machine *machine, VitInputHub *hub, GMainContext *app_context)
{
    VitInput *input = g_object_new(VIT_TYPE_INPUT, NULL);

    input->machine = machine;
    input->hub = hub;
    input->app_context = g_main_context_ref(app_context);
    input->leds = vit_input_get_leds(hub);
    input->absolute = vit_input_wants_absolute(hub);
    vit_input_set_led_listener(hub, on_leds, input);
    return input;
}

static void
detach(gpointer data)
{
    VitInput *input = data;

    vit_input_set_led_listener(input->hub, NULL, NULL);
    input->hub = NULL;
}

void
vit_input_detach(VitInput *input)
{
    machine_invoke_wait(input->machine, detach, input);
    input->machine = NULL;
}

static void
vit_input_finalize(GObject *object)
{
    VitInput *input = VIT_INPUT(object);

    g_main_context_unref(input->app_context);
    G_OBJECT_CLASS(vit_input_parent_class)->finalize(object);
}

static void
vit_input_class_init(VitInputClass *klass)
{
    GType type = G_TYPE_FROM_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = vit_input_finalize;
    signals[SIGNAL_LEDS_CHANGED] = g_signal_new("leds-changed", type, G_SIGNAL_RUN_LAST, 0, NULL,
                                                NULL, NULL, G_TYPE_NONE, 1, G_TYPE_UINT);
    signals[SIGNAL_POINTER_MODE_CHANGED] = g_signal_new(
        "pointer-mode-changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
vit_input_init(VitInput *input)
{
}
