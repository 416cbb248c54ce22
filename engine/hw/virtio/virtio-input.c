/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The virtio input devices: keyboard, mouse, tablet. VirtIO 1.2 section 5.8; events are those of
 * Linux's input layer (its types and codes are that interface).
 *
 * A device takes part in input while a driver runs it, so that a PS/2 one serves until then. What
 * happens between two syncs goes to the driver as one batch, or not at all when it has not offered
 * enough buffers. Thread: device lock held. */

#include "virtio-pci.h"

#include "vit-input-hub.h"

#include <string.h>

enum {
    EVENT_SYN = 0,
    EVENT_KEY = 1,
    EVENT_REL = 2,
    EVENT_ABS = 3,
    EVENT_LED = 0x11,
    EVENT_REP = 0x14,

    REL_X = 0,
    REL_Y = 1,
    REL_HWHEEL = 6,
    REL_WHEEL = 8,
    ABS_X = 0,
    ABS_Y = 1,
    BUTTON_LEFT = 0x110,
    BUTTON_RIGHT = 0x111,
    BUTTON_MIDDLE = 0x112,
    BUTTON_SIDE = 0x113,
    BUTTON_EXTRA = 0x114,

    CONFIG_BYTES = 136,
    CONFIG_DATA = 8,
    SELECT_NAME = 1,
    SELECT_SERIAL = 2,
    SELECT_IDS = 3,
    SELECT_EVENT_BITS = 0x11,
    SELECT_ABS_INFO = 0x12,

    QUEUE_EVENTS = 0,
    QUEUE_STATUS = 1,
    QUEUE_SIZE = 64,
    EVENT_BYTES = 8,
    BATCH_MAX = 16,
    BUS_VIRTUAL = 6,
};

typedef enum InputRole { ROLE_KEYBOARD, ROLE_MOUSE, ROLE_TABLET } InputRole;

typedef struct InputEvent {
    uint16_t type, code;
    uint32_t value;
} InputEvent;

typedef struct VirtioInput {
    VirtioPci t; /* first */
    char *serial;
    uint8_t select, subselect;
    /* not saved */
    uint8_t role; /* InputRole, of the kind */
    bool is_active;
    uint32_t batch_count;
    InputEvent batch[BATCH_MAX];
    VitInputHandler handler;
} VirtioInput;
VIT_DEVICE_LAYOUT(VirtioInput)

static VirtioInput *
input_of(Virtio *virtio)
{
    return VIRTIO_DEVICE(VirtioInput, virtio);
}

/* ---- events to the driver ---- */

static void
add_event(VirtioInput *input, uint16_t type, uint16_t code, uint32_t value)
{
    if (input->batch_count < BATCH_MAX) {
        input->batch[input->batch_count++] = (InputEvent){ type, code, value };
    }
}

static void
send_batch(VirtioInput *input)
{
    VirtQueue *queue = &input->t.virtio.queues[QUEUE_EVENTS];
    VirtioElement *elements[BATCH_MAX];
    unsigned taken = 0, slots = 0;

    while (taken < input->batch_count && virtq_is_ready(queue)) {
        elements[taken] = virtq_pop(queue, sizeof(*elements[taken]));
        if (!elements[taken]) {
            break;
        }
        taken++;
    }
    if (taken < input->batch_count) {
        while (taken > 0) {
            virtq_unpop(queue, elements[--taken]);
        }
    }
    for (unsigned n = 0; n < taken; n++) {
        uint8_t bytes[EVENT_BYTES];
        memcpy(bytes, &input->batch[n], EVENT_BYTES);
        slots +=
            virtq_fill(queue, elements[n],
                       (uint32_t)vit_sg_write(&elements[n]->in, 0, bytes, EVENT_BYTES), n, slots);
    }
    if (taken > 0) {
        virtq_flush(queue, taken, slots);
        virtq_notify(queue);
    }
    input->batch_count = 0;
}

static void
on_key(void *opaque, unsigned key_code, bool down)
{
    add_event(opaque, EVENT_KEY, (uint16_t)key_code, down);
}

