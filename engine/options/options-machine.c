/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Options of the board, its processors and its memory: -machine, -cpu, -accel, -smp, -m, -numa and
 * the switches around them. Thread: any; const data. */

#include "options-schema.h"
#include "vit-plan.h"

static const VitOptionValue v_machine_vmport[] = {
    { .name = "on", .help = VIT_N_("Backdoor port is present"), .status = VIT_STATUS_NOT_YET },
    { .name = "off", .help = VIT_N_("Backdoor port is absent") },
    { .name = "auto",
      .help = VIT_N_("Decided from the accelerator: absent under Xen, present otherwise") },
    { 0 },
};

static const VitOptionValue v_machine_acpi[] = {
    { .name = "on", .help = VIT_N_("Always") },
    { .name = "off", .help = VIT_N_("Never") },
    { .name = "auto", .help = VIT_N_("Decided by the machine") },
    { 0 },
};

static const VitOptionValue v_machine_kernel_irqchip[] = {
    { .name = "on" },
    { .name = "off" },
    { .name = "split" },
    { 0 },
};

static const VitOptionKey k_machine[] = {
    K_STRING("type", "pc", "Board name; the key type= may be left out when first",
             .flags = VIT_OPT_HELP, .mission = "machine.versioned"),
    K_STRING(
        "accel", "tcg",
        "Colon-separated accelerators are tried left to right; the first that initialises is used"),
    K_ENUM("vmport", v_machine_vmport, "auto",
           "Controls the VMware backdoor I/O port used by vmmouse and similar guest tools"),
    K_BOOL("dump-guest-core", "on",
           "Whether guest RAM is included in a core file of the host process",
           .status = VIT_STATUS_NOT_YET),
    K_BOOL("mem-merge", "on",
           "Marks guest RAM for host same-page merging where the host supports it",
           .status = VIT_STATUS_NOT_YET),
    K_BOOL("aes-key-wrap", "on", "Key wrapping of s390 machines", .status = VIT_STATUS_OTHER_TARGET,
           .reason = VIT_N_("AES key wrapping exists only on s390-ccw machines")),
    K_BOOL("dea-key-wrap", "on", "Key wrapping of s390 machines", .status = VIT_STATUS_OTHER_TARGET,
           .reason = VIT_N_("DEA key wrapping exists only on s390-ccw machines")),
    K_BOOL("nvdimm", "off", "Allows NVDIMM devices and publishes the NFIT and related ACPI objects",
           .status = VIT_STATUS_NOT_YET),
    K_ID("memory-encryption", "object", NULL,
         "Memory encryption object, such as sev-guest, that protects guest RAM",
         .status = VIT_STATUS_NOT_YET),
    K_ID("confidential-guest-support", "object", NULL, "Later name of memory-encryption",
         .status = VIT_STATUS_NOT_YET),
    K_BOOL("hmat", "off",
           "Publishes the ACPI HMAT table and makes NUMA initiator/latency data settable",
           .status = VIT_STATUS_NOT_YET),
    K_ID("memory-backend", "object", NULL,
         "Uses the named memory object as main RAM in place of -mem-path/-mem-prealloc; its size "
         "must match -m",
         .status = VIT_STATUS_NOT_YET, .mission = "machine.memory-backend.default-ram-id"),
    K_STRING("sgx-epc", NULL, "SGX enclave memory: sgx-epc.N.memdev names a memory object",
             .flags = VIT_OPT_DOTTED, .status = VIT_STATUS_NOT_YET, .mission = "=machine.sgx-epc"),
    K_BOOL("usb", "off", "Adds the board's built-in USB host controller (what -usb does)",
           .status = VIT_STATUS_NOT_YET),
    K_ID("pcspk-audiodev", "audiodev", NULL, "Connects the PC speaker to an audio backend",
         .status = VIT_STATUS_NOT_YET, .mission = "intro.pcspk-audiodev"),
    K_ENUM("acpi", v_machine_acpi, "on", "ACPI tables and power management",
           .mission = "x.machine.acpi"),
    K_BOOL("hpet", "on", "HPET timer", .mission = "x.machine.hpet"),
    K_ENUM("smm", v_machine_acpi, "auto", "System management mode, needed by secure-boot firmware",
           .mission = "x.machine.smm"),
    K_BOOL("graphics", "on", "off tells firmware to use the serial console",
           .mission = "x.machine.graphics"),
    K_BOOL("smbus", "on", "SMBus controller of the board", .status = VIT_STATUS_NOT_YET,
           .mission = "x.machine.smbus-sata-pic-pit"),
    K_BOOL("sata", "on", "SATA controller of the board", .status = VIT_STATUS_NOT_YET),
    K_BOOL("i8042", "on", "Keyboard controller", .status = VIT_STATUS_NOT_YET),
    K_ENUM("pit", v_machine_acpi, "on", "8254 interval timer", .status = VIT_STATUS_NOT_YET),
    K_ENUM("pic", v_machine_acpi, "on", "8259 interrupt controllers", .status = VIT_STATUS_NOT_YET),
    K_SIZE("max-ram-below-4g", NULL, "Split of RAM around the 4 GiB hole",
           .mission = "x.machine.max-ram-below-4g"),
    K_PATH("kernel", VIT_PATH_READ, NULL, "Same as -kernel", .mission = "x.machine.kernel-options"),
    K_PATH("initrd", VIT_PATH_READ, NULL, "Same as -initrd"),
    K_STRING("append", NULL, "Same as -append"),
    K_PATH("dtb", VIT_PATH_READ, NULL, "Same as -dtb", .status = VIT_STATUS_NOT_YET),
    K_PATH("firmware", VIT_PATH_READ, NULL, "Same as -bios"),
    K_BOOL("suppress-vmdesc", "off", "Leaves the state description out of migration streams",
           .status = VIT_STATUS_NOT_YET, .mission = "x.machine.suppress-vmdesc"),
    K_ENUM("kernel_irqchip", v_machine_kernel_irqchip, "on",
           "Old board-level spelling of the accelerator property", .flags = VIT_OPT_DEPRECATED,
           .status = VIT_STATUS_NOT_YET, .mission = "x.machine.kernel_irqchip"),
    K_ENUM("kernel-irqchip", v_machine_kernel_irqchip, "on",
           "Where the interrupt controllers live under KVM", .status = VIT_STATUS_NOT_YET),
    K_BOOL("igd-passthru", "off", "Intel graphics pass-through under Xen",
           .status = VIT_STATUS_OTHER_HOST,
           .reason = VIT_N_("Intel graphics pass-through needs a Xen host")),
    K_ID("pflash0", "blockdev|drive", NULL, "Block node that holds the firmware",
         .status = VIT_STATUS_NOT_YET),
    K_ID("pflash1", "blockdev|drive", NULL, "Block node that holds the firmware variables",
         .status = VIT_STATUS_NOT_YET),
    K_SIZE("kvm-shadow-mem", NULL, "Size of the shadow MMU of KVM", .status = VIT_STATUS_NOT_YET),
    K_BOOL("fd-bootchk", "on", "Firmware checks the boot signature of floppies"),
    K_BOOL("default-bus-bypass-iommu", "off", "Devices on the root bus bypass the IOMMU",
           .status = VIT_STATUS_NOT_YET),
    { 0 },
};

