/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Ports of the virtio console device: virtconsole (a console) and virtserialport (a named channel,
 * such as guest agents use). VirtIO 1.2 section 5.3.6.
 *
 * Bytes from the guest go to the character device as it takes them; a port whose back end is closed
 * drops them. The guest's opening and closing of a named port is told as VSERPORT_CHANGE.
 * Thread: device lock held. */

#include "virtio-serial.h"

#include <string.h>

VIT_DEVICE_LAYOUT(SerialPort)

enum { PIECE_BYTES = 4096, ROOM_MAX = 64 * 1024 };

/* ---- from the guest ---- */

void
virtio_serial_port_transmit(SerialPort *port)
{
    VirtQueue *queue = virtio_serial_transmit_queue(port);
    VirtioElement *element;

    while ((element = virtq_pop(queue, sizeof(*element)))) {
        uint8_t piece[PIECE_BYTES];
        uint64_t len;

        for (uint64_t at = 0; (len = vit_sg_read(&element->out, at, piece, sizeof(piece))) > 0;
             at += len) {
            if (port->chr) {
                vit_chardev_write_all(port->chr, piece, len);
            }
        }
        virtq_push(queue, element, 0);
        virtq_notify(queue);
    }
}

/* ---- to the guest ---- */

static size_t
can_receive(void *opaque)
{
    SerialPort *port = opaque;
    VirtQueue *queue = virtio_serial_receive_queue(port);
    VirtioElement *element;
    uint64_t room;

    if (!port->guest_open || !virtq_is_ready(queue)) {
        return 0;
    }
    element = virtq_pop(queue, sizeof(*element));
    if (!element) {
        return 0;
    }
    room = element->in.len_bytes;
    virtq_unpop(queue, element);
    return MIN(room, ROOM_MAX);
}

static void
receive(void *opaque, const uint8_t *buf, size_t len)
{
    SerialPort *port = opaque;
    VirtQueue *queue = virtio_serial_receive_queue(port);

    while (len > 0) {
        VirtioElement *element = virtq_pop(queue, sizeof(*element));
        uint64_t piece;

        if (!element) {
            return;
        }
        piece = vit_sg_write(&element->in, 0, buf, len);
        virtq_push(queue, element, (uint32_t)piece);
        if (piece == 0) {
            break;
        }
        buf += piece;
        len -= piece;
    }
    virtq_notify(queue);
}

void
virtio_serial_port_receive(SerialPort *port)
{
    if (port->chr && port->guest_open) {
        vit_chardev_accept_input(port->chr);
    }
}

/* ---- opening and closing ---- */

static void
chardev_event(void *opaque, VitChardevEvent event)
{
    SerialPort *port = opaque;

    if (event != VIT_CHARDEV_OPENED && event != VIT_CHARDEV_CLOSED) {
        return;
    }
    port->host_open = event == VIT_CHARDEV_OPENED;
    if (port->serial && (port->serial->added >> port->nr & 1)) {
        virtio_serial_send(port, SERIAL_EVENT_OPEN, port->host_open);
    }
}

void
virtio_serial_port_set_guest_open(SerialPort *port, bool open)
{
    VitPlatform *platform = port->dev.platform;

    if (port->guest_open == open) {
        return;
    }
    port->guest_open = open;
    if (!port->is_console && platform->ops && platform->ops->event && port->dev.id) {
        g_autofree char *data = g_strdup_printf("{\"open\": %s, \"id\": \"%s\"}",
                                                open ? "true" : "false", port->dev.id);
        platform->ops->event(platform->opaque, "VSERPORT_CHANGE", data);
    }
    virtio_serial_port_receive(port);
}

/* ---- the devices ---- */

static bool
port_realize(VitDevice *dev, GError **error)
{
    SerialPort *port = (SerialPort *)dev;
    VitChardevFront front = {
        .can_receive = can_receive, .receive = receive, .event = chardev_event, .opaque = port
    };

    if (!virtio_serial_add((VirtioSerial *)dev->bus->owner, port, error)) {
        return false;
    }
    if (port->chr && !vit_chardev_attach(port->chr, &front, error)) {
        virtio_serial_remove(port);
        return false;
    }
    port->host_open = port->is_console || !port->chr || vit_chardev_is_open(port->chr);
    return true;
}

static void
port_unrealize(VitDevice *dev)
{
    SerialPort *port = (SerialPort *)dev;

    if (port->chr) {
        vit_chardev_detach(port->chr, port);
    }
    virtio_serial_remove(port);
    port->serial = NULL;
}

static bool
console_realize(VitDevice *dev, GError **error)
{
    ((SerialPort *)dev)->is_console = true;
    return port_realize(dev, error);
}

static const VitProp port_props[] = {
    VIT_PROP_BACKEND(SerialPort, chr, "chardev", VIT_PROP_TYPE_CHARDEV,
                     VIT_N_("Character device at the host's end")),
    VIT_PROP_STRING(SerialPort, name, "name", NULL,
                    VIT_N_("Name the guest finds it by, e.g. org.qemu.guest_agent.0")),
    VIT_PROP_INT(SerialPort, nr, "nr", -1, -1, SERIAL_PORTS_MAX - 1,
                 VIT_N_("Port number; -1 the first that is free")),
    { 0 },
};

static const VitField port_state[] = {
    VIT_FIELD(SerialPort, guest_open),
    VIT_TRANSIENT(SerialPort, host_open),  /* the back end's */
    VIT_TRANSIENT(SerialPort, is_console), /* of the kind */
    VIT_TRANSIENT(SerialPort, serial),     /* wiring */
    { 0 },
};

const VitDeviceKind vit_virtconsole_kind = {
    .name = "virtconsole",
    .title = VIT_N_("Virtio console port"),
    .bus = VIT_BUS_VIRTIO_SERIAL,
    .category = VIT_CATEGORY_INPUT,
    VIT_DEVICE_SIZE(SerialPort, VitDevice),
    .props = port_props,
    .state = port_state,
    .state_version = 1,
    .realize = console_realize,
    .unrealize = port_unrealize,
};

const VitDeviceKind vit_virtserialport_kind = {
    .name = "virtserialport",
    .title = VIT_N_("Virtio serial port"),
    .bus = VIT_BUS_VIRTIO_SERIAL,
    .category = VIT_CATEGORY_INPUT,
    VIT_DEVICE_SIZE(SerialPort, VitDevice),
    .props = port_props,
    .state = port_state,
    .state_version = 1,
    .realize = port_realize,
    .unrealize = port_unrealize,
};