static void
on_relative(void *opaque, int dx, int dy)
{
    if (dx) {
        add_event(opaque, EVENT_REL, REL_X, (uint32_t)dx);
    }
    if (dy) {
        add_event(opaque, EVENT_REL, REL_Y, (uint32_t)dy);
    }
}

static void
on_absolute(void *opaque, int x, int y)
{
    add_event(opaque, EVENT_ABS, ABS_X, (uint32_t)x);
    add_event(opaque, EVENT_ABS, ABS_Y, (uint32_t)y);
}

static const uint16_t button_codes[VIT_BUTTON_LAST] = {
    [VIT_BUTTON_LEFT] = BUTTON_LEFT,   [VIT_BUTTON_MIDDLE] = BUTTON_MIDDLE,
    [VIT_BUTTON_RIGHT] = BUTTON_RIGHT, [VIT_BUTTON_SIDE] = BUTTON_SIDE,
    [VIT_BUTTON_EXTRA] = BUTTON_EXTRA,
};

static void
on_button(void *opaque, VitInputButton button, bool down)
{
    if (button < VIT_BUTTON_LAST && button_codes[button]) {
        add_event(opaque, EVENT_KEY, button_codes[button], down);
        return;
    }
    if (!down) {
        return;
    }
    switch (button) {
    case VIT_BUTTON_WHEEL_UP: add_event(opaque, EVENT_REL, REL_WHEEL, 1); break;
    case VIT_BUTTON_WHEEL_DOWN: add_event(opaque, EVENT_REL, REL_WHEEL, UINT32_MAX); break;
    case VIT_BUTTON_WHEEL_LEFT: add_event(opaque, EVENT_REL, REL_HWHEEL, UINT32_MAX); break;
    case VIT_BUTTON_WHEEL_RIGHT: add_event(opaque, EVENT_REL, REL_HWHEEL, 1); break;
    default: break;
    }
}

static void
on_sync(void *opaque)
{
    VirtioInput *input = opaque;

    if (input->batch_count > 0) {
        add_event(input, EVENT_SYN, 0, 0);
        send_batch(input);
    }
}

static void
set_active(VirtioInput *input, bool active)
{
    VitInputHub *hub = input->t.pci.dev.platform->input;

    if (active == input->is_active) {
        return;
    }
    input->is_active = active;
    input->batch_count = 0;
    if (active) {
        vit_input_hub_add(hub, &input->handler);
    } else {
        vit_input_hub_remove(hub, &input->handler);
    }
}

/* ---- events from the driver: lights ---- */

static void
handle_status(VirtQueue *queue)
{
    VirtioInput *input = input_of(queue->virtio);
    VitInputHub *hub = input->t.pci.dev.platform->input;
    /* num, caps, scroll lock as bits of the hub's */
    static const uint8_t lights[] = { 2, 4, 1 };
    VirtioElement *element;

    while ((element = virtq_pop(queue, sizeof(*element)))) {
        InputEvent event = { 0 };

        vit_sg_read(&element->out, 0, &event, EVENT_BYTES);
        if (event.type == EVENT_LED && event.code < VIT_ARRAY_LEN(lights)) {
            unsigned leds = vit_input_get_leds(hub);
            leds = event.value ? leds | lights[event.code] : leds & ~(unsigned)lights[event.code];
            vit_input_set_leds(hub, leds);
        }
        virtq_push(queue, element, 0);
        virtq_notify(queue);
    }
}

static void
handle_events(VirtQueue *queue)
{
    /* Buffers are taken when something happens. */
}

/* ---- configuration ---- */

static void
set_bit(uint8_t *bits, unsigned n, uint8_t *len)
{
    if (n / 8 < CONFIG_BYTES - CONFIG_DATA) {
        bits[n / 8] |= (uint8_t)(1u << n % 8);
        *len = (uint8_t)MAX(*len, n / 8 + 1);
    }
}

