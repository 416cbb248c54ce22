/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What "info" tells about devices, buses, maps and back ends, read from the core's own structures.
 * Thread: device lock held. */

#include "hmp.h"

#include <inttypes.h>
#include <string.h>

#include "vit-error.h"

/* ---- qtree ---- */

static void print_bus(HmpCall *call, const VitBus *bus, int indent);

static void
print_props(HmpCall *call, const VitDevice *dev, const VitProp *props, int indent)
{
    for (; props && props->name; props++) {
        g_autofree char *text = vit_device_get((VitDevice *)dev, props->name);
        bool quoted = props->type == VIT_PROP_TYPE_STRING || props->type == VIT_PROP_TYPE_MAC ||
                      props->type == VIT_PROP_TYPE_ENUM || props->type >= VIT_PROP_TYPE_CHARDEV;
        const char *quote = quoted ? "\"" : "";
        hmp_print(call, "%*s%s = %s%s%s\n", indent, "", props->name, quote, text ? text : "",
                  quote);
    }
}

static void
print_device(HmpCall *call, VitDevice *dev, int indent)
{
    hmp_print(call, "%*sdev: %s, id \"%s\"\n", indent, "", dev->kind->name, dev->id ? dev->id : "");
    print_props(call, dev, dev->kind->props, indent + 2);
    if (dev->kind->bus == VIT_BUS_PCI) {
        print_props(call, dev, vit_pci_props, indent + 2);
    }
    if (dev->kind->describe) {
        g_autoptr(GString) text = g_string_new(NULL);
        dev->kind->describe(dev, text);
        g_auto(GStrv) lines = g_strsplit(g_strchomp(text->str), "\n", -1);
        for (char **line = lines; *line && **lines; line++) {
            hmp_print(call, "%*s%s\n", indent + 2, "", *line);
        }
    }
    for (unsigned i = 0; dev->child_buses && i < dev->child_buses->len; i++) {
        print_bus(call, dev->child_buses->pdata[i], indent + 2);
    }
}

static void
print_bus(HmpCall *call, const VitBus *bus, int indent)
{
    hmp_print(call, "%*sbus: %s\n", indent, "", bus->name);
    hmp_print(call, "%*s  type %s\n", indent, "", vit_bus_type_name(bus->type));
    for (unsigned i = 0; i < bus->devices->len; i++) {
        print_device(call, bus->devices->pdata[i], indent + 2);
    }
}

void
hmp_info_qtree(HmpCall *call)
{
    GError *error = NULL;

    if (MON_HAVE(call->monitors, get_main_bus, &error)) {
        const VitBus *bus = call->monitors->ops->get_main_bus(call->monitors->host);
        if (bus) {
            print_bus(call, bus, 0);
        }
    }
    hmp_error(call, error);
}

void
hmp_info_qdm(HmpCall *call)
{
    GError *error = NULL;

    if (!MON_HAVE(call->monitors, get_kinds, &error)) {
        hmp_error(call, error);
        return;
    }
    for (const VitDeviceKind *const *kind = call->monitors->ops->get_kinds(call->monitors->host);
         *kind; kind++) {
        hmp_print(call, "name \"%s\", bus %s, desc \"%s\"%s\n", (*kind)->name,
                  vit_bus_type_name((*kind)->bus), (*kind)->title ? (*kind)->title : "",
                  (*kind)->internal ? ", no-user" : "");
    }
}

/* ---- pci ---- */

/* Names of classes as "info pci" shows them; others by number. */
static const struct {
    uint16_t class_id;
    const char *name;
} class_names[] = {
    { 0x0100, "SCSI controller" },     { 0x0101, "IDE controller" },
    { 0x0106, "SATA controller" },     { 0x0108, "NVMe controller" },
    { 0x0200, "Ethernet controller" }, { 0x0300, "VGA controller" },
    { 0x0380, "Display controller" },  { 0x0401, "Audio controller" },
    { 0x0403, "Audio controller" },    { 0x0500, "RAM controller" },
    { 0x0600, "Host bridge" },         { 0x0601, "ISA bridge" },
    { 0x0604, "PCI bridge" },          { 0x0680, "Bridge" },
    { 0x0700, "Serial port" },         { 0x0780, "Communication controller" },
    { 0x0c03, "USB controller" },      { 0x0c05, "SMBus" },
};

static void
print_bar(HmpCall *call, unsigned n, const VitPciBar *bar)
{
    if (!bar->region) {
        return;
    }
    if (bar->type & VIT_PCI_BAR_IO) {
        hmp_print(call, "      BAR%u: I/O at 0x%04" PRIx64 " [0x%04" PRIx64 "].\n", n,
                  bar->mapped ? bar->address : 0xffff,
                  bar->mapped ? bar->address + bar->len_bytes - 1 : bar->len_bytes - 2);
        return;
    }
    uint64_t nowhere = bar->type & VIT_PCI_BAR_MEM64 ? UINT64_MAX : UINT32_MAX;
    hmp_print(call, "      BAR%u: %d bit%s memory at 0x%08" PRIx64 " [0x%08" PRIx64 "].\n", n,
              bar->type & VIT_PCI_BAR_MEM64 ? 64 : 32,
              bar->type & VIT_PCI_BAR_PREFETCH ? " prefetchable" : "",
              bar->mapped ? bar->address : nowhere,
              bar->mapped ? bar->address + bar->len_bytes - 1 : bar->len_bytes - 2);
}

