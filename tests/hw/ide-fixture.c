/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Helpers of the IDE tests; see ide-fixture.h. */

#include "ide-fixture.h"

#include <string.h>

static unsigned
map_irq(void *opaque, unsigned devfn, unsigned pin)
{
    return 0;
}

static void
set_pci_irq(void *opaque, unsigned line, int level)
{
}

static const VitPciBusOps bus_ops = { .map_irq = map_irq, .set_irq = set_pci_irq };

static void
set_irq(void *opaque, int n, int level)
{
    IdeFixture *f = opaque;

    f->irq_count[n] += level && !f->irq[n];
    f->irq[n] = level;
}

void
ide_fixture_init(IdeFixture *f)
{
    g_autoptr(GError) error = NULL;
    VitPlatform *platform = &f->test.platform;

    memset(f, 0, sizeof(*f));
    test_platform_init(&f->test);
    block_test_init_locked(&f->block, &f->test.lock);
    f->ram = vit_ram_block_new("ram", FIXTURE_RAM_BYTES, &error);
    g_assert_no_error(error);
    vit_region_init_ram(&f->ram_region, "ram", f->ram, 0, FIXTURE_RAM_BYTES);
    vit_region_add(platform->memory_root, 0, &f->ram_region, 0);
    vit_pci_bus_init(&f->bus, "pci.0", NULL, platform, &bus_ops, f, platform->memory_root,
                     platform->io_root);
    f->controller = vit_device_new(&vit_piix3_ide_kind, NULL);
    g_assert_true(vit_device_set(f->controller, "addr", "01.1", NULL, &error));
    g_assert_true(vit_device_realize(f->controller, &f->bus.bus, platform, &error));
    g_assert_no_error(error);
    for (int n = 0; n < 2; n++) {
        vit_device_connect(f->controller, n, (VitIrq){ .func = set_irq, .opaque = f, .n = n });
    }
    vit_pci_config_write(&f->bus, 0x920, BM_BASE, 4); /* BAR 4 of 01.1 */
    vit_pci_config_write(&f->bus, 0x904, 5, 2);       /* I/O space, bus master */
}

void
ide_fixture_finish(IdeFixture *f)
{
    for (unsigned i = 0; i < 4; i++) {
        vit_device_free(f->devices[i]);
        blk_drive_free(f->drives[i]);
    }
    vit_device_free(f->controller);
    vit_pci_bus_finish(&f->bus);
    vit_region_finish(&f->ram_region);
    block_test_finish(&f->block);
    test_platform_finish(&f->test);
    vit_ram_block_free(f->ram);
}

static VitDrive *
resolve_drive(void *opaque, const char *id, GError **error)
{
    return blk_graph_find_drive(((IdeFixture *)opaque)->block.graph, id, error);
}

void
ide_fixture_init_disk(IdeFixture *f, const char *props)
{
    ide_fixture_init(f);
    g_autofree char *path = block_test_image(&f->block, "disk", FIXTURE_DISK_BYTES);
    ide_fixture_add(f, &vit_ide_hd_kind, 0, path, "driver=raw,discard=unmap", props);
}

VitDevice *
ide_fixture_add(IdeFixture *f, const VitDeviceKind *kind, unsigned place, const char *filename,
                const char *options, const char *props)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BlkNode) node =
        filename ? block_test_open(&f->block, filename, options ? options : "driver=raw") : NULL;
    g_autofree char *id = g_strdup_printf("d%u", place);
    g_auto(GStrv) pairs = g_strsplit(props ? props : "", ",", -1);
    VitPropResolver resolver = { .drive = resolve_drive, .opaque = f };
    BlkDriveConfig config = { .read_only = kind != &vit_ide_hd_kind,
                              .on_write_error = BLK_ON_ERROR_ENOSPC };
    VitDevice *dev = vit_device_new(kind, NULL);

    f->drives[place] = blk_drive_new(f->block.graph, id, &config, node, &error);
    g_assert_no_error(error);
    g_assert_true(vit_device_set(dev, "drive", id, &resolver, &error));
    g_assert_true(vit_device_set(dev, "unit", place & 1 ? "1" : "0", NULL, &error));
    for (char **pair = pairs; *pair; pair++) {
        char *equals = strchr(*pair, '=');
        if (equals) {
            *equals = 0;
            vit_device_set(dev, *pair, equals + 1, NULL, &error);
            g_assert_no_error(error);
        }
    }
    vit_device_realize(dev, vit_piix3_ide_bus(f->controller, place / 2), &f->test.platform, &error);
    g_assert_no_error(error);
    f->devices[place] = dev;
    return dev;
}

