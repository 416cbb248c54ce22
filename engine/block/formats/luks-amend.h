/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What LUKS volumes and encrypted qcow2 images share besides blk-luks.h. Thread: in a fiber. */

#include "blk-luks.h"
#include "fmt.h"

typedef struct _JsonObject JsonObject;

/* Where an image keeps its LUKS header, and what is known of it. */
typedef struct FmtLuks {
    BlkChild *file;
    uint64_t offset, len; /* of header and key material */
    BlkLuks header;
    BlkCipher *master; /* NULL: not unlocked */
} FmtLuks;

/* Reads the header of LUKS->len bytes and, with PASSWORD, unlocks it. */
bool fmt_luks_open(BlkNode *node, FmtLuks *luks, const char *password, GError **error);
/* Adds or erases key slots as the options state, new-secret, old-secret, keyslot and iter-time say,
 * each behind PREFIX; others are left alone. KEY_SECRET: id of the secret the image was opened
 * with. False when none of them is there, without ERROR. */
bool fmt_luks_amend(BlkNode *node, FmtLuks *luks, const BlkOptions *options, const char *prefix,
                    bool force, GError **error);
/* "encrypt" of info, or a volume's format-specific data. Ownership: caller. */
JsonObject *fmt_luks_describe(const BlkLuks *luks);
