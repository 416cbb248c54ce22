/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Keys of -drive. Thread: any; const data. */

#include "options-block.h"

static const VitOptionValue v_drive_if[] = {
    { .name = "ide", .help = VIT_N_("IDE disk or CD (SATA on q35)") },
    { .name = "scsi",
      .help = VIT_N_("On-board SCSI slot, which PC boards do not have"),
      .status = VIT_STATUS_OTHER_TARGET,
      .reason = VIT_N_(
          "this machine has no on-board SCSI slot; use if=none with an adapter and scsi-hd") },
    { .name = "sd",
      .help = VIT_N_("On-board SD slot, which PC boards do not have"),
      .status = VIT_STATUS_OTHER_TARGET,
      .reason = VIT_N_("this machine has no SD slot; use if=none with sdhci-pci and sd-card") },
    { .name = "mtd",
      .help = VIT_N_("On-board flash, which PC boards do not have"),
      .status = VIT_STATUS_OTHER_TARGET,
      .reason = VIT_N_("this machine has no on-board flash slot for if=mtd") },
    { .name = "floppy", .help = VIT_N_("Floppy drive") },
    { .name = "pflash",
      .help = VIT_N_("Parallel flash holding firmware or its variables"),
      .status = VIT_STATUS_NOT_YET },
    { .name = "virtio", .help = VIT_N_("virtio block device") },
    { .name = "none", .help = VIT_N_("Back end only, to be used by a -device through its id") },
    { 0 },
};

static const VitOptionValue v_drive_media[] = {
    { .name = "disk", .help = VIT_N_("Hard disk") },
    { .name = "cdrom", .help = VIT_N_("Optical drive, read-only and removable") },
    { 0 },
};

static const VitOptionValue v_drive_cache[] = {
    { .name = "none", .help = VIT_N_("writeback on, direct on, no-flush off") },
    { .name = "writeback",
      .help = VIT_N_("writeback on, direct off, no-flush off: completion once in the host cache, "
                     "guest flushes honoured") },
    { .name = "unsafe", .help = VIT_N_("writeback on, direct off, no-flush on: flushes ignored") },
    { .name = "directsync", .help = VIT_N_("writeback off, direct on, no-flush off") },
    { .name = "writethrough",
      .help = VIT_N_("writeback off, direct off, no-flush off: each write is flushed before "
                     "completion, slow") },
    { 0 },
};

static const VitOptionValue v_drive_aio[] = {
    { .name = "threads", .help = VIT_N_("Worker thread pool") },
    { .name = "native", .help = VIT_N_("Linux AIO; needs cache.direct=on") },
    { .name = "io_uring", .help = VIT_N_("Linux io_uring") },
    { 0 },
};

static const VitOptionValue v_drive_format[] = {
    { .name = "raw", .help = VIT_N_("Plain sectors") },
    { .name = "qcow2", .help = VIT_N_("Copy-on-write image of versions 2 and 3") },
    { .name = "vmdk", .status = VIT_STATUS_NOT_YET },
    { .name = "vdi", .status = VIT_STATUS_NOT_YET },
    { .name = "vhdx", .status = VIT_STATUS_NOT_YET },
    { .name = "vpc", .status = VIT_STATUS_NOT_YET },
    { .name = "qcow", .status = VIT_STATUS_NOT_YET },
    { .name = "qed", .status = VIT_STATUS_NOT_YET },
    { .name = "parallels", .status = VIT_STATUS_NOT_YET },
    { .name = "bochs", .status = VIT_STATUS_NOT_YET },
    { .name = "cloop", .status = VIT_STATUS_NOT_YET },
    { .name = "dmg", .status = VIT_STATUS_NOT_YET },
    { .name = "luks", .status = VIT_STATUS_NOT_YET },
    { 0 },
};

static const VitOptionValue v_drive_werror[] = {
    { .name = "ignore",
      .help = VIT_N_("Pretend success and go on"),
      .mission = "drive.error.ignore" },
    { .name = "stop",
      .help = VIT_N_("Pause the guest; the request is repeated when it continues"),
      .mission = "drive.error.stop" },
    { .name = "report",
      .help = VIT_N_("Return the error to the guest"),
      .mission = "drive.error.report" },
    { .name = "enospc",
      .help = VIT_N_("Pause only when the host disk is full"),
      .mission = "drive.error.enospc" },
    { 0 },
};

