/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What a board needs of the 82441FX host bridge. In order: make a device of kind i440FX-pcihost,
 * vit_i440fx_init_memory, realize it (it then owns bus pci.0 and the memory map), add ROMs to
 * vit_i440fx_pci_memory, then realize a device of kind i440FX at 00.0. Its four outputs are PIRQA#
 * to PIRQD#. Thread: device lock held. */

#include "vit-pci.h"

extern const VitDeviceKind vit_i440FX_pcihost_kind;
extern const VitDeviceKind vit_i440FX_kind;

/* Before realize. BLOCK holds the RAM below 4 GiB, then the RAM above. */
void vit_i440fx_init_memory(VitDevice *host, VitRamBlock *block, uint64_t below_4g_bytes,
                            uint64_t above_4g_bytes);
VitPciBus *vit_i440fx_bus(VitDevice *host);
/* Container of everything that is not RAM; offsets are guest physical addresses. */
VitRegion *vit_i440fx_pci_memory(VitDevice *host);
/* What a processor in system management mode sees. NULL without RAM. */
VitAddressSpace *vit_i440fx_smm_memory(VitDevice *host);
/* Its root, for what only that mode shall see, above what everybody sees. */
VitRegion *vit_i440fx_smm_root(VitDevice *host);
