/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The PCI core against a probe device: sizing, mapping, slots, pins, messages, ROM, state. */

#include "test-platform.h"
#include "vit-error.h"
#include "vit-pci.h"

#include <glib/gstdio.h>
#include <string.h>

typedef struct Probe {
    VitPciDevice pci;
    VitRegion mem, io, big, table;
    uint32_t scratch;
    unsigned config_writes;
} Probe;

static uint64_t
probe_read(void *opaque, uint64_t offset, unsigned size)
{
    return offset == 0 ? ((Probe *)opaque)->scratch : 0;
}

static void
probe_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    if (offset == 0) {
        ((Probe *)opaque)->scratch = value;
    }
}

static const VitRegionOps probe_ops = { .read = probe_read, .write = probe_write, .max_size = 4 };

static void
probe_config_written(VitPciDevice *pci, uint32_t at, uint32_t value, unsigned size)
{
    ((Probe *)pci)->config_writes++;
}

static bool
probe_realize(VitDevice *dev, GError **error)
{
    Probe *probe = (Probe *)dev;

    vit_region_init_io(&probe->mem, "probe-mem", &probe_ops, probe, 0x1000);
    vit_region_init_io(&probe->io, "probe-io", &probe_ops, probe, 0x20);
    vit_region_init_io(&probe->big, "probe-big", &probe_ops, probe, 1ull << 33);
    vit_region_init_container(&probe->table, "probe-table", 0x1000);
    vit_pci_add_bar(&probe->pci, 0, VIT_PCI_BAR_MEM, &probe->mem);
    vit_pci_add_bar(&probe->pci, 1, VIT_PCI_BAR_IO, &probe->io);
    vit_pci_add_bar(&probe->pci, 2, VIT_PCI_BAR_MEM64 | VIT_PCI_BAR_PREFETCH, &probe->big);
    vit_pci_add_bar(&probe->pci, 4, VIT_PCI_BAR_MEM, &probe->table);
    vit_pci_add_msi(&probe->pci, 4, true);
    vit_pci_add_msix(&probe->pci, 70, 4, 0, 0x800);
    return true;
}

static void
probe_unrealize(VitDevice *dev)
{
    Probe *probe = (Probe *)dev;

    vit_region_finish(&probe->mem);
    vit_region_finish(&probe->io);
    vit_region_finish(&probe->big);
    vit_region_finish(&probe->table);
}

static const VitPciInfo probe_info = {
    .vendor_id = 0x1234,
    .device_id = 0x5678,
    .revision = 3,
    .class_id = 0xff00,
    .interrupt_pin = 1,
    .config_written = probe_config_written,
};

static const VitField probe_state[] = { VIT_FIELD(Probe, scratch), { 0 } };

static const VitDeviceKind probe_kind = {
    .name = "probe",
    .bus = VIT_BUS_PCI,
    .size = sizeof(Probe),
    .base_size = sizeof(VitPciDevice),
    .state = probe_state,
    .state_version = 1,
    .bus_info = &probe_info,
    .realize = probe_realize,
    .unrealize = probe_unrealize,
};

typedef struct Fixture {
    TestPlatform test;
    VitPciBus bus;
    int line[4];
    unsigned line_changes, messages;
    uint64_t last_address;
    uint32_t last_data;
} Fixture;

static unsigned
map_irq(void *opaque, unsigned devfn, unsigned pin)
{
    return (VIT_PCI_SLOT(devfn) + pin) & 3;
}

static void
set_irq(void *opaque, unsigned line, int level)
{
    Fixture *f = opaque;

    f->line[line] = level;
    f->line_changes++;
}

static void
send_msi(void *opaque, uint64_t address, uint32_t data)
{
    Fixture *f = opaque;

    f->messages++;
    f->last_address = address;
    f->last_data = data;
}

static const VitPciBusOps bus_ops = { .map_irq = map_irq,
                                      .set_irq = set_irq,
                                      .send_msi = send_msi };

static void
set_up(Fixture *f, gconstpointer data)
{
    test_platform_init(&f->test);
    VitPlatform *platform = &f->test.platform;
    vit_pci_bus_init(&f->bus, "pci.0", NULL, platform, &bus_ops, f, platform->memory_root,
                     platform->io_root);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    vit_pci_bus_finish(&f->bus);
    test_platform_finish(&f->test);
}

