/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Interrupt messages between local APICs, I/O APICs and message-signalled interrupts. One
 * "apic-bus" device per machine carries them; it also owns the window 0xfee00000..0xfeefffff, where
 * a write by a device (or by a CPU outside its local APIC's page) is an MSI. Input 0 is LINT0 (INTR
 * of the 8259s), input 1 is LINT1 (NMI) of every CPU. Thread: device lock held. */

#include "vit-device.h"

typedef enum VitApicDelivery {
    VIT_APIC_FIXED = 0,
    VIT_APIC_LOWEST = 1,
    VIT_APIC_SMI = 2,
    VIT_APIC_NMI = 4,
    VIT_APIC_INIT = 5,
    VIT_APIC_SIPI = 6,
    VIT_APIC_EXTINT = 7,
} VitApicDelivery;

typedef enum VitApicShorthand {
    VIT_APIC_TO_DEST,
    VIT_APIC_TO_SELF,
    VIT_APIC_TO_ALL,
    VIT_APIC_TO_OTHERS,
} VitApicShorthand;

/* Every local APIC, physical or logical. Senders with 8-bit destinations turn 0xff into this. */
#define VIT_APIC_BROADCAST UINT32_MAX

typedef struct VitApicMessage {
    uint32_t dest;
    bool is_logical;
    uint8_t delivery; /* VitApicDelivery */
    uint8_t vector;
    bool is_level;
    uint8_t shorthand;  /* VitApicShorthand, of IPIs */
    const void *sender; /* opaque of the sending target, or NULL */
} VitApicMessage;

/* What a local APIC shows to the bus. */
typedef struct VitApicTarget {
    bool (*matches)(void *opaque, uint32_t dest, bool is_logical);
    /* Arbitration priority for lowest-priority delivery, smaller is chosen; -1 = takes no part. */
    int (*priority)(void *opaque);
    void (*accept)(void *opaque, const VitApicMessage *message);
    void (*set_pin)(void *opaque, unsigned lint, bool level);
    void *opaque;
} VitApicTarget;

/* The bus is realized before its users are attached. TARGET is copied; it stays until removed by
 * its opaque. */
void vit_apic_bus_add_target(VitDevice *bus, const VitApicTarget *target);
void vit_apic_bus_remove_target(VitDevice *bus, void *opaque);
/* FUNC hears of every end-of-interrupt that is broadcast. */
void vit_apic_bus_add_eoi_listener(VitDevice *bus, void (*func)(void *opaque, uint8_t vector),
                                   void *opaque);
void vit_apic_bus_remove_eoi_listener(VitDevice *bus, void *opaque);

void vit_apic_bus_send(VitDevice *bus, const VitApicMessage *message);
void vit_apic_bus_broadcast_eoi(VitDevice *bus, uint8_t vector);
/* A write of DATA to ADDRESS (0xfeeXXXXX) by whoever signals by messages. */
void vit_apic_bus_msi(VitDevice *bus, uint64_t address, uint32_t data);
/* DEST is 8 bits wide, 0xff for all. */
void vit_apic_deliver(VitDevice *bus, uint8_t dest, bool is_logical, VitApicDelivery delivery,
                      uint8_t vector, bool is_level);
