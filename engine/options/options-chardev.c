/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Options of character devices and of what is plugged into them: -chardev, -serial, -parallel,
 * -monitor, -qmp, -mon. Thread: any; const data. */

#include "options-schema.h"

static const VitOptionKey k_chardev[] = {
    K_STRING("backend", NULL, "Kind of backend", .flags = VIT_OPT_REQUIRED | VIT_OPT_HELP),
    K_NEW_ID("id", NULL, "Unique name of up to 127 characters", .flags = VIT_OPT_REQUIRED),
    K_BOOL("mux", "off",
           "Lets up to four front ends share the backend, switched by escape keys; without it a "
           "second user is an error",
           .mission = "chardev.mux.limit chardev.mux.implicit"),
    K_PATH("logfile", VIT_PATH_WRITE, NULL,
           "Copies all data passing the backend to a file; every backend has it"),
    K_BOOL("logappend", "off", "Append to the log instead of truncating"),
    { 0 },
};

static const VitOptionKey k_chardev_socket[] = {
    K_BOOL("server", "off", "Listen instead of connecting"),
    K_BOOL("wait", "on", "Whether start-up blocks until a client connects"),
    K_BOOL("telnet", "off", "Speak the telnet protocol on the stream"),
    K_BOOL("tn3270", "off", "TN3270 protocol of s390 consoles", .status = VIT_STATUS_NOT_YET),
    K_BOOL("websocket", "off", "Speak WebSocket", .status = VIT_STATUS_NOT_YET),
    K_INT("reconnect", "0", "A client socket retries this many seconds after the peer went away",
          .max = 86400, .unit = "s"),
    K_ID("tls-creds", "object", NULL, "TLS with this credentials object, defined earlier",
         .status = VIT_STATUS_NOT_YET),
    K_ID("tls-authz", "object", NULL,
         "Authorization object for client certificate names, looked up at use; missing object "
         "denies",
         .status = VIT_STATUS_NOT_YET),
    K_ID("tls-auth", "object", NULL, "Same as tls-authz", .status = VIT_STATUS_NOT_YET),
    K_ADDRESS("host", NULL, "Address to bind or to reach"),
    K_STRING("port", NULL, "Number or service name"),
    K_INT("to", NULL, "Listening only: last port to try if earlier ones are taken", .max = 65535),
    K_BOOL("ipv4", NULL, "Require IPv4"),
    K_BOOL("ipv6", NULL, "Require IPv6"),
    K_BOOL("nodelay", "off", "Disable Nagle"),
    K_BOOL("delay", "on", "Opposite of nodelay", .flags = VIT_OPT_DEPRECATED),
    K_PATH("path", VIT_PATH_SOCKET, NULL, "Unix socket path"),
    K_INT("fd", NULL, "Opened socket", .max = 2147483647),
    K_BOOL("abstract", "off", "Linux abstract name instead of a file"),
    K_BOOL("tight", "on", "Abstract address length limited to the name rather than the full field"),
    { 0 },
};

static const VitOptionKey k_chardev_udp[] = {
    K_ADDRESS("host", "localhost", "Remote host"),
    K_STRING("port", NULL, "Remote port", .flags = VIT_OPT_REQUIRED),
    K_ADDRESS("localaddr", NULL, "Local address"),
    K_STRING("localport", NULL, "Local port"),
    K_BOOL("ipv4", NULL, "Require IPv4"),
    K_BOOL("ipv6", NULL, "Require IPv6"),
    { 0 },
};

static const VitOptionKey k_chardev_vc[] = {
    K_INT("width", NULL, "Console width", .min = 1, .max = 16384, .unit = "pixels"),
    K_INT("height", NULL, "Console height", .min = 1, .max = 16384, .unit = "pixels"),
    K_INT("cols", "80", "Console columns", .min = 1, .max = 1000),
    K_INT("rows", "24", "Console rows", .min = 1, .max = 1000),
    { 0 },
};

static const VitOptionKey k_chardev_ringbuf[] = {
    K_SIZE("size", "64K", "Size, a power of two", .min = 1),
    { 0 },
};

static const VitOptionKey k_chardev_memory[] = {
    K_SIZE("size", "64K", "Size, a power of two"),
    { 0 },
};

