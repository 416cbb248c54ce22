/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The small ISA devices: debug console and exit, test device, parallel port, port 0x92, FERR#. */

#include "hw-rig.h"
#include "pc/ferr.h"
#include "vit-error.h"

#include <string.h>

extern const VitDeviceKind vit_isa_debugcon_kind, vit_isa_debug_exit_kind, vit_pc_testdev_kind,
    vit_isa_parallel_kind, vit_port92_kind, vit_ferr_kind;

static void
test_debugcon(void)
{
    g_autoptr(HwRig) rig = hw_rig_new();
    g_autoptr(VitDevice) dev = hw_rig_add(rig, &vit_isa_debugcon_kind, NULL);

    g_assert_cmphex(test_inb(&rig->test, 0xe9), ==, 0xe9);
    rig->chardev_room = 2; /* the host is slow; the guest need not know */
    for (const char *at = "hello"; *at; at++) {
        test_outb(&rig->test, 0xe9, *at);
    }
    rig->chardev_room = 100;
    vit_chardev_notify_writable(rig->backends->pdata[0]);
    test_outb(&rig->test, 0xe9, '!');
    g_assert_cmpuint(rig->sent->len, ==, 6);
    g_assert_cmpint(memcmp(rig->sent->data, "hello!", 6), ==, 0);
}

static void
test_debug_exit(void)
{
    g_autoptr(HwRig) rig = hw_rig_new();
    g_autoptr(VitDevice) dev = hw_rig_add(rig, &vit_isa_debug_exit_kind, NULL);

    g_assert_cmphex(test_inb(&rig->test, 0x501), ==, 0);
    test_outb(&rig->test, 0x501, 0x10);
    g_assert_cmpuint(rig->test.shutdowns, ==, 1);
    g_assert_cmpint(rig->test.last_cause, ==, VIT_CAUSE_DEBUG_EXIT);
    g_assert_cmpint(rig->test.last_status, ==, 0x21);
    test_outl(&rig->test, 0x501, 0xffffffff);
    g_assert_cmpuint(rig->test.shutdowns, >, 1);
}

static void
test_testdev(void)
{
    g_autoptr(HwRig) rig = hw_rig_new();
    g_autoptr(VitDevice) dev = hw_rig_add(rig, &vit_pc_testdev_kind, NULL);

    test_outl(&rig->test, 0xe0, 0x12345678);
    g_assert_cmphex(test_inl(&rig->test, 0xe0), ==, 0x12345678);
    g_assert_cmphex(test_inw(&rig->test, 0xe1), ==, 0x3456);
    g_assert_cmphex(test_inb(&rig->test, 0xeb), ==, 0x12);
    test_outl(&rig->test, 0xe4, 0x1000);
    test_outb(&rig->test, 0x2005, 1);
    g_assert_true(rig->irq[5]);
    test_outb(&rig->test, 0x2005, 0);
    g_assert_false(rig->irq[5]);
    test_outb(&rig->test, 0x2017, 1);
    vit_dma_write64(rig->test.platform.memory, 0xff00fff8, 0x1122334455667788);
    g_assert_cmphex(vit_dma_read32(rig->test.platform.memory, 0xff00fffc), ==, 0x11223344);
}

static void
print_byte(HwRig *rig, uint8_t byte, uint8_t control)
{
    test_outb(&rig->test, 0x378, byte);
    test_outb(&rig->test, 0x37a, control | 1);
    test_outb(&rig->test, 0x37a, control);
}

static void
test_parallel(void)
{
    g_autoptr(HwRig) rig = hw_rig_new();
    g_autoptr(VitDevice) dev = hw_rig_add(rig, &vit_isa_parallel_kind, NULL);

    g_assert_cmphex(test_inb(&rig->test, 0x379), ==, 0xd8);
    g_assert_cmphex(test_inb(&rig->test, 0x37a), ==, 0xcc);
    print_byte(rig, 'P', 0x0c);
    g_assert_cmphex(test_inb(&rig->test, 0x379), ==, 0x18); /* busy with it, acknowledging */
    g_assert_cmphex(test_inb(&rig->test, 0x379), ==, 0xd8);
    g_assert_false(rig->irq[7]);
    print_byte(rig, 'Q', 0x1c);
    g_assert_true(rig->irq[7]);
    test_inb(&rig->test, 0x379);
    g_assert_false(rig->irq[7]);
    g_assert_cmpuint(rig->sent->len, ==, 2);
    g_assert_cmpint(memcmp(rig->sent->data, "PQ", 2), ==, 0);
    g_assert_cmphex(test_inb(&rig->test, 0x378), ==, 'Q');
    test_outb(&rig->test, 0x37a, 0x2c);
    g_assert_cmphex(test_inb(&rig->test, 0x378), ==, 0xff); /* nobody drives it */
    test_inb(&rig->test, 0x379);
    g_assert_cmphex(test_inb(&rig->test, 0x37c), ==, 0xff); /* EPP: a time-out, to be cleared */
    g_assert_cmphex(test_inb(&rig->test, 0x379) & 1, ==, 1);
    test_outb(&rig->test, 0x379, 1);
    g_assert_cmphex(test_inb(&rig->test, 0x379) & 1, ==, 0);
}

static void
test_port92(void)
{
    g_autoptr(HwRig) rig = hw_rig_new();
    g_autoptr(VitDevice) dev = hw_rig_add(rig, &vit_port92_kind, NULL);

    test_outb(&rig->test, 0x92, 0x02);
    g_assert_true(rig->test.a20);
    g_assert_cmphex(test_inb(&rig->test, 0x92), ==, 0x02);
    g_assert_cmpuint(rig->test.resets, ==, 0);
    test_outb(&rig->test, 0x92, 0x03);
    test_outb(&rig->test, 0x92, 0x03); /* only the edge */
    g_assert_cmpuint(rig->test.resets, ==, 1);
}

static void
count_rises(void *opaque, int n, int level)
{
    *(unsigned *)opaque += level;
}

static void
test_ferr(void)
{
    g_autoptr(HwRig) rig = hw_rig_new();
    g_autoptr(VitDevice) dev = hw_rig_add(rig, &vit_ferr_kind, NULL);
    unsigned rises = 0;

    vit_device_connect(dev, 0, (VitIrq){ count_rises, &rises, 0 });
    g_assert_false(vit_ferr_raise(dev));
    g_assert_cmpuint(rises, ==, 1);
    test_outb(&rig->test, 0xf0, 0);
    g_assert_true(vit_ferr_raise(dev)); /* the handler may use the x87 now */
    hw_rig_step_ns(rig, 2000000);
    g_assert_false(vit_ferr_raise(dev));
    g_assert_cmpuint(rises, ==, 2);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/isa/debugcon", test_debugcon);
    g_test_add_func("/isa/debug-exit", test_debug_exit);
    g_test_add_func("/isa/pc-testdev", test_testdev);
    g_test_add_func("/isa/parallel", test_parallel);
    g_test_add_func("/isa/port92", test_port92);
    g_test_add_func("/isa/ferr", test_ferr);
    return g_test_run();
}
