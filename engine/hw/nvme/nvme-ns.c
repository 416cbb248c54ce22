/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A further namespace of an NVMe controller, with a drive of its own. NVM Express 1.4 section 6.1.
 * Thread: device lock held. */

#include "nvme.h"

#include "vit-error.h"

typedef struct NvmeNs {
    VitDevice dev;
    /* properties */
    VitDrive *drive;
    uint32_t nsid, logical_block_bytes, physical_block_bytes;
    uint64_t eui64;
    int32_t bootindex, on_read_error, on_write_error;
    bool share_rw;
    NvmeNamespace ns;
} NvmeNs;
VIT_DEVICE_LAYOUT(NvmeNs)

static bool
ns_realize(VitDevice *dev, GError **error)
{
    NvmeNs *self = (NvmeNs *)dev;
    uint32_t block = self->logical_block_bytes;

    if (block & (block - 1)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "nvme-ns: logical_block_size=%u must be a power of two.", block);
        return false;
    }
    self->ns = (NvmeNamespace){ .drive = self->drive,
                                .block_shift = (uint8_t)g_bit_nth_msf(block, -1),
                                .eui64 = self->eui64 };
    if (!nvme_add_namespace((Nvme *)dev->bus->owner, &self->ns, self->nsid, error)) {
        return false;
    }
    if (self->on_read_error) {
        self->drive->on_read_error = (uint8_t)self->on_read_error;
    }
    if (self->on_write_error) {
        self->drive->on_write_error = (uint8_t)self->on_write_error;
    }
    return true;
}

static void
ns_unrealize(VitDevice *dev)
{
    nvme_remove_namespace(&((NvmeNs *)dev)->ns);
}

static const char *const on_error_words[] = { "auto", "report", "ignore", "stop", "enospc", NULL };

static const VitProp props[] = {
    VIT_PROP_BACKEND(NvmeNs, drive, "drive", VIT_PROP_TYPE_DRIVE,
                     VIT_N_("Drive or block node that holds the data"), .flags = VIT_PROP_REQUIRED),
    VIT_PROP_UINT(NvmeNs, nsid, "nsid", 0, 0, NVME_NAMESPACES_MAX,
                  VIT_N_("Number of the namespace; 0 the first that is free")),
    VIT_PROP_UINT(NvmeNs, eui64, "eui64", 0, 0, INT64_MAX, VIT_N_("Extended unique identifier"),
                  .flags = VIT_PROP_HEX),
    VIT_PROP_INT(NvmeNs, bootindex, "bootindex", -1, -1, INT32_MAX,
                 VIT_N_("Place in the boot order; -1 none")),
    VIT_PROP_SIZE(NvmeNs, logical_block_bytes, "logical_block_size", 512, 512, 65536,
                  VIT_N_("Sector size")),
    VIT_PROP_SIZE(NvmeNs, physical_block_bytes, "physical_block_size", 512, 512, 65536,
                  VIT_N_("Sector size on the medium")),
    VIT_PROP_BOOL(NvmeNs, share_rw, "share-rw", 0, VIT_N_("Others may write to the image too")),
    VIT_PROP_ENUM(NvmeNs, on_read_error, "rerror", on_error_words, 0,
                  VIT_N_("What a read error does")),
    VIT_PROP_ENUM(NvmeNs, on_write_error, "werror", on_error_words, 0,
                  VIT_N_("What a write error does")),
    { 0 },
};

static const VitField state[] = {
    VIT_TRANSIENT(NvmeNs, ns), /* wiring; what the guest can change is the controller's */
    { 0 },
};

const VitDeviceKind vit_nvme_ns_kind = {
    .name = "nvme-ns",
    .title = VIT_N_("NVMe namespace"),
    .bus = VIT_BUS_NVME,
    .category = VIT_CATEGORY_STORAGE,
    VIT_DEVICE_SIZE(NvmeNs, VitDevice),
    .props = props,
    .state = state,
    .state_version = 1,
    .realize = ns_realize,
    .unrealize = ns_unrealize,
};
