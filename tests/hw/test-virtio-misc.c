/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The small virtio devices, driven by rings in guest memory.
 * mission: virtio-rng virtio-rng-pci virtio-balloon virtio-balloon-pci virtio-serial
 * mission: virtio-serial-pci virtconsole virtserialport virtio-keyboard virtio-tablet */

#include "virtio-driver.h"
#include "vit-balloon.h"
#include "vit-input-hub.h"

#include <string.h>

extern const VitDeviceKind vit_virtio_rng_pci_kind, vit_virtio_keyboard_pci_kind,
    vit_virtio_tablet_pci_kind, vit_virtio_serial_pci_kind, vit_virtserialport_kind,
    vit_virtconsole_kind, vit_virtio_balloon_pci_kind;

enum { AT = VD_BUFFERS_AT };

static VitDevice *
start(HwRig *rig, VirtioDriver *vd, const VitDeviceKind *kind, const char *prop, const char *value,
      uint64_t features, unsigned queues)
{
    VitDevice *dev = hw_rig_create(rig, kind);
    g_autoptr(GError) error = NULL;

    if (prop) {
        vit_device_set(dev, prop, value, NULL, &error);
        g_assert_no_error(error);
    }
    vit_device_realize(dev, &rig->pci.bus, &rig->test.platform, &error);
    g_assert_no_error(error);
    hw_rig_map_pci(rig, dev);
    vd_init(vd, rig, dev);
    g_assert_cmpuint(vd_negotiate(vd, features | VD_VERSION_1) & 8, ==, 8);
    for (unsigned n = 0; n < queues; n++) {
        vd_setup_queue(vd, n, 8);
    }
    vd_driver_ok(vd);
    return dev;
}

static void
test_rng(void)
{
    g_autoptr(HwRig) rig = hw_rig_new();
    VirtioDriver vd;
    g_autoptr(VitDevice) dev = start(rig, &vd, &vit_virtio_rng_pci_kind, "max-bytes", "100", 0, 1);
    VdBuf buf = { AT, 64, true };
    uint32_t used;
    unsigned set = 0;

    memset(vd_ram(&vd, AT), 0, 64);
    g_assert_cmpuint(vd_transfer(&vd, 0, &buf, 1), ==, 64);
    for (unsigned i = 0; i < 64; i++) {
        set += vd_ram(&vd, AT)[i] != 0;
    }
    g_assert_cmpuint(set, >, 32);
    g_assert_cmpuint(vd_transfer(&vd, 0, &buf, 1), ==, 36); /* what is left of the period */
    vd_add(&vd, 0, &buf, 1);
    vd_kick(&vd, 0);
    g_assert_false(vd_take(&vd, 0, &used));
    hw_rig_step_ns(rig, 66 * VIT_NS_PER_SEC);
    g_assert_true(vd_take(&vd, 0, &used));
    g_assert_cmpuint(used, ==, 64);
}

