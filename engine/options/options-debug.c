/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Options for debugging guests, tracing and tests. Thread: any; const data. */

#include "options-schema.h"

static const VitOptionKey k_debugcon[] = {
    K_STRING("value", NULL, "Host side"),
    { 0 },
};

static const VitOptionKey k_gdb[] = {
    K_STRING("value", NULL, "Where the debugger connects"),
    { 0 },
};

static const VitOptionValue v_d_value[] = {
    { .name = "in_asm", .help = VIT_N_("Guest code as it is decoded") },
    { .name = "out_asm", .help = VIT_N_("Host code that was made") },
    { .name = "op",
      .help = VIT_N_("Micro operations"),
      .status = VIT_STATUS_REPLACED,
      .reason = VIT_N_("the translator has no intermediate form: give in_asm for the guest's code "
                       "and out_asm for the host's") },
    { .name = "op_opt",
      .help = VIT_N_("Micro operations after optimisation"),
      .status = VIT_STATUS_REPLACED,
      .reason = VIT_N_("the translator has no intermediate form: give in_asm for the guest's code "
                       "and out_asm for the host's") },
    { .name = "op_ind",
      .help = VIT_N_("Micro operations before indirect lowering"),
      .status = VIT_STATUS_REPLACED,
      .reason = VIT_N_("the translator has no intermediate form: give in_asm for the guest's code "
                       "and out_asm for the host's") },
    { .name = "int", .help = VIT_N_("Interrupts and exceptions") },
    { .name = "exec", .help = VIT_N_("Address of each block that runs") },
    { .name = "cpu", .help = VIT_N_("CPU state before each block") },
    { .name = "fpu", .help = VIT_N_("FPU registers with the CPU state") },
    { .name = "mmu", .help = VIT_N_("Page walks and TLB flushes") },
    { .name = "pcall", .help = VIT_N_("Protected mode far calls and returns") },
    { .name = "cpu_reset", .help = VIT_N_("CPU state at resets") },
    { .name = "unimp", .help = VIT_N_("Things devices do not do") },
    { .name = "guest_errors", .help = VIT_N_("Nonsense the guest asks of devices") },
    { .name = "page",
      .help = VIT_N_("Memory pages at the start"),
      .status = VIT_STATUS_REPLACED,
      .reason = VIT_N_("it shows the pages of a program that is run without a machine: give mmu "
                       "for page walks") },
    { .name = "nochain", .help = VIT_N_("No chaining of blocks") },
    { .name = "plugin", .help = VIT_N_("Output of plugins"), .status = VIT_STATUS_NOT_YET },
    { .name = "strace",
      .help = VIT_N_("System calls"),
      .status = VIT_STATUS_REPLACED,
      .reason = VIT_N_("it shows the system calls of a program that is run without a machine: give "
                       "int for the guest's interrupts and exceptions") },
    { .name = "all", .help = VIT_N_("Everything") },
    { .name = "none", .help = VIT_N_("Nothing") },
    { .name = "ioport", .help = VIT_N_("Port accesses") },
    { .name = "mmio", .help = VIT_N_("Device memory accesses") },
    { .name = "trace:PATTERN",
      .help = VIT_N_("Accesses of the device windows that match, NAME_read and NAME_write (names "
                     "by the monitor's info mtree)") },
    { 0 },
};

static const VitOptionKey k_d[] = {
    K_ENUM("value", v_d_value, NULL, "Log items", .mission = "x.d.items"),
    { 0 },
};

static const VitOptionKey k_d2[] = {
    K_PATH("value", VIT_PATH_WRITE, NULL, "Log file"),
    { 0 },
};

static const VitOptionKey k_dfilter[] = {
    K_STRING("value", NULL, "Ranges",
             .mission = "dfilter.start-plus-size dfilter.start-minus-size dfilter.start-end"),
    { 0 },
};

static const VitOptionKey k_trace[] = {
    K_STRING("enable", NULL, "Enables events matching a name or glob; repeatable",
             .flags = VIT_OPT_REPEATS),
    K_PATH("events", VIT_PATH_READ, NULL,
           "Enables events listed one per line (names as in trace-events-all), globs allowed"),
    K_PATH("file", VIT_PATH_WRITE, NULL, "Trace output file for the simple back end"),
    { 0 },
};

static const VitOptionKey k_plugin[] = {
    K_PATH("file", VIT_PATH_PROGRAM, NULL, "Shared library", .flags = VIT_OPT_REQUIRED),
    { 0 },
};

static const VitOptionKey k_qtest[] = {
    K_STRING("value", NULL, "Host side of the test protocol"),
    { 0 },
};

static const VitOptionValue v_semihosting_config_target[] = {
    { .name = "native", .help = VIT_N_("The emulator") },
    { .name = "gdb", .help = VIT_N_("The debugger") },
    { .name = "auto", .help = VIT_N_("Whichever is there") },
    { 0 },
};

static const VitOptionKey k_semihosting_config[] = {
    K_BOOL("enable", NULL, "Switch"),
    K_ENUM("target", v_semihosting_config_target, "auto", "Who serves the calls"),
    K_ID("chardev", "chardev", NULL, "Output"),
    K_STRING("arg", NULL, "Arguments", .flags = VIT_OPT_REPEATS),
    { 0 },
};