static const VitOptionKey k_cpu[] = {
    K_STRING("model", "qemu64", "CPU model", .flags = VIT_OPT_HELP,
             .mission = "x.cpu.host x.cpu.max"),
    { 0 },
};

static const VitOptionValue v_accel_kernel_irqchip[] = {
    { .name = "on",
      .help = VIT_N_("All interrupt controllers are run by the kernel"),
      .status = VIT_STATUS_NOT_YET },
    { .name = "off",
      .help = VIT_N_("All controllers emulated in the process; meant for debugging only") },
    { .name = "split",
      .help = VIT_N_("Local APICs in the kernel, PIC and I/O APIC in the process: smaller attack "
                     "surface, slower non-MSI interrupts"),
      .status = VIT_STATUS_NOT_YET },
    { .name = "auto", .help = VIT_N_("The best that this version has; today that is off") },
    { 0 },
};

static const VitOptionValue v_accel_thread[] = {
    { .name = "single",
      .help = VIT_N_(
          "All virtual CPUs take turns on one thread; forced by instruction counting and replay") },
    { .name = "multi",
      .help = VIT_N_("One host thread per virtual CPU, so several host cores are used; refused "
                     "with incompatible features such as -icount") },
    { 0 },
};

static const VitOptionValue v_accel_notify_vmexit[] = {
    { .name = "run", .help = VIT_N_("The guest goes on") },
    { .name = "internal-error", .help = VIT_N_("The machine stops") },
    { .name = "disable", .help = VIT_N_("The kernel is not asked to watch") },
    { 0 },
};

static const VitOptionKey k_accel[] = {
    K_STRING("accel", "tcg", "Accelerator", .flags = VIT_OPT_HELP),
    K_BOOL("igd-passthru", "off", "Intel graphics pass-through under Xen",
           .status = VIT_STATUS_OTHER_HOST,
           .reason = VIT_N_("Intel graphics pass-through needs a Xen host")),
    K_ENUM("kernel-irqchip", v_accel_kernel_irqchip, "auto",
           "Where the interrupt controllers live when KVM is used; an error for other "
           "accelerators"),
    K_SIZE("kvm-shadow-mem", NULL, "Size given to KVM's shadow MMU", .status = VIT_STATUS_NOT_YET),
    K_BOOL("split-wx", "off",
           "Keeps the translator's code buffer in two mappings, one writable and one executable"),
    K_INT("tb-size", NULL, "Size in MiB of the translated code cache", .min = 1, .max = 65536,
          .unit = "MiB"),
    K_ENUM("thread", v_accel_thread, NULL, "How software CPUs map to host threads"),
    K_INT("dirty-ring-size", "0",
          "Entries of the per-CPU KVM dirty page ring: a power of two, at least 1024 and within "
          "the kernel's maximum; 0 turns the ring off",
          .max = 65536, .status = VIT_STATUS_NOT_YET),
    K_ENUM("notify-vmexit", v_accel_notify_vmexit, "run",
           "What happens when a guest keeps interrupts blocked for long under KVM",
           .status = VIT_STATUS_NOT_YET, .mission = "x.accel.notify-vmexit"),
    K_INT("notify-window", "0", "How long that may last before it counts", .max = 4294967295,
          .status = VIT_STATUS_NOT_YET),
    K_BOOL("one-insn-per-tb", "off", "One guest instruction per translation block"),
    K_BOOL("x-interpreter", "off", "Interprets guest code and translates none"),
    K_BOOL("x-exact", "off", "Keeps every flag right at every fault, for comparing runs"),
    K_BOOL("x-force-exits", "off", "Never links translated blocks, for finding faults"),
    K_INT("x-tlb-entries", NULL, "Entries of each of the translator's address tables, for tests",
          .min = 4, .max = 65536),
    K_INT("x-invalidate-every", NULL, "Drops all translated code every so many exits, for tests",
          .min = 1, .max = 1000000),
    { 0 },
};

