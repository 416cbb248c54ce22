/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The virtio console device: a bus of up to 15 ports, a pair of queues for each, and a pair that
 * carries control messages. VirtIO 1.2 section 5.3.
 *
 * Port 0 has queues 0 and 1, control 2 and 3, port n (n + 1) * 2. Without the multi-port feature
 * only port 0 is used, and it is open. Thread: device lock held. */

#include "virtio-serial.h"

#include "vit-error.h"

#include <string.h>

VIT_DEVICE_LAYOUT(VirtioSerial)

#define CONSOLE_F_MULTIPORT (1ull << 1)

enum {
    CONFIG_BYTES = 12,
    QUEUE_CONTROL_RECEIVE = 2,
    QUEUE_CONTROL_TRANSMIT = 3,
    QUEUE_SIZE = 128,
    CONTROL_BYTES = 8,
    CONTROL_WAITING_MAX = 256,
};

static VirtioSerial *
serial_of(Virtio *virtio)
{
    return VIRTIO_DEVICE(VirtioSerial, virtio);
}

static unsigned
queue_of_port(unsigned n)
{
    return n == 0 ? 0 : 2 * (n + 1);
}

static int
port_of_queue(unsigned index)
{
    unsigned pair = index / 2;

    return pair == 0 ? 0 : pair == 1 ? -1 : (int)pair - 1;
}

VirtQueue *
virtio_serial_receive_queue(SerialPort *port)
{
    return &port->serial->t.virtio.queues[queue_of_port((unsigned)port->nr)];
}

VirtQueue *
virtio_serial_transmit_queue(SerialPort *port)
{
    return virtio_serial_receive_queue(port) + 1;
}

bool
virtio_serial_has_ports(const VirtioSerial *serial)
{
    return virtio_has(&serial->t.virtio, CONSOLE_F_MULTIPORT);
}

/* ---- control messages ---- */

static void
flush_control(VirtioSerial *serial)
{
    VirtQueue *queue = &serial->t.virtio.queues[QUEUE_CONTROL_RECEIVE];

    while (!g_queue_is_empty(&serial->control) && virtq_is_ready(queue)) {
        VirtioElement *element = virtq_pop(queue, sizeof(*element));
        g_autoptr(GBytes) message = NULL;
        gsize len;
        const void *data;

        if (!element) {
            return;
        }
        message = g_queue_pop_head(&serial->control);
        data = g_bytes_get_data(message, &len);
        virtq_push(queue, element, (uint32_t)vit_sg_write(&element->in, 0, data, len));
        virtq_notify(queue);
    }
}

static void
queue_control(VirtioSerial *serial, unsigned port, uint16_t event, uint16_t value, const char *text)
{
    size_t text_len = text ? strlen(text) : 0;
    GByteArray *message = g_byte_array_new();
    uint8_t head[CONTROL_BYTES] = {
        (uint8_t)port,        0, 0, 0, (uint8_t)event, (uint8_t)(event >> 8), (uint8_t)value,
        (uint8_t)(value >> 8)
    };

    if (!virtio_serial_has_ports(serial) || serial->control.length >= CONTROL_WAITING_MAX) {
        g_byte_array_unref(message);
        return;
    }
    g_byte_array_append(message, head, sizeof(head));
    if (text_len) {
        g_byte_array_append(message, (const uint8_t *)text, (guint)text_len + 1);
    }
    g_queue_push_tail(&serial->control, g_byte_array_free_to_bytes(message));
    flush_control(serial);
}

void
virtio_serial_send(SerialPort *port, uint16_t event, uint16_t value)
{
    queue_control(port->serial, (unsigned)port->nr, event, value, NULL);
}

static void
port_is_ready(VirtioSerial *serial, SerialPort *port)
{
    serial->added |= 1u << port->nr;
    if (port->is_console) {
        virtio_serial_send(port, SERIAL_EVENT_CONSOLE, 1);
    }
    if (port->name) {
        queue_control(serial, (unsigned)port->nr, SERIAL_EVENT_NAME, 1, port->name);
    }
    if (port->host_open) {
        virtio_serial_send(port, SERIAL_EVENT_OPEN, 1);
    }
    virtio_serial_port_receive(port);
}