static const VitOption options[] = {
    { .name = "S",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_("Machine is created but CPUs wait for cont"),
      .section = VIT_N_("Debugging"),
      .page = VIT_N_("Debugging"),
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "debugcon",
      .syntax = VIT_SYNTAX_DEV,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("DEVICE"),
      .help = VIT_N_("Guest writes to I/O port 0xe9 appear on the device"),
      .section = VIT_N_("Debugging"),
      .page = VIT_N_("Debugging"),
      .keys = k_debugcon,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "gdb",
      .syntax = VIT_SYNTAX_DEV,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("DEVICE"),
      .help = VIT_N_("GDB remote stub on a device such as tcp::3117, UDP, pty or stdio; does not "
                     "stop the guest by itself, combine with -S"),
      .section = VIT_N_("Debugging"),
      .page = VIT_N_("Debugging"),
      .keys = k_gdb,
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "s",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_("Same as -gdb tcp::1234"),
      .section = VIT_N_("Debugging"),
      .page = VIT_N_("Debugging"),
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "d",
      .syntax = VIT_SYNTAX_LIST,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("ITEM[,ITEM...]"),
      .help = VIT_N_("Logs the named items"),
      .section = VIT_N_("Debugging"),
      .page = VIT_N_("Debugging"),
      .keys = k_d,
      .flags = VIT_OPT_HOST_ONLY | VIT_OPT_HELP,
      .change = VIT_CHANGE_HOT,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "D",
      .syntax = VIT_SYNTAX_VALUE,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("FILE"),
      .help = VIT_N_("Log destination"),
      .section = VIT_N_("Debugging"),
      .page = VIT_N_("Debugging"),
      .keys = k_d2,
      .flags = VIT_OPT_HOST_ONLY,
      .change = VIT_CHANGE_HOT,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "dfilter",
      .syntax = VIT_SYNTAX_LIST,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("RANGE[,RANGE...]"),
      .help = VIT_N_("Restricts logs to guest address ranges"),
      .section = VIT_N_("Debugging"),
      .page = VIT_N_("Debugging"),
      .keys = k_dfilter,
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "singlestep",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_("One guest instruction per translation block"),
      .section = VIT_N_("Debugging"),
      .page = VIT_N_("Debugging"),
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "trace",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("[[enable=]PATTERN][,events=FILE][,file=FILE]"),
      .help = VIT_N_("Trace points; options depend on trace back ends built in"),
      .section = VIT_N_("Debugging"),
      .page = VIT_N_("Debugging"),
      .implied = "enable",
      .keys = k_trace,
      .flags = VIT_OPT_HOST_ONLY | VIT_OPT_HELP,
      .status = VIT_STATUS_NOT_YET,
      .mission = "trace.backend.log trace.backend.simple trace.backend.ftrace" },
    { .name = "plugin",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("[file=]FILE[,ARG=VALUE[,...]]"),
      .help = VIT_N_("Loads an instrumentation plugin"),
      .section = VIT_N_("Debugging"),
      .page = VIT_N_("Debugging"),
      .implied = "file",
      .keys = k_plugin,
      .flags = VIT_OPT_HOST_ONLY | VIT_OPT_OPEN,
      .status = VIT_STATUS_NOT_YET,
      .mission = "plugin.arg" },
    { .name = "enable-sync-profile",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_("Starts lock profiling, read by info sync-profile"),
      .section = VIT_N_("Debugging"),
      .page = VIT_N_("Debugging"),
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_NOT_YET },
    { .name = "qtest",
      .syntax = VIT_SYNTAX_DEV,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("DEVICE"),
      .help = VIT_N_("Serves the device test protocol, for use with -accel qtest"),
      .section = VIT_N_("Debugging"),
      .page = VIT_N_("Debugging"),
      .keys = k_qtest,
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "qtest-log",
      .syntax = VIT_SYNTAX_VALUE,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("FILE"),
      .help = VIT_N_("Where the test protocol is logged; none for nowhere"),
      .section = VIT_N_("Debugging"),
      .page = VIT_N_("Debugging"),
      .keys = k_d2,
      .flags = VIT_OPT_HOST_ONLY,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "semihosting",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_("System calls of a debugger for bare programs"),
      .section = VIT_N_("Debugging"),
      .page = VIT_N_("Debugging"),
      .status = VIT_STATUS_OTHER_TARGET,
      .reason =
          VIT_N_("semihosting exists only on ARM, M68K, Xtensa, MIPS, Nios II and RISC-V machines"),
      .mission =
          "semihosting.arm-api semihosting.m68k-api semihosting.xtensa-api semihosting.riscv-api" },
    { .name = "semihosting-config",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("[enable=on|off][,target=NAME][,chardev=ID][,arg=TEXT]"),
      .help = VIT_N_("Settings of semihosting"),
      .section = VIT_N_("Debugging"),
      .page = VIT_N_("Debugging"),
      .implied = "enable",
      .keys = k_semihosting_config,
      .status = VIT_STATUS_OTHER_TARGET,
      .reason = VIT_N_(
          "semihosting exists only on ARM, M68K, Xtensa, MIPS, Nios II and RISC-V machines") },
};

const VitOptionArea vit_options_debug_area = { options, VIT_ARRAY_LEN(options) };
