/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The virtio console device and its ports. virtio-serial.c is the device, virtio-serial-port.c the
 * ports (virtconsole, virtserialport), which sit on its bus. VirtIO 1.2 section 5.3.
 * Thread: device lock held. */

#include "virtio-pci.h"
#include "vit-chardev.h"

enum { SERIAL_PORTS_MAX = 15 }; /* two queues each, and two for control */

typedef struct VirtioSerial VirtioSerial;

typedef struct SerialPort {
    VitDevice dev;
    /* properties */
    VitChardev *chr;
    char *name;
    int32_t nr; /* port number; -1 the first that is free */
    bool is_console;
    /* the guest's */
    bool guest_open, host_open;
    /* wiring */
    VirtioSerial *serial;
} SerialPort;

struct VirtioSerial {
    VirtioPci t; /* first */
    uint32_t max_ports;
    /* the guest's; bit per port */
    uint32_t added; /* announced, and answered as ready */
    /* wiring */
    VitBus bus;
    SerialPort *ports[SERIAL_PORTS_MAX];
    GQueue control; /* GBytes for the driver */
};

/* ---- virtio-serial.c ---- */

bool virtio_serial_add(VirtioSerial *serial, SerialPort *port, GError **error);
void virtio_serial_remove(SerialPort *port);
/* Tells the driver of an event of PORT. */
void virtio_serial_send(SerialPort *port, uint16_t event, uint16_t value);
VirtQueue *virtio_serial_receive_queue(SerialPort *port);
VirtQueue *virtio_serial_transmit_queue(SerialPort *port);
bool virtio_serial_has_ports(const VirtioSerial *serial);

enum {
    SERIAL_EVENT_READY = 0,
    SERIAL_EVENT_ADD = 1,
    SERIAL_EVENT_REMOVE = 2,
    SERIAL_EVENT_PORT_READY = 3,
    SERIAL_EVENT_CONSOLE = 4,
    SERIAL_EVENT_RESIZE = 5,
    SERIAL_EVENT_OPEN = 6,
    SERIAL_EVENT_NAME = 7,
};

/* ---- virtio-serial-port.c ---- */

/* The driver has offered bytes, or room for them. */
void virtio_serial_port_transmit(SerialPort *port);
void virtio_serial_port_receive(SerialPort *port);
/* The driver opened or closed its end. */
void virtio_serial_port_set_guest_open(SerialPort *port, bool open);
