/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Firmware of the pc board in flash chips: -pflash, -drive if=pflash, -machine pflash0= and
 * pflash1=. The first chip ends at 4 GiB, the second below it; the end of the first is also what
 * the CPU finds below 1 MiB. */

#include "board-pc.h"

#include "vit-error.h"

#include "pc/pflash-cfi01.h"
#include "pci/i440fx.h"

#include <string.h>

enum {
    CHIPS = 2,
    ISA_BYTES = 128 * 1024,
    CHIPS_MAX_BYTES = 8 * 1024 * 1024, /* more would reach what lies below: the local APICs */
};

typedef struct Chip {
    const char *drive; /* id or node name; NULL: none */
    VitPlanSrc src;
} Chip;

static BoardPc *
pc(Machine *machine)
{
    return machine->board_data;
}

/* What -drive if=pflash and -machine say of chip N; false when they contradict each other. */
static bool
find_chip(Machine *machine, unsigned n, Chip *out, GError **error)
{
    const VitMachinePlan *plan = machine->plan;
    g_autofree char *key = g_strdup_printf("pflash%u", n);
    const VitPlanProp *prop = vit_plan_props_find(&plan->machine_props, key);

    *out = (Chip){ 0 };
    for (guint i = 0; i < plan->drives->len; i++) {
        const VitPlanDrive *drive = plan->drives->pdata[i];

        if (drive->interface == VIT_PLAN_IF_PFLASH && drive->unit == (int)n) {
            *out = (Chip){ drive->id, drive->src };
        }
    }
    if (prop && prop->value[0] && out->drive) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "flash chip %u is given twice: by -machine pflash%u=%s and by -drive if=pflash "
                    "or -pflash; leave one out",
                    n, n, prop->value);
        return false;
    }
    if (prop && prop->value[0]) {
        *out = (Chip){ prop->value, prop->src };
    }
    return true;
}

static VitDevice *
add_chip(Machine *machine, unsigned n, const Chip *chip, uint64_t end, GError **error)
{
    g_autofree char *name = g_strdup_printf("system.flash%u", n);
    VitDevice *flash =
        machine_make_device(machine, &vit_cfi_pflash01_kind, NULL, error, "drive", chip->drive,
                            "name", name, "sector-length", "4096", NULL);

    if (!flash) {
        return NULL;
    }
    vit_pflash_place(flash, end, vit_i440fx_smm_root(pc(machine)->host));
    return machine_realize_device(machine, flash, NULL, error) ? flash : NULL;
}

bool
board_pc_add_flash(Machine *machine, VitDiagList *diags, bool *out_present, GError **error)
{
    uint64_t end = 4 * VIT_GIB;
    Chip chips[CHIPS];

    for (unsigned n = 0; n < CHIPS; n++) {
        if (!find_chip(machine, n, &chips[n], error)) {
            return machine_plan_error(machine, diags, machine->plan->machine_src, error);
        }
    }
    *out_present = chips[0].drive != NULL;
    if (chips[1].drive && !chips[0].drive) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "the second flash chip holds the firmware's variables and needs a first one "
                    "with the firmware: add another -pflash or if=pflash,unit=0 before it");
        return machine_plan_error(machine, diags, chips[1].src, error);
    }
    for (unsigned n = 0; n < CHIPS && chips[n].drive; n++) {
        VitDevice *flash = add_chip(machine, n, &chips[n], end, error);

        if (!flash) {
            return machine_plan_error(machine, diags, chips[n].src, error);
        }
        end -= vit_pflash_len(flash);
        if (end < 4 * VIT_GIB - CHIPS_MAX_BYTES) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "the firmware in flash is longer than 8 MiB together");
            return machine_plan_error(machine, diags, chips[n].src, error);
        }
        if (n == 0) {
            vit_pflash_show_end(flash, vit_i440fx_pci_memory(pc(machine)->host), VIT_MIB,
                                ISA_BYTES);
        }
    }
    return true;
}