static void
fill_event_bits(const VirtioInput *input, uint8_t *bits, uint8_t *len)
{
    bool is_keyboard = input->role == ROLE_KEYBOARD;

    switch (input->subselect) {
    case EVENT_KEY:
        for (unsigned n = 0; is_keyboard && vit_key_nth(n); n++) {
            set_bit(bits, vit_key_nth(n)->code, len);
        }
        for (unsigned n = 0; !is_keyboard && n < VIT_BUTTON_LAST; n++) {
            if (button_codes[n]) {
                set_bit(bits, button_codes[n], len);
            }
        }
        break;
    case EVENT_REL:
        if (input->role == ROLE_MOUSE) {
            set_bit(bits, REL_X, len);
            set_bit(bits, REL_Y, len);
        }
        if (!is_keyboard) {
            set_bit(bits, REL_WHEEL, len);
            set_bit(bits, REL_HWHEEL, len);
        }
        break;
    case EVENT_ABS:
        if (input->role == ROLE_TABLET) {
            set_bit(bits, ABS_X, len);
            set_bit(bits, ABS_Y, len);
        }
        break;
    case EVENT_LED:
        for (unsigned n = 0; is_keyboard && n < 3; n++) {
            set_bit(bits, n, len);
        }
        break;
    case EVENT_REP:
        if (is_keyboard) {
            set_bit(bits, 0, len);
        }
        break;
    default: break;
    }
}

static void
put_text(uint8_t *out, const char *text, uint8_t *len)
{
    *len = (uint8_t)MIN(text ? strlen(text) : 0, CONFIG_BYTES - CONFIG_DATA);
    if (*len) {
        memcpy(out, text, *len);
    }
}

static void
read_config(Virtio *virtio, uint8_t *out)
{
    VirtioInput *input = input_of(virtio);
    static const char *const names[] = {
        [ROLE_KEYBOARD] = "Vitrine Virtio Keyboard",
        [ROLE_MOUSE] = "Vitrine Virtio Mouse",
        [ROLE_TABLET] = "Vitrine Virtio Tablet",
    };
    uint8_t *data = out + CONFIG_DATA;
    uint16_t ids[4] = { BUS_VIRTUAL, 0x0627, (uint16_t)(input->role + 1), 1 };
    uint32_t axis[5] = { 0, VIT_INPUT_ABS_MAX };

    out[0] = input->select;
    out[1] = input->subselect;
    switch (input->select) {
    case SELECT_NAME: put_text(data, names[input->role], &out[2]); break;
    case SELECT_SERIAL: put_text(data, input->serial, &out[2]); break;
    case SELECT_IDS:
        memcpy(data, ids, sizeof(ids));
        out[2] = sizeof(ids);
        break;
    case SELECT_EVENT_BITS: fill_event_bits(input, data, &out[2]); break;
    case SELECT_ABS_INFO:
        if (input->role == ROLE_TABLET && input->subselect <= ABS_Y) {
            memcpy(data, axis, sizeof(axis));
            out[2] = sizeof(axis);
        }
        break;
    default: break;
    }
}

static void
write_config(Virtio *virtio, unsigned at, unsigned len, const uint8_t *data)
{
    VirtioInput *input = input_of(virtio);

    input->select = data[0];
    input->subselect = data[1];
}

/* ---- the devices ---- */

static uint64_t
get_features(Virtio *virtio)
{
    return 0;
}

static void
status_changed(Virtio *virtio)
{
    set_active(input_of(virtio), virtio->status & VIRTIO_STATUS_DRIVER_OK);
}

static void
input_reset(Virtio *virtio)
{
    VirtioInput *input = input_of(virtio);

    set_active(input, false);
    input->select = input->subselect = 0;
}

static void
queue_reset(VirtQueue *queue)
{
}