uint8_t
ide_wait(IdeFixture *f)
{
    uint8_t status;

    for (unsigned i = 0; (status = test_inb(&f->test, IDE_CONTROL)) & 0x80; i++) {
        g_assert_cmpuint(i, <, 1000);
        blk_graph_poll(f->block.graph, 5);
    }
    return status;
}

void
ide_command(IdeFixture *f, uint8_t command, uint32_t lba, uint8_t count)
{
    test_outb(&f->test, IDE_COUNT, count);
    test_outb(&f->test, IDE_LBA0, (uint8_t)lba);
    test_outb(&f->test, IDE_LBA1, (uint8_t)(lba >> 8));
    test_outb(&f->test, IDE_LBA2, (uint8_t)(lba >> 16));
    test_outb(&f->test, IDE_DEVICE, (uint8_t)(0xe0 | lba >> 24));
    test_outb(&f->test, IDE_COMMAND, command);
}

void
ide_command_ext(IdeFixture *f, uint8_t command, uint64_t lba, uint16_t count)
{
    test_outb(&f->test, IDE_COUNT, (uint8_t)(count >> 8));
    test_outb(&f->test, IDE_LBA0, (uint8_t)(lba >> 24));
    test_outb(&f->test, IDE_LBA1, (uint8_t)(lba >> 32));
    test_outb(&f->test, IDE_LBA2, (uint8_t)(lba >> 40));
    ide_command(f, command, (uint32_t)lba & 0xffffff, (uint8_t)count);
    /* ide_command() put bits 27:24 into the device register, where EXT commands ignore them. */
}

void
ide_read_block(IdeFixture *f, void *buf, size_t len)
{
    uint8_t *at = buf;

    for (; len >= 2; len -= 2, at += 2) {
        uint16_t word = test_inw(&f->test, IDE_DATA);
        memcpy(at, &word, 2);
    }
}

void
ide_write_block(IdeFixture *f, const void *buf, size_t len)
{
    const uint8_t *at = buf;

    for (; len >= 2; len -= 2, at += 2) {
        uint16_t word;
        memcpy(&word, at, 2);
        test_outw(&f->test, IDE_DATA, word);
    }
}

void
ide_set_prd(IdeFixture *f, unsigned n, uint32_t address, uint32_t len, bool last)
{
    uint32_t entry[2] = { address, (len & 0xffff) | (last ? 0x80000000u : 0) };

    memcpy(f->ram->host + PRD_AT + 8 * n, entry, sizeof(entry));
}

void
ide_start_dma(IdeFixture *f, bool to_memory)
{
    test_outb(&f->test, BM_BASE, 0);
    test_outb(&f->test, BM_BASE + 2, 0x06);
    test_outl(&f->test, BM_BASE + 4, PRD_AT);
    test_outb(&f->test, BM_BASE, to_memory ? 0x09 : 0x01);
}

uint8_t
ide_wait_dma(IdeFixture *f)
{
    uint8_t status = test_inb(&f->test, BM_BASE + 2);

    for (unsigned i = 0; i < 1000 && !(status & 0x04) && (status & 0x01); i++) {
        blk_graph_poll(f->block.graph, 5);
        status = test_inb(&f->test, BM_BASE + 2);
    }
    return status;
}

uint8_t
ide_packet(IdeFixture *f, const uint8_t packet[12], uint16_t limit, bool dma)
{
    test_outb(&f->test, IDE_DEVICE, 0xa0);
    test_outb(&f->test, IDE_FEATURE, dma);
    test_outb(&f->test, IDE_LBA1, (uint8_t)limit);
    test_outb(&f->test, IDE_LBA2, (uint8_t)(limit >> 8));
    test_outb(&f->test, IDE_COMMAND, 0xa0);
    g_assert_cmphex(ide_wait(f) & 0x08, ==, 0x08);
    g_assert_cmphex(test_inb(&f->test, IDE_COUNT) & 3, ==, 1); /* command, to the device */
    ide_write_block(f, packet, 12);
    return dma ? 0 : ide_wait(f);
}

size_t
ide_take_reply(IdeFixture *f, uint8_t *buf, size_t max)
{
    size_t total = 0;

    while (ide_wait(f) & 0x08) {
        uint32_t len = test_inb(&f->test, IDE_LBA1) | (uint32_t)test_inb(&f->test, IDE_LBA2) << 8;
        uint8_t word[2];
        g_assert_cmphex(test_inb(&f->test, IDE_COUNT) & 3, ==, 2); /* data, to the host */
        g_assert_cmpuint(total + len, <=, max);
        for (uint32_t i = 0; i < len; i += 2) {
            ide_read_block(f, word, 2);
            memcpy(buf + total + i, word, MIN(2, len - i));
        }
        total += len;
    }
    g_assert_cmphex(test_inb(&f->test, IDE_COUNT) & 3, ==, 3); /* status */
    return total;
}
