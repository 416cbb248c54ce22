/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Routes interrupt messages to local APICs. Intel SDM volume 3, "Advanced programmable interrupt
 * controller": "Determining IPI destination", "Arbitration and lowest priority", "Message
 * signalled interrupts". Lowest priority goes to the matching CPU with the lowest arbitration
 * priority, in turn among equals.
 *
 * Thread: device lock held. */

#include "pc/apic-bus.h"

#define MSI_WINDOW     0xfee00000
#define MSI_WINDOW_LEN 0x100000

enum {
    MSI_ADDRESS_LOGICAL = 1u << 2,
    MSI_ADDRESS_REDIRECT = 1u << 3,
    MSI_DATA_ASSERT = 1u << 14,
    MSI_DATA_LEVEL = 1u << 15,
};

typedef struct EoiListener {
    void (*func)(void *opaque, uint8_t vector);
    void *opaque;
} EoiListener;

typedef struct ApicBus {
    VitDevice dev;
    uint32_t next_lowest; /* where the search among equals begins */
    GArray *targets;      /* VitApicTarget */
    GArray *eoi_listeners;
    VitRegion msi_window;
} ApicBus;

VIT_DEVICE_LAYOUT(ApicBus)

static VitApicTarget *
target_at(ApicBus *s, guint n)
{
    return &g_array_index(s->targets, VitApicTarget, n);
}

void
vit_apic_bus_add_target(VitDevice *bus, const VitApicTarget *target)
{
    g_array_append_val(((ApicBus *)bus)->targets, *target);
}

void
vit_apic_bus_remove_target(VitDevice *bus, void *opaque)
{
    ApicBus *s = (ApicBus *)bus;

    for (guint i = s->targets ? s->targets->len : 0; i > 0; i--) {
        if (target_at(s, i - 1)->opaque == opaque) {
            g_array_remove_index(s->targets, i - 1);
        }
    }
}

void
vit_apic_bus_add_eoi_listener(VitDevice *bus, void (*func)(void *opaque, uint8_t vector),
                              void *opaque)
{
    EoiListener listener = { func, opaque };

    g_array_append_val(((ApicBus *)bus)->eoi_listeners, listener);
}

void
vit_apic_bus_remove_eoi_listener(VitDevice *bus, void *opaque)
{
    GArray *listeners = ((ApicBus *)bus)->eoi_listeners;

    for (guint i = listeners ? listeners->len : 0; i > 0; i--) {
        if (g_array_index(listeners, EoiListener, i - 1).opaque == opaque) {
            g_array_remove_index(listeners, i - 1);
        }
    }
}

/* ---- Routing ---- */

static bool
is_addressed(const VitApicTarget *target, const VitApicMessage *message)
{
    switch (message->shorthand) {
    case VIT_APIC_TO_SELF: return target->opaque == message->sender;
    case VIT_APIC_TO_ALL: return true;
    case VIT_APIC_TO_OTHERS: return target->opaque != message->sender;
    default: return target->matches(target->opaque, message->dest, message->is_logical);
    }
}

static void
send_to_lowest(ApicBus *s, const VitApicMessage *message)
{
    VitApicTarget *chosen = NULL;
    int chosen_priority = 0;
    guint chosen_at = 0;

    for (guint i = 0; i < s->targets->len; i++) {
        guint at = (s->next_lowest + i) % s->targets->len;
        VitApicTarget *target = target_at(s, at);
        int priority;

        if (!is_addressed(target, message)) {
            continue;
        }
        priority = target->priority(target->opaque);
        if (priority >= 0 && (!chosen || priority < chosen_priority)) {
            chosen = target;
            chosen_priority = priority;
            chosen_at = at;
        }
    }
    if (chosen) {
        s->next_lowest = (chosen_at + 1) % s->targets->len;
        chosen->accept(chosen->opaque, message);
    }
}

void
vit_apic_bus_send(VitDevice *bus, const VitApicMessage *message)
{
    ApicBus *s = (ApicBus *)bus;

    if (message->delivery == VIT_APIC_LOWEST) {
        send_to_lowest(s, message);
        return;
    }
    for (guint i = 0; i < s->targets->len; i++) {
        VitApicTarget *target = target_at(s, i);

        if (is_addressed(target, message)) {
            target->accept(target->opaque, message);
        }
    }
}

