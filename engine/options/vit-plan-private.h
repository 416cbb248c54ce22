/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the files of the normalisation share. */

#include "vit-config-private.h"
#include "vit-plan.h"

typedef struct {
    VitConfig *config;
    VitMachinePlan *plan;
    VitDiagList *diags;
    GPtrArray *items; /* VitConfigItem, -set applied */
    unsigned n_errors;
    /* Which default devices are still wanted. */
    bool default_serial, default_parallel, default_monitor, default_floppy, default_cdrom,
        default_vga, default_net;
    bool is_q35;
} VitNormalizer;

static inline VitPlanSrc
vit_plan_src(const VitConfigItem *item, int param)
{
    return (VitPlanSrc){ .serial = item ? item->serial : 0, .param = param };
}

/* Copies TEXT into the plan. */
const char *vit_plan_keep(VitMachinePlan *plan, const char *text);
const char *vit_plan_printf(VitMachinePlan *plan, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The parameters of ITEM but those named in EXCEPT (separated by spaces). */
VitPlanProps vit_plan_props_of(VitMachinePlan *plan, const VitConfigItem *item, const char *except);

void vit_plan_error(VitNormalizer *norm, VitPlanSrc src, VitError code, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

bool vit_plan_bool(const VitConfigItem *item, const char *key, bool fallback);

VitPlanChardev *vit_plan_add_chardev(VitNormalizer *norm, VitPlanSrc src, const char *id,
                                     const char *backend);

/* vit-plan-block.c */
void vit_plan_block(VitNormalizer *norm, const VitConfigItem *item);
void vit_plan_block_defaults(VitNormalizer *norm);
/* vit-plan-net.c */
void vit_plan_net(VitNormalizer *norm, const VitConfigItem *item);
void vit_plan_net_defaults(VitNormalizer *norm);
/* vit-plan-char.c */
void vit_plan_char(VitNormalizer *norm, const VitConfigItem *item);
void vit_plan_char_defaults(VitNormalizer *norm);
/* vit-plan-machine.c */
void vit_plan_machine(VitNormalizer *norm);