static void
take_message(VirtioSerial *serial, const uint8_t *message)
{
    uint32_t id = message[0] | message[1] << 8 | message[2] << 16 | (uint32_t)message[3] << 24;
    uint16_t event = (uint16_t)(message[4] | message[5] << 8), value = message[6];
    SerialPort *port = id < SERIAL_PORTS_MAX ? serial->ports[id] : NULL;

    if (event == SERIAL_EVENT_READY) {
        for (unsigned n = 0; value && n < SERIAL_PORTS_MAX; n++) {
            if (serial->ports[n]) {
                virtio_serial_send(serial->ports[n], SERIAL_EVENT_ADD, 1);
            }
        }
        return;
    }
    if (!port) {
        vit_guest_error(serial->t.virtio.dev, "control message %u for port %u, which is not there",
                        event, id);
        return;
    }
    if (event == SERIAL_EVENT_PORT_READY && value) {
        port_is_ready(serial, port);
    } else if (event == SERIAL_EVENT_OPEN) {
        virtio_serial_port_set_guest_open(port, value);
    }
}

static void
handle_control_transmit(VirtQueue *queue)
{
    VirtioSerial *serial = serial_of(queue->virtio);
    VirtioElement *element;

    while ((element = virtq_pop(queue, sizeof(*element)))) {
        uint8_t message[CONTROL_BYTES];

        if (vit_sg_read(&element->out, 0, message, sizeof(message)) == sizeof(message)) {
            take_message(serial, message);
        }
        virtq_push(queue, element, 0);
        virtq_notify(queue);
    }
}

static void
handle_control_receive(VirtQueue *queue)
{
    flush_control(serial_of(queue->virtio));
}

/* ---- data ---- */

static SerialPort *
port_of(VirtQueue *queue)
{
    int n = port_of_queue(queue->index);

    return n >= 0 ? serial_of(queue->virtio)->ports[n] : NULL;
}

static void
handle_receive(VirtQueue *queue)
{
    SerialPort *port = port_of(queue);

    if (port) {
        virtio_serial_port_receive(port);
    }
}

static void
handle_transmit(VirtQueue *queue)
{
    SerialPort *port = port_of(queue);
    VirtioElement *element;

    if (port) {
        virtio_serial_port_transmit(port);
        return;
    }
    while ((element = virtq_pop(queue, sizeof(*element)))) {
        virtq_push(queue, element, 0); /* nobody there */
        virtq_notify(queue);
    }
}

/* ---- ports ---- */

bool
virtio_serial_add(VirtioSerial *serial, SerialPort *port, GError **error)
{
    /* Port 0 is a console's, unless asked for: old drivers know only it, as a console. */
    int first = port->is_console ? 0 : 1;

    for (int n = first; port->nr < 0 && n < (int)serial->max_ports; n++) {
        port->nr = serial->ports[n] ? -1 : n;
    }
    if (port->nr < 0 || port->nr >= (int)serial->max_ports || serial->ports[port->nr]) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    "%s: %s on bus %s; it has ports 0 to %u. Choose another with nr=, or add a "
                    "virtio-serial-pci.",
                    port->dev.kind->name, port->nr < 0 ? "no port is free" : "this port is taken",
                    serial->bus.name, serial->max_ports - 1);
        return false;
    }
    port->serial = serial;
    serial->ports[port->nr] = port;
    if (serial->t.virtio.status & VIRTIO_STATUS_DRIVER_OK) {
        virtio_serial_send(port, SERIAL_EVENT_ADD, 1);
    }
    return true;
}

void
virtio_serial_remove(SerialPort *port)
{
    VirtioSerial *serial = port->serial;

    virtio_serial_send(port, SERIAL_EVENT_REMOVE, 1);
    serial->ports[port->nr] = NULL;
    serial->added &= ~(1u << port->nr);
}

/* ---- the device ---- */

static uint64_t
get_features(Virtio *virtio)
{
    return CONSOLE_F_MULTIPORT;
}

static void
read_config(Virtio *virtio, uint8_t *out)
{
    out[4] = (uint8_t)serial_of(virtio)->max_ports;
}

static void
status_changed(Virtio *virtio)
{
    VirtioSerial *serial = serial_of(virtio);
    SerialPort *port = serial->ports[0];

    /* A driver that knows one port only has it open. */
    if ((virtio->status & VIRTIO_STATUS_DRIVER_OK) && !virtio_serial_has_ports(serial) && port) {
        serial->added = 1;
        virtio_serial_port_set_guest_open(port, true);
    }
}

