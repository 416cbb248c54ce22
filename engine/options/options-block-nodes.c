/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Drivers of -blockdev and their keys. Thread: any; const data. */

#include "options-block.h"

static const VitOptionValue v_blockdev_locking[] = {
    { .name = "auto", .help = VIT_N_("Where the host can") },
    { .name = "on", .help = VIT_N_("Always") },
    { .name = "off", .help = VIT_N_("Never") },
    { 0 },
};

static const VitOptionValue v_blockdev_file_aio[] = {
    { .name = "threads", .help = VIT_N_("Worker threads") },
    { .name = "native", .help = VIT_N_("Linux AIO; needs cache.direct=on") },
    { .name = "io_uring", .help = VIT_N_("Linux io_uring") },
    { 0 },
};

static const VitOptionKey k_blockdev_file[] = {
    K_PATH("filename", VIT_PATH_IMAGE, NULL, "Image path", .flags = VIT_OPT_REQUIRED),
    K_ENUM("aio", v_blockdev_file_aio, "threads", "Host I/O method"),
    K_ENUM("locking", v_blockdev_locking, "auto", "Image locks"),
    { 0 },
};

static const VitOptionKey k_blockdev_raw[] = {
    K_ID("file", "blockdev|drive", NULL, "Node below: a name, or keys of an inline node with file",
         .flags = VIT_OPT_DOTTED | VIT_OPT_REQUIRED),
    K_SIZE("offset", "0", "Start of the data in the node below"),
    K_SIZE("size", NULL, "Length of the data"),
    { 0 },
};

static const VitOptionValue v_blockdev_qcow2_overlap_check[] = {
    { .name = "none", .help = VIT_N_("No check") },
    { .name = "constant", .help = VIT_N_("Only checks against fixed-place metadata") },
    { .name = "cached", .help = VIT_N_("Checks that need no disk reads") },
    { .name = "all", .help = VIT_N_("All checks, even slow ones") },
    { 0 },
};

static const VitOptionKey k_blockdev_qcow2[] = {
    K_ID("file", "blockdev|drive", NULL, "Node below: a name, or keys of an inline node with file",
         .flags = VIT_OPT_DOTTED | VIT_OPT_REQUIRED),
    K_STRING("backing", NULL, "Overrides the backing image; null opens without any",
             .flags = VIT_OPT_DOTTED),
    K_BOOL("lazy-refcounts", NULL, "Delay reference count updates"),
    K_SIZE("cache-size", NULL, "Total limit of metadata caches"),
    K_SIZE("l2-cache-size", "32M",
           "Limit of the L2 table cache; with cache-size given it takes what the refcount cache's "
           "minimum leaves"),
    K_SIZE("refcount-cache-size", NULL,
           "Limit of the refcount block cache; with cache-size given it gets the part L2 does not "
           "use"),
    K_INT("cache-clean-interval", "600",
          "Drops unused cache entries after this time; 0 turns it off (0 is the default on hosts "
          "without support)",
          .max = 4294967295, .unit = "s"),
    K_BOOL("pass-discard-request", NULL, "Forward guest discards to the underlying node"),
    K_BOOL("pass-discard-snapshot", "on", "Discard clusters freed by snapshot operations"),
    K_BOOL("pass-discard-other", "off", "Discard clusters freed for other reasons"),
    K_ENUM("overlap-check", v_blockdev_qcow2_overlap_check, "cached",
           "How carefully writes are checked against metadata; finer control exists through "
           "blockdev-add"),
    K_STRING("encrypt", NULL, "Encryption: encrypt.format, encrypt.key-secret",
             .flags = VIT_OPT_DOTTED),
    K_ID("data-file", "blockdev", NULL, "External data file", .flags = VIT_OPT_DOTTED),
    K_SIZE("l2-cache-entry-size", NULL, "Entry size of the L2 cache"),
    { 0 },
};