static const VitOptionVariant vr_accel[] = {
    { .name = "tcg",
      .help = VIT_N_("Pure software execution of guest code; always available"),
      .mission = "=accel.tcg" },
    { .name = "kvm",
      .help = VIT_N_("Uses the Linux kernel's hypervisor through /dev/kvm"),
      .status = VIT_STATUS_NEEDS_HARDWARE },
    { .name = "qtest",
      .help = VIT_N_("No CPU runs; devices are driven by the test protocol of -qtest") },
    { .name = "xen",
      .help = VIT_N_("Xen hypervisor"),
      .status = VIT_STATUS_OTHER_HOST,
      .reason = VIT_N_("the Xen accelerator needs a Xen host") },
    { .name = "hax",
      .help = VIT_N_("Intel HAXM"),
      .status = VIT_STATUS_OTHER_HOST,
      .reason = VIT_N_("HAXM exists only on Windows and macOS hosts") },
    { .name = "hvf",
      .help = VIT_N_("Hypervisor.framework of macOS"),
      .status = VIT_STATUS_OTHER_HOST,
      .reason = VIT_N_("Hypervisor.framework exists only on macOS hosts") },
    { .name = "nvmm",
      .help = VIT_N_("NetBSD hypervisor"),
      .status = VIT_STATUS_OTHER_HOST,
      .reason = VIT_N_("NVMM exists only on NetBSD hosts") },
    { .name = "whpx",
      .help = VIT_N_("Windows Hypervisor Platform"),
      .status = VIT_STATUS_OTHER_HOST,
      .reason = VIT_N_("the Windows Hypervisor Platform exists only on Windows hosts") },
    { 0 },
};

static const VitOptionKey k_smp[] = {
    K_INT("cpus", NULL, "CPUs present at start; taken from the topology when omitted", .min = 1,
          .max = VIT_PLAN_CPUS_MAX),
    K_INT("maxcpus", NULL,
          "Upper limit for CPU hotplug; must not be below cpus and not above the board's limit",
          .min = 1, .max = VIT_PLAN_CPUS_MAX),
    K_INT("sockets", NULL, "Number of packages", .min = 1, .max = VIT_PLAN_CPUS_MAX),
    K_INT("dies", "1", "Dies per package; boards that cannot express it accept only 1", .min = 1,
          .max = VIT_PLAN_CPUS_MAX),
    K_INT("clusters", "1", "Clusters per die; PC machines have one", .min = 1, .max = 1,
          .since = "7.0", .mission = "x.smp.clusters"),
    K_INT("cores", NULL, "Cores per die", .min = 1, .max = VIT_PLAN_CPUS_MAX),
    K_INT("threads", NULL, "Hardware threads per core", .min = 1, .max = VIT_PLAN_CPUS_MAX),
    { 0 },
};

static const VitOptionKey k_numa_node[] = {
    K_SIZE("mem", NULL,
           "Legacy RAM share of the node; boards of version 5.1 and newer refuse it and point to "
           "memdev",
           .flags = VIT_OPT_DEPRECATED, .size_unit = VIT_MIB),
    K_ID("memdev", "object", NULL,
         "Node's RAM comes from a memory object; cannot be mixed with mem, and all nodes must use "
         "it if one does"),
    K_STRING("cpus", NULL,
             "Range of CPU indexes in the node; repeat it for disjoint ranges; omitted on all "
             "nodes means automatic spread",
             .flags = VIT_OPT_REPEATS),
    K_INT("nodeid", NULL, "Node number", .max = 127),
    K_INT("initiator", NULL,
          "Node whose CPUs reach this memory best; valid only with hmat=on, and a node with CPUs "
          "must name itself",
          .max = 127),
    { 0 },
};

static const VitOptionKey k_numa_dist[] = {
    K_INT("src", NULL, "Source node", .flags = VIT_OPT_REQUIRED, .max = 127),
    K_INT("dst", NULL, "Destination node", .flags = VIT_OPT_REQUIRED, .max = 127),
    K_INT("val", NULL, "Relative distance; a node to itself is always 10 and 255 means unreachable",
          .flags = VIT_OPT_REQUIRED, .min = 10, .max = 255),
    { 0 },
};

static const VitOptionKey k_numa_cpu[] = {
    K_INT("node-id", NULL, "Target node, which must exist already", .flags = VIT_OPT_REQUIRED,
          .max = 127),
    K_INT("socket-id", NULL, "Selects by package"),
    K_INT("die-id", NULL, "Selects by die"),
    K_INT("core-id", NULL, "Selects by core"),
    K_INT("thread-id", NULL, "Selects by thread"),
    { 0 },
};