static Probe *
add_probe(Fixture *f, const char *addr, const char *multifunction)
{
    g_autoptr(GError) error = NULL;
    VitDevice *dev = vit_device_new(&probe_kind, NULL);

    if (addr) {
        g_assert_true(vit_device_set(dev, "addr", addr, NULL, &error));
    }
    if (multifunction) {
        g_assert_true(vit_device_set(dev, "multifunction", multifunction, NULL, &error));
    }
    g_assert_true(vit_device_realize(dev, &f->bus.bus, &f->test.platform, &error));
    g_assert_no_error(error);
    return (Probe *)dev;
}

static uint32_t
config_read(Fixture *f, unsigned devfn, unsigned at, unsigned size)
{
    return vit_pci_config_read(&f->bus, devfn << 8 | at, size);
}

static void
config_write(Fixture *f, unsigned devfn, unsigned at, uint32_t value, unsigned size)
{
    vit_pci_config_write(&f->bus, devfn << 8 | at, value, size);
}

static uint32_t
mem_read(Fixture *f, uint64_t address)
{
    return vit_dma_read32(f->test.platform.memory, address);
}

static void
test_header(Fixture *f, gconstpointer data)
{
    Probe *probe = add_probe(f, "05.0", NULL);
    unsigned devfn = 0x28;

    g_assert_cmphex(config_read(f, devfn, 0, 4), ==, 0x56781234);
    g_assert_cmphex(config_read(f, devfn, 8, 4), ==, 0xff000003);
    g_assert_cmphex(config_read(f, devfn, 0x2c, 4), ==, 0x11001af4);
    g_assert_cmphex(config_read(f, devfn, 0x3d, 1), ==, 1);
    g_assert_cmphex(config_read(f, 0x30, 0, 4), ==, 0xffffffff);
    g_assert_cmphex(config_read(f, 0x30, 0, 2), ==, 0xffff);
    /* another bus number */
    g_assert_cmphex(vit_pci_config_read(&f->bus, 1 << 16 | devfn << 8, 4), ==, 0xffffffff);
    /* identity is not writable, the interrupt line is */
    config_write(f, devfn, 0, 0, 4);
    config_write(f, devfn, 0x3c, 0x0b, 1);
    g_assert_cmphex(config_read(f, devfn, 0, 4), ==, 0x56781234);
    g_assert_cmphex(config_read(f, devfn, 0x3c, 1), ==, 0x0b);
    g_assert_cmpuint(probe->config_writes, ==, 2);
    /* capability list: MSI-X, then MSI, then the end */
    unsigned first = config_read(f, devfn, 0x34, 1);
    g_assert_cmphex(config_read(f, devfn, first, 1), ==, 0x11);
    unsigned second = config_read(f, devfn, first + 1, 1);
    g_assert_cmphex(config_read(f, devfn, second, 1), ==, 0x05);
    g_assert_cmphex(config_read(f, devfn, second + 1, 1), ==, 0);
    g_assert_cmphex(config_read(f, devfn, 6, 2) & 0x10, ==, 0x10);
    vit_device_free(&probe->pci.dev);
    g_assert_cmphex(config_read(f, devfn, 0, 4), ==, 0xffffffff);
}

static void
test_sizing(Fixture *f, gconstpointer data)
{
    Probe *probe = add_probe(f, "2", NULL);
    static const struct {
        unsigned at;
        uint32_t expected;
    } sizes[] = {
        { 0x10, 0xfffff000 }, { 0x14, 0xffffffe1 }, { 0x18, 0x0000000c }, { 0x1c, 0xfffffffe },
        { 0x20, 0xfffff000 }, { 0x24, 0x00000000 }, { 0x30, 0x00000000 },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(sizes); i++) {
        config_write(f, 0x10, sizes[i].at, 0xffffffff, 4);
        g_assert_cmphex(config_read(f, 0x10, sizes[i].at, 4), ==, sizes[i].expected);
    }
    vit_device_free(&probe->pci.dev);
}