static const VitOptionKey k_blockdev_vmdk[] = {
    K_ID("file", "blockdev|drive", NULL, "Node below: a name, or keys of an inline node with file",
         .flags = VIT_OPT_DOTTED | VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionKey k_blockdev_luks[] = {
    K_ID("file", "blockdev|drive", NULL, "Node below: a name, or keys of an inline node with file",
         .flags = VIT_OPT_DOTTED | VIT_OPT_REQUIRED),
    K_ID("key-secret", "object", NULL, "Secret that opens the volume"),
    { 0 },
};

static const VitOptionKey k_blockdev_http[] = {
    K_STRING("url", NULL, "Full URL", .flags = VIT_OPT_REQUIRED),
    K_SIZE("readahead", "256k", "Bytes fetched ahead; a multiple of 512"),
    K_INT("timeout", "5", "Limit for an answer of the server", .max = 86400, .unit = "s"),
    K_STRING("username", NULL, "User"),
    K_ID("password-secret", "object", NULL, "Secret with the password"),
    K_ID("proxy-password-secret", "object", NULL, "Secret with the proxy password"),
    K_STRING("proxy-username", NULL, "Proxy user"),
    K_STRING("cookie", NULL, "Cookies sent with each request", .flags = VIT_OPT_SECRET),
    K_ID("cookie-secret", "object", NULL, "Secret with the cookies"),
    { 0 },
};

static const VitOptionKey k_blockdev_https[] = {
    K_STRING("url", NULL, "Full URL", .flags = VIT_OPT_REQUIRED),
    K_SIZE("readahead", "256k", "Bytes fetched ahead; a multiple of 512"),
    K_INT("timeout", "5", "Limit for an answer of the server", .max = 86400, .unit = "s"),
    K_STRING("username", NULL, "User"),
    K_ID("password-secret", "object", NULL, "Secret with the password"),
    K_ID("proxy-password-secret", "object", NULL, "Secret with the proxy password"),
    K_STRING("proxy-username", NULL, "Proxy user"),
    K_BOOL("sslverify", "on", "Verify the certificate of the server"),
    K_STRING("cookie", NULL, "Cookies sent with each request", .flags = VIT_OPT_SECRET),
    K_ID("cookie-secret", "object", NULL, "Secret with the cookies"),
    { 0 },
};

static const VitOptionKey k_blockdev_ftp[] = {
    K_STRING("url", NULL, "Full URL", .flags = VIT_OPT_REQUIRED),
    K_SIZE("readahead", "256k", "Bytes fetched ahead; a multiple of 512"),
    K_INT("timeout", "5", "Limit for an answer of the server", .max = 86400, .unit = "s"),
    K_STRING("username", NULL, "User"),
    K_ID("password-secret", "object", NULL, "Secret with the password"),
    K_ID("proxy-password-secret", "object", NULL, "Secret with the proxy password"),
    K_STRING("proxy-username", NULL, "Proxy user"),
    { 0 },
};

static const VitOptionKey k_blockdev_ftps[] = {
    K_STRING("url", NULL, "Full URL", .flags = VIT_OPT_REQUIRED),
    K_SIZE("readahead", "256k", "Bytes fetched ahead; a multiple of 512"),
    K_INT("timeout", "5", "Limit for an answer of the server", .max = 86400, .unit = "s"),
    K_STRING("username", NULL, "User"),
    K_ID("password-secret", "object", NULL, "Secret with the password"),
    K_ID("proxy-password-secret", "object", NULL, "Secret with the proxy password"),
    K_STRING("proxy-username", NULL, "Proxy user"),
    K_BOOL("sslverify", "on", "Verify the certificate of the server"),
    { 0 },
};

static const VitOptionKey k_blockdev_nbd[] = {
    K_STRING("server", NULL, "Server: server.type, server.host, server.port or server.path",
             .flags = VIT_OPT_DOTTED),
    K_STRING("host", NULL, "The same as server.host"),
    K_STRING("port", NULL, "The same as server.port"),
    K_STRING("path", NULL, "The same as server.path"),
    K_STRING("export", NULL, "Export name"),
    K_ID("tls-creds", "object", NULL, "TLS credentials"),
    K_STRING("tls-hostname", NULL, "What the server's certificate has to be for"),
    K_INT("open-timeout", NULL, "Seconds to try the first connection", .max = 4294967295,
          .unit = "s"),
    K_INT("reconnect-delay", NULL, "Seconds to retry after a lost connection", .max = 4294967295,
          .unit = "s"),
    { 0 },
};

static const VitOptionKey k_blockdev_ssh[] = {
    K_STRING("server", NULL, "Server: server.host, server.port", .flags = VIT_OPT_DOTTED),
    K_STRING("host", NULL, "The same as server.host"),
    K_STRING("port", NULL, "The same as server.port"),
    K_STRING("path", NULL, "Remote path"),
    K_STRING("user", NULL, "Remote user"),
    K_STRING("host-key-check", NULL, "How the host key is checked", .flags = VIT_OPT_DOTTED),
    { 0 },
};

static const VitOptionKey k_blockdev_gluster[] = {
    K_STRING("volume", NULL, "Volume"),
    K_STRING("path", NULL, "Path within it"),
    K_STRING("server", NULL, "Servers: server.N.type, server.N.host, server.N.port",
             .flags = VIT_OPT_DOTTED),
    K_INT("debug", "4", "Log level", .max = 9),
    K_PATH("logfile", VIT_PATH_WRITE, NULL, "Log file"),
    { 0 },
};

static const VitOptionKey k_blockdev_iscsi[] = {
    K_STRING("transport", NULL, "tcp or iser"),
    K_STRING("portal", NULL, "Address of the target"),
    K_STRING("target", NULL, "Target name"),
    K_INT("lun", NULL, "Unit number", .max = 16383),
    K_STRING("user", NULL, "CHAP user"),
    K_ID("password-secret", "object", NULL, "CHAP password"),
    K_STRING("initiator-name", NULL, "Initiator name"),
    K_STRING("header-digest", NULL, "Digest of headers"),
    K_INT("timeout", NULL, "Seconds until a reconnect", .max = 86400),
    { 0 },
};

static const VitOptionKey k_blockdev_nfs[] = {
    K_STRING("server", NULL, "Server: server.type, server.host", .flags = VIT_OPT_DOTTED),
    K_STRING("path", NULL, "Remote path"),
    { 0 },
};

static const VitOptionKey k_blockdev_vvfat[] = {
    K_PATH("dir", VIT_PATH_FOLDER, NULL, "Folder"),
    K_BOOL("rw", "off", "Writable"),
    K_BOOL("floppy", "off", "Floppy layout"),
    K_INT("fat-type", NULL, "12, 16 or 32", .min = 12, .max = 32),
    K_STRING("label", NULL, "Volume label"),
    { 0 },
};

static const VitOptionKey k_blockdev_null_co[] = {
    K_SIZE("size", "1G", "Size"),
    K_INT("latency-ns", NULL, "Delay of each request", .max = 1000000000, .unit = "ns"),
    K_BOOL("read-zeroes", "off", "Reads return zeroes"),
    { 0 },
};

static const VitOptionKey k_blockdev_copy_on_read[] = {
    K_ID("file", "blockdev|drive", NULL, "Node below: a name, or keys of an inline node with file",
         .flags = VIT_OPT_DOTTED | VIT_OPT_REQUIRED),
    K_ID("bottom", "blockdev", NULL,
         "Lowest image of the chain whose backing image is still copied from"),
    { 0 },
};

static const VitOptionKey k_blockdev_throttle[] = {
    K_ID("file", "blockdev|drive", NULL, "Node below: a name, or keys of an inline node with file",
         .flags = VIT_OPT_DOTTED | VIT_OPT_REQUIRED),
    K_ID("throttle-group", "object", NULL, "Object throttle-group whose limits hold",
         .flags = VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionKey k_blockdev_blkdebug[] = {
    K_ID("image", "blockdev|drive", NULL, "Node below", .flags = VIT_OPT_DOTTED),
    K_PATH("config", VIT_PATH_READ, NULL, "File of rules"),
    K_SIZE("align", NULL, "Requests have to be aligned so"),
    K_STRING("inject-error", NULL, "Rules: inject-error.N.event, .iotype, .errno, .sector, .once",
             .flags = VIT_OPT_DOTTED),
    K_STRING("set-state", NULL, "Rules: set-state.N.event, .state, .new_state",
             .flags = VIT_OPT_DOTTED),
    { 0 },
};

static const VitOptionKey k_blockdev_blkverify[] = {
    K_ID("test", "blockdev|drive", NULL, "Image that is checked", .flags = VIT_OPT_DOTTED),
    K_ID("raw", "blockdev|drive", NULL, "Image that is right", .flags = VIT_OPT_DOTTED),
    { 0 },
};

static const VitOptionKey k_blockdev_blklogwrites[] = {
    K_ID("file", "blockdev|drive", NULL, "Node below: a name, or keys of an inline node with file",
         .flags = VIT_OPT_DOTTED | VIT_OPT_REQUIRED),
    K_ID("log", "blockdev|drive", NULL, "Node that takes the log",
         .flags = VIT_OPT_DOTTED | VIT_OPT_REQUIRED),
    K_INT("log-sector-size", "512", "Size of a sector of the log", .min = 512, .max = 1 << 23,
          .unit = "bytes"),
    K_BOOL("log-append", "off", "Go on with the log there is"),
    K_INT("log-super-update-interval", "4096", "Requests between writes of the super block",
          .min = 1, .max = INT64_MAX),
    { 0 },
};

static const VitOptionKey k_blockdev_blkreplay[] = {
    K_ID("image", "blockdev|drive", NULL, "Node below", .flags = VIT_OPT_DOTTED | VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionKey k_blockdev_preallocate[] = {
    K_ID("file", "blockdev|drive", NULL, "Node below: a name, or keys of an inline node with file",
         .flags = VIT_OPT_DOTTED | VIT_OPT_REQUIRED),
    K_SIZE("prealloc-align", "1M", "Allocated up to a multiple of this"),
    K_SIZE("prealloc-size", "128M", "How much is allocated ahead"),
    { 0 },
};

static const VitOptionValue v_blockdev_quorum_read_pattern[] = {
    { .name = "quorum", .help = VIT_N_("All children; what enough of them agree on") },
    { .name = "fifo", .help = VIT_N_("The first child that can answer") },
    { 0 },
};

static const VitOptionKey k_blockdev_quorum[] = {
    K_ID("children", "blockdev|drive", NULL, "Nodes: children.0=, children.1=, ...",
         .flags = VIT_OPT_DOTTED | VIT_OPT_REQUIRED),
    K_INT("vote-threshold", NULL, "How many children have to agree", .min = 1, .max = 64,
          .flags = VIT_OPT_REQUIRED),
    K_BOOL("blkverify", "off", "Compare two children; a difference is an error"),
    K_BOOL("rewrite-corrupted", "off", "Give children that differ what the others hold"),
    K_ENUM("read-pattern", v_blockdev_quorum_read_pattern, "quorum", "Whom reads ask"),
    { 0 },
};

const VitOptionVariant vit_blockdev_variants[] = {
    { .name = "file",
      .help = VIT_N_("Protocol driver for regular local files"),
      .keys = k_blockdev_file },
    { .name = "raw",
      .help = VIT_N_("Raw format node over a protocol node"),
      .keys = k_blockdev_raw },
    { .name = "qcow2",
      .help = VIT_N_("qcow2 format node over a protocol node"),
      .keys = k_blockdev_qcow2 },
    { .name = "vmdk",
      .help = VIT_N_("VMware disk"),
      .keys = k_blockdev_vmdk,
      .flags = VIT_OPT_OPEN },
    { .name = "vdi",
      .help = VIT_N_("VirtualBox disk"),
      .keys = k_blockdev_vmdk,
      .flags = VIT_OPT_OPEN },
    { .name = "vhdx",
      .help = VIT_N_("Hyper-V disk"),
      .keys = k_blockdev_vmdk,
      .flags = VIT_OPT_OPEN },
    { .name = "vpc",
      .help = VIT_N_("Virtual PC disk"),
      .keys = k_blockdev_vmdk,
      .flags = VIT_OPT_OPEN },
    { .name = "qcow",
      .help = VIT_N_("Old copy on write format"),
      .keys = k_blockdev_vmdk,
      .flags = VIT_OPT_OPEN },
    { .name = "qed", .help = VIT_N_("QED format"), .keys = k_blockdev_vmdk, .flags = VIT_OPT_OPEN },
    { .name = "parallels",
      .help = VIT_N_("Parallels disk"),
      .keys = k_blockdev_vmdk,
      .flags = VIT_OPT_OPEN },
    { .name = "bochs",
      .help = VIT_N_("Bochs growing disk"),
      .keys = k_blockdev_vmdk,
      .flags = VIT_OPT_OPEN },
    { .name = "cloop",
      .help = VIT_N_("Compressed loop image"),
      .keys = k_blockdev_vmdk,
      .flags = VIT_OPT_OPEN },
    { .name = "dmg",
      .help = VIT_N_("macOS disk image"),
      .keys = k_blockdev_vmdk,
      .flags = VIT_OPT_OPEN },
    { .name = "luks", .help = VIT_N_("LUKS encrypted volume"), .keys = k_blockdev_luks },
    { .name = "host_device",
      .help = VIT_N_("Host block device"),
      .keys = k_blockdev_file,
      .flags = VIT_OPT_OPEN },
    { .name = "host_cdrom",
      .help = VIT_N_("Host optical drive"),
      .keys = k_blockdev_file,
      .flags = VIT_OPT_OPEN },
    { .name = "http",
      .help = VIT_N_("Image over HTTP"),
      .keys = k_blockdev_http,
      .flags = VIT_OPT_OPEN },
    { .name = "https",
      .help = VIT_N_("Image over HTTPS"),
      .keys = k_blockdev_https,
      .flags = VIT_OPT_OPEN },
    { .name = "ftp",
      .help = VIT_N_("Image over FTP"),
      .keys = k_blockdev_ftp,
      .flags = VIT_OPT_OPEN },
    { .name = "ftps",
      .help = VIT_N_("Image over FTPS"),
      .keys = k_blockdev_ftps,
      .flags = VIT_OPT_OPEN },
    { .name = "nbd", .help = VIT_N_("NBD export"), .keys = k_blockdev_nbd, .flags = VIT_OPT_OPEN },
    { .name = "ssh",
      .help = VIT_N_("Image over SSH"),
      .keys = k_blockdev_ssh,
      .flags = VIT_OPT_OPEN },
    { .name = "gluster",
      .help = VIT_N_("Image on GlusterFS"),
      .keys = k_blockdev_gluster,
      .flags = VIT_OPT_OPEN },
    { .name = "iscsi",
      .help = VIT_N_("iSCSI unit"),
      .keys = k_blockdev_iscsi,
      .flags = VIT_OPT_OPEN },
    { .name = "nfs",
      .help = VIT_N_("Image over NFS"),
      .keys = k_blockdev_nfs,
      .flags = VIT_OPT_OPEN,
      .status = VIT_STATUS_NOT_YET },
    { .name = "rbd",
      .help = VIT_N_("Ceph image"),
      .flags = VIT_OPT_OPEN,
      .status = VIT_STATUS_NOT_YET },
    { .name = "nvme",
      .help = VIT_N_("NVMe controller driven from user space"),
      .flags = VIT_OPT_OPEN,
      .status = VIT_STATUS_NOT_YET },
    { .name = "vvfat",
      .help = VIT_N_("Folder shown as a FAT disk"),
      .keys = k_blockdev_vvfat,
      .flags = VIT_OPT_OPEN },
    { .name = "null-co",
      .help = VIT_N_("Empty disk that forgets writes"),
      .keys = k_blockdev_null_co,
      .flags = VIT_OPT_OPEN },
    { .name = "null-aio",
      .help = VIT_N_("Empty disk that forgets writes"),
      .keys = k_blockdev_null_co,
      .flags = VIT_OPT_OPEN },
    { .name = "copy-on-read",
      .help = VIT_N_("Stores what is read from the backing image"),
      .keys = k_blockdev_copy_on_read,
      .flags = VIT_OPT_OPEN },
    { .name = "throttle",
      .help = VIT_N_("Limits of a throttle group"),
      .keys = k_blockdev_throttle,
      .flags = VIT_OPT_OPEN },
    { .name = "blkdebug",
      .help = VIT_N_("Injects faults"),
      .keys = k_blockdev_blkdebug,
      .flags = VIT_OPT_OPEN },
    { .name = "blkverify",
      .help = VIT_N_("Compares two images"),
      .keys = k_blockdev_blkverify,
      .flags = VIT_OPT_OPEN },
    { .name = "blklogwrites",
      .help = VIT_N_("Logs writes"),
      .keys = k_blockdev_blklogwrites,
      .flags = VIT_OPT_OPEN },
    { .name = "blkreplay",
      .help = VIT_N_("Replays requests"),
      .keys = k_blockdev_blkreplay,
      .flags = VIT_OPT_OPEN },
    { .name = "compress",
      .help = VIT_N_("Writes compressed clusters"),
      .keys = k_blockdev_vmdk,
      .flags = VIT_OPT_OPEN,
      .status = VIT_STATUS_NOT_YET },
    { .name = "copy-before-write",
      .help = VIT_N_("Copies old data before a write"),
      .keys = k_blockdev_vmdk,
      .flags = VIT_OPT_OPEN,
      .status = VIT_STATUS_NOT_YET },
    { .name = "preallocate",
      .help = VIT_N_("Allocates ahead"),
      .keys = k_blockdev_preallocate,
      .flags = VIT_OPT_OPEN },
    { .name = "quorum",
      .help = VIT_N_("Votes between several images"),
      .keys = k_blockdev_quorum,
      .flags = VIT_OPT_OPEN },
    { .name = "replication",
      .help = VIT_N_("COLO replication"),
      .keys = k_blockdev_vmdk,
      .flags = VIT_OPT_OPEN,
      .status = VIT_STATUS_NOT_YET },
    { .name = "snapshot-access",
      .help = VIT_N_("Reads a snapshot"),
      .keys = k_blockdev_vmdk,
      .flags = VIT_OPT_OPEN,
      .status = VIT_STATUS_NOT_YET },
    { 0 },
};