static const VitOptionValue v_numa_hmat_lb_hierarchy[] = {
    { .name = "memory", .help = VIT_N_("Figure is for the memory itself") },
    { .name = "first-level",
      .help = VIT_N_("Figure is the aggregate of level 1 memory-side caches") },
    { .name = "second-level",
      .help = VIT_N_("Figure is the aggregate of level 2 memory-side caches") },
    { .name = "third-level",
      .help = VIT_N_("Figure is the aggregate of level 3 memory-side caches") },
    { 0 },
};

static const VitOptionValue v_numa_hmat_lb_data_type[] = {
    { .name = "access-latency", .help = VIT_N_("Combined read/write latency; needs latency=") },
    { .name = "read-latency", .help = VIT_N_("Read latency; needs latency=") },
    { .name = "write-latency", .help = VIT_N_("Write latency; needs latency=") },
    { .name = "access-bandwidth", .help = VIT_N_("Combined bandwidth; needs bandwidth=") },
    { .name = "read-bandwidth", .help = VIT_N_("Read bandwidth; needs bandwidth=") },
    { .name = "write-bandwidth", .help = VIT_N_("Write bandwidth; needs bandwidth=") },
    { 0 },
};

static const VitOptionKey k_numa_hmat_lb[] = {
    K_INT("initiator", NULL, "Node issuing the accesses (has CPUs)", .flags = VIT_OPT_REQUIRED,
          .max = 127),
    K_INT("target", NULL, "Node holding the memory", .flags = VIT_OPT_REQUIRED, .max = 127),
    K_ENUM("hierarchy", v_numa_hmat_lb_hierarchy, NULL, "What the figure describes",
           .flags = VIT_OPT_REQUIRED),
    K_ENUM("data-type", v_numa_hmat_lb_data_type, NULL,
           "Which quantity is given; for cache levels the hit value is meant",
           .flags = VIT_OPT_REQUIRED),
    K_INT("latency", "0", "Latency in nanoseconds", .unit = "ns"),
    K_SIZE("bandwidth", "0", "Bytes per second, or MB/GB/TB per second with the suffix"),
    { 0 },
};

static const VitOptionValue v_numa_hmat_cache_associativity[] = {
    { .name = "none", .help = VIT_N_("Organisation not stated") },
    { .name = "direct", .help = VIT_N_("Direct mapped") },
    { .name = "complex", .help = VIT_N_("Complex index function") },
    { 0 },
};

static const VitOptionValue v_numa_hmat_cache_policy[] = {
    { .name = "none", .help = VIT_N_("Not stated") },
    { .name = "write-back", .help = VIT_N_("Written back later") },
    { .name = "write-through", .help = VIT_N_("Written through") },
    { 0 },
};

static const VitOptionKey k_numa_hmat_cache[] = {
    K_INT("node-id", NULL, "Node the memory belongs to", .flags = VIT_OPT_REQUIRED, .max = 127),
    K_SIZE("size", NULL, "Cache size in bytes", .flags = VIT_OPT_REQUIRED),
    K_INT("level", NULL, "Cache level; 0 is not allowed", .flags = VIT_OPT_REQUIRED, .min = 1,
          .max = 3),
    K_ENUM("associativity", v_numa_hmat_cache_associativity, "none", "Cache organisation"),
    K_ENUM("policy", v_numa_hmat_cache_policy, "none", "Write policy of the cache"),
    K_SIZE("line", "0", "Cache line size in bytes"),
    { 0 },
};

static const VitOptionVariant vr_numa[] = {
    { .name = "node",
      .help = VIT_N_(
          "Declares a NUMA node and what belongs to it; the guest sees it through ACPI SRAT"),
      .keys = k_numa_node },
    { .name = "dist",
      .help = VIT_N_("Distance between two nodes published in ACPI SLIT"),
      .keys = k_numa_dist,
      .mission = "numa.dist.completeness" },
    { .name = "cpu",
      .help = VIT_N_("Places CPUs in a node declared earlier by topology ids; the valid id sets "
                     "are shown by the hotpluggable CPU query"),
      .keys = k_numa_cpu },
    { .name = "hmat-lb",
      .help = VIT_N_("Adds one latency or bandwidth entry to the ACPI HMAT for an initiator/target "
                     "pair; requires hmat=on"),
      .keys = k_numa_hmat_lb },
    { .name = "hmat-cache",
      .help = VIT_N_("Describes a memory-side cache of a node in the HMAT"),
      .keys = k_numa_hmat_cache },
    { 0 },
};

static const VitOptionKey k_m[] = {
    K_SIZE("size", "128M", "Start-up RAM", .min = 1048576, .size_unit = VIT_MIB),
    K_INT("slots", NULL, "Number of sockets for memory hotplug; needs maxmem", .max = 256,
          .status = VIT_STATUS_NOT_YET),
    K_SIZE("maxmem", NULL,
           "Upper limit with hotplugged memory; page aligned; without slots and maxmem no memory "
           "can be added later",
           .size_unit = VIT_MIB, .status = VIT_STATUS_NOT_YET),
    { 0 },
};