static void
test_keyboard(void)
{
    g_autoptr(HwRig) rig = hw_rig_new();
    VirtioDriver vd;
    g_autoptr(VitDevice) dev = start(rig, &vd, &vit_virtio_keyboard_pci_kind, NULL, NULL, 0, 2);
    VitInputHub *hub = rig->test.platform.input;
    uint32_t used;
    VdBuf light = { AT + 0x800, 8, false };

    vit_address_space_write(rig->test.platform.memory, vd.device, 2, 0x0111); /* key bits */
    g_assert_cmpuint(vd_config_read(&vd, 2, 1), >, 4);
    g_assert_cmpuint(vd_config_read(&vd, 8 + 30 / 8, 1) >> 30 % 8 & 1, ==, 1);
    vit_address_space_write(rig->test.platform.memory, vd.device, 2, 0x0211); /* no axes */
    g_assert_cmpuint(vd_config_read(&vd, 2, 1), ==, 0);
    vit_input_key(hub, 30, true); /* one buffer too few: the batch is dropped whole */
    for (unsigned n = 0; n < 4; n++) {
        VdBuf buf = { AT + 8 * n, 8, true };
        if (n == 1) {
            vit_input_sync(hub);
            g_assert_false(vd_take(&vd, 0, &used));
            vit_input_key(hub, 30, false);
        }
        vd_add(&vd, 0, &buf, 1);
        vd_kick(&vd, 0);
    }
    vit_input_sync(hub);
    g_assert_true(vd_take(&vd, 0, &used));
    g_assert_true(vd_take(&vd, 0, &used));
    g_assert_false(vd_take(&vd, 0, &used));
    g_assert_cmpmem(vd_ram(&vd, AT), 16, "\1\0\36\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    memcpy(vd_ram(&vd, AT + 0x800), "\x11\0\1\0\1\0\0\0", 8); /* caps lock on */
    vd_transfer(&vd, 1, &light, 1);
    g_assert_cmpuint(vit_input_get_leds(hub), ==, 4);
    vd_common_write(&vd, 0x14, 1, 0);
    vit_input_key(hub, 31, true); /* nobody's any more */
    vit_input_sync(hub);
}

static void
test_tablet(void)
{
    g_autoptr(HwRig) rig = hw_rig_new();
    VirtioDriver vd;
    g_autoptr(VitDevice) dev = start(rig, &vd, &vit_virtio_tablet_pci_kind, NULL, NULL, 0, 2);
    VitInputHub *hub = rig->test.platform.input;
    uint32_t used;

    g_assert_true(vit_input_wants_absolute(hub));
    for (unsigned n = 0; n < 8; n++) {
        VdBuf buf = { AT + 8 * n, 8, true };
        vd_add(&vd, 0, &buf, 1);
    }
    vit_input_absolute(hub, 0x1234, 0x0567);
    vit_input_button(hub, VIT_BUTTON_LEFT, true);
    vit_input_sync(hub);
    for (unsigned n = 0; n < 4; n++) {
        g_assert_true(vd_take(&vd, 0, &used));
    }
    g_assert_cmpmem(vd_ram(&vd, AT), 24,
                    "\3\0\0\0\x34\x12\0\0\3\0\1\0\x67\x05\0\0\1\0\x10\1\1\0\0\0", 24);
}

/* Takes a control message: port, event, value. */
static void
expect_control(VirtioDriver *vd, unsigned *slot, unsigned port, unsigned event, unsigned value)
{
    const uint8_t *message = vd_ram(vd, AT + 0x1000 + 64 * *slot);
    VdBuf buf = { AT + 0x1000 + 64 * *slot, 64, true };
    uint32_t used;

    g_assert_true(vd_take(vd, 2, &used));
    g_assert_cmpuint(message[0], ==, port);
    g_assert_cmpuint(message[4], ==, event);
    g_assert_cmpuint(message[6], ==, value);
    *slot = (*slot + 1) % 4;
    vd_add(vd, 2, &buf, 1);
    vd_kick(vd, 2);
}

static void
send_control(VirtioDriver *vd, unsigned port, unsigned event, unsigned value)
{
    VdBuf buf = { AT + 0x800, 8, false };

    memset(vd_ram(vd, AT + 0x800), 0, 8);
    vd_ram(vd, AT + 0x800)[0] = port;
    vd_ram(vd, AT + 0x800)[4] = event;
    vd_ram(vd, AT + 0x800)[6] = value;
    vd_transfer(vd, 3, &buf, 1);
}

static VitDevice *
add_port(HwRig *rig, VitDevice *serial, const VitDeviceKind *kind, const char *name)
{
    VitDevice *port = hw_rig_create(rig, kind);
    g_autoptr(GError) error = NULL;

    vit_device_set(port, "name", name, NULL, &error);
    vit_device_realize(port, serial->child_buses->pdata[0], &rig->test.platform, &error);
    g_assert_no_error(error);
    return port;
}

static void
test_serial(void)
{
    g_autoptr(HwRig) rig = hw_rig_new();
    VirtioDriver vd;
    g_autoptr(VitDevice) dev = start(rig, &vd, &vit_virtio_serial_pci_kind, NULL, NULL, 2, 6);
    g_autoptr(VitDevice) port = add_port(rig, dev, &vit_virtserialport_kind, "org.test");
    VdBuf out = { AT, 5, false }, in = { AT + 0x40, 16, true };
    unsigned slot = 0;
    uint32_t used;

    for (unsigned n = 0; n < 4; n++) {
        VdBuf buf = { AT + 0x1000 + 64 * n, 64, true };
        vd_add(&vd, 2, &buf, 1);
    }
    vd_kick(&vd, 2);
    expect_control(&vd, &slot, 1, 1, 1); /* it was added under a running driver */
    send_control(&vd, 1, 3, 1);          /* ready */
    expect_control(&vd, &slot, 1, 7, 1);
    g_assert_cmpstr((char *)vd_ram(&vd, AT + 0x1000 + 64 + 8), ==, "org.test");
    expect_control(&vd, &slot, 1, 6, 1); /* the host's end is open */
    memcpy(vd_ram(&vd, AT), "hello", 5);
    vd_transfer(&vd, 5, &out, 1);
    g_assert_cmpmem(rig->sent->data, rig->sent->len, "hello", 5);
    vd_add(&vd, 4, &in, 1);
    vd_kick(&vd, 4);
    hw_rig_type(rig->backends->pdata[0], "early", 5); /* the guest has not opened its end */
    g_assert_false(vd_take(&vd, 4, &used));
    send_control(&vd, 1, 6, 1);
    hw_rig_type(rig->backends->pdata[0], "late", 4);
    g_assert_true(vd_take(&vd, 4, &used));
    g_assert_cmpuint(used, ==, 4);
    g_assert_cmpmem(vd_ram(&vd, AT + 0x40), 4, "late", 4);
    send_control(&vd, 77, 6, 1); /* no such port */
    g_assert_cmpuint(vd_status(&vd), ==, 15);
    vit_device_unrealize(port);
    expect_control(&vd, &slot, 1, 2, 1);
}

static void
test_balloon(void)
{
    g_autoptr(HwRig) rig = hw_rig_new();
    VirtioDriver vd;
    VitPlatform *platform = &rig->test.platform;
    uint32_t pfns[4] = { 0x81, 0x80, 0x82, 0x7fffffff };
    VdBuf buf = { AT, sizeof(pfns), false };

    platform->ram_bytes = HW_RIG_RAM_BYTES;
    g_autoptr(VitDevice) dev = start(rig, &vd, &vit_virtio_balloon_pci_kind, NULL, NULL, 0, 2);
    memset(vd_ram(&vd, 0x80000), 0x55, 0x4000);
    memcpy(vd_ram(&vd, AT), pfns, sizeof(pfns));
    platform->balloon->set_target(platform->balloon, HW_RIG_RAM_BYTES - 0x3000);
    g_assert_cmpuint(vd_config_read(&vd, 0, 4), ==, 3);
    vd_transfer(&vd, 0, &buf, 1);
    g_assert_cmpuint(vd_ram(&vd, 0x80000)[0], ==, 0);
    g_assert_cmpuint(vd_ram(&vd, 0x82fff)[0], ==, 0);
    g_assert_cmpuint(vd_ram(&vd, 0x83000)[0], ==, 0x55);
    vit_address_space_write(platform->memory, vd.device + 4, 4, 3);
    g_assert_cmpuint(platform->balloon->get_actual(platform->balloon), ==,
                     HW_RIG_RAM_BYTES - 0x3000);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtio/rng", test_rng);
    g_test_add_func("/virtio/keyboard", test_keyboard);
    g_test_add_func("/virtio/tablet", test_tablet);
    g_test_add_func("/virtio/serial", test_serial);
    g_test_add_func("/virtio/balloon", test_balloon);
    return g_test_run();
}
