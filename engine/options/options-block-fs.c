/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Keys of -fsdev and -virtfs. Thread: any; const data. */

#include "options-block.h"

static const VitOptionValue v_fsdev_security_model[] = {
    { .name = "passthrough", .help = VIT_N_("Guest credentials are applied directly; needs root") },
    { .name = "mapped-xattr",
      .help = VIT_N_("uid, gid, mode and link targets kept in extended attributes") },
    { .name = "mapped-file",
      .help = VIT_N_("The same data kept in hidden .virtfs_metadata directories; other host tools "
                     "should not touch the tree") },
    { .name = "none", .help = VIT_N_("Like passthrough but failures to set ownership are silent") },
    { 0 },
};

static const VitOptionValue v_fsdev_writeout[] = {
    { .name = "immediate", .help = VIT_N_("After it reached storage") },
    { 0 },
};

const VitOptionKey vit_fsdev_keys[] = {
    K_NEW_ID("id", NULL, "Name used by fsdev= of the device", .flags = VIT_OPT_REQUIRED),
    K_PATH("path", VIT_PATH_FOLDER, NULL, "Exported directory"),
    K_ENUM("security_model", v_fsdev_security_model, NULL,
           "How guest ownership and modes are kept; other drivers do not take it"),
    K_ENUM("writeout", v_fsdev_writeout, NULL,
           "Reports a write only after it reached storage; immediate is the only value"),
    K_BOOL("readonly", "off", "Export is read-only"),
    K_PATH("socket", VIT_PATH_SOCKET, NULL, "Unix socket of the proxy helper"),
    K_INT("sock_fd", NULL, "Inherited descriptor of a connected proxy socket", .max = 2147483647),
    K_INT("fmode", "0600", "Host mode of new files, mapped models only", .max = 511),
    K_INT("dmode", "0700", "Host mode of new directories, mapped models only", .max = 511),
    K_SIZE("throttling.bps-total", "0", "Total bytes per second"),
    K_SIZE("throttling.bps-total-max", "0", "Burst of total bytes per second"),
    K_SIZE("throttling.bps-read", "0", "Read bytes per second"),
    K_SIZE("throttling.bps-read-max", "0", "Burst of read bytes per second"),
    K_SIZE("throttling.bps-write", "0", "Write bytes per second"),
    K_SIZE("throttling.bps-write-max", "0", "Burst of write bytes per second"),
    K_INT("throttling.iops-total", "0", "Total requests per second", .max = 1000000000000000),
    K_INT("throttling.iops-total-max", "0", "Burst of total requests per second",
          .max = 1000000000000000),
    K_INT("throttling.iops-read", "0", "Read requests per second", .max = 1000000000000000),
    K_INT("throttling.iops-read-max", "0", "Burst of read requests per second",
          .max = 1000000000000000),
    K_INT("throttling.iops-write", "0", "Write requests per second", .max = 1000000000000000),
    K_INT("throttling.iops-write-max", "0", "Burst of write requests per second",
          .max = 1000000000000000),
    K_SIZE("throttling.iops-size", "0", "Unit by which a request is counted"),
    { 0 },
};

const VitOptionVariant vit_fsdev_variants[] = {
    { .name = "local", .help = VIT_N_("Files are served by the program itself") },
    { .name = "proxy", .help = VIT_N_("Files are served through virtfs-proxy-helper") },
    { .name = "synth", .help = VIT_N_("Artificial tree used only for tests") },
    { 0 },
};

static const VitOptionValue v_virtfs_security_model[] = {
    { .name = "passthrough", .help = VIT_N_("As fsdev.security_model.passthrough") },
    { .name = "mapped-xattr", .help = VIT_N_("As fsdev.security_model.mapped-xattr") },
    { .name = "mapped-file", .help = VIT_N_("As fsdev.security_model.mapped-file") },
    { .name = "none", .help = VIT_N_("As fsdev.security_model.none") },
    { 0 },
};

static const VitOptionValue v_virtfs_multidevs[] = {
    { .name = "remap",
      .help = VIT_N_("Inode numbers are rewritten so that they stay unique in the guest") },
    { .name = "forbid",
      .help = VIT_N_(
          "Warn and deny access to further devices (listing a directory may still show them)") },
    { .name = "warn", .help = VIT_N_("Assume one device; log one warning if that is wrong") },
    { 0 },
};

const VitOptionKey vit_virtfs_keys[] = {
    K_NEW_ID("id", NULL, "Name of the file system device"),
    K_PATH("path", VIT_PATH_FOLDER, NULL, "Exported directory"),
    K_ENUM("security_model", v_virtfs_security_model, NULL, "Same four models as -fsdev"),
    K_ENUM("writeout", v_fsdev_writeout, NULL, "Write acknowledged only after reaching storage"),
    K_BOOL("readonly", "off", "Read-only share"),
    K_PATH("socket", VIT_PATH_SOCKET, NULL, "Unix socket of the proxy helper"),
    K_INT("sock_fd", NULL, "Inherited proxy socket descriptor", .max = 2147483647),
    K_INT("fmode", "0600", "Host mode of new files, mapped models only", .max = 511),
    K_INT("dmode", "0700", "Host mode of new directories, mapped models only", .max = 511),
    K_STRING("mount_tag", NULL, "Tag the guest mounts", .flags = VIT_OPT_REQUIRED),
    K_ENUM("multidevs", v_virtfs_multidevs, "warn",
           "What to do when the exported tree spans several host devices, whose inode numbers "
           "could clash"),
    { 0 },
};

const VitOptionVariant vit_virtfs_variants[] = {
    { .name = "local", .help = VIT_N_("Share served by the program itself") },
    { .name = "proxy", .help = VIT_N_("Share served through virtfs-proxy-helper") },
    { .name = "synth", .help = VIT_N_("Artificial test tree") },
    { 0 },
};