static bool
realize(Virtio *virtio, InputRole role)
{
    VirtioInput *input = input_of(virtio);

    input->role = (uint8_t)role;
    input->handler = (VitInputHandler){
        .name = virtio->dev->kind->name,
        .key = role == ROLE_KEYBOARD ? on_key : NULL,
        .relative = role == ROLE_MOUSE ? on_relative : NULL,
        .absolute = role == ROLE_TABLET ? on_absolute : NULL,
        .button = role == ROLE_KEYBOARD ? NULL : on_button,
        .sync = on_sync,
        .opaque = input,
    };
    virtio_add_queue(virtio, QUEUE_SIZE, handle_events);
    virtio_add_queue(virtio, QUEUE_SIZE, handle_status);
    return true;
}

static bool
keyboard_realize(Virtio *virtio, GError **error)
{
    return realize(virtio, ROLE_KEYBOARD);
}

static bool
mouse_realize(Virtio *virtio, GError **error)
{
    return realize(virtio, ROLE_MOUSE);
}

static bool
tablet_realize(Virtio *virtio, GError **error)
{
    return realize(virtio, ROLE_TABLET);
}

static bool
input_post_load(VitDevice *dev, unsigned version, GError **error)
{
    VirtioInput *input = (VirtioInput *)dev;

    set_active(input, input->t.virtio.status & VIRTIO_STATUS_DRIVER_OK);
    return virtio_pci_post_load(dev, version, error);
}

static const VirtioOps input_ops = {
    .device_type = 18,
    .config_len = CONFIG_BYTES,
    .get_features = get_features,
    .read_config = read_config,
    .write_config = write_config,
    .status_changed = status_changed,
    .reset = input_reset,
    .queue_reset = queue_reset,
};

static const VitProp props[] = {
    VIT_PROP_STRING(VirtioInput, serial, "serial", NULL, VIT_N_("Serial number")),
    VIRTIO_PCI_PROPS(VirtioInput, t),
    { 0 },
};

static const VitField state[] = {
    VIRTIO_PCI_STATE(VirtioInput, t),
    VIT_FIELD(VirtioInput, select),
    VIT_FIELD(VirtioInput, subselect),
    VIT_TRANSIENT(VirtioInput, role),        /* of the kind */
    VIT_TRANSIENT(VirtioInput, is_active),   /* follows the status */
    VIT_TRANSIENT(VirtioInput, batch_count), /* between two syncs */
    VIT_TRANSIENT(VirtioInput, batch),
    VIT_TRANSIENT(VirtioInput, handler), /* given to the hub */
    { 0 },
};

static const VirtioPciInfo keyboard =
    VIRTIO_PCI_INFO(VIRTIO_PCI_MODERN, &input_ops, keyboard_realize, NULL, 0x0900);
static const VirtioPciInfo mouse =
    VIRTIO_PCI_INFO(VIRTIO_PCI_MODERN, &input_ops, mouse_realize, NULL, 0x0902);
static const VirtioPciInfo tablet =
    VIRTIO_PCI_INFO(VIRTIO_PCI_MODERN, &input_ops, tablet_realize, NULL, 0x0980);

static const char *const keyboard_aliases[] = { "virtio-keyboard", NULL };
static const char *const mouse_aliases[] = { "virtio-mouse", NULL };
static const char *const tablet_aliases[] = { "virtio-tablet", NULL };

const VitDeviceKind vit_virtio_keyboard_pci_kind = VIRTIO_PCI_KIND(
    VirtioInput, "virtio-keyboard-pci", VIT_N_("Virtio keyboard"), VIT_CATEGORY_INPUT, props, state,
    keyboard, .aliases = keyboard_aliases, .post_load = input_post_load);
const VitDeviceKind vit_virtio_mouse_pci_kind =
    VIRTIO_PCI_KIND(VirtioInput, "virtio-mouse-pci", VIT_N_("Virtio mouse"), VIT_CATEGORY_INPUT,
                    props, state, mouse, .aliases = mouse_aliases, .post_load = input_post_load);
const VitDeviceKind vit_virtio_tablet_pci_kind =
    VIRTIO_PCI_KIND(VirtioInput, "virtio-tablet-pci", VIT_N_("Virtio tablet (absolute pointer)"),
                    VIT_CATEGORY_INPUT, props, state, tablet, .aliases = tablet_aliases,
                    .post_load = input_post_load);