static const VitOptionKey k_mem_path[] = {
    K_PATH("value", VIT_PATH_FOLDER, NULL,
           "Guest RAM is allocated from a temporary file made in this directory (typically "
           "hugetlbfs)"),
    { 0 },
};

static const VitOptionKey k_overcommit[] = {
    K_BOOL("mem-lock", "off", "Locks process and guest memory in RAM"),
    K_BOOL("cpu-pm", "off",
           "Lets the guest control host CPU idle states: lower guest latency, misleading host load "
           "figures"),
    { 0 },
};

static const VitOptionValue v_k_value[] = {
    { .name = "ar", .help = VIT_N_("Arabic layout") },
    { .name = "bepo" },
    { .name = "cz" },
    { .name = "da", .help = VIT_N_("Danish layout") },
    { .name = "de", .help = VIT_N_("German layout") },
    { .name = "de-ch", .help = VIT_N_("Swiss German layout") },
    { .name = "en-gb", .help = VIT_N_("British English layout") },
    { .name = "en-us", .help = VIT_N_("US English layout") },
    { .name = "es", .help = VIT_N_("Spanish layout") },
    { .name = "et", .help = VIT_N_("Estonian layout") },
    { .name = "fi", .help = VIT_N_("Finnish layout") },
    { .name = "fo", .help = VIT_N_("Faroese layout") },
    { .name = "fr", .help = VIT_N_("French layout") },
    { .name = "fr-be", .help = VIT_N_("Belgian French layout") },
    { .name = "fr-ca", .help = VIT_N_("Canadian French layout") },
    { .name = "fr-ch", .help = VIT_N_("Swiss French layout") },
    { .name = "hr", .help = VIT_N_("Croatian layout") },
    { .name = "hu", .help = VIT_N_("Hungarian layout") },
    { .name = "is", .help = VIT_N_("Icelandic layout") },
    { .name = "it", .help = VIT_N_("Italian layout") },
    { .name = "ja", .help = VIT_N_("Japanese layout") },
    { .name = "lt", .help = VIT_N_("Lithuanian layout") },
    { .name = "lv", .help = VIT_N_("Latvian layout") },
    { .name = "mk", .help = VIT_N_("Macedonian layout") },
    { .name = "nl", .help = VIT_N_("Dutch layout") },
    { .name = "nl-be", .help = VIT_N_("Belgian Dutch layout") },
    { .name = "no", .help = VIT_N_("Norwegian layout") },
    { .name = "pl", .help = VIT_N_("Polish layout") },
    { .name = "pt", .help = VIT_N_("Portuguese layout") },
    { .name = "pt-br", .help = VIT_N_("Brazilian Portuguese layout") },
    { .name = "ru", .help = VIT_N_("Russian layout") },
    { .name = "sl", .help = VIT_N_("Slovenian layout") },
    { .name = "sv", .help = VIT_N_("Swedish layout") },
    { .name = "th", .help = VIT_N_("Thai layout") },
    { .name = "tr", .help = VIT_N_("Turkish layout") },
    { 0 },
};

static const VitOptionKey k_k[] = {
    K_ENUM("value", v_k_value, "en-us", "Keyboard layout"),
    { 0 },
};

static const VitOptionKey k_name[] = {
    K_STRING("guest", NULL, "Explicit key for the guest name; also enables -msg guest-name"),
    K_STRING("process", NULL, "Linux process name as seen in top"),
    K_BOOL("debug-threads", "off", "Gives each thread a readable name for debugging on Linux"),
    { 0 },
};

static const VitOptionKey k_uuid[] = {
    K_UUID("value", NULL, "System UUID"),
    { 0 },
};

static const VitOptionValue v_rtc_clock[] = {
    { .name = "host", .help = VIT_N_("Follows host wall clock, including its NTP corrections") },
    { .name = "rt",
      .help = VIT_N_("Follows the host's monotonic clock, isolated from host time changes") },
    { .name = "vm",
      .help = VIT_N_("Follows virtual time, stopping while paused; advised with -icount") },
    { 0 },
};

static const VitOptionValue v_rtc_driftfix[] = {
    { .name = "none", .help = VIT_N_("Lost ticks are dropped") },
    { .name = "slew",
      .help = VIT_N_("Ticks a Windows guest missed are injected again"),
      .status = VIT_STATUS_NOT_YET },
    { 0 },
};

static const VitOptionKey k_rtc[] = {
    K_STRING("base", "utc", "utc, localtime or a date such as 2006-06-17T16:01:21",
             .mission = "rtc.base.utc rtc.base.localtime rtc.base.datetime"),
    K_ENUM("clock", v_rtc_clock, "host", "Clock that the RTC follows"),
    K_ENUM("driftfix", v_rtc_driftfix, "none", "What happens to ticks the guest missed"),
    { 0 },
};

static const VitOptionValue v_action_reboot[] = {
    { .name = "reset", .help = VIT_N_("Reboot resets the machine") },
    { .name = "shutdown", .help = VIT_N_("Reboot is treated as shutdown (what -no-reboot does)") },
    { 0 },
};

static const VitOptionValue v_action_shutdown[] = {
    { .name = "poweroff", .help = VIT_N_("Shutdown quits") },
    { .name = "pause",
      .help = VIT_N_("Shutdown pauses instead of quitting (what -no-shutdown does)") },
    { 0 },
};