static void
serial_reset(Virtio *virtio)
{
    VirtioSerial *serial = serial_of(virtio);

    g_queue_clear_full(&serial->control, (GDestroyNotify)g_bytes_unref);
    serial->added = 0;
    for (unsigned n = 0; n < SERIAL_PORTS_MAX; n++) {
        if (serial->ports[n]) {
            virtio_serial_port_set_guest_open(serial->ports[n], false);
        }
    }
}

static void
queue_reset(VirtQueue *queue)
{
}

static bool
serial_realize(Virtio *virtio, GError **error)
{
    VirtioSerial *serial = serial_of(virtio);
    g_autofree char *name =
        g_strdup_printf("%s.0", virtio->dev->id ? virtio->dev->id : "virtio-serial-bus");

    g_queue_init(&serial->control);
    memset(serial->ports, 0, sizeof(serial->ports));
    for (unsigned pair = 0; pair <= serial->max_ports; pair++) {
        bool control = pair == 1;
        virtio_add_queue(virtio, QUEUE_SIZE, control ? handle_control_receive : handle_receive);
        virtio_add_queue(virtio, QUEUE_SIZE, control ? handle_control_transmit : handle_transmit);
    }
    vit_bus_init(&serial->bus, VIT_BUS_VIRTIO_SERIAL, name, virtio->dev, virtio->dev->platform);
    serial->bus.hotplug = true;
    return true;
}

static void
serial_unrealize(Virtio *virtio)
{
    vit_bus_finish(&serial_of(virtio)->bus);
}

static const VirtioOps serial_ops = {
    .device_type = 3,
    .legacy_device = 0x1003,
    .config_len = CONFIG_BYTES,
    .get_features = get_features,
    .read_config = read_config,
    .status_changed = status_changed,
    .reset = serial_reset,
    .queue_reset = queue_reset,
};

static const VitProp props[] = {
    VIT_PROP_UINT(VirtioSerial, max_ports, "max_ports", SERIAL_PORTS_MAX, 1, SERIAL_PORTS_MAX,
                  VIT_N_("Ports the device has room for")),
    VIRTIO_PCI_PROPS(VirtioSerial, t),
    { 0 },
};

static const VitField state[] = {
    VIRTIO_PCI_STATE(VirtioSerial, t),
    VIT_FIELD(VirtioSerial, added),
    VIT_TRANSIENT(VirtioSerial, bus), /* wiring */
    VIT_TRANSIENT(VirtioSerial, ports),
    VIT_TRANSIENT(VirtioSerial, control), /* the driver asks again for what it missed */
    { 0 },
};

static const VirtioPciInfo as_told =
    VIRTIO_PCI_INFO(VIRTIO_PCI_AS_TOLD, &serial_ops, serial_realize, serial_unrealize, 0x0780);
static const VirtioPciInfo transitional =
    VIRTIO_PCI_INFO(VIRTIO_PCI_TRANSITIONAL, &serial_ops, serial_realize, serial_unrealize, 0x0780);
static const VirtioPciInfo modern =
    VIRTIO_PCI_INFO(VIRTIO_PCI_MODERN, &serial_ops, serial_realize, serial_unrealize, 0x0780);

static const char *const aliases[] = { "virtio-serial", NULL };

const VitDeviceKind vit_virtio_serial_pci_kind = VIRTIO_PCI_KIND(
    VirtioSerial, "virtio-serial-pci", VIT_N_("Virtio serial ports"), VIT_CATEGORY_INPUT, props,
    state, as_told, .aliases = aliases, .post_load = virtio_pci_post_load);
const VitDeviceKind vit_virtio_serial_pci_transitional_kind =
    VIRTIO_PCI_KIND(VirtioSerial, "virtio-serial-pci-transitional",
                    VIT_N_("Virtio serial ports, legacy and modern interface"), VIT_CATEGORY_INPUT,
                    props, state, transitional, .post_load = virtio_pci_post_load);
const VitDeviceKind vit_virtio_serial_pci_non_transitional_kind =
    VIRTIO_PCI_KIND(VirtioSerial, "virtio-serial-pci-non-transitional",
                    VIT_N_("Virtio serial ports, modern interface only"), VIT_CATEGORY_INPUT, props,
                    state, modern, .post_load = virtio_pci_post_load);