static void
print_function(HmpCall *call, const VitPciBus *bus, const VitPciDevice *pci)
{
    uint16_t class_id = vit_pci_get16(pci, VIT_PCI_CLASS);
    const char *name = NULL;

    hmp_print(call, "  Bus %2u, device %3u, function %u:\n", bus->number, VIT_PCI_SLOT(pci->devfn),
              VIT_PCI_FUNCTION(pci->devfn));
    for (unsigned i = 0; i < G_N_ELEMENTS(class_names); i++) {
        name = class_names[i].class_id == class_id ? class_names[i].name : name;
    }
    if (name) {
        hmp_print(call, "    %s: ", name);
    } else {
        hmp_print(call, "    Class %04x: ", class_id);
    }
    hmp_print(call, "PCI device %04x:%04x\n", vit_pci_get16(pci, VIT_PCI_VENDOR_ID),
              vit_pci_get16(pci, VIT_PCI_DEVICE_ID));
    if ((pci->config[VIT_PCI_HEADER_TYPE] & 0x7f) == 0) {
        hmp_print(call, "      PCI subsystem %04x:%04x\n",
                  vit_pci_get16(pci, VIT_PCI_SUBSYSTEM_VENDOR_ID),
                  vit_pci_get16(pci, VIT_PCI_SUBSYSTEM_ID));
    }
    if (pci->config[VIT_PCI_INTERRUPT_PIN]) {
        hmp_print(call, "      IRQ %u, pin %c\n", pci->config[VIT_PCI_INTERRUPT_LINE],
                  'A' + pci->config[VIT_PCI_INTERRUPT_PIN] - 1);
    }
    for (unsigned n = 0; n < VIT_PCI_BAR_COUNT; n++) {
        print_bar(call, n, &pci->bars[n]);
    }
    hmp_print(call, "      id \"%s\"\n", pci->dev.id ? pci->dev.id : "");
}

void
hmp_info_pci(HmpCall *call)
{
    VitMonitors *monitors = call->monitors;
    GError *error = NULL;

    if (!MON_HAVE(monitors, get_pci_bus, &error)) {
        hmp_error(call, error);
        return;
    }
    const VitPciBus *bus = monitors->ops->get_pci_bus(monitors->host);
    if (!bus) {
        hmp_print(call, "PCI not supported\n");
        return;
    }
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        if (bus->slots[devfn]) {
            print_function(call, bus, bus->slots[devfn]);
        }
    }
}

/* ---- maps, back ends ---- */

void
hmp_info_mtree(HmpCall *call)
{
    VitPlatform *platform = call->monitors->platform;

    hmp_print(call, "address-space: memory\n");
    vit_address_space_dump(platform->memory, call->out);
    hmp_print(call, "\naddress-space: I/O\n");
    vit_address_space_dump(platform->io, call->out);
}

void
hmp_info_chardev(HmpCall *call)
{
    VitMonitors *monitors = call->monitors;
    GError *error = NULL;

    if (!MON_HAVE(monitors, get_chardevs, &error)) {
        hmp_error(call, error);
        return;
    }
    const GPtrArray *chardevs = monitors->ops->get_chardevs(monitors->host);
    for (unsigned i = 0; i < chardevs->len; i++) {
        VitChardev *chr = chardevs->pdata[i];
        g_autofree char *text = vit_chardev_describe(chr);
        hmp_print(call, "%s: filename=%s%s\n", chr->id, chr->mux ? "mux:" : "", text);
    }
}

static void
print_port(HmpCall *call, const VitNetPort *port, bool is_nic)
{
    hmp_print(call, "%s: index=0,type=%s%s%s%s%s\n", port->name, is_nic ? "nic,model=" : "",
              port->model, port->info && *port->info ? "," : "", port->info ? port->info : "",
              port->link_down ? ",link=down" : "");
}

/* NICs with what they are connected to below them; then the rest. */
void
hmp_info_network(HmpCall *call)
{
    VitMonitors *monitors = call->monitors;
    GError *error = NULL;

    if (!MON_HAVE(monitors, get_net_ports, &error)) {
        hmp_error(call, error);
        return;
    }
    const GPtrArray *ports = monitors->ops->get_net_ports(monitors->host);
    g_autoptr(GHashTable) done = g_hash_table_new(NULL, NULL);
    for (unsigned i = 0; i < ports->len; i++) {
        VitNetPort *port = ports->pdata[i];
        if (!mon_find_kind(monitors, port->model, NULL)) {
            continue;
        }
        print_port(call, port, true);
        g_hash_table_add(done, port);
        if (port->peer) {
            hmp_print(call, " \\ ");
            print_port(call, port->peer, false);
            g_hash_table_add(done, port->peer);
        }
    }
    for (unsigned i = 0; i < ports->len; i++) {
        if (!g_hash_table_contains(done, ports->pdata[i])) {
            print_port(call, ports->pdata[i], false);
        }
    }
}
