/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Options of the program itself: help, configuration files, background, messages, migration and
 * sandboxing. Thread: any; const data. */

#include "options-schema.h"

static const VitOptionKey k_readconfig[] = {
    K_PATH("value", VIT_PATH_READ, NULL, "Configuration file"),
    { 0 },
};

static const VitOptionKey k_writeconfig[] = {
    K_PATH("value", VIT_PATH_WRITE, NULL, "File; - is standard output"),
    { 0 },
};

static const VitOptionKey k_pidfile[] = {
    K_PATH("value", VIT_PATH_WRITE, NULL, "File"),
    { 0 },
};

static const VitOptionKey k_msg[] = {
    K_BOOL("timestamp", "off", "Time prefix"),
    K_BOOL("guest-name", "off", "Guest name prefix, only if -name guest is set"),
    { 0 },
};

static const VitOptionKey k_loadvm[] = {
    K_STRING("value", NULL, "Name of the snapshot"),
    { 0 },
};

static const VitOptionKey k_incoming[] = {
    K_STRING("value", NULL, "tcp:, unix:, fd:, exec:, rdma: or defer",
             .mission = "incoming.tcp incoming.tcp.to incoming.tcp.ipv4 incoming.tcp.ipv6 "
                        "incoming.rdma incoming.rdma.ipv4 incoming.rdma.ipv6 incoming.unix "
                        "incoming.fd incoming.exec incoming.defer"),
    { 0 },
};

static const VitOptionValue v_sandbox_enable[] = {
    { .name = "on", .help = VIT_N_("Filter active"), .mission = "sandbox.on" },
    { .name = "off", .help = VIT_N_("No filter"), .mission = "sandbox.off" },
    { 0 },
};

static const VitOptionValue v_sandbox_obsolete[] = {
    { .name = "allow", .help = VIT_N_("Let them pass") },
    { .name = "deny", .help = VIT_N_("Block them") },
    { 0 },
};

static const VitOptionValue v_sandbox_elevateprivileges[] = {
    { .name = "allow", .help = VIT_N_("Let them pass") },
    { .name = "deny", .help = VIT_N_("Block them") },
    { .name = "children", .help = VIT_N_("Block them in this process only") },
    { 0 },
};

static const VitOptionKey k_sandbox[] = {
    K_ENUM("enable", v_sandbox_enable, "off", "Switch"),
    K_ENUM("obsolete", v_sandbox_obsolete, "deny", "allow lets obsolete system calls pass"),
    K_ENUM("elevateprivileges", v_sandbox_elevateprivileges, "allow",
           "deny blocks set-uid style calls; children denies them for the process but lets its "
           "children run"),
    K_ENUM("spawn", v_sandbox_obsolete, "allow", "deny blocks fork and exec"),
    K_ENUM("resourcecontrol", v_sandbox_obsolete, "allow",
           "deny blocks affinity and priority changes"),
    { 0 },
};

static const VitOptionKey k_chroot[] = {
    K_PATH("value", VIT_PATH_FOLDER, NULL, "Folder"),
    { 0 },
};

static const VitOptionKey k_runas[] = {
    K_STRING("value", NULL, "User, or UID:GID"),
    { 0 },
};