static const VitOptionValue v_drive_rerror[] = {
    { .name = "ignore",
      .help = VIT_N_("Pretend success and go on"),
      .mission = "drive.error.ignore" },
    { .name = "stop",
      .help = VIT_N_("Pause the guest; the request is repeated when it continues"),
      .mission = "drive.error.stop" },
    { .name = "report",
      .help = VIT_N_("Return the error to the guest"),
      .mission = "drive.error.report" },
    { 0 },
};

static const VitOptionValue v_drive_discard[] = {
    { .name = "ignore", .help = VIT_N_("Dropped") },
    { .name = "off", .help = VIT_N_("Same as ignore") },
    { .name = "unmap", .help = VIT_N_("Passed on, so that storage can be freed") },
    { .name = "on", .help = VIT_N_("Same as unmap") },
    { 0 },
};

static const VitOptionValue v_drive_detect_zeroes[] = {
    { .name = "off", .help = VIT_N_("Written as they come") },
    { .name = "on" },
    { .name = "unmap" },
    { 0 },
};

static const VitOptionValue v_drive_locking[] = {
    { .name = "auto", .help = VIT_N_("Where the host can") },
    { .name = "on", .help = VIT_N_("Always") },
    { .name = "off", .help = VIT_N_("Never") },
    { 0 },
};