static const VitOptionValue v_action_panic[] = {
    { .name = "pause", .help = VIT_N_("Guest is paused after a panic") },
    { .name = "shutdown", .help = VIT_N_("Guest panic ends the machine") },
    { .name = "exit-failure",
      .help = VIT_N_("Guest panic ends the program with a failure status") },
    { .name = "none", .help = VIT_N_("Guest panic is only reported") },
    { 0 },
};

static const VitOptionValue v_action_watchdog[] = {
    { .name = "reset", .help = VIT_N_("Hard reset") },
    { .name = "shutdown", .help = VIT_N_("Ask the guest to power down") },
    { .name = "poweroff", .help = VIT_N_("End the guest") },
    { .name = "inject-nmi", .help = VIT_N_("Send an NMI") },
    { .name = "pause", .help = VIT_N_("Pause the guest") },
    { .name = "debug", .help = VIT_N_("Print a message") },
    { .name = "none", .help = VIT_N_("Nothing") },
    { 0 },
};

static const VitOptionKey k_action[] = {
    K_ENUM("reboot", v_action_reboot, "reset", "Reaction to a guest reboot"),
    K_ENUM("shutdown", v_action_shutdown, "poweroff", "Reaction to a guest power-off"),
    K_ENUM("panic", v_action_panic, "shutdown", "Reaction to a guest panic",
           .status = VIT_STATUS_NOT_YET),
    K_ENUM("watchdog", v_action_watchdog, "reset",
           "Reaction to an expired watchdog, as -watchdog-action", .status = VIT_STATUS_NOT_YET),
    { 0 },
};

static const VitOptionValue v_watchdog_value[] = {
    { .name = "ib700", .help = VIT_N_("ISA watchdog with a single timer") },
    { .name = "i6300esb", .help = VIT_N_("PCI watchdog with two timer stages") },
    { .name = "diag288",
      .help = VIT_N_("Watchdog of s390x"),
      .status = VIT_STATUS_OTHER_TARGET,
      .reason = VIT_N_("diag288 exists only on s390x machines") },
    { 0 },
};

static const VitOptionKey k_watchdog[] = {
    K_ENUM("value", v_watchdog_value, NULL, "Watchdog model"),
    { 0 },
};

static const VitOptionValue v_watchdog_action_value[] = {
    { .name = "reset", .help = VIT_N_("Hard reset of the guest") },
    { .name = "shutdown",
      .help = VIT_N_("Asks the guest to power down by ACPI; unreliable with a hung guest") },
    { .name = "poweroff", .help = VIT_N_("Ends the guest at once") },
    { .name = "inject-nmi", .help = VIT_N_("Sends an NMI to the guest") },
    { .name = "pause", .help = VIT_N_("Pauses the guest") },
    { .name = "debug", .help = VIT_N_("Prints a message and goes on") },
    { .name = "none", .help = VIT_N_("Nothing") },
    { 0 },
};

static const VitOptionKey k_watchdog_action[] = {
    K_ENUM("value", v_watchdog_action_value, "reset", "What happens when the watchdog expires"),
    { 0 },
};

static const VitOptionValue v_icount_rr[] = {
    { .name = "record", .help = VIT_N_("Records non-deterministic input to rrfile") },
    { .name = "replay", .help = VIT_N_("Replays rrfile deterministically") },
    { 0 },
};

static const VitOptionKey k_icount[] = {
    K_STRING("shift", NULL, "Exponent of nanoseconds per instruction",
             .mission = "icount.shift.auto"),
    K_BOOL("align", "off",
           "Slows the guest to its nominal rate against the host clock and prints a message when "
           "it lags; not with shift=auto"),
    K_BOOL("sleep", "on", "Whether idle time passes at real speed; off jumps to the next timer",
           .mission = "icount.sleep.on icount.sleep.off"),
    K_ENUM("rr", v_icount_rr, NULL, "Record or replay a run", .status = VIT_STATUS_NOT_YET),
    K_PATH("rrfile", VIT_PATH_WRITE, NULL, "Replay log", .status = VIT_STATUS_NOT_YET),
    K_STRING("rrsnapshot", NULL,
             "Snapshot made at the start of recording and loaded at the start of replay",
             .status = VIT_STATUS_NOT_YET),
    { 0 },
};

static const VitOptionKey k_seed[] = {
    K_INT("value", NULL, "Seed"),
    { 0 },
};

static const VitOptionKey k_xen_domid[] = {
    K_INT("value", NULL, "Xen domain id"),
    { 0 },
};