void
vit_apic_bus_broadcast_eoi(VitDevice *bus, uint8_t vector)
{
    GArray *listeners = ((ApicBus *)bus)->eoi_listeners;

    for (guint i = 0; i < listeners->len; i++) {
        const EoiListener *listener = &g_array_index(listeners, EoiListener, i);

        listener->func(listener->opaque, vector);
    }
}

void
vit_apic_deliver(VitDevice *bus, uint8_t dest, bool is_logical, VitApicDelivery delivery,
                 uint8_t vector, bool is_level)
{
    VitApicMessage message = {
        .dest = dest == 0xff ? VIT_APIC_BROADCAST : dest,
        .is_logical = is_logical,
        .delivery = delivery,
        .vector = vector,
        .is_level = is_level,
    };

    vit_apic_bus_send(bus, &message);
}

void
vit_apic_bus_msi(VitDevice *bus, uint64_t address, uint32_t data)
{
    VitApicDelivery delivery = data >> 8 & 7;
    bool is_logical = address & MSI_ADDRESS_LOGICAL;
    bool is_level = data & MSI_DATA_LEVEL;

    if (is_level && !(data & MSI_DATA_ASSERT)) {
        return; /* a deassertion: nothing to take back */
    }
    if (delivery == VIT_APIC_FIXED && is_logical && (address & MSI_ADDRESS_REDIRECT)) {
        delivery = VIT_APIC_LOWEST;
    }
    vit_apic_deliver(bus, address >> 12, is_logical, delivery, data, is_level);
}

/* ---- The device ---- */

static void
apic_bus_irq_in(VitDevice *dev, int n, int level)
{
    ApicBus *s = (ApicBus *)dev;

    for (guint i = 0; i < s->targets->len; i++) {
        VitApicTarget *target = target_at(s, i);

        target->set_pin(target->opaque, n, level != 0);
    }
}

static uint64_t
window_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}

static void
window_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    vit_apic_bus_msi(opaque, MSI_WINDOW + offset, value);
}

static const VitRegionOps window_ops = { window_read, window_write, 4, 4 };

static void
apic_bus_reset(VitDevice *dev)
{
    ((ApicBus *)dev)->next_lowest = 0;
}

static bool
apic_bus_realize(VitDevice *dev, GError **error)
{
    ApicBus *s = (ApicBus *)dev;

    s->targets = g_array_new(FALSE, TRUE, sizeof(VitApicTarget));
    s->eoi_listeners = g_array_new(FALSE, TRUE, sizeof(EoiListener));
    vit_region_init_io(&s->msi_window, "apic-msi", &window_ops, s, MSI_WINDOW_LEN);
    vit_region_add(dev->platform->memory_root, MSI_WINDOW, &s->msi_window, 0x1000);
    return true;
}

static void
apic_bus_unrealize(VitDevice *dev)
{
    ApicBus *s = (ApicBus *)dev;

    vit_region_finish(&s->msi_window);
    g_clear_pointer(&s->targets, g_array_unref);
    g_clear_pointer(&s->eoi_listeners, g_array_unref);
}

static const VitField apic_bus_state[] = {
    VIT_FIELD(ApicBus, next_lowest),
    VIT_TRANSIENT(ApicBus, targets), /* wired by the board */
    VIT_TRANSIENT(ApicBus, eoi_listeners),
    VIT_TRANSIENT(ApicBus, msi_window), /* mapped by realize */
    { 0 },
};

const VitDeviceKind vit_apic_bus_kind = {
    .name = "apic-bus",
    .title = VIT_N_("Interrupt message bus"),
    .bus = VIT_BUS_NONE,
    .category = VIT_CATEGORY_MISC,
    VIT_DEVICE_SIZE(ApicBus, VitDevice),
    .internal = true,
    .state = apic_bus_state,
    .state_version = 1,
    .n_irq_in = 2,
    .realize = apic_bus_realize,
    .unrealize = apic_bus_unrealize,
    .reset = apic_bus_reset,
    .irq_in = apic_bus_irq_in,
};