static const VitOptionKey k_chardev_file[] = {
    K_PATH("path", VIT_PATH_WRITE, NULL, "Path; the file is created, or overwritten if present",
           .flags = VIT_OPT_REQUIRED),
    K_PATH("input-path", VIT_PATH_READ, NULL, "File to read from"),
    K_BOOL("append", "off", "Append instead of truncating", .mission = "x.chardev.file.append"),
    { 0 },
};

static const VitOptionKey k_chardev_pipe[] = {
    K_PATH("path", VIT_PATH_WRITE, NULL,
           "Opens PATH.in for input and PATH.out for output; both must already exist",
           .flags = VIT_OPT_REQUIRED, .mission = "chardev.pipe.windows"),
    { 0 },
};

static const VitOptionKey k_chardev_serial[] = {
    K_PATH("path", VIT_PATH_DEVICE, NULL, "Device name", .flags = VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionKey k_chardev_tty[] = {
    K_PATH("path", VIT_PATH_DEVICE, NULL, "tty device", .flags = VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionKey k_chardev_stdio[] = {
    K_BOOL("signal", "on", "Whether Ctrl-C in the terminal ends the program"),
    { 0 },
};

static const VitOptionKey k_chardev_parallel[] = {
    K_PATH("path", VIT_PATH_DEVICE, NULL, "Parallel port device", .flags = VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionKey k_chardev_spicevmc[] = {
    K_STRING("name", NULL, "Channel name", .flags = VIT_OPT_REQUIRED),
    K_INT("debug", "0", "Debug level", .max = 9),
    { 0 },
};

static const VitOptionKey k_chardev_spiceport[] = {
    K_STRING("name", NULL, "Port name, preferably a domain-like name", .flags = VIT_OPT_REQUIRED),
    K_INT("debug", "0", "Debug level", .max = 9),
    { 0 },
};

static const VitOptionKey k_chardev_mux[] = {
    K_ID("chardev", "chardev", NULL, "Backend that is shared", .flags = VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionKey k_chardev_qemu_vdagent[] = {
    K_BOOL("clipboard", "off", "Share the clipboard"),
    K_BOOL("mouse", "on", "Send pointer events"),
    { 0 },
};

static const VitOptionVariant vr_chardev[] = {
    { .name = "null", .help = VIT_N_("Discards output, never delivers input") },
    { .name = "socket",
      .help = VIT_N_("Two-way TCP or Unix stream socket; path= makes it Unix"),
      .keys = k_chardev_socket },
    { .name = "udp",
      .help = VIT_N_("Sends traffic as UDP datagrams to a remote host"),
      .keys = k_chardev_udp },
    { .name = "msmouse",
      .help = VIT_N_("Delivers pointer events as a Microsoft serial mouse; no options"),
      .status = VIT_STATUS_NOT_YET },
    { .name = "vc", .help = VIT_N_("Text console inside the display"), .keys = k_chardev_vc },
    { .name = "ringbuf",
      .help = VIT_N_("Keeps the last output in memory, read and written by monitor commands"),
      .keys = k_chardev_ringbuf },
    { .name = "memory",
      .help = VIT_N_("Old name of ringbuf"),
      .keys = k_chardev_memory,
      .flags = VIT_OPT_DEPRECATED },
    { .name = "file",
      .help = VIT_N_("Writes guest output to a file, no input"),
      .keys = k_chardev_file },
    { .name = "pipe", .help = VIT_N_("Two-way connection by named pipes"), .keys = k_chardev_pipe },
    { .name = "console",
      .help = VIT_N_("Windows console"),
      .status = VIT_STATUS_OTHER_HOST,
      .reason = VIT_N_("the console backend exists only on Windows hosts") },
    { .name = "serial",
      .help = VIT_N_("Host serial line; on Unix any tty is accepted"),
      .keys = k_chardev_serial },
    { .name = "tty",
      .help = VIT_N_("Old name of serial"),
      .keys = k_chardev_tty,
      .flags = VIT_OPT_DEPRECATED },
    { .name = "pty", .help = VIT_N_("New pseudo terminal whose name is reported; no options") },
    { .name = "stdio",
      .help = VIT_N_("The program's own standard input and output; only one user"),
      .keys = k_chardev_stdio },
    { .name = "braille", .help = VIT_N_("Local BrlAPI server"), .status = VIT_STATUS_NOT_YET },
    { .name = "parallel",
      .help = VIT_N_("Host parallel port; other files give an error"),
      .keys = k_chardev_parallel,
      .status = VIT_STATUS_NOT_YET },
    { .name = "parport",
      .help = VIT_N_("Old name of parallel"),
      .keys = k_chardev_parallel,
      .flags = VIT_OPT_DEPRECATED,
      .status = VIT_STATUS_NOT_YET },
    { .name = "spicevmc",
      .help = VIT_N_("SPICE agent channel such as vdagent; only with SPICE support"),
      .keys = k_chardev_spicevmc,
      .status = VIT_STATUS_NOT_YET },
    { .name = "spiceport",
      .help = VIT_N_("Named SPICE port handled by the client"),
      .keys = k_chardev_spiceport,
      .status = VIT_STATUS_NOT_YET },
    { .name = "mux",
      .help = VIT_N_("Shares another backend between front ends"),
      .keys = k_chardev_mux },
    { .name = "qemu-vdagent",
      .help = VIT_N_("Built-in agent end: clipboard and pointer without SPICE"),
      .keys = k_chardev_qemu_vdagent,
      .status = VIT_STATUS_NOT_YET,
      .mission = "x.chardev.vdagent" },
    { .name = "wctablet",
      .help = VIT_N_("Serial Wacom tablet"),
      .status = VIT_STATUS_NOT_YET,
      .mission = "x.chardev.wctablet" },
    { .name = "testdev",
      .help = VIT_N_("Test commands from the guest"),
      .status = VIT_STATUS_NOT_YET },
    { .name = "tcp",
      .help = VIT_N_("Not a backend"),
      .status = VIT_STATUS_REPLACED,
      .reason = VIT_N_("there is no backend tcp; use socket with host= and port="),
      .mission = "=chardev.tcp-alias" },
    { 0 },
};

static const VitOptionKey k_serial[] = {
    K_STRING("value", NULL, "Host side of the port"),
    { 0 },
};

static const VitOptionKey k_parallel[] = {
    K_STRING("value", NULL, "Host side of the port",
             .mission = "parallel.none parallel.dev-parport"),
    { 0 },
};

static const VitOptionKey k_monitor[] = {
    K_STRING("value", NULL, "Host side", .mission = "monitor.none"),
    { 0 },
};

static const VitOptionKey k_qmp[] = {
    K_STRING("value", NULL, "Host side"),
    { 0 },
};

static const VitOptionValue v_mon_mode[] = {
    { .name = "readline", .help = VIT_N_("Human monitor with prompt") },
    { .name = "control", .help = VIT_N_("QMP") },
    { 0 },
};

static const VitOptionKey k_mon[] = {
    K_ID("chardev", "chardev", NULL, "Character backend carrying the monitor",
         .flags = VIT_OPT_REQUIRED),
    K_ENUM("mode", v_mon_mode, "readline", "Kind of monitor"),
    K_BOOL("pretty", "off", "Indented JSON, valid only with mode=control"),
    K_NEW_ID("id", NULL, "Name"),
    { 0 },
};

static const VitOptionKey k_echr[] = {
    K_INT("value", "0x01", "Character, 1 to 26 are Ctrl-a to Ctrl-z", .min = 1, .max = 255),
    { 0 },
};

static const VitOptionValue v_compat_deprecated_input[] = {
    { .name = "accept", .help = VIT_N_("Deprecated commands and arguments work") },
    { .name = "reject", .help = VIT_N_("They return an error") },
    { .name = "crash", .help = VIT_N_("They abort the program") },
    { 0 },
};

static const VitOptionValue v_compat_deprecated_output[] = {
    { .name = "accept", .help = VIT_N_("Deprecated results and events are sent") },
    { .name = "hide", .help = VIT_N_("They are left out") },
    { 0 },
};

static const VitOptionValue v_compat_unstable_input[] = {
    { .name = "accept", .help = VIT_N_("Unstable commands and arguments work") },
    { .name = "reject", .help = VIT_N_("They return an error") },
    { .name = "crash", .help = VIT_N_("They abort the program") },
    { 0 },
};

static const VitOptionValue v_compat_unstable_output[] = {
    { .name = "accept", .help = VIT_N_("Unstable results and events are sent") },
    { .name = "hide", .help = VIT_N_("They are left out") },
    { 0 },
};

static const VitOptionKey k_compat[] = {
    K_ENUM("deprecated-input", v_compat_deprecated_input, "accept",
           "Deprecated commands and arguments"),
    K_ENUM("deprecated-output", v_compat_deprecated_output, "accept",
           "Deprecated results and events"),
    K_ENUM("unstable-input", v_compat_unstable_input, "accept", "Unstable commands and arguments"),
    K_ENUM("unstable-output", v_compat_unstable_output, "accept", "Unstable results and events"),
    { 0 },
};

static const VitOption options[] = {
    { .name = "chardev",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("BACKEND,id=ID[,OPTION=VALUE[,...]]"),
      .help = VIT_N_(
          "Creates a host character backend for serial ports, monitors, virtio ports and others"),
      .section = VIT_N_("Character devices"),
      .page = VIT_N_("Ports and consoles"),
      .implied = "backend",
      .id_key = "id",
      .keys = k_chardev,
      .variants = vr_chardev,
      .flags = VIT_OPT_HELP | VIT_OPT_JSON,
      .change = VIT_CHANGE_HOT,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "serial",
      .syntax = VIT_SYNTAX_DEV,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("DEVICE"),
      .help = VIT_N_(
          "Connects the next serial port to a host character device; repeat for up to 4 ports"),
      .section = VIT_N_("Character devices"),
      .page = VIT_N_("Ports and consoles"),
      .keys = k_serial,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "parallel",
      .syntax = VIT_SYNTAX_DEV,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("DEVICE"),
      .help = VIT_N_(
          "Connects the next parallel port like -serial; up to 3 ports, a fourth is an error"),
      .section = VIT_N_("Character devices"),
      .page = VIT_N_("Ports and consoles"),
      .keys = k_parallel,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "monitor",
      .syntax = VIT_SYNTAX_DEV,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("DEVICE"),
      .help = VIT_N_("Human monitor on the given device, same device names as -serial"),
      .section = VIT_N_("Monitor"),
      .page = VIT_N_("Ports and consoles"),
      .keys = k_monitor,
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "qmp",
      .syntax = VIT_SYNTAX_DEV,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("DEVICE"),
      .help = VIT_N_("JSON control monitor (QMP) on the device"),
      .section = VIT_N_("Monitor"),
      .page = VIT_N_("Ports and consoles"),
      .keys = k_qmp,
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "qmp-pretty",
      .syntax = VIT_SYNTAX_DEV,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("DEVICE"),
      .help = VIT_N_("Same with indented JSON"),
      .section = VIT_N_("Monitor"),
      .page = VIT_N_("Ports and consoles"),
      .keys = k_qmp,
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "mon",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("[chardev=]ID[,mode=readline|control][,pretty=on|off]"),
      .help = VIT_N_("Monitor on a named chardev"),
      .section = VIT_N_("Monitor"),
      .page = VIT_N_("Ports and consoles"),
      .implied = "chardev",
      .id_key = "id",
      .keys = k_mon,
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "echr",
      .syntax = VIT_SYNTAX_VALUE,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("N"),
      .help = VIT_N_("Escape character of multiplexed consoles; 1 to 26 stand for Ctrl-a to "
                     "Ctrl-z, decimal or hex (20 or 0x14 is Ctrl-t)"),
      .section = VIT_N_("Monitor"),
      .page = VIT_N_("Ports and consoles"),
      .keys = k_echr,
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "compat",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_MERGE,
      .metavar = VIT_N_("[deprecated-input=POLICY][,deprecated-output=POLICY][,...]"),
      .help = VIT_N_("Experimental policy for QMP commands, arguments, results and events marked "
                     "deprecated or unstable; covers syntax only"),
      .section = VIT_N_("Monitor"),
      .page = VIT_N_("Ports and consoles"),
      .keys = k_compat,
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_NOT_YET },
    { .name = "preconfig",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_("Waits before machine creation for QMP configuration; x-exit-preconfig goes "
                     "on, and -S then stops a second time"),
      .section = VIT_N_("Monitor"),
      .page = VIT_N_("Ports and consoles"),
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_NOT_YET },
};

const VitOptionArea vit_options_chardev_area = { options, VIT_ARRAY_LEN(options) };
