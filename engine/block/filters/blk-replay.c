/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The filter "blkreplay": where the disk's requests enter the log of a recorded run. As runs are
 * not recorded or replayed here yet (-icount rr=), it hands everything on as it comes, like its
 * model does outside of such a run; command lines that name it work. Thread: the lock of the node's
 * context held. */

#include "blk-driver.h"

static const BlkChildSlot slots[] = { { .name = "image", .required = true, .probe = true }, { 0 } };

const BlkDriver blk_blkreplay_driver = {
    .name = "blkreplay",
    .title = VIT_N_("Disk of a recorded run"),
    .role = BLK_ROLE_FILTER,
    .slots = slots,
    .read = blk_pass_read,
    .write = blk_pass_write,
    .write_zeroes = blk_pass_write_zeroes,
    .discard = blk_pass_discard,
};