static const VitOptionKey k_tpmdev[] = {
    K_STRING("type", NULL, "Kind of backend", .flags = VIT_OPT_REQUIRED | VIT_OPT_HELP),
    K_NEW_ID("id", NULL, "Name used by the device", .flags = VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionKey k_tpmdev_passthrough[] = {
    K_PATH("path", VIT_PATH_DEVICE, "/dev/tpm0", "Host TPM device"),
    K_PATH("cancel-path", VIT_PATH_DEVICE, NULL, "Entry used to cancel a running TPM command"),
    { 0 },
};

static const VitOptionKey k_tpmdev_emulator[] = {
    K_ID("chardev", "chardev", NULL, "Socket chardev to that process", .flags = VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionVariant vr_tpmdev[] = {
    { .name = "passthrough",
      .help = VIT_N_("Uses the host's TPM, which no other program may use; guest firmware cannot "
                     "re-initialise it, and giving up ownership in the guest disables it on the "
                     "host until re-enabled in host firmware"),
      .keys = k_tpmdev_passthrough },
    { .name = "emulator",
      .help = VIT_N_("Uses a software TPM process reached over a Unix socket"),
      .keys = k_tpmdev_emulator },
    { 0 },
};

static const VitOption options[] = {
    { .name = "help",
      .aliases = "h ?",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_("Prints this help and exits"),
      .section = VIT_N_("Program"),
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_AVAILABLE,
      .mission = "h cli.help-value" },
    { .name = "version",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_("Prints program name, version and copyright, and exits"),
      .section = VIT_N_("Program"),
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "readconfig",
      .syntax = VIT_SYNTAX_VALUE,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("FILE"),
      .help = VIT_N_("Reads options from a configuration file, avoiding long command lines"),
      .section = VIT_N_("Program"),
      .keys = k_readconfig,
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "writeconfig",
      .syntax = VIT_SYNTAX_VALUE,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("FILE"),
      .help = VIT_N_("Writes the options to a configuration file"),
      .section = VIT_N_("Program"),
      .keys = k_writeconfig,
      .flags = VIT_OPT_HOST_ONLY | VIT_OPT_DEPRECATED,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "no-user-config",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help =
          VIT_N_("Ignores user-provided configuration files in the system configuration directory"),
      .section = VIT_N_("Program"),
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "pidfile",
      .syntax = VIT_SYNTAX_VALUE,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("FILE"),
      .help = VIT_N_("Writes the process id to FILE"),
      .section = VIT_N_("Program"),
      .keys = k_pidfile,
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "daemonize",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_("Goes to the background only after all devices can accept connections; errors "
                     "before that reach the caller's exit status"),
      .section = VIT_N_("Program"),
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_NOT_YET },
    { .name = "msg",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_MERGE,
      .metavar = VIT_N_("[timestamp=on|off][,guest-name=on|off]"),
      .help = VIT_N_("Format of error messages"),
      .section = VIT_N_("Program"),
      .keys = k_msg,
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "async-teardown",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_("Frees guest memory in a helper process at exit"),
      .section = VIT_N_("Program"),
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_NOT_YET,
      .since = "7.2",
      .mission = "x.async-teardown" },
    { .name = "loadvm",
      .syntax = VIT_SYNTAX_VALUE,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("NAME"),
      .help = VIT_N_("Starts from a saved snapshot, given by name or id"),
      .section = VIT_N_("Saved state and migration"),
      .keys = k_loadvm,
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_NOT_YET },
    { .name = "incoming",
      .syntax = VIT_SYNTAX_VALUE,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("ADDRESS"),
      .help = VIT_N_("Waits for a machine migrated from elsewhere"),
      .section = VIT_N_("Saved state and migration"),
      .keys = k_incoming,
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_NOT_YET },
    { .name = "only-migratable",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_("Refuses devices and states that would prevent migration"),
      .section = VIT_N_("Saved state and migration"),
      .status = VIT_STATUS_NOT_YET },
    { .name = "dump-vmstate",
      .syntax = VIT_SYNTAX_VALUE,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("FILE"),
      .help = VIT_N_("Writes the saved-state layout of the machine as JSON to FILE"),
      .section = VIT_N_("Saved state and migration"),
      .keys = k_pidfile,
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_NOT_YET },
    { .name = "sandbox",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("on|off[,obsolete=allow|deny][,...]"),
      .help = VIT_N_("System call filter for the process"),
      .section = VIT_N_("Security"),
      .page = VIT_N_("Security"),
      .implied = "enable",
      .keys = k_sandbox,
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_NOT_YET },
    { .name = "chroot",
      .syntax = VIT_SYNTAX_VALUE,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("FOLDER"),
      .help =
          VIT_N_("Enters DIR as root directory just before the guest starts; meant with -runas"),
      .section = VIT_N_("Security"),
      .page = VIT_N_("Security"),
      .keys = k_chroot,
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_NOT_YET },
    { .name = "runas",
      .syntax = VIT_SYNTAX_VALUE,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("USER"),
      .help = VIT_N_("Drops root to USER just before the guest starts"),
      .section = VIT_N_("Security"),
      .page = VIT_N_("Security"),
      .keys = k_runas,
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_NOT_YET },
    { .name = "enable-fips",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_("FIPS 140-2 mode, without the VNC password scheme"),
      .section = VIT_N_("Security"),
      .page = VIT_N_("Security"),
      .flags = VIT_OPT_DEPRECATED | VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_NOT_YET },
    { .name = "tpmdev",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("TYPE,id=ID[,OPTION=VALUE[,...]]"),
      .help =
          VIT_N_("TPM backend; it needs a front-end device such as tpm-tis naming it by tpmdev="),
      .section = VIT_N_("Security"),
      .page = VIT_N_("Security"),
      .implied = "type",
      .id_key = "id",
      .keys = k_tpmdev,
      .variants = vr_tpmdev,
      .flags = VIT_OPT_HELP,
      .status = VIT_STATUS_NOT_YET },
};

const VitOptionArea vit_options_app_area = { options, VIT_ARRAY_LEN(options) };
