/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The image of a flash chip: what the guest programs reaches it in the order it was programmed,
 * without the guest waiting for it. Thread: device lock held. */

#include "vit-drive.h"

typedef struct FlashStore {
    VitDrive *drive;
    GQueue waiting; /* FlashWrite *, in order; the head is under way while `busy` */
    size_t waiting_bytes;
    bool busy;      /* a request is under way */
    bool stopped;   /* the head failed; waits until the machine goes on */
    bool unflushed; /* written since the last flush */
} FlashStore;

/* Reads LEN bytes from the start of DRIVE. Realize time only, as it waits. */
bool flash_store_read(VitDrive *drive, uint8_t *buf, uint64_t len, GError **error);

void flash_store_init(FlashStore *store, VitDrive *drive);
/* Everything is written and flushed, or has failed. */
void flash_store_finish(FlashStore *store);
/* Copies DATA. */
void flash_store_put(FlashStore *store, uint64_t offset, const uint8_t *data, size_t len);
/* Waits until nothing waits. */
void flash_store_sync(FlashStore *store);
/* The machine goes on after an error stopped it. */
void flash_store_resume(FlashStore *store);