static const VitOption options[] = {
    { .name = "machine",
      .aliases = "M",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_MERGE,
      .metavar = VIT_N_("[type=]NAME[,PROP=VALUE[,...]]"),
      .help = VIT_N_(
          "Chooses the emulated board and sets board properties; repeated use merges properties"),
      .section = VIT_N_("Standard options"),
      .page = VIT_N_("System"),
      .implied = "type",
      .kind_class = "machine",
      .keys = k_machine,
      .flags = VIT_OPT_HELP,
      .change = VIT_CHANGE_OFF,
      .status = VIT_STATUS_AVAILABLE,
      .mission = "cli.machine-alias-M intro.smp-255" },
    { .name = "cpu",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("MODEL[,+FEATURE][,-FEATURE][,FEATURE=on|off]"),
      .help = VIT_N_("Chooses the CPU model and switches individual features; CPUID seen by the "
                     "guest follows"),
      .section = VIT_N_("Standard options"),
      .page = VIT_N_("Processor"),
      .implied = "model",
      .kind_class = "cpu",
      .keys = k_cpu,
      .flags = VIT_OPT_HELP | VIT_OPT_OPEN,
      .change = VIT_CHANGE_OFF,
      .status = VIT_STATUS_AVAILABLE,
      .mission = "x.cpu.hypervisor-props" },
    { .name = "accel",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("NAME[,PROP=VALUE[,...]]"),
      .help = VIT_N_("Chooses one accelerator with its properties; when repeated, each is tried in "
                     "order until one initialises"),
      .section = VIT_N_("Standard options"),
      .page = VIT_N_("Processor"),
      .implied = "accel",
      .keys = k_accel,
      .variants = vr_accel,
      .flags = VIT_OPT_HELP,
      .change = VIT_CHANGE_OFF,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "enable-kvm",
      .aliases = "enable_kvm",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_("Same as -accel kvm"),
      .section = VIT_N_("Standard options"),
      .page = VIT_N_("Processor"),
      .change = VIT_CHANGE_OFF,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "smp",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_MERGE,
      .metavar = VIT_N_("[[cpus=]N][,maxcpus=N][,sockets=N][,dies=N][,cores=N][,threads=N]"),
      .help = VIT_N_("Sets initial CPU count, hotplug maximum and the topology the guest sees in "
                     "CPUID and ACPI"),
      .section = VIT_N_("Standard options"),
      .page = VIT_N_("Processor"),
      .implied = "cpus",
      .keys = k_smp,
      .change = VIT_CHANGE_OFF,
      .status = VIT_STATUS_AVAILABLE,
      .mission = "smp.product-rule smp.positive-rule smp.preference" },
    { .name = "numa",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_LIST,
      .metavar = VIT_N_("TYPE[,PROP=VALUE[,...]]"),
      .help = VIT_N_("Describes the NUMA nodes, distances and caches that the guest sees"),
      .section = VIT_N_("Standard options"),
      .page = VIT_N_("Memory"),
      .implied = "type",
      .variants = vr_numa,
      .change = VIT_CHANGE_OFF,
      .status = VIT_STATUS_NOT_YET },
    { .name = "m",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_MERGE,
      .metavar = VIT_N_("[size=]SIZE[,slots=N,maxmem=SIZE]"),
      .help = VIT_N_("Guest RAM at start; plain number means MiB, M and G suffixes allowed"),
      .section = VIT_N_("Standard options"),
      .page = VIT_N_("Memory"),
      .implied = "size",
      .keys = k_m,
      .change = VIT_CHANGE_OFF,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "mem-path",
      .syntax = VIT_SYNTAX_VALUE,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("PATH"),
      .help = VIT_N_("Guest RAM is allocated from a temporary file made in this directory "
                     "(typically hugetlbfs)"),
      .section = VIT_N_("Standard options"),
      .page = VIT_N_("Memory"),
      .keys = k_mem_path,
      .change = VIT_CHANGE_OFF,
      .status = VIT_STATUS_NOT_YET },
    { .name = "mem-prealloc",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_("Touches all -mem-path memory at start so that shortage fails early"),
      .section = VIT_N_("Standard options"),
      .page = VIT_N_("Memory"),
      .change = VIT_CHANGE_OFF,
      .status = VIT_STATUS_NOT_YET },
    { .name = "overcommit",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_MERGE,
      .metavar = VIT_N_("[mem-lock=on|off][,cpu-pm=on|off]"),
      .help = VIT_N_("Lets the guest take host resources for itself"),
      .section = VIT_N_("Standard options"),
      .page = VIT_N_("Memory"),
      .keys = k_overcommit,
      .change = VIT_CHANGE_OFF,
      .status = VIT_STATUS_NOT_YET },
    { .name = "k",
      .syntax = VIT_SYNTAX_VALUE,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("LANGUAGE"),
      .help = VIT_N_(
          "Keyboard layout used where raw key codes are unavailable (VNC, curses, some X servers)"),
      .section = VIT_N_("Standard options"),
      .page = VIT_N_("Keyboard and mouse"),
      .keys = k_k,
      .flags = VIT_OPT_HELP,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "name",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_MERGE,
      .metavar = VIT_N_("[guest=]NAME[,process=NAME][,debug-threads=on|off]"),
      .help = VIT_N_("Guest name, shown in the window title and sent as the VNC desktop name"),
      .section = VIT_N_("Standard options"),
      .page = VIT_N_("General"),
      .implied = "guest",
      .keys = k_name,
      .change = VIT_CHANGE_HOT,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "uuid",
      .syntax = VIT_SYNTAX_VALUE,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("UUID"),
      .help = VIT_N_("System UUID, visible in SMBIOS type 1"),
      .section = VIT_N_("Standard options"),
      .page = VIT_N_("General"),
      .keys = k_uuid,
      .change = VIT_CHANGE_OFF,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "rtc",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_MERGE,
      .metavar = VIT_N_("[base=utc|localtime|DATE][,clock=host|rt|vm][,driftfix=none|slew]"),
      .help = VIT_N_("Real-time clock start and drive"),
      .section = VIT_N_("Machine behaviour"),
      .page = VIT_N_("System"),
      .keys = k_rtc,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "no-acpi",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_("No ACPI tables or power button logic (PC boards)"),
      .section = VIT_N_("Machine behaviour"),
      .page = VIT_N_("System"),
      .change = VIT_CHANGE_OFF,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "no-hpet",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_("No HPET timer"),
      .section = VIT_N_("Machine behaviour"),
      .page = VIT_N_("System"),
      .change = VIT_CHANGE_OFF,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "win2k-hack",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_("Slows IDE transfers so that installing Windows 2000 does not stop with a "
                     "false disk-full error; unnecessary afterwards"),
      .section = VIT_N_("Machine behaviour"),
      .page = VIT_N_("System"),
      .status = VIT_STATUS_NOT_YET },
    { .name = "no-reboot",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_("A guest reboot ends the program"),
      .section = VIT_N_("Machine behaviour"),
      .page = VIT_N_("System"),
      .change = VIT_CHANGE_HOT,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "no-shutdown",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_(
          "A guest shutdown only stops emulation; monitor stays usable, e.g. to commit images"),
      .section = VIT_N_("Machine behaviour"),
      .page = VIT_N_("System"),
      .change = VIT_CHANGE_HOT,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "action",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_MERGE,
      .metavar = VIT_N_("EVENT=ACTION[,...]"),
      .help = VIT_N_("General control of reactions to guest events; overrides -no-reboot and "
                     "-no-shutdown where it comes later"),
      .section = VIT_N_("Machine behaviour"),
      .page = VIT_N_("System"),
      .keys = k_action,
      .change = VIT_CHANGE_HOT,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "watchdog",
      .syntax = VIT_SYNTAX_VALUE,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("MODEL"),
      .help = VIT_N_("Adds a watchdog device; once the guest arms it and stops serving it the "
                     "configured action happens"),
      .section = VIT_N_("Machine behaviour"),
      .page = VIT_N_("System"),
      .keys = k_watchdog,
      .flags = VIT_OPT_DEPRECATED | VIT_OPT_HELP,
      .status = VIT_STATUS_NOT_YET },
    { .name = "watchdog-action",
      .syntax = VIT_SYNTAX_VALUE,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("ACTION"),
      .help = VIT_N_("What happens when the watchdog expires"),
      .section = VIT_N_("Machine behaviour"),
      .page = VIT_N_("System"),
      .keys = k_watchdog_action,
      .change = VIT_CHANGE_HOT,
      .status = VIT_STATUS_NOT_YET },
    { .name = "nodefaults",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_(
          "No default devices: serial, parallel, console, monitor, VGA, floppy, CD-ROM and so on"),
      .section = VIT_N_("Machine behaviour"),
      .page = VIT_N_("System"),
      .change = VIT_CHANGE_OFF,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "icount",
      .syntax = VIT_SYNTAX_KEYS,
      .repeat = VIT_REPEAT_MERGE,
      .metavar = VIT_N_("[shift=]N|auto[,align=on|off][,sleep=on|off][,rr=record|replay,rrfile="
                        "FILE[,rrsnapshot=NAME]]"),
      .help = VIT_N_(
          "Virtual time advances 2^N ns per guest instruction: repeatable but not cycle accurate"),
      .section = VIT_N_("Machine behaviour"),
      .page = VIT_N_("Processor"),
      .implied = "shift",
      .keys = k_icount,
      .change = VIT_CHANGE_OFF,
      .status = VIT_STATUS_AVAILABLE },
    { .name = "seed",
      .syntax = VIT_SYNTAX_VALUE,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("N"),
      .help = VIT_N_("Guest-visible randomness comes from a generator seeded with N; host crypto "
                     "is unaffected"),
      .section = VIT_N_("Machine behaviour"),
      .page = VIT_N_("System"),
      .keys = k_seed,
      .status = VIT_STATUS_NOT_YET },
    { .name = "xen-domid",
      .syntax = VIT_SYNTAX_VALUE,
      .repeat = VIT_REPEAT_LAST,
      .metavar = VIT_N_("ID"),
      .help = VIT_N_("Xen domain id"),
      .section = VIT_N_("Machine behaviour"),
      .page = VIT_N_("System"),
      .keys = k_xen_domid,
      .status = VIT_STATUS_OTHER_HOST,
      .reason = VIT_N_("-xen-domid needs a Xen host") },
    { .name = "xen-attach",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_("Attaches to an existing Xen domain"),
      .section = VIT_N_("Machine behaviour"),
      .page = VIT_N_("System"),
      .status = VIT_STATUS_OTHER_HOST,
      .reason = VIT_N_("-xen-attach needs a Xen host") },
    { .name = "xen-domid-restrict",
      .syntax = VIT_SYNTAX_FLAG,
      .repeat = VIT_REPEAT_LAST,
      .help = VIT_N_("Limits Xen operations to the given domain"),
      .section = VIT_N_("Machine behaviour"),
      .page = VIT_N_("System"),
      .status = VIT_STATUS_OTHER_HOST,
      .reason = VIT_N_("-xen-domid-restrict needs a Xen host") },
};

const VitOptionArea vit_options_machine_area = { options, VIT_ARRAY_LEN(options) };
