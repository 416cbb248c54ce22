/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A bare PC for device tests: a platform with 1 MiB of RAM, an ISA bus that notes its interrupt
 * lines, a PCI bus, a character device, disks and a network peer that exist only here. The same
 * rig runs single tests, the contract tests and the fuzzer. */

#include "test-platform.h"
#include "vit-chardev.h"
#include "vit-drive.h"
#include "vit-isa.h"
#include "vit-pci.h"

#define HW_RIG_RAM_BYTES VIT_MIB

typedef struct HwRig {
    TestPlatform test;
    VitRamBlock *ram;
    VitRegion ram_region;
    VitIsaBus isa;
    VitPciBus pci;
    bool irq[16];
    unsigned irq_rises[16];
    unsigned pci_lines; /* bit per line */
    unsigned msis;
    uint64_t last_msi_address;
    uint32_t last_msi_data;
    GByteArray *sent;    /* what devices wrote to their character devices */
    size_t chardev_room; /* bytes the character devices still take */
    GPtrArray *backends; /* freed with the rig, after the devices */
    GPtrArray *drives;   /* of those, RigDrive */
    GPtrArray *fsdevs;   /* VitFsdev that answer each request with an error */
    GPtrArray *owners;   /* devices made to provide a bus */
    VitPropResolver resolver;
} HwRig;

HwRig *hw_rig_new(void);
void hw_rig_free(HwRig *rig);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HwRig, hw_rig_free)

/* A bus the kind can sit on: the rig's own, or a child bus of a controller made for it. *OUT_BUS is
 * NULL for board devices. False when there is none. */
bool hw_rig_find_bus(HwRig *rig, const VitDeviceKind *kind, VitBus **out_bus);
/* Creates KIND with a back end in each property that names one; not realized. */
VitDevice *hw_rig_create(HwRig *rig, const VitDeviceKind *kind);
/* Create and realize; NULL with ERROR set. */
VitDevice *hw_rig_add(HwRig *rig, const VitDeviceKind *kind, GError **error);
/* Places every BAR and switches decoding and bus mastering on. */
void hw_rig_map_pci(HwRig *rig, VitDevice *dev);
/* The same from these addresses on, for a second device. */
void hw_rig_map_pci_at(HwRig *rig, VitDevice *dev, uint64_t memory, uint64_t io);

/* Bytes from the host into the character device of DEV's property chardev. */
void hw_rig_type(VitChardev *chr, const char *text, size_t len);
VitChardev *hw_rig_chardev(HwRig *rig);
/* Completes the drives' requests that wait. */
void hw_rig_complete_io(HwRig *rig);
/* Time passes and no timer runs, as on a host too busy for the machine thread. */
void hw_rig_oversleep_ns(HwRig *rig, int64_t ns);
void hw_rig_step_ns(HwRig *rig, int64_t ns);
static inline int64_t
hw_rig_now(const HwRig *rig)
{
    return vit_clock_get_ns(rig->test.platform.clock);
}

/* Everything the device saves. */
GBytes *hw_rig_save(VitDevice *dev);
bool hw_rig_load(VitDevice *dev, GBytes *state, GError **error);

/* Makes the world around a copied device what it is around the original: memory, disks, time, and
 * the controllers made to provide buses. Both rigs were built the same way. */
void hw_rig_copy_world(HwRig *to, HwRig *from);

/* Runs DATA as a program of guest accesses, time and outside events against DEV. Returns a hash of
 * all that was read. */
uint64_t hw_rig_run(HwRig *rig, VitDevice *dev, const uint8_t *data, size_t len);
/* One pass over every register of every region: each width, read, write, read. */
void hw_rig_touch_all(HwRig *rig, VitDevice *dev);
