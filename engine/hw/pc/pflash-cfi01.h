/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What a board needs of its firmware flash. Thread: device lock held. */

#include "vit-device.h"

extern const VitDeviceKind vit_cfi_pflash01_kind;

/* Before realize: where the chip is mapped so that its last byte is below END, and the root in
 * which system management mode sees it (for secure=on; NULL: there is none). */
void vit_pflash_place(VitDevice *pflash, uint64_t end, VitRegion *smm_root);
/* Shows the last LEN bytes (or all) once more, without commands, so that they end at END of PARENT.
 */
void vit_pflash_show_end(VitDevice *pflash, VitRegion *parent, uint64_t end, uint64_t len);
uint64_t vit_pflash_len(VitDevice *pflash);