static void
test_mapping(Fixture *f, gconstpointer data)
{
    Probe *probe = add_probe(f, "2", NULL);

    probe->scratch = 0x11223344;
    config_write(f, 0x10, 0x10, 0xe0000000, 4);
    config_write(f, 0x10, 0x14, 0xc000, 4);
    config_write(f, 0x10, 0x18, 0, 4);
    config_write(f, 0x10, 0x1c, 0x80, 4);
    g_assert_cmphex(mem_read(f, 0xe0000000), ==, 0xffffffff);
    config_write(f, 0x10, 4, 2, 2);
    g_assert_cmphex(mem_read(f, 0xe0000000), ==, 0x11223344);
    g_assert_cmphex(mem_read(f, 0x8000000000), ==, 0x11223344);
    g_assert_cmphex(test_inl(&f->test, 0xc000), ==, 0xffffffff);
    config_write(f, 0x10, 4, 1, 2);
    g_assert_cmphex(mem_read(f, 0xe0000000), ==, 0xffffffff);
    g_assert_cmphex(test_inl(&f->test, 0xc000), ==, 0x11223344);
    /* moved while mapped, byte by byte */
    config_write(f, 0x10, 4, 3, 2);
    config_write(f, 0x10, 0x13, 0xd0, 1);
    g_assert_cmphex(mem_read(f, 0xe0000000), ==, 0xffffffff);
    g_assert_cmphex(mem_read(f, 0xd0000000), ==, 0x11223344);
    /* sizing with decode on leaves nothing at the top of the map */
    config_write(f, 0x10, 0x10, 0xffffffff, 4);
    g_assert_cmphex(mem_read(f, 0xfffff000), ==, 0xffffffff);
    config_write(f, 0x10, 0x10, 0xd0000000, 4);
    vit_device_reset(&probe->pci.dev);
    g_assert_cmphex(config_read(f, 0x10, 0x10, 4), ==, 0);
    g_assert_cmphex(config_read(f, 0x10, 0x18, 4), ==, 0xc);
    g_assert_cmphex(mem_read(f, 0xd0000000), ==, 0xffffffff);
    vit_device_free(&probe->pci.dev);
}