const VitOptionKey vit_drive_keys[] = {
    K_PATH("file", VIT_PATH_IMAGE, NULL,
           "Image or protocol URL; without file= an empty removable drive is made; commas in the "
           "name are doubled",
           .flags = VIT_OPT_DOTTED,
           .mission = "cli.json-filename cli.comma-escape x.drive.host-device x.drive.vvfat "
                      "url.curl.copy-on-read"),
    K_ENUM("if", v_drive_if, "ide", "Kind of connector"),
    K_INT("bus", NULL, "Controller bus number", .max = 255),
    K_INT("unit", NULL, "Unit on that bus", .max = 255),
    K_INT("index", NULL,
          "Position in the connector list of the interface (IDE: 0 and 1 first channel, 2 and 3 "
          "second)",
          .max = 255),
    K_ENUM("media", v_drive_media, "disk", "Kind of medium"),
    K_BOOL("snapshot", "off", "Writes go to a temporary overlay for this drive"),
    K_ENUM("cache", v_drive_cache, "writeback",
           "Shortcut setting cache.direct, cache.no-flush and cache.writeback. -snapshot always "
           "uses unsafe for its overlay"),
    K_BOOL("cache.writeback", "on", "Whether the guest sees a volatile write cache",
           .mission = "=drive.cache.writeback-key"),
    K_BOOL("cache.direct", "off", "Bypass the host page cache"),
    K_BOOL("cache.no-flush", "off", "Ignore flushes"),
    K_ENUM("aio", v_drive_aio, "threads", "Host I/O method"),
    K_ENUM("format", v_drive_format, NULL,
           "Image format; format=raw prevents interpreting untrusted headers"),
    K_ENUM("werror", v_drive_werror, "enospc", "Reaction to write errors"),
    K_ENUM("rerror", v_drive_rerror, "report", "Reaction to read errors"),
    K_BOOL("copy-on-read", "off",
           "Data read from the backing file is stored in the image; helps with slow remote bases"),
    K_SIZE("bps", "0", "Total bytes per second limit; below about 2 MB/s guests may time out"),
    K_SIZE("bps_rd", "0", "Read bytes per second limit"),
    K_SIZE("bps_wr", "0", "Write bytes per second limit"),
    K_SIZE("bps_max", "0", "Burst of total bytes per second"),
    K_SIZE("bps_rd_max", "0", "Burst of read bytes per second"),
    K_SIZE("bps_wr_max", "0", "Burst of write bytes per second"),
    K_INT("iops", "0", "Total requests per second limit", .max = 1000000000000000),
    K_INT("iops_rd", "0", "Read requests per second limit", .max = 1000000000000000),
    K_INT("iops_wr", "0", "Write requests per second limit", .max = 1000000000000000),
    K_INT("iops_max", "0", "Burst of total requests per second", .max = 1000000000000000),
    K_INT("iops_rd_max", "0", "Burst of read requests per second", .max = 1000000000000000),
    K_INT("iops_wr_max", "0", "Burst of write requests per second", .max = 1000000000000000),
    K_SIZE("iops_size", "0",
           "Every started unit of this size counts as one request, so large requests cannot dodge "
           "the limit"),
    K_STRING("group", NULL, "Drives naming the same group share one throttle budget"),
    K_SIZE("throttling.bps-total", "0", "Total bytes per second",
           .mission = "x.drive.throttling-keys"),
    K_SIZE("throttling.bps-total-max", "0", "Burst of total bytes per second"),
    K_INT("throttling.bps-total-max-length", "1", "Longest burst of total bytes", .max = 4294967295,
          .unit = "s"),
    K_SIZE("throttling.bps-read", "0", "Read bytes per second"),
    K_SIZE("throttling.bps-read-max", "0", "Burst of read bytes per second"),
    K_INT("throttling.bps-read-max-length", "1", "Longest burst of read bytes", .max = 4294967295,
          .unit = "s"),
    K_SIZE("throttling.bps-write", "0", "Write bytes per second"),
    K_SIZE("throttling.bps-write-max", "0", "Burst of write bytes per second"),
    K_INT("throttling.bps-write-max-length", "1", "Longest burst of write bytes", .max = 4294967295,
          .unit = "s"),
    K_INT("throttling.iops-total", "0", "Total requests per second", .max = 1000000000000000),
    K_INT("throttling.iops-total-max", "0", "Burst of total requests per second",
          .max = 1000000000000000),
    K_INT("throttling.iops-total-max-length", "1", "Longest burst of total requests",
          .max = 4294967295, .unit = "s"),
    K_INT("throttling.iops-read", "0", "Read requests per second", .max = 1000000000000000),
    K_INT("throttling.iops-read-max", "0", "Burst of read requests per second",
          .max = 1000000000000000),
    K_INT("throttling.iops-read-max-length", "1", "Longest burst of read requests",
          .max = 4294967295, .unit = "s"),
    K_INT("throttling.iops-write", "0", "Write requests per second", .max = 1000000000000000),
    K_INT("throttling.iops-write-max", "0", "Burst of write requests per second",
          .max = 1000000000000000),
    K_INT("throttling.iops-write-max-length", "1", "Longest burst of write requests",
          .max = 4294967295, .unit = "s"),
    K_SIZE("throttling.iops-size", "0", "Unit by which a request is counted"),
    K_STRING("throttling.group", NULL, "Same as group"),
    K_NEW_ID("id", NULL, "Name for -device drive= and monitor commands"),
    K_BOOL("readonly", "off", "Read-only drive"),
    K_BOOL("read-only", "off", "Same as readonly"),
    K_BOOL("auto-read-only", "off", "Falls back to read-only when the image cannot be written"),
    K_BOOL("force-share", "off", "Open an image that is in use elsewhere"),
    K_ENUM("discard", v_drive_discard, "ignore", "What happens with discard requests of the guest"),
    K_ENUM("detect-zeroes", v_drive_detect_zeroes, "off",
           "Turns writes of zeroes into cheap zero writes"),
    K_STRING("driver", NULL, "Block driver of the top node",
             .mission = "drive.driver x.drive.luks"),
    K_STRING("node-name", NULL, "Name of the block node"),
    K_ID("key-secret", "object", NULL, "Secret that opens an encrypted image",
         .status = VIT_STATUS_NOT_YET),
    K_STRING("encrypt", NULL, "Encryption of the image: encrypt.key-secret",
             .flags = VIT_OPT_DOTTED, .status = VIT_STATUS_NOT_YET),
    K_ENUM("locking", v_drive_locking, "auto", "Locks of the image file"),
    K_STRING("serial", NULL, "Serial number the disk reports", .flags = VIT_OPT_DEPRECATED),
    K_BOOL("stats-account-invalid", "on", "Count invalid requests", .status = VIT_STATUS_NOT_YET,
           .mission = "x.drive.stats"),
    K_BOOL("stats-account-failed", "on", "Count failed requests", .status = VIT_STATUS_NOT_YET),
    K_ID("backing", "blockdev|drive", NULL, "Backing image in place of the one the image names",
         .flags = VIT_OPT_DOTTED),
    K_BOOL("lazy-refcounts", NULL, "Delay reference count updates (qcow2)",
           .status = VIT_STATUS_NOT_YET),
    K_SIZE("l2-cache-size", NULL, "Limit of the L2 table cache (qcow2)",
           .status = VIT_STATUS_NOT_YET),
    K_SIZE("cache-size", NULL, "Limit of the metadata caches (qcow2)",
           .status = VIT_STATUS_NOT_YET),
    K_SIZE("refcount-cache-size", NULL, "Limit of the reference count cache (qcow2)",
           .status = VIT_STATUS_NOT_YET),
    { 0 },
};