static void
test_slots(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    Probe *first = add_probe(f, NULL, NULL);
    Probe *multi = add_probe(f, "01.0", "on");
    Probe *second_function = add_probe(f, "1.3", NULL);
    Probe *automatic = add_probe(f, NULL, NULL);

    g_assert_cmpint(first->pci.devfn, ==, 0);
    g_assert_cmpint(second_function->pci.devfn, ==, 0x0b);
    g_assert_cmpint(automatic->pci.devfn, ==, 0x10);
    g_assert_cmphex(config_read(f, 0x08, 0x0e, 1), ==, 0x80);

    /* taken, and a function behind a device that has one only */
    VitDevice *taken = vit_device_new(&probe_kind, NULL);
    g_assert_true(vit_device_set(taken, "addr", "1.3", NULL, NULL));
    g_assert_false(vit_device_realize(taken, &f->bus.bus, &f->test.platform, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_BUSY);
    g_clear_error(&error);
    g_assert_true(vit_device_set(taken, "addr", "2.1", NULL, NULL));
    g_assert_false(vit_device_realize(taken, &f->bus.bus, &f->test.platform, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT);
    g_assert_nonnull(strstr(error->message, "multifunction=on"));
    vit_device_free(taken);

    vit_device_free(&automatic->pci.dev);
    vit_device_free(&second_function->pci.dev);
    vit_device_free(&multi->pci.dev);
    vit_device_free(&first->pci.dev);
}

static void
test_full_bus(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    Probe *probes[32];

    for (unsigned i = 0; i < 32; i++) {
        probes[i] = add_probe(f, NULL, NULL);
    }
    g_autoptr(VitDevice) late = vit_device_new(&probe_kind, NULL);
    g_assert_false(vit_device_realize(late, &f->bus.bus, &f->test.platform, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_BUSY);
    for (unsigned i = 0; i < 32; i++) {
        vit_device_free(&probes[i]->pci.dev);
    }
}

static void
test_intx(Fixture *f, gconstpointer data)
{
    Probe *a = add_probe(f, "1.0", NULL), *b = add_probe(f, "5.0", NULL);

    vit_pci_set_irq(&a->pci, 1);
    vit_pci_set_irq(&b->pci, 1);
    g_assert_cmpint(f->line[1], ==, 1);
    g_assert_cmpuint(f->line_changes, ==, 1);
    vit_pci_set_irq(&a->pci, 0);
    g_assert_cmpint(f->line[1], ==, 1);
    /* the disable bit takes the pin away, the status bit still tells */
    config_write(f, 0x28, 4, 0x400, 2);
    g_assert_cmpint(f->line[1], ==, 0);
    g_assert_cmphex(config_read(f, 0x28, 6, 2) & 8, ==, 8);
    config_write(f, 0x28, 4, 0, 2);
    g_assert_cmpint(f->line[1], ==, 1);
    vit_device_free(&b->pci.dev);
    g_assert_cmpint(f->line[1], ==, 0);
    vit_device_free(&a->pci.dev);
}

static void
test_msi(Fixture *f, gconstpointer data)
{
    Probe *probe = add_probe(f, "1.0", NULL);
    unsigned cap = probe->pci.msi_cap, devfn = 8;

    vit_pci_set_irq(&probe->pci, 1);
    config_write(f, devfn, cap + 4, 0xfee01004, 4);
    config_write(f, devfn, cap + 8, 0x1, 4);
    config_write(f, devfn, cap + 12, 0x4142, 2);
    config_write(f, devfn, cap + 2, 0x11, 2); /* two of four messages */
    g_assert_cmpint(f->line[1], ==, 0);
    vit_pci_notify(&probe->pci, 3);
    g_assert_cmpuint(f->messages, ==, 0); /* not a bus master yet */
    config_write(f, devfn, 4, 4, 2);
    vit_pci_notify(&probe->pci, 3);
    g_assert_cmpuint(f->messages, ==, 1);
    g_assert_cmphex(f->last_address, ==, 0x1fee01004);
    g_assert_cmphex(f->last_data, ==, 0x4143);
    vit_device_reset(&probe->pci.dev);
    g_assert_false(vit_pci_msi_enabled(&probe->pci));
    g_assert_cmphex(config_read(f, devfn, cap + 4, 4), ==, 0);
    vit_device_free(&probe->pci.dev);
}

static void
test_msix(Fixture *f, gconstpointer data)
{
    Probe *probe = add_probe(f, "1.0", NULL);
    VitAddressSpace *memory = f->test.platform.memory;
    unsigned cap = probe->pci.msix_cap, devfn = 8;
    uint64_t entry = 0xe0000000 + 66 * 16;

    g_assert_cmphex(config_read(f, devfn, cap + 2, 2), ==, 69);
    g_assert_cmphex(config_read(f, devfn, cap + 4, 4), ==, 4);
    g_assert_cmphex(config_read(f, devfn, cap + 8, 4), ==, 0x804);
    config_write(f, devfn, 0x20, 0xe0000000, 4);
    config_write(f, devfn, 4, 6, 2);
    g_assert_cmphex(mem_read(f, entry + 12), ==, 1);
    vit_dma_write64(memory, entry, 0xfee02007);
    vit_dma_write32(memory, entry + 8, 0x77);
    config_write(f, devfn, cap + 2, 0x8000, 2);
    vit_pci_notify(&probe->pci, 66);
    g_assert_cmpuint(f->messages, ==, 0);
    g_assert_cmphex(mem_read(f, 0xe0000808), ==, 4);
    /* unmasking delivers what was pending */
    vit_dma_write32(memory, entry + 12, 0);
    g_assert_cmpuint(f->messages, ==, 1);
    g_assert_cmphex(f->last_address, ==, 0xfee02004);
    g_assert_cmphex(f->last_data, ==, 0x77);
    g_assert_cmphex(mem_read(f, 0xe0000808), ==, 0);
    /* so does the function mask */
    config_write(f, devfn, cap + 2, 0xc000, 2);
    vit_pci_notify(&probe->pci, 66);
    g_assert_cmpuint(f->messages, ==, 1);
    config_write(f, devfn, cap + 2, 0x8000, 2);
    g_assert_cmpuint(f->messages, ==, 2);
    vit_pci_notify(&probe->pci, 70); /* no such vector */
    g_assert_cmpuint(f->messages, ==, 2);
    vit_device_free(&probe->pci.dev);
}

static void
test_rom(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    uint8_t rom[3000];
    int fd = g_file_open_tmp("vitrine-rom-XXXXXX", &path, &error);

    g_assert_no_error(error);
    memset(rom, 0x5a, sizeof(rom));
    g_assert_cmpint(write(fd, rom, sizeof(rom)), ==, sizeof(rom));
    close(fd);
    VitDevice *dev = vit_device_new(&probe_kind, NULL);
    g_assert_true(vit_device_set(dev, "romfile", path, NULL, NULL));
    g_assert_true(vit_device_realize(dev, &f->bus.bus, &f->test.platform, &error));
    g_assert_no_error(error);
    config_write(f, 0, 0x30, 0xffffffff, 4);
    g_assert_cmphex(config_read(f, 0, 0x30, 4), ==, 0xfffff001);
    config_write(f, 0, 0x30, 0xe1000000, 4);
    config_write(f, 0, 4, 2, 2);
    g_assert_cmphex(mem_read(f, 0xe1000000), ==, 0xffffffff);
    config_write(f, 0, 0x30, 0xe1000001, 4);
    g_assert_cmphex(mem_read(f, 0xe1000000), ==, 0x5a5a5a5a);
    vit_dma_write32(f->test.platform.memory, 0xe1000000, 0);
    g_assert_cmphex(mem_read(f, 0xe1000000), ==, 0x5a5a5a5a);
    vit_device_free(dev);

    dev = vit_device_new(&probe_kind, NULL);
    g_assert_true(vit_device_set(dev, "romfile", "/nonexistent/rom", NULL, NULL));
    g_assert_false(vit_device_realize(dev, &f->bus.bus, &f->test.platform, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND);
    g_assert_null(f->bus.slots[0]);
    vit_device_free(dev);
    g_remove(path);
}

static void
test_state(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    Probe *probe = add_probe(f, "1.0", NULL);
    unsigned cap = probe->pci.msix_cap;

    config_write(f, 8, 0x10, 0xe0000000, 4);
    config_write(f, 8, 0x20, 0xe1000000, 4);
    config_write(f, 8, 4, 6, 2);
    probe->scratch = 0x99;
    vit_dma_write32(f->test.platform.memory, 0xe1000000 + 5 * 16 + 8, 0x1234);
    config_write(f, 8, cap + 2, 0x8000, 2);
    vit_pci_notify(&probe->pci, 5);
    config_write(f, 8, cap + 2, 0, 2);
    vit_pci_set_irq(&probe->pci, 1);
    VitStateWriter *writer = vit_state_writer_new();
    vit_device_save(&probe->pci.dev, writer);
    g_autoptr(GBytes) bytes = vit_state_writer_finish(writer);
    vit_device_reset(&probe->pci.dev);
    probe->scratch = 0;
    g_assert_cmpint(f->line[1], ==, 0);
    g_assert_cmphex(mem_read(f, 0xe0000000), ==, 0xffffffff);

    VitStateReader *reader = vit_state_reader_new(bytes, &error);
    g_assert_no_error(error);
    g_assert_true(vit_device_load(&probe->pci.dev, reader, &error));
    g_assert_no_error(error);
    vit_state_reader_free(reader);
    g_assert_cmpint(f->line[1], ==, 1);
    g_assert_cmphex(mem_read(f, 0xe0000000), ==, 0x99);
    g_assert_cmphex(mem_read(f, 0xe1000000 + 5 * 16 + 8), ==, 0x1234);
    g_assert_cmphex(mem_read(f, 0xe1000800), ==, 1 << 5);
    vit_device_free(&probe->pci.dev);
}

static void
test_master(Fixture *f, gconstpointer data)
{
    Probe *probe = add_probe(f, "1.0", NULL);
    VitRamBlock *block = vit_ram_block_new("ram", 0x10000, NULL);
    VitRegion ram;
    uint32_t value = 0x12345678;

    vit_region_init_ram(&ram, "ram", block, 0, 0x10000);
    vit_region_add(f->test.platform.memory_root, 0, &ram, 0);
    g_assert_false(vit_pci_dma_write(&probe->pci, 0x100, &value, 4));
    g_assert_cmphex(mem_read(f, 0x100), ==, 0);
    config_write(f, 8, 4, 4, 2);
    g_assert_true(vit_pci_dma_write(&probe->pci, 0x100, &value, 4));
    value = 0;
    g_assert_true(vit_pci_dma_read(&probe->pci, 0x100, &value, 4));
    g_assert_cmphex(value, ==, 0x12345678);
    vit_device_free(&probe->pci.dev);
    vit_region_finish(&ram);
    vit_ram_block_free(block);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add("/pci/" #name, Fixture, NULL, set_up, test_##name, tear_down)
    ADD(header);
    ADD(sizing);
    ADD(mapping);
    ADD(slots);
    ADD(full_bus);
    ADD(intx);
    ADD(msi);
    ADD(msix);
    ADD(rom);
    ADD(state);
    ADD(master);
    return g_test_run();
}
